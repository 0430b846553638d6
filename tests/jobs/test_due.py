"""What is due is run once, whatever cuts it off."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from muniment.archive.archive import Archive
from muniment.errors import StorageError, UsageError
from muniment.jobs import due, health, keeping, upkeep
from muniment.jobs.report import Report, iso
from muniment.jobs.running import Run, World

NOW = datetime(2026, 3, 2, 12, 0, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
VERIFY = 'schedule = "every hour"\nverify = "100%"\n[limits]\nfree = 0\n'


def call(root: Path, now: datetime, *names: str) -> list[due.Outcome]:
    return list(due.run_due(root, World(lambda: now), names))


def test_a_job_is_due_from_the_time_after_it_was_seen_first(root: Path) -> None:
    keeping.write(root, "check", VERIFY)
    assert call(root, NOW) == []
    assert due.next_time(root, NOW) == NOW.replace(hour=13, minute=0, second=0)
    (outcome,) = call(root, NOW + HOUR)
    assert outcome.report is not None
    assert (outcome.report.due, outcome.report.state, outcome.report.missed) == ("2026-03-02T13:00:00Z", "done", 0)
    assert call(root, NOW + HOUR) == []
    (late,) = call(root, NOW + 5 * HOUR)
    assert late.report is not None
    assert (late.report.due, late.report.missed) == ("2026-03-02T17:00:00Z", 3)


def test_a_file_written_by_hand_is_another_job_than_the_one_that_was_removed(root: Path) -> None:
    keeping.write(root, "check", VERIFY)
    assert len(call(root, NOW) + call(root, NOW + HOUR)) == 1
    keeping.remove(root, "check")
    (root / "jobs" / "check.toml").write_text(VERIFY)
    [row] = health.rows(root, {}, NOW + 50 * HOUR)
    assert (row.health, row.last) == ("new", None)
    assert call(root, NOW + 50 * HOUR) == []
    [outcome] = call(root, NOW + 51 * HOUR)
    assert outcome.report is not None
    assert outcome.report.missed == 0
    assert len(keeping.reports(root, "check", 9)) == 2


def test_a_job_whose_file_is_lost_is_told_until_it_is_put_back_or_removed(root: Path) -> None:
    keeping.write(root, "check", VERIFY)
    keeping.write(root, "other", VERIFY)
    assert len(call(root, NOW) + call(root, NOW + HOUR)) == 2
    for name in ("check", "other"):
        (root / "jobs" / f"{name}.toml").unlink()
    assert {row.health for row in health.rows(root, {}, NOW + HOUR)} == {"wrong"}
    (outcome, _) = call(root, NOW + 2 * HOUR)
    assert outcome.report is None and "jobs/check.toml is gone, and nobody removed the job" in str(outcome.error)
    (root / "jobs" / "check.toml").write_text(VERIFY)
    keeping.remove(root, "other")
    assert [row.job for row in health.rows(root, {}, NOW + 3 * HOUR)] == ["check"]
    (again,) = call(root, NOW + 3 * HOUR)
    assert again.report is not None and again.report.missed == 1
    with pytest.raises(UsageError, match="there is no job 'other'"):
        keeping.remove(root, "other")


def test_a_run_by_hand_leaves_the_schedule_alone(root: Path) -> None:
    keeping.write(root, "check", VERIFY)
    call(root, NOW)
    (by_hand,) = call(root, NOW + 2 * HOUR, "check")
    assert by_hand.report is not None and by_hand.report.by_hand
    (outcome,) = call(root, NOW + 2 * HOUR)
    assert outcome.report is not None and (outcome.report.due, outcome.report.missed) == ("2026-03-02T14:00:00Z", 1)


def test_a_clock_that_was_ahead_and_is_put_right_holds_nothing_up(root: Path) -> None:
    keeping.write(root, "check", VERIFY)
    call(root, NOW)
    call(root, NOW + timedelta(days=3650))
    assert call(root, NOW + HOUR) == []
    (outcome,) = call(root, NOW + 2 * HOUR)
    assert outcome.report is not None and outcome.report.due == "2026-03-02T14:00:00Z"


def test_a_wrong_file_keeps_no_other_job_from_its_run(root: Path) -> None:
    keeping.write(root, "check", VERIFY)
    call(root, NOW)
    keeping.job_file(root, "before").write_text('schedule = "every hour"\nfeed = "x"\n')
    wrong, right = call(root, NOW + HOUR)
    assert wrong.report is None and "jobs/before.toml, line 2: feed" in str(wrong.error)
    assert right.report is not None and right.report.state == "done"


def test_a_part_that_cannot_be_done_is_told_and_the_rest_is_done(root: Path) -> None:
    keeping.write(root, "check", 'searches = ["nobody-kept-this"]\n' + VERIFY)
    (outcome,) = call(root, NOW, "check")
    assert outcome.report is not None
    assert (outcome.report.state, outcome.report.done) == ("partial", ["verify", "searches"])
    assert "there is no search 'nobody-kept-this'" in outcome.report.errors[0]


def test_a_paused_job_rests_and_goes_on_with_one_run(root: Path) -> None:
    keeping.write(root, "check", "# mine\n" + VERIFY)
    call(root, NOW)
    keeping.set_paused(root, "check", True)
    assert call(root, NOW + 9 * HOUR) == [] and due.next_time(root, NOW) is None
    keeping.set_paused(root, "check", False)
    text = keeping.text_of(root, "check")
    assert text.startswith("# mine\n") and "paused" not in text
    (outcome,) = call(root, NOW + 9 * HOUR)
    assert outcome.report is not None and outcome.report.missed == 8


def test_a_run_that_kills_its_process_is_given_up_so_that_others_get_their_turn(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four times without having got further; the reports say so. The others have their turn before that."""
    keeping.write(root, "check", VERIFY)
    keeping.write(root, "other", VERIFY)
    call(root, NOW)

    verify = upkeep.verify

    def kill(run: Run, archive: Archive) -> None:
        if run.job.name == "check":
            os.kill(os.getpid(), signal.SIGKILL)
        verify(run, archive)

    for kills in range(due.GIVEN_UP):
        assert _in_child(lambda: _killed(root, monkeypatch, kill)) == signal.SIGKILL
        assert [one.state for one in keeping.reports(root, "other", 9)] == ["done"] * bool(kills)
    (given_up,) = call(root, NOW + HOUR)
    assert given_up.report is not None and given_up.report.state == "failed"
    assert "given up" in given_up.report.errors[-1] and given_up.report.resumed == due.GIVEN_UP
    assert call(root, NOW + HOUR) == []


