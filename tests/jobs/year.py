"""A year of an archive that is left alone: its timetable, its machine, its faults, and the calls of a timer.

Nothing here asks the schedules under test when something is due: the due times are worked out by hand (`timetable`),
and the clock is driven by a timer of the test's own.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from muniment import durable
from muniment.archive.config import read_config
from muniment.errors import StorageError
from muniment.ingest.clean.workers import Workers
from muniment.ingest.fetch import Fetcher
from muniment.ingest.policy import FetchPolicy
from muniment.jobs import alarms, due, keeping
from muniment.jobs.report import Report
from muniment.jobs.running import World
from tests.jobs.site import Paper, Site, Trouble, stories
from tests.jobs.test_kills import Here

DAY, HOUR, GRID = timedelta(days=1), timedelta(hours=1), timedelta(minutes=5)  # a timer calls every five minutes
JITTER = 4 * GRID
PARIS, NEW_YORK = ZoneInfo("Europe/Paris"), ZoneInfo("America/New_York")


def utc(month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2025, month, day, hour, minute, tzinfo=UTC)


BEGIN, END = utc(1, 6), utc(1, 6).replace(year=2026)
LEAST, MOST, BUDGET = timedelta(hours=6), timedelta(days=60), 40
LIMITS = f'[limits]\ndelay = 0\nfree = 0\n[revisit]\nleast = "6 hours"\nmost = "60 days"\nbudget = {BUDGET}\n'
JOBS = {
    "courier": 'schedule = "every 48 hours"\ntimezone = "Europe/Paris"\njitter = "20 minutes"\nfeeds = ["{courier.example}/feed.xml"]\n',
    "monitor": 'schedule = "30 2 * * 0"\ntimezone = "Europe/Paris"\nfeeds = ["{monitor.example}/feed.xml"]\n',
    "herald": 'schedule = "30 1 * * 0,3,5"\ntimezone = "America/New_York"\nfeeds = ["{herald.example}/feed.xml"]\n',
    "check": 'schedule = "30 2 9,23 * *"\ntimezone = "America/New_York"\nverify = "10%"\n',
}

SILENT_FROM = utc(9, 1)
TROUBLES = {
    "courier.example": [(utc(3, 3, 3), 2 * DAY, "busy"), (utc(6, 9, 3), 3 * DAY, "error"), (utc(10, 4, 3), DAY, "stall")],
    "herald.example": [(utc(4, 14, 3), 20 * DAY, "reset"), (utc(11, 21, 3), 5 * HOUR, "busy")],
}  # fmt: skip
OFF = [(utc(5, 10), utc(5, 15)), (utc(8, 1), utc(8, 4, 7))]  # the machine is off, besides its reboots
AHEAD = (utc(8, 13, 4), utc(8, 13, 4, 5))  # its clock is two hours ahead, and then put back
FULL = (utc(2, 20, 12), utc(2, 23, 12))  # courier wants more room than there is
LOCKED = (utc(7, 6, 5), utc(7, 6, 8))  # another process writes to the archive
KILLS = 30


def timetable() -> dict[str, list[datetime]]:
    """When each job is due, by hand: what a zone leaves out in spring is due right after it, what comes twice in autumn
    is due at first."""
    days = [BEGIN.date() + n * DAY for n in range(-1, 367)]
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    since = (BEGIN - epoch) // (2 * DAY)
    times = {
        "courier": [epoch + n * 2 * DAY for n in range(since, since + 190)],
        "monitor": [_at(day, time(2, 30), PARIS) for day in days if day.isoweekday() == 7],
        "herald": [_at(day, time(1, 30), NEW_YORK) for day in days if day.isoweekday() in (3, 5, 7)],
        "check": [_at(day, time(2, 30), NEW_YORK) for day in days if day.day in (9, 23)],
    }
    left_out = {"monitor": (utc(3, 30, 1, 30), utc(3, 30, 1)), "check": (utc(3, 9, 7, 30), utc(3, 9, 7))}
    for name, (shown, instead) in left_out.items():  # 02:30 is no time of that day
        times[name][times[name].index(shown)] = instead
    assert utc(10, 26, 0, 30) in times["monitor"] and utc(11, 2, 5, 30) in times["herald"]  # the first of two
    return {name: [at for at in found if BEGIN < at < END] for name, found in times.items()}


def _at(day: Any, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, zone).astimezone(UTC)


class Call(NamedTuple):
    """One call of the timer, at a true time; the machine's clock showed `shown`. `left` says what kept it from its
    work, where something did: a kill, a full disk, a lock."""

    at: datetime
    shown: datetime
    left: str = ""


class Year:
    """The clock, the site, the archive and the calls of a year."""

    def __init__(self, root: Path, site: Site, workers: Workers):
        self.root, self.site, self.workers = root, site, workers
        self.rng = random.Random(11)
        self.true = BEGIN
        self.told, self.acknowledged = root.parent / "told.jsonl", root.parent / "acknowledged"
        self.told.touch()
        self.calls: list[Call] = []
        self.coming: list[tuple[datetime, datetime | None]] = []  # what was said to come next, after each call
        self.timetable = timetable()
        self.off = [*OFF, *self._reboots()]
        self.damaged: tuple[Path, int] | None = None
        self.is_mended = False
        site.clock = lambda: self.true

    def _reboots(self) -> Iterator[tuple[datetime, datetime]]:
        """Some that take their time, each over a time at which something is due."""
        every = [at for times in self.timetable.values() for at in times]
        special = [moment for span in (*OFF, AHEAD, FULL, LOCKED) for moment in span]
        for at in self.rng.sample(sorted(every), 14):
            if min(abs(at - one) for one in special) > 4 * DAY:
                start = at - GRID * self.rng.randint(1, 20)
                yield start, at + GRID * self.rng.randint(2, 400)

    def is_off(self, at: datetime) -> bool:
        return any(start <= at < end for start, end in self.off)

    def now(self) -> datetime:
        """What the machine's clock shows."""
        return self.true + 2 * HOUR if AHEAD[0] <= self.true < AHEAD[1] else self.true

    def when(self) -> list[datetime]:
        """The calls that matter, of those every five minutes: when something is due, once a day at any time, when the
        machine is on again, and around the faults."""
        due_times = [at for times in self.timetable.values() for at in times]
        times = {*due_times, *(at + n * GRID for at in self.timetable["courier"] for n in (2, 4))}
        times |= {BEGIN + n * DAY + GRID * self.rng.randrange(288) for n in range(364)}
        times |= {*AHEAD, *(end for _, end in self.off), FULL[1], LOCKED[0] + 2 * HOUR, LOCKED[1]}
        times |= {at + n * GRID for at in MOMENTS for n in (0, 1)}
        return sorted(at for at in times if BEGIN < at < END and not self.is_off(at))

    def run(self) -> None:
        self.call()  # the jobs are seen first
        times = self.when()
        busy = [at for at in times if any(at - DAY < one <= at for one in self.timetable["herald"])]
        kills = set(self.rng.sample([at for at in busy if not _is_near_a_fault(at)], KILLS))
        with_lock: durable.Lock | None = None
        for at in sorted({*times, *(at + GRID for at in kills), *(at + 2 * GRID for at in kills)}):
            self.true = at
            if with_lock is None and LOCKED[0] <= at < LOCKED[1]:
                with_lock = durable.Lock(self.root / "lock")
            elif with_lock is not None and at >= LOCKED[1]:
                with_lock.release()
                with_lock = None
            self._fill_disk()
            self._damage()
            # Some are killed again when they go on.
            if at in kills or (at - GRID in kills and self.rng.random() < 0.3):
                left = "killed" if self.call_and_kill() else ""
            elif at in MOMENTS:
                with MOMENTS[at](self):
                    left = self.call()
            else:
                left = self.call()
            left = left or ("locked" if LOCKED[0] <= at < LOCKED[1] else "")
            self.calls.append(Call(at, self.now(), left))
            self.coming.append((self.now(), due.next_time(self.root, self.now())))

    def world(self, workers: Any) -> World:
        def fetcher(policy: FetchPolicy) -> Fetcher:
            return Fetcher(policy, clock=self.now, sleep=lambda seconds: None)

        def told(added: Any) -> None:
            if added.snapshot is not None and added.state == "stored":
                with self.acknowledged.open("a") as file:
                    file.write(f"{added.snapshot} {added.url}\n")

        return World(self.now, fetcher, workers, 1, told, wait=0.1)

    def call(self, workers: Any = None) -> str:
        """What `muniment jobs run --due` does; returns what it was ended by."""
        settings = read_config(self.root)

        def after(outcomes: Any) -> None:
            alarms.watch(self.root, settings.origin, settings.alerts, outcomes, self.now())

        try:
            list(due.run_due(self.root, self.world(workers or self.workers), after=after))
        except StorageError:
            return "full"
        return ""

    def call_and_kill(self) -> bool:
        """The same in a process that is killed at one of its syncs, or ends before; whether it was killed."""
        left = self.rng.randint(1, 25)
        child = os.fork()
        if child:
            return os.WIFSIGNALED(os.waitpid(child, 0)[1])

        def count(event: str, args: object) -> None:
            nonlocal left
            if event == "muniment.synced":
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(count)
            self.call(Here())
        finally:
            os._exit(0)

    def _fill_disk(self) -> None:
        text = keeping.text_of(self.root, "courier")
        wanted = text.replace("free = 0\n", 'free = "900T"\n') if FULL[0] <= self.true < FULL[1] else text.replace(
            'free = "900T"\n', "free = 0\n")  # fmt: skip
        if wanted != text:
            keeping.write(self.root, "courier", wanted)

    def _damage(self) -> None:
        """A bit of a record is flipped on 1 April; it is put right when that is told."""
        if self.damaged is None and self.true >= utc(4, 1):
            path = min((self.root / "warc").rglob("*.gz"))
            self.damaged = path, path.stat().st_size // 2
            self._flip(*self.damaged)
        elif self.damaged is not None and not self.is_mended and '"kind": "verify"' in self.told.read_text():
            self._flip(*self.damaged)
            self.is_mended = True

    def _flip(self, path: Path, place: int) -> None:
        with path.open("r+b") as file:
            file.seek(place)
            [byte] = file.read(1)
            file.seek(place)
            file.write(bytes([byte ^ 1]))

    def reports(self, job: str) -> list[Report]:
        return list(reversed(keeping.reports(self.root, job, 10_000)))


