"""The tree of a query's syntax to the typed tree of index/query.py."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from muniment.index import analysis, query
from muniment.search import conditions, language, syntax, words
from muniment.search.words import Refusal, Typed

MAX_SLOP = 10_000
NEAR = 10  # places, where none are given
MAX_NEAR = 20  # words
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)


class Conversion:
    """Converts the tree of one query; see `language.parse`."""

    def __init__(
        self, today: date, lookup: language.Lookup | None = None, article_at: language.ArticleAt | None = None
    ):
        self.today = today
        self.lookup = lookup
        self.article_at = article_at

    def convert(self, node: syntax.Node) -> query.Query | None:
        """The tree of a node; None where it holds no word, as `&` does."""
        if isinstance(node, syntax.AllOf):
            return self._all_of(node)
        if isinstance(node, syntax.OneOf):
            return query.disjunction(self._operand(part) for part in node.parts)
        if isinstance(node, syntax.NoneOf):
            return query.Not(self._operand(node.part))
        if node.field is None:
            is_range = isinstance(node, syntax.Range) and node.short
            return conditions.dated(node, self.today) if is_range else self._words(node)
        if node.field in language.VALUES:
            return _value(node, language.VALUES[node.field])
        if node.field in language.SHARES:
            return conditions.share(node)
        if node.field in language.STATES:
            return conditions.state(node, self.lookup)
        if node.field == "near":
            return _near(node)
        if node.field in language.DATES or (isinstance(node, syntax.Range) and node.short):
            return conditions.dated(node, self.today)
        return self._words(node)

    def _is_address(self, leaf: syntax.Leaf) -> bool:
        return self.article_at is not None and leaf.field is None and _ADDRESS.match(leaf.text) is not None

    def _all_of(self, node: syntax.AllOf) -> query.Query | None:
        _check_one_value(node.parts)
        parts: list[query.Query | None] = []
        side_by_side: list[Typed] = []
        for at, part in enumerate(node.parts):
            if isinstance(part, syntax.Word) and part.field in language.DATES:
                _check_no_range(node.parts[at : at + 3])
            if (
                isinstance(part, syntax.Word)
                and part.field in (None, *query.WORD_FIELDS)
                and not self._is_address(part)
            ):
                side_by_side.append(_typed(part))
                continue
            parts += [words.all_of(side_by_side), self.convert(part)]
            side_by_side.clear()
        parts.append(words.all_of(side_by_side))
        found = [part for part in parts if part is not None]
        return query.conjunction(found) if found else None

    def _operand(self, node: syntax.Node) -> query.Query:
        found = self.convert(node)
        if found is None:
            raise Refusal("there is no word here to search for", _place(node))
        return found

    def _words(self, leaf: syntax.Leaf) -> query.Query | None:
        typed = _typed(leaf)
        if isinstance(leaf, syntax.Range):
            return words.word_range(typed, (leaf.low, leaf.high), (not leaf.without_low, not leaf.without_high))
        if isinstance(leaf, syntax.Fuzzy):
            return words.fuzzy(typed, leaf.distance)
        if isinstance(leaf, syntax.Pattern):
            # A question mark alone is the end of a question, a space before it.
            return None if leaf.text == "?" and leaf.field is None else words.pattern(typed)
        if self.article_at is not None and self._is_address(leaf):
            mentioned = words.word(typed)
            at = self.article_at(leaf.text)
            return at if mentioned is None else query.Or((at, mentioned))
        if isinstance(leaf, syntax.Phrase):
            found = words.phrase(typed, _reach(leaf, 1))
        elif leaf.field == "exact":
            found = words.phrase(typed, 1)
        else:
            found = words.word(typed)
        if found is None and leaf.field:
            raise Refusal("there is no word here to search for", leaf.place)
        return found


def _check_one_value(parts: Sequence[syntax.Node]) -> None:
    """Raises Refusal for two sources side by side, which no article has."""
    for field in ("source", "language", "lang"):
        named = [part for part in parts if isinstance(part, (syntax.Word, syntax.Phrase)) and part.field == field]
        if len({analysis.fold_value(part.text) for part in named}) > 1:
            either = " OR ".join(f'"{part.text}"' if isinstance(part, syntax.Phrase) else part.text for part in named)
            raise Refusal(f"an article has one {field}: write {field}:({either})", named[1].place)


def _check_no_range(parts: Sequence[syntax.Node]) -> None:
    """Raises Refusal for published:2020 TO 2021, whose TO would be a word to search for."""
    match parts:
        case [
            syntax.Word(field=name, text=low),
            syntax.Word(field=None, text="TO" | "to", place=place),
            syntax.Word(field=None, text=high),
        ] if high[:1].isdigit():
            raise Refusal(f"a range stands in brackets, or without a space: write {name}:{low}..{high}", place)


def _place(node: syntax.Node) -> int:
    """Where the first of its leaves begins."""
    while not isinstance(node, syntax.Leaf):
        node = node.part if isinstance(node, syntax.NoneOf) else node.parts[0]
    return node.place


def _typed(leaf: syntax.Leaf) -> Typed:
    return Typed(query.ANY_WORDS if leaf.field in (None, "exact") else leaf.field, leaf.text, leaf.place)


def _reach(phrase: syntax.Phrase, without: int) -> int:
    reach = without if phrase.reach is None else phrase.reach
    if reach > MAX_SLOP:
        raise Refusal(f"~{reach} is too wide: at most ~{MAX_SLOP}; for words anywhere, write AND", phrase.place)
    return reach


def _near(leaf: syntax.Leaf) -> query.Query | None:
    if not isinstance(leaf, syntax.Phrase):
        raise Refusal('near: takes words in quotes: near:"dam flood", near:"dam flood"~5', leaf.place)
    typed, distance = Typed(query.ANY_WORDS, leaf.text, leaf.place), _reach(leaf, NEAR)
    found = words.near_as_typed(typed, distance)
    if len(found.words) < 2:
        raise Refusal('near: takes two words or more: near:"dam flood"', leaf.place)
    if len(found.words) > MAX_NEAR:
        raise Refusal(f"near: takes at most {MAX_NEAR} words: join the others by AND", leaf.place)
    if (count := len(found.words)) - 1 > distance:
        why = f"{count} words cannot stand within {distance} places: write ~{count} or more behind them"
        raise Refusal(why, leaf.place)
    return words.near(typed, distance)


def _value(leaf: syntax.Leaf, field: str) -> query.Query:
    if isinstance(leaf, syntax.Pattern) or (isinstance(leaf, syntax.Phrase) and "*" in leaf.text):
        return words.value_pattern(field, leaf.text, leaf.place)
    if isinstance(leaf, syntax.Range):
        ends, included = (leaf.low, leaf.high), (not leaf.without_low, not leaf.without_high)
        return words.word_range(Typed(field, "", leaf.place), ends, included)
    if isinstance(leaf, syntax.Fuzzy):
        raise Refusal(f"~ does not work in {leaf.field}: use * and ?", leaf.place)
    conditions.check_value(field, leaf.text, leaf.place)
    return words.value(field, leaf.text, leaf.place)
