"""What a file is, and everything in it: the way in for WARC, ARC and WACZ.

contents(target, now)  ->  None where it is no such file; else its captures and what is wrong with it, in order
"""

from __future__ import annotations

import hashlib
import io
import stat
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple, cast

from muniment.errors import UploadError
from muniment.ingest.importing import lz4
from muniment.ingest.importing.captures import Source, captures
from muniment.ingest.importing.inflow import Inflow
from muniment.ingest.importing.ours import joined
from muniment.ingest.importing.records import read_records
from muniment.ingest.importing.wacz import Package, looks_like_wacz
from muniment.ingest.opening import Opened
from muniment.ingest.upload import file_uri
from muniment.model import Attempt, Declared, Imported

if TYPE_CHECKING:
    from muniment.ingest.upload import Target

_MAX_TOLD = 1000  # findings of one file; what is wrong in a million places is wrong in one way
_CHUNK = 1 << 20
_BOMB, _RATIO = 32 << 20, 200
_RECORD_NAMES = (".warc", ".warc.gz", ".arc", ".arc.gz")
_PACKED = {
    ".warc.zst": "zstd -d",
    ".arc.zst": "zstd -d",
    ".warc.bz2": "bunzip2",
    ".warc.xz": "unxz",
}

_READ_OF_WACZ = "only .warc, .warc.gz, .arc and .arc.gz below archive/ are; take it out, and add it"
Kind = Literal["records", "wacz", "lz4"]


class _Inside(NamedTuple):
    """The bytes of the file that records are in, of how many: to say how far it is read."""

    begins: int
    length: int
    size: int

    def read(self, share: float) -> tuple[int, int]:
        return self.begins + int(self.length * share), self.size


class _Told(NamedTuple):
    """What is said of each record and finding: whose it is and when."""

    name: str
    source: Source
    uri: str
    now: datetime
    declared: Declared

    def attempt(self, reason: str, detail: str, place: object = "") -> Opened:
        """The same file has the same findings, wherever it lies and whatever it is called."""
        found = f"{self.source.digest} {self.source.inside} {place} {reason} {'' if place else detail}"
        facts = [("importedFrom", self.source.name), ("importedFile", f"sha256:{self.source.digest}")]
        facts += [("importedOffset", str(place))] if place != "" else []
        finding = hashlib.sha256(found.encode("utf-8", "replace")).hexdigest()
        return Opened(self.name, Attempt(self.uri, self.now, reason, detail, facts=tuple(facts), finding=finding))


def contents(target: Target, now: datetime) -> Iterator[Opened] | None:
    """What a file of records holds; None where the target is none. Raises UploadError; so does the iterator."""
    with ExitStack() as opened:
        file = _open(target, opened)
        kind = None if file is None else kind_of(file, target.path.name if target.path else "")
        if file is None or kind is None:
            return None
        return _contents(target, kind, file, now, opened.pop_all())


def kind_of(file: BinaryIO, name: str) -> Kind | None:
    """What a file is, by its first bytes, or by its name where these are damaged. Raises UploadError."""
    start, low = file.read(1 << 12), name.lower()
    if start.startswith(b"PK"):
        return "wacz" if low.endswith(".wacz") or (low.endswith(".zip") and looks_like_wacz(file)) else None
    if low.endswith(".wacz"):
        return "wacz"
    if start.startswith(b"\x1f\x8b"):
        try:
            start = zlib.decompressobj(31).decompress(start, 64)
        except zlib.error:
            start = b""
    if start.startswith(lz4.MAGIC):
        return "lz4"
    if start[:5].upper() == b"WARC/" or start[:11].lower() == b"filedesc://":
        return "records"
    for suffix, program in _PACKED.items():
        if low.endswith(suffix):
            raise UploadError(
                "unsupported", f"a file that is compressed so is not read: unpack it with `{program}` first"
            )
    return "records" if low.endswith(_RECORD_NAMES) else None


def _open(target: Target, opened: ExitStack) -> BinaryIO | None:
    if target.content is not None:
        return io.BytesIO(target.content)
    assert target.path is not None
    try:
        if not stat.S_ISREG(target.path.stat().st_mode):
            return None
        return opened.enter_context(target.path.open("rb"))
    except OSError as e:
        raise UploadError("unreadable", f"cannot be read: {e.strerror}") from e


