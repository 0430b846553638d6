"""Whoosh's syntax tree to ours."""

from __future__ import annotations

from datetime import date
from typing import Any

from muniment.index import query
from muniment.search import conditions, language, words
from muniment.search import tagging as tags
from muniment.search.words import Refusal, Typed

MAX_SLOP = 10_000
NEAR = 10  # places, where none are given
MAX_NEAR = 20  # words


class Conversion:
    """Converts the tree of one query; see `language.parse`."""

    def __init__(self, text: str, today: date, lookup: language.Lookup | None = None):
        self.text = text
        self.today = today
        self.lookup = lookup

    def convert(self, node: Any) -> query.Query | None:
        """The tree of a node; None where it holds no word, as `&` does."""
        if isinstance(node, tags.AllOf):
            return self._all_of(node)
        if isinstance(node, tags.OneOf):
            return query.disjunction(self._operand(part) for part in node)
        if isinstance(node, tags.NoneOf):
            return query.Not(self._operand(node[0]))
        if node.fieldname in language.VALUES:
            return self._value(node)
        if node.fieldname in language.SHARES:
            return conditions.share(node, self._text(node))
        if node.fieldname in language.STATES:
            return self._state(node)
        if node.fieldname == "near":
            return self._near(node)
        if node.fieldname in language.DATES or self._is_short_range(node):
            return conditions.dated(node, self.today)
        return self._words(node)

    def _all_of(self, node: Any) -> query.Query | None:
        parts: list[query.Query | None] = []
        side_by_side: list[Typed] = []
        for part in node:
            if isinstance(part, tags.Word) and part.fieldname in (None, *query.WORD_FIELDS):
                side_by_side.append(self._typed(part))
                continue
            parts += [words.all_of(side_by_side), self.convert(part)]
            side_by_side.clear()
        parts.append(words.all_of(side_by_side))
        found = [part for part in parts if part is not None]
        return query.conjunction(found) if found else None

    def _operand(self, node: Any) -> query.Query:
        found = self.convert(node)
        if found is None:
            raise Refusal("there is no word here to search for", node.startchar)
        return found

    def _words(self, node: Any) -> query.Query | None:
        typed = self._typed(node)
        if isinstance(node, tags.Range):
            return words.word_range(typed, (node.start, node.end), (not node.startexcl, not node.endexcl))
        if isinstance(node, tags.FuzzyWord):
            return words.fuzzy(typed, node.maxdist)
        if isinstance(node, tags.Phrase):
            found = words.phrase(typed, self._slop(node))
        elif isinstance(node, (tags.Wild, tags.Start)):
            return self._pattern(node, typed)
        elif node.fieldname == "exact":
            found = words.phrase(typed, 1)
        else:
            found = words.word(typed)
        if found is None and node.fieldname:
            raise Refusal("there is no word here to search for", node.startchar)
        return found

    def _slop(self, node: Any) -> int:
        if node.slop > MAX_SLOP:
            wide = f"~{node.slop} is too wide: at most ~{MAX_SLOP}; for words anywhere, write AND"
            raise Refusal(wide, node.startchar)
        return int(node.slop)

    def _near(self, node: Any) -> query.Query | None:
        if not isinstance(node, tags.Phrase):
            word = getattr(node, "text", "") or "dam flood"
            raise Refusal(f'near: takes words in quotes: near:"{word}", near:"dam flood"~5', node.startchar)
        said = self.text[node.endchar - 1] != '"'
        typed, distance = Typed(query.ANY_WORDS, node.text, node.startchar), self._slop(node) if said else NEAR
        found = words.near_as_typed(typed, distance)
        if len(found.words) < 2:
            raise Refusal('near: takes two words or more: near:"dam flood"', node.startchar)
        if len(found.words) > MAX_NEAR:
            raise Refusal(f"near: takes at most {MAX_NEAR} words: join the others by AND", node.startchar)
        if (count := len(found.words)) - 1 > distance:
            why = f"{count} words cannot stand within {distance} places: write ~{count} or more behind them"
            raise Refusal(why, node.startchar)
        return words.near(typed, distance)

    def _pattern(self, node: Any, typed: Typed) -> query.Query | None:
        if typed.text == "?" and not node.fieldname:  # the end of a question, a space before it
            return None
        return words.pattern(typed)

    def _typed(self, node: Any) -> Typed:
        field = query.ANY_WORDS if node.fieldname in (None, "exact") else node.fieldname
        return Typed(field, self._text(node), node.startchar)

    def _text(self, node: Any) -> str:
        """The node's text; that of a Start is without its `*`."""
        if isinstance(node, tags.Range):
            return ""
        text: str = node.text
        return text + "*" if isinstance(node, tags.Start) else text

    def _value(self, node: Any) -> query.Query:
        field = language.VALUES[node.fieldname]
        if isinstance(node, (tags.Wild, tags.Start)):
            return words.value_pattern(field, self._text(node), node.startchar)
        if isinstance(node, tags.Range):
            typed = Typed(field, "", node.startchar)
            return words.word_range(typed, (node.start, node.end), (not node.startexcl, not node.endexcl))
        if isinstance(node, tags.FuzzyWord):
            raise Refusal(f"~ does not work in {node.fieldname}: use * and ?", node.startchar)
        conditions.check_value(field, node.text, node.startchar)
        return words.value(field, node.text, node.startchar)

    def _state(self, node: Any) -> query.Query:
        if not isinstance(node, (tags.Word, tags.Phrase)):
            example = conditions.EXAMPLES[node.fieldname]
            raise Refusal(f"{node.fieldname}: takes a name, such as {example}", node.startchar)
        return conditions.state(node.fieldname, node.text, node.startchar, self.lookup)

    def _is_short_range(self, node: Any) -> bool:
        """Whether the node is 2019..2021."""
        return isinstance(node, tags.Range) and self.text[node.startchar] not in "[{"
