"""`log/commits`: one frame for each commit, and what recovery reads.

A frame is a big-endian uint32 length, a payload of that length, and the payload's SHA-256:

    muniment-commit/1
    tail 20480
    segment warc/2026/00000.warc.gz 73400320
    segment derived/2026/00000.warc.gz 9437184
    <blank line>
    <the signed checkpoint>

`tail` is the length in bytes of the entry bundle that is not full (0 where there is none), each `segment` line the
length of a WARC file that this commit made longer. The lengths are what a commit promises: every byte below them is on
the disk, and every bundle before the tail is whole.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from muniment.formats.checkpoint import Checkpoint, parse_checkpoint
from muniment.formats.note import split_note
from muniment.formats.tile import MAX_ENTRY, WIDTH

MAGIC = "muniment-commit/1"
MAX_PAYLOAD = 1 << 20
MAX_LEAVES = 1 << 20  # in one commit
_SEGMENT_PATH = re.compile(r"(warc|derived)/\d{4}/\d{5}\.warc\.gz\Z")


@dataclass(frozen=True, slots=True)
class Commit:
    """One frame. `end` is the offset in `log/commits` of the byte after it."""

    tail: int
    segments: Mapping[str, int]
    checkpoint: Checkpoint
    note: str
    end: int = 0
    digest: bytes = b""


def is_segment_path(path: object) -> bool:
    """Whether this names a segment, and nothing outside of the two streams."""
    return isinstance(path, str) and bool(_SEGMENT_PATH.match(path))


def format_frame(tail: int, segments: Mapping[str, int], note: str) -> bytes:
    lines = [MAGIC, f"tail {tail}", *(f"segment {path} {length}" for path, length in segments.items())]
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
    magic, tail, *lines = head.split("\n")
    if magic != MAGIC or not tail.startswith("tail "):
        raise ValueError("not a commit")
    segments: dict[str, int] = {}
    for line in lines:
        word, path, length = line.split(" ")
        if word != "segment" or not _SEGMENT_PATH.match(path):
            raise ValueError(f"not a segment line: {line!r}")
        segments[path] = _number(length)
    text, _signatures = split_note(note)
    return Commit(_number(tail.removeprefix("tail ")), segments, parse_checkpoint(text), note, end, digest)


def _number(text: str) -> int:
    """A length as `format_frame` writes it, below 2**63."""
    number = int(text) if len(text) < 20 else -1
    if str(number) != text or not 0 <= number < 1 << 63:
        raise ValueError(f"not a length: {text!r}")
    return number


def scan_frames(data: bytes, base: int = 0) -> Iterator[Commit]:
    """The frames of `data` up to the first byte that begins no undamaged frame."""
    position = 0
    while commit := parse_frame(data, position, base):
        yield commit
        position = commit.end - base


def find_frame(data: bytes, start: int) -> int | None:
    """The offset of the first whole frame at or after `start`: a frame behind a bad one means damage, not a crash."""
    magic = MAGIC.encode() + b"\ntail "
    while (found := data.find(magic, start)) >= 0:
        if found >= 4 and parse_frame(data, found - 4):
            return found - 4
        start = found + 1
    return None


def last_frame(data: bytes) -> int:
    """Where the last whole frame of these bytes begins; their end where there is none."""
    magic, start = MAGIC.encode() + b"\ntail ", len(data)
    while (start := data.rfind(magic, 0, start)) >= 4:
        frame = parse_frame(data, start - 4)
        if frame is not None and frame.end == len(data):
            return start - 4
    return len(data)


def order_problem(before: Commit | None, commit: Commit) -> str | None:
    """Why this commit cannot follow that one (None: it is the first), whatever its signature says."""
    size, tail = (before.checkpoint.size, before.tail) if before else (0, 0)
    leaves, held = commit.checkpoint.size - size, commit.checkpoint.size % WIDTH
    same_bundle = size // WIDTH == commit.checkpoint.size // WIDTH
    if leaves < 0 or (same_bundle and commit.tail < tail):
        return "the commit is shorter than the one before it"
    if leaves > MAX_LEAVES:
        return f"the commit cannot hold {leaves} leaves"
    if not 2 * held <= commit.tail <= (2 + MAX_ENTRY) * held:
        return f"the commit cannot hold {held} leaves in a bundle of {commit.tail} bytes"
    return None
