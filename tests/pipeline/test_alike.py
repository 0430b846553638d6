"""The same wire story in several sources: told in search and show, collapsed when asked for, followed by the index."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))

from cli_console import Console

from muniment import curating, pipeline
from muniment.alike import twins
from muniment.archive.archive import Archive
from muniment.index.stories import Stories, open_stories
from muniment.model import Article
from tests.conftest import download

WORDS = [f"word{n}" for n in range(900)]
STORY = "harbour " + " ".join(random.Random(1).choices(WORDS, k=300))
PAPERS = ("Alpha", "Beta", "Gamma", "Delta")


def put(root: Path, source: str, text: str, *, page: str = "a") -> int:
    url = f"https://{source.lower()}.example/{page}"
    with Archive(root) as archive, archive.writer() as writer:
        capture = download(url, f"{source} {text}".encode())
        added = writer.add_capture(capture, [("articleKey", url), ("articleUrl", url)])
        writer.add_article(Article(f"In {source}", text, language="en"), added.number, url, source=source)
        writer.commit()
        return added.number


def edited(seed: int) -> str:
    rng = random.Random(seed)
    return " ".join(rng.choice(WORDS) if rng.random() < 0.02 else word for word in STORY.split())


@pytest.fixture
def wire(root: Path) -> list[int]:
    """A story in four sources, in one of them twice, and two other articles. The numbers of the story's."""
    numbers = [put(root, paper, edited(n)) for n, paper in enumerate(PAPERS)]
    numbers.append(put(root, "Alpha", edited(9), page="b"))
    put(root, "Beta", "harbour " + " ".join(random.Random(2).choices(WORDS, k=300)), page="other")
    put(root, "Gamma", "harbour " + " ".join(random.Random(3).choices(WORDS, k=300)), page="other")
    return numbers


def hits(root: Path, query: str = "harbour", **options) -> dict[int, list[str]]:
    with Archive(root) as archive:
        results = pipeline.find(archive, pipeline.Search(query, **options))
        assert results.total == len(results.hits)
        return {hit.snapshot.number: list(hit.also_in) for hit in results.hits}


def test_a_hit_tells_in_which_other_sources_its_story_stands(root: Path, wire: list[int]) -> None:
    found = hits(root)
    assert found[wire[0]] == ["Beta", "Delta", "Gamma"] and found[wire[1]] == ["Alpha", "Delta", "Gamma"]
    assert [sources for number, sources in found.items() if number not in wire] == [[], []]
    console = Console(root, root.parent)
    assert "also in 3 sources" in console("search", "harbour").out
    rows = {hit["snapshot"]: hit for hit in console("search", "harbour", "--json").json()["hits"]}
    assert rows[wire[2]]["also_in"] == ["Alpha", "Beta", "Delta"]


def test_collapse_shows_a_story_once_and_counts_it_once(root: Path, wire: list[int]) -> None:
    found = hits(root, collapse=True)
    assert len(found) == 3 and wire[0] in found and not set(wire[1:]) & found.keys()
    assert min(hits(root, "harbour -source:Alpha", collapse=True)) == wire[1], "the first of those that match"
    console = Console(root, root.parent)
    made = console("search", "harbour", "--collapse", "--facet", "source", "--json").json()
    assert made["total"] == 3 and _facet_total(made["facets"]["source"]) == 3
    assert "contradict" in console("search", "harbour", "--collapse", "--versions", code=2).err


def test_show_names_the_twins_with_their_likeness(root: Path, wire: list[int]) -> None:
    hits(root)
    console = Console(root, root.parent)
    assert f"Beta (#{wire[1]})" in console("show", wire[0]).out
    rows = console("show", wire[0], "--json").json()["also_in"]
    assert sorted(row["snapshot"] for row in rows) == sorted(wire[1:])
    assert all(0.6 < row["likeness"] < 1 for row in rows)
    assert [row["likeness"] for row in rows] == sorted((row["likeness"] for row in rows), reverse=True)


def test_versions_of_one_article_are_not_told_as_other_sources(root: Path) -> None:
    one = put(root, "Alpha", edited(1))
    two = put(root, "Alpha", edited(2))
    assert hits(root, versions=True) == {one: [], two: []}
    with Archive(root) as archive:
        assert twins(archive, archive.snapshot(two)) == []


def test_a_file_that_is_gone_damaged_or_of_another_log_is_made_anew(root: Path, wire: list[int]) -> None:
    expected = hits(root)
    path = root / "index" / "stories.sqlite"
    for spoil in (
        lambda: None,
        lambda: path.write_bytes(b"x" * 9000),
        lambda: Stories(path, writable=True).commit(3, "?"),
    ):
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        spoil()
        assert all(sources == [] for sources in hits(root).values()), "a search does without"
        last = put(root, "Delta", "harbour of the day", page=str(path.exists()))
        assert {**hits(root), last: []} == {**expected, **{n: [] for n in hits(root) if n not in expected}}


def test_reindex_and_rebuild_give_the_same_stories(root: Path, wire: list[int]) -> None:
    expected = hits(root)
    console = Console(root, root.parent)
    console("reindex")
    assert hits(root) == expected
    import shutil

    shutil.rmtree(root / "index")
    console("rebuild")
    assert hits(root) == expected
    console("reindex", "--engine", "whoosh")
    assert hits(root) == expected
    assert hits(root, collapse=True).keys() == {wire[0], *(n for n in expected if n not in wire)}


def test_what_was_withdrawn_is_in_no_story(root: Path, wire: list[int]) -> None:
    hits(root)
    with Archive(root) as archive:
        curating.withdraw(archive, wire[0], "a court's order")
    assert hits(root)[wire[1]] == ["Alpha", "Delta", "Gamma"], "by its other page"
    with Archive(root) as archive:
        curating.withdraw(archive, wire[4], "a court's order")
    assert hits(root)[wire[1]] == ["Delta", "Gamma"]
    stories = open_stories(root / "index")
    assert stories is not None
    assert not stories.stories_of([wire[0], wire[4]])
    stories.close()


def test_each_text_is_compared_once_however_often_an_index_takes_in_before_its_commit(
    root: Path, wire: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from muniment.indexing import Indexer

    compared: list[int] = []
    add = Stories.add

    def counted(stories: Stories, number: int, words: list[str]) -> int | None:
        compared.append(number)
        return add(stories, number, words)

    monkeypatch.setattr(Stories, "add", counted)
    with Archive(root) as archive:
        Indexer(archive).close()  # an index of its own, with everything so far still to come
    with Archive(root) as archive:
        indexer = Indexer(archive)
        indexer.take_new()
    compared.clear()
    more = []
    for n in range(3):
        more.append(
            put(root, "Delta", "harbour " + " ".join(random.Random(20 + n).choices(WORDS, k=300)), page=f"n{n}")
        )
        with Archive(root) as archive:
            indexer._archive = archive
            indexer.take_new()
    with Archive(root) as archive:
        indexer._archive = archive
        indexer.close()
    assert compared == more


def _facet_total(facet: dict[str, Any]) -> int:
    return sum(value["count"] for value in facet["values"]) + int(facet["unknown"])
