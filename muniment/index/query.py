"""The typed query tree: what a search asks, whoever wrote it and whichever engine answers.

The union `Query` is closed: an engine handles every class with `match`, and mypy reports a case it forgot. Words are
already folded by `analysis.query_words`; the tree holds no syntax.

Fields and what a `Term` in them means:

    title, text             words: a Term asks for its folded form or its stem in the document's language;
                            a Phrase, of one word too, or Near asks for the folded words exactly as written
    author                  words, without stems
    removed                 words that an earlier version had and the newest has not, on the newest; in no order, so
                            that a Phrase of several, or Near, is nothing
    words                   the title or the text: where a bare word is looked for
    source, host, language, tag, collection, flag, kind
                            whole values, folded by `analysis.fold_value`; "" is "none known"
    latest, alone           "yes" or "no": whether it is the article's newest version, and its only one
    first_day, last_day     the interval in which the article was published, as integers YYYYMMDD: "2021" is 20210101
                            to 20211231. Without a date neither is there, so that no Range matches
    captured                seconds since 1970, UTC
    number                  the snapshot's number
    confidence              how far the extractors of the text agree, in thousandths; not there where only one looked
    article                 `engine.article_id`, which the versions of one article share
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from muniment.index.value import Value

WORD_FIELDS = ("title", "text", "author", "removed")
STEMMED_FIELDS = ("title", "text", "removed")
UNORDERED_FIELDS = ("removed",)
VALUE_FIELDS = ("source", "host", "language", "tag", "collection", "flag", "kind", "latest", "alone")
NUMBER_FIELDS = ("first_day", "last_day", "captured", "number", "article", "confidence")
ANY_WORDS = "words"
TITLE_BOOST = 0.7  # less than 1, since titles are short: BM25 rates a word in one as high as several in a text


class Term(Value):
    """One word or value. In a field of words also its regular inflected forms."""

    field: str
    word: str


class Phrase(Value):
    """The words in this order, as written, each at most `slop` words further on than next to the one before."""

    field: str
    words: tuple[str, ...]
    slop: int = 0


class Near(Value):
    """The words in any order, as written, all within `distance` places: 1 is side by side. Each as often as named."""

    field: str
    words: tuple[str, ...]
    distance: int = 10


class Prefix(Value):
    """Any word or value that starts so."""

    field: str
    start: str


class Wildcard(Value):
    """Any word or value that the whole pattern fits: `*` is any characters, `?` is one, nothing else is special."""

    field: str
    pattern: str


class Fuzzy(Value):
    """Any word within `distance` (1 or 2) insertions, deletions or replacements of single characters."""

    field: str
    word: str
    distance: int = 1


class Range(Value):
    """Values between two ends, either of which may be open (None): integers in NUMBER_FIELDS, strings elsewhere."""

    field: str
    low: int | str | None = None
    high: int | str | None = None
    include_low: bool = True
    include_high: bool = True


class AnyOf(Value):
    """One of these values, in a field of values or numbers; no score. Exact, and fast for thousands."""

    field: str
    values: tuple[int, ...] | tuple[str, ...]


class And(Value):
    """All of these; of none, everything."""

    parts: tuple[Query, ...]


class Or(Value):
    """At least one of these; of none, nothing."""

    parts: tuple[Query, ...]


class Not(Value):
    """Every document but these."""

    part: Query


class Everything(Value):
    """Every document."""


class Nothing(Value):
    """No document."""


class Boosted(Value):
    """What the part matches, its score times the factor."""

    part: Query
    factor: float


Leaf = Term | Phrase | Near | Prefix | Wildcard | Fuzzy | Range | AnyOf
Query = Leaf | And | Or | Not | Everything | Nothing | Boosted


def conjunction(parts: Iterable[Query]) -> Query:
    """The parts joined by And, without needless levels: `a` and not `And((a,))`, `a, b, c` and not `And((a, b)), c`."""
    flat: list[Query] = []
    for part in parts:
        if isinstance(part, And):
            flat += part.parts
        elif not isinstance(part, Everything):
            flat.append(part)
    if not flat:
        return Everything()
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def disjunction(parts: Iterable[Query]) -> Query:
    """The parts joined by Or, without a needless level."""
    flat = tuple(dict.fromkeys(parts))
    if not flat:
        return Nothing()
    return flat[0] if len(flat) == 1 else Or(flat)


def positive_leaves(query: Query) -> Iterator[Leaf]:
    """The leaves that a matching document may owe its match to: those not under a Not."""
    match query:
        case And(parts) | Or(parts):
            for part in parts:
                yield from positive_leaves(part)
        case Boosted(part):
            yield from positive_leaves(part)
        case Not() | Everything() | Nothing():
            return
        case _:
            yield query


def leaves(query: Query) -> Iterator[Leaf]:
    """All leaves of the tree."""
    match query:
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part) | Boosted(part):
            yield from leaves(part)
        case Everything() | Nothing():
            return
        case _:
            yield query


def is_wide(leaf: Query) -> bool:
    """Whether the leaf holds of three words or more that may stand apart: what two lists of places cannot tell."""
    if isinstance(leaf, Phrase):
        return len(leaf.words) > 2 and leaf.slop > 0
    return isinstance(leaf, Near) and len(leaf.words) > 2


def is_scored(query: Query) -> bool:
    """Whether the query looks for words, so that one match can be more relevant than another."""
    return any(leaf.field in WORD_FIELDS or leaf.field == ANY_WORDS for leaf in positive_leaves(query))


def fields_of(leaf: Leaf) -> tuple[str, ...]:
    """The fields that a leaf looks into: `words` stands for title and text."""
    return ("title", "text") if leaf.field == ANY_WORDS else (leaf.field,)


def wildcard_regex(pattern: str) -> str:
    """The regular expression of a Wildcard's pattern, in the common syntax, to be matched against a whole word."""
    special = {"*": ".*", "?": "."}
    return "".join(special.get(c) or ("\\" + c if c in r"\.+()|[]{}^$" else c) for c in pattern)


