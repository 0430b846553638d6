"""What may have been meant where a search found next to nothing: other queries, other values of its filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from muniment.errors import QueryError

if TYPE_CHECKING:
    from muniment.index.engine import Engine
    from muniment.index.query import Query
    from muniment.search.results import Filters


def suggestions(engine: Engine, text: str, filters: Filters | None, total: int, *, sentence: bool) -> Sequence[str]:
    """Where `total`, next to nothing, was found by a query, or a `sentence`: queries that may have been meant, and
    find more; where nothing was, filters too, as options."""
    from muniment.search.results import Filters, filtered

    filters = filters or Filters()
    meant_by_filters = (
        _filters_meant(engine, _text_tree(text, sentence=sentence), filters)
        if not total and filters != Filters()
        else ()
    )
    if sentence or not text.strip():
        return meant_by_filters
    from muniment.search import language, suggest

    def found(other: str) -> int:
        if other == text:
            return total
        try:
            meant = filtered(language.parse(other), filters)
        except QueryError:
            return 0
        return engine.search(meant, limit=0).total

    return [*meant_by_filters, *suggest.suggestions(engine, text, found)]


def _filters_meant(engine: Engine, whole: Query, filters: Filters) -> Sequence[str]:
    """`--source 'tidewater courier'` where no source is `--source tidewater`: such as finds something with the rest of
    the search, else one that is there."""
    import shlex

    from muniment.search import suggest
    from muniment.search.results import FILTERS, filtered

    typed = [(field, text) for field in FILTERS for text in getattr(filters, field)]
    meant = {(field, text): values for field, text in typed if (values := suggest.values_like(engine, field, text))}
    best = {wrong: values[0] for wrong, values in meant.items()}
    told = []
    for wrong, values in meant.items():
        for value in values:
            tree = filtered(whole, _with_values(filters, best | {wrong: value}))
            if engine.search(tree, limit=0).total:
                best[wrong] = value
                break
        if len(best[wrong]) <= suggest.LONGEST:
            told.append(f"--{wrong[0]} {shlex.quote(best[wrong])}")
    return told


def _with_values(filters: Filters, values: Mapping[tuple[str, str], str]) -> Filters:
    """The filters with other values in place of some (field, value)."""
    fields = {field for field, _ in values}
    changed = {field: tuple(values.get((field, text), text) for text in getattr(filters, field)) for field in fields}
    return filters._replace(**changed)


def _text_tree(text: str, *, sentence: bool) -> Query:
    """What the text asks for, without the filters; all where the archive alone could tell."""
    from muniment.index.query import Everything
    from muniment.search import language

    try:
        return (language.any_of if sentence else language.parse)(text)
    except QueryError:
        return Everything()
