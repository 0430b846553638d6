"""Texts are what the recorded extractor makes of the bytes; another extractor is said, and is no finding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from muniment import pipeline
from muniment.adding import AddOptions
from muniment.archive.archive import Archive
from muniment.ingest.upload import Target
from muniment.model import Article, Declared
from muniment.rederiving import Rederived, differences, rederive
from tests.cli.cli_console import page


def no_fetcher():
    raise AssertionError("nothing is fetched here")


def add(root: Path, path: Path, **declared) -> None:
    target = Target(str(path), path=path, declared=Declared(**declared))
    with Archive(root) as archive:
        (added,) = pipeline.add(archive, [target], no_fetcher, AddOptions(processes=1))
        assert added.state == "stored", added


def run(root: Path) -> tuple[list, Rederived]:
    told = Rederived()
    with Archive(root) as archive:
        return list(rederive(archive, told, processes=1)), told


def test_the_same_bytes_declared_again_and_again_come_out_the_same(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.html"
    file.write_bytes(page("Harbour"))
    (tmp_path / "b.txt").write_text(
        "A note of two sentences.\n\nIt is kept as it was typed, with a date: 2 May 2021.\n"
    )
    add(root, file)
    add(root, file, title="Declared", authors=("Ann Example", "Bo Example"))
    add(root, file, published="2020-05")
    add(root, tmp_path / "b.txt", language="en")
    found, told = run(root)
    assert found == [] and told.compared == 4 and not told.others


def test_a_text_that_the_extractor_does_not_give_is_found(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.html"
    file.write_bytes(page("Harbour"))
    add(root, file)
    with Archive(root) as archive, archive.writer() as writer:
        (snapshot,) = archive.catalog.snapshots([1])
        article = archive.article(snapshot)
        assert article
        writer.add_article(replace(article, text=article.text + "\nAnd more.", title="Other"), 1, snapshot.uri)
        writer.add_article(replace(article, settings={**article.settings, "trafilatura": "0.1"}), 1, snapshot.uri)
        writer.add_article(replace(article, extractor="elsewhere/1"), 1, snapshot.uri)
        writer.commit()
    found, told = run(root)
    assert [(f.finding, f.snapshot) for f in found] == [("rederived-other", 4)]
    assert "another text, title" in found[0].detail
    assert told.compared == 2 and len(told.others) == 2
    assert any("trafilatura 0.1" in why for why in told.others)


def test_what_was_declared_before_is_no_difference() -> None:
    recorded = Article("Declared", "x", origins={"title": "declared"})
    assert differences(recorded, Article("Found", "x", origins={"title": "html:title"})) == []
    assert differences(recorded, Article("Found", "y", origins={})) == ["text"]
