"""What stands in place of a record that was withdrawn: a WARC record in a gzip member of exactly the same length.

So nothing else moves: every length that a commit promised still holds, every other record keeps its place, and a write
that a kill cut short is simply done again, from the same few values to the same bytes. The record says that it is a
tombstone, and for which record. What is missing to the old member's length are spaces in its block; nothing is
deflated, or another version of the compressor would make another tombstone.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from typing import NamedTuple

from muniment.formats.warc import CRLF, format_fields, format_head, format_record_id, parse_record

_HEADER = b"\x1f\x8b\x08%b\0\0\0\0\0\xff"
_COMMENT = b"\x10"
_SAID = format_fields([("outcome", "withdrawn")])
_STORED, _BLOCK, _FRAME, _SLACK = 65_535, 5, 18, 64


class Tombstone(NamedTuple):
    """The gzip member, the SHA-256 (hex) of the record in it, and the record's length."""

    member: bytes
    digest: str
    size: int


def build_tombstone(identity: str, date: str, length: int, uri: str | None, refers_to: str | None) -> Tombstone:
    """A tombstone whose member has `length` bytes; `refers_to` is the UUID of the record that it stands for.

    Raises ValueError where not even the shortest fits: each record of ours is longer, for it holds a digest too.
    """
    named = [("WARC-Type", "metadata"), ("WARC-Record-ID", format_record_id(identity)), ("WARC-Date", date)]
    typed = [*named, ("Content-Type", "application/warc-fields")]
    short = [*typed, ("WARC-Refers-To", format_record_id(refers_to))] if refers_to else typed
    for fields in ([*short, ("WARC-Target-URI", uri)] if uri else short, short, typed, named):
        if (found := _build(fields, length)) is not None:
            return found
    raise ValueError(f"no tombstone fits into {length} bytes")


def is_tombstone(record: bytes) -> bool:
    """Whether this uncompressed record says that it stands for one that was withdrawn, and nothing else."""
    try:
        found = parse_record(record)
    except ValueError:
        return False
    said, padding = found.block[: len(_SAID)], found.block[len(_SAID) :]
    return found.headers.get("WARC-Type") == "metadata" and said == _SAID and not padding.strip(b" ")


def says_withdrawn(block: bytes) -> bool:
    """Whether a record's block begins as a tombstone's does."""
    return block.startswith(_SAID)


def _build(fields: Sequence[tuple[str, str]], length: int) -> Tombstone | None:
    padding = 0
    while True:
        block = _SAID + b" " * padding
        record = format_head([*fields, ("Content-Length", str(len(block)))]) + block + CRLF + CRLF
        stored = _store(record)
        slack = length - _FRAME - len(stored)
        if slack < 0:
            return None
        if slack <= _SLACK:
            break
        padding += slack - _BLOCK * (1 + slack // _STORED) - 8  # its length may take more digits then
    comment = b" " * (slack - 1) + b"\0" if slack else b""
    checks = zlib.crc32(record).to_bytes(4, "little") + (len(record) & 0xFFFFFFFF).to_bytes(4, "little")
    member = _HEADER % (_COMMENT if comment else b"\0") + comment + stored + checks
    return Tombstone(member, hashlib.sha256(record).hexdigest(), len(record))


def _store(content: bytes) -> bytes:
    """As deflate's stored blocks, the last one marked as such."""
    blocks = []
    for start in range(0, len(content), _STORED):
        part = content[start : start + _STORED]
        last, size = start + _STORED >= len(content), len(part)
        blocks.append(bytes([last]) + size.to_bytes(2, "little") + (size ^ 0xFFFF).to_bytes(2, "little") + part)
    return b"".join(blocks)
