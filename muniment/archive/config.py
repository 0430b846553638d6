"""`archive.toml`: format version, origin, public keys, and the settings that people may edit."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from muniment.errors import NoArchive, UsageError
from muniment.formats.note import VerifierKey, parse_vkey

FORMAT = 1
FILE = "archive.toml"
_TEMPLATE = """\
# A muniment archive. What these lines mean: docs/format.md
format = {format}
origin = "{origin}"
created = "{created}"
# Public keys that may sign this log; the private key lies outside the archive.
keys = ["{vkey}"]

# How sources are called, by host name:
[sources]
# "example.org" = "Example Times"

# What is fetched, and how. The values here are the defaults.
[fetch]
# user_agent = "muniment (+https://example.org/about-our-archive)"
# max_size = 67108864        # bytes of one response
# respect_robots = true
# per_host = 1               # connections to one host at a time
# delay = 0                  # seconds between two requests to one host
"""


@dataclass(frozen=True, slots=True)
class Config:
    """What `archive.toml` says; whoever fetches checks what stands in `fetch`."""

    origin: str
    vkeys: tuple[str, ...]
    sources: Mapping[str, str] = field(default_factory=dict)
    fetch: Mapping[str, Any] = field(default_factory=dict)

    def keys(self) -> list[VerifierKey]:
        return [parse_vkey(vkey) for vkey in self.vkeys]


def format_config(origin: str, vkey: str, created: str) -> bytes:
    return _TEMPLATE.format(format=FORMAT, origin=origin, vkey=vkey, created=created).encode()


def read_config(root: Path) -> Config:
    """Raises NoArchive where there is none, UsageError where the file is wrong."""
    path = root / FILE
    try:
        table = tomllib.loads(path.read_bytes().decode())
    except (FileNotFoundError, NotADirectoryError):
        raise NoArchive(f"no archive in {root}: make one with `muniment init {root}`") from None
    except (OSError, ValueError) as e:
        raise UsageError(f"cannot read {path}: {e}") from e
    if table.get("format") != FORMAT:
        raise UsageError(f"{path} is of format {table.get('format')!r}; this muniment reads format {FORMAT}")
    try:
        config = Config(
            origin=_typed(table, "origin", str),
            vkeys=_keys(table),
            sources=_sources(table),
            fetch=_typed(table, "fetch", dict, {}),
        )
        config.keys()
    except ValueError as e:
        raise UsageError(f"{path}: {e}") from e
    return config


def _sources(table: Mapping[str, Any]) -> dict[str, str]:
    sources: dict[str, str] = _typed(table, "sources", dict, {})
    for host, name in sources.items():
        if not isinstance(name, str):
            raise ValueError(f'[sources] "{host}" cannot be {name!r}: use the name of the source, in quotes')
    return {host.lower(): name for host, name in sources.items()}


def _keys(table: Mapping[str, Any]) -> tuple[str, ...]:
    keys = _typed(table, "keys", list)
    if not keys or not all(isinstance(key, str) for key in keys):
        raise ValueError("`keys` is not a list of public keys, as `muniment init` prints them")
    return tuple(keys)


def _typed(table: Mapping[str, Any], name: str, kind: type, default: Any = None) -> Any:
    value = table.get(name, default)
    if not isinstance(value, kind):
        raise ValueError(f"`{name}` is missing or not a {'table' if kind is dict else kind.__name__}")
    return value
