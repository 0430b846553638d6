"""Query text -> the typed tree -> the engine -> hits, with what the catalog says of them and their passages."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from muniment.answering import opened
from muniment.archive.archive import Archive
from muniment.errors import IndexBehind, IntegrityError, QueryError

if TYPE_CHECKING:
    from datetime import date

    from muniment.index.engine import Engine, Hit, Sort, Weight
    from muniment.index.facets import Counts
    from muniment.index.query import Query
    from muniment.search.results import Filters, Page
    from muniment.search.scores import Form
    from muniment.search.snippets import Snippet
    from muniment.snapshot import Snapshot

GROUP = 200  # hits that are looked up at once


class Search(NamedTuple):
    """A search as it is asked for. An empty `text` with filters lists all that passes them; `limit` None gives every
    hit; `facets` are names of index.facets.FACETS, `facet_limit` and `facet_limits` as of search.results.Page. With
    `collapse` a story that several tell is one hit. With `sentence` the text is no query but a
    sentence, any of whose words will do; with `recent` newer articles are raised. `within` is a further condition."""

    text: str
    filters: Filters | None = None
    sort: Sort = "relevance"
    limit: int | None = 10
    offset: int = 0
    facets: Sequence[str] = ()
    facet_limit: int = 10
    facet_limits: Mapping[str, int] = {}
    versions: bool = False
    collapse: bool = False
    snippets: bool = True
    sentence: bool = False
    recent: bool = False
    within: Query | None = None
    explain: bool = False


class Found(NamedTuple):
    """One hit: the snapshot, its score (None where hits are in another order), the passage that matches, how many
    versions its article has; `damage` says why there is no passage where the text is not what was logged. `passage_of`
    is the number of the earlier version that the passage is of, where `removed:` found it; `also_in` are the other
    sources that tell the same story, `parts` what makes the score, where that was to be explained."""

    snapshot: Snapshot
    score: float | None
    snippet: Snippet | None
    versions: int
    damage: str | None = None
    passage_of: int | None = None
    also_in: Sequence[str] = ()
    parts: Sequence[Weight] = ()


class Results(NamedTuple):
    """What was found, and in how much of the archive: the index holds `indexed` of `articles` articles. `suggestions`
    are queries that may have been meant, where next to nothing was found; `forms` what the words were looked for as,
    where that was to be explained; `left_out` the words of a sentence that say too little to be looked for."""

    search: Search
    tree: Query
    total: int
    hits: Sequence[Found]
    facets: Mapping[str, Counts]
    articles: int
    indexed: int
    log_size: int
    took: float
    suggestions: Sequence[str] = ()
    forms: Sequence[Form] = ()
    left_out: Sequence[str] = ()


def find(archive: Archive, search: Search) -> Results:
    """Search the archive. Raises QueryError; IndexBehind where there is no index that could answer.

    An index that lacks articles catches up first; where it cannot (another process is at it), the results say so.
    """
    from muniment.search.results import search as run

    begun = time.perf_counter()
    asked = tree_of(archive, search)
    with opened(archive, asked, search.text) as (engine, tree, indexed):
        tree, asked = _spelled(engine, tree, asked)
        page = _page(search, max(1, engine.count()) if search.limit is None else search.limit, search.offset)
        hits = run(engine, tree, page, versions=search.versions, stories=_stories(archive) if search.collapse else None)
        meant = _suggestions(engine, search, hits.total)
        forms = _forms(engine, tree) if search.explain else ()
        parts = _parts(engine, tree, hits.hits, recent=search.recent) if search.explain else {}
    found = list(described(archive, search, tree, iter(hits.hits)))
    if parts:
        found = [hit._replace(parts=parts.get(hit.snapshot.number, ())) for hit in found]
    return Results(
        search, asked, hits.total, found, hits.facets, archive.articles, indexed, archive.size,
        time.perf_counter() - begun, meant, forms, _left_out(search),
    )  # fmt: skip


def _spelled(engine: Engine, tree: Query, asked: Query) -> tuple[Query, Query]:
    """Both with the words as the languages of the index write them; mostly they are the same."""
    from muniment.search.words import spelled_in

    spelled = spelled_in(tree, engine.languages())
    return spelled, spelled if asked is tree else spelled_in(asked, engine.languages())


def _suggestions(engine: Engine, search: Search, total: int) -> Sequence[str]:
    if total > 2 or search.within is not None or not engine.count():
        return ()
    from muniment.proposing import suggestions

    return suggestions(engine, search.text, search.filters, total, sentence=search.sentence)


def _forms(engine: Engine, tree: Query) -> Sequence[Form]:
    from muniment.search import scores

    return scores.forms(engine, tree)


def _parts(engine: Engine, tree: Query, hits: Sequence[Hit], *, recent: bool) -> Mapping[int, Sequence[Weight]]:
    from muniment.search import scores

    rest = "published lately" if recent else None
    return {hit.number: scores.parts(engine, tree, hit.number, hit.score, rest) for hit in hits if hit.score}


@contextmanager
def find_all(archive: Archive, search: Search) -> Iterator[tuple[Results, Iterator[Found]]]:
    """As `find`, with no hits in the results: all of them come from the iterator, a group at a time, however many.

    They are of the moment when the search began, whatever is added meanwhile.
    """
    from muniment.search.results import search_all

    begun = time.perf_counter()
    asked = tree_of(archive, search)
    with opened(archive, asked, search.text) as (engine, tree, indexed):
        tree, asked = _spelled(engine, tree, asked)
        stories = _stories(archive) if search.collapse else None
        counted, hits = search_all(engine, tree, _page(search, 0, 0), versions=search.versions, stories=stories)
        meant = _suggestions(engine, search, counted.total)
        forms = _forms(engine, tree) if search.explain else ()
        results = Results(
            search, asked, counted.total, (), counted.facets, archive.articles, indexed, archive.size,
            time.perf_counter() - begun, meant, forms, _left_out(search),
        )  # fmt: skip
        found = described(archive, search, tree, islice(hits, search.offset, None))
        yield results, _with_parts(engine, tree, found, recent=search.recent) if search.explain else found


def _with_parts(engine: Engine, tree: Query, found: Iterator[Found], *, recent: bool) -> Iterator[Found]:
    """The hits with what makes their scores, each worked out when it is its turn."""
    from muniment.index.engine import Hit

    for hit in found:
        number = hit.snapshot.number
        yield hit._replace(parts=_parts(engine, tree, [Hit(number, hit.score or 0.0)], recent=recent).get(number, ()))


def _left_out(search: Search) -> Sequence[str]:
    if not search.sentence or not search.text.strip():
        return ()
    from muniment.index.stemming import language_tag
    from muniment.search import language

    return language.left_out(search.text, tuple(map(language_tag, search.filters.language if search.filters else ())))


def _page(search: Search, limit: int, offset: int) -> Page:
    from muniment.search.results import Page

    today = _today() if search.recent else None
    return Page(limit, offset, search.sort, tuple(search.facets), search.facet_limit, search.facet_limits, today)


def described(archive: Archive, search: Search, tree: Query, hits: Iterator[Hit]) -> Iterator[Found]:
    """The hits with what the catalog says of them, and their passages."""
    while group := list(islice(hits, GROUP)):
        held = {snapshot.number: snapshot for snapshot in archive.catalog.snapshots([hit.number for hit in group])}
        if lacking := [hit.number for hit in group if hit.number not in held]:
            raise IndexBehind(f"the index names #{lacking[0]}, which the log does not hold: run `muniment reindex`")
        versions = archive.catalog.version_counts([snapshot.key for snapshot in held.values()])
        sources = _also_in(archive, list(held.values())) if search.snippets else {}
        for hit in group:
            snapshot, passage, damage, of = held[hit.number], None, None, None
            try:
                if search.snippets:
                    passage, of = _snippet(archive, snapshot, tree)
            except IntegrityError as e:
                damage = str(e)
            also_in = sources.get(hit.number, ())
            if snapshot.withdrawn is not None:
                from muniment import withdrawn

                snapshot = replace(snapshot, source=withdrawn.source(archive, snapshot))
            score = hit.score if search.sort == "relevance" else None
            yield Found(snapshot, score, passage, versions.get(snapshot.key, 1), damage, of, also_in)


def _stories(archive: Archive) -> Callable[[Collection[int]], Mapping[int, int]]:
    from muniment.alike import stories_of

    return stories_of(archive)


def _also_in(archive: Archive, snapshots: Sequence[Snapshot]) -> dict[int, tuple[str, ...]]:
    from muniment.alike import also_in

    return also_in(archive, snapshots)


def tree_of(archive: Archive, search: Search) -> Query:
    """What is asked for. Without words, everything that passes the filters. An address alone stands for the article
    that is there, and for those that mention it."""
    from muniment.index.query import Everything, conjunction
    from muniment.index.stemming import language_tag
    from muniment.search import language
    from muniment.search.results import Filters, filtered

    if search.within is not None:
        return conjunction((tree_of(archive, search._replace(within=None)), search.within))
    filters = search.filters or Filters()
    if search.sentence and search.text.strip():
        return filtered(language.any_of(search.text, tuple(map(language_tag, filters.language))), filters)
    if search.text.strip():
        if address := _as_address(search.text.strip()):
            return filtered(_at_address(archive, address), filters)

        def article_at(address: str) -> Query:
            return _article_at(archive, address)

        tree = language.parse(search.text, lookup=archive.catalog.in_state, article_at=article_at)
        return filtered(tree, filters)
    if filters == Filters():
        raise QueryError("there is nothing to search for: give words, a field such as source:example.org, or a filter")
    return filtered(Everything(), filters)


def check_query(text: str) -> None:
    """Raises QueryError where `tree_of` would for this text without filters, in whichever archive."""
    from muniment.index.query import Everything
    from muniment.search import language

    if not _as_address(text.strip()):
        language.parse(text, lookup=lambda state: (), article_at=lambda address: Everything())


def indexed_tree_of(archive: Archive, search: Search) -> Query:
    """As `tree_of`, for those who ask the index of articles themselves. Raises QueryError for `is:withdrawn`."""
    from muniment.index.query import leaves

    tree = tree_of(archive, search)
    if any(leaf.field == "is" for leaf in leaves(tree)):
        from muniment import withdrawn

        message = "is:withdrawn can be asked in `muniment search` by itself only: its words are gone"
        raise QueryError(message, search.text, withdrawn.place_in(search.text))
    return tree


def _today() -> date:
    from datetime import UTC, datetime

    return datetime.now(UTC).date()


def _as_address(text: str) -> str | None:
    """The address that a query is, alone; it may lack its beginning: example.org/story."""
    import re

    if text.startswith(("http://", "https://")) and len(text.split()) == 1:
        return text
    return f"http://{text}" if re.fullmatch(r"(?:[\w-]+\.)+[^\W\d_]{2,}/[^\s\"*()]+", text) else None


def _at_address(archive: Archive, address: str) -> Query:
    """The article at an address, and what mentions it."""
    from muniment.index.query import Or
    from muniment.search import language

    at = _article_at(archive, address)
    try:
        return Or((at, language.parse(address)))
    except QueryError:  # signs of the language stand in it
        return at


def _article_at(archive: Archive, address: str) -> Query:
    from muniment.index.engine import article_id
    from muniment.index.query import AnyOf
    from muniment.ingest.urls import article_key

    return AnyOf("article", (article_id(archive.catalog.article_at(article_key(address))),))


def _snippet(archive: Archive, snapshot: Snapshot, tree: Query) -> tuple[Snippet, int | None]:
    """The passage that matches, and of which earlier version it is where it was removed since."""
    from muniment.search.snippets import asks_for, snippet

    if asks_for(tree, "removed"):
        numbers = [number for number, _, _ in archive.catalog.versions(snapshot.key)]
        for number in reversed(numbers[: numbers.index(snapshot.number)] if snapshot.number in numbers else ()):
            passage = snippet(archive.text(archive.snapshot(number)), tree, snapshot.language, field="removed")
            if any(match for _, match in passage.pieces):
                return passage, number
    return snippet(archive.text(snapshot), tree, snapshot.language), None
