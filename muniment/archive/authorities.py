"""`[stamp]` in archive.toml: who is asked to vouch for the log, and whom the archive's own `verify` believes.

    [stamp]
    after_add = true
    witnesses = ["witness.example+1ad25d0b+BLj0…"]

    [[stamp.authorities]]
    name = "example"
    url = "https://tsa.example/tsr"
    ca = "authorities/example.pem"

And the names in `log/stamps/`: `<leaves of the checkpoint>.<party>.<kind>`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from muniment.errors import UsageError
from muniment.formats.note import VerifierKey, parse_vkey

MAX_CA = 1 << 20  # bytes of a file with certificates
MAX_STAMP = 4 << 20  # bytes of a file in log/stamps/
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,59}\Z")
_NAME = re.compile(r"(0|[1-9][0-9]{0,17})\.([A-Za-z0-9_-][A-Za-z0-9._-]{0,99})\.(tsq|tsr|pem|note|ots)\Z")


class StampFile(NamedTuple):
    """A file in `log/stamps/`, told by its name."""

    size: int
    party: str
    kind: str


def parse_stamp_name(name: str) -> StampFile:
    """Raises ValueError where the name is none: it could lead elsewhere."""
    match = _NAME.match(name)
    if match is None:
        raise ValueError(f"{name!r} is no name of a stamp's file")
    return StampFile(int(match[1]), match[2], match[3])


def slug_of(name: str) -> str:
    """A party's name as part of a file's name: lowercase letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60].strip("-") or "party"


@dataclass(frozen=True, slots=True)
class Authority:
    """A time stamp authority (RFC 3161). `ca` is the PEM file with its root certificate, relative to the archive."""

    name: str
    url: str
    ca: str


@dataclass(frozen=True, slots=True)
class StampSettings:
    """What `[stamp]` says."""

    after_add: bool = False
    authorities: Sequence[Authority] = ()
    witnesses: Sequence[VerifierKey] = ()
    calendars: Sequence[str] = ()


def read_settings(table: Mapping[str, Any]) -> StampSettings:
    """Raises UsageError that names the setting and what it may be."""
    try:
        known = ("after_add", "authorities", "calendars", "witnesses")
        for name in table:
            if name not in known:
                raise ValueError(f"there is no setting {name!r}: known are {', '.join(known)}")
        after_add = table.get("after_add", False)
        if type(after_add) is not bool:
            raise ValueError(f"after_add cannot be {after_add!r}: use true or false")
        authorities = [_authority(entry) for entry in _list(table, "authorities", dict)]
        names = [authority.name for authority in authorities]
        if len(set(names)) != len(names):
            raise ValueError("two authorities have the same name")
        witnesses = [parse_vkey(vkey) for vkey in _list(table, "witnesses", str)]
        calendars = _list(table, "calendars", str)
        for url in calendars:
            _check_url("calendars", url)
    except ValueError as e:
        raise UsageError(f"archive.toml, [stamp]: {e}") from e
    return StampSettings(after_add, tuple(authorities), tuple(witnesses), tuple(calendars))


def _list(table: Mapping[str, Any], name: str, kind: type) -> list[Any]:
    found = table.get(name, [])
    if not isinstance(found, list) or not all(type(entry) is kind for entry in found):
        raise ValueError(f"{name} is not a list of {'tables' if kind is dict else 'texts'}")
    return found


def _authority(entry: Mapping[str, Any]) -> Authority:
    if set(entry) != {"name", "url", "ca"} or not all(isinstance(value, str) for value in entry.values()):
        raise ValueError("an authority has `name`, `url` and `ca`, each a text")
    if not _SLUG.match(entry["name"]):
        raise ValueError(f"the name {entry['name']!r} cannot be part of a file's name: use a-z, 0-9 and hyphens")
    _check_url("url", entry["url"])
    ca = PurePosixPath(entry["ca"])
    if ca.is_absolute() or ".." in ca.parts or not ca.parts or not entry["ca"].isprintable():
        raise ValueError(f"ca cannot be {entry['ca']!r}: name a file in the archive, such as authorities/NAME.pem")
    return Authority(**entry)


def _check_url(name: str, url: str) -> None:
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"{name} cannot be {url!r}: use an address that begins with https:// or http://")


def read_ca(root: Path, authority: Authority) -> bytes:
    """The certificates of an authority, as PEM. Raises UsageError where they cannot be read."""
    return read_certificates(root / authority.ca)


def read_certificates(path: Path) -> bytes:
    """A PEM file that holds certificates. Raises UsageError."""
    from muniment.formats.chain import parse_certificates

    try:
        if not path.is_file():  # nor a device or a pipe, which might never end
            raise ValueError("there is no such file")
        with path.open("rb") as file:
            pem = file.read(MAX_CA + 1)
        if len(pem) > MAX_CA:
            raise ValueError(f"over {MAX_CA:,} bytes")
        parse_certificates(pem)
    except OSError as e:
        raise UsageError(f"cannot read the certificates in {path}: {e.strerror}") from e
    except ValueError as e:
        raise UsageError(f"cannot read the certificates in {path}: {e}") from e
    return pem
