"""What is wrong is told once until it is right again, and so is what saved searches found.

`jobs/alarms.json` holds the alarms that stand, with the channels that were told of each. One whose channel could not be
reached is told at the next call. When an alarm ends, that is told too, to those who were told that it began.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from muniment.errors import MunimentError, StorageError
from muniment.jobs import health, keeping
from muniment.jobs.alerts import CHANNELS, Alerts, alerts_of
from muniment.jobs.book import Book, alone
from muniment.jobs.channels import PartlyDelivered, Undelivered, deliver, ping
from muniment.jobs.conditions import NEWS, OF_THE_ARCHIVE, Alarm, broken_off, conditions, facts_of
from muniment.jobs.due import Outcome
from muniment.jobs.messages import message
from muniment.jobs.report import Report, iso

_log = logging.getLogger(__name__)
_REPORTS = 20  # of a job that are looked at for news that nobody told
_AT_ONCE = 32  # channels that are told side by side


def watch(root: Path, origin: str, settings: Mapping[str, Any], outcomes: Sequence[Outcome], now: datetime) -> Book:
    """Looks at everything, tells what is new, and remembers it. What cannot be delivered is logged, and kept.

    Raises UsageError where `[alerts]` of archive.toml, which `settings` are, is wrong; StorageError.
    """
    with alone(root):
        return _watch(root, origin, settings, outcomes, now)


def _watch(root: Path, origin: str, settings: Mapping[str, Any], outcomes: Sequence[Outcome], now: datetime) -> Book:
    rows = health.rows(root, settings, now)
    facts, problem = facts_of(root)
    book = Book(root)
    least = _least_free(root)
    waiting = {row.job for row in rows if (row.is_running or row.late > 0) and row.health != "paused"}
    found = conditions(
        rows, settings, facts, problem, now, least_free=least,
        standing={alarm.key for alarm in book.standing()},
    )  # fmt: skip
    unknown = [one for one in book.standing() if one.kind in OF_THE_ARCHIVE] if problem or facts.unwritable else []
    book.update([*found, *unknown, *broken_off(outcomes, waiting, book.alarms)], now)
    for row in rows:
        book.take_news(_unread(root, row.job, book.read.get(row.job), outcomes))
    book.read = {job: run for job, run in book.read.items() if job in {row.job for row in rows}}
    with suppress(StorageError):  # what is told is kept below, or that raises
        book.keep()
    _tell_all(root, origin, settings, book)
    book.keep()
    is_well = bool(rows) and not any(row.is_bad for row in rows)
    _ping(root, settings, outcomes, is_well=is_well and all(alarm.kind in NEWS for alarm in book.standing()))
    return book


def _least_free(root: Path) -> int:
    """The bytes below which some job does not run."""
    least = 0
    for name in keeping.names(root):
        with suppress(MunimentError):
            job = keeping.read(root, name)
            least = max(least, 0 if job.paused else job.limits.free)
    return least


def _unread(root: Path, job: str, read: str | None, outcomes: Sequence[Outcome]) -> list[Report]:
    """The reports of a job whose news nobody took in, oldest first: those of now, and of a process that was killed
    before it could tell."""
    ran = [outcome.report for outcome in outcomes if outcome.job == job and outcome.report is not None]
    try:
        if read is None or not keeping.read(root, job).searches:
            return ran
    except MunimentError:
        return ran
    found: list[Report] = []
    for report in keeping.reports(root, job, _REPORTS):
        if report.run == read:
            return found[::-1]
        found.append(report)
    return ran  # the reports were removed


def _tell_all(root: Path, origin: str, settings: Mapping[str, Any], book: Book) -> None:
    """One message a job and channel. A channel that fails is not tried again for other jobs: each may take long."""
    named: dict[str, list[str]] = {}
    ways: dict[tuple[str, str], list[tuple[str, Alerts]]] = {}
    for job in sorted({alarm.job for alarm in book.alarms.values()} | {one.job for one in book.news}):
        to = _alerts(root, job, settings)
        named[job] = [channel for channel in CHANNELS if getattr(to, channel)]
        for channel in named[job]:
            ways.setdefault((channel, str(getattr(to, channel))), []).append((job, to))
    lock = threading.Lock()

    def tell(channel: str, jobs: Sequence[tuple[str, Alerts]]) -> None:
        all(_tell(origin, job, channel, to, book, lock) for job, to in jobs)

    _side_by_side([partial(tell, channel, jobs) for (channel, _), jobs in ways.items()])
    for job, channels in named.items():
        book.drop_told(job, channels)


def _side_by_side(calls: Sequence[Callable[[], None]]) -> None:
    """Channels that hang must not add up. Whoever is interrupted does not wait for them."""
    threads = ThreadPoolExecutor(_AT_ONCE, "telling")
    try:
        for done in [threads.submit(call) for call in calls]:
            done.result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def _tell(origin: str, job: str, channel: str, to: Alerts, book: Book, lock: threading.Lock) -> bool:
    """Whether all that this channel is to know of a job, is known there. The book is written with the lock held."""
    alarms = [alarm for alarm in book.alarms.values() if alarm.job == job]
    fresh = [alarm for alarm in alarms if (channel in alarm.told) == bool(alarm.ended)]
    news = [one for one in book.news if one.job == job and channel not in one.told]
    if not fresh and not news:
        return True
    try:
        deliver(channel, to, message(origin, job, fresh, [line for one in news for line in one.lines]))
    except PartlyDelivered as e:
        _log.warning("an alarm was not delivered to all (%s): %s", channel, e)
    except Undelivered as e:
        _log.warning("an alarm was not delivered (%s), and will be told again: %s", channel, e)
        return False
    with lock:
        for alarm in fresh:
            if alarm.ended:
                alarm.told.remove(channel)
            else:
                alarm.told.append(channel)
        for one in news:
            one.told.append(channel)
        with suppress(StorageError):
            book.keep()  # a kill from here on must not have it told again
    return True


def _alerts(root: Path, job: str, settings: Mapping[str, Any]) -> Alerts:
    """Where to tell of a job; of one whose file is wrong, where the archive's alarms go."""
    try:
        return alerts_of(settings, keeping.read(root, job) if job else None)
    except MunimentError:
        return alerts_of(settings)


