"""Files between runs that are damaged, or that a stranger wrote: what they are about suffers, and nothing else does."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from muniment import frontier
from muniment.cli import cli
from muniment.errors import StorageError, UsageError
from muniment.jobs import alarms, due, health, keeping
from muniment.jobs.guard import Guard
from muniment.jobs.kept import Damaged, fitted
from muniment.jobs.pauses import read_pauses
from muniment.jobs.report import Report, Source, from_json, iso
from muniment.jobs.running import World

NOW = datetime(2026, 3, 2, 12, 0, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
VERIFY = 'schedule = "every hour"\nverify = "100%"\n[limits]\nfree = 0\n'
DEEP = "[" * 100_000


def call(root: Path, now: datetime, *names: str) -> list[due.Outcome]:
    return list(due.run_due(root, World(lambda: now), names))


@pytest.fixture
def two(root: Path) -> Path:
    """An archive with two jobs that ran once."""
    for name in ("check", "other"):
        keeping.write(root, name, VERIFY)
    call(root, NOW)
    assert len(call(root, NOW + HOUR)) == 2
    return root


def changed(**values: Any) -> Callable[[Path], str]:
    """The file with other values for some keys."""
    return lambda path: json.dumps({**json.loads(path.read_text()), **values})


STATES: dict[str, Callable[[Path], str]] = {
    "nested": lambda path: DEEP,
    "cut off": lambda path: path.read_text()[:-20],
    "no table": lambda path: "[]",
    "empty": lambda path: "",
    "sources a list": changed(sources=[]),
    "a source a number": changed(sources={"feed x": 3}),
    "a source that came at no time": changed(sources={"feed x": {"target": "x", "new": "yesterday"}}),
    "infinite": changed(stage_size=float("inf")),
    "huge": lambda path: path.read_text().replace('"stage_size": 0', '"stage_size": 1' + "0" * 400),
    "without a zone": changed(due="2026-03-02T13:00:00"),
    "before all times": changed(made="0001-01-01T00:00:00Z"),
    "a past without an end": changed(past=[{"due": iso(NOW), "finished": "", "state": "done", "new": 1, "tried": 1,
                                            "seconds": 1}]),
    "a run that is none": changed(running=[1]),
    "marks that are none": changed(taken={"/in/a": {"a": 1}}),
}  # fmt: skip


@pytest.mark.parametrize("damage", STATES.values(), ids=STATES.keys())
def test_a_damaged_state_keeps_no_job_from_its_run_and_is_kept_beside(
    two: Path, damage: Callable[[Path], str], caplog: pytest.LogCaptureFixture
) -> None:
    path = two / "jobs" / "state" / "check.json"
    wrong = damage(path)
    path.write_text(wrong)
    assert [row.job for row in health.rows(two, {}, NOW + HOUR)] == ["check", "other"]
    assert due.next_time(two, NOW + HOUR) == (NOW + 2 * HOUR).replace(second=0)
    with caplog.at_level(logging.WARNING):
        assert call(two, NOW + HOUR) == []
    assert [message for message in caplog.messages if "check.json is damaged" in message and str(path) in message]
    assert (path.parent / "check.json.damaged").read_text() == wrong
    caplog.clear()
    outcomes = call(two, NOW + 2 * HOUR)
    assert [(one.job, one.report.due if one.report else "") for one in outcomes] == [
        ("check", "2026-03-02T14:00:00Z"),
        ("other", "2026-03-02T14:00:00Z"),
    ]
    assert not caplog.messages


def test_a_state_of_a_later_version_is_read_as_far_as_it_is_known(two: Path) -> None:
    path = two / "jobs" / "state" / "check.json"
    before = keeping.state_of(two, "check")
    path.write_text(changed(later={"a": 1}, sources={"feed x": {"target": "x", "later": True}})(path))
    after = keeping.state_of(two, "check")
    assert (after.due, after.past) == (before.due, before.past) and after.sources["feed x"].target == "x"


@pytest.mark.parametrize("content", [DEEP, '{"sources": 1}', "[]", '{"sources": [], "due": 5}'])
def test_a_damaged_report_is_passed_over(two: Path, content: str) -> None:
    (two / "jobs" / "runs" / "check" / "2030-01-01T00-00-00Z.json").write_text(content)
    assert [one.due for one in keeping.reports(two, "check", 9)] == ["2026-03-02T13:00:00Z"]


@pytest.mark.parametrize(
    "name", ["my job", "new\nline", "\x1b[31mred", "a" * 65, "\N{MATHEMATICAL SCRIPT CAPITAL A}" * 60, "\udcff"],
    ids=["space", "newline", "escape", "long", "long in bytes", "no UTF-8"],
)  # fmt: skip
def test_a_file_whose_name_no_job_can_have_is_one_wrong_job(two: Path, name: str) -> None:
    (two / "jobs" / f"{name}.toml").write_text(VERIFY)
    told = {one.job: str(one.error or "") for one in call(two, NOW + 2 * HOUR)}
    assert [job for job, error in told.items() if not error] == ["check", "other"]
    ((job, error),) = ((job, error) for job, error in told.items() if error)
    assert job.isprintable() and error.startswith(f"jobs/{job}.toml: ") and "is no name for a job: use" in error
    book = alarms.watch(two, "test.example/log", {}, [], NOW + 2 * HOUR)
    assert [(one.kind, one.job) for one in book.standing()] == [("run-failed", job)]
    said = CliRunner().invoke(cli, ["--archive", str(two), "jobs", "status"])
    assert said.exit_code == 3 and "\x1b" not in said.output and any(job in line for line in said.output.split("\n"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a = " + "[" * 20_000, "too deeply"),
        ("a = " + "{b = " * 20_000, "too deeply"),
        (".".join("a" * 50_000) + " = 1", "too deeply"),
        ("a = 1" + "0" * 5_000, "digits"),
        (VERIFY.replace("free = 0", "free = 0xf" + "f" * 9_000), "64 bits"),
    ],
    ids=["lists", "tables", "dots", "digits", "bits"],
)
def test_a_job_that_no_reader_bears_is_wrong_and_the_others_run(two: Path, text: str, why: str) -> None:
    keeping.job_file(two, "check").write_text(text)
    with pytest.raises(UsageError, match=rf"^jobs/check\.toml: .*{why}"):
        keeping.read(two, "check")
    wrong, right = call(two, NOW + 2 * HOUR)
    assert wrong.job == "check" and wrong.report is None
    assert right.report is not None and right.report.state == "done"
    book = alarms.watch(two, "test.example/log", {}, [], NOW + 2 * HOUR)
    assert [one.job for one in book.standing()] == ["check"]


@pytest.mark.parametrize("content", [DEEP, "[]", '{"alarms": [5], "news": [], "read": {}}', '{"alarms": []}'])
def test_alarms_that_cannot_be_read_are_told_anew(two: Path, content: str) -> None:
    keeping.job_file(two, "check").write_text("a = 1")
    alarms.watch(two, "test.example/log", {}, [], NOW + HOUR)
    (two / "jobs" / "alarms.json").write_text(content)
    assert alarms.Book(two).standing() == []
    alarms.watch(two, "test.example/log", {}, [], NOW + HOUR)
    assert [one.job for one in alarms.Book(two).standing()] == ["check"]


@pytest.mark.parametrize(
    "change", [{"pid": float("inf")}, {"heard": float("nan")}, {"heard": 1e300}, {"host": None}, {"pid": "1"}]
)
def test_a_holder_of_whom_nonsense_is_said_keeps_nobody_out(root: Path, change: dict[str, Any]) -> None:
    (root / "jobs").mkdir()
    about = {"host": "other.example", "pid": 4711, "begun": "2026-01-02T03:04:05Z", "heard": 1.8e9, **change}
    (root / "jobs" / "holder.json").write_text(json.dumps(about))
    mine = Guard(root)
    assert mine.succeeded == ""
    mine.release()


@pytest.mark.parametrize(
    "content", ["[]", DEEP, '{"a.example": 5}', '{"a.example": ["", 1]}', '{"a.example": ["2026", Infinity]}', None]
)
def test_pauses_that_cannot_be_read_are_none(root: Path, content: str | None) -> None:
    folder = root / "jobs" / "state"
    folder.mkdir(parents=True)
    if content is None:
        os.mkfifo(folder / "hosts")
    else:
        (folder / "hosts").write_text(content)
    assert read_pauses(root, NOW) == {}


@pytest.mark.parametrize("content", ['{"FOLDER": 5}', '{"FOLDER": {"a": "b"}}', DEEP, "[]", None])
def test_a_watched_folder_of_which_nonsense_is_remembered_begins_anew(root: Path, content: str | None) -> None:
    folder = root.parent / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("An article about the dam. " * 20)
    os.utime(folder / "a.txt", (1, 1))
    keeping.write(root, "inbox", f'schedule = "every hour"\nfolders = ["{folder}"]\n[limits]\nfree = 0\n')
    path = keeping.files_of(root, "inbox")
    if content is None:
        os.mkfifo(path)
    else:
        path.write_text(content.replace("FOLDER", str(folder)))
    (outcome,) = call(root, NOW, "inbox")
    assert outcome.report is not None and (outcome.report.state, outcome.report.total("new")) == ("done", 1)
    (again,) = call(root, NOW + HOUR, "inbox")
    assert again.report is not None and again.report.total("tried") == 0


def test_a_link_that_leads_out_of_a_watched_folder_is_passed_over_and_no_failure(root: Path) -> None:
    folder, secret = root.parent / "in", root.parent / "secret.txt"
    folder.mkdir()
    secret.write_text("What nobody is to see. " * 20)
    (folder / "link.txt").symlink_to(secret)
    (folder / "fresh.txt").write_text("An article about the dam. " * 20)
    keeping.write(root, "inbox", f'schedule = "every hour"\nfolders = ["{folder}"]\n[limits]\nfree = 0\n')
    for _ in range(2):
        (outcome,) = call(root, NOW, "inbox")
        report = outcome.report
        assert report is not None and (report.state, report.total("tried"), report.total("skipped")) == ("done", 0, 2)
        assert [note for note in report.notes if "link.txt" in note and "outside" in note] == report.notes != []
    assert not any(row.is_bad for row in health.rows(root, {}, NOW))


def test_a_report_steers_no_terminal_and_holds_names_that_are_no_text(root: Path) -> None:
    report = Report("check", iso(NOW), iso(NOW), iso(NOW), errors=["\x1b]0;owned\x07\nnext", "b\udcff.txt"])
    path = keeping.keep_report(root, report)
    assert "  error:  ]0;owned  next\n  error: b .txt\n" in path.with_suffix(".txt").read_text()
    assert list(keeping.reports(root, "check", 1)) == [report]


def test_what_is_kept_comes_back_as_it_was() -> None:
    report = Report("check", iso(NOW), iso(NOW), searches={"ferry": 3}, sources={"feed x": Source("x", "feed", 3)})
    assert (
        from_json(json.loads(json.dumps({**_plain(report), "sources": [_plain(report.sources["feed x"])]}))) == report
    )


def _plain(one: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(one)


@pytest.mark.parametrize(
    ("kind", "value"),
    [(int, True), (int, 1.0), (int, 1 << 63), (float, True), (float, "1"), (float, float("nan")), (str, None),
     (list[int], {}), (list[int], [1, "a"]), (dict[str, int], []), (dict[str, int], {"a": []})],
)  # fmt: skip
def test_what_is_of_another_type_is_refused(kind: type, value: Any) -> None:
    with pytest.raises(Damaged):
        fitted(kind, value)


def _without_tables(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"pragma user_version = {frontier.VERSION}")


def _with_other_columns(path: Path) -> None:
    _without_tables(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("create table run (id)")


def _torn(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))


@pytest.mark.parametrize(
    "damage",
    [_without_tables, _with_other_columns, _torn, lambda path: path.write_bytes(b"no database" * 99),
     lambda path: path.write_bytes(path.read_bytes()[:5000])],
    ids=["no tables", "other columns", "torn", "no database", "cut off"],
)  # fmt: skip
def test_a_damaged_frontier_is_made_anew(
    tmp_path: Path, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "discovery.sqlite"
    before = frontier.Frontier(path, "a")
    before.put([frontier.Wanted("http://a.example/", "a", "a.example")])
    before._db.execute("pragma wal_checkpoint(truncate)")
    before.close()
    damage(path)
    with caplog.at_level(logging.WARNING):
        found = frontier.Frontier(path, "a")
    assert "discovery.sqlite was damaged" in caplog.text and found.is_empty
    found.put([frontier.Wanted("http://a.example/", "a", "a.example")])
    assert found.next("a.example", listing=False) is not None
    found.close()


def test_a_frontier_that_breaks_under_way_is_made_anew_by_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "discovery.sqlite"
    found = frontier.Frontier(path, "a")
    with closing(sqlite3.connect(path)) as db:
        db.execute("drop table page")
    with pytest.raises(StorageError, match="was damaged"):
        found.put([frontier.Wanted("http://a.example/", "a", "a.example")])
    found.close()
    frontier.Frontier(path, "a").close()


def test_a_frontier_for_which_the_disk_has_no_room_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "discovery.sqlite"
    found = frontier.Frontier(path, "a")
    found._db.execute("pragma max_page_count = 1")
    with pytest.raises(StorageError, match="cannot write"):
        found.put(frontier.Wanted(f"http://a.example/{n}", str(n), "a.example") for n in range(999))
    found.close()
    assert path.exists()
    frontier.Frontier(path, "a").close()