def _killed(root: Path, monkeypatch: pytest.MonkeyPatch, kill: Callable[..., None]) -> None:
    monkeypatch.setattr("muniment.jobs.upkeep.verify", kill)
    call(root, NOW + HOUR)


def _in_child(do: Callable[[], object]) -> int:
    """The signal that ended it; 0 where none did."""
    child = os.fork()
    if not child:
        try:
            do()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1] & 0x7F


def test_what_is_remembered_may_be_damaged_and_the_reports_say_what_was_run(root: Path) -> None:
    keeping.write(root, "check", VERIFY)
    call(root, NOW)
    call(root, NOW + HOUR)
    (root / "jobs" / "state" / "check.json").write_text("{")
    assert keeping.state_of(root, "check").due == "2026-03-02T13:00:00Z"
    assert call(root, NOW + HOUR) == []


def test_reports_come_back_as_they_were_kept(root: Path) -> None:
    report = Report("check", iso(NOW), iso(NOW), missed=2)
    report.source("feed", "http://a.example/f").count_failure("http-404", "gone")
    report.source("feed", "http://b.example/f").count_failure("robots", "forbidden")
    keeping.keep_report(root, report)
    assert list(keeping.reports(root, "check", 5)) == [report]


def test_a_full_disk_ends_the_call_and_the_run_goes_on_when_there_is_room(root: Path) -> None:
    folder = root.parent / "in"
    folder.mkdir()
    for n in range(3):
        file = folder / f"{n}.txt"
        file.write_text(f"An article about the dam, number {n}. " * 20)
        os.utime(file, (1, 1))
    text = f'schedule = "every hour"\nfolders = ["{folder}"]\n[limits]\nfree = "900TB"\n'
    keeping.write(root, "inbox", text)
    call(root, NOW)
    with pytest.raises(StorageError, match="are left on the disk"):
        call(root, NOW + HOUR)
    assert keeping.state_of(root, "inbox").running is not None
    keeping.write(root, "inbox", text.replace("900TB", "0"))
    (outcome,) = call(root, NOW + HOUR)
    assert outcome.report is not None
    assert (outcome.report.state, outcome.report.resumed, outcome.report.total("new")) == ("done", 1, 3)


def test_a_job_that_lacks_room_keeps_no_other_from_its_run(root: Path) -> None:
    inbox = root.parent / "in"
    inbox.mkdir()
    (inbox / "a.txt").write_text("A note about the ferry. " * 9)
    os.utime(inbox / "a.txt", (1_700_000_000, 1_700_000_000))
    lacking = f'schedule = "every hour"\nfolders = ["{inbox}"]\nlimits = {{ free = "900TB" }}\n'
    keeping.write(root, "a-lacking", lacking)
    keeping.write(root, "check", VERIFY)
    call(root, NOW)
    for hours in (1, 2):
        with pytest.raises(StorageError, match="are to stay free"):
            call(root, NOW + hours * HOUR)
        assert len(keeping.reports(root, "check", 9)) == hours


def test_what_was_added_and_is_never_called_is_overdue(root: Path) -> None:
    keeping.write(root, "check", VERIFY)
    keeping.begin(root, "check", NOW)
    row = health.row_of(root, "check", {}, NOW + 9 * HOUR)
    assert row.health == "overdue" and row.late >= 7 * 3600
    (outcome,) = call(root, NOW + 9 * HOUR)
    assert outcome.report is not None and outcome.report.missed == 8
