"""`archive.toml`: format version, origin, public keys, and the settings that people may edit."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from muniment.errors import NoArchive, UsageError
from muniment.formats.note import ED25519, MLDSA44_COSIGNATURE, VerifierKey, parse_vkey

FORMAT = 1
FILE = "archive.toml"
_TEMPLATE = """\
# A muniment archive. What these lines mean: docs/format.md
format = {format}
origin = "{origin}"
created = "{created}"
# Public keys that signed this log, oldest first; the last is in force. Its private key lies outside the archive.
keys = ["{vkey}"]

# Who runs this archive; it is kept with every capture.
# operator = "Ann Example, Merrin Review"

# Who vouches for the log from outside: `muniment stamp`, `muniment checkpoint --import` and `muniment verify`.
[stamp]
# after_add = true           # have every add time-stamped at its end
# witnesses = ["witness.example+…"]  # keys whose cosignatures count
# calendars = ["https://calendar.example"]  # OpenTimestamps
# [[stamp.authorities]]
# name = "example"
# url = "https://tsa.example/tsr"
# ca = "authorities/example.pem"     # the root certificate that you trust, in this archive

# Who is told when scheduled jobs cannot do their work: docs/jobs.md
# [alerts]
# command = ["mail", "-s", "muniment", "ann@example.org"]
# webhook = "https://chat.example/hook"
# ping = "https://deadman.example/uuid"   # asked for after each run that went well

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
    """What `archive.toml` says; whoever fetches, stamps or tells of alarms checks what stands in `fetch`, `stamp`
    and `alerts`.

    Each of `vkeys` is the verifier key of an Ed25519 key, with that of an ML-DSA-44 key behind a space where there are
    two. `next_key` is one that a rotation is about to bring in.
    """

    origin: str
    vkeys: tuple[str, ...]
    next_key: str | None = None
    operator: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    fetch: Mapping[str, Any] = field(default_factory=dict)
    stamp: Mapping[str, Any] = field(default_factory=dict)
    alerts: Mapping[str, Any] = field(default_factory=dict)

    def key_sets(self) -> list[list[VerifierKey]]:
        """The keys, oldest first; those of one element sign together."""
        return [parse_keys(vkeys) for vkeys in self.vkeys]

    def keys(self) -> list[VerifierKey]:
        """Every key that may have signed."""
        coming = parse_keys(self.next_key) if self.next_key else []
        return [key for keys in self.key_sets() for key in keys] + coming

    def in_force(self) -> list[list[VerifierKey]]:
        """The keys of which all of one element have to have signed the newest checkpoint."""
        return [parse_keys(vkeys) for vkeys in (self.vkeys[-1], self.next_key) if vkeys]


def parse_keys(vkeys: str) -> list[VerifierKey]:
    """An Ed25519 key, and perhaps an ML-DSA-44 key. ValueError where it is anything else."""
    keys = [parse_vkey(vkey) for vkey in vkeys.split(" ")]
    if [key.algorithm for key in keys] not in ([ED25519], [ED25519, MLDSA44_COSIGNATURE]):
        raise ValueError(f"not an Ed25519 key, nor one with an ML-DSA-44 key behind it: {vkeys!r}")
    return keys


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
        twice = ": a [section] may stand there only once, so add the lines to the first" if " twice" in str(e) else ""
        raise UsageError(f"cannot read {path}: {e}{twice}") from e
    if table.get("format") != FORMAT:
        raise UsageError(f"{path} is of format {table.get('format')!r}; this muniment reads format {FORMAT}")
    try:
        config = Config(
            origin=_typed(table, "origin", str),
            vkeys=_keys(table),
            sources=_sources(table),
            fetch=_typed(table, "fetch", dict, {}),
            stamp=_typed(table, "stamp", dict, {}),
            alerts=_typed(table, "alerts", dict, {}),
            operator=_typed(table, "operator", str, ""),
            next_key=_typed(table, "next_key", str, "") or None,
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


def change_keys(root: Path, vkeys: Sequence[str], next_key: str | None) -> None:
    """Write other keys into `archive.toml`; all else in it stays as people wrote it."""
    import tomlkit

    from muniment.durable import replace

    path = root / FILE
    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    keys = tomlkit.array()
    keys.extend(vkeys)
    document["keys"] = keys.multiline(len(vkeys) > 1)
    document.pop("next_key", None)
    if next_key:
        document["next_key"] = next_key
    replace(path, tomlkit.dumps(document).encode())
