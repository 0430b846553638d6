"""Signatures by which texts that are nearly the same are told. Pure.

One-permutation MinHash (Li, Owen, Zhang 2012): each run of three words of a text is hashed; the hashes fall into VALUES
bins, and of each bin the least is kept. The share of bins in which two signatures agree estimates the share of runs
that the texts have in common, of all that either has (Jaccard). An empty bin takes the value of the next one that is
not, with the distance mixed in (Shrivastava, Li 2014). Runs are hashed by simple tabulation over the words' BLAKE2b, so
that a signature is the same in every process and on every machine.

To find what agrees without comparing all, the values are cut into BANDS of four: texts that share 89 in 100 runs (two
words in 100 edited) agree in a whole band nearly always, those that share half in 87 of 100 cases.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from operator import eq, xor
from zlib import crc32

VALUES, BANDS = 128, 32
LEAST_WORDS = 30  # a shorter text says too little of itself
_ROWS = VALUES // BANDS
_MAX_KNOWN = 200_000  # words whose hashes are kept, some 50 MB


class _Hashes(dict[str, tuple[int, int, int]]):
    """Three independent hashes of each word met: as the first, the second and the third of a run."""

    def __missing__(self, word: str) -> tuple[int, int, int]:
        from hashlib import blake2b  # 3 ms that a search has no use for

        digest = blake2b(word.encode("utf-8", "replace"), digest_size=24).digest()
        first, second, third = (int.from_bytes(digest[n : n + 8], "little") for n in (0, 8, 16))
        self[word] = found = (first, second, third)
        return found


_HASHES = _Hashes()


def signature(words: Sequence[str]) -> bytes | None:
    """VALUES integers of 16 bits; None where the text is too short to be compared.

    The lower bits of the least hashes: two texts that have nothing in common agree in one bin of 65,536.
    """
    if len(words) < LEAST_WORDS:
        return None
    if len(_HASHES) > _MAX_KNOWN:
        _HASHES.clear()
    firsts, seconds, thirds = zip(*map(_HASHES.__getitem__, words), strict=True)
    hashes = list(map(xor, map(xor, firsts, seconds[1:]), thirds[2:]))
    hashes.sort(reverse=True)
    least = {found >> 57: found for found in hashes}  # of one bin the last wins, which is the least
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
