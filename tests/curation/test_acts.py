"""Tags, notes, names of sources and collections are leaves: the index follows them, and a rebuild loses none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from muniment import curating, pipeline
from muniment.archive.archive import Archive, rebuild
from muniment.archive.config import read_config
from muniment.archive.verify import Request, Verification
from muniment.cli.hits import csv_lines, hit_as_json
from muniment.errors import QueryError, UsageError
from muniment.model import Article
from tests.conftest import download

TABLES = ("leaf", "article", "act", "label", "source", "touched", "tombstone", "stamp", "progress", "record")


def add(root: Path, url: str, body: bytes, *, source: str | None = None, key: str | None = None) -> int:
    """An article at a URL; returns its snapshot's number."""
    host = url.split("/")[2].removeprefix("www.")
    with Archive(root) as archive, archive.writer() as writer:
        facts = [("articleKey", key or url), ("articleUrl", url)]
        added = writer.add_capture(download(url, body), facts)
        name = source or writer.catalog.source_name(host) or host
        writer.add_article(Article(body.decode(), f"The text is {body.decode()}."), added.number, url, source=name)
        writer.commit()
    return added.number


def numbers(root: Path, text: str, **options: bool) -> list[int]:
    with Archive(root) as archive:
        return sorted(hit.snapshot.number for hit in pipeline.find(archive, pipeline.Search(text, **options)).hits)


def rows(root: Path) -> dict[str, list[tuple[object, ...]]]:
    with Archive(root) as archive:
        return {name: sorted(archive.catalog._db.execute(f"select * from {name}"), key=str) for name in TABLES}


def findings(root: Path) -> list[object]:
    return list(Verification(root, read_config(root), Request()).run())


@pytest.fixture(params=["tantivy", "whoosh"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pair(root: Path, engine: str) -> tuple[Path, int, int, int]:
    """Two articles of one host, the first in two versions: the archive, first, second version, the other."""
    first = add(root, "https://example.org/a", b"one", key="a")
    with Archive(root) as archive:
        pipeline.reindex(archive, engine, lambda reached: None)
    other = add(root, "https://www.example.org/b", b"two")
    return root, first, add(root, "https://example.org/a", b"three", key="a"), other


def test_a_tag_is_on_every_version_of_the_article_also_on_those_to_come(pair: tuple[Path, int, int, int]) -> None:
    root, first, second, other = pair
    with Archive(root) as archive:
        curating.tag(archive, first, ["urgent", "  to   check "], [])
    assert numbers(root, "tag:urgent", versions=True) == [first, second]
    assert numbers(root, 'tag:"to check"') == [second]
    third = add(root, "https://example.org/a", b"four", key="a")
    assert numbers(root, "tag:urgent", versions=True) == [first, second, third]
    with Archive(root) as archive:
        curating.tag(archive, second, ["seen"], ["urgent"])
        assert archive.snapshot(third).tags == ("to check", "seen")
        assert archive.snapshot(other).tags == ()
    assert numbers(root, "tag:urgent", versions=True) == []
    assert numbers(root, "tag:seen", versions=True) == [first, second, third]


def test_a_declared_tag_can_be_taken_off_and_stays_off(root: Path) -> None:
    for body in (b"one", b"two"):
        with Archive(root) as archive, archive.writer() as writer:
            added = writer.add_capture(download("https://example.org/a", body), [("articleKey", "a")])
            writer.add_article(Article("t", "text"), added.number, "https://example.org/a", tags=["wrong", "right"])
            writer.commit()
        with Archive(root) as archive:
            curating.tag(archive, added.number, [], ["wrong"])
            assert archive.snapshot(added.number).tags == ("right",)


def test_a_source_is_called_by_its_name_before_and_after_and_declared_names_stay(
    pair: tuple[Path, int, int, int],
) -> None:
    root, _, second, other = pair
    declared = add(root, "https://example.org/c", b"declared", source="Another Name")
    elsewhere = add(root, "https://example.net/d", b"elsewhere")
    with Archive(root) as archive:
        curating.name_source(archive, "EXAMPLE.org", "Example  Times")
        assert archive.catalog.source_names() == {"example.org": "Example Times"}
    assert numbers(root, 'source:"Example Times"') == sorted([second, other])
    later = add(root, "https://example.org/e", b"later")
    with Archive(root) as archive:
        curating.name_source(archive, "www.example.org", "The Times")
    assert numbers(root, 'source:"The Times"') == sorted([second, other, later])
    assert numbers(root, 'source:"Example Times"') == []
    assert numbers(root, 'source:"Another Name"') == [declared]
    assert numbers(root, "source:example.net") == [elsewhere]


def test_a_collection_holds_articles_and_gives_them_back(pair: tuple[Path, int, int, int]) -> None:
    root, first, second, other = pair
    with Archive(root) as archive:
        curating.collect(archive, "The  War", [first, other], [])
        assert archive.catalog.collections() == {"The War": 2}
    assert numbers(root, 'collection:"the war"') == sorted([second, other])
    with Archive(root) as archive:
        curating.collect(archive, "The War", [], [other])
        assert archive.catalog.collections() == {"The War": 1}
        assert archive.snapshot(second).collections == ("The War",)
    assert numbers(root, 'collection:"the war"') == [second]


def test_a_rebuild_loses_nothing_of_what_was_said(pair: tuple[Path, int, int, int]) -> None:
    root, first, second, other = pair
    with Archive(root) as archive:
        curating.tag(archive, first, ["urgent"], [])
        curating.note(archive, other, "seen by two of us,\non paper")
        curating.name_source(archive, "example.org", "Example Times")
        curating.collect(archive, "war", [second], [])
        curating.tag(archive, first, ["b", "a"], ["urgent"])
    before = rows(root)
    hits = {
        query: numbers(root, query) for query in ("tag:b", "collection:war", 'source:"Example Times"', "tag:urgent")
    }
    assert hits == {
        "tag:b": [second],
        "collection:war": [second],
        'source:"Example Times"': sorted([second, other]),
        "tag:urgent": [],
    }
    for path in root.glob("catalog.sqlite*"):
        path.unlink()
    rebuild(root)
    with Archive(root) as archive:
        pipeline.reindex(archive, None, lambda reached: None)
        assert [act[4]["text"] for act in archive.catalog.acts(other, "note")] == ["seen by two of us,\non paper"]
    assert rows(root) == before
    assert {query: numbers(root, query) for query in hits} == hits
    assert findings(root) == []


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda archive: curating.tag(archive, 99, ["a"], []), "#99 is not in the log"),
        (lambda archive: curating.tag(archive, 1, [" "], []), "a tag has 1 to 200"),
        (lambda archive: curating.note(archive, 1, " "), "a note has 1 to"),
        (lambda archive: curating.note(archive, 0, "x"), "#0 names a leaf that is no snapshot"),
        (lambda archive: curating.name_source(archive, "a b", "x"), "is no host"),
        (lambda archive: curating.name_source(archive, "example.org", ""), "a name has 1 to"),
        (lambda archive: curating.collect(archive, "x", [99], []), "#99 is not in the log"),
        (lambda archive: curating.withdraw(archive, 1, " "), "--reason has 1 to"),
        (lambda archive: curating.withdraw(archive, 99, "x"), "#99 is not in the log"),
        (lambda archive: curating.withdraw(archive, 3, "x"), "#3 was made of #1: withdraw that"),
        (lambda archive: curating.withdraw(archive, 0, "x"), "#0 is a segment"),
    ],
)
def test_a_wrong_act_is_refused_and_leaves_no_leaf(root: Path, act: Callable[[Archive], object], said: str) -> None:
    add(root, "https://example.org/a", b"one")
    with Archive(root) as archive:
        size = archive.size
        with pytest.raises(UsageError, match=said):
            act(archive)
    with Archive(root) as archive:
        assert archive.size == size


