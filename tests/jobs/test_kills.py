"""A run that is killed at any moment goes on where it was: nothing is asked for twice, each thing is counted once, the
due time is run once, and nothing that was told is lost.

    MUNIMENT_KILLS=500 pytest tests/jobs/test_kills.py
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from muniment import watching
from muniment.archive.archive import Archive
from muniment.archive.config import read_config
from muniment.archive.verify import Request, Verification
from muniment.ingest.clean import clean
from muniment.ingest.clean.job import CleanJob
from muniment.ingest.fetch import Fetcher
from muniment.ingest.policy import FetchPolicy
from muniment.ingest.urls import article_key
from muniment.jobs import due, keeping
from muniment.jobs.keeping import State
from muniment.jobs.report import Report, from_json
from muniment.jobs.running import World
from muniment.model import Article
from muniment.search.saved import Saved
from tests.authority import Authority
from tests.conftest import download
from tests.discovering.newspaper import Newspaper, Page, story
from tests.stamping.stamped_archive import configure

KILLS = int(os.environ.get("MUNIMENT_KILLS", "10"))
BEGUN = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
EVENTS = ("muniment.synced", "os.rename", "os.remove", "test.told")  # where a run can be killed to the point
DUE = "2026-11-23T06:00:00Z"
IN_FEED, OLD, FILES, LETTERS = 4, 2, 3, 2
LINKS = "".join(f'<a href="/story/{n}">x</a>' for n in (10, 26))
FRONT = f"<html><title>Front</title><body>{LINKS}</body></html>".encode()
JOB = """
schedule = "every 6 hours"
folders = ["{folder}"]
feeds = ["{url}/paper.xml"]
sitemaps = ["{url}/map.xml"]
crawls = ["{url}/front"]
urls = ["{url}/story/31", "{url}/gone"]
lists = ["{list}"]
searches = ["ferries"]
verify = "100%"
stamp = true
allow_private = true
tags = ["sound"]

[limits]
delay = 0
free = 0

[revisit]
least = "1 hour"

