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
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

from muniment.errors import UploadError
from muniment.ingest.importing import lz4
from muniment.ingest.importing.captures import Source, captures
from muniment.ingest.importing.inflow import Inflow
from muniment.ingest.importing.records import Damage, read_records
from muniment.ingest.importing.wacz import Package, looks_like_wacz
from muniment.ingest.opening import Opened
from muniment.ingest.upload import file_uri
from muniment.model import Attempt, Imported

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

Kind = Literal["records", "wacz", "lz4"]


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
            source = Source(name, _digest(file))
            if kind == "records":
                yield from _records(target.name, file, source, uri, now)
            elif kind == "lz4":
                yield from _unpacked(target.name, file, source, uri, now)
            else:
                yield from _package(target.name, file, source, uri, now)
        except OSError as e:
            raise UploadError("unreadable", f"cannot be read: {e.strerror or e}") from e


def _unpacked(name: str, file: BinaryIO, source: Source, uri: str, now: datetime) -> Iterator[Opened]:
    """The records of LZ4 frames, through a temporary file; places are those of the unpacked bytes."""
    length, size, problem = file.seek(0, io.SEEK_END), 0, None
    file.seek(0)
    with tempfile.TemporaryFile() as spool:
        try:
            for block in lz4.unpack(file):
                size += len(block)
                if size > _BOMB and size > _RATIO * length:
                    raise UploadError("import-bomb", f"it unpacks to over {size >> 20} MiB out of {length >> 10} KiB")
                spool.write(block)
        except ValueError as e:
            problem = f"byte {file.tell()}: {e}"
        spool.seek(0)
        if size:
            yield from _records(f"{name} (unpacked)", cast(BinaryIO, spool), source, uri, now)
        if problem is not None:
            yield Opened(name, Attempt(uri, now, "import-damaged", problem))


def _package(name: str, file: BinaryIO, source: Source, uri: str, now: datetime) -> Iterator[Opened]:
    package = Package(file)
    for problem in package.problems():
        yield Opened(name, Attempt(uri, now, "wacz-digest", problem))
    for inner in package.packages():
        yield Opened(
            name, Attempt(uri, now, "wacz-nested", f"{inner} is a package of its own: take it out, and add it")
        )
    files = package.record_files()
    if not files:
        raise UploadError("wacz-empty", "it holds no file with records below archive/")
    for entry in files:
        with package.open(entry) as records:
            inside = Source(f"{source.name}!{entry.filename}", source.digest)
            yield from _records(f"{name}!{entry.filename}", records, inside, uri, now)


def _records(name: str, file: BinaryIO, source: Source, uri: str, now: datetime) -> Iterator[Opened]:
    told, found_any = 0, False
    for found in captures(read_records(Inflow(file)), source):
        if isinstance(found, Imported):
            found_any = True
            yield Opened(f"{name} {found.uri or found.original.type}", found)
            for line in _unheld(found):
                yield Opened(name, Attempt(uri, now, "import-digest", line))
        elif told < _MAX_TOLD:
            told += 1
            yield Opened(name, _attempt(found, name, uri, now))
        elif told == _MAX_TOLD:
            told += 1
            yield Opened(name, Attempt(uri, now, found.reason, "more is damaged, and not told one by one"))
    if not found_any and not told:
        raise UploadError("empty", "it holds no record")


def _attempt(damage: Damage, name: str, uri: str, now: datetime) -> Attempt:
    return Attempt(uri, now, damage.reason, f"byte {damage.place} of {name}: {damage.detail}")


def _unheld(found: Imported) -> Iterator[str]:
    """A block that is not what it was when its digest was written is to be known."""
    facts = found.facts
    place = next((value for name, value in facts if name == "importedOffset"), "")
    for fact, value in facts:
        if fact == "importedBlockDigest" and value.endswith(" differs"):
            yield f"byte {place}: the block of this record is not what its digest says ({value.partition(' ')[0]})"


def _digest(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()
