"""Runs that meet: one goes on, the others are told so, wait, or come again. And what `--forever` holds in the end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from muniment import durable
from muniment.jobs import due, keeping
from muniment.jobs.keeping import State
from muniment.jobs.report import iso
from muniment.jobs.running import World
from tests.discovering.newspaper import Newspaper, Page, story

RUNS = int(os.environ.get("MUNIMENT_FOREVER_RUNS", "15"))
COMMAND = (sys.executable, "-m", "muniment")
JOB = """
schedule = "every hour"
urls = ["{url}/story/1", "{url}/slow"]
allow_private = true
revisit = false
limits = {{ delay = 0, free = 0 }}
"""


@pytest.fixture
def paper() -> Iterator[Newspaper]:
    with Newspaper() as running:
        yield running


def start(root: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "--archive", root, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


def an_hour_ago() -> State:
    return State(made=iso(datetime.now(UTC) - timedelta(hours=1)))


@pytest.fixture
def going(root: Path, paper: Newspaper) -> Iterator[Callable[[], None]]:
    """A job that is due, and stands at a page that is answered when this is called."""
    answer = threading.Event()
    paper.pages["/slow"] = Page(story(7), before=lambda: answer.wait(60))
    keeping.write(root, "courier", JOB.format(url=paper.url))
    keeping.keep_state(root, "courier", an_hour_ago())
    yield answer.set
    answer.set()


def test_two_calls_at_once_run_what_is_due_once(root: Path, paper: Newspaper, going: Callable[[], None]) -> None:
    first = start(root, "jobs", "run", "--due", "--processes", "1")
    until(lambda: "/slow" in paper.paths())
    second, by_hand = (start(root, "jobs", "run", word) for word in ("--due", "courier"))
    for late in (second, by_hand):
        said, _ = late.communicate(timeout=30)
        assert late.returncode == 11 and f"process {first.pid} on" in said and "Traceback" not in said, said
    waiting = start(root, "jobs", "run", "--due", "--wait", "60")
    going()
    said, _ = first.communicate(timeout=30)
    assert first.returncode == 0, said
    said, _ = waiting.communicate(timeout=30)
    assert waiting.returncode == 0 and "nothing is due" in said, said
    assert len(keeping.reports(root, "courier", 9)) == 1
    assert [path for path in paper.paths() if path != "/robots.txt"] == ["/story/1", "/slow"]


def test_what_another_job_stored_while_a_run_was_cut_off_counts_once(
    root: Path, paper: Newspaper, going: Callable[[], None]
) -> None:
    first = start(root, "jobs", "run", "courier", "--processes", "1")
    until(lambda: "/slow" in paper.paths())
    first.kill()
    first.communicate(timeout=30)
    going()
    other = JOB.format(url=paper.url).replace(f'"{paper.url}/story/1", ', "")
    keeping.write(root, "other", other)
    for name in ("other", "courier"):
        (outcome,) = due.run_due(root, World(processes=1), [name])
    slow = {name: keeping.reports(root, name, 1)[0].sources[f"url {paper.url}/slow"] for name in ("other", "courier")}
    assert (slow["other"].new, slow["other"].unchanged) == (1, 0)
    assert (slow["courier"].tried, slow["courier"].new, slow["courier"].unchanged) == (1, 0, 1)
    assert outcome.report is not None and outcome.report.resumed == 1
    assert outcome.report.sources[f"url {paper.url}/story/1"].new == 1


def test_a_job_is_not_removed_while_a_run_of_it_would_remember_it_again(
    root: Path, paper: Newspaper, going: Callable[[], None]
) -> None:
    run = start(root, "jobs", "run", "--due", "--processes", "1")
    until(lambda: "/slow" in paper.paths())
    early = start(root, "jobs", "remove", "courier")
    said, _ = early.communicate(timeout=30)
    assert early.returncode == 11 and "a run of courier is under way" in said
    going()
    assert run.wait(30) == 0
    assert start(root, "jobs", "remove", "courier").wait(30) == 0
    assert keeping.names(root) == []


def test_whoever_adds_beside_a_run_waits_for_the_archive(
    root: Path, paper: Newspaper, going: Callable[[], None], tmp_path: Path
) -> None:
    run = start(root, "jobs", "run", "--due", "--processes", "1")
    until(lambda: "/slow" in paper.paths())
    (tmp_path / "a.txt").write_text("An upload beside a run.\n" * 9)
    refused = start(root, "add", str(tmp_path / "a.txt"))
    assert refused.wait(30) == 11
    waiting = start(root, "add", "--wait", "60", str(tmp_path / "a.txt"))
    going()
    assert run.wait(30) == 0 and waiting.wait(30) == 0


def test_a_run_that_meets_a_writer_goes_on_at_the_next_call(root: Path, paper: Newspaper) -> None:
    keeping.write(root, "courier", JOB.format(url=paper.url).replace(f', "{paper.url}/slow"', ""))
    keeping.keep_state(root, "courier", an_hour_ago())
    world = World(processes=1, wait=0.2)
    lock = durable.Lock(root / "lock")
    try:
        for _ in range(due.GIVEN_UP + 2):  # however often: that is no fault of the run
            (outcome,) = due.run_due(root, world)
            assert outcome.report is None and "another muniment is writing" in str(outcome.error)
    finally:
        lock.release()
    before = keeping.state_of(root, "courier").running
    (outcome,) = due.run_due(root, world)
    assert before is not None and outcome.report is not None
    assert (outcome.report.due, outcome.report.started) == (before.due, before.started)
    assert (outcome.report.state, outcome.report.total("new")) == ("done", 1)
    assert not list(due.run_due(root, world)) and len(keeping.reports(root, "courier", 9)) == 1


def test_a_job_by_hand_beside_forever_is_run_and_forever_goes_on(root: Path, paper: Newspaper) -> None:
    text = JOB.format(url=paper.url).replace(f', "{paper.url}/slow"', "")
    keeping.write(root, "courier", text.replace("every hour", "every second"))
    forever = start(root, "jobs", "run", "--forever", "--processes", "1", "-q")
    try:
        until(lambda: len(keeping.reports(root, "courier", 9)) > 1)
        by_hand = start(root, "jobs", "run", "courier", "--wait", "60", "--processes", "1")
        said, _ = by_hand.communicate(timeout=60)
        assert by_hand.returncode == 0, said
        so_far = len(keeping.reports(root, "courier", 99))
        until(lambda: len(keeping.reports(root, "courier", 99)) > so_far)
    finally:
        forever.send_signal(signal.SIGTERM)
        forever.communicate(timeout=30)
    found = keeping.reports(root, "courier", 99)
    assert sum(report.by_hand for report in found) == 1
    assert len({report.due for report in found if not report.by_hand}) == len(found) - 1


def test_forever_holds_no_more_after_many_runs_than_after_five(root: Path, paper: Newspaper) -> None:
    text = JOB.format(url=paper.url).replace(f'"{paper.url}/slow"', f'"{paper.url}/story/2"')
    keeping.write(root, "courier", text.replace("every hour", "every second"))
    forever = start(root, "jobs", "run", "--forever", "--processes", "1", "-q")
    try:
        held = []
        for runs in (5, RUNS):
            until(lambda: len(keeping.reports(root, "courier", RUNS)) >= runs, 5 * RUNS)  # noqa: B023 - called at once
            held.append(holdings(forever.pid))
    finally:
        forever.send_signal(signal.SIGTERM)
        forever.communicate(timeout=30)
    (descriptors, threads, size), (later, threads_later, size_later) = held
    assert (later, threads_later) <= (descriptors + 1, threads + 1), held
    assert size_later < size + 300 * RUNS, held


def holdings(pid: int) -> tuple[int, int, int]:
    """Open descriptors, threads and resident kilobytes of a process, the least of each within two seconds."""
    seen = []
    for _ in range(20):
        named = dict(re.findall(r"^(VmRSS|Threads):\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE))
        seen.append((len(list(Path(f"/proc/{pid}/fd").iterdir())), int(named["Threads"]), int(named["VmRSS"])))
        time.sleep(0.1)
    descriptors, threads, sizes = zip(*seen, strict=True)
    return min(descriptors), min(threads), min(sizes)


def test_a_run_that_hangs_is_told_by_the_calls_that_meet_it(
    root: Path, paper: Newspaper, going: Callable[[], None], tmp_path: Path
) -> None:
    told = tmp_path / "told"
    with (root / "archive.toml").open("a") as file:
        file.write(f'\n[alerts]\noverdue = "1 second"\ncommand = ["sh", "-c", "cat >> {told}"]\n')
    first = start(root, "jobs", "run", "--due", "--processes", "1")
    until(lambda: "/slow" in paper.paths())
    for _ in range(2):
        time.sleep(1.5)
        late = start(root, "jobs", "run", "--due")
        late.communicate(timeout=30)
        assert late.returncode == 11
    assert told.read_text().count("ALARM run-overdue") == 1
    going()
    first.communicate(timeout=30)
    assert first.returncode == 0 and "ALARM" not in told.read_text().splitlines()[-1]