def try_channels(origin: str, job: str, to: Alerts, now: datetime) -> dict[str, str]:
    """Sends a test by every channel that is set; returns what is wrong with each, or nothing."""
    alarm = Alarm("test", job, "", "this is a test: alarms of this archive come this way", iso(now))
    tried = {}
    for channel in (*CHANNELS, "ping"):
        if not getattr(to, channel):
            continue
        try:
            if channel == "ping":
                ping(to.ping)
            else:
                deliver(channel, to, message(origin, job, [alarm], []))
            tried[channel] = ""
        except Undelivered as e:
            tried[channel] = str(e)
    return tried


def _ping(root: Path, settings: Mapping[str, Any], outcomes: Sequence[Outcome], *, is_well: bool) -> None:
    """A dead man's address is asked for when all that was due was done, and all is well: it is silent for as long as
    `jobs status` tells of a failure. A job's own, when that job was run."""
    failed = {
        outcome.job
        for outcome in outcomes
        if outcome.report is None or outcome.report.state == "failed" or outcome.report.errors
    }
    archives = alerts_of(settings).ping
    addresses = {archives} if is_well and not failed else set()
    for job in {outcome.job for outcome in outcomes} - failed:
        own = _alerts(root, job, settings).ping
        if own != archives:
            addresses.add(own)
    _side_by_side([partial(_ping_one, address) for address in sorted(addresses - {""})])


def _ping_one(address: str) -> None:
    try:
        ping(address)
    except Undelivered as e:
        _log.warning("it could not be told that all went well: %s", e)