[export]
path = "exports/{{date}}-{{time}}.jsonl"
format = "jsonl"
"""


class Here:
    """Cleaning in this very process, which costs a forked one no second to start; the limits are tested elsewhere."""

    count, recognises = 1, False

    def submit(self, job: CleanJob) -> Future[Article]:
        return _done(clean(job))

    def read(self, job: Any) -> Future[Any]:
        return _done(job.result(job.answer()))


def _done(result: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(result)
    return future


class Killed(NamedTuple):
    """What is known of a run that was killed, or that came to its end: what it told, and how many events it had."""

    ended: bool
    told: list[str]
    events: int


class Scene:
    """An archive with a job that is due, and the site that it archives."""

    def __init__(self, folder: Path, paper: Newspaper, root: Path, authority: Authority):
        self.folder, self.paper, self.base = folder, paper, root
        configure(root, authority)
        self.began = time.monotonic()
        self.trace = folder / "trace"
        self._write_site()
        self._write_files()
        self._write_archive()

    def _write_site(self) -> None:
        pages, url = self.paper.pages, self.paper.url
        for number in range(10, 50):
            pages[f"/story/{number}"] = Page(story(number))
        pages["/short"] = Page(b"", status=302, headers={"Location": "/story/40", "Content-Length": "0"}, tagged=False)
        items = [f"/story/{10 + n}" for n in range(IN_FEED)] + ["/short", "/broken"]
        pages["/broken"] = Page(b"no", status=500, tagged=False)
        entries = "".join(f"<item><title>{path}</title><link>{url}{path}</link></item>" for path in items)
        pages["/paper.xml"] = Page(f"<rss version='2.0'><channel>{entries}</channel></rss>".encode(), "text/xml")
        places = "".join(f"<url><loc>{url}/story/{n}</loc></url>" for n in (10, 20, 21))
        pages["/map.xml"] = Page(f"<urlset>{places}</urlset>".encode(), "application/xml")
        pages["/front"] = Page(FRONT)
        pages["/robots.txt"] = Page(b"User-agent: *\nDisallow: /members\n", "text/plain")

    def _write_files(self) -> None:
        watched = self.folder / "in"
        watched.mkdir()
        for number in range(FILES):
            (watched / f"{number}.txt").write_text(f"Report {number}\n\nThe ferry of day {number} came late.\n" * 9)
        letters = "".join(
            f"From a@b.example Mon Jun  1 10:00:00 2026\nFrom: a@b.example\nSubject: Letter {n}\n"
            f"Date: Mon, 1 Jun 2026 10:00:00 +0000\nMessage-ID: <{n}@b.example>\n\nThe ferry of letter {n} is late.\n\n"
            for n in range(LETTERS)
        )
        (watched / "desk.mbox").write_text(letters)
        for path in watched.iterdir():
            os.utime(path, (1_700_000_000, 1_700_000_000))
        (self.folder / "list.txt").write_text(f"{self.paper.url}/story/35\n{self.paper.url}/story/36\nnot an address\n")

    def _write_archive(self) -> None:
        with Archive(self.base) as archive:
            with archive.writer() as writer:
                for number in range(41, 41 + OLD):  # captured before, and due to be looked at again
                    url = f"{self.paper.url}/story/{number}"
                    facts = [("articleKey", article_key(url)), ("articleUrl", url)]
                    capture = replace(download(url, story(number)), captured_at=BEGUN - timedelta(days=2))
                    added = writer.add_capture(capture, facts)
                    text = Article(f"Old {number}", "Text of before.\n" * 9, extractor="t/1")
                    writer.add_article(text, added.number, url)
                writer.commit()
            watching.save(archive, Saved("ferries", "ferry"))
        text = JOB.format(folder=self.folder / "in", url=self.paper.url, list=self.folder / "list.txt")
        keeping.write(self.base, "courier", text)
        keeping.keep_state(self.base, "courier", State(made="2026-11-23T05:00:00Z"))

    def copy(self, name: str) -> Path:
        return Path(shutil.copytree(self.base, self.folder / name))

    def clock(self) -> datetime:
        return BEGUN + timedelta(seconds=time.monotonic() - self.began)

    def run(self, root: Path, kill_at: int = 0, kill_after: float | None = None) -> Killed:
        """What is due, in a forked process; it kills itself at its `kill_at`th event, or is killed after so long."""
        self.trace.unlink(missing_ok=True)
        pid = os.fork()
        if pid == 0:
            try:
                self._run_here(root, kill_at)
                os._exit(0)
            finally:
                traceback.print_exc()
                os._exit(1)
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0, "the run failed by itself"
        lines = self.trace.read_text().split("\n")[:-1] if self.trace.exists() else []
        told = [line.removeprefix("told ") for line in lines if line.startswith("told ")]
        return Killed(os.WIFEXITED(status), told, lines.count("event"))

    def _run_here(self, root: Path, kill_at: int) -> None:
        trace = os.open(self.trace, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        seen = 0

        def on_event(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal seen
            if event in EVENTS:
                seen += 1
                os.write(trace, b"event\n")
                if seen == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

        def told(added: Any) -> None:
            os.write(trace, f"told {added.target}\n".encode())
            sys.audit("test.told")

        sys.addaudithook(on_event)

        def fetcher(policy: FetchPolicy) -> Fetcher:
            return Fetcher(replace(policy, retries=0), clock=self.clock)

        workers: Any = Here()  # it has what is asked of a pool
        world = World(clock=self.clock, fetcher=fetcher, workers=workers, told=told, processes=1)
        for outcome in due.run_due(root, world):
            assert outcome.error is None, outcome.error

    def requests(self, since: int) -> list[str]:
        return [path for path in self.paper.paths()[since:] if path != "/robots.txt"]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    from muniment.archive.archive import create

    folder = tmp_path_factory.mktemp("kills")
    root = create(folder / "base", "test.example/log", BEGUN - timedelta(days=3)).root
    for page in (story(1), FRONT):  # what is imported and loaded here, no fork has to
        clean(CleanJob(page, "text/html", BEGUN))
    with Newspaper() as paper, Authority(folder / "tsa") as authority:
        yield Scene(folder, paper, root, authority)


def reports(root: Path) -> list[Report]:
    return [from_json(json.loads(path.read_text())) for path in sorted((root / "jobs/runs/courier").glob("*.json"))]


def counted(report: Report) -> dict[str, dict[str, Any]]:
    """By source, without what depends on time, or on whether a page was asked for with a condition."""
    left_out = ("seconds", "bytes", "not_modified", "unchanged", "error")
    return {
        key: {name: value for name, value in asdict(source).items() if name not in left_out}
        | {"as it was": source.not_modified + source.unchanged}
        for key, source in report.sources.items()
    }


def held(root: Path) -> set[tuple[str | None, str | None]]:
    """(address, title) of every article."""
    with Archive(root) as archive:
        numbers = [number for number, _ in archive.catalog.derived()]
        return {(shown.url or shown.title, shown.title) for shown in archive.catalog.snapshots(numbers)}


def test_a_run_that_is_killed_at_any_moment_goes_on_where_it_was(scene: Scene) -> None:
    rng = random.Random(5)
    before = len(scene.paper.asked)
    begun = time.monotonic()
    whole = scene.run(scene.copy("whole"))
    length = time.monotonic() - begun
    root = scene.folder / "whole"
    (expected,) = reports(root)
    asked = Counter(scene.requests(before))
    assert expected.state == "partial" and expected.searches["ferries"] > IN_FEED, expected
    assert set(asked.values()) == {1} and whole.ended
    assert expected.sources[f"folder {scene.folder}/in"].new == FILES + LETTERS
    assert [(one.tried, one.new) for one in expected.sources.values() if one.kind == "revisit"] == [(OLD, 0)]
    points: list[tuple[int, float | None]] = [(rng.randint(1, whole.events), None) for _ in range(KILLS // 2)]
    points += [(0, rng.uniform(0, length)) for _ in range(KILLS - len(points))]
    for number, (kill_at, kill_after) in enumerate(points):
        where = f"kill {number}, at event {kill_at} of {whole.events} or after {kill_after} of {length:.2f} s"
        one = scene.copy(f"killed-{number}")
        check(scene, one, kill_at, kill_after, expected, where)
        shutil.rmtree(one)


def check(scene: Scene, root: Path, kill_at: int, kill_after: float | None, expected: Report, where: str) -> None:
    told: list[str] = []
    since, asked, kills = len(scene.paper.asked), Counter[str](), 0
    killed = scene.run(root, kill_at, kill_after)
    while not killed.ended:
        kills += 1
        told += killed.told
        known = {url.removeprefix(scene.paper.url) for url in told}
        asked.update(scene.requests(since))
        since = len(scene.paper.asked)
        killed = scene.run(root, kill_at=kill_at * 2 if kills == 1 else 0)
        assert not known & set(scene.requests(since)), where
    asked.update(scene.requests(since))
    assert max(asked.values()) <= 1 + kills, where
    (report,) = reports(root)
    assert counted(report) == counted(expected), where
    assert report.searches == expected.searches and sorted(note_titles(report)) == sorted(note_titles(expected)), where
    assert (report.due, report.errors, report.findings) == (DUE, expected.errors, []), where
    assert report.stamped == ["stamped by tsa-0"], where
    assert report.resumed <= kills and report.exported.split()[0] >= expected.exported.split()[0], where
    state = keeping.state_of(root, "courier")
    assert (state.due, state.running, len(state.past)) == (DUE, None, 1), where
    assert held(root) == held(scene.folder / "whole"), where
    assert [path.name for path in (root / "exports").iterdir()] == [Path(report.exported.split()[-1]).name], where
    assert not list(Verification(root, read_config(root), Request()).run()), where


def note_titles(report: Report) -> list[str]:
    """What was new for saved searches, without the numbers."""
    return [note.partition("#")[2].partition(" ")[2] for note in report.notes]
