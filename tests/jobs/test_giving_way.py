"""A run that takes long gives way to jobs that are due meanwhile, and goes on behind them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from muniment.adding import Added
from muniment.errors import StorageError
from muniment.ingest.clean.workers import Workers
from muniment.ingest.fetch import Fetcher
from muniment.jobs import due, keeping
from muniment.jobs.report import Report, summary
from muniment.jobs.running import World
from tests.discovering.newspaper import Newspaper, Page, story
from tests.jobs.conftest import BEGIN, DAY
from tests.jobs.test_due import VERIFY

Call = Callable[..., list[Report]]
PAGES = 30
FILES = 150
STINT = 0.2
LIMITS = "[limits]\ndelay = 0\nfree = 0\n"


@pytest.fixture
def site(paper: Newspaper) -> str:
    """A site with PAGES articles, and its job."""
    for number in range(100, 100 + PAGES):
        paper.pages[f"/story/{number}"] = Page(story(number), before=lambda: time.sleep(0.03))
    links = "".join(f'<a href="/story/{number}">x</a>' for number in range(100, 100 + PAGES))
    paper.pages["/front"] = Page(f"<html><title>Front</title><body>{links}</body></html>".encode())
    return f'schedule = "every day"\nallow_private = true\ncrawls = ["{paper.url}/front"]\n{LIMITS}'


@pytest.fixture
def call(root: Path, workers: Workers) -> Call:
    """Runs what is due a day after BEGIN, or jobs by hand. An hour goes by as the item of each of those numbers is
    told; STINT seconds are long for a run."""

    def call(*names: str, hours: tuple[int, ...] = (3,)) -> list[Report]:
        now = BEGIN + DAY
        told = Counter[str]()

        def tell(added: Added) -> None:
            nonlocal now
            told["items"] += 1
            now += timedelta(hours=told["items"] in hours)

        def clock() -> datetime:
            return now

        world = World(
            clock, lambda policy: Fetcher(policy, clock=clock, sleep=lambda seconds: None), workers, 1, tell,
            stint=STINT,
        )  # fmt: skip
        outcomes = list(due.run_due(root, world, names))
        assert not [outcome.error for outcome in outcomes if outcome.error]
        return [outcome.report for outcome in outcomes if outcome.report]

    return call


def make(root: Path, **texts: str) -> None:
    """Jobs that were seen at BEGIN."""
    for name, text in texts.items():
        keeping.write(root, name, text)
        keeping.begin(root, name, BEGIN)


@pytest.fixture(autouse=True)
def look_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muniment.jobs.running._LOOK_EVERY", 0.0)


def test_a_long_run_gives_way_and_counts_and_asks_for_each_page_once(
    paper: Newspaper, root: Path, site: str, call: Call
) -> None:
    make(root, check=VERIFY)
    call()  # it is due again in an hour
    make(root, long=site)
    check, long = call()
    assert (check.job, long.job, check.due) == ("check", "long", "2026-02-02T13:00:00Z")
    assert (long.gave_way, long.resumed, long.stuck) == (1, 1, 0)
    assert (long.state, long.total("new"), long.total("tried")) == ("done", PAGES + 1, PAGES + 1)
    assert set(Counter(path for path in paper.paths() if path != "/robots.txt").values()) == {1}
    assert "  it gave way to other jobs 1 time" in summary(long)
    assert not [line for line in summary(long) if "cut off" in line]


def test_those_that_take_long_take_turns(paper: Newspaper, root: Path, site: str, call: Call) -> None:
    make(root, one=site, two=site.replace("/front", "/"), check=VERIFY)
    reports = call(hours=(3, 12, 17, 21, 25, 28))
    assert {"one", "two", "check"} == {report.job for report in reports}
    assert len([report for report in reports if report.job == "check"]) >= 3
    assert len([report for report in reports if report.job != "check"]) == 2
    assert all(count == 1 for path, count in Counter(paper.paths()).items() if path.startswith("/story/1"))
    assert all(report.gave_way > 1 and report.state == "done" for report in reports if report.job == "one")


def test_a_folder_gives_way_too(root: Path, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muniment.jobs.watched.SETTLED", 0.0)
    folder = tmp_path / "inbox"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"{number:03}.html").write_bytes(story(number))
    make(root, check=VERIFY)
    call()
    make(root, folder=f'schedule = "every day"\nfolders = ["{folder}"]\n{LIMITS}')
    check, taken = call(hours=(1,))
    assert (check.job, taken.job, taken.gave_way) == ("check", "folder", 1)
    (source,) = taken.sources.values()
    assert (source.tried, source.new, source.unchanged) == (FILES, FILES, 0)


def test_one_that_is_run_by_hand_is_run_to_its_end(root: Path, site: str, call: Call) -> None:
    make(root, check=VERIFY, long=site)
    (long,) = call("long")
    assert (long.gave_way, long.total("new")) == (0, PAGES + 1)


def test_a_job_that_cannot_be_run_is_not_given_way_to(root: Path, site: str, call: Call) -> None:
    make(root, full='schedule = "every day"\nurls = ["http://127.0.0.1/"]\n[limits]\nfree = "900TB"\n', long=site)
    with pytest.raises(StorageError, match="free"):
        call()
    assert (keeping.reports(root, "long", 1)[0].gave_way, keeping.state_of(root, "long").running) == (0, None)