def _is_near_a_fault(at: datetime) -> bool:
    return any(start - DAY < at < end + DAY for start, end in (AHEAD, FULL, LOCKED))


@contextmanager
def _text(year: Year, name: str, old: str, new: str) -> Iterator[None]:
    path = year.root / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    yield
    path.write_text(text)


@contextmanager
def _away(year: Year, name: str) -> Iterator[None]:
    path = year.root / name
    path.rename(year.root.parent / "away")
    yield
    (year.root.parent / "away").rename(path)


# What is wrong at one call at which nothing is due, and right again at the next.
MOMENTS: dict[datetime, Callable[[Year], Any]] = {
    utc(2, 11, 12): lambda year: _text(year, "archive.toml", "disk = 0\n", 'disk = "900T"\n'),
    utc(5, 20, 12): lambda year: _text(year, "jobs/herald.toml", "schedule", "shedule"),
    utc(6, 20, 12): lambda year: _away(year, "index/current"),
    utc(9, 20, 12): lambda year: _away(year, "log/commits"),
}


def papers(rng: random.Random) -> dict[str, Paper]:
    courier = Paper("courier.example", stories(rng, BEGIN, END, 2 * DAY, edited=0.45, gone=0.1))
    monitor = Paper("monitor.example", stories(rng, BEGIN, SILENT_FROM, 2 * DAY, edited=0.0, gone=0.0))
    herald = Paper("herald.example", stories(rng, BEGIN, END, 3 * DAY, edited=0.5, gone=0.2))
    for paper in (courier, monitor, herald):
        paper.troubles = [Trouble(start, start + length, kind) for start, length, kind in TROUBLES.get(paper.name, [])]
    return {paper.name: paper for paper in (courier, monitor, herald)}


def set_up(root: Path, site: Site) -> None:
    """The settings and the jobs of the year."""
    command = json.dumps(["sh", "-c", f'printf "%s\\n" "$MUNIMENT_ALERT" >> {root.parent / "told.jsonl"}'])
    with (root / "archive.toml").open("a") as file:
        file.write("[fetch]\nretries = 0\nfirst_byte_timeout = 0.15\nconnect_timeout = 2\n")
        file.write(f'[alerts]\ncommand = {command}\ndisk = 0\nunanchored = "200 days"\n')
    private = f"allow_private = true\nresolve = {json.dumps([f'{name}:127.0.0.1' for name in site.papers])}\n"
    for name, job in JOBS.items():
        for host in site.papers:
            job = job.replace(f"{{{host}}}", site.base(host))
        keeping.write(root, name, job + private + LIMITS)
