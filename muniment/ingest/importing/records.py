"""The records of a WARC or ARC file as they stand there, and the damage between them.

    for found in read_records(inflow):  ->  Found(type, head, fields, block, …) or Damage(place, reason, detail)

Reading goes on behind damage where a record can be recognised. A record whose length is wrong in a plain file would
swallow the next one: where the next one is found inside of it, reading goes on there. But what stands within a record
that is cut, or too large, may be its content: a page can hold what looks like a record of another site's. It is marked.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from muniment.ingest.importing.digests import Stated, parse_digest
from muniment.ingest.importing.inflow import Inflow, Place
from muniment.ingest.importing.spool import Spool

MAX_BLOCK = (1 << 30) - (1 << 20)  # with its head below what an archive reads back
MAX_HEAD = 1 << 20
_BOMB, _RATIO = 32 << 20, 200  # a block over that many bytes that was so many times smaller in the file
_WARC = re.compile(rb"WARC/[01]\.\d+[ \t]*\r?\n", re.I)
_ARC = re.compile(rb"[a-z][a-z0-9+.-]{1,15}:[^\r\n]{1,7900}? (?:\d{12,20}|-) [^ \r\n]+(?: [^ \r\n]+){1,6}\r?\n")
_ARC_DATE = re.compile(r"\d{12,20}|-")
_DIGITS = re.compile(r"[0-9]{1,18}")
_ENDS = b"\r\n"


class Found(NamedTuple):
    """A record. `fields` are its headers by lower-case name; of ARC, those that a WARC record of it would have.

    `digest` is the hex SHA-256 of head, block and two line ends; `held` are the digests that were stated of the block,
    and whether they hold. `doubt` says why the bytes may not be what was written; `is_inside`: it may be a part of
    another one's content.
    """

    type: str
    head: bytes
    fields: Mapping[str, Sequence[str]]
    block: Spool
    place: Place
    digest: str
    held: Sequence[Stated]
    doubt: str | None = None
    is_inside: bool = False

    def first(self, name: str) -> str | None:
        return next(iter(self.fields.get(name, ())), None)

    def all(self, name: str) -> Sequence[str]:
        return self.fields.get(name, ())


class Damage(NamedTuple):
    """Where something is no record, or no whole one."""

    place: Place
    reason: str
    detail: str


class _Head(NamedTuple):
    raw: bytes
    type: str
    fields: dict[str, list[str]]
    length: int | None


class _Dialect(NamedTuple):
    start: re.Pattern[bytes]
    read_head: Callable[[Inflow], _Head]


@dataclass(slots=True)
class _Around:
    """The record that states more bytes than can be read of it, from `begin` on; `end` is None where the file ends in
    it. What begins there may be its content."""

    begin: Place | None = None
    end: Place | None = None

    def holds(self, place: Place) -> bool:
        if self.begin is None or self.end is None:
            return self.begin is not None
        return place < self.end and (not self.end.inside or place.offset == self.begin.offset)


def read_records(inflow: Inflow) -> Iterator[Found | Damage]:
    """Every record of the file that can be read, and every damage, in order."""
    around = _Around()
    for found in _read(inflow, around):
        if isinstance(found, Found) and around.holds(found.place):
            doubt = f"it begins within the record at byte {around.begin}, and may be a part of its content"
            found = found._replace(doubt=doubt, is_inside=True)
        yield found


def _read(inflow: Inflow, around: _Around) -> Iterator[Found | Damage]:
    is_arc = inflow.peek(11).lower().startswith(b"filedesc://") or _ARC.match(inflow.peek(8000)) is not None
    dialect = _Dialect(_ARC, _arc_head) if is_arc else _Dialect(_WARC, _warc_head)
    while True:
        inflow.forget()
        inflow.skip(_ENDS)
        place = inflow.place()
        if not inflow.peek(1):
            if inflow.problem is None:
                return
            yield Damage(Place(inflow.broken_at), "import-damaged", inflow.problem)
            _note_cut(inflow, around, Place(inflow.broken_at))
            if not inflow.resync(dialect.start):
                return
            continue
        try:
            head = dialect.read_head(inflow)
        except ValueError as e:
            yield Damage(place, "import-damaged", inflow.problem or str(e))
            _note_cut(inflow, around, place)
            if not inflow.resync(dialect.start):
                return
            continue
        yield from _read_block(inflow, dialect, head, place, around)


def _note_cut(inflow: Inflow, around: _Around, place: Place) -> None:
    if inflow.is_cut and around.begin is None:
        around.begin, around.end = place, None


def _read_block(
    inflow: Inflow, dialect: _Dialect, head: _Head, place: Place, around: _Around
) -> Iterator[Found | Damage]:
    length, doubt = head.length, None
    if length is None:
        length, doubt = 0, "it states no length that can be read"
        yield Damage(place, "import-damaged", "a record that states no length that can be read")
    if length > MAX_BLOCK:
        yield Damage(place, "import-too-large", f"a record of {length} bytes; {MAX_BLOCK} can be kept")
        around.begin, around.end = place, _further(inflow.place(), length, inflow)
        inflow.resync(dialect.start)
        return
    if inflow.remaining is not None and length > inflow.remaining:
        detail = f"the file ends in it: {inflow.remaining} of the {length} bytes that the record states"
        yield Damage(place, "import-damaged", detail)
        around.begin, around.end = around.begin or place, None
        inflow.resync(dialect.start)
        return
    stated = [found for value in head.fields.get("warc-block-digest", ()) if (found := parse_digest(value))]
    digest, checks, block = hashlib.sha256(head.raw), [one.hasher() for one in stated], Spool()
    begun, used = inflow.at, inflow.taken
    for piece in inflow.pieces(length):
        digest.update(piece)
        for check in checks:
            check.update(piece)
        block.write(piece)
        if block.size > _BOMB and inflow.is_gzip and block.size > _RATIO * (inflow.taken - used + (1 << 16)):
            yield Damage(place, "import-bomb", f"over {block.size >> 20} MiB out of {inflow.taken - used >> 10} KiB")
            inflow.abandon("a record that is a bomb")
            inflow.resync(dialect.start)
            return
    digest.update(b"\r\n\r\n")
    short = block.size < length
    if short or not _is_followed(inflow, dialect):
        within = block.find(dialect.start)
        if within is not None:
            yield Damage(place, "import-damaged", f"the record states {length} bytes, and the next begins in it")
            _note_cut(inflow, around, place)
            if inflow.rewind(inflow.place(begun + within), block.size - within):
                return
    if short:
        cause = inflow.problem or "the file ends in it"
        yield Damage(place, "import-damaged", f"{cause}: {block.size} of the {length} bytes that the record states")
        _note_cut(inflow, around, place)
        inflow.resync(dialect.start)
        return
    held = [one.told(check.digest()) for one, check in zip(stated, checks, strict=True)]
    yield Found(head.type, head.raw, head.fields, block, place, digest.hexdigest(), held, doubt or inflow.problem)
    inflow.skip(_ENDS)
    if inflow.peek(1) and not _is_followed(inflow, dialect):
        yield Damage(inflow.place(), "import-damaged", "bytes that belong to no record")
        inflow.resync(dialect.start)


def _further(place: Place, count: int, inflow: Inflow) -> Place:
    """So many bytes after a place, in the same gzip member where there are such."""
    return place._replace(inside=place.inside + count) if inflow.is_gzip else Place(place.offset + count)


def _is_followed(inflow: Inflow, dialect: _Dialect) -> bool:
    """Whether the file ends, or a record begins, behind line ends."""
    ahead = inflow.peek(8192).lstrip(_ENDS) if dialect.start is _ARC else inflow.peek(64).lstrip(_ENDS)
    return not ahead or dialect.start.match(ahead) is not None


def _warc_head(inflow: Inflow) -> _Head:
    """Raises ValueError, and then not more than the line that is wrong was consumed."""
    if inflow.peek(5).upper() != b"WARC/":
        raise ValueError("no record begins here")
    raw, fields = bytearray(inflow.line(256)), dict[str, list[str]]()
    name = ""
    while (line := inflow.line(MAX_HEAD)).strip(_ENDS):
        raw += line
        if len(raw) > MAX_HEAD or not line.endswith(b"\n"):
            raise ValueError("the head of a record does not end")
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if text[0] in " \t" and name:
            fields[name][-1] = f"{fields[name][-1]} {text.strip()}".strip()
            continue
        found, colon, value = text.partition(":")
        if colon:
            name = found.strip().lower()
            fields.setdefault(name, []).append(value.strip())
    if not line:
        raise ValueError("the file ends in the head of a record")
    raw += line
    length = next(iter(fields.get("content-length", ())), "")
    kind = next(iter(fields.get("warc-type", ())), "").lower()
    return _Head(bytes(raw), kind, fields, int(length) if _DIGITS.fullmatch(length) else None)


def _arc_head(inflow: Inflow) -> _Head:
    """A line: address, IP address, date, media type, and at last the length; version 2 has more between."""
    raw = inflow.line(MAX_HEAD)
    words = raw.decode("utf-8", "replace").rstrip("\r\n").split(" ")
    dates = [i for i, word in enumerate(words) if _ARC_DATE.fullmatch(word) and 2 <= i < len(words) - 1]
    is_description = words[0].lower().startswith("filedesc:")
    if not raw.endswith(b"\n") or ":" not in words[0] or not (dates or is_description):
        raise ValueError("no record begins here")
    at = dates[-1] if dates and len(words) - dates[-1] <= 3 else min(dates, default=0)
    address, peer, kind, date = " ".join(words[: at - 1]), words[at - 1], words[at + 1 : at + 2], words[at]
    if not dates:
        address, peer, kind, date = words[0], "", [], "-"
    fields = {
        "warc-target-uri": [address],
        "warc-ip-address": [peer],
        "warc-date": [_date_of(date)] if date != "-" else [],
        "content-type": kind,
    }
    length = int(words[-1]) if _DIGITS.fullmatch(words[-1]) else None
    return _Head(raw, "arc-description" if is_description else "arc", fields, length)


def _date_of(digits: str) -> str:
    """`20140301123456` as a WARC-Date; seconds may be missing."""
    d = digits[:14].ljust(14, "0")
    return f"{d[:4]}-{d[4:6]}-{d[6:8]}T{d[8:10]}:{d[10:12]}:{d[12:]}Z"
