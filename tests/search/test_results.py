"""Filters, and one hit for each article, on every engine."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from muniment import indexing
from muniment.errors import QueryError
from muniment.index import query
from muniment.index.engine import Document, Engine, open_engine
from muniment.search import results
from muniment.search.language import parse
from muniment.search.results import Filters, Page, filtered


@pytest.fixture(params=["tantivy", "whoosh"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with open_engine(request.param, tmp_path / "index", create=True) as opened:
        yield opened


def document(number: int, article: str, text: str, *, latest: bool = True, **fields: Any) -> Document:
    return Document(number, article, latest, "", text, datetime(2026, 1, 1, tzinfo=UTC), **fields)


def found(index: Engine, text: str, *, versions: bool = False, filters: Filters = Filters()) -> list[int]:  # noqa: B008
    tree = filtered(parse(text), filters, today=date(2026, 11, 22))
    page = Page(limit=100, sort="captured")
    return sorted(hit.number for hit in results.search(index, tree, page, versions=versions).hits)


def test_an_article_shows_its_newest_version_that_matches(index: Engine) -> None:
    index.add(
        [
            document(1, "edited", "blood and regime", latest=False),
            document(2, "edited", "regime and words", latest=False),
            document(3, "edited", "words only"),
            document(4, "single", "blood words", alone=True),
        ]
    )
    index.commit(1)
    assert found(index, "words") == [3, 4]
    assert found(index, "words", versions=True) == [2, 3, 4]
    assert found(index, "regime") == [2], "words that were edited away are found in the newest version that has them"
    assert found(index, "blood") == [1, 4]
    assert found(index, "blood OR words") == [3, 4]
    assert found(index, "-blood") == [3]


def test_totals_and_facets_count_articles_and_not_versions(index: Engine) -> None:
    index.add(
        [
            document(1, "a", "word", latest=False, source="Old"),
            document(2, "a", "word", source="New"),
            document(3, "b", "word", latest=False, source="Old"),
            document(4, "b", "other", source="New"),
        ]
    )
    index.commit(1)
    page = Page(facets=("source",))
    shown = results.search(index, parse("word"), page)
    assert shown.total == 2
    assert list(shown.facets["source"].values) == [("New", 1), ("Old", 1)]
    assert results.search(index, parse("word"), page, versions=True).total == 3


def test_collapsing_many_articles_is_exact(index: Engine) -> None:
    rng = random.Random(3)
    made, number = [], 0
    expected: dict[str, dict[str, int]] = {word: {} for word in ("one", "two", "three")}
    for article in range(120):
        versions = rng.choice((1, 1, 2, 3))
        for version in range(versions):
            number += 1
            text = [word for word in expected if rng.random() < 0.7]
            for word in text:
                expected[word][f"article {article}"] = number
            latest = version == versions - 1
            made.append(
                document(number, f"article {article}", " ".join(text), latest=latest, alone=latest and versions == 1)
            )
    index.add(made)
    index.commit(1)
    for word, newest in expected.items():
        assert found(index, word) == sorted(newest.values())


def test_filters_join_values_of_a_kind_by_or_and_kinds_by_and(index: Engine) -> None:
    index.add(
        [
            document(1, "1", "word", source="Le Café", language="fr", tags=("War",), published="2019"),
            document(2, "2", "word", source="Example.org", language="en", tags=("peace",), published="2020-05"),
            document(
                3, "3", "word", source="Example.org", language="fr", tags=("War", "peace"), published="2021-05-30"
            ),
            document(4, "4", "word"),
        ]
    )
    index.commit(1)
    assert found(index, "word", filters=Filters(source=("le cafe", "EXAMPLE.org"))) == [1, 2, 3]
    assert found(index, "word", filters=Filters(source=("example.org",), language=("fr-FR", "fa"))) == [3]
    assert found(index, "word", filters=Filters(tag=("war", "peace"), language=("en",))) == [2]
    assert found(index, "word", filters=Filters(since="2020")) == [2, 3]
    assert found(index, "word", filters=Filters(until="2019-06")) == [1], "it may have been published in June"
    assert found(index, "word", filters=Filters(since="2019-12-31", until="2020-05-01")) == [1, 2]
    assert found(index, "word", filters=Filters(since="yesterday")) == []
    assert found(index, "word -published:*") == [4]
    assert found(index, "source:* -language:fr") == [2]


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        (Filters(since="soon"), "'soon' is no date"),
        (Filters(until="2021-13"), "there is no date"),
        (Filters(source=(" ",)), "a value is missing"),
    ],
)
def test_wrong_filters_are_refused(filters: Filters, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        filtered(query.Everything(), filters)


@pytest.mark.parametrize(
    ("published", "condition"),
    [
        ("2021", "published:2021-05"),
        ("2021-05", "published:2021"),
        ("2021-05-30", "published:2021-05"),
        ("2021", "before:2021-06"),
        ("2021", "after:2021-06"),
        ("2021-05-30", "2021-05-30..2021-05-30"),
    ],
)
def test_a_date_matches_where_the_intervals_overlap(index: Engine, published: str, condition: str) -> None:
    index.add([document(1, "1", "word", published=published), document(2, "2", "word")])
    index.commit(1)
    assert found(index, condition) == [1]
    assert found(index, f"NOT {condition}") == [2]


@pytest.mark.parametrize("condition", ["before:2021", "after:2021", "published:{2021 TO]", "2022..", "..2020"])
def test_a_date_does_not_match_where_they_do_not(index: Engine, condition: str) -> None:
    index.add([document(1, "1", "word", published="2021-05")])
    index.commit(1)
    assert found(index, condition) == []


def test_a_star_alone_is_whatever_is_known(index: Engine) -> None:
    index.add([document(1, "1", "word", authors=("Ann",)), document(2, "2", "")])
    index.commit(1)
    for field in ("author", "text"):
        assert found(index, f"{field}:*") == [1]
        assert found(index, f"-{field}:*") == [2]
    assert found(index, "title:*") == []


def test_a_compound_with_a_non_joiner_is_found_in_other_forms(index: Engine) -> None:
    texts = ["دانش‌آموزان", "دانش آموزان", "دانشآموز", "آموز و دانش", "دانش"]
    index.add(document(n, str(n), text, language="fa") for n, text in enumerate(texts))
    index.commit(1)
    assert found(index, "دانش‌آموز") == [0, 1, 2, 3]
    assert found(index, "دانش آموز") == [0, 1, 3]
    assert found(index, "دانشآموز") == [0, 2]
    assert found(index, "title:دانشآموز OR exact:دانشآموز") == [2]


def test_a_host_is_found_with_and_without_what_stands_before_it(index: Engine) -> None:
    hosts = indexing.hosts_of("https://www.example.org/a"), indexing.hosts_of("https://example.org/a")
    index.add(document(n, str(n), "word", hosts=named) for n, named in enumerate(hosts))
    index.commit(1)
    assert found(index, "site:www.example.org") == [0]
    assert found(index, "site:example.org") == [0, 1]
