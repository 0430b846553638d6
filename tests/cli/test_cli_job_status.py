"""`jobs status` where there is much to be said: what is wrong comes first, and what is well is counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_console import Console
from click.testing import CliRunner
from test_cli_terminal import COLOUR, on_terminal

from muniment.cli import cli, terminal
from muniment.jobs import keeping
from muniment.jobs.book import Book
from muniment.jobs.conditions import Alarm
from muniment.jobs.keeping import Past, Seen, State
from muniment.jobs.report import Report

AT = "2026-11-22T06:00:00Z"
FEEDS = [f"https://courier.example/section/{number:02}/feed" for number in range(30)]
GONE = FEEDS[17]


@pytest.fixture
def root(root: Path) -> Path:
    """A job with thirty feeds, of which one fails, and a short one beside it."""
    keeping.write(root, "courier", f'schedule = "@yearly"\nfeeds = {FEEDS}\n')
    keeping.write(root, "it", 'schedule = "@yearly"\nverify = 3\n')
    seen = {f"feed {feed}": Seen(feed, AT, AT) for feed in FEEDS}
    seen[f"feed {GONE}"] = Seen(
        GONE, AT, AT, 3, "it answers 500: the whole of what it says is longer than a line has room"
    )
    for name, sources in (("courier", seen), ("it", {})):
        past = Past(AT, AT, "partial" if sources else "done", 3, 9, 12.5)
        keeping.keep_state(root, name, State(AT, AT, sources=sources, past=[past]))
    return root


def status(root: Path, *arguments: str, code: int) -> list[str]:
    done = CliRunner().invoke(cli, ["--archive", str(root), "jobs", "status", *arguments])
    assert done.exit_code == code, done.output
    return done.output.splitlines()


def test_what_fails_comes_first_and_what_is_well_is_counted(root: Path) -> None:
    lines = status(root, code=3)
    assert lines[0].startswith(f"courier  ok       last {AT}, partial, 3 new; next 2027-01-01T00:00:00Z")
    assert lines[1].startswith(f"  failing  {GONE}  new {AT}; it answers 500")
    assert lines[2:12] == [f"  ok       {feed}  new {AT}" for feed in FEEDS[:10]]
    assert lines[12] == "  ok       and 19 sources more (`muniment jobs status courier` names them)"
    assert lines[13].startswith("it       ok       last ")
    assert len(lines) == 14


def test_one_job_is_told_in_full_and_judged_alone(root: Path) -> None:
    assert {line.split()[1] for line in status(root, "courier", code=3)[1:]} == set(FEEDS)
    assert len(status(root, "it", code=0)) == 1
    console = Console(root, root)
    assert "there is no job 'nowhere'" in console("jobs", "status", "it", "nowhere", code=2).err
    assert "give no name" in console("jobs", "status", "it", "--metrics", "-", code=2).err


def test_on_a_terminal_addresses_are_cut_to_the_line_and_errors_stand_below(root: Path) -> None:
    shown, _ = on_terminal(Console(root, root), "jobs", "status", COLUMNS="60")
    lines = COLOUR.sub(b"", shown).decode().splitlines()
    assert terminal.width(lines[1]) <= 60 and lines[1].startswith("  failing  https://courier.exam") and "…" in lines[1]
    assert lines[2] == f"           {keeping.state_of(root, 'courier').sources[f'feed {GONE}'].error}"
    assert lines[3].startswith("  ok       https://courier.exam")


def test_the_doctor_names_a_run_that_was_ended(root: Path) -> None:
    state = keeping.state_of(root, "it")
    state.running = Report("it", AT, AT, reached=-1)
    keeping.keep_state(root, "it", state)
    book = Book(root)
    alarm = Alarm("run-stopped", "it", "", "12 MiB are left on the disk", AT)
    book.alarms[alarm.key] = alarm
    book.keep()
    done = CliRunner().invoke(cli, ["--archive", str(root), "doctor"])
    assert "job-stopped: the run of it was ended: 12 MiB are left on the disk" in done.output
