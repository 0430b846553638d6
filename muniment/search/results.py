"""A search as the command line and the web pages ask for it: filters, and one hit for each article.

An article is kept in versions, each a document. By default a search shows an article once: its newest version where
that one matches; else the newest of the older versions that match, so that words edited away are still found.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime

from muniment.errors import QueryError
from muniment.index import query
from muniment.index.engine import Engine, Hit, Hits, Sort
from muniment.index.facets import FACET_DATES, Counts, with_empty
from muniment.index.value import Value
from muniment.search import dates, words
from muniment.search.selecting import without_own

FEW = 20
FILTERS = ("source", "language", "tag", "kind", "author")  # each also with `not_` before it
_OLDER, _OF_SEVERAL = query.Term("latest", "no"), query.Term("alone", "no")


class Filters(Value):
    """Conditions beside the query: any one of the values of each kind, and all kinds together; none of those that begin
    with `not_`.

    An author is given by words of the name. `since` and `until` are dates as the query has them, both included.
    """

    source: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    author: tuple[str, ...] = ()
    not_source: tuple[str, ...] = ()
    not_language: tuple[str, ...] = ()
    not_tag: tuple[str, ...] = ()
    not_kind: tuple[str, ...] = ()
    not_author: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None


class Page(Value):
    """Which part of the result, in which order, with which facets.

    Of a facet the `facet_limit` most frequent values are told, of years and months all; `facet_limits` says for a
    facet, dates too, what else holds. `today` is given where newer articles are to be raised (search/recency.py).
    """

    limit: int = 10
    offset: int = 0
    sort: Sort = "relevance"
    facets: tuple[str, ...] = ()
    facet_limit: int = 10
    facet_limits: Mapping[str, int] = {}
    today: date | None = None


Stories = Callable[[Collection[int]], Mapping[int, int]]


def search(
    engine: Engine, tree: query.Query, page: Page, *, versions: bool = False, stories: Stories | None = None
) -> Hits:
    """The articles that match, or with `versions` each version that does; totals and facets count the same.

    With `stories`, which tells the story of each number that has one, a story is shown once. A facet is counted without
    its own conditions (search/selecting.py), and years and months are told with the empty ones between them.
    """
    return _answer(engine, _Narrowing(engine, versions, stories), tree, page)


def search_all(
    engine: Engine, tree: query.Query, page: Page, *, versions: bool = False, stories: Stories | None = None
) -> tuple[Hits, Iterator[Hit]]:
    """As `search`, and all the hits, of which only a page is held at a time; `page` has no limit and no offset."""
    narrowing = _Narrowing(engine, versions, stories)
    counted = _answer(engine, narrowing, tree, page)
    return counted, engine.stream(_ranked(narrowing.of(tree), page.today), sort=page.sort)


class _Narrowing:
    """One version of each article, one article of each story: worked out once for each tree."""

    def __init__(self, engine: Engine, versions: bool, stories: Stories | None):
        self._engine, self._versions, self._stories = engine, versions, stories
        self._known: dict[query.Query, query.Query] = {}

    def of(self, asked: query.Query) -> query.Query:
        if asked not in self._known:
            one_each = asked if self._versions else collapsed(self._engine, asked)
            shown = one_each if self._stories is None else one_a_story(self._engine, one_each, self._stories)
            self._known[asked] = shown
        return self._known[asked]


def _answer(engine: Engine, narrowing: _Narrowing, tree: query.Query, page: Page) -> Hits:
    if not page.facets:
        asked = _ranked(narrowing.of(tree), page.today)
        return engine.search(asked, limit=page.limit, offset=page.offset, sort=page.sort)
    counted: dict[query.Query, list[str]] = {tree: []}
    for name in page.facets:
        counted.setdefault(without_own(tree, name), []).append(name)
    most = max((page.facet_limit, *page.facet_limits.values()))
    hits = engine.search(
        _ranked(narrowing.of(tree), page.today),
        limit=page.limit,
        offset=page.offset,
        sort=page.sort,
        facets=counted.pop(tree),
        facet_limit=most,
    )
    facets = dict(hits.facets)
    for wider, names in counted.items():
        facets |= engine.facets(narrowing.of(wider), names, most)
    return hits._replace(facets={name: _listed(name, facets[name], page) for name in page.facets})


def _ranked(tree: query.Query, today: date | None) -> query.Query:
    if today is None:
        return tree
    from muniment.search.recency import raised

    return raised(tree, today)


def _listed(name: str, counts: Counts, page: Page) -> Counts:
    limit = page.facet_limits.get(name)
    if name in FACET_DATES:
        whole = with_empty(name, counts)
        return whole if limit is None else whole.newest(limit)
    return counts.cut(page.facet_limit if limit is None else limit)


def collapsed(engine: Engine, tree: query.Query) -> query.Query:
    """The tree narrowed to one version of each article that matches: the one that stands for it, else the newest.

    Only articles of several versions need a look: where not two of one match, the tree itself is the answer.
    """
    matching: dict[int, list[int]] = {}
    for number, article in engine.numbers(query.conjunction((tree, _OF_SEVERAL))):  # in order of number
        matching.setdefault(article, []).append(number)
    several = [numbers for numbers in matching.values() if len(numbers) > 1]
    if not several:
        return tree
    # Mostly the last is the one that stands for the article; not where an import brought older ones, or a later capture
    # gave less of the text.
    older = {number for number, _ in engine.numbers(query.conjunction((tree, _OLDER)))}
    hidden = set[int]()
    for numbers in several:
        shown = next((number for number in numbers if number not in older), numbers[-1])
        hidden.update(number for number in numbers if number != shown)
    return query.conjunction((tree, query.Not(_naming(older, hidden))))


def one_a_story(engine: Engine, tree: query.Query, stories: Stories) -> query.Query:
    """The tree narrowed to one article of each story: the one that was captured first of those that match."""
    numbers = [number for number, _ in engine.numbers(tree)]  # in order of number
    story_of = stories(numbers)
    shown: set[int] = set()
    hidden: list[int] = []
    for number in numbers:
        story = story_of.get(number)
        if story is None:
            continue
        if story in shown:
            hidden.append(number)
        shown.add(story)
    return query.conjunction((tree, query.Not(query.AnyOf("number", tuple(hidden))))) if hidden else tree


def _naming(older: set[int], hidden: set[int]) -> query.Query:
    """A short condition that of the documents that match holds for these: mostly all the `older` versions of them."""
    if len(hidden) > FEW:
        kept = older - hidden
        if hidden <= older and len(kept) < len(hidden):
            return query.And((_OLDER, query.Not(query.AnyOf("number", tuple(sorted(kept))))))
    return query.AnyOf("number", tuple(sorted(hidden)))


def filtered(tree: query.Query, filters: Filters, *, today: date | None = None) -> query.Query:
    """The tree with the filters joined to it. Raises QueryError, with the filter's name, for one that holds no date, or
    a value that nothing can have."""
    if filters == Filters():
        return tree
    now = today or datetime.now(UTC).date()
    conditions = [tree]
    for field in ("source", "language", "tag", "kind"):
        if wanted := getattr(filters, field):
            conditions.append(query.AnyOf(field, tuple(_value(field, field, text) for text in wanted)))
        if unwanted := getattr(filters, f"not_{field}"):
            values = tuple(_value(field, f"not_{field}", text) for text in unwanted)
            conditions.append(query.Not(query.AnyOf(field, values)))
    if filters.author:  # a condition, without a score
        conditions.append(query.Not(query.Not(query.disjunction(_author("author", name) for name in filters.author))))
    if filters.not_author:
        conditions.append(query.Not(query.disjunction(_author("not_author", name) for name in filters.not_author)))
    return query.conjunction((*conditions, *_published(filters.since, filters.until, now)))


def _value(field: str, option: str, text: str) -> str:
    try:
        if field in ("language", "kind"):  # few values are any
            from muniment.search import conditions

            conditions.check_value(field, text, 0)
        return words.stored_value(field, text)
    except words.Refusal as e:
        raise QueryError(e.message.replace(f"{field}:", ""), option=option) from None


def _author(option: str, name: str) -> query.Query:
    try:
        found = words.phrase(words.Typed("author", name, 0), 1)
    except words.Refusal as e:
        raise QueryError(e.message, option=option) from None
    if found is None:
        raise QueryError("an author is given by a word of the name at least", option=option)
    return found


def _published(since: str | None, until: str | None, today: date) -> Sequence[query.Query]:
    first = dates.number(_interval("since", since, today)[0]) if since is not None else None
    last = dates.number(_interval("until", until, today)[1]) if until is not None else None
    if first and last and first > last:
        raise QueryError(f"{since} is after {until}: this range ends before it begins, swap its ends", option="since")
    return [dates.published(first, last)] if first or last else []


def _interval(option: str, text: str, today: date) -> dates.Interval:
    try:
        return dates.interval(text, today)
    except ValueError as e:
        raise QueryError(str(e), option=option) from None