def _contents(target: Target, kind: Kind, file: BinaryIO, now: datetime, opened: ExitStack) -> Iterator[Opened]:
    declared = target.declared
    uri = file_uri(target.path) if target.path is not None else "urn:x-muniment:standard-input"
    name = target.path.name if target.path is not None else target.name
    with opened:
        if declared.url or declared.title or declared.published:
            raise UploadError("bad-target", "it holds many items, and an address, a title or a date declares one")
        try:
            size = file.seek(0, io.SEEK_END)
            told = _Told(target.name, Source(name, _digest(file)), uri, now, declared)
            if kind == "records":
                yield from _records(file, told, _Inside(0, size, size))
            elif kind == "lz4":
                yield from _unpacked(file, told, size)
            else:
                yield from _package(file, told, size)
        except OSError as e:
            raise UploadError("unreadable", f"cannot be read: {e.strerror or e}") from e


def _unpacked(file: BinaryIO, told: _Told, length: int) -> Iterator[Opened]:
    """The records of LZ4 frames, through a temporary file; places are those of the unpacked bytes."""
    size, problem, place = 0, None, 0
    with tempfile.TemporaryFile() as spool:
        try:
            for block in lz4.unpack(file):
                size += len(block)
                if size > _BOMB and size > _RATIO * length:
                    raise UploadError("import-bomb", f"it unpacks to over {size >> 20} MiB out of {length >> 10} KiB")
                spool.write(block)
        except ValueError as e:
            place = file.tell()
            problem = f"byte {place}: {e}"
        spool.seek(0)
        if size:
            inside = told._replace(name=f"{told.name} (unpacked)", source=told.source._replace(inside="unpacked"))
            yield from _records(cast(BinaryIO, spool), inside, _Inside(0, length, length))
        if problem is not None:
            yield told.attempt("import-damaged", problem, place)


def _package(file: BinaryIO, told: _Told, size: int) -> Iterator[Opened]:
    package = Package(file)
    for problem in package.problems():
        yield told.attempt("wacz-digest", problem)
    for inner in package.packages():
        yield told.attempt("wacz-nested", f"{inner} is a package of its own: take it out, and add it")
    for other in package.passed_over():
        yield told.attempt("wacz-unread", f"{other} is not read: {_READ_OF_WACZ}")
    files = package.record_files()
    if not files:
        raise UploadError("wacz-empty", "it holds no file with records below archive/")
    for entry in files:
        with package.open(entry) as records:
            inside = told.source._replace(name=f"{told.source.name}!{entry.filename}", inside=entry.filename)
            entry_told = told._replace(name=f"{told.name}!{entry.filename}", source=inside)
            yield from _records(records, entry_told, _Inside(entry.header_offset, entry.compress_size, size))


def _records(file: BinaryIO, told: _Told, inside: _Inside) -> Iterator[Opened]:
    damaged, found_any = 0, False
    inflow = Inflow(file)
    for found in captures(read_records(inflow), told.source):
        if isinstance(found, Imported):
            found_any = True
            name = f"{told.name} {found.uri or found.original.type}"
            yield Opened(name, found, joined(told.declared, found.declared), read=inside.read(inflow.share))
            for reason, place, line in _told_of(found):
                yield told.attempt(reason, line, place)
        elif damaged < _MAX_TOLD:
            damaged += 1
            yield told.attempt(found.reason, f"byte {found.place} of {told.name}: {found.detail}", found.place)
        elif damaged == _MAX_TOLD:
            damaged += 1
            yield told.attempt(found.reason, "more is damaged, and not told one by one")
    if not found_any and not damaged:
        raise UploadError("empty", "it holds no record")


def _told_of(found: Imported) -> Iterator[tuple[str, str, str]]:
    """(reason, place, what is said) of a record that was kept: a block is not what it was when its digest was written,
    or it may be no record of this file at all."""
    facts = found.facts
    place = next((value for name, value in facts if name == "importedOffset"), "")
    if found.original.type == "inside":
        doubt = next(value for name, value in facts if name == "importedDoubt")
        yield "import-inside", place, f"byte {place}: what looks like a record is kept, but is no capture: {doubt}"
    for fact, value in facts:
        if fact == "importedBlockDigest" and value.endswith(" differs"):
            told = value.partition(" ")[0]
            yield "import-digest", place, f"byte {place}: the block of this record is not what its digest says ({told})"


def _digest(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()
