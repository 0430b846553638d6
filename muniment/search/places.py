"""Where in a text the words of a query may stand: quickly, for texts of a megabyte, and rather too often than not.

Looking for folded letters in unfolded text by regular expressions takes ten times as long as a search may. So a text
is first written in an alphabet of bytes (alphabets.py), chosen by the letters that are looked for, and what is found
there is looked at as the index would. Scripts without spaces are searched as they are. What an alphabet has no room for
(rare accents, other scripts' digits) is looked for by a regular expression, in the beginning of a text only.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice, pairwise
from typing import Any

from muniment.index import analysis, query, stemming
from muniment.search.alphabets import (
    IGNORED,
    MAX_SLOP,
    alphabet,
    ascii_folding,
    forms_of,
    latin_folding,
    phrase_pattern,
    script_of,
)

MAX_PLACES = 120  # of one word in a stretch of text
MAX_TRIES = 1_000  # places that are looked at for them
MAX_KNOWN = 10_000  # pieces of text of which it is remembered whether a word matches
SLOWLY = 20_000  # letters in which rare forms of letters are looked for
_LONGEST_TOKEN = 80
_LONGEST_AFFIXED = 20
_TOKEN = re.compile(r"\S{1,80}")
_JOINED = re.compile("ن?م[یي] ")  # what Persian writes before a verb, which is one word with it
_BEFORE_JOINED = ("ی ", "ي ")
# What the analyzer takes out of a word, or may find between an affix and its word.
_BETWEEN = "[.\u200c\u00ad\u0640\u064b-\u0652\u0300-\u036f \n]{0,5}"
_EXPANDED = {"ss": "(?:[sS][sS]|[ßẞ])", "ae": "(?:[aA][eE]|[æÆ])", "oe": "(?:[oO][eE]|[œŒ])", "th": "(?:[tT][hH]|[þÞ])"}
# Where to look for the other forms of a letter, script by script.
_BLOCKS = (
    (
        range(0x30, 0x250),
        range(0x1E00, 0x1F00),
        range(0x660, 0x66A),
        range(0x6F0, 0x6FA),
        range(0x966, 0x970),
        range(0x9E6, 0x9F0),
        range(0xE50, 0xE5A),
    ),
    (range(0x370, 0x400), range(0x1F00, 0x2000)),
    (range(0x400, 0x530),),
    (range(0x530, 0x590),),
    (range(0x600, 0x700),),
)


class Stretch:
    """A stretch of a text, written in alphabets as they are asked for."""

    def __init__(self, text: str, *, is_first: bool = True):
        self.text = text
        self.is_first = is_first
        self._written: dict[str, tuple[bytes, list[int]]] = {}

    def written(self, script: str) -> tuple[bytes, list[int]]:
        """The text in an alphabet, a space before and after it; and from which letter on how many are taken out.

        The n-th of the numbers is where in what is left the n-th letter that was taken out stood.
        """
        found = self._written.get(script)
        if found is None:
            gone: list[int] = []
            if self.text.isascii():
                coded = self.text.encode().translate(ascii_folding())
            else:
                coded = _written(self.text, script)
                if IGNORED in coded:
                    gone = [match.start() - n for n, match in enumerate(re.finditer(b"\0", coded))]
                    coded = coded.translate(None, b"\0")
            found = self._written[script] = b"".join((b" ", coded, b" ")), gone
        return found

    def is_complete(self, script: str) -> bool:
        """Whether the alphabet has room for every letter of the beginning."""
        if self.text.isascii():
            return True
        try:
            codecs.charmap_encode(self.text[:SLOWLY], "strict", alphabet(script)[0])
        except UnicodeEncodeError:
            return False
        return True


def _written(text: str, script: str) -> bytes:
    slots, folding, _ = alphabet(script)
    if script == "latin":
        try:  # a text without quotation marks, dashes and rarer letters is encoded five times as fast
            return text.encode("latin-1").translate(latin_folding())
        except UnicodeEncodeError:
            pass
    return codecs.charmap_encode(text, "replace", slots)[0].translate(folding)


def places(stretch: Stretch, leaf: query.Leaf, language: str | None) -> list[tuple[int, int]]:
    """(offset in the stretch, which part of the leaf) of what may match, at most MAX_PLACES of a part.

    Parts are the words of a Near, and of a Phrase whose words may stand far apart; of other leaves all is one part.
    """
    found: list[tuple[int, int]] = []
    apart = isinstance(leaf, query.Near) or (isinstance(leaf, query.Phrase) and leaf.slop > MAX_SLOP)
    fits = _fits(leaf, language)
    for number, (core, is_start) in enumerate(_cores(leaf, language)):
        if not core:
            continue
        part = number if apart else 0
        if analysis.is_spaceless(core):
            for form in _forms_without_spaces(core):
                found += [(at, part) for at in islice(_every(stretch.text, form), MAX_PLACES)]
            continue
        candidates = _written_places(stretch, leaf, core, is_start)
        listed = list(islice(_fitting(stretch.text, candidates, fits), MAX_PLACES))
        if not listed and isinstance(leaf, query.Term) and "\u200c" in stretch.text and script_of(core) == "arabic":
            listed = list(islice(_fitting(stretch.text, _in_two(stretch, core), fits), MAX_PLACES))
        if not listed and stretch.is_first and not stretch.is_complete(script_of(core)):
            slowly = (match.start() for match in _loose(core, is_start).finditer(stretch.text, 0, SLOWLY))
            listed = list(islice(_fitting(stretch.text, slowly, fits), MAX_PLACES))
        found += [(at, part) for at in listed]
    return found


@lru_cache(256)
def _cores(leaf: query.Leaf, language: str | None) -> list[tuple[str, bool]]:
    """Letters of which a match of the leaf holds those of one entry in a row; and whether it starts with them."""
    match leaf:
        case query.Term(_, word):
            return _spellings(*_core(word, language), stemming.language_tag(language))
        case query.Phrase(_, found, slop):
            return [(word, True) for word in (dict.fromkeys(found) if slop > MAX_SLOP else found[:1])]
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
    stem = analysis.fold(stemming.stems([word], language)[0].split("/")[0])
    if stemming.language_tag(language) == "ar" and stem:  # an article may stand before it
        return stem, False
    stem = stem.removesuffix("ه")  # which a Persian plural does not have: nevisande, nevisandegan
    if stem in word:
        return stem, word.startswith(stem)
    shared = next((n for n, (a, b) in enumerate(zip(word, stem, strict=False)) if a != b), len(stem))
    return word[:shared] or word[:1], True


def _spellings(core: str, is_start: bool, tag: str) -> list[tuple[str, bool]]:
    """The core, and as it is written with two letters in place of one: Müller is Mueller in German; and the reverse."""
    cores = {core: None}
    if tag == "de" and is_start:  # one at a time: what was typed with an umlaut is looked for with two letters besides
        cores |= {core[:n] + letter + "e" + core[n + 1 :]: None for n, letter in enumerate(core) if letter in "aou"}
    if tag in stemming.NORTHERN:
        cores[core.replace("aa", "a").replace("oe", "o")] = None
    if tag in stemming.SOUTHERN:
        cores[core.replace("dj", "d")] = None
    return [(spelled, is_start) for spelled in cores]


def _forms_without_spaces(core: str) -> dict[str, None]:
    """The characters, and how Thai and Lao write them where folding takes a vowel sign apart."""
    forms = {core: None}
    for sign, vowel, whole in (("\u0e4d", "\u0e32", "\u0e33"), ("\u0ecd", "\u0eb2", "\u0eb3")):
        if core.startswith(vowel):
            forms[whole + core[1:]] = None
        if sign in core:
            joined = core.replace(sign + vowel, whole)
            forms[joined[:-1] + whole if joined.endswith(sign) else joined] = None
    return forms


# ---- whether a place is one


class _Fits:
    """Whether a word that a leaf matches stands in a piece of text; it remembers, for a few stand in most places."""

    def __init__(self, matches: Callable[[list[str]], bool]):
        self._matches = matches
        self._known: dict[str, bool] = {}

    def __call__(self, piece: str) -> bool:
        known = self._known.get(piece)
        if known is None:
            if len(self._known) > MAX_KNOWN:
                self._known.clear()
            known = self._known[piece] = self._matches([*analysis.words(piece), *analysis.compounds(piece)])
        return known


@lru_cache(64)
def _fits(leaf: query.Leaf, language: str | None) -> _Fits | None:
    """None where one word alone cannot tell."""
    if isinstance(leaf, (query.Prefix, query.Wildcard, query.Fuzzy)):
        matches = query.word_matcher(leaf)
        return _Fits(lambda words: any(map(matches, words)))
    if isinstance(leaf, query.Term):
        forms = stemming.stem_forms(leaf.word, [stemming.language_tag(language)])
        return _Fits(lambda words: not set(forms).isdisjoint(stemming.stems(words, language)))
    return None


def _fitting(text: str, candidates: Iterator[int], fits: _Fits | None) -> Iterator[int]:
    """Those places at which a word stands that fits: the same few letters begin many words."""
    if fits is None:
        yield from candidates
        return
    for place in islice(candidates, MAX_TRIES):
        earliest = max(0, place - _LONGEST_TOKEN)
        start = max(text.rfind(" ", earliest, place), text.rfind("\n", earliest, place), earliest - 1) + 1
        found = _TOKEN.match(text, place)
        end = found.end() if found else place + 1
        if fits(text[start:end]):
            yield place
        elif _JOINED.match(text, start):
            if fits(text[start : end + _LONGEST_AFFIXED]):
                yield place
        elif text[start - 2 : start] in _BEFORE_JOINED and fits(text[max(0, start - 4) : end]):
            yield place


# ---- in bytes


def _written_places(stretch: Stretch, leaf: query.Leaf, core: str, is_start: bool) -> Iterator[int]:
    script = script_of(core)
    coded, gone = stretch.written(script)
    is_whole = isinstance(leaf, (query.Phrase, query.Near)) and len(core) < analysis.MAX_WORD
    if isinstance(leaf, query.Phrase) and len(leaf.words) > 1 and leaf.slop <= MAX_SLOP:
        pattern = phrase_pattern(leaf.words, leaf.slop, script)
        found = (match.start() for match in pattern.finditer(coded)) if pattern else iter(())
    else:
        found = (
            at - (not is_start)
            for needle in forms_of(core, script, is_start, is_whole)
            if script != "latin" or needle.isascii() or all(byte in coded for byte in needle if byte > 0x7F)
            for at in _every(coded, b"".join((b" " * is_start, needle, b" " * is_whole)))
        )
    for at in found:
        yield at + bisect_right(gone, at) if gone else at


def _in_two(stretch: Stretch, core: str) -> Iterator[int]:
    """Where the letters stand with a space or a joiner among them, which is one here."""
    script = script_of(core)
    coded, gone = stretch.written(script)
    for form in forms_of(core, script, True):
        for match in re.finditer(b" " + b" ?".join(re.escape(bytes([code])) for code in form), coded):
            if b" " in match[0][1:]:
                yield match.start() + (bisect_right(gone, match.start()) if gone else 0)


def _every(text: Any, needle: Any) -> Iterator[int]:
    """Where the needle stands in the text, both str or both bytes."""
    at = text.find(needle)
    while at >= 0:
        yield at
        at = text.find(needle, at + 1)


# ---- slowly


@lru_cache(256)
def _loose(core: str, anchored: bool) -> re.Pattern[str]:
    """Finds the folded letters in unfolded text. A set of characters comes first: such a search is fast."""
    letters = re.findall("|".join(_EXPANDED) + "|.", core, re.DOTALL)
    first, *rest = (_EXPANDED.get(letter) or _any_form(letter) for letter in letters)
    if anchored and len(letters[0]) == 1:
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
