"""Archives for the command-line tests: an empty one a test, and one well stocked, made once and copied."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_console import COUNT, Console, Stock, network, page

from bench import bulk, corpus
from demo.site import Site
from muniment.archive.archive import create
from tests.conftest import NOW

FOLDER = "papers"


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """The demonstration's newspapers, on loopback."""
    with Site() as running:
        yield running


@pytest.fixture
def console(root: Path, tmp_path: Path) -> Console:
    """Commands on a new, empty archive."""
    return Console(root, tmp_path)


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory, site: Site) -> Stock:
    """Eight fetched articles, a redirect, two that failed, a folder, an inline text and a declared file. Read only."""
    base = tmp_path_factory.mktemp("stock")
    papers = base / FOLDER / "below"
    papers.mkdir(parents=True)
    (base / FOLDER / "one.html").write_bytes(page("Dunmore"))
    (papers / "two.html").write_bytes(page("Eastwell", day="2019"))
    (papers / "three.txt").write_text("A plain note\n\nThe ferry did not sail on Tuesday because of the fog.\n")
    (papers / ".hidden.html").write_bytes(page("Hidden"))
    declared = {"target": "declared.html", "url": "https://herald.example/a", "title": "As declared",
                "published": "2009-03", "source": "The Herald", "authors": ["Ada Quill"], "tags": ["sea", "law"]}  # fmt: skip
    (base / "declared.html").write_bytes(page("As found"))
    inline = {"text": "Inline words about a lighthouse keeper and her lamp.", "title": "Inline", "language": "en"}
    lines = [*site.urls()[:8], site.moved_url, site.gone_url, site.disallowed_url, "# a remark", "",
             json.dumps(declared), json.dumps(inline)]  # fmt: skip
    (base / "list").write_text("\n".join(lines))
    console = Console(create(base / "archive", "test.example/log", NOW).root, base)
    done = console("add", FOLDER, "--from", "list", "--json", *network(site), code=3)
    return Stock(console, {row["target"]: row for row in done.rows()}, done.code)


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Console:
    """An archive of several groups of short articles, all of which hold the word `everywhere`; every tenth is a version
    of the one before. Read only."""
    base = tmp_path_factory.mktemp("many")
    archive = create(base / "archive", "test.example/log", NOW)
    lines = (
        json.dumps(made | {"text": f"{made['text']} Everywhere."})
        for made in corpus.articles(COUNT, words=(5, 15), earlier_versions=10)
    )
    bulk.fill(archive.root, lines)
    console = Console(archive.root, base)
    console("reindex", "-q")
    return console


@pytest.fixture
def copied(stock: Stock, tmp_path: Path) -> Callable[[], Console]:
    """Makes a copy of the stocked archive that a test may change."""

    def copy() -> Console:
        assert stock.console.archive is not None
        shutil.copytree(stock.console.archive, tmp_path / "copy")
        return Console(tmp_path / "copy", tmp_path)

    return copy
