"""A year of scheduled archiving, with an injected clock: faults of servers, silent edits, reboots, kills, and the
changes of the clock in Paris and New York. Nothing is missed, doubled or lost, and every alarm comes once.

What has to come of it is worked out from the timetable of year.py, from what the server was asked, and from the rules
of docs/jobs.md; never from the code under test.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from muniment.archive.archive import Archive, create
from muniment.archive.config import read_config
from muniment.archive.verify import Request, Verification
from muniment.ingest.clean.workers import Workers
from muniment.jobs import alarms, due, keeping
from muniment.jobs.report import Report, moment
from tests.authority import Authority
from tests.jobs.site import Paper, Site, Story
from tests.jobs.year import (
    AHEAD,
    BEGIN,
    BUDGET,
    DAY,
    END,
    FULL,
    JITTER,
    JOBS,
    LEAST,
    LOCKED,
    MOST,
    TROUBLES,
    Year,
    papers,
    set_up,
    utc,
)
from tests.stamping.stamped_archive import configure

TWICE = utc(8, 13, 5, 30)  # herald's, for which it was run while the machine's clock was ahead, and when it came
RAREST = timedelta(days=180)
SETTLED = (200, 304, 410)
# Each alarm of the year, by the day on which it is told and that on which its end is.
ALARMS = [
    ("disk-low", None, "02-11", "02-11"),
    ("disk-low", None, "02-20", "02-23"),
    ("run-stopped", "courier", "02-21", "02-23"),
    ("run-overdue", "courier", "02-21", "02-23"),
    ("run-failed", "courier", "03-05", "03-07"),
    ("run-failed", "herald", "04-16", "05-04"),
    ("source-overdue", "herald", "04-20", "05-04"),
    ("run-failed", "herald", "05-20", "05-20"),
    ("run-failed", "courier", "06-11", "06-13"),
    ("index-behind", None, "06-20", "06-20"),
    ("run-overdue", "herald", "07-06", "07-06"),
    ("unanchored", None, "07-27", None),
    ("archive", None, "09-20", "09-20"),
    ("run-failed", "courier", "10-05", "10-07"),
    ("source-silent", "monitor", "10-26", None),
    ("run-failed", "herald", "11-21", "11-23"),
]


def each_kind_of_fault_was_met(year: Year) -> None:
    met = {(host, status) for _, host, _, status in year.site.asked}
    assert {("courier.example", 429), ("herald.example", 429), ("courier.example", 503), ("herald.example", 410)} <= met
    for host, troubles in TROUBLES.items():
        for start, length, kind in troubles:
            seen = {
                status for at, asked, _, status in year.site.asked if asked == host and start <= at < start + length
            }
            assert seen - {200} == {{"busy": 429, "error": 503, "stall": 0, "reset": 0}[kind]}, (host, kind)
    left = Counter(call.left for call in year.calls)
    assert left["killed"] > 10 and left["full"] and left["locked"] and year.is_mended
    assert any(call.shown > after.shown for call, after in pairwise(year.calls)), "the clock was put back"
    missed = sum(year.is_off(at) for times in year.timetable.values() for at in times)
    assert missed > 10, "the machine was off when something was due"
    assert sum(report.resumed for name in JOBS for report in year.reports(name)) > 10


def every_due_time_is_run_within_one_call_unless_the_machine_was_off(year: Year) -> None:
    able = [call.at for call in year.calls if not call.left]
    for name, times in year.timetable.items():
        jitter = JITTER if name == "courier" else timedelta(0)
        ran = {moment(report.due): report for report in reversed(year.reports(name))}  # that of TWICE at its own time
        for at, after in pairwise([*times, END]):
            first = min((one for one in able if one >= at + jitter), default=END)
            if at in ran:
                assert at <= moment(ran[at].started) and moment(ran[at].finished) <= first, (name, at)
            else:
                assert first >= after, f"{name} was not run for {at}, though there was a call at {first}"
                assert _was_kept(year, at, after), (name, at)


def _was_kept(year: Year, at: datetime, until: datetime) -> bool:
    """Whether something kept the machine from all that was due between two times."""
    spans = [*year.off, FULL, LOCKED]
    return any(start <= at + JITTER and until <= end + JITTER + DAY for start, end in spans)


def no_due_time_is_run_twice_and_each_missed_one_is_counted(year: Year) -> None:
    for name, times in year.timetable.items():
        reports = year.reports(name)
        runs = Counter(moment(report.due) for report in reports)
        assert runs.keys() <= set(times), f"{name} was run for what is no due time: {sorted(runs.keys() - set(times))}"
        assert [at for at, count in runs.items() if count > 1] == ([TWICE] if name == "herald" else [])
        for before, report in pairwise([None, *reports]):
            assert report is not None
            since = moment(before.due) if before else BEGIN
            assert report.missed == sum(since < at < moment(report.due) for at in times), (name, report.due)
    assert moment(year.reports("courier")[-1].due) == year.timetable["courier"][-1]
    assert max(report.missed for report in year.reports("courier")) >= 2  # five days off are one run


def where_the_clocks_change_a_due_time_is_run_once(year: Year) -> None:
    for name, due_time in (
        ("monitor", utc(3, 30, 1)),  # 02:30 is left out: right after
        ("monitor", utc(10, 26, 0, 30)),  # and comes twice: the first
        ("check", utc(3, 9, 7)),
        ("herald", utc(3, 9, 6, 30)),
        ("herald", utc(11, 2, 5, 30)),
        ("check", utc(11, 9, 7, 30)),
    ):
        times = [moment(report.due) for report in year.reports(name)]
        assert [at for at in times if at.date() == due_time.date()] == [due_time], name


def what_is_said_to_come_next_is_what_comes(year: Year) -> None:
    """That is what `jobs run --forever` sleeps by."""
    checked = 0
    for call, (now, coming) in zip(year.calls, year.coming, strict=True):
        if call.left or AHEAD[0] <= call.at < AHEAD[1] or AHEAD[0] <= call.at <= TWICE:
            continue
        following = [
            (min(at for at in times if at + JITTER > now), JITTER) if name == "courier" else
            (min(at for at in times if at > now), timedelta(0))
            for name, times in year.timetable.items() if times[-1] > now
        ]  # fmt: skip
        if len(following) < len(JOBS):
            continue
        assert coming is not None
        # A courier's time that was put off is either run already, and then that after it is next, or it is to come.
        least, most = min(at for at, _ in following), min(at + jitter for at, jitter in following)
        waiting = least <= now
        others = min(at + jitter for at, jitter in following if at > now) if waiting else most
        assert least <= coming <= (others if waiting else most), (now, coming, following)
        checked += 1
    assert checked > 900


def kills_are_resumed_and_each_thing_is_counted_once(year: Year) -> None:
    for name in JOBS:
        assert keeping.state_of(year.root, name).running is None
        reports = year.reports(name)
        assert len({report.run for report in reports}) == len(reports)
        assert not any(report.given_up for report in reports)
    stopped = sum(call.left != "" for call in year.calls)
    assert sum(report.resumed for name in JOBS for report in year.reports(name)) <= stopped
    with Archive(year.root) as archive:
        for host in year.site.papers:
            versions = [len(archive.catalog.versions(article.key)) for article in archive.catalog.looked(host)]
            reports = year.reports(host.partition(".")[0])
            assert sum(report.total("new") for report in reports) == len(versions)
            assert sum(report.total("changed") for report in reports) == sum(versions) - len(versions)
    told = [line.split()[0] for line in year.acknowledged.read_text().splitlines()]
    assert len(told) == len(set(told))


class Edit(NamedTuple):
    """A silent change of an article; `latest` is the call at which it has to have been found, and `found` that at which
    it was."""

    host: str
    story: int
    at: datetime
    latest: datetime
    found: datetime | None


def every_edit_is_archived_within_its_window(year: Year) -> None:
    """The window is known from what the server was asked: after the look before the edit, as long again as the text had
    stood then. A server's bad time, and a machine that was off, put it off until both are well again."""
    judged, all_edits = list[Edit](), 0
    for host, paper in year.site.papers.items():
        looks, reports = _looks(year, host), year.reports(host.partition(".")[0])
        for story in paper.stories:
            all_edits += len(story.edits)
            judged += _judged(host, paper, story, looks.get(story.number, []), reports)
    late = [edit for edit in judged if edit.found is None or edit.found > edit.latest]
    assert not late, late[:5]
    assert len(judged) > 150 and len(judged) > 0.9 * all_edits, f"{len(judged)} of {all_edits} can be judged"


