"""The passage of a text that shows why it matches, with the words that do.

Two steps, because a text may be long and folding it word by word takes a while. First a regular expression, made from
the letters that a match must hold, looks through the whole text for places that may match (too many rather than too
few). Then the best passage is analysed word by word as the index does it, and only what truly matches is marked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import islice, pairwise

from muniment.index import analysis, query
from muniment.index.value import Value

WIDTH = 200
MAX_PLACES = 300  # of one leaf
MAX_TRIES = 5
MAX_SLOP = 5  # words further apart are looked for by the first of them alone
MAX_LEAVES = 50  # of a query: more words are not marked
_MARGIN = 60
# What the analyzer takes out of a word, or may find between an affix and its word.
_BETWEEN = "[.\u200c\u00ad\u0640\u064b-\u0652\u0300-\u036f \n]{0,5}"
_EXPANDED = {"ss": "(?:[sS][sS]|[ßẞ])", "ae": "(?:[aA][eE]|[æÆ])", "oe": "(?:[oO][eE]|[œŒ])", "th": "(?:[tT][hH]|[þÞ])"}
# Where to look for the other forms of a letter, script by script.
_BLOCKS = (
    (range(0x30, 0x250), range(0x1E00, 0x1F00), range(0x660, 0x66A), range(0x6F0, 0x6FA)),
    (range(0x370, 0x400), range(0x1F00, 0x2000)),
    (range(0x400, 0x530),),
    (range(0x530, 0x590),),
    (range(0x600, 0x700),),
)
_PLAIN_SIGNS = frozenset("“”‘’–—…•·€£§©®°«»\xa0")
_LINE_END = re.compile(r"\r?\n")
_LETTERS = re.compile(r"\w+")
_SENTENCE_END = re.compile(r"[.!?…؟。]['\"»”)]*\s+|\n{2,}")


class Snippet(Value):
    """A passage in pieces: (text, whether it is a match). The letters are the original's; line ends are spaces."""

    pieces: tuple[tuple[str, bool], ...]

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

    The passage with the most different matches, the first of equals; where nothing matches, the opening.
    """
    looked_for = dict.fromkeys(leaf for leaf in query.positive_leaves(tree) if field in query.fields_of(leaf))
    leaves = list(looked_for)[:MAX_LEAVES]
    for start, end in _passages(text, leaves, language, width):
        marks = _marks(text, start, end, leaves, language)
        if marks:
            return _cut(text, start, end, marks)
    start, end = _bounds(text, 0, 0, width)
    return _cut(text, start, end, [])


def asks_for(tree: query.Query, field: str) -> bool:
    """Whether a match may be owed to words in this very field."""
    return any(leaf.field == field for leaf in query.positive_leaves(tree))


def _passages(text: str, leaves: Sequence[query.Leaf], language: str | None, width: int) -> Iterator[tuple[int, int]]:
    """The passages that are worth a closer look, the best first."""
    places = list(_places(text, leaves, language))
    rated: list[tuple[int, int, int]] = []
    last = 0
    for first, (place, _) in enumerate(places):
        last = max(last, first)
        while last < len(places) and places[last][0] < place + width - _MARGIN:
            last += 1
        inside = places[first:last]
        rated.append((-8 * len({leaf for _, leaf in inside}) - min(len(inside), 7), place, inside[-1][0]))
    rated.sort()
    for _, place, end in rated[:MAX_TRIES]:
        yield _bounds(text, place, end, width)


def _places(text: str, leaves: Sequence[query.Leaf], language: str | None) -> Iterator[tuple[int, int]]:
    """(offset, which leaf) of everything that may be a match, and of some that is none."""
    found: list[tuple[int, int]] = []
    plain = _plain(text)
    for n, leaf in enumerate(leaves):
        if plain is not None and isinstance(leaf, query.Phrase) and leaf.slop < MAX_SLOP:
            pattern = _as_written(leaf.words, leaf.slop)
            found += [(match.start(), n) for match in islice(pattern.finditer(plain), MAX_PLACES)]
            continue
        for core, anchored in _cores(leaf, language):
            if plain is not None and anchored:
                found += [(match.start(), n) for match in islice(_as_written((core,)).finditer(plain), MAX_PLACES)]
                continue
            places: Iterator[int] = (match.start() for match in _loose(core, anchored).finditer(text))
            if not anchored and isinstance(leaf, (query.Fuzzy, query.Wildcard)):
                places = _matching_places(text, places, query.word_matcher(leaf))
            found += [(place, n) for place in islice(places, MAX_PLACES)]
    yield from sorted(found)


def _matching_places(text: str, places: Iterator[int], matches: Callable[[str], bool]) -> Iterator[int]:
    """Those of the places at which a word stands that matches: a few letters from its middle say little."""
    known: dict[str, bool] = {}
    for place in places:
        start = place
        while start and text[start - 1].isalnum():
            start -= 1
        found = _LETTERS.match(text, start)
        word = found[0] if found else ""
        if word not in known:
            known[word] = matches(analysis.fold(word))
        if known[word]:
            yield start


def _cores(leaf: query.Leaf, language: str | None) -> list[tuple[str, bool]]:
    """Letters of which a match of the leaf holds those of one entry in a row; and whether it starts with them."""
    match leaf:
        case query.Term(_, word):
            return [_core(word, language)]
        case query.Phrase(_, found):
            return [(found[0], True)]
        case query.Near(_, found):
            return [(word, True) for word in dict.fromkeys(found)]
        case query.Prefix(_, start):
            return [(start, True)]
        case query.Wildcard(_, pattern):
            longest = max(re.split(r"[*?]", pattern), key=len)
            return [(longest, pattern.startswith(longest))] if longest else []
        case query.Fuzzy(_, word, distance):
            # Of distance + 1 pieces of the word, one is without a mistake.
            size = len(word) // (distance + 1)
            ends = [size * n for n in range(1, distance + 1)] + [len(word)]
            return [(word[a:b], False) for a, b in pairwise([0, *ends])] if size else []
        case query.Range() | query.AnyOf():
            return []


def _core(word: str, language: str | None) -> tuple[str, bool]:
    """What a word and its inflected forms have in common: the stem, or the part of the word that is like it."""
    stem = analysis.fold(analysis.stems([word], language)[0].split("/")[0])
    if analysis.language_tag(language) == "ar" and stem:  # an article may stand before it
        return stem, False
    stem = stem.removesuffix("ه")  # which a Persian plural does not have: nevisande, nevisandegan
    if stem in word:
        return stem, word.startswith(stem)
    shared = next((n for n, (a, b) in enumerate(zip(word, stem, strict=False)) if a != b), len(stem))
    return word[:shared] or word[:1], True


def _plain(text: str) -> str | None:
    """The text in lower case where no letter in it has an accent or any other form; else None."""
    return text.lower() if text.isascii() or {c for c in set(text) if c > "\x7f"} <= _PLAIN_SIGNS else None


@lru_cache(256)
def _as_written(found: tuple[str, ...], slop: int = 0) -> re.Pattern[str]:
    """Finds folded words in plain text, the first one at the beginning of a word; initials may have their points.

    Takes a tenth of the time of `_loose` to make, which counts: a search has ten snippets and one process.
    """
    between = r"(?:['’]s)?[\W_]{1,20}" + (rf"(?:\S{{1,40}}?[\W_]{{1,20}}){{0,{slop}}}" if slop else "")
    pattern = between.join(map(_with_points, found))
    # A character first, then what may not stand before it: such a search is fast.
    first = len(re.escape(found[0][:1]))
    return re.compile(pattern[:first] + r"(?<![^\W_].)" + pattern[first:])


def _with_points(word: str) -> str:
    rest = re.escape(word[1:])
    points = "".join(r"\." + re.escape(letter) for letter in word[1:])
    return re.escape(word[:1]) + (f"(?:{rest}|{points})" if 1 < len(word) < 6 else rest)


@lru_cache(256)
def _loose(core: str, anchored: bool) -> re.Pattern[str]:
    """Finds the folded letters in unfolded text. A set of characters comes first: such a search is fast."""
    letters = re.findall("|".join(_EXPANDED) + "|.", core, re.DOTALL)
    first, *rest = (_EXPANDED.get(letter) or _any_form(letter) for letter in letters)
    if anchored and len(letters[0]) == 1 and not analysis.is_spaceless(core):
        first += r"(?<!\w.)"
    return re.compile(_BETWEEN.join((first, *rest)))


@lru_cache(1024)
def _any_form(letter: str) -> str:
    forms = {letter, letter.upper(), *_forms(letter)}
    return "[" + "".join(re.escape(form) for form in sorted(forms) if len(form) == 1) + "]"


def _forms(letter: str) -> set[str]:
    """All characters that fold to this letter, where they have come to hand."""
    for block in _BLOCKS:
        if ord(letter) in block[0]:
            return {chr(code) for codes in block for code in codes if _FOLDED[code] == letter}
    return set()


class _Folded(dict[int, str]):
    """Characters folded, worked out when first asked for."""

    def __missing__(self, code: int) -> str:
        self[code] = folded = analysis.fold(chr(code))
        return folded


_FOLDED = _Folded()


def _bounds(text: str, first: int, last: int, width: int) -> tuple[int, int]:
    """A passage around the places from `first` to `last`: from the start of a sentence or a word to the end of one."""
    earliest = max(0, min(first - 10, first - (width - (last - first)) // 2))
    before = text[earliest:first]
    sentences = [m.end() for m in _SENTENCE_END.finditer(before)]
    space = before.find(" ")
    start = 0 if earliest == 0 and not sentences else earliest + (sentences[-1] if sentences else space + 1)
    end = start + width
    if end >= len(text):
        return start, len(text)
    space = text.rfind(" ", last + 1, end)
    return start, space if space > start + width // 2 else end


def _marks(
    text: str, start: int, end: int, leaves: Sequence[query.Leaf], language: str | None
) -> list[tuple[int, int]]:
    """Where the passage truly matches: (start, end) in the text, in order, none overlapping."""
    # A phrase may reach over the ends.
    low, high = max(0, start - _MARGIN), min(len(text), end + _MARGIN)
    low = text.find(" ", low, start) + 1 or low
    found = analysis.spans(text[low:high])
    words = [word for word, _, _ in found]
    stems = analysis.stems(words, language)
    marked = sorted(
        (found[n][1] + low, low + (found[n][2] if length is None else found[n][1] + length))
        for leaf in leaves
        for length in [_marked_length(leaf)]
        for n in _matching(leaf, words, stems, language)
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
            stem = analysis.stems([word], language)[0]
            yield from (n for n, other in enumerate(stems) if other == stem)
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
    pieces: list[tuple[str, bool]] = [("… ", False)] if text[:start].strip() else []
    at = start
    for a, b in marks:
        pieces += [(text[at:a], False), (text[a:b], True)]
        at = b
    pieces.append((text[at:end], False))
    if text[end:].strip():
        pieces.append((" …", False))
    return Snippet(tuple((_LINE_END.sub(" ", piece), match) for piece, match in pieces if piece))
