"""One word, phrase, pattern or value of a query to its leaf of the typed tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from muniment.index import analysis, query, stemming

MAX_WILDCARDS, MAX_COMPLEXITY = 6, 200  # tantivy's automata have 1,000 states, which 7 and 190 were seen to exceed
_SIGNS_AROUND = re.compile(r"^[^\w*?]+|[^\w*?]+$")
_SPELLINGS = {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "đ": "dj"}
_SPELLED = re.compile("[äöüåøđ]", re.IGNORECASE)
# Respelled the other way, in the languages that write so: never after a vowel or q (neue, Quelle).
_RESPELLED = ((re.compile(r"(?<=[ao])e|(?<=(?<![aeq])u)e", re.IGNORECASE), ("de", "sv")),
              (re.compile(r"(?<=a)a|(?<=o)e", re.IGNORECASE), ("da", "nb", "nn", "no", "sv")),
              (re.compile(r"(?<=d)j", re.IGNORECASE), ("bs", "hr", "sh", "sl", "sr")))  # fmt: skip
MAX_APART = 6  # words of a phrase that are proposed apart
MAX_RESPELLED = 3  # places in a phrase
_WILD = re.compile(r"[\w*?]+")


class Refusal(Exception):
    """What cannot be read, and its offset in the text of the query."""

    def __init__(self, message: str, place: int):
        super().__init__(message)
        self.message = message
        self.place = place


class Typed(NamedTuple):
    """A word, phrase or pattern as typed; `field` is one of query.WORD_FIELDS or ANY_WORDS."""

    field: str
    text: str
    place: int


def all_of(side_by_side: Iterable[Typed]) -> query.Query | None:
    """The tree of words side by side. None where they hold no word: `&`."""
    parts = (word(typed) for typed in joined(side_by_side))
    found = [part for part in parts if part is not None]
    return query.conjunction(found) if found else None


def joined(side_by_side: Iterable[Typed]) -> Iterator[Typed]:
    """The words, those of them joined that are one word in the index: Persian affixes (می خواهم)."""
    held: Typed | None = None
    for typed in side_by_side:
        if held is not None and held.field == typed.field and analysis.is_one_word(held.text, typed.text):
            held = held._replace(text=f"{held.text} {typed.text}")
            continue
        if held is not None:
            yield held
        held = typed
    if held is not None:
        yield held


def word(typed: Typed) -> query.Query | None:
    """The tree of a word as typed, and as it is spelled without the letters of its language: Müller is Mueller too.

    Mueller is Müller by its stem, but of an author, who has none.
    """
    return _either(_word, typed) if typed.field != "author" else _spelled(_word, typed)


def _either(read: Callable[[Typed], query.Query | None], typed: Typed) -> query.Query | None:
    found = read(typed)
    if typed.text.isascii() or found is None or not _SPELLED.search(typed.text):
        return found
    other = read(typed._replace(text=_SPELLED.sub(lambda letter: _SPELLINGS[letter[0].lower()], typed.text)))
    return found if other is None or other == found else query.Or((found, other))


def _spelled(read: Callable[[Typed], query.Query | None], typed: Typed) -> query.Query | None:
    """As `_either`, and the other way: Mueller is Müller in articles of a language that writes ü, and nowhere else."""
    found = _either(read, typed)
    if found is None or typed.field in query.UNORDERED_FIELDS:
        return found
    ways = [found]
    for second, languages in _RESPELLED:
        others = [read(typed._replace(text=text)) for text in _without(second, typed.text)]
        spelled = tuple(dict.fromkeys(other for other in others if other is not None and other != found))
        if spelled:
            ways.append(query.And((query.disjunction(spelled), query.AnyOf("language", languages))))
    return query.disjunction(ways)


def spelled_in(tree: query.Query, languages: Collection[str]) -> query.Query:
    """The tree without the spellings of languages (tags) that no article of the index is in, which find nothing."""
    match tree:
        case query.Or(parts):
            kept = [spelled_in(part, languages) for part in parts if not _is_spelling_of_others(part, languages)]
            return tree if tuple(kept) == tuple(parts) else query.disjunction(kept)
        case query.And(parts):
            kept = [spelled_in(part, languages) for part in parts]
            return tree if tuple(kept) == tuple(parts) else query.conjunction(kept)
        case query.Not(part):
            return query.Not(spelled_in(part, languages))
        case query.Boosted(part, factor):
            return query.Boosted(spelled_in(part, languages), factor)
        case _:
            return tree


def _is_spelling_of_others(part: query.Query, languages: Collection[str]) -> bool:
    match part:
        case query.And((_, query.AnyOf("language", tags))):
            return any(tags == respelled for _, respelled in _RESPELLED) and not set(tags) & set(languages)
    return False


def _without(second: re.Pattern[str], text: str) -> Iterator[str]:
    """The text without some of the letters that are found: of the first few each choice, for Israel is no Isräl.

    Not at the end of a prefix: mue* would be mu* and find museums.
    """
    places = [m.start() for m in second.finditer(text) if text[m.end() : m.end() + 1] not in ("*", "?")]
    del places[MAX_RESPELLED:]
    for size in range(1, len(places) + 1):
        for chosen in combinations(places, size):
            yield "".join(letter for at, letter in enumerate(text) if at not in chosen)


def _word(typed: Typed) -> query.Query | None:
    """The tree of a word as typed, which may be several to the index (AT&T, 東京都). None where it is none."""
    found = analysis.query_words(typed.text)
    if not found:
        return None
    if len(found) == 1:
        return single(typed.field, found[0])
    if typed.field in query.UNORDERED_FIELDS:
        return query.conjunction(single(typed.field, part) for part in found)
    as_phrase = query.Phrase(typed.field, tuple(found))
    if "\u200c" in typed.text:
        # A Persian compound: its words in any form, before all side by side; and where it is written as one word.
        apart = query.conjunction(single(typed.field, part) for part in found)
        return query.Or((as_phrase, apart, query.Term(typed.field, "".join(found)[: analysis.MAX_WORD])))
    return as_phrase


def single(field: str, found: str) -> query.Query:
    """In a script without spaces, one character is asked for as the start of a pair."""
    if len(found) == 1 and analysis.is_spaceless(found):
        return query.Prefix(field, found)
    return query.Term(field, found)


def phrase(typed: Typed, reach: int) -> query.Query | None:
    """The tree of a quoted text: of a single word too, exactly as written. `reach` 1 is side by side."""
    return _spelled(lambda spelled: _phrase(spelled, reach), typed)


def _phrase(typed: Typed, reach: int) -> query.Query | None:
    found = analysis.query_words(typed.text)
    if not found:
        return None
    if len(found) == 1 and analysis.is_spaceless(found[0]):
        return single(typed.field, found[0])
    if len(found) > 1 and typed.field in query.UNORDERED_FIELDS:
        apart = " ".join(f"{typed.field}:{part}" for part in found[:MAX_APART])
        why = "a phrase that was edited away is found without the field"
        raise Refusal(f"{typed.field}: takes single words: write {apart}; {why}", typed.place)
    return query.Phrase(typed.field, tuple(found), reach - 1 if len(found) > 1 else 0)


def near(typed: Typed, distance: int) -> query.Query | None:
    """The tree of a quoted text whose words stand in any order, at most `distance` places from one another."""
    return _spelled(lambda spelled: near_as_typed(spelled, distance), typed)


def near_as_typed(typed: Typed, distance: int) -> query.Near:
    return query.Near(typed.field, tuple(analysis.query_words(typed.text)), distance)


def pattern(typed: Typed) -> query.Query:
    """The tree of a word with `*` or `?` in it, and of its other spellings, as those of `phrase`."""
    return _and_respelled(_pattern, typed)


def _and_respelled(read: Callable[[Typed], query.Query], typed: Typed) -> query.Query:
    """What `read` makes of a pattern as typed, which alone may be refused, and of its other spellings."""
    as_typed = read(typed)

    def respelled(other: Typed) -> query.Query | None:
        try:
            return as_typed if other == typed else read(other)
        except Refusal:  # with letters more, a pattern may be too complex
            return None

    return _spelled(respelled, typed) or as_typed


def _pattern(typed: Typed) -> query.Query:
    folded = _SIGNS_AROUND.sub("", analysis.fold(typed.text).replace("\u200c", ""))
    if folded == "*" and typed.field != query.ANY_WORDS:
        return _known(query.Prefix(typed.field, ""))
    if not folded.strip("*?"):
        raise Refusal("give at least one letter with * or ?", typed.place)
    folded = _simple(folded, typed.place)
    if folded.endswith("?") and not re.search(r"[*?]", folded[:-1]) and not _WILD.fullmatch(folded):
        at_end = word(typed._replace(text=typed.text.rstrip("?!")))  # of a question: "… in the U.S.?"
        if at_end is not None:
            return at_end
    if not _WILD.fullmatch(folded):
        raise Refusal("* and ? stand in one word without other signs: write the parts as words", typed.place)
    if any(analysis.is_spaceless(character) for character in folded):
        return _spaceless_pattern(typed, folded)
    stem = folded[:-1]
    if "*" in stem or "?" in stem:
        return query.Wildcard(typed.field, folded)
    if folded.endswith("*"):
        return query.Prefix(typed.field, stem)
    # A question mark may be nothing but the end of a question: "who killed jfk?"
    return query.Or((query.Term(typed.field, stem), query.Wildcard(typed.field, folded)))


def _known(anything: query.Query) -> query.Query:
    """What matches anything at all in a field: a condition and no words, so that it is neither scored nor marked."""
    return query.Not(query.Not(anything))


def _simple(pattern: str, place: int) -> str:
    """The pattern, several `*` in a row as one. Raises Refusal where an engine could not take it."""
    while "**" in pattern:
        pattern = pattern.replace("**", "*")
    wild = pattern.count("*") + pattern.count("?")
    # Letters count by their bytes, as in tantivy's automata. A `*` at the end alone makes a prefix, of any length.
    is_complex = wild * len(pattern.encode()) > MAX_COMPLEXITY and pattern.find("*") != len(pattern) - 1
    if wild > MAX_WILDCARDS or is_complex:
        raise Refusal(f"this pattern is too complex: use at most {MAX_WILDCARDS} * and ?, among fewer letters", place)
    return pattern


def _spaceless_pattern(typed: Typed, folded: str) -> query.Query:
    stem = folded.rstrip("*?")
    found = word(typed._replace(text=stem))
    if found is None or "*" in stem or "?" in stem:
        raise Refusal("* and ? do not work inside words of this script: write the characters alone", typed.place)
    return found


def fuzzy(typed: Typed, distance: int) -> query.Query:
    """The tree of `word~`, and of its other spellings, as those of `phrase`."""
    return _and_respelled(lambda spelled: _fuzzy(spelled, distance), typed)


def _fuzzy(typed: Typed, distance: int) -> query.Query:
    found = analysis.query_words(typed.text)
    if len(found) != 1 or analysis.is_spaceless(found[0]):
        raise Refusal("~ goes with a single word of letters", typed.place)
    return query.Fuzzy(typed.field, found[0], distance)


def word_range(typed: Typed, ends: Sequence[str | None], include: tuple[bool, bool]) -> query.Query:
    """The tree of `title:[a TO m]`."""
    low, high = (analysis.fold_value(end) if end else None for end in ends)
    if low is None and high is None:
        raise Refusal("a range needs at least one end: [a TO b], [a TO], [TO b]", typed.place)
    if low is not None and high is not None and low > high:
        raise Refusal("this range ends before it begins: swap its ends", typed.place)
    return query.Range(typed.field, low, high, *include)


def value(field: str, text: str, place: int) -> query.Query:
    """The tree of a whole value, in a field of query.VALUE_FIELDS."""
    return query.Term(field, stored_value(field, text, place))


def stored_value(field: str, text: str, place: int = 0) -> str:
    """A value as the index holds it."""
    if field == "language":
        found = stemming.language_tag(text)
    elif field == "host":
        # A whole address is taken too.
        found = analysis.fold_value(text).split("//")[-1].split("/")[0].split(":")[0].strip(".")
    else:
        found = analysis.fold_value(text)
    if not found:
        raise Refusal("a value is missing here: give one, or * for any that is known", place)
    return found


def value_pattern(field: str, text: str, place: int) -> query.Query:
    """The tree of a value with `*` or `?` in it; `*` alone is any that is known."""
    folded = _simple(analysis.fold_value(text), place)
    if folded == "*":
        return query.Not(query.Term(field, ""))
    if not folded.strip("*?"):
        raise Refusal("give at least one letter with * or ?", place)
    if folded.index("*" if "*" in folded else "?") == len(folded) - 1 and folded.endswith("*") and "?" not in folded:
        return query.Prefix(field, folded[:-1])
    return query.Wildcard(field, folded)