def is_within(word: str, limits: Range) -> bool:
    """Whether a word lies between the two ends of a Range."""
    low, high = limits.low, limits.high
    above = low is None or word > str(low) or (limits.include_low and word == low)
    return above and (high is None or word < str(high) or (limits.include_high and word == high))


def word_matcher(leaf: Prefix | Wildcard | Fuzzy | Range) -> Callable[[str], bool]:
    """Tells of one word after another whether it is among those that the leaf stands for."""
    match leaf:
        case Prefix(_, start):
            return lambda word: word.startswith(start)
        case Wildcard(_, pattern):
            # What stands between two stars is looked for once, from the left: trying every place takes forever.
            first, *rest = map(wildcard_regex, pattern.split("*"))
            middle = "".join(f"(?>.*?{piece})" for piece in rest[:-1] if piece)
            fits = re.compile(first + middle + "".join(f".*{piece}" for piece in rest[-1:]), re.DOTALL).fullmatch
            return lambda word: fits(word) is not None
        case Fuzzy(_, near, distance):
            return lambda word: edit_distance_within(near, word, distance)
        case Range():
            return lambda word: is_within(word, leaf)


def edit_distance_within(a: str, b: str, limit: int, *, swaps: bool = False) -> bool:
    """Whether `b` is at most `limit` (a few) single-character edits from `a`: Levenshtein, where a swap counts as two.

    With `swaps`, that of two characters side by side is one.
    """
    longer = len(a) - len(b)
    if abs(longer) > limit:
        return False
    start, end_a, end_b = 0, len(a), len(b)
    while start < end_a and start < end_b and a[start] == b[start]:
        start += 1
    while start < end_a and start < end_b and a[end_a - 1] == b[end_b - 1]:
        end_a -= 1
        end_b -= 1
    if start in (end_a, end_b):
        return True  # what is left of the other is as long as they differ
    if not limit:
        return False
    a, b = a[start:end_a], b[start:end_b]
    return (
        edit_distance_within(a[1:], b[1:], limit - 1, swaps=swaps)
        or edit_distance_within(a[1:], b, limit - 1, swaps=swaps)
        or edit_distance_within(a, b[1:], limit - 1, swaps=swaps)
        or (swaps and a[:2] == b[1::-1] != "" and edit_distance_within(a[2:], b[2:], limit - 1, swaps=swaps))
    )


def days(date: str) -> tuple[int, int]:
    """First and last day, as YYYYMMDD, of an ISO date cut to its precision: "2021-05" gives 20210501, 20210531.

    The last day of a month is 31 whatever its length: the numbers are only compared.
    """
    numbers = [int(part) for part in date.split("-")]
    first = last = numbers[0]
    for place, end in ((1, 12), (2, 31)):
        known = len(numbers) > place
        first = first * 100 + (numbers[place] if known else 1)
        last = last * 100 + (numbers[place] if known else end)
    return first, last
