"""The fast check of a whole archive: the files hashed in blocks, against the digests in the catalog.

A block that does not fit is no finding yet: the members in it are looked at one by one, and tell. So a withdrawal costs
the members beside its tombstones, and nothing else.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from muniment.archive.blocks import BLOCK
from muniment.archive.catalog import Catalog
from muniment.regular import open_descriptor

_RUN = 512  # blocks in a task
_WINDOW = BLOCK  # what fits the processor's cache is copied and hashed in half the time of a megabyte


class Stretch(NamedTuple):
    """Blocks that follow on one another: the segment's name and where it lies, the number of the first, the end of the
    last in bytes, the digests."""

    segment: str
    path: Path
    first: int
    end: int
    digests: Sequence[bytes]


class Hashed(NamedTuple):
    """What came of a stretch: the segment, the numbers of the blocks that do not fit, the bytes read."""

    segment: str
    doubtful: Sequence[int]
    read: int


def stretches(root: Path, catalog: Catalog, places: Mapping[str, str]) -> list[Stretch]:
    """All blocks; `places` says where a segment lies that was given another name."""
    found = []
    for segment, length, digests in catalog.blocks():
        path = root / places.get(segment, segment)
        for first in range(0, len(digests), _RUN):
            end = min(length, (first + _RUN) * BLOCK)
            found.append(Stretch(segment, path, first, end, digests[first : first + _RUN]))
    return found


@contextmanager
def hashing() -> Iterator[Callable[[Stretch], Hashed]]:
    """The work on one stretch after another."""
    window = memoryview(bytearray(_WINDOW))
    yield lambda stretch: _hash(stretch, window)


def _hash(stretch: Stretch, window: memoryview) -> Hashed:
    start, sha256, fitting = stretch.first * BLOCK, hashlib.sha256, set[int]()
    at = start
    with suppress(OSError):
        descriptor = open_descriptor(stretch.path, os.O_RDONLY)
        try:
            while at < stretch.end:
                filled = _fill(descriptor, window[: stretch.end - at], at)
                for offset in range(0, filled, BLOCK):
                    number = (at - start + offset) // BLOCK
                    if sha256(window[offset : min(offset + BLOCK, filled)]).digest() == stretch.digests[number]:
                        fitting.add(number)
                if filled < min(_WINDOW, stretch.end - at):
                    break
                at += filled
        finally:
            os.close(descriptor)
    doubtful = [stretch.first + number for number in range(len(stretch.digests)) if number not in fitting]
    return Hashed(stretch.segment, doubtful, stretch.end - start)


def _fill(descriptor: int, window: memoryview, at: int) -> int:
    """How many bytes could be read there; fewer than asked for only at the end of the file."""
    filled = 0
    while filled < len(window):
        count = os.preadv(descriptor, [window[filled:]], at + filled)
        if not count:
            break
        filled += count
    return filled


def joined(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges from a first up to an end, in order, without overlaps."""
    found = list[tuple[int, int]]()
    for first, end in sorted(ranges):
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((first, end))
    return found
