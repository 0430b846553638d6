"""Which documents match a query tree, by looking at every word of each: slow, and simple enough to believe."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from muniment.index import analysis, query, stemming
from muniment.index.engine import Document, article_id, field_values


@dataclass(frozen=True)
class Analysed:
    document: Document
    words: dict[str, list[list[str]]]  # field -> passages -> words
    stems: dict[str, set[str]]
    values: dict[str, list[str]]
    numbers: dict[str, int]


def analysed(document: Document) -> Analysed:
    words = {
        "title": [analysis.words(document.title)],
        "text": [analysis.words(document.text)],
        "author": [analysis.words(" ".join(document.authors))],
        "removed": [list(document.removed)],
    }
    compounds = {"title": analysis.compounds(document.title), "text": analysis.compounds(document.text), "removed": []}
    stems = {f: set(stemming.stems(words[f][0] + compounds[f], document.language)) for f in compounds}
    stems["removed"] -= stems["title"] | stems["text"]
    numbers = {"number": document.number, "captured": int(document.captured.timestamp())}
    numbers["article"] = article_id(document.article)
    if document.published:
        numbers["first_day"], numbers["last_day"] = query.days(document.published)
    if document.confidence is not None:
        numbers["confidence"] = round(document.confidence * 1000)
    return Analysed(document, words, stems, field_values(document), numbers)


def matching(tree: query.Query, documents: Sequence[Analysed], languages: Sequence[str]) -> set[int]:
    """The numbers of the documents that match."""
    match tree:
        case query.And(parts):
            every = {d.document.number for d in documents}
            return every.intersection(*(matching(part, documents, languages) for part in parts))
        case query.Or(parts):
            return set[int]().union(*(matching(part, documents, languages) for part in parts))
        case query.Not(part):
            return {d.document.number for d in documents} - matching(part, documents, languages)
        case query.Boosted(part):
            return matching(part, documents, languages)
        case query.Everything():
            return {d.document.number for d in documents}
        case query.Nothing():
            return set()
        case _:
            fields = ("title", "text") if tree.field == "words" else (tree.field,)
            return {
                d.document.number for d in documents if any(leaf_matches(tree, field, d, languages) for field in fields)
            }


def leaf_matches(leaf: query.Leaf, field: str, d: Analysed, languages: Sequence[str]) -> bool:
    if field in d.numbers or field in query.NUMBER_FIELDS:
        return field in d.numbers and number_matches(leaf, d.numbers[field])
    words = d.words[field][0] if field in d.words else d.values[field]
    match leaf:
        case query.Term(_, word) if field in d.stems:
            return not d.stems[field].isdisjoint(stemming.stem_forms(word, languages))
        case query.Term(_, word):
            return word in words
        case query.Phrase(_, phrase) if field == "removed" and len(phrase) > 1:
            return False
        case query.Phrase(_, phrase, slop):
            return any(phrase_from(phrase, slop, words, at) for at in range(len(words)))
        case query.Near(_, near, distance):
            return (field != "removed" or len(near) == 1) and near_from(near, distance, words)
        case query.AnyOf(_, values):
            return not set(words).isdisjoint(values)
        case query.Prefix(_, start):
            return any(word[: len(start)] == start for word in words)
        case query.Wildcard(_, pattern):
            return any(fnmatch.fnmatchcase(word, pattern) for word in words)
        case query.Fuzzy(_, near, distance):
            return any(edits(near, word) <= distance for word in words)
        case query.Range():
            return any(number_matches(leaf, word) for word in words)


def phrase_from(phrase: Sequence[str], slop: int, words: Sequence[str], at: int) -> bool:
    if words[at] != phrase[0]:
        return False
    following = range(at + 1, min(at + slop + 2, len(words)))
    return len(phrase) == 1 or any(phrase_from(phrase[1:], slop, words, i) for i in following)


def near_from(near: Sequence[str], distance: int, words: Sequence[str]) -> bool:
    return any(
        not Counter(near) - Counter(words[at : at + distance + 1]) for at in range(max(1, len(words) - distance))
    )


def number_matches(leaf: query.Leaf, value: int | str) -> bool:
    if isinstance(leaf, query.AnyOf):
        return value in leaf.values
    assert isinstance(leaf, query.Range)
    low, high = leaf.low, leaf.high
    if low is not None and (value < low or (value == low and not leaf.include_low)):  # type: ignore[operator]
        return False
    return high is None or value < high or (value == high and leaf.include_high)  # type: ignore[operator]


@lru_cache(100_000)
def edits(a: str, b: str) -> int:
    if not a or not b:
        return len(a) + len(b)
    return min(edits(a[1:], b) + 1, edits(a, b[1:]) + 1, edits(a[1:], b[1:]) + (a[0] != b[0]))


def facet(name: str, documents: Iterable[Document]) -> Counter[str | None]:
    """How many documents have each value; None: how many have none. Months are "2021-05", or "2021" without one."""
    counts = Counter[str | None]()
    for d in documents:
        match name:
            case "source":
                values: Sequence[str | None] = [d.source]
            case "language":
                values = [d.language.split("-")[0] if d.language else None]
            case "year":
                values = [d.published[:4] if d.published else None]
            case "month":
                values = [d.published[:7] if d.published else None]
            case "author":
                values = sorted(set(d.authors)) or [None]
            case "tag":
                values = sorted(set(d.tags)) or [None]
            case "kind":
                values = d.kinds or [None]
            case _:
                raise AssertionError(name)
        counts.update(values)
    return counts
