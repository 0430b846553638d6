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
"""


@dataclass(frozen=True, slots=True)
class Config:
    """What `archive.toml` says."""

    origin: str
    vkeys: tuple[str, ...]
    sources: Mapping[str, str] = field(default_factory=dict)
    fetch: Mapping[str, Any] = field(default_factory=dict)
    engine: str | None = None

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
            vkeys=tuple(_typed(table, "keys", list)),
            sources={host.lower(): str(name) for host, name in table.get("sources", {}).items()},
            fetch=table.get("fetch", {}),
            engine=table.get("index", {}).get("engine"),
        )
        config.keys()
    except (ValueError, AttributeError) as e:
        raise UsageError(f"{path}: {e}") from e
    return config


def _typed(table: Mapping[str, Any], name: str, kind: type) -> Any:
    value = table.get(name)
    if not isinstance(value, kind):
        raise ValueError(f"`{name}` is missing or not a {kind.__name__}")
    return value
