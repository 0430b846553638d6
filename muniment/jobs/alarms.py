"""What is wrong is told once until it is right again, and so is what saved searches found.

`jobs/alarms.json` holds the alarms that stand, with the channels that were told of each. One whose channel could not be
reached is told at the next call. When an alarm ends, that is told too, to those who were told that it began.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from muniment import durable
from muniment.errors import MunimentError, StorageError
from muniment.jobs import health, keeping
from muniment.jobs.alerts import CHANNELS, Alerts, alerts_of
from muniment.jobs.channels import PartlyDelivered, Undelivered, deliver, ping
from muniment.jobs.conditions import OF_THE_ARCHIVE, Alarm, broken_off, conditions, facts_of
from muniment.jobs.due import Outcome
from muniment.jobs.kept import Damaged, fitted, read_kept
from muniment.jobs.report import Report, iso

_log = logging.getLogger(__name__)
_WAIT = 300.0  # seconds: channels may hang, each for a while
_ROOM = 16 << 10  # bytes that the book takes at least, so that it can be written where the disk is full
_REPORTS = 20  # of a job that are looked at for news that nobody told
_MOST_NEWS = 50


@dataclass(slots=True)
class News:
    """What saved searches of a job found in one run, and which channels were told."""

    job: str
    lines: list[str]
    told: list[str] = field(default_factory=list)


class Book:
    """The alarms that stand and the news that are to be told, on the disk. `read` is the last run of each job whose
    news were taken in."""

    def __init__(self, root: Path):
        self._path = root / keeping.FOLDER / "alarms.json"
        self.alarms: dict[str, Alarm] = {}
        self.news: list[News] = []
        self.read: dict[str, str] = {}
        try:
            values = fitted(dict[str, Any], read_kept(self._path))
            alarms, news = fitted(list[Alarm], values.get("alarms")), fitted(list[News], values.get("news"))
            self.read = fitted(dict[str, str], values.get("read"))
            self.alarms, self.news = {alarm.key: alarm for alarm in alarms}, news
        except FileNotFoundError:
            pass
        except Damaged:
            _log.warning("%s cannot be read: what is wrong is told anew", self._path)

    def update(self, found: Iterable[Alarm], now: datetime) -> None:
        """Takes in what is wrong now: new alarms begin, those that are over end."""
        there = {alarm.key: alarm for alarm in found}
        for key, alarm in there.items():
            known = self.alarms.get(key)
            if known is None:
                alarm.since = iso(now)
                self.alarms[key] = alarm
            else:
                known.text = alarm.text
                if known.ended:  # again, before all were told that it was over
                    known.since, known.ended = iso(now), ""
        for key, alarm in self.alarms.items():
            if key not in there and not alarm.ended:
                alarm.ended = iso(now)

    def take_news(self, reports: Sequence[Report]) -> None:
        """Of reports of one job, oldest first."""
        for report in reports:
            lines = [note for note in report.notes if note.startswith("new for ")]
            if lines:
                self.news.append(News(report.job, lines))
            self.read[report.job] = report.run

    def drop_told(self, job: str, channels: Collection[str]) -> None:
        """What everybody knows."""
        for key, alarm in list(self.alarms.items()):
            if alarm.job == job and alarm.ended and not set(alarm.told) & set(channels):
                del self.alarms[key]
        kept = [one for one in self.news if one.job != job or set(channels) - set(one.told)]
        self.news = kept[-_MOST_NEWS:]

    def standing(self) -> list[Alarm]:
        return [alarm for alarm in self.alarms.values() if not alarm.ended]

    def stopped(self) -> dict[str, str]:
        """The jobs whose run was ended and is to go on, and why."""
        return {alarm.job: alarm.text for alarm in self.standing() if alarm.kind == "run-stopped"}

    def keep(self) -> None:
        """Raises StorageError where there is neither room nor a book that is large enough."""
        values = {
            "alarms": [asdict(alarm) for alarm in self.alarms.values()],
            "news": [asdict(one) for one in self.news],
            "read": self.read,
        }
        content = json.dumps(values, indent=1, ensure_ascii=False).encode("utf-8", "replace")
        content += b" " * (_ROOM - len(content) % _ROOM - 1) + b"\n"
        try:
            durable.replace(self._path, content)
        except StorageError:  # an alarm of a full disk has to be remembered on the full disk
            if not self._path.is_file() or self._path.stat().st_size != len(content):
                raise
            durable.overwrite(self._path, 0, content)


def watch(root: Path, origin: str, settings: Mapping[str, Any], outcomes: Sequence[Outcome], now: datetime) -> Book:
    """Looks at everything, tells what is new, and remembers it. What cannot be delivered is logged, and kept.

    Raises UsageError where `[alerts]` of archive.toml, which `settings` are, is wrong; StorageError.
    """
    (root / keeping.FOLDER).mkdir(exist_ok=True)
    lock = durable.Lock(root / keeping.FOLDER / "alarms.lock", _WAIT)  # a call that others keep from its runs looks too
    try:
        return _watch(root, origin, settings, outcomes, now)
    finally:
        lock.release()


def _watch(root: Path, origin: str, settings: Mapping[str, Any], outcomes: Sequence[Outcome], now: datetime) -> Book:
    rows = health.rows(root, settings, now)
    facts, problem = facts_of(root)
    book = Book(root)
    least, running = _least_free(root), {row.job for row in rows if row.is_running and row.health != "paused"}
    found = conditions(
        rows, settings, facts, problem, now, least_free=least,
        standing={alarm.key for alarm in book.standing()},
    )  # fmt: skip
    unknown = [one for one in book.standing() if one.kind in OF_THE_ARCHIVE] if problem or facts.unwritable else []
    book.update([*found, *unknown, *broken_off(outcomes, running, book.alarms)], now)
    for row in rows:
        book.take_news(_unread(root, row.job, book.read.get(row.job), outcomes))
    book.read = {job: run for job, run in book.read.items() if job in {row.job for row in rows}}
    with suppress(StorageError):  # what is told is kept below, or that raises
        book.keep()
    _tell_all(root, origin, settings, book)
    book.keep()
    _ping(root, settings, outcomes, is_well=not any(row.is_bad for row in rows) and not book.stopped())
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
    failed: list[tuple[str, Any]] = []
    for job in sorted({alarm.job for alarm in book.alarms.values()} | {one.job for one in book.news}):
        to = _alerts(root, job, settings)
        channels = [channel for channel in CHANNELS if getattr(to, channel)]
        for channel in channels:
            way = channel, getattr(to, channel)
            if way not in failed and not _tell(origin, job, channel, to, book):
                failed.append(way)
        book.drop_told(job, channels)


def _tell(origin: str, job: str, channel: str, to: Alerts, book: Book) -> bool:
    """Whether all that this channel is to know of a job, is known there."""
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


_SHOWN = 50  # of each kind in a message
_CUT = 300


def message(origin: str, job: str, alarms: Sequence[Alarm], news: Sequence[str]) -> dict[str, Any]:
    """What channels are given: `text` for people, the rest for programs; of very many things, the first."""
    raised = [_described(alarm) for alarm in alarms if not alarm.ended]
    cleared = [_described(alarm) for alarm in alarms if alarm.ended]
    lines = []
    for one in raised[:_SHOWN]:
        lines.append(f"ALARM {one['kind']}: {_about(job, one)}: {one['text']}")
    for one in cleared[:_SHOWN]:
        lines.append(f"over  {one['kind']}: {_about(job, one)} (since {one['since']})")
    lines += [_line(text) for text in news[:_SHOWN]]
    more = sum(max(0, len(things) - _SHOWN) for things in (raised, cleared, news))
    if more:
        lines.append(f"and {more:,} more: `muniment jobs status`, `muniment jobs show`")
    return {
        "archive": origin, "job": job or None, "raised": raised[:_SHOWN], "cleared": cleared[:_SHOWN],
        "news": [_line(text) for text in news[:_SHOWN]], "more": more, "text": "\n".join(lines),
    }  # fmt: skip


def _described(alarm: Alarm) -> dict[str, Any]:
    said = {"kind": alarm.kind, "about": _line(alarm.about) or None, "text": _line(alarm.text), "since": alarm.since}
    return {**said, "ended": alarm.ended} if alarm.ended else said


def _about(job: str, one: Mapping[str, Any]) -> str:
    return " ".join(part for part in (job, one["about"]) if part) or "archive"


def _line(text: str) -> str:
    """Text that may be a stranger's, as one line of bounded length."""
    plain = "".join(c if c.isprintable() else " " for c in text).strip()
    return plain if len(plain) <= _CUT else f"{plain[: _CUT - 1]}…"


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
    for address in sorted(addresses - {""}):
        try:
            ping(address)
        except Undelivered as e:
            _log.warning("it could not be told that all went well: %s", e)
