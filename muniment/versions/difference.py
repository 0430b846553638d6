"""What changed between two texts: paragraphs first, then words within those that changed. Pure.

A text is paragraphs, one a line. A paragraph of the one text is the same as one of the other, or was changed, removed,
added or moved: it stands elsewhere, word for word or nearly so. Words are compared as they are written; white space is
not. In scripts without spaces each character counts as a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from muniment.versions.sequences import Stretch, align

Change = Literal["same", "changed", "removed", "added", "moved"]
_ALIKE = 0.5  # of the words of two paragraphs that are taken for one that was changed
_MOVED_ALIKE = 0.8
_MOVED_WORDS = 4  # a shorter line that stands elsewhere was not moved there: such lines repeat
_MOST_MOVES = 200  # paragraphs on a side that are looked through for one that was moved and changed
_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_SPACELESS}]|(?:(?![{_SPACELESS}])[\w\u0300-\u036f\u064b-\u065f\u200c\u200d'’])+|[^\w\s]")


class Piece(NamedTuple):
    """Some text that both have ("="), only the first ("-") or only the second ("+"), with the space behind it.

    What both have is in the second one's spacing.
    """

    op: Literal["=", "-", "+"]
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of either text. `a` and `b` are its places in them, counted from 0; None where it is not there."""

    change: Change
    a: int | None
    b: int | None
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """All paragraphs in the order of the second text, those that were removed where they stood before.

    `removed` and `added` count words; those of a paragraph that was moved as it stood are neither.
    """

    paragraphs: tuple[Paragraph, ...]
    removed: int
    added: int
    moved: int

    def __bool__(self) -> bool:
        """Whether anything differs but white space."""
        return any(paragraph.change != "same" for paragraph in self.paragraphs)


def compare(a: str, b: str) -> Difference:
    """What changed from `a` to `b`."""
    old, new = _paragraphs(a), _paragraphs(b)
    keys_a, keys_b = [_key(line) for line in old], [_key(line) for line in new]
    stretches = align(keys_a, keys_b)
    moves = dict(_moves(keys_a, keys_b, stretches))
    from_where = {j: i for i, j in moves.items()}
    found: list[Paragraph] = []
    for stretch in stretches:
        if stretch.same:
            places = zip(range(stretch.a_start, stretch.a_end), range(stretch.b_start, stretch.b_end), strict=True)
            found += [Paragraph("same", i, j, (Piece("=", new[j]),)) for i, j in places]
        else:
            found += _replaced(old, new, stretch, moves, from_where)
    removed = sum(count_words(piece.text) for p in found for piece in p.pieces if piece.op == "-")
    added = sum(count_words(piece.text) for p in found for piece in p.pieces if piece.op == "+")
    return Difference(tuple(found), removed, added, sum(p.change == "moved" for p in found))


def _paragraphs(text: str) -> list[str]:
    return [line for line in (line.strip() for line in text.split("\n")) if line]


def _key(paragraph: str) -> str:
    return " ".join(paragraph.split())


def count_words(text: str) -> int:
    """How many words a text has; signs are none."""
    return sum(token[0].isalnum() for token in _TOKEN.findall(text))


def _moves(a: Sequence[str], b: Sequence[str], stretches: Sequence[Stretch]) -> Iterator[tuple[int, int]]:
    """(place in a, place in b) of the paragraphs that stand elsewhere."""
    gone = [i for s in stretches if not s.same for i in range(s.a_start, s.a_end)]
    come = [j for s in stretches if not s.same for j in range(s.b_start, s.b_end)]
    at = {i: n for n, s in enumerate(stretches) for i in range(s.a_start, s.a_end)}
    to = {j: n for n, s in enumerate(stretches) for j in range(s.b_start, s.b_end)}
    by_text: dict[str, list[int]] = {}
    for j in come:
        by_text.setdefault(b[j], []).append(j)
    rest_a: list[int] = []
    taken: set[int] = set()
    for i in gone:
        places = by_text.get(a[i])
        if places and count_words(a[i]) >= _MOVED_WORDS:
            taken.add(places[0])
            yield i, places.pop(0)
        else:
            rest_a.append(i)
    rest_b = [j for j in come if j not in taken]
    if len(rest_a) > _MOST_MOVES or len(rest_b) > _MOST_MOVES:
        return
    bags = {j: frozenset(_TOKEN.findall(b[j])) for j in rest_b}
    for i in rest_a:
        bag = frozenset(_TOKEN.findall(a[i]))
        if len(bag) < 2 * _MOVED_WORDS:
            continue
        rated = [(len(bag & bags[j]) / len(bag | bags[j]), -j) for j in rest_b if at[i] != to[j] and j not in taken]
        best = max(rated, default=(0.0, 0))
        if best[0] >= _MOVED_ALIKE:
            taken.add(-best[1])
            yield i, -best[1]


def _replaced(
    old: Sequence[str], new: Sequence[str], s: Stretch, moves: Mapping[int, int], from_where: Mapping[int, int]
) -> Iterator[Paragraph]:
    """The paragraphs of a stretch that differs: those that were moved here, and the rest compared in order."""
    i = s.a_start
    for j in range(s.b_start, s.b_end):
        if j in from_where:
            yield Paragraph("moved", from_where[j], j, tuple(_pieces(old[from_where[j]], new[j])))
            continue
        while i < s.a_end and i in moves:
            i += 1
        # The next paragraph that went is the one that came in its place, if they are alike; else one behind it may be.
        ahead = next((k for k in range(i, min(i + 5, s.a_end)) if k not in moves and _are_alike(old[k], new[j])), None)
        if ahead is None:
            yield Paragraph("added", None, j, (Piece("+", new[j]),))
            continue
        yield from _gone(old, i, ahead, moves)
        yield Paragraph("changed", ahead, j, tuple(_pieces(old[ahead], new[j])))
        i = ahead + 1
    yield from _gone(old, i, s.a_end, moves)


def _gone(old: Sequence[str], start: int, end: int, moves: Mapping[int, int]) -> Iterator[Paragraph]:
    for i in range(start, end):
        if i not in moves:
            yield Paragraph("removed", i, None, (Piece("-", old[i]),))


def _are_alike(a: str, b: str) -> bool:
    """Whether half of the words of the shorter one are in the other: it may be a part of it."""
    words_a, words_b = set(_TOKEN.findall(a)), set(_TOKEN.findall(b))
    return len(words_a & words_b) >= _ALIKE * max(1, min(len(words_a), len(words_b)))


def _pieces(a: str, b: str) -> Iterator[Piece]:
    """The words of two paragraphs, those that both have in the second one's spacing."""
    found_a, found_b = list(_TOKEN.finditer(a)), list(_TOKEN.finditer(b))
    starts_a = [match.start() for match in found_a] + [len(a)]
    starts_b = [match.start() for match in found_b] + [len(b)]
    for s in align([match[0] for match in found_a], [match[0] for match in found_b]):
        if s.same:
            yield Piece("=", b[starts_b[s.b_start] : starts_b[s.b_end]])
            continue
        if s.a_start < s.a_end:
            # What both have is in the second one's spacing, which may lack the space before what is gone.
            start = starts_a[s.a_start]
            closed_up = s.b_start and not b[starts_b[s.b_start] - 1].isspace() and a[start - 1 : start].isspace()
            yield Piece("-", " " * bool(closed_up) + a[start : starts_a[s.a_end]])
        if s.b_start < s.b_end:
            yield Piece("+", b[starts_b[s.b_start] : starts_b[s.b_end]])
