"""Each thing that is wrong is told once until it is right again: over restarts, failed channels and full disks."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest

from muniment import durable, pipeline, watching
from muniment.archive.archive import Archive
from muniment.errors import StorageError
from muniment.jobs import channels, keeping
from muniment.jobs.alarms import try_channels, watch
from muniment.jobs.alerts import alerts_of
from muniment.jobs.book import Book
from muniment.jobs.conditions import Facts, broken_off, conditions
from muniment.jobs.due import Outcome, run_due
from muniment.jobs.health import Row, SourceRow
from muniment.jobs.keeping import Past
from muniment.jobs.report import Report, iso
from muniment.jobs.running import World
from muniment.model import Article
from muniment.search.saved import parse_saved
from tests.conftest import NOW, fill, upload
from tests.jobs.hook import Hook
from tests.jobs.mailbox import Mailbox

ORIGIN = "test.example/log"
QUIET = {"disk": 0, "unanchored": False}


@pytest.fixture
def pager(tmp_path: Path) -> tuple[dict[str, Any], Callable[[], list[str]]]:
    """Settings of a command, and what it was told since this was asked last."""
    file = tmp_path / "pager"
    settings = {**QUIET, "command": ["sh", "-c", f"cat >> '{file}'"]}

    def told() -> list[str]:
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines

    return settings, told


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as server:
        yield server


def job(root: Path, name: str = "a", **values: str) -> None:
    lines = {"schedule": '"every 6 hours"', **values}
    keeping.write(root, name, "".join(f"{key} = {value}\n" for key, value in lines.items()))


def run(root: Path, at: datetime, *names: str, world: World | None = None) -> list[Outcome]:
    """Runs what is due, or the jobs that are named."""
    return list(run_due(root, world or World(clock=lambda: at, processes=1), names))


# ---- what is wrong


def kinds(
    rows: Sequence[Row] = (), facts: Facts | None = None, problem: str = "", **settings: Any
) -> list[tuple[str, str]]:
    found = conditions(rows, settings, facts or Facts(100 << 30), problem, NOW)
    return [(alarm.kind, alarm.about) for alarm in found]


GONE = SourceRow("https://a.example/feed", "overdue", "2026-01-02T00:00:00Z", "", 9, "answers 500")
QUIET_ONE = SourceRow("https://b.example/feed", "silent", is_silent=True)
FAILED = Past("2026-01-02T00:00:00Z", "2026-01-02T00:00:01Z", "failed", 0, 3, 1.0, "3 sources gave nothing")
PARTLY = Past("2026-01-02T00:00:00Z", "2026-01-02T00:00:01Z", "partial", 0, 3, 1.0, "export: no room")


@pytest.mark.parametrize(
    ("rows", "facts", "problem", "expected"),
    [
        ([Row("a", "ok")], None, "", []),
        ([Row("a", "wrong", error="line 3")], None, "", [("run-failed", "")]),
        ([Row("a", "failing", FAILED)], None, "", [("run-failed", "")]),
        ([Row("a", "failing", PARTLY)], None, "", [("run-failed", "")]),
        ([Row("a", "overdue", late=9999)], None, "", [("run-overdue", "")]),
        ([Row("a", "ok", unusual="900 new, where 1 to 9 are usual")], None, "", [("volume", "")]),
        ([Row("a", "ok", sources=[GONE, QUIET_ONE])], None, "", [("source-overdue", GONE.target), ("source-silent", QUIET_ONE.target)]),
        ([Row("a", "ok", findings=["digest-mismatch: #7"])], None, "", [("verify", "")]),
        ([Row("a", "paused", FAILED, late=9999, unusual="x", sources=[GONE], findings=["x"])], None, "", []),
        ([], Facts(5 << 20), "", [("disk-low", "")]),
        ([], Facts(100 << 30, lag=3), "", [("index-behind", "")]),
        ([], Facts(100 << 30, index_problem="it is damaged"), "", [("index-behind", "")]),
        ([], Facts(100 << 30, unanchored=9, unanchored_since="2026-11-01T00:00:00Z"), "", [("unanchored", "")]),
        ([], Facts(100 << 30, unanchored=9, unanchored_since="2026-11-22T07:00:00Z"), "", []),
        ([], Facts(5 << 20), "no commits", [("disk-low", ""), ("archive", "")]),
        ([], Facts(5 << 20, unwritable="no room"), "", [("disk-low", "")]),
        ([], Facts(100 << 30, unwritable="it is read-only"), "", [("archive", "")]),
    ],
)  # fmt: skip
def test_each_thing_that_is_wrong_is_an_alarm(
    rows: list[Row], facts: Facts | None, problem: str, expected: list[tuple[str, str]]
) -> None:
    assert kinds(rows, facts, problem) == expected


def test_limits_are_the_operators() -> None:
    waiting = Facts(5 << 20, unanchored=9, unanchored_since="2026-11-01T00:00:00Z")
    assert kinds((), waiting, disk="4MB", unanchored=False) == []
    assert kinds((), waiting, disk=0, unanchored="10 days") == [("unanchored", "")]


def test_a_disk_is_low_where_a_job_would_not_run_and_until_there_is_a_tenth_more_room() -> None:
    def low(free: int, least: int, *standing: str) -> bool:
        found = conditions([], {"disk": 1 << 30}, Facts(free), "", NOW, least_free=least, standing=standing)
        return [alarm.kind for alarm in found] == ["disk-low"]

    assert not low(2 << 30, 0)
    assert low(2 << 30, 3 << 30)
    assert low((1 << 30) - 1, 0)
    assert not low((1 << 30) + 1, 0)
    assert low((1 << 30) + 1, 0, "disk-low")
    assert not low(1200 << 20, 0, "disk-low")


def test_a_run_that_the_disk_ended_is_told_until_it_went_on() -> None:
    stopped = Outcome("a", None, error=StorageError("no room"))
    [alarm] = broken_off([stopped], {"a"}, {})
    assert (alarm.kind, alarm.job) == ("run-stopped", "a")
    book = {alarm.key: alarm}
    assert list(broken_off([], {"a"}, book)) == [alarm]  # while other jobs are run by hand
    assert list(broken_off([Outcome("a", None)], {"a"}, book)) == []
    assert list(broken_off([], set(), book)) == []


def test_what_was_stopped_is_no_alarm_any_more_where_the_job_is_paused(root: Path) -> None:
    job(root, stamp="true")
    keeping.keep_state(root, "a", keeping.State(made=iso(NOW), running=Report("a", iso(NOW), iso(NOW))))
    book = watch(root, ORIGIN, QUIET, [Outcome("a", None, error=StorageError("no room"))], NOW)
    assert book.stopped() == {"a": "no room"}
    keeping.set_paused(root, "a", True)
    assert watch(root, ORIGIN, QUIET, (), NOW).stopped() == {}


# ---- once


def test_an_alarm_is_told_once_and_its_end_once(
    root: Path, pager: tuple[dict[str, Any], Callable[[], list[str]]]
) -> None:
    settings, told = pager
    job(root, stamp="true")
    (root / "jobs" / "a.toml").write_text('schedule = "every 6 hours"\nstamp = 3\n')
    for seconds in range(3):
        watch(root, ORIGIN, settings, (), NOW + timedelta(seconds=seconds))
    assert told() == ["ALARM run-failed: a: jobs/a.toml, line 2: stamp: write true or false"]
    assert [alarm.kind for alarm in Book(root).standing()] == ["run-failed"]
    job(root, stamp="true")
    for seconds in range(3):
        watch(root, ORIGIN, settings, (), NOW + timedelta(seconds=seconds))
    assert told() == ["over  run-failed: a (since 2026-11-22T08:00:00Z)"]
    assert Book(root).alarms == {}


def test_a_run_that_could_not_even_begin_is_told_until_it_is_not_due_any_more(
    root: Path, pager: tuple[dict[str, Any], Callable[[], list[str]]]
) -> None:
    settings, told = pager[0] | {"overdue": "1 day"}, pager[1]
    job(root, "a", verify='"10%"')
    keeping.begin(root, "a", NOW - timedelta(hours=6))
    stopped = Outcome("a", None, error=StorageError("no room"))
    watch(root, ORIGIN, settings, [stopped], NOW)
    watch(root, ORIGIN, settings, (), NOW)
    assert told() == ["ALARM run-stopped: a: no room"]
    assert Book(root).stopped() == {"a": "no room"}
    watch(root, ORIGIN, settings, run(root, NOW), NOW)
    assert [line.split(":")[0] for line in told()] == ["over  run-stopped"]


def test_a_job_that_is_removed_takes_its_alarms_along(
    root: Path, pager: tuple[dict[str, Any], Callable[[], list[str]]]
) -> None:
    settings, told = pager
    (root / "jobs").mkdir()
    (root / "jobs" / "a.toml").write_text("wrong")
    watch(root, ORIGIN, settings, (), NOW)
    assert len(told()) == 1
    keeping.remove(root, "a")
    watch(root, ORIGIN, settings, (), NOW)
    assert told() == ["over  run-failed: a (since 2026-11-22T08:00:00Z)"]


def test_only_the_channel_that_failed_is_told_again(
    root: Path, pager: tuple[dict[str, Any], Callable[[], list[str]]], hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    settings, told = pager
    settings = {**settings, "disk": "900000T", "webhook": f"{hook.url}/s3cret"}
    hook.status = 503
    watch(root, ORIGIN, settings, (), NOW)
    assert len(told()) == 1
    assert "answers 503" in caplog.text
    watch(root, ORIGIN, settings, (), NOW)
    assert told() == []
    hook.status = 200
    watch(root, ORIGIN, settings, (), NOW)
    watch(root, ORIGIN, settings, (), NOW)
    assert told() == []
    assert [status for status, _ in hook.posted] == [503, 503, 200]
    kept = "".join(path.read_text() for path in (root / "jobs").rglob("*") if path.is_file())
    assert "s3cret" not in kept + caplog.text


def test_a_letter_that_some_refuse_is_told_once_and_so_is_who_refused_it(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Mailbox(refuses=("c.example",)) as server:
        to = ["ann@b.example", "bo@c.example"]
        email = {"host": "127.0.0.1", "port": server.port, "from": "archive@a.example", "to": to}
        for _ in range(2):
            watch(root, ORIGIN, {**QUIET, "disk": "900000T", "email": email}, (), NOW)
        assert len(server.letters) == 1
        assert caplog.text.count("takes nothing for bo@c.example") == 1
        assert "bo@c.example" in try_channels(ORIGIN, "", alerts_of({"email": email}), NOW)["email"]


def test_what_began_and_ended_while_a_channel_was_down_is_not_told_there(
    root: Path, pager: tuple[dict[str, Any], Callable[[], list[str]]], hook: Hook
) -> None:
    settings, told = pager
    hook.status = 503
    watch(root, ORIGIN, {**settings, "disk": "900000T", "webhook": hook.url}, (), NOW)
    hook.status = 200
    watch(root, ORIGIN, {**settings, "webhook": hook.url}, (), NOW)
    assert [line[:14] for line in told()] == ["ALARM disk-low", "over  disk-low"]
    assert [status for status, _ in hook.posted] == [503]
    assert Book(root).alarms == {}


def test_what_comes_again_before_its_end_was_told_is_no_news_to_those_who_know(
    root: Path, pager: tuple[dict[str, Any], Callable[[], list[str]]], hook: Hook
) -> None:
    settings, told = pager
    low = {"disk": "900000T", "webhook": hook.url}
    watch(root, ORIGIN, {**settings, **low}, (), NOW)
    hook.status = 503
    watch(root, ORIGIN, {**settings, "webhook": hook.url}, (), NOW)
    hook.status = 200
    watch(root, ORIGIN, {**settings, **low}, (), NOW)
    assert [line[:14] for line in told()] == ["ALARM disk-low", "over  disk-low", "ALARM disk-low"]
    assert [body["cleared"] for status, body in hook.posted if status == 200] == [[]]  # it never heard of an end


def test_a_channel_that_is_down_is_tried_once_and_not_for_every_job(root: Path, hook: Hook) -> None:
    (root / "jobs").mkdir()
    for i in range(20):
        (root / "jobs" / f"job-{i}.toml").write_text("wrong")
    hook.status = 500
    watch(root, ORIGIN, {**QUIET, "webhook": hook.url}, (), NOW)
    assert len(hook.posted) == 1
    hook.status = 200
    watch(root, ORIGIN, {**QUIET, "webhook": hook.url}, (), NOW)
    assert len(hook.posted) == 21


def test_channels_that_hang_do_not_add_up(root: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "TIMEOUT", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        for i in range(10):
            own = f'{{ webhook = "{address}/{i}", ping = "{address}/ping/{i}" }}'
            job(root, f"job-{i}", folders=f'["{root.parent}"]', alerts=own)
        job(root, "z", folders=f'["{root.parent}"]', alerts=f'{{ webhook = "{hook.url}" }}')
        outcomes = [Outcome(f"job-{i}", Report(f"job-{i}", iso(NOW), iso(NOW))) for i in range(10)]
        began = time.monotonic()
        watch(root, ORIGIN, {**QUIET, "overdue": "1 second"}, outcomes, NOW + timedelta(days=3))
        assert time.monotonic() - began < 10  # and not 22
        assert [body["job"] for _, body in hook.posted] == ["z"]


def test_a_job_may_tell_others_than_the_archive_does(
    root: Path, pager: tuple[dict[str, Any], Callable[[], list[str]]], hook: Hook
) -> None:
    settings, told = pager
    job(root, folders='["/nowhere/at-all"]', alerts=f'{{ webhook = "{hook.url}", command = [] }}')
    outcomes = run(root, NOW, "a")
    watch(root, ORIGIN, settings, outcomes, NOW)
    assert told() == []
    [(_, body)] = hook.posted
    assert (body["archive"], body["job"]) == (ORIGIN, "a")
    assert "/nowhere/at-all is no folder" in body["raised"][0]["text"]


@pytest.mark.parametrize("content", [b"", b"[", b"[]", b'{"alarms": [{"x": 1}], "news": [], "read": {}}', b"\xff"])
def test_a_book_that_is_damaged_is_begun_anew(
    root: Path, content: bytes, pager: tuple[dict[str, Any], Callable[[], list[str]]], caplog: pytest.LogCaptureFixture
) -> None:
    settings, told = pager
    (root / "jobs").mkdir()
    (root / "jobs" / "alarms.json").write_bytes(content)
    watch(root, ORIGIN, {**settings, "disk": "900000T"}, (), NOW)
    assert "alarms.json cannot be read" in caplog.text
    assert len(told()) == 1
    watch(root, ORIGIN, {**settings, "disk": "900000T"}, (), NOW)
    assert told() == []


def test_on_a_full_disk_an_alarm_is_told_once_too(
    mount: Callable[[str], Path], pager: tuple[dict[str, Any], Callable[[], list[str]]]
) -> None:
    from muniment.archive.archive import create

    settings, told = pager
    root = create(mount("4m") / "archive", ORIGIN, NOW).root
    watch(root, ORIGIN, settings, (), NOW)
    with (root.parent / "filler").open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 512, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    with pytest.raises(StorageError):
        durable.replace(root / "jobs" / "probe", b"x")
    for seconds in range(3):
        watch(root, ORIGIN, {**settings, "disk": "1M"}, (), NOW + timedelta(seconds=seconds))
    assert [line.split(":")[0] for line in told()] == ["ALARM disk-low"]
    (root.parent / "filler").unlink()
    watch(root, ORIGIN, {**settings, "disk": "1M"}, (), NOW)
    assert [line.split(":")[0] for line in told()] == ["over  disk-low"]


# ---- of a real archive


def test_an_index_that_lacks_articles_is_told_but_not_while_somebody_adds(
    root: Path, pager: tuple[dict[str, Any], Callable[[], list[str]]]
) -> None:
    settings, told = pager
    fill(root, 3)
    with Archive(root) as archive:
        pipeline.reindex(archive, None, lambda done: None)
        with archive.writer() as writer:
            more(writer)
            watch(root, ORIGIN, settings, (), NOW)
            assert told() == []
        watch(root, ORIGIN, settings, (), NOW)
        assert told() == [
            "ALARM index-behind: archive: the index is behind: it lacks 1 article versions: run `muniment reindex`"
        ]
    with Archive(root) as archive:
        pipeline.index_new(archive)
    watch(root, ORIGIN, settings, (), NOW)
    assert [line.split(":")[0] for line in told()] == ["over  index-behind"]


def test_leaves_that_nobody_vouches_for_are_told_after_a_while(
    root: Path, pager: tuple[dict[str, Any], Callable[[], list[str]]]
) -> None:
    settings, told = pager
    fill(root, 3)
    with Archive(root) as archive:
        pipeline.reindex(archive, None, lambda done: None)
    settings = {**settings, "unanchored": "2 days"}
    watch(root, ORIGIN, settings, (), NOW + timedelta(days=1))
    assert told() == []
    watch(root, ORIGIN, settings, (), NOW + timedelta(days=3))
    [line] = told()
    assert line.startswith("ALARM unanchored: archive: 8 leaves, the oldest of ")


def test_a_flipped_byte_is_told_until_a_verify_finds_nothing(
    root: Path, pager: tuple[dict[str, Any], Callable[[], list[str]]]
) -> None:
    settings, told = pager
    fill(root, 3)
    with Archive(root) as archive:
        pipeline.reindex(archive, None, lambda done: None)
    job(root, verify='"100%"')
    job(root, "b", searches='["nothing"]')
    [segment] = (root / "warc").rglob("*.gz")
    whole = segment.read_bytes()
    segment.write_bytes(whole[:700] + bytes([whole[700] ^ 1]) + whole[701:])
    outcomes = run(root, NOW, "a")
    assert [outcome.report.state for outcome in outcomes if outcome.report] == ["failed"]
    watch(root, ORIGIN, settings, outcomes, NOW)
    [line] = told()
    assert line.startswith("ALARM verify: a: ")
    for hours in range(1, 30):  # reports of other runs push it out of no list
        keeping.keep_report(root, _copy(outcomes[0], hours))
    watch(root, ORIGIN, settings, run(root, NOW, "b"), NOW)
    assert [line for line in told() if "verify" in line] == []
    segment.write_bytes(whole)
    watch(root, ORIGIN, settings, run(root, NOW + timedelta(hours=1), "a"), NOW)
    assert [line for line in told() if "verify" in line] == ["over  verify: a (since 2026-11-22T08:00:00Z)"]


def _copy(outcome: Outcome, hours: int) -> Any:
    assert outcome.report is not None
    return Report(outcome.job, outcome.report.due, iso(NOW + timedelta(seconds=hours)), state="done")


@pytest.fixture
def searched(root: Path) -> Path:
    """An archive with a saved search, and a job that tells what is new for it."""
    fill(root, 2)
    with Archive(root) as archive:
        pipeline.reindex(archive, None, lambda done: None)
        watching.save(archive, parse_saved("articles", 'query = "article"\n'))
    job(root, searches='["articles"]')
    return root


def test_what_a_saved_search_found_is_told_once_by_each_channel(
    searched: Path, pager: tuple[dict[str, Any], Callable[[], list[str]]], hook: Hook
) -> None:
    settings, told = pager
    settings["webhook"] = hook.url
    hook.status = 500
    watch(searched, ORIGIN, settings, run(searched, NOW, "a"), NOW)
    lines = told()
    assert [line for line in lines if line.startswith("new for articles: #")] == lines
    assert len(lines) == 2
    hook.status = 200
    watch(searched, ORIGIN, settings, run(searched, NOW + timedelta(minutes=1), "a"), NOW)
    watch(searched, ORIGIN, settings, (), NOW)
    assert told() == []
    assert [body["news"] for status, body in hook.posted if status == 200] == [lines]


def test_news_of_a_process_that_was_killed_before_it_told_them_are_told(
    searched: Path, pager: tuple[dict[str, Any], Callable[[], list[str]]]
) -> None:
    settings, told = pager
    watch(searched, ORIGIN, settings, run(searched, NOW, "a"), NOW)
    assert len(told()) == 2
    fill_more(searched)
    run(searched, NOW + timedelta(minutes=1), "a")  # and nobody watches
    watch(searched, ORIGIN, settings, (), NOW)
    assert len(told()) == 1
    watch(searched, ORIGIN, settings, (), NOW)
    assert told() == []


def fill_more(root: Path) -> None:
    with Archive(root) as archive:
        with archive.writer() as writer:
            more(writer)
        pipeline.index_new(archive)


def more(writer: Any) -> None:
    added = writer.add_capture(upload("more.txt", b"one more article"), [("articleKey", "more")])
    writer.add_article(Article("More", "One more article.\n" * 9, extractor="test/1"), added.number, "file:///more.txt")
    writer.commit()


# ---- the dead man


def test_a_ping_says_that_all_went_well_and_nothing_else_does(root: Path, hook: Hook) -> None:
    fill(root, 1)
    with Archive(root) as archive:
        pipeline.reindex(archive, None, lambda done: None)
    job(root, "fine", verify='"100%"', alerts=f'{{ ping = "{hook.url}/fine" }}')
    job(root, "broken", folders='["/nowhere/at-all"]', alerts=f'{{ ping = "{hook.url}/broken" }}')
    settings = {**QUIET, "ping": f"{hook.url}/all"}
    watch(root, ORIGIN, settings, run(root, NOW, "fine"), NOW)
    assert sorted(hook.take_paths()) == ["/all", "/fine"]
    watch(root, ORIGIN, settings, run(root, NOW, "broken"), NOW)
    assert hook.take_paths() == []
    watch(root, ORIGIN, settings, run(root, NOW, "broken", "fine"), NOW)
    assert hook.take_paths() == ["/fine"]
    watch(root, ORIGIN, settings, (), NOW)  # nothing was due, and what failed still does
    assert hook.take_paths() == []
    keeping.remove(root, "broken")
    watch(root, ORIGIN, settings, (), NOW)  # nothing was due: whoever calls it lives
    assert hook.take_paths() == ["/all"]
    watch(root, ORIGIN, settings, (), NOW + timedelta(hours=8))  # and nobody ran what is due
    assert hook.take_paths() == []
    keeping.keep_state(
        root, "fine", replace(keeping.state_of(root, "fine"), running=Report("fine", iso(NOW), iso(NOW)))
    )
    watch(root, ORIGIN, settings, [Outcome("fine", None, error=StorageError("no room"))], NOW)
    watch(root, ORIGIN, settings, (), NOW)  # its run is still to go on
    assert hook.take_paths() == []


def test_a_run_that_is_interrupted_says_nothing(root: Path) -> None:
    job(root, urls='["http://127.0.0.1:9/"]')
    said = []

    def interrupt(policy: object) -> NoReturn:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(run_due(root, World(fetcher=interrupt, processes=1), ["a"], after=said.append))
    assert said == []
    assert keeping.state_of(root, "a").running is not None


def test_a_fault_of_ours_in_one_job_keeps_no_other_from_its_run(
    root: Path, pager: tuple[dict[str, Any], Callable[[], list[str]]], caplog: pytest.LogCaptureFixture
) -> None:
    settings, told = pager
    caplog.set_level(logging.INFO)
    job(root, "a", folders='["/nowhere/at-all"]')
    job(root, "b", folders='["/nowhere/at-all"]')
    times = iter([None])

    def clock() -> datetime:
        """Fails the first time, which is for a."""
        if next(times, NOW) is None:
            raise ZeroDivisionError("a fault")
        return NOW

    first, second = run(root, NOW, "a", "b", world=World(clock=clock, processes=1))
    assert "internal error" in str(first.error)
    assert "ZeroDivisionError" in caplog.text
    assert second.report is not None
    watch(root, ORIGIN, settings, [first, second], NOW)
    watch(root, ORIGIN, settings, (), NOW)
    assert [line.split(":")[:2] for line in told()[:2]] == [["ALARM run-stopped", " a"], ["ALARM run-failed", " b"]]


def test_a_fault_of_ours_in_one_part_of_a_run_is_told_as_a_failure(
    root: Path, pager: tuple[dict[str, Any], Callable[[], list[str]]]
) -> None:
    settings, told = pager
    job(root, "a", urls='["http://127.0.0.1:9/"]')

    def fault(policy: object) -> NoReturn:
        raise ZeroDivisionError("a fault")

    watch(root, ORIGIN, settings, run(root, NOW, "a", world=World(clock=lambda: NOW, fetcher=fault, processes=1)), NOW)
    [line] = told()
    assert line.startswith("ALARM run-failed: a: the last run failed: pages: internal error")


def test_an_export_that_cannot_be_written_keeps_no_other_job_from_its_run(
    root: Path, pager: tuple[dict[str, Any], Callable[[], list[str]]]
) -> None:
    settings, told = pager
    fill(root, 1)
    with Archive(root) as archive:
        pipeline.reindex(archive, None, lambda done: None)
    job(root, "a", export='{ path = "/proc/{date}.wacz" }')
    job(root, "b", verify='"100%"')
    first, second = run(root, NOW, "a", "b")
    assert first.report is not None
    assert first.report.errors[0].startswith("export: cannot write /proc/2026-11-22.wacz")
    assert second.report is not None
    watch(root, ORIGIN, settings, [first, second], NOW)
    assert told() == [f"ALARM run-failed: a: the last run failed: {first.report.errors[0]}"]
