"""After an upgrade: an index of another schema is built anew beside the old one, by whoever writes first, and swapped."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from muniment import answering, indexing, pipeline
from muniment.archive.archive import Archive
from muniment.errors import IndexBehind
from muniment.index import analysis, generations
from muniment.index.engine import open_engine
from muniment.index.query import Everything
from tests.conftest import fill

# The command, with engines that call themselves otherwise, and groups of five articles that take their time.
UPGRADED = """
import sys, time
from muniment.index.engines import tantivy, whoosh
from muniment import cli, answering, indexing

tantivy.NAME, whoosh.NAME = "tantivy of the next release", "whoosh of the next release"
limit, pause = sys.argv[1:3]
answering.BUILT_AT_ONCE = {"tantivy": int(limit), "whoosh": int(limit)}
indexing.GROUP, indexing.COMMIT_EVERY = 5, 10
take = indexing.Indexer._take
indexing.Indexer._take = lambda *a: (take(*a), time.sleep(float(pause)))[0]
sys.exit(cli.run(sys.argv[3:]))
"""
ENGINES = ("tantivy", "whoosh")


def command(root: Path, *arguments: str, limit: int = 1000, pause: float = 0.0) -> subprocess.Popen[str]:
    line = [sys.executable, "-c", UPGRADED, str(limit), str(pause), "--archive", str(root), *arguments]
    return subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(root: Path, *arguments: str, limit: int = 1000, stdin: str = "", code: int = 0) -> tuple[str, str]:
    with command(root, *arguments, limit=limit) as process:
        out, err = process.communicate(stdin)
    assert process.returncode == code, err
    assert "Traceback" not in err
    return out, err


def folders(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "index").iterdir() if path.is_dir())


@pytest.fixture(params=ENGINES)
def old(request: pytest.FixtureRequest, root: Path) -> str:
    """An archive of sixty articles with an index of this engine; its folder's name."""
    fill(root, 60, group=20)
    with Archive(root) as archive:
        (root / "index").mkdir(exist_ok=True)
        pipeline.reindex(archive, request.param, lambda reached: None)
    return f"{request.param}-1"


def test_a_search_builds_a_small_index_anew_and_answers(root: Path, old: str) -> None:
    assert folders(root) == [old]
    out, err = run(root, "search", "article", "--ids", "--all")
    assert len(out.splitlines()) == 60
    assert err.startswith("the index was built by another version of muniment: it is built anew from 60 articles")
    assert err.count("\n") == 1
    assert folders(root) == [old.replace("1", "2")]
    assert run(root, "search", "article", "--ids", "--all") == (out, "")


def test_two_searches_after_an_upgrade_build_one_index(root: Path, old: str) -> None:
    searches = [command(root, "search", "article", "--ids", "--all", pause=0.02) for _ in range(2)]
    for search in searches:
        with search:
            out, err = search.communicate()
            assert search.returncode == 0, err
            assert len(out.splitlines()) == 60
    run(root, "add", "-", stdin="A later note.")
    assert folders(root) == [old.replace("1", "2")]


def test_the_first_writer_builds_a_large_one_beside_the_old_and_swaps(root: Path, old: str) -> None:
    _, err = run(root, "search", "article", limit=10, code=4)
    assert err == (
        "muniment: the index was built by another version of muniment: run `muniment reindex`, or add something\n"
    )
    assert folders(root) == [old]
    _, err = run(root, "add", "-", limit=10, stdin="A later article of note.")
    assert "it is built anew from 61 articles" in err
    assert folders(root) == [old.replace("1", "2")]
    out, err = run(root, "search", "article", "--ids", "--all", limit=10)
    assert (len(out.splitlines()), err) == (61, "")


def test_a_build_that_is_killed_at_any_moment_loses_nothing_and_goes_on(root: Path, old: str) -> None:
    rng = random.Random(old)
    new, stood, added = old.replace("1", "2"), 0, 60
    for attempt in range(2):
        with command(root, "add", "-", limit=10, pause=0.1) as process:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(f"A late article, number {attempt}.")
            process.stdin.close()
            assert "stored" in process.stdout.readline()
            added += 1
            time.sleep(rng.uniform(0.1, 0.5))
            process.kill()
        assert (root / "index" / "current").read_text() == f"{old}\n"
        if (root / "index" / new / "state").exists():
            size = int((root / "index" / new / "state").read_text().split("\n")[0])
            assert size >= stood, "what was built before the kill is not built again"
            stood = size
    assert stood > 0
    _, err = run(root, "search", "article", limit=10, code=4)
    assert f"(one that was begun stands at {100 * stood // _size(root)} in 100)" in err
    _, err = run(root, "tag", "1", "river", limit=10)
    assert "it is built anew" in err
    assert folders(root) == [new]
    out, err = run(root, "search", "article", "--ids", "--all", limit=10)
    assert (len(out.splitlines()), err) == (added, "")


def _size(root: Path) -> int:
    with Archive(root) as archive:
        return archive.size


def test_a_build_that_takes_too_long_for_a_search_goes_on_with_the_next(root: Path, old: str, monkeypatch) -> None:
    monkeypatch.setattr(analysis, "VERSION", "of the next release")
    monkeypatch.setattr(indexing, "GROUP", 20)
    monkeypatch.setattr(answering, "LONGEST_BUILD", 0.0)
    stood: list[int] = []
    with Archive(root) as archive:
        while len(stood) < 10:
            try:
                assert pipeline.find(archive, pipeline.Search("article")).total == 60
                break
            except IndexBehind as e:
                assert "stands at" in str(e)
                stood.append((generations.begun(root / "index") or ("", 0))[1])
    assert len(stood) == 3 and 0 < stood[0] < stood[1] < stood[2]


def test_a_folder_that_somebody_reads_stays_until_it_is_closed(root: Path, old: str, monkeypatch) -> None:
    engine = old.partition("-")[0]
    reader = open_engine(engine, root / "index" / old)
    monkeypatch.setattr(analysis, "VERSION", "of the next release")
    with Archive(root) as archive:
        assert pipeline.find(archive, pipeline.Search("article")).total == 60
        assert folders(root) == [old, f"{engine}-2"]
        assert generations.begun(root / "index") is None
        reader.refresh()
        assert reader.search(Everything()).total == 60
        assert pipeline.reindex(archive, None, lambda reached: None) == 60
        assert folders(root) == [old, f"{engine}-3"]
        reader.close()
        fill(root, 1, group=1)
        archive.refresh()
        pipeline.index_new(archive)
    assert folders(root) == [f"{engine}-3"]


def test_where_nothing_can_be_written_the_search_says_what_to_do(root: Path, old: str, monkeypatch) -> None:
    monkeypatch.setattr(analysis, "VERSION", "of the next release")
    (root / "index" / old.replace("1", "2")).write_text("in the way")
    with Archive(root) as archive, pytest.raises(IndexBehind, match=r"another version of muniment: run .*cannot be"):
        pipeline.find(archive, pipeline.Search("article"))
    assert folders(root) == [old]
    shutil.rmtree(root / "index")
    with Archive(root) as archive:
        assert pipeline.find(archive, pipeline.Search("article")).total == 60
