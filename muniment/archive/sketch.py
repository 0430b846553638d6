"""A few numbers that tell whether two texts are nearly the same: the least hashes of their runs of words. Pure.

Far coarser than `index/minhash.py`, and small enough to lie beside every article in the catalog: 128 bytes. It only has
to tell an article's twin, or an older version of it, from another page of the same site.
"""

from __future__ import annotations

from struct import pack
from zlib import crc32

SIZE = 32  # hashes
ALIKE = 6  # of SIZE that two texts have to have in common; of shorter ones the same share
_RUN, _SIGNS = 3, 8  # words, or characters of a script that has no spaces
_MOST, _MOST_SIGNS = 2_500, 800  # characters that are looked at: the beginning tells texts apart


def sketch(text: str) -> bytes:
    """The SIZE least of the CRC-32 of the runs that the text begins with, in order; empty for an empty text."""
    begun = text[:_MOST].casefold()
    words = begun.encode("utf-8", "replace").split()
    if len(words) * 12 < len(begun):
        letters = "".join(begun.split())[:_MOST_SIGNS]
        signs = (letters[at : at + _SIGNS] for at in range(max(1, len(letters) - _SIGNS + 1)))
        hashes = {crc32(run.encode("utf-8", "replace")) for run in signs if run}
    else:
        runs = (
            map(b" ".join, zip(words, words[1:], words[2:], strict=False)) if len(words) > _RUN else (b" ".join(words),)
        )
        hashes = set(map(crc32, filter(None, runs)))
    least = sorted(hashes)[:SIZE]
    return pack(f">{len(least)}I", *least)


def are_alike(one: bytes, other: bytes) -> bool:
    """Whether two texts are nearly the same by their sketches: they share about a fifth of their runs, or more."""
    a, b = _hashes(one), _hashes(other)
    if len(a & b) * SIZE < ALIKE * min(SIZE, len(a | b)):
        return False
    whole = sorted(a | b)[:SIZE]
    common = sum(value in a and value in b for value in whole)
    return bool(whole) and common * SIZE >= ALIKE * len(whole)


def _hashes(data: bytes) -> set[bytes]:
    return {data[at : at + 4] for at in range(0, len(data), 4)}
