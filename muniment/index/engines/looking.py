"""Words at a distance, for an engine that cannot tell them: looked for in the texts of what may match."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from muniment.errors import QueryError
from muniment.index import analysis, positions, query
from muniment.index.engine import MAX_LOOKED_THROUGH, Texts


class Looking:
    """Looks through texts for the wide leaves of trees; what it found is kept for as long as it lives.

    `numbers` gives the documents that match a tree without such leaves; `is_told` says of a leaf whether the engine can
    tell it itself.
    """

    def __init__(
        self, numbers: Callable[[query.Query], Iterable[tuple[int, int]]], is_told: Callable[[query.Leaf], bool]
    ):
        self._numbers = numbers
        self._is_told = is_told
        self._known: dict[tuple[query.Leaf, query.Query], query.AnyOf] = {}

    def settled(self, tree: query.Query, texts: Texts | None) -> query.Query:
        """The tree, with the numbers of the documents beside conditions on pairs in place of its wide leaves."""

        def settle(leaf: query.Phrase | query.Near, context: query.Query) -> query.Query:
            if self._is_told(leaf):
                return leaf
            fields = query.fields_of(leaf)
            may_be = query.disjunction(query.conjunction(positions.pairs(leaf._replace(field=f))) for f in fields)
            if (leaf, context) not in self._known:
                numbers = [number for number, _ in self._numbers(query.conjunction((may_be, context)))]
                self._known[leaf, context] = query.AnyOf("number", _look_through(leaf, numbers, texts))
            return query.conjunction((may_be, self._known[leaf, context]))

        return positions.settled(tree, settle)


def _look_through(leaf: query.Phrase | query.Near, numbers: list[int], texts: Texts | None) -> tuple[int, ...]:
    if texts is None or len(numbers) > MAX_LOOKED_THROUGH:
        raise QueryError(
            f"{len(numbers):,} articles have these words near one another, too many to look through:"
            " take fewer words or a smaller distance, or narrow the query by source: or date"
        )
    held = []
    for number in numbers:
        found = texts(number)
        words = (analysis.words_once(found.get(field, "")) for field in query.fields_of(leaf))
        if any(positions.matches(leaf, inside) for inside in words):
            held.append(number)
    return tuple(held)
