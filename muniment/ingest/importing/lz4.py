"""LZ4 frames (github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md), as FastWARC writes them, one a record.

Checksums are not compared: records have digests of their own. No more than a few megabytes are held.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

MAGIC = b"\x04\x22\x4d\x18"
_MAX_BLOCK, _HISTORY = 4 << 20, 1 << 16
_UNPACKED = 1 << 31


def unpack(file: BinaryIO) -> Iterator[bytes]:
    """What the frames hold, a block at a time. Raises ValueError where they are damaged or end too early."""
    while magic := file.read(4):
        if len(magic) == 4 and magic[1:] == b"\x2a\x4d\x18" and magic[0] >> 4 == 5:  # a frame to be passed over
            file.seek(_number(file), 1)
            continue
        if magic != MAGIC:
            raise ValueError("no LZ4 frame begins here")
        flags = _exactly(file, 2)[0]
        _exactly(file, (8 if flags & 8 else 0) + (4 if flags & 1 else 0) + 1)
        history = b""
        while size := _number(file):
            raw = _exactly(file, min(size & ~_UNPACKED, _MAX_BLOCK + 1))
            if len(raw) > _MAX_BLOCK:
                raise ValueError("an LZ4 block of more than 4 MiB")
            block = raw if size & _UNPACKED else _block(raw, history)
            yield block
            history = b"" if flags & 0x20 else (history + block)[-_HISTORY:]
            if flags & 0x10:
                _number(file)
        if flags & 4:
            _number(file)


def _block(raw: bytes, history: bytes) -> bytes:
    out, i, end = bytearray(history), 0, len(raw)
    limit = len(history) + _MAX_BLOCK
    try:
        while i < end:
            token = raw[i]
            i += 1
            literals, i = _length(raw, i, token >> 4)
            out += raw[i : i + literals]
            i += literals
            if i >= end:
                break
            offset = raw[i] | raw[i + 1] << 8
            copied, i = _length(raw, i + 2, token & 15)
            start = len(out) - offset
            if not offset or start < 0 or len(out) + copied > limit:
                raise ValueError("a damaged LZ4 block")
            piece = out[start : start + copied + 4]
            out += (piece * ((copied + 4) // len(piece) + 1))[: copied + 4]
    except IndexError as e:
        raise ValueError("a damaged LZ4 block") from e
    return bytes(out[len(history) :])


def _length(raw: bytes, i: int, length: int) -> tuple[int, int]:
    if length == 15:
        while (more := raw[i]) == 255:
            length += 255
            i += 1
        length += more
        i += 1
    return length, i


def _number(file: BinaryIO) -> int:
    return int.from_bytes(_exactly(file, 4), "little")


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise ValueError("an LZ4 frame that is cut short")
    return data