def _judged(
    host: str, paper: Paper, story: Story, looks: list[tuple[datetime, int]], reports: list[Report]
) -> Iterator[Edit]:
    for edit, after in pairwise([*story.edits, story.gone or END]):
        before = [at for at, _ in looks if at < edit]
        if not before:
            continue  # it was captured as it is since
        changed = next(at for at in before if story.revision(at) == story.revision(before[-1]))
        if changed == before[0]:  # never seen to change: its age counts, from the end of its day on
            changed = min(changed, story.born.replace(hour=0, minute=0, second=0, microsecond=0) + DAY)
        window = min(max(before[-1] - changed, LEAST), MOST)
        latest = _latest(reports, paper, max(edit, before[-1] + window))
        found = min((at for at, status in looks if at >= edit and status == 200), default=None)
        if latest < min(after, END):  # else the next edit may have come over it
            yield Edit(host, story.number, edit, latest, found)


def _latest(reports: list[Report], paper: Paper, at: datetime) -> datetime:
    """The end of the run that has to find it: the first from then on that can reach the host, which is left alone for up
    to a day after a bad time, and that has not looked at as many articles as it may."""
    bad = [(trouble.start, trouble.end + DAY) for trouble in paper.troubles]
    for report in reports:
        began = moment(report.started)
        spent = sum(source.tried for source in report.sources.values() if source.kind == "revisit")
        assert spent <= BUDGET + report.resumed, "within the budget, and what was on its way when it was killed"
        if began >= at and spent < BUDGET and not any(start <= began <= end for start, end in bad):
            return moment(report.finished)
    return END


