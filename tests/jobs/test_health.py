"""What is said of jobs and their sources, from what is remembered of their runs; and the same for Prometheus."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from muniment.jobs import health, keeping
from muniment.jobs.guard import Guard
from muniment.jobs.health import Row, SourceRow, row_of, unusual
from muniment.jobs.keeping import Past, Seen, State
from muniment.jobs.report import Report, Source, as_json, from_json, iso, summary
from tests.conftest import NOW

FEED = "https://courier.example/feed"


def job(root: Path, *more: str, name: str = "a") -> None:
    keeping.write(root, name, "\n".join(('schedule = "every 6 hours"', f'feeds = ["{FEED}"]', *more)) + "\n")


def past(new: int = 3, state: str = "done", error: str = "", *, usual: bool = True) -> Past:
    at = iso(NOW - timedelta(hours=2))
    return Past(at, at, state, new, 9, 12.5, error, usual)


def state(**values: Any) -> State:
    """Run two hours ago, at 06:00, and due at 12:00."""
    begun = {"made": iso(NOW - timedelta(days=30)), "due": "2026-11-22T06:00:00Z", "past": [past()]}
    return State(**{**begun, **values})


def row(root: Path, settings: dict[str, Any] | None = None, *, hours: float = 0, **values: Any) -> Row:
    keeping.keep_state(root, "a", state(**values))
    return row_of(root, "a", settings or {}, NOW + timedelta(hours=hours))


def test_a_job_that_was_run_in_time_is_well(root: Path) -> None:
    job(root)
    found = row(root)
    assert (found.health, found.due, found.late, found.is_bad) == ("ok", "2026-11-22T12:00:00Z", 0, False)


def test_a_job_that_nobody_ran_is_overdue_an_hour_later(root: Path) -> None:
    job(root)
    assert row(root, hours=4.5).health == "ok"
    late = row(root, hours=5.5)
    assert (late.health, late.is_bad, round(late.late)) == ("overdue", True, 5400)
    assert row(root, {"overdue": "2 hours"}, hours=5.5).health == "ok"
    assert row(root, hours=100).late > 90 * 3600  # since the first that was missed


def test_a_job_that_was_not_yet_due_is_new(root: Path) -> None:
    job(root)
    assert row_of(root, "a", {}, NOW).health == "new"
    assert row(root, past=[], due="").health == "overdue"  # it was made a month ago
    assert row(root, past=[], due="", made=iso(NOW)).health == "new"


def test_a_paused_job_is_neither_late_nor_failing(root: Path) -> None:
    job(root, "paused = true")
    found = row(
        root, hours=99, past=[past(state="failed", error="x")], sources={f"feed {FEED}": Seen(FEED, failures=9)}
    )
    assert (found.health, found.is_bad, found.due) == ("paused", False, "")


def test_a_job_that_failed_is_failing_until_a_run_does_not(root: Path) -> None:
    job(root)
    failed = row(root, past=[past(), past(state="failed", error="3 sources gave nothing")])
    assert (failed.health, failed.error, failed.is_bad) == ("failing", "3 sources gave nothing", True)
    partly = row(root, past=[past(state="partial", error="export: no such folder")])
    assert (partly.health, partly.is_bad) == ("failing", True)
    assert row(root, past=[past(state="partial")]).health == "ok"  # a page that is gone is no failure of the job
    assert row(root, past=[past(state="failed", error="x"), past()]).health == "ok"


def test_a_run_that_was_cut_off_is_told_from_one_that_goes_on(root: Path) -> None:
    job(root)
    running = Report("a", "2026-11-22T06:00:00Z", "2026-11-22T07:59:00Z")
    assert "was cut off" in row(root, running=running).error
    guard = Guard(root)
    found = row(root, running=running)
    assert (found.health, found.error, found.is_bad) == ("running", "", False)
    assert row(root, running=running, hours=3.5).health == "overdue"
    guard.release()


def test_a_run_that_the_disk_ended_is_stopped_and_says_why_until_it_goes_on(root: Path) -> None:
    job(root)
    why = {"a": "3 MiB are left on the disk"}
    stopped = Report("a", "2026-11-22T06:00:00Z", "2026-11-22T07:59:00Z", reached=-1)

    def found(hours: float = 0, **values: Any) -> Row:
        keeping.keep_state(root, "a", state(**values))
        return row_of(root, "a", {}, NOW + timedelta(hours=hours), why)

    for hours in (0, 5.5):
        one = found(hours, running=stopped)
        assert (one.health, one.error, one.is_bad) == ("stopped", why["a"], True)
    assert found().health == "ok"  # it has come to its end
    guard = Guard(root)
    assert found(running=stopped).health == "stopped"  # another job is being run
    stopped.resume()
    assert found(running=stopped).health == "running"
    guard.release()


def test_a_file_that_is_wrong_is_bad(root: Path) -> None:
    job(root)
    (root / "jobs" / "a.toml").write_text("schedule = 3")
    [found] = health.rows(root, {}, NOW)
    assert (found.health, found.is_bad) == ("wrong", True)
    assert "jobs/a.toml, line 1: schedule" in found.error


def test_names_that_no_job_can_have_are_told_and_break_nothing(root: Path) -> None:
    job(root)
    (root / "jobs" / "no name.toml").write_text("")
    (root / "jobs" / "\udcff.toml").write_text("")
    found = health.rows(root, {}, NOW)
    assert [(row.job, row.health) for row in found] == [("a", "new"), ("no name", "wrong"), ("\ufffd", "wrong")]
    assert health.metrics(found, {}, NOW).encode()


# ---- sources


def source(root: Path, settings: dict[str, Any] | None = None, *, hours: float = 0, **values: Any) -> SourceRow:
    seen = Seen(FEED, **{"good": "2026-11-22T06:00:00Z", "new": "2026-11-22T06:00:00Z", **values})
    [found] = row(
        root, settings, hours=hours, sources={f"feed {FEED}": seen, "feed https://removed.example/": seen}
    ).sources
    return found


def test_a_source_that_was_never_asked_is_new_and_one_that_is_no_target_is_not_shown(root: Path) -> None:
    job(root)
    [found] = row(root).sources
    assert (found.target, found.health) == (FEED, "new")
    assert source(root).health == "ok"


def test_a_source_of_which_nothing_comes_is_failing_and_then_overdue(root: Path) -> None:
    job(root)
    assert source(root, failures=1, error="answers 500").health == "failing"
    assert source(root, failures=3, hours=16.9).health == "failing"  # three periods of six hours, and one of grace
    assert source(root, failures=3, hours=17.1).health == "overdue"
    assert source(root, failures=0, hours=17.1).health == "ok"  # it was not asked: that is the job's matter


# ---- volume


def test_volume_needs_ten_runs_of_history() -> None:
    assert unusual([]) == ""
    assert unusual([past(5)] * 10 + [past(500)])
    assert unusual([past(5)] * 9 + [past(500)]) == ""


@pytest.mark.parametrize("count", [0, 200])
def test_volume_far_from_what_is_usual_is_told_with_the_band(count: int) -> None:
    counts = [38, 41, 52, 40, 47, 44, 39, 42, 50, 45, 43]
    said = unusual([past(one) for one in counts] + [past(count)])
    assert said.startswith(f"{count:,} new or changed, where ")
    assert unusual([past(one) for one in counts] + [past(60)]) == ""


def test_nights_and_mornings_are_usual() -> None:
    day = [0, 0, 0, 38, 5, 2, 1, 0]
    history = [past(count) for count in day * 4]
    assert all(unusual([*history, past(count)]) == "" for count in day)
    assert unusual([*history, past(400)])


def test_a_first_run_of_thousands_hides_no_later_flood() -> None:
    assert unusual([past(10_000), *[past(5)] * 20, past(300)])


def test_runs_by_hand_and_those_that_stand_for_missed_ones_do_not_compare() -> None:
    usual = [past(20)] * 15
    assert unusual([*usual, past(0, usual=False)]) == ""
    assert unusual([*[past(0, usual=False)] * 30, *usual, past(20)]) == ""
    assert unusual([*usual, past(0, state="failed")]) == ""
    assert unusual([*usual, past(0)])


# ---- Prometheus

HOSTILE = 'https://courier.example/"\\x\n# TYPE'


def test_the_figures_are_read_by_prometheus_own_parser(root: Path) -> None:
    rows = [
        Row("a", "ok", past(7), "2026-11-22T12:00:00Z", sources=[SourceRow(HOSTILE, "failing", failures=3, new="2026-11-22T06:00:00Z", kind="feed")]),
        Row("ب", "overdue", late=5400.5),
        Row("c", "wrong", error="line 3"),
    ]  # fmt: skip
    text = health.metrics(rows, {"disk_free_bytes": 37_513_256_960, "alarms": 2}, NOW)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert all(family.documentation and family.type == "gauge" for family in families.values())
    values = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert values["muniment_job_healthy", "a"] == 1
    assert values["muniment_job_healthy", "ب"] == 0
    assert values["muniment_job_healthy", "c"] == 0
    assert values["muniment_job_late_seconds", "ب"] == 5400.5
    assert values["muniment_job_next_run_timestamp_seconds", "a"] == 1795348800
    assert values["muniment_job_last_run_new", "a"] == 7
    assert values["muniment_job_last_run_failed", "a"] == 0
    assert values["muniment_source_failures", "a", "feed", HOSTILE] == 3
    assert values["muniment_source_healthy", "a", "feed", HOSTILE] == 0
    assert values[("muniment_disk_free_bytes",)] == 37_513_256_960
    assert values[("muniment_status_timestamp_seconds",)] == NOW.timestamp()
    assert len(values) == sum(not line.startswith("#") for line in text.splitlines())


def test_an_address_that_a_job_names_twice_has_figures_of_each(root: Path) -> None:
    keeping.write(root, "a", 'schedule = "every day"\ncrawls = ["https://a.example/"]\nurls = ["https://a.example/"]\n')
    text = health.metrics(health.rows(root, {}, NOW), {}, NOW)
    samples = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(samples) == len(set(samples))  # node_exporter passes over the whole file where two are the same
    assert 'muniment_source_healthy{job="a",kind="crawl",source="https://a.example/"}' in samples


def test_without_jobs_the_figures_are_valid_too() -> None:
    text = health.metrics([], {"alarms": 0}, NOW)
    assert [family.name for family in text_string_to_metric_families(text) if family.samples] == [
        "muniment_alarms", "muniment_status_timestamp_seconds",
    ]  # fmt: skip


# ---- reports


def report(**values: Any) -> Report:
    made = Report("a", "2026-11-22T06:00:00Z", "2026-11-22T06:00:03Z", **values)
    made.sources = {
        f"feed {FEED}": Source(FEED, "feed", tried=12, new=3, changed=1, unchanged=2, not_modified=4, blocked=1, failed=1, bytes=1_234_567, seconds=14.2),
        "url https://x.example/": Source("https://x.example/", "url"),
    }  # fmt: skip
    made.sources[f"feed {FEED}"].reasons = {"robots": 1, "timeout": 1}
    made.sources[f"feed {FEED}"].error = "robots.txt does not let muniment fetch it"
    return made


def test_a_report_is_the_same_after_it_was_kept(root: Path) -> None:
    made = report(missed=2, resumed=1, findings=["x"], searches={"dams": 3}, log_size=9, root="AAAA", state="done")
    path = keeping.keep_report(root, made)
    assert keeping.reports(root, "a", 5) == [made]
    assert from_json(as_json(made)) == made
    assert path.with_suffix(".txt").read_text().splitlines() == [
        "a: done, for 2026-11-22T06:00:00Z, begun 2026-11-22T06:00:03Z",
        "  2 due times before it missed; this run stands for all of them",
        "  it was cut off and went on 1 time",
        f"  feed {FEED}: 12 tried: 3 new, 1 changed, 2 unchanged, 4 not modified, 1 blocked, 1 failed; 1.2 MB, 14 s",
        "    1 robots, 1 timeout; such as: robots.txt does not let muniment fetch it",
        "  url https://x.example/: 0 tried: nothing new; 0.0 MB, 0 s",
        "  search dams: 3 new",
        "  finding: x",
        "  the log has 9 leaves; root AAAA",
    ]


def test_two_runs_of_one_second_keep_a_report_each_and_one_run_keeps_one(root: Path) -> None:
    runs = [report(missed=i) for i in range(12)]
    for made in runs:
        keeping.keep_report(root, made)
        made.resumed = 1  # killed before it was remembered that it was done
        keeping.keep_report(root, made)
    folder = root / "jobs" / "runs" / "a"
    assert len(list(folder.glob("*.json"))) == len(list(folder.glob("*.txt"))) == 12
    assert [made.missed for made in keeping.reports(root, "a", 20)] == list(range(12))[::-1]
    later = Report("a", "2026-11-22T06:00:00Z", "2026-11-22T06:00:04Z")
    keeping.keep_report(root, later)
    assert keeping.reports(root, "a", 1) == [later]


def test_a_summary_names_twenty_of_a_kind_and_counts_the_rest() -> None:
    lines = summary(report(errors=[f"error {i}" for i in range(25)]))
    assert sum(line.startswith("  error: ") for line in lines) == 20
    assert "  and 5 more of this kind (in the JSON)" in lines


def test_where_what_is_remembered_is_damaged_the_reports_say_what_was_run(root: Path) -> None:
    job(root)
    for hour in range(3):
        made = Report(
            "a", f"2026-11-22T0{hour}:00:00Z", f"2026-11-22T0{hour}:00:01Z", f"2026-11-22T0{hour}:00:09Z", "done"
        )
        keeping.keep_report(root, made)
    keeping.keep_report(
        root, Report("a", "2026-11-22T03:30:00Z", "2026-11-22T03:30:00Z", "2026-11-22T03:31:00Z", "done", by_hand=True)
    )
    for damage in (b"", b"{", b"[]", b'{"made": 3}', b"\xff", None):
        (root / "jobs" / "state" / "a.json").write_bytes(damage or b"")
        if damage is None:
            (root / "jobs" / "state" / "a.json").unlink()
        found = keeping.state_of(root, "a")
        assert found.due == "2026-11-22T02:00:00Z"
        assert [one.due[11:13] for one in found.past] == ["00", "01", "02", "03"]


def test_a_new_job_of_an_old_name_begins_anew(root: Path) -> None:
    job(root)
    keeping.remove(root, "a")
    keeping.keep_state(root, "a", state(running=report()))  # by a run that ended after that
    keeping.keep_report(root, report())
    job(root)
    assert keeping.state_of(root, "a") == State()


def test_a_job_that_is_changed_keeps_its_past(root: Path) -> None:
    job(root)
    keeping.keep_state(root, "a", state())
    job(root, "stamp = true")
    assert keeping.state_of(root, "a") == state()
