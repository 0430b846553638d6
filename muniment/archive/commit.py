"""`log/commits`: one frame for each commit, and what recovery reads.

A frame is a big-endian uint32 length, a payload of that length, and the payload's SHA-256:

    muniment-commit/1
    entries 20480
    segment warc/2026/00000.warc.gz 73400320
    segment derived/2026/00000.warc.gz 9437184
    <blank line>
    <the signed checkpoint>

`entries` is the length of `log/entries` in bytes, each `segment` line the length of a WARC file that this commit
made longer. The lengths are what a commit promises: every byte below them is on the disk.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from muniment.formats.checkpoint import Checkpoint, parse_checkpoint
from muniment.formats.note import split_note

MAGIC = "muniment-commit/1"
MAX_PAYLOAD = 1 << 20
_SEGMENT_PATH = re.compile(r"(warc|derived)/\d{4}/\d{5}\.warc\.gz\Z")


@dataclass(frozen=True, slots=True)
class Commit:
    """One frame. `end` is the offset in `log/commits` of the byte after it."""

    entries: int
    segments: Mapping[str, int]
    checkpoint: Checkpoint
    note: str
    end: int = 0
    digest: bytes = b""


def format_frame(entries: int, segments: Mapping[str, int], note: str) -> bytes:
    lines = [MAGIC, f"entries {entries}", *(f"segment {path} {length}" for path, length in segments.items())]
    payload = ("\n".join(lines) + "\n\n" + note).encode()
    return struct.pack(">I", len(payload)) + payload + hashlib.sha256(payload).digest()


def parse_frame(data: bytes, start: int, base: int = 0) -> Commit | None:
    """The frame at `start` of `data`, or None where no whole, undamaged frame stands there.

    `base` is the offset in the file of the first byte of `data`.
    """
    payload_start = start + 4
    length = int.from_bytes(data[start:payload_start], "big")
    payload_end = payload_start + length
    if not 0 < length <= MAX_PAYLOAD or payload_end + 32 > len(data):
        return None
    payload = data[payload_start:payload_end]
    digest = data[payload_end : payload_end + 32]
    if hashlib.sha256(payload).digest() != digest:
        return None
    try:
        return _parse_payload(payload.decode(), base + payload_end + 32, digest)
    except (ValueError, UnicodeDecodeError):
        return None


def _parse_payload(payload: str, end: int, digest: bytes) -> Commit:
    head, _, note = payload.partition("\n\n")
    magic, entries, *lines = head.split("\n")
    if magic != MAGIC or not entries.startswith("entries "):
        raise ValueError("not a commit")
    segments: dict[str, int] = {}
    for line in lines:
        word, path, length = line.split(" ")
        if word != "segment" or not _SEGMENT_PATH.match(path):
            raise ValueError(f"not a segment line: {line!r}")
        segments[path] = int(length)
    text, _signatures = split_note(note)
    return Commit(int(entries.removeprefix("entries ")), segments, parse_checkpoint(text), note, end, digest)


def scan_frames(data: bytes, base: int = 0) -> Iterator[Commit]:
    """The frames of `data` up to the first byte that begins no undamaged frame."""
    position = 0
    while commit := parse_frame(data, position, base):
        yield commit
        position = commit.end - base


def find_frame(data: bytes, start: int) -> int | None:
    """The offset of the first whole frame at or after `start`: a frame behind a bad one means damage, not a crash."""
    magic = MAGIC.encode() + b"\nentries "
    while (found := data.find(magic, start)) >= 0:
        if found >= 4 and parse_frame(data, found - 4):
            return found - 4
        start = found + 1
    return None


def first_bad_frame(data: bytes) -> int | None:
    """The offset of the first damaged frame in bytes that should be whole frames; None where all are right."""
    position, end = 0, len(data)
    while position < end:
        start = position + 4
        stop = start + int.from_bytes(data[position:start], "big")
        if hashlib.sha256(data[start:stop]).digest() != data[stop : stop + 32]:
            return position
        position = stop + 32
    return None