def _looks(year: Year, host: str) -> dict[int, list[tuple[datetime, int]]]:
    looks: dict[int, list[tuple[datetime, int]]] = {}
    for at, asked, path, status in year.site.asked:
        if asked == host and path.startswith("/story/") and status in (200, 304):
            looks.setdefault(int(path.removeprefix("/story/")), []).append((at, status))
    return looks


def each_text_that_was_seen_is_in_the_archive_once(year: Year) -> None:
    with Archive(year.root) as archive:
        for host, paper in year.site.papers.items():
            texts, looks = _texts(archive, host), _looks(year, host)
            for story in paper.stories:
                seen = {story.revision(at) for at, status in looks.get(story.number, []) if status == 200}
                kept = texts.get(f"/story/{story.number}", [])
                for revision in seen:
                    assert any(f"in its revision {revision} of" in text for text in kept), (host, story.number)
                assert len(kept) == len(set(kept)) == len(seen)


def _texts(archive: Archive, host: str) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for article in archive.catalog.looked(host):
        for number, _, _ in archive.catalog.versions(article.key):
            snapshot = archive.snapshot(number)
            path = "/" + (snapshot.url or "").split("/", 3)[3]
            texts.setdefault(path, []).append(archive.text(snapshot))
    return texts


def nothing_is_fetched_twice_within_its_window(year: Year) -> None:
    """From the server's own log: no article is asked for again before `least` has passed, but for two of a host where a
    call was killed: the page that was on its way, and the one before it, which was just being stored."""
    by_page: dict[tuple[str, str], list[datetime]] = {}
    for at, host, path, _ in year.site.asked:
        if path.startswith("/story/"):
            by_page.setdefault((host, path), []).append(at)
    early = [(host, a, path, b) for (host, path), times in by_page.items() for a, b in pairwise(times) if b - a < LEAST]
    killed = {call.at for call in year.calls if call.left == "killed"}
    assert not [one for one in early if one[1] not in killed]
    cut_off = Counter((host, at) for host, at, _, _ in early)
    assert max(cut_off.values(), default=0) <= 2, cut_off.most_common(3)


def what_is_gone_is_asked_for_more_and_more_rarely_and_never_given_up(year: Year) -> None:
    gone: dict[tuple[str, str], list[datetime]] = {}
    for at, host, path, status in year.site.asked:
        if status == 410:
            gone.setdefault((host, path), []).append(at)
    several = [times for times in gone.values() if len(times) > 2]
    assert several
    for times in several:
        waits = [b - a for a, b in pairwise(times) if b - a > LEAST]
        assert waits[-1] <= RAREST + 7 * DAY
        assert all(b >= 0.9 * a for a, b in pairwise(waits[1:]))
        assert len(times) < 12


