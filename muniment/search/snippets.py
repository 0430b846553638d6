"""The passage of a text that shows why it matches, with the words that do.

Two steps, because a text may be long and folding it word by word takes a while. First it is looked through for places
that may match (places.py), from the beginning: a stretch that shows all that is asked for is enough, and after the
first LOOKED letters one that shows anything. Then the best passage is analysed word by word as the index does it, and
only what truly matches is marked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from math import log2

from muniment.index import analysis, query, stemming
from muniment.index.value import Value
from muniment.search import places, sentences

WIDTH = 200
MAX_TRIES = 5
MAX_LEAVES = 50  # of a query: more words are not marked
STRETCH, LONGEST_STRETCH, LOOKED = 65_536, 524_288, 190_000
_OVERLAP = 400
_MARGIN = 60
_SPACELESS_SHARE = 0.6  # of the width, where letters are wide
_CONTROLS = re.compile("\r?\n|[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_SPACES = re.compile(" {2,}")
_ANYTHING = re.compile(r"\S")
_Place = tuple[int, tuple[int, int]]  # offset, (leaf, part of it)


class Snippet(Value):
    """A passage in pieces: (text, whether it is a match). The letters are the original's, without controls.

    `matches` are the places in the whole text of what is marked: (start, end).
    """

    pieces: tuple[tuple[str, bool], ...]
    matches: tuple[tuple[int, int], ...] = ()

    def marked(self, open: str, close: str, escape: Callable[[str], str] = str) -> str:
        """The passage as one string, the matches between the markers, everything else `escape`d."""
        return "".join(open + escape(text) + close if match else escape(text) for text, match in self.pieces)

    @property
    def text(self) -> str:
        """The passage without marks."""
        return "".join(text for text, _ in self.pieces)


def snippet(
    text: str, tree: query.Query, language: str | None = None, *, field: str = "text", width: int = WIDTH
) -> Snippet:
    """About `width` characters of the text of a document's `field` ("text", "title" or "removed") in this language.

    The passage with the most different words, rare ones before common ones, near one another, and early; where nothing
    matches, the opening.
    """
    looked_for = dict.fromkeys(leaf for leaf in query.positive_leaves(tree) if field in query.fields_of(leaf))
    leaves = list(looked_for)[:MAX_LEAVES]
    for start, end in _passages(text, leaves, language, width):
        marks = _marks(text, start, end, leaves, language)
        if marks:
            return _cut(text, start, end, marks)
    return _cut(text, 0, _bounds(text, 0, 0, width)[1], [])


def asks_for(tree: query.Query, field: str) -> bool:
    """Whether a match may be owed to words in this very field."""
    return any(leaf.field == field for leaf in query.positive_leaves(tree))


def _passages(text: str, leaves: Sequence[query.Leaf], language: str | None, width: int) -> Iterator[tuple[int, int]]:
    """The passages that are worth a closer look, the best first."""
    rated: list[tuple[float, int, int]] = []
    seen = Counter[tuple[int, int]]()
    start, size = 0, STRETCH
    while start < len(text) and leaves:
        stretch = places.Stretch(text[start : start + size + _OVERLAP], is_first=start == 0)
        # A stretch that has nothing new is no better than those before it.
        new = {n for n in range(len(leaves)) if not any(leaf == n for leaf, _ in seen)} or set(range(len(leaves)))
        found = [place for n in new for place in _places(stretch, start, n, leaves[n], language)]
        if found:
            found += [place for n in range(len(leaves)) if n not in new
                      for place in _places(stretch, start, n, leaves[n], language)]  # fmt: skip
            seen.update(key for _, key in found)
            most = 0
            for rating, first, last, different in _rated(sorted(found), seen, width):
                rated.append((-rating, first, last))
                most = max(most, different)
            if most == len(leaves):
                break
        start += size
        size = min(2 * size, LONGEST_STRETCH)
        if rated and start >= LOOKED:
            break
    rated.sort()
    for _, first, last in _apart(rated, width):
        yield _bounds(text, first, last, width)


def _places(
    stretch: places.Stretch, start: int, number: int, leaf: query.Leaf, language: str | None
) -> Iterator[_Place]:
    return ((at + start, (number, part)) for at, part in places.places(stretch, leaf, language))


def _rated(
    found: Sequence[_Place], seen: Counter[tuple[int, int]], width: int
) -> Iterator[tuple[float, int, int, int]]:
    """(rating, first place, last place, how many different leaves) of the passage that begins at each of the places."""
    weights = {key: 1 + 1 / (1 + log2(count)) for key, count in seen.items()}
    end = 0
    for begin, (first, _) in enumerate(found):
        while end < len(found) and found[end][0] < first + width - _MARGIN:
            end += 1
        inside: dict[tuple[int, int], int] = {}
        for at, key in found[begin:end]:
            inside.setdefault(key, at)
        together = max(inside.values())  # where the last of the different ones is met
        rating = sum(weights[key] for key in inside) + 0.02 * min(end - begin, 7)
        rating -= 0.3 * (together - first) / width + 0.15 * first / (first + 3_000)
        yield rating, first, max(together, min(found[end - 1][0], first + width // 2)), len({n for n, _ in inside})


def _apart(rated: Sequence[tuple[float, int, int]], width: int) -> Iterator[tuple[float, int, int]]:
    """The first few, without those that show nearly the same as one before."""
    taken: list[int] = []
    for rating, first, last in rated:
        if all(abs(first - other) > width // 3 for other in taken):
            yield rating, first, last
            taken.append(first)
            if len(taken) == MAX_TRIES:
                return


def _bounds(text: str, first: int, last: int, width: int) -> tuple[int, int]:
    """A passage around the places from `first` to `last`: from the start of a sentence or a word to the end of one."""
    if analysis.is_spaceless(text[first : first + 1]) or analysis.is_spaceless(text[first + 1 : first + 2]):
        width = max(int(width * _SPACELESS_SHARE), last - first + 20)
    lead = max(10, (width - (last - first)) * 3 // 5)
    start = sentences.beginning(text, first - lead, first)
    wanted = start + width
    return start, sentences.ending(text, max(last + 1, start + width * 3 // 5), wanted, wanted + width // 5)


def _marks(
    text: str, start: int, end: int, leaves: Sequence[query.Leaf], language: str | None
) -> list[tuple[int, int]]:
    """Where the passage truly matches: (start, end) in the text, in order, none overlapping."""
    # A phrase may reach over the ends.
    low, high = max(0, start - _MARGIN), min(len(text), end + _MARGIN)
    low = text.find(" ", low, start) + 1 or low
    found = analysis.spans(text[low:high])
    words = [word for word, _, _ in found]
    stems = stemming.stems(words, language)
    compounds = analysis.compound_spans(text[low:high])
    whole = stemming.stems([word for word, _, _ in compounds], language)
    marked = sorted(
        (found[n][1] + low, low + (found[n][2] if length is None else found[n][1] + length))
        for leaf in leaves
        for length in [_marked_length(leaf)]
        for n in _matching(leaf, words, stems, language)
    )
    marked = sorted(
        marked
        + [
            (low + compounds[n][1], low + compounds[n][2])
            for leaf in leaves
            if whole and isinstance(leaf, query.Term)
            for n in _matching(leaf, (), whole, language)
        ]
    )
    merged: list[tuple[int, int]] = []
    for a, b in marked:
        a, b = max(a, start), min(b, end)
        if merged and a <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(b, merged[-1][1])
        elif a < b:
            merged.append((a, b))
    return merged


def _marked_length(leaf: query.Leaf) -> int | None:
    """How much of a word that matches is marked: all of it, but of a pair of characters only the one asked for."""
    return len(leaf.start) if isinstance(leaf, query.Prefix) and analysis.is_spaceless(leaf.start) else None


def _matching(leaf: query.Leaf, words: Sequence[str], stems: Sequence[str], language: str | None) -> Iterator[int]:
    """Which of the words the leaf matches."""
    match leaf:
        case query.Term(_, word):
            forms = stemming.stem_forms(word, [stemming.language_tag(language)])
            yield from (n for n, other in enumerate(stems) if other in forms)
        case query.Phrase(_, phrase, slop):
            for n, word in enumerate(words):
                if word == phrase[0]:
                    yield from _phrase_at(phrase, slop, words, n) or ()
        case query.Near(_, near, distance):
            from muniment.index import positions

            places = [[n for n, word in enumerate(words) if word == wanted] for wanted in near]
            yield from dict.fromkeys(n for window in positions.windows(near, places, distance) for n in window)
        case query.AnyOf():
            return
        case _:
            matches = query.word_matcher(leaf)
            yield from (n for n, word in enumerate(words) if matches(word))


def _phrase_at(phrase: Sequence[str], slop: int, words: Sequence[str], at: int) -> list[int] | None:
    if len(phrase) == 1:
        return [at]
    for n in range(at + 1, min(at + slop + 2, len(words))):
        if words[n] == phrase[1] and (rest := _phrase_at(phrase[1:], slop, words, n)) is not None:
            return [at, *rest]
    return None


def _cut(text: str, start: int, end: int, marks: Sequence[tuple[int, int]]) -> Snippet:
    pieces: list[tuple[str, bool]] = [("… ", False)] if _ANYTHING.search(text, 0, start) else []
    at = start
    for a, b in marks:
        pieces += [(text[at:a], False), (text[a:b], True)]
        at = b
    pieces.append((text[at:end], False))
    if _ANYTHING.search(text, end):
        pieces.append((" …", False))
    return Snippet(tuple((_shown(piece), match) for piece, match in pieces if piece), tuple(marks))


def _shown(piece: str) -> str:
    """The piece on one line, without controls, and without marks of direction whose other half may be cut away."""
    if not piece.isprintable():
        piece = _CONTROLS.sub(" ", _TURNS.sub("", piece))
    return _SPACES.sub(" ", piece) if "  " in piece else piece
