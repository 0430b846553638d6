"""A year of scheduled archiving, with an injected clock: faults of servers, silent edits, reboots, kills, and the
changes of the clock in Paris and New York. Nothing is missed, doubled or lost, and every alarm comes once."""

from __future__ import annotations

import json
import os
import pickle
import random
import signal
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

from muniment.archive.archive import Archive, create
from muniment.archive.config import read_config
from muniment.archive.verify import Request, Verification
from muniment.ingest.clean.workers import Workers
from muniment.ingest.fetch import Fetcher
from muniment.ingest.policy import FetchPolicy
from muniment.jobs import alarms, due, keeping, revisits
from muniment.jobs.report import Report, moment
from muniment.jobs.running import World
from tests.jobs.site import Paper, Site, Trouble, stories

BEGIN, END = datetime(2025, 1, 6, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC)
GRID = timedelta(minutes=5)  # a timer calls every five minutes
SILENT_FROM = datetime(2025, 9, 1, tzinfo=UTC)
DOWN = (datetime(2025, 5, 10, tzinfo=UTC), datetime(2025, 5, 15, tzinfo=UTC))
KILLS = 10


class Year:
    """The clock, the site, the archive and the calls of a year."""

    def __init__(self, root: Path, site: Site, workers: Workers, clock: dict[str, datetime]):
        self.root, self.site, self.workers, self.time = root, site, workers, clock
        self.rng = random.Random(11)
        self.told = root.parent / "told.jsonl"
        self.acknowledged = root.parent / "acknowledged"
        self.passes: list[datetime] = []
        self.killed: list[datetime] = []
        self.origin = read_config(root).origin

    def now(self) -> datetime:
        return self.time["now"]

    def world(self, workers: Workers | None) -> World:
        def fetcher(policy: FetchPolicy) -> Fetcher:
            return Fetcher(policy, clock=self.now, sleep=lambda seconds: None)

        def told(added: Any) -> None:
            if added.snapshot is not None and added.state == "stored":
                with self.acknowledged.open("a") as file:
                    file.write(f"{added.snapshot} {added.url}\n")

        return World(self.now, fetcher, workers, 1, told)

    def call(self, workers: Workers | None) -> list[due.Outcome]:
        """What `muniment jobs run --due` does."""
        settings = read_config(self.root).alerts

        def after(outcomes: Any) -> None:
            alarms.watch(self.root, self.origin, settings, outcomes, self.now())

        return list(due.run_due(self.root, self.world(workers), after=after))

    def call_and_kill(self) -> None:
        """The same in a process that is killed at one of its syncs, or ends before."""
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            return
        left = self.rng.randint(1, 30)

        def count(event: str, args: object) -> None:
            nonlocal left
            if event == "muniment.synced":
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(count)
            self.call(None)
        finally:
            os._exit(0)

    def run(self) -> None:
        kills = set(self.rng.sample(range(20, 400), KILLS))
        while (coming := due.next_time(self.root, self.now())) is not None:
            wanted = max(coming, self.now())
            at = BEGIN + -(-(wanted - BEGIN) // GRID) * GRID
            at = max(at, self.passes[-1] + GRID) if self.passes else at
            if DOWN[0] <= at < DOWN[1]:
                at = DOWN[1]  # the machine is off
            if self.rng.random() < 0.01:
                at += timedelta(hours=self.rng.uniform(1, 20))  # a reboot that took its time
            if at >= END:
                return
            self.time["now"] = at
            self.passes.append(at)
            if len(self.passes) in kills:
                self.killed.append(at)
                self.call_and_kill()
            else:
                self.call(self.workers)

    def reports(self, job: str) -> list[Report]:
        return list(reversed(keeping.reports(self.root, job, 10_000)))


def papers(rng: random.Random) -> dict[str, Paper]:
    day = timedelta(days=1)

    def trouble(kind: str, month: int, date: int, length: timedelta) -> Trouble:
        start = datetime(2025, month, date, 3, tzinfo=UTC)
        return Trouble(start, start + length, kind)

    courier = Paper("courier.example", stories(rng, BEGIN, END, 2 * day, edited=0.4, gone=0.1))
    courier.troubles = [trouble("busy", 3, 3, 2 * day), trouble("error", 6, 9, 3 * day), trouble("stall", 10, 4, day)]
    monitor = Paper("monitor.example", stories(rng, BEGIN, SILENT_FROM, 1.5 * day, edited=0.0, gone=0.0))
    herald = Paper("herald.example", stories(rng, BEGIN, END, 3 * day, edited=0.5, gone=0.2))
    herald.troubles = [trouble("reset", 4, 14, 20 * day), trouble("busy", 11, 20, timedelta(hours=5))]
    return {paper.name: paper for paper in (courier, monitor, herald)}


JOBS = {
    "courier": 'schedule = "every 48 hours"\ntimezone = "Europe/Paris"\njitter = "20 minutes"\nfeeds = ["{courier.example}/feed.xml"]\n',
    "monitor": 'schedule = "30 2 * * 0"\ntimezone = "Europe/Paris"\nfeeds = ["{monitor.example}/feed.xml"]\n',
    "herald": 'schedule = "30 1 * * 0,3,5"\ntimezone = "America/New_York"\nfeeds = ["{herald.example}/feed.xml"]\n',
    "check": 'schedule = "0 4 1,15 * *"\ntimezone = "America/New_York"\nverify = "10%"\n',
}


def no_due_time_is_missed_and_none_is_run_twice(year: Year) -> None:
    for name in JOBS:
        job, reports = keeping.read(year.root, name), year.reports(name)
        last = moment(keeping.state_of(year.root, name).due)
        expected = list(takewhile(lambda at, last=last: at <= last, job.schedule.after(BEGIN)))
        run = [moment(report.due) for report in reports]
        assert len(run) == len(set(run)), f"{name}: a due time was run twice"
        assert set(run) <= set(expected)
        assert len(run) + sum(report.missed for report in reports) == len(expected)
        late = [report for report in reports if report.missed]
        assert all(report.missed == len([at for at in expected if before < at < moment(report.due)])
                   for report, before in zip(late, _before(late, reports), strict=True))  # fmt: skip
        assert END - last < timedelta(days=17)
    assert sum(report.missed for report in year.reports("courier")) >= 2  # five days off are one run
    zone = keeping.read(year.root, "monitor").schedule.zone
    times = [moment(report.due).astimezone(zone) for report in year.reports("monitor")]
    spring, autumn = ([at for at in times if (at.month, at.day) == day] for day in ((3, 30), (10, 26)))
    assert [at.hour for at in spring] == [3] and len(autumn) == 1


def _before(some: list[Report], every: list[Report]) -> list[datetime]:
    places = [every.index(report) for report in some]
    return [moment(every[place - 1].due) if place else BEGIN for place in places]


def kills_are_resumed_and_counted_once(year: Year) -> None:
    assert len(year.killed) > KILLS // 2
    resumed = [report for name in JOBS for report in year.reports(name) if report.resumed]
    assert resumed
    for name in JOBS:
        state = keeping.state_of(year.root, name)
        assert state.running is None
        assert len(state.past) == keeping.MOST_PAST or len(state.past) == len(year.reports(name))


def every_edit_is_archived_within_its_window(year: Year) -> None:
    """The window is known from what the server was asked: after the look before the edit, as long again as the text had
    stood then. A server's bad time, and a machine that was off, put it off until both are well again."""
    late, checked = [], 0
    for host, paper in year.site.papers.items():
        name = host.partition(".")[0]
        job = keeping.read(year.root, name)
        assert job.revisit is not None
        looks = _looks(year, host)
        runs = [moment(report.started) for report in year.reports(name)]
        for story in paper.stories:
            for edit in story.edits:
                seen = looks.get(story.number, [])
                before = [at for at, _ in seen if at < edit]
                if not before or edit > END - timedelta(days=90):
                    continue
                revision = story.revision(edit)
                held = story.revision(before[-1])
                changed = min(at for at in before if story.revision(at) == held)
                if held == story.revision(before[0]):  # never seen to change: its age counts
                    changed = story.born.replace(hour=0, minute=0, second=0)
                window = min(max(before[-1] - changed, job.revisit.least), job.revisit.most)
                latest = _next_run(runs, paper, max(edit, before[-1] + window))
                found = [at for at, status in seen if at >= edit and status == 200]
                checked += 1
                superseded = any(edit < other <= latest for other in story.edits)
                gone = story.gone is not None and story.gone <= latest
                if gone or superseded:
                    continue
                if not found or found[0] > latest:
                    late.append((host, story.number, revision, edit, before[-1], latest, found[:1]))
    assert checked > 60
    assert not late, late[:5]


def _looks(year: Year, host: str) -> dict[int, list[tuple[datetime, int]]]:
    looks: dict[int, list[tuple[datetime, int]]] = {}
    for at, asked, path, status in year.site.asked:
        if asked == host and path.startswith("/story/") and status in (200, 304):
            looks.setdefault(int(path.removeprefix("/story/")), []).append((at, status))
    return looks


def _next_run(runs: list[datetime], paper: Paper, at: datetime) -> datetime:
    """The run that has to find it: the first from then on that can reach the host, which is left alone for up to a day
    after a bad time; or the one after it, where that was killed."""
    bad = [(trouble.start, trouble.end + timedelta(days=1)) for trouble in paper.troubles]
    able = [run for run in runs if run >= at and not any(start <= run <= end for start, end in bad)]
    return able[1] if len(able) > 1 else END


def each_text_that_was_seen_is_in_the_archive(year: Year) -> None:
    with Archive(year.root) as archive:
        for host, paper in year.site.papers.items():
            texts = _texts(archive, host)
            for story in paper.stories:
                seen = {story.revision(at) for at, status in _looks(year, host).get(story.number, []) if status == 200}
                kept = texts.get(f"/story/{story.number}", [])
                for revision in seen:
                    assert any(f"in its revision {revision} of" in text for text in kept), (
                        host,
                        story.number,
                        revision,
                    )
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
    """In one call, each page once; and what is looked at again is not before `least` has passed, or the feed said so."""
    asked = Counter((at, host, path) for at, host, path, status in year.site.asked if status in (200, 304, 410)
                    and path != "/robots.txt")  # fmt: skip
    killed = set(year.killed)
    assert not [key for key, count in asked.items() if count > 1 and key[0] not in killed]
    early = []
    for host in year.site.papers:
        for number, seen in _looks(year, host).items():
            pairs = [(a, b) for (a, _), (b, _) in pairwise(seen) if b - a < timedelta(hours=6)]
            early += [(host, number, *pair) for pair in pairs if not killed & set(pair)]
    assert not early, early[:5]


def what_is_gone_is_asked_for_more_and_more_rarely_and_never_given_up(year: Year) -> None:
    gone: dict[tuple[str, str], list[datetime]] = {}
    for at, host, path, status in year.site.asked:
        if status == 410:
            gone.setdefault((host, path), []).append(at)
    several = [times for times in gone.values() if len(times) > 2]
    assert several
    for times in several:
        waits = [b - a for a, b in pairwise(times)]
        assert waits[-1] <= revisits.RAREST + timedelta(days=7)
        assert all(b >= 0.9 * a for a, b in pairwise(waits[1:]))
        assert len(times) < 12


def every_alarm_is_raised_once_and_ended_once(year: Year) -> None:
    messages = [json.loads(line) for line in year.told.read_text().splitlines()]
    raised: Counter[tuple[str, str, str]] = Counter()
    for message in messages:
        for one in message["raised"]:
            key = (one["kind"], message["job"], one["about"])
            raised[key] += 1
            assert raised[key] == 1, f"{key} was told again while it stood"
        for one in message["cleared"]:
            key = (one["kind"], message["job"], one["about"])
            assert raised[key] == 1, f"{key} ended, and was not told before"
            raised[key] = 0
    told = {(one["kind"], message["job"]) for message in messages for one in message["raised"]}
    assert ("source-silent", "monitor") in told
    assert ("source-overdue", "herald") in told and ("run-failed", "herald") in told
    standing = {(alarm.kind, alarm.job) for alarm in alarms.Book(year.root).standing()}
    assert standing == {("source-silent", "monitor")}


def nothing_that_was_acknowledged_is_lost(year: Year) -> None:
    lines = [line.split() for line in year.acknowledged.read_text().splitlines()]
    assert len(lines) > 300
    with Archive(year.root) as archive:
        for number, url in lines:
            assert archive.snapshot(int(number)).url == url
        assert archive.catalog.article_count() > 200


def the_archive_verifies(year: Year) -> None:
    found = list(Verification(year.root, read_config(year.root), Request()).run())
    assert [(one.finding, one.file, one.detail) for one in found] == []


def test_a_year_that_was_left_alone(tmp_path: Path) -> None:
    """One test, for all of it is of the one year."""
    folder = tmp_path
    root = create(folder / "archive", "year.example/log", BEGIN).root
    clock = {"now": BEGIN}
    with Site(lambda: clock["now"]) as site, Workers(1) as workers:
        site.papers = papers(random.Random(3))
        told = folder / "told.jsonl"
        with (root / "archive.toml").open("a") as file:
            command = json.dumps(["sh", "-c", f'printf "%s\\n" "$MUNIMENT_ALERT" >> {told}'])
            file.write(f'\n[alerts]\ncommand = {command}\ndisk = 0\nunanchored = "3000 days"\n')
        settings = "retries = 0\nfirst_byte_timeout = 0.15\nconnect_timeout = 2\n"
        text = (root / "archive.toml").read_text().replace("[fetch]\n", f"[fetch]\n{settings}", 1)
        (root / "archive.toml").write_text(text)
        private = f"allow_private = true\nresolve = {json.dumps([f'{name}:127.0.0.1' for name in site.papers])}\n"
        for name, job in JOBS.items():
            for host in site.papers:
                job = job.replace(f"{{{host}}}", site.base(host))
            keeping.write(root, name, job + private + "[limits]\ndelay = 0\nfree = 0\n")
        passed = Year(root, site, workers, clock)
        passed.call(workers)  # the jobs are seen first
        passed.run()
        if keep := os.environ.get("MUNIMENT_YEAR_KEPT"):
            Path(keep).write_bytes(pickle.dumps((site.asked, passed.passes, passed.killed, site.port)))
        checks = (
            no_due_time_is_missed_and_none_is_run_twice,
            kills_are_resumed_and_counted_once,
            every_edit_is_archived_within_its_window,
            each_text_that_was_seen_is_in_the_archive,
            nothing_is_fetched_twice_within_its_window,
            what_is_gone_is_asked_for_more_and_more_rarely_and_never_given_up,
            every_alarm_is_raised_once_and_ended_once,
            nothing_that_was_acknowledged_is_lost,
            the_archive_verifies,
        )
        for check in checks:
            check(passed)
