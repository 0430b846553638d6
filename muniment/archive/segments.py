"""The WARC files: appending records as gzip members, and reading members back.

Two streams, `warc/` (what was captured) and `derived/` (what was made of it), each a row of files
`<stream>/<year>/<number>.warc.gz` that are begun in order and closed at about 1 GiB.
"""

from __future__ import annotations

import zlib as _stdlib_zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

if TYPE_CHECKING:  # a search inflates a few members, and is spared the rest
    from muniment.formats.leaf import Leaf
    from muniment.formats.warc import LongRecord, Record

ROLL_AT = 1 << 30
MAX_RECORD = 1 << 30
STREAMS = ("warc", "derived")
_GZIP = 31  # window bits: deflate in a gzip frame
_PIECE = 1 << 20
_MAGIC = b"\x1f\x8b\x08"


def _deflate() -> tuple[ModuleType, int]:
    """isal compresses 4 to 9 times as fast as zlib for a file a tenth larger; its level 2 is its best bargain."""
    try:
        from isal import isal_zlib
    except ImportError:  # no wheel for this machine
        return _stdlib_zlib, 6
    return isal_zlib, 2


_zlib, _LEVEL = _deflate()
DEFLATE_ERRORS = (_zlib.error, _stdlib_zlib.error)


def new_inflater() -> Any:
    """What inflates one gzip member: `decompress`, `eof`, `unused_data`, as zlib has it."""
    return _zlib.decompressobj(_GZIP)


def stream_of(leaf: Leaf) -> str:
    """The stream that holds a leaf's records."""
    return leaf.stream or ("warc" if leaf.type in ("capture", "revisit", "attempt", "record") else "derived")


class Placement(NamedTuple):
    """Where one record lies: its gzip member in a segment, by offset and length in bytes.

    `size` is the uncompressed length, `member` the SHA-256 of the member's bytes.
    """

    segment: str
    offset: int
    length: int
    size: int
    member: bytes


class SegmentWriter:
    """Appends records to one segment file; `begun` is the digest of the block that is not full."""

    def __init__(self, root: Path, path: str, begun: bytes | None = None):
        from muniment.archive.blocks import BlockDigests
        from muniment.durable import AppendFile

        self.path = path
        self.file = AppendFile(root / path)
        self.blocks = BlockDigests(root / path, self.file.size, begun)

    def append(self, record: Record | LongRecord) -> Placement:
        import hashlib

        deflate = _zlib.compressobj(_LEVEL, _zlib.DEFLATED, _GZIP)
        member = hashlib.sha256()
        offset = self.file.size
        for chunk in record.chunks():
            if compressed := deflate.compress(chunk):
                member.update(compressed)
                self._append(compressed)
        compressed = deflate.flush()
        member.update(compressed)
        self._append(compressed)
        return Placement(self.path, offset, self.file.size - offset, record.size, member.digest())

    def _append(self, data: bytes) -> None:
        self.file.append(data)
        self.blocks.update(data)


def inflate(member: bytes | memoryview, size: int | None = None) -> bytes:
    """The record in one gzip member. Raises ValueError: damaged, cut short, followed by more, or not `size` bytes."""
    limit = MAX_RECORD if size is None else size
    inflater = _zlib.decompressobj(_GZIP)
    try:
        record: bytes = inflater.decompress(member, limit + 1)
    except DEFLATE_ERRORS as e:
        raise ValueError(f"the gzip member is damaged ({e})") from e
    if size is not None and len(record) != size:
        raise ValueError(f"the record has {len(record)} bytes or more where {size} were written")
    if not inflater.eof:
        raise ValueError("the gzip member is cut short or too large")
    if inflater.unused_data:
        raise ValueError("bytes follow the gzip member")
    return record


def digest_member(chunks: Iterable[bytes], size: int) -> tuple[bytes, str]:
    """The SHA-256 of a gzip member given in pieces, and that of the record in it, in hex; never more than a megabyte of
    either is held. Raises ValueError: damaged, cut short, followed by more, or not `size` bytes."""
    import hashlib

    member, record, length = hashlib.sha256(), hashlib.sha256(), 0
    inflater = _zlib.decompressobj(_GZIP)
    try:
        for chunk in chunks:
            member.update(chunk)
            while piece := inflater.decompress(chunk, _PIECE):
                record.update(piece)
                length += len(piece)
                if length > size:
                    raise ValueError(f"the record has more bytes than the {size} that were written")
                chunk = inflater.unconsumed_tail
    except DEFLATE_ERRORS as e:
        raise ValueError(f"the gzip member is damaged ({e})") from e
    if not inflater.eof or length != size:
        raise ValueError(f"the gzip member is cut short: {length} of {size} bytes")
    if inflater.unused_data:
        raise ValueError("bytes follow the gzip member")
    return member.digest(), record.hexdigest()


def read_at(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)


@dataclass(frozen=True, slots=True)
class Member:
    """A stretch of a segment: a gzip member and its record, or (`problem` set) bytes that are no whole member."""

    offset: int
    length: int
    digest: bytes
    record: bytes
    problem: str | None = None


def scan_members(file: BinaryIO, start: int, end: int) -> Iterator[Member]:
    """The members between two offsets, found by inflating; damage reaches to the next member that inflates."""
    position = start
    while position < end:
        member = _member_at(file, position, end)
        if member.problem is not None:
            member = _damaged_stretch(file, position, end, member.problem)
        yield member
        position += member.length


def _member_at(file: BinaryIO, position: int, end: int) -> Member:
    import hashlib

    inflater = _zlib.decompressobj(_GZIP)
    digest = hashlib.sha256()
    record = bytearray()
    consumed, feed = 0, 1 << 14
    file.seek(position)
    while not inflater.eof:
        chunk = file.read(min(feed, end - position - consumed))
        if not chunk:
            return Member(position, consumed, b"", b"", "the gzip member is cut short")
        try:
            record += inflater.decompress(chunk, MAX_RECORD + 1 - len(record))
        except DEFLATE_ERRORS as e:
            return Member(position, consumed, b"", b"", f"the gzip member is damaged ({e})")
        used = len(chunk) - len(inflater.unused_data)
        digest.update(chunk[:used])
        consumed += used
        feed = min(feed * 2, 1 << 20)
        if len(record) > MAX_RECORD:
            return Member(position, consumed, b"", b"", "the record is too large")
    return Member(position, consumed, digest.digest(), bytes(record))


def _damaged_stretch(file: BinaryIO, start: int, end: int, problem: str) -> Member:
    """The bytes from `start` to the next place where a record inflates, as one damaged member."""
    window, position = 1 << 20, start + 1
    while position < end:
        data = read_at(file, position, min(window, end - position))
        found = data.find(_MAGIC)
        while found >= 0:
            candidate = _member_at(file, position + found, end)
            if candidate.problem is None and candidate.record.startswith(b"WARC/1."):
                return Member(start, position + found - start, b"", b"", problem)
            found = data.find(_MAGIC, found + 1)
        position += max(len(data) - 2, 1)
    return Member(start, end - start, b"", b"", problem)