def test_articles_with_a_note_are_found_by_it(pair: tuple[Path, int, int, int]) -> None:
    root, first, second, other = pair
    assert numbers(root, "has:note") == []
    with Archive(root) as archive:
        curating.note(archive, second, "look at the picture")
    assert numbers(root, "has:note") == [second]
    assert numbers(root, "-has:note", versions=True) == sorted([first, other])
    assert numbers(root, "is:scanned") == []


def test_words_at_a_distance_are_looked_for_in_the_texts(pair: tuple[Path, int, int, int]) -> None:
    root, _, second, other = pair
    assert numbers(root, 'near:"two text is the"~30') == [other]
    assert numbers(root, 'near:"three is text"~40 -two') == [second]


def test_what_was_withdrawn_is_found_by_what_may_still_be_said(pair: tuple[Path, int, int, int]) -> None:
    root, first, _, other = pair
    assert numbers(root, "is:withdrawn") == []
    with Archive(root) as archive:
        curating.tag(archive, other, ["leak"], [])
        for number in (first, other):
            curating.withdraw(archive, number, "order")
        hits = pipeline.find(archive, pipeline.Search("is:withdrawn", facets=("source", "tag")))
        assert (hits.total, [facet.count for facet in hits.facets["source"].values]) == (2, [2])
        assert all(hit.snapshot.withdrawn for hit in hits.hits)
        assert {hit.snapshot.source for hit in hits.hits} == {hits.facets["source"].values[0].value}
        printed = [hit_as_json(hit) for hit in hits.hits]
        assert {hit["url"] for hit in printed} == {"https://example.org/a", "https://www.example.org/b"}
        assert all(hit["withdrawn"] > other for hit in printed)
        assert csv_lines(hits.hits).count(",https://") == 2
    assert numbers(root, "is:withdrawn") == sorted([first, other])
    assert numbers(root, "is:withdrawn tag:leak") == [other]
    assert numbers(root, "is:withdrawn site:example.org -tag:leak") == [first]
    assert numbers(root, "is:withdrawn captured:1999") == []
    assert numbers(root, "two") == []
    for refused in ("is:withdrawn two", "is:withdrawn published:2021", "is:withdrawn OR three", "-is:withdrawn three"):
        with pytest.raises(QueryError, match="withdrawn"):
            numbers(root, refused)
