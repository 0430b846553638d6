"""Aligning two sequences of strings in bounded time. Pure.

difflib finds good alignments, and takes quadratic time and more where much repeats; a hostile page has a hundred
thousand lines. So what is unique in both sequences and in the same order is aligned first (the patience diff of Bram
Cohen), and difflib sees only the gaps between, where they are small; a gap that is not is told as replaced.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

MAX_CELLS = 250_000  # of the table of a gap that difflib is given


class Stretch(NamedTuple):
    """a[a_start:a_end] and b[b_start:b_end]: equal, or the one in place of the other."""

    same: bool
    a_start: int
    a_end: int
    b_start: int
    b_end: int


def align(a: Sequence[str], b: Sequence[str]) -> list[Stretch]:
    """The stretches of the two sequences in order; together they are all of both, and no two neighbours are alike."""
    joined: list[Stretch] = []
    for stretch in _align(a, 0, len(a), b, 0, len(b)):
        if stretch.a_start == stretch.a_end and stretch.b_start == stretch.b_end:
            continue
        if joined and joined[-1].same == stretch.same:
            last = joined.pop()
            stretch = Stretch(last.same, last.a_start, stretch.a_end, last.b_start, stretch.b_end)
        joined.append(stretch)
    return joined


def _align(a: Sequence[str], i: int, i_end: int, b: Sequence[str], j: int, j_end: int) -> Iterator[Stretch]:
    before = 0
    while i + before < i_end and j + before < j_end and a[i + before] == b[j + before]:
        before += 1
    yield Stretch(True, i, i + before, j, j + before)
    i, j = i + before, j + before
    after = 0
    while i_end - after > i and j_end - after > j and a[i_end - after - 1] == b[j_end - after - 1]:
        after += 1
    yield from _align_middle(a, i, i_end - after, b, j, j_end - after)
    yield Stretch(True, i_end - after, i_end, j_end - after, j_end)


def _align_middle(a: Sequence[str], i: int, i_end: int, b: Sequence[str], j: int, j_end: int) -> Iterator[Stretch]:
    """Of stretches that neither begin nor end alike."""
    if i == i_end or j == j_end or (i_end - i) * (j_end - j) <= MAX_CELLS:
        yield from _align_gap(a, i, i_end, b, j, j_end)
        return
    place_a, place_b = i, j
    for anchor_a, anchor_b in _anchors(a, i, i_end, b, j, j_end):
        yield from _align_gap(a, place_a, anchor_a, b, place_b, anchor_b)
        yield Stretch(True, anchor_a, anchor_a + 1, anchor_b, anchor_b + 1)
        place_a, place_b = anchor_a + 1, anchor_b + 1
    yield from _align_gap(a, place_a, i_end, b, place_b, j_end)


def _align_gap(a: Sequence[str], i: int, i_end: int, b: Sequence[str], j: int, j_end: int) -> Iterator[Stretch]:
    if i == i_end or j == j_end or (i_end - i) * (j_end - j) > MAX_CELLS:
        yield Stretch(False, i, i_end, j, j_end)
        return
    for kind, a_start, a_end, b_start, b_end in SequenceMatcher(None, a[i:i_end], b[j:j_end], False).get_opcodes():
        yield Stretch(kind == "equal", i + a_start, i + a_end, j + b_start, j + b_end)


def _anchors(a: Sequence[str], i: int, i_end: int, b: Sequence[str], j: int, j_end: int) -> list[tuple[int, int]]:
    """The longest row of elements that are unique on both sides and stand in the same order."""
    in_a, in_b = Counter(a[i:i_end]), Counter(b[j:j_end])
    place = {b[n]: n for n in range(j, j_end) if in_b[b[n]] == 1}
    pairs = [(n, place[a[n]]) for n in range(i, i_end) if in_a[a[n]] == 1 and a[n] in place]
    # Longest increasing row by patience: `ends[k]` is the least end of a row of k + 1 pairs.
    ends: list[int] = []
    which: list[int] = []
    before: list[int] = []
    for n, (_, b_place) in enumerate(pairs):
        k = bisect_left(ends, b_place)
        before.append(which[k - 1] if k else -1)
        ends[k : k + 1] = [b_place]
        which[k : k + 1] = [n]
    row: list[tuple[int, int]] = []
    n = which[-1] if which else -1
    while n >= 0:
        row.append(pairs[n])
        n = before[n]
    return row[::-1]
