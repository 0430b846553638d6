"""Signatures by which texts that are nearly the same are told. Pure.

One-permutation MinHash (Li, Owen, Zhang 2012): each run of three words of a text is hashed; the hashes fall into VALUES
bins, and of each bin the least is kept. The share of bins in which two signatures agree estimates the share of runs
that the texts have in common, of all that either has (Jaccard). An empty bin takes the value of the next one that is
not, with the distance mixed in (Shrivastava, Li 2014). A run's hash is its CRC-32: the same in every process and on
every machine, and three times as quick here as any that is worked out in Python.

To find what agrees without comparing all, the values are cut into BANDS of four: texts that share 89 in 100 runs (two
words in 100 edited) agree in a whole band nearly always, those that share half in 87 of 100 cases.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from operator import eq
from zlib import crc32

VALUES, BANDS = 128, 32
LEAST_WORDS = 30  # a shorter text says too little of itself
_ROWS = VALUES // BANDS


def signature(words: Sequence[str]) -> bytes | None:
    """VALUES integers of 16 bits; None where the text is too short to be compared.

    The lower bits of the least hashes: two texts that have nothing in common agree in one bin of 65,536.
    """
    if len(words) < LEAST_WORDS:
        return None
    parts = " ".join(words).encode("utf-8", "replace").split(b" ")
    hashes = list(map(crc32, map(b" ".join, zip(parts, parts[1:], parts[2:], strict=False))))
    hashes.sort(reverse=True)
    least = {found >> 25: found for found in hashes}  # of one bin the last wins, which is the least
    values = array("H", [_value(least, place) & 0xFFFF for place in range(VALUES)])
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def _value(least: dict[int, int], place: int) -> int:
    distance = 0
    while (found := least.get((place + distance) % VALUES)) is None:
        distance += 1
    return found + distance * 0x9E37


def bands(found: bytes) -> list[int]:
    """A number of 32 bits, signed, for each band: texts that share one may be nearly the same."""
    size = 2 * _ROWS
    return [crc32(found[n * size : (n + 1) * size], n) - (1 << 31) for n in range(BANDS)]


def likeness(a: bytes, b: bytes) -> float:
    """The share of values in which two signatures agree, 0 to 1."""
    agreeing: int = sum(map(eq, memoryview(a).cast("H"), memoryview(b).cast("H")))
    return agreeing / VALUES
