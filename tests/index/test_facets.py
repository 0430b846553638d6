"""Facets: each engine counts what looking at every document counts."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import index_examples as examples
import index_oracle as oracle
import pytest

from muniment.errors import UsageError
from muniment.index import query
from muniment.index.engine import Document, Engine, open_engine
from muniment.index.facets import FACETS, Counts, Facet, check_facets, counts_of_values, with_empty
from muniment.search import results
from muniment.search.results import Page
from muniment.search.selecting import without_own

LANGUAGES = ["", "en", "fa", "fr", "ja"]
OWN: dict[str, list[query.Query]] = {
    "source": [query.Term("source", "example.org"), query.AnyOf("source", ("le cafe", "خبر")),
               query.Not(query.Term("source", "example.org")), query.Not(query.Term("source", "")),
               query.Or((query.Term("source", "le cafe"), query.Prefix("source", "n")))],
    "language": [query.Term("language", "en"), query.Not(query.AnyOf("language", ("fa", "ja")))],
    "tag": [query.Term("tag", "war"), query.Not(query.Term("tag", "peace"))],
    "kind": [query.Term("kind", "upload"), query.Not(query.AnyOf("kind", ("page", "mail")))],
    "author": [query.Phrase("author", ("jane", "roe")), query.Not(query.Not(query.Term("author", "doe")))],
    "year": [query.Range("last_day", 20190501, None), query.Range("first_day", None, 20191231),
             query.Not(query.And((query.Range("last_day", 20200101), query.Range("first_day", None, 20201231))))],
}  # fmt: skip


@pytest.fixture(scope="module", params=["tantivy", "whoosh"])
def index(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine(request.param, tmp_path_factory.mktemp("index"), create=True) as opened:
        for start in (0, 60, 110):
            opened.add(DOCUMENTS[start : start + 60])
            opened.commit(start)
        yield opened


def versions(count: int) -> list[Document]:
    """Articles of one to three versions each, in no tidy order."""
    rng, made, number = random.Random(5), list[Document](), 0
    for article in range(count):
        several = rng.choice((1, 1, 2, 3))
        for version in range(several):
            random_one = examples.document(number, rng)
            fields: dict[str, Any] = {name: getattr(random_one, name) for name in random_one.__match_args__}
            fields |= {"article": f"article-{article}", "latest": version == several - 1, "alone": several == 1}
            made.append(Document(**fields))
            number += 1
    return made


DOCUMENTS = versions(90)
ANALYSED = [oracle.analysed(document) for document in DOCUMENTS]


def shown(tree: query.Query, *, every_version: bool) -> list[Document]:
    """What a search shows: of each article its newest version where that matches, else the newest that does."""
    wanted = oracle.matching(tree, ANALYSED, LANGUAGES)
    found = [d.document for d in ANALYSED if d.document.number in wanted]
    if every_version:
        return found
    newest: dict[str, Document] = {}
    for document in found:
        newest[document.article] = document  # in order of number
    return list(newest.values())


def as_counter(counts: Counts) -> Counter[str | None]:
    return Counter({facet.value: facet.count for facet in counts.values + counts.coarse if facet.count}) + Counter(
        {None: counts.unknown}
    )


def test_random_trees_give_the_facets_that_brute_force_counts(index: Engine) -> None:
    rng = random.Random(11)
    told = 0
    for _ in range(150):
        tree = examples.tree(rng)
        wanted = oracle.matching(tree, ANALYSED, LANGUAGES)
        documents = [d.document for d in ANALYSED if d.document.number in wanted]
        expected = {name: oracle.facet(name, documents) for name in FACETS}
        beside = index.search(tree, limit=1, facets=FACETS, facet_limit=3).facets
        alone = index.facets(tree, FACETS, 3)
        assert beside == alone
        for name, counts in alone.items():
            every = index.facets(tree, [name], 1000)[name]
            assert as_counter(every) == expected[name], (name, tree)
            if name in ("year", "month"):
                assert counts == every and (every.more, every.rest) == (0, 0)
                assert list(every.values) == sorted(every.values)
                continue
            known = [(value, count) for value, count in expected[name].items() if value is not None]
            ordered = sorted(known, key=lambda pair: (-pair[1], pair[0]))
            assert list(counts.values) == ordered[:3], (name, tree)
            assert (counts.more, counts.rest) == (len(ordered[3:]), sum(count for _, count in ordered[3:]))
            told += counts.more > 0
    assert told > 50, "some facets must be cut, or nothing is shown of it"


@pytest.mark.parametrize("every_version", [False, True])
def test_a_facet_is_counted_without_its_own_conditions(index: Engine, every_version: bool) -> None:
    rng = random.Random(3)
    wider = 0
    for _ in range(60):
        base = examples.leaf(rng)
        while any(leaf.field in (*OWN, "first_day", "last_day") for leaf in leaves(base)):
            base = examples.leaf(rng)
        own = {name: rng.sample(OWN[name], rng.choice((0, 1, 1, 2))) for name in rng.sample(list(OWN), 3)}
        whole = query.conjunction((base, *(part for parts in own.values() for part in parts)))
        page = Page(facets=("source", "year", "language", "tag", "author", "kind"), facet_limit=1000)
        made = results.search(index, whole, page, versions=every_version)
        assert made.total == len(shown(whole, every_version=every_version)), whole
        for name, counts in made.facets.items():
            rest = query.conjunction((base, *(part for kind, parts in own.items() if kind != name for part in parts)))
            expected = oracle.facet(name, shown(rest, every_version=every_version))
            assert as_counter(counts) == expected, (name, whole)
            wider += expected.total() > made.total
    assert wider > 60


def leaves(tree: query.Query) -> list[query.Leaf]:
    return list(query.positive_leaves(tree))


def test_months_are_those_of_the_years_that_were_asked_for(index: Engine) -> None:
    words = query.Term("language", "en")
    for condition, years in (
        ((query.Range("last_day", 20190530), query.Range("first_day", None, 20190530)), ("2019",)),
        ((query.Range("last_day", 20181231, None, False), query.Range("first_day", None, 20200301)), ("2019", "2020")),
        ((query.Range("first_day", None, 20200101, True, False),), ("2018", "2019")),
        ((query.Not(query.Range("first_day", 20190501, 20190531)),), ("2018", "2019", "2020", "2021", None)),
    ):
        tree = query.conjunction((words, *condition))
        found = [d for d in shown(words, every_version=True) if (d.published and d.published[:4]) in years]
        documents = {d.article: d for d in found}.values()
        counts = results.search(index, tree, Page(facets=("month",))).facets["month"]
        assert as_counter(counts) == oracle.facet("month", documents), condition
        assert counts.coarse and all(len(facet.value) == 4 for facet in counts.coarse)


def test_a_condition_inside_an_alternative_is_no_filter_of_a_facet() -> None:
    word, source = query.Term("words", "a"), query.Term("source", "b")
    for tree in (query.Or((word, source)), query.Not(query.Or((word, source))), word, query.Everything(),
                 query.And((word, query.Or((source, query.Not(word)))))):  # fmt: skip
        assert without_own(tree, "source") is tree
    assert without_own(source, "source") == query.Everything()
    assert without_own(query.And((word, query.Not(source))), "source") == word
    assert without_own(query.And((word, query.Not(source))), "tag") == query.And((word, query.Not(source)))


def test_a_story_is_counted_once_without_a_facets_own_condition_too(index: Engine) -> None:
    stories = {d.number: d.number % 7 for d in DOCUMENTS if d.number % 3}
    tree = query.Term("source", "example.org")

    def once(documents: list[Document]) -> list[Document]:
        seen, kept = set[int](), list[Document]()
        for document in sorted(documents, key=lambda d: d.number):
            story = stories.get(document.number)
            if story is None or story not in seen:
                kept.append(document)
                seen |= set() if story is None else {story}
        return kept

    page = Page(facets=("source", "language"))
    made = results.search(index, tree, page, stories=lambda numbers: {n: stories[n] for n in numbers if n in stories})
    assert made.total == len(once(shown(tree, every_version=False)))
    assert as_counter(made.facets["source"]) == oracle.facet(
        "source", once(shown(query.Everything(), every_version=False))
    )
    assert as_counter(made.facets["language"]) == oracle.facet("language", once(shown(tree, every_version=False)))


def test_empty_years_and_months_stand_between_the_first_and_the_last(index: Engine) -> None:
    facets = results.search(index, query.Everything(), Page(facets=("year", "month"))).facets
    assert [facet.value for facet in facets["year"].values] == ["2018", "2019", "2020", "2021"][
        int(facets["year"].values[0].value) - 2018 :
    ]
    months = facets["month"]
    assert months.values[0].value == "2019-05" and months.values[-1].value == "2021-07"
    assert len(months.values) == 27 and months.values[1] == Facet("2019-06", 0)
    last = results.search(index, query.Everything(), Page(facets=("month",), facet_limits={"month": 12})).facets[
        "month"
    ]
    assert last.values == months.values[-12:]
    before = [facet.count for facet in months.values[:-12] if facet.count]
    assert (last.more, last.rest) == (len(before), sum(before)) == (4, 46)


def test_a_gap_of_centuries_is_not_filled() -> None:
    counts = Counts((Facet("0001", 1), Facet("1899", 1), Facet("1999", 2)))
    assert len(with_empty("year", counts).values) == 102
    months = Counts((Facet("0001-12", 1), Facet("1998-12", 1), Facet("1999-02", 2)))
    assert [facet.value for facet in with_empty("month", months).values] == ["0001-12", "1998-12", "1999-01", "1999-02"]


def test_each_facet_may_have_a_limit_of_its_own(index: Engine) -> None:
    page = Page(facets=("source", "tag"), facet_limit=1, facet_limits={"source": 3})
    facets = results.search(index, query.Everything(), page).facets
    whole = results.search(index, query.Everything(), Page(facets=("source", "tag"))).facets
    assert facets["source"] == whole["source"].cut(3) and facets["source"].more == 1
    assert facets["tag"] == whole["tag"].cut(1) and facets["tag"].more == 3


def test_a_wrong_name_is_answered_with_a_proposal(index: Engine) -> None:
    for wrong, near in (("sourse", "source"), ("Years", "year"), ("lang", "language"), ("tags", "tag")):
        with pytest.raises(UsageError, match=f"no facet '{wrong}' .did you mean '{near}'?"):
            check_facets([wrong])
    with pytest.raises(UsageError, match="no facet 'colour': choose from source, year"):
        index.facets(query.Everything(), ["colour"])


@pytest.mark.parametrize("name", ["tantivy", "whoosh"])
def test_values_of_any_letters_are_counted_as_they_are_written(name: str, tmp_path: Path) -> None:
    values = ("a\x1fb", "a", "A", "\x00", "ÿ", "\U0001f5de", "خبر\u200cگزاری", " a ", "x" * 5_000)
    with open_engine(name, tmp_path, create=True) as opened:
        opened.add(
            Document(n, f"{n}", True, "", "", examples.START, source=value, tags=values[:n], authors=(value,))
            for n, value in enumerate(values)
        )
        opened.commit(1)
        counts = opened.facets(query.Everything(), ["source", "tag", "author"], 100)
    assert {facet.value: facet.count for facet in counts["tag"].values} == {
        value: len(values) - n for n, value in enumerate(values[:-1], 1)
    }
    for facet in ("source", "author"):
        assert {value.value: value.count for value in counts[facet].values} == dict.fromkeys(values, 1)


@pytest.mark.parametrize("limit", [0, 1, 3, 10, 1000])
def test_the_most_frequent_of_many_values_are_listed_and_the_others_counted(limit: int) -> None:
    rng = random.Random(limit)
    for _ in range(60):
        names = rng.sample(["", *map(str, range(60))], rng.randrange(40))
        counts = [(name, rng.randrange(1, 6)) for name in names]
        ordered = sorted(((-count, name) for name, count in counts if name))
        listed = tuple(Facet(name, -count) for count, name in ordered[:limit])
        rest = -sum(count for count, _ in ordered[limit:])
        expected = Counts(listed, max(0, len(ordered) - limit), rest, dict(counts).get("", 0))
        assert counts_of_values(iter(counts), limit) == expected
