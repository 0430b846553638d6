"""How a query was read, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from muniment.index import query

_NAMES = {"words": "title or text", "host": "site", "removed": "what was removed since"}


def explained(tree: query.Query, depth: int = 0) -> Iterator[str]:
    """The tree as lines, indented by two spaces a level."""
    indent = "  " * depth
    match tree:
        case query.And(parts) if (published := _published(parts)) and len(parts) == 2:
            yield indent + published
        case query.And(parts) | query.Or(parts):
            yield f"{indent}{'all of' if isinstance(tree, query.And) else 'any of'}"
            yield from _parts(parts, depth + 1)
        case query.Not(query.Not(part)):
            yield from explained(part, depth)
        case query.Not(query.Term(field, "")):
            yield f"{indent}{_NAMES.get(field, field)} known"
        case query.Not(part):
            yield indent + "not"
            yield from explained(part, depth + 1)
        case query.Boosted(part, factor):
            yield f"{indent}{factor:g} times the score of"
            yield from explained(part, depth + 1)
        case query.Everything():
            yield indent + "everything"
        case query.Nothing():
            yield indent + "nothing"
        case _:
            yield indent + _leaf(tree)


def _parts(parts: Sequence[query.Query], depth: int) -> Iterator[str]:
    """The parts, the two halves of an interval of publication as one."""
    halves = {i for i, pair in enumerate(pairwise(parts)) if _published(pair)}
    for i, part in enumerate(parts):
        if i in halves:
            yield "  " * depth + _published(parts[i : i + 2])
        elif i - 1 not in halves:
            yield from explained(part, depth)


def _published(pair: Sequence[query.Query]) -> str:
    """`published 2019-01-01 to 2019-12-31` of the two conditions that say so; "" of others."""
    match pair[0], pair[1]:
        case query.Range("last_day", int(low), None, True, _), query.Range("first_day", None, int(high), _, True):
            return f"published {_day(low)} to {_day(high)}"
    return ""


def _leaf(leaf: query.Leaf) -> str:
    name = _NAMES.get(leaf.field, leaf.field)
    match leaf:
        case query.Term("is", word):
            return f"is {word}"
        case query.Term(field, word) if field in query.VALUE_FIELDS:
            return f"{name} is {word}"
        case query.Term(_, word):
            return f"word {word} in {name}"
        case query.Phrase(_, words, slop):
            apart = f", up to {slop + 1} places from one to the next" if slop else ""
            return f'phrase "{" ".join(words)}" in {name}{apart}'
        case query.Near(_, words, distance):
            return f"{' '.join(words)} within {distance} places, in any order, in {name}"
        case query.Prefix(_, ""):
            return f"anything in {name}"
        case query.Prefix(_, start):
            return _pattern(leaf.field, name, f"{start}*")
        case query.Wildcard(_, pattern):
            return _pattern(leaf.field, name, pattern)
        case query.Fuzzy(_, word, distance):
            return f"word like {word}, up to {distance} {'letter' if distance == 1 else 'letters'} wrong, in {name}"
        case query.AnyOf("article", _):
            return "the article at this address"
        case query.AnyOf(_, values):
            return f"{name} is {' or '.join(map(str, values))}"
        case query.Range():
            return _range(leaf, name)


def _pattern(field: str, name: str, pattern: str) -> str:
    return f"{name} like {pattern}" if field in query.VALUE_FIELDS else f"word like {pattern} in {name}"


def _range(leaf: query.Range, name: str) -> str:
    low, high = leaf.low, leaf.high
    if leaf.field in ("first_day", "last_day"):
        if low is None and high is None:
            return "published: date known"
        if high is None:
            return f"published {_day(low)} or later" if leaf.include_low else f"published after {_day(low)}"
        return f"published {_day(high)} or earlier" if leaf.include_high else f"published before {_day(high)}"
    if leaf.field == "captured":
        first = _second(low) if low is not None else "any day"
        last = _second(int(high) - 1) if high is not None else "today"
        return f"captured {first} to {last}"
    if leaf.field == "confidence":
        return _share(leaf)
    start = "" if low is None else f" from {low}{'' if leaf.include_low else ' (without it)'}"
    end = "" if high is None else f" to {high}{'' if leaf.include_high else ' (without it)'}"
    return f"{name}{start}{end}" if leaf.field in query.VALUE_FIELDS else f"word{start}{end} in {name}"


def _share(leaf: query.Range) -> str:
    """Thousandths as people write them: `confidence below 0.7`, `confidence 0.5 to 0.8`."""
    low, high = (None if end is None else f"{int(end) / 1000:g}" for end in (leaf.low, leaf.high))
    if low is not None and high is not None:
        without = [end for end, kept in ((low, leaf.include_low), (high, leaf.include_high)) if not kept]
        return f"confidence {low} to {high}" + (f" (without {' and '.join(without)})" if without else "")
    if low is not None:
        return f"confidence {low} or more" if leaf.include_low else f"confidence above {low}"
    if high is not None:
        return f"confidence {high} or less" if leaf.include_high else f"confidence below {high}"
    return "confidence: known"


def _day(number: int | str | None) -> str:
    text = f"{number:08}"
    return f"{text[:4]}-{text[4:6]}-{text[6:]}"


def _second(number: int | str) -> str:
    return datetime.fromtimestamp(int(number), UTC).date().isoformat()