def every_alarm_is_raised_once_and_ended_once(year: Year) -> None:
    told = list(_told(year))
    volumes = [one for one in told if one[0] == "volume"]
    verified = [one for one in told if one[0] == "verify"]
    others = [one for one in told if one not in (*volumes, *verified)]
    assert sorted(others, key=lambda one: one[2]) == ALARMS
    assert len(verified) == 1 and verified[0][1] == "check" and verified[0][3] is not None
    for _, job, begun, ended in volumes:
        assert job in ("courier", "herald") and ended is not None and begun < ended
    assert len(volumes) <= 3
    assert ALARMS[-1] in told
    standing = {(alarm.kind, alarm.job) for alarm in alarms.Book(year.root).standing()}
    assert standing == {(kind, job or "") for kind, job, _, ended in told if ended is None}


def _told(year: Year) -> Iterator[tuple[str, str | None, str, str | None]]:
    """What the command was told, in the order of the beginnings: kind, job, the days of its beginning and its end."""
    stands: dict[tuple[str, str | None, str | None], str] = {}
    done = []
    for message in map(json.loads, year.told.read_text().splitlines()):
        for one in message["raised"]:
            key = (one["kind"], message["job"], one["about"])
            assert key not in stands, f"{key} was told again while it stood"
            stands[key] = one["since"][5:10]
        for one in message["cleared"]:
            key = (one["kind"], message["job"], one["about"])
            done.append((key[0], key[1], stands.pop(key), one["ended"][5:10]))
    return iter(sorted([*done, *((*key[:2], since, None) for key, since in stands.items())], key=lambda one: one[2]))


def nothing_that_was_acknowledged_is_lost(year: Year) -> None:
    lines = [line.split() for line in year.acknowledged.read_text().splitlines()]
    assert len(lines) > 500
    with Archive(year.root) as archive:
        for number, url in lines:
            assert archive.snapshot(int(number)).url == url
        assert archive.catalog.article_count() > 350


def the_archive_verifies(year: Year) -> None:
    found = list(Verification(year.root, read_config(year.root), Request()).run())
    assert [(one.finding, one.file, one.detail) for one in found] == []


def a_stamp_ends_the_alarm_of_what_nobody_vouched_for(year: Year) -> None:
    """At the end, for its time is that of the authority's own clock."""
    keeping.write(year.root, "stamp", 'schedule = "every day"\nstamp = true\nallow_private = true\n')
    year.true = END
    outcomes = list(due.run_due(year.root, year.world(year.workers), ["stamp"]))
    assert [outcome.report.state for outcome in outcomes if outcome.report] == ["done"]
    settings = read_config(year.root)
    book = alarms.watch(year.root, settings.origin, settings.alerts, outcomes, END)
    assert "unanchored" not in {alarm.kind for alarm in book.standing()}


def test_a_year_that_was_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One test, for all of it is of the one year."""
    begun = time.monotonic()
    root = create(tmp_path / "archive", "year.example/log", BEGIN).root
    with Site(lambda: BEGIN) as site, Workers(1) as workers, Authority(tmp_path / "authority") as authority:
        site.papers = papers(random.Random(3))
        configure(root, authority)
        set_up(root, site)
        year = Year(root, site, workers)
        year.run()
        with capsys.disabled():
            print(f"\n{END - BEGIN} took {time.monotonic() - begun:.0f} s: {len(year.calls)} calls,"
                  f" {sum(call.left == 'killed' for call in year.calls)} killed, {len(site.asked)} requests")  # fmt: skip
        for check in (
            each_kind_of_fault_was_met,
            every_due_time_is_run_within_one_call_unless_the_machine_was_off,
            no_due_time_is_run_twice_and_each_missed_one_is_counted,
            where_the_clocks_change_a_due_time_is_run_once,
            what_is_said_to_come_next_is_what_comes,
            kills_are_resumed_and_each_thing_is_counted_once,
            every_edit_is_archived_within_its_window,
            each_text_that_was_seen_is_in_the_archive_once,
            nothing_is_fetched_twice_within_its_window,
            what_is_gone_is_asked_for_more_and_more_rarely_and_never_given_up,
            every_alarm_is_raised_once_and_ended_once,
            nothing_that_was_acknowledged_is_lost,
            the_archive_verifies,
            a_stamp_ends_the_alarm_of_what_nobody_vouched_for,
        ):
            check(year)
