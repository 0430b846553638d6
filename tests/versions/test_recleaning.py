"""`clean --rederive`: a newer cleaner over the archive; older texts stay, and nothing is done twice."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))

from cli_console import Console, page

from muniment import pipeline
from muniment.adding import AddOptions
from muniment.archive.archive import Archive
from muniment.archive.verify import Request, Verification
from muniment.ingest.upload import Target
from muniment.model import Article, Declared
from muniment.recleaning import Recleaned, reclean


def no_fetcher():
    raise AssertionError("nothing is fetched here")


def add(root: Path, path: Path, **declared) -> int:
    target = Target(str(path), path=path, declared=Declared(**declared))
    with Archive(root) as archive:
        (added,) = pipeline.add(archive, [target], no_fetcher, AddOptions(processes=1))
        assert added.state == "stored" and added.snapshot is not None, added
        return added.snapshot


def supersede(root: Path, number: int, **changes) -> int:
    """Puts a derivation in use that an older cleaner made: the one in use, changed."""
    with Archive(root) as archive, archive.writer() as writer:
        (snapshot,) = archive.catalog.snapshots([number])
        article = archive.article(snapshot)
        assert article
        older = replace(article, **{"extractor": "muniment-html/0", **changes})
        made = writer.add_article(older, number, snapshot.uri, source=snapshot.source, tags=("sea",))
        writer.commit()
        return made


def run(root: Path, numbers: list[int] | None = None, **options) -> list[Recleaned]:
    with Archive(root) as archive:
        return sorted(reclean(archive, numbers, processes=1, **options), key=lambda done: done.snapshot)


def article(root: Path, number: int) -> Article:
    with Archive(root) as archive:
        found = archive.article(archive.snapshot(number))
    assert found
    return found


def found(root: Path, query: str) -> list[int]:
    with Archive(root) as archive:
        return [hit.snapshot.number for hit in pipeline.find(archive, pipeline.Search(query)).hits]


@pytest.fixture
def stocked(root: Path, tmp_path: Path) -> Path:
    """Three articles, the first of which an older cleaner made with a line of links and another title."""
    for name in ("Harbour", "Ferry", "Lighthouse"):
        (tmp_path / f"{name}.html").write_bytes(page(name))
        add(root, tmp_path / f"{name}.html", **({"authors": ("Ann Example",)} if name == "Harbour" else {}))
    first = article(root, 1)
    supersede(root, 1, text=first.text + "\nMore zeppelins from this paper", title="Navigation")
    return root


def test_a_newer_cleaner_writes_beside_and_the_older_text_stays(stocked: Path) -> None:
    assert found(stocked, "zeppelins") == [1]
    with Archive(stocked) as archive:
        before = archive.snapshot(1).derivation
    done = run(stocked)
    assert [(r.snapshot, r.state) for r in done] == [(1, "changed"), (4, "current"), (6, "current")]
    assert set(done[0].changed) == {"text", "title"} and (done[0].removed, done[0].added) == (5, 0)
    assert done[0].before == before and done[0].derivation is not None
    assert article(stocked, 1).title == "Harbour"
    assert article(stocked, 1).authors == ("Ann Example",), "what was declared still holds"
    with Archive(stocked) as archive:
        snapshot = archive.snapshot(1)
        assert snapshot.tags == ("sea",)
        assert archive.catalog.made_of(1) == [3, before, done[0].derivation]
        assert not list(Verification(stocked, archive.config, Request()).run())
    assert found(stocked, "zeppelins") == [], "the index follows"
    assert found(stocked, "title:harbour") == [1]
    console = Console(stocked, stocked.parent)
    old = console("show", 1, "--derivation", before)
    assert "More zeppelins" in old.out and f"superseded by #{done[0].derivation}" in old.out
    assert console("show", 1, "--derivation", before, "--json").json()["in_use"] is False
    assert "zeppelins" not in console("show", 1).out
    assert "[-More zeppelins from this paper-]" in console("diff", before, done[0].derivation).out
    assert console("show", 1, "--derivation", 1, code=2)
    assert [r.state for r in run(stocked)] == ["current"] * 3, "a second run finds nothing to do"


def test_a_dry_run_and_a_choice_write_nothing_and_nothing_else(stocked: Path) -> None:
    with Archive(stocked) as archive:
        size = archive.size
    (done,) = run(stocked, [1], dry_run=True)
    assert (done.state, done.derivation) == ("changed", None)
    assert run(stocked, [4]) == [Recleaned(4, "current", 5)]
    with Archive(stocked) as archive:
        assert archive.size == size
    console = Console(stocked, stocked.parent)
    rows = console("clean", "--rederive", "--query", "zeppelins", "--dry-run", "--json").rows()
    assert [row.get("snapshot") for row in rows] == [1, None] and rows[-1]["changed"] == 1
    assert "1 would change" in console("clean", "--rederive", "--dry-run").err
    with Archive(stocked) as archive:
        assert archive.size == size


def test_what_differs_by_versions_of_libraries_alone_is_not_written(stocked: Path) -> None:
    settings = {**article(stocked, 4).settings, "python": "3.0"}
    supersede(stocked, 4, settings=settings, extractor=article(stocked, 4).extractor)
    supersede(stocked, 6)
    with Archive(stocked) as archive:
        size = archive.size
    done = run(stocked, [4, 6])
    assert [(r.snapshot, r.state, r.derivation is None) for r in done] == [(4, "same", True), (6, "renewed", False)]
    with Archive(stocked) as archive:
        assert archive.size == size + 1
    assert [r.state for r in run(stocked, [6])] == ["current"]


def test_names_given_since_and_newer_versions_hold(stocked: Path, tmp_path: Path) -> None:
    console = Console(stocked, tmp_path)
    console("tag", 1, "urgent")
    (tmp_path / "Harbour.html").write_bytes(
        page("Harbour", "The wall was sold to a company of dredgers in the spring.")
    )
    newer = add(stocked, tmp_path / "Harbour.html")
    assert found(stocked, "removed:zeppelins") == [newer]
    (done,) = run(stocked, [1])
    assert done.state == "changed"
    assert found(stocked, "removed:zeppelins") == [], "the newest version is indexed again when an older one changes"
    assert found(stocked, "dredgers") == [newer] and found(stocked, "tag:urgent") == [newer]


def test_a_run_that_is_killed_goes_on_and_doubles_nothing(root: Path, tmp_path: Path) -> None:
    numbers = []
    for n in range(12):
        (tmp_path / f"{n}.html").write_bytes(page(f"Story {n}"))
        numbers.append(add(root, tmp_path / f"{n}.html"))
        supersede(root, numbers[-1], title="Navigation")
    pid = os.fork()
    if pid == 0:
        try:
            with Archive(root) as archive:
                import muniment.recleaning

                muniment.recleaning.GROUP = 3
                for _ in reclean(archive, processes=1):
                    (tmp_path / "trace").write_text("x" * ((tmp_path / "trace").exists() and 2))
                    time.sleep(0.05)
        finally:
            os._exit(1)
    while not (tmp_path / "trace").exists():
        assert os.waitpid(pid, os.WNOHANG) == (0, 0)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    states = [r.state for r in run(root)]
    assert states.count("current") >= 1 and states.count("changed") >= 1 and len(states) == 12
    with Archive(root) as archive:
        made = [len(archive.catalog.made_of(number)) for number in numbers]
        assert made == [3] * 12
        assert {archive.snapshot(number).title for number in numbers} == {f"Story {n}" for n in range(12)}
    assert sorted(found(root, "title:story")) != []


def test_a_damaged_capture_is_named_and_the_rest_go_on(stocked: Path) -> None:
    supersede(stocked, 4, title="Navigation")
    with Archive(stocked) as archive:
        place = archive.catalog.placements(4)[0]
    data = bytearray((stocked / place.segment).read_bytes())
    data[place.offset + place.length // 2] ^= 1
    (stocked / place.segment).write_bytes(data)
    console = Console(stocked, stocked.parent)
    done = console("clean", "--rederive", "--json", code=3).rows()
    assert {row["snapshot"]: row["state"] for row in done[:-1]} == {1: "changed", 4: "failed"}
    assert done[-1] == {"dry_run": False, "changed": 1, "renewed": 0, "same": 0, "current": 1, "failed": 1}


def test_clean_without_rederive_and_unknown_numbers_are_refused(stocked: Path) -> None:
    console = Console(stocked, stocked.parent)
    assert "say --rederive" in console("clean", code=2).err
    assert "is not in the log" in console("clean", "--rederive", "999", code=2).err
    console("clean", "--rederive", "1", "--query", "x", code=2)
    assert console("clean", "--rederive", "--query", "nothingofthatkind").err.startswith("no article")


def test_the_history_lists_what_was_made_anew_when_asked(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_bytes(
        page("The dam held", "The dam of Orvan held through the night, and nobody was harmed by the water.")
    )
    number = add(root, path)
    older = supersede(root, number, text="An older text.", title="Dam")
    (done,) = run(root)
    console = Console(root, tmp_path)
    plain = console("history", str(number))
    assert len(plain.out.splitlines()) == 1 and plain.err == "1 version; 2 made anew not shown: --all\n"
    rows = console("history", str(number), "--all", "--json").rows()
    assert [(row["event"], row["snapshot"], row["of"], row["version"]) for row in rows] == [
        ("version", number, None, 1),
        ("rederived", older, number, None),
        ("rederived", done.derivation, number, None),
    ]
    assert {"text", "title"} <= set(rows[2]["changed"]) and rows[2]["words_removed"] >= 2
    lines = console("history", str(number), "--all").out.splitlines()
    assert f"made anew from #{number}  [text: " in lines[2] and "title" in lines[2]
    told = console("diff", older, number).err
    assert told.startswith(f"#{older} to #{done.derivation}, both of #{number}: ")
