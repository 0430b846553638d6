"""What is wrong, told once until it is right again.

    run-failed      the last run of a job failed, or its file is wrong
    run-overdue     a due time passed long ago, and nobody ran it
    source-overdue  a source has given nothing for three periods of its job's schedule
    source-silent   a source gives what it has, and nothing new for far longer than is usual for it
    volume          the last run had far more or far less new than the runs before
    disk-low, index-behind, unanchored      the archive's own
    verify          a verify of a job found something

`jobs/alarms.json` holds the alarms that stand, and which channels were told. One whose channel could not be reached is
told at the next call. When an alarm ends, that is told too.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from muniment import durable
from muniment.errors import MunimentError
from muniment.jobs import health, keeping
from muniment.jobs.channels import Undelivered, deliver, ping
from muniment.jobs.due import Outcome
from muniment.jobs.health import Row
from muniment.jobs.report import iso
from muniment.jobs.telling import CHANNELS, Alerts, alerts_of
from muniment.regular import read_regular

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Alarm:
    """One thing that is wrong, of a job or of the archive (job ""), since when; `told` are the channels that know, and
    `ended` is when it was right again, for those that do not know that yet."""

    kind: str
    job: str
    about: str
    text: str
    since: str = ""
    told: list[str] = field(default_factory=list)
    ended: str = ""

    @property
    def key(self) -> str:
        return f"{self.kind} {self.job} {self.about}".strip()


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the archive: bytes free, article versions that the index lacks, why it cannot answer, leaves
    that nobody vouches for, and since when."""

    free: int
    lag: int = 0
    index_problem: str = ""
    unanchored: int = 0
    unanchored_since: str = ""
    log_size: int = 0


def facts_of(root: Path) -> tuple[Facts, str]:
    """And why the archive cannot be opened, where it cannot."""
    import shutil

    from muniment import pipeline
    from muniment.archive.archive import Archive
    from muniment.stamping import tail

    free = shutil.disk_usage(root).free
    try:
        with Archive(root) as archive:
            index, held = pipeline.index_state(archive), tail(archive)
            lag = int(index["articles"] or 0) - int(index["indexed"] or 0)
            problem = str(index["problem"] or "")
            return Facts(free, lag, problem, held.leaves, held.since or "", archive.size), ""
    except MunimentError as e:
        return Facts(free), str(e)


def conditions(
    rows: Iterable[Row], root: Path, settings: Mapping[str, Any], facts: Facts, problem: str, now: datetime
) -> Iterator[Alarm]:
    """Everything that is wrong now."""
    for row in rows:
        if row.health != "paused":
            yield from _of_job(root, row)
    limits = alerts_of(settings)
    if problem:
        yield Alarm("archive", "", "", f"the archive cannot be opened: {problem}")
        return
    if facts.free < limits.disk:
        yield Alarm("disk-low", "", "", f"{facts.free >> 20:,} MiB are left on the archive's disk")
    if facts.index_problem or facts.lag > 0:
        lacking = facts.index_problem or f"it lacks {facts.lag:,} article versions: run `muniment reindex`"
        yield Alarm("index-behind", "", "", f"the index is behind: {lacking}")
    if limits.unanchored is not None and facts.unanchored and facts.unanchored_since:
        since = datetime.fromisoformat(facts.unanchored_since)
        if now - since > limits.unanchored:
            waiting = f"{facts.unanchored:,} leaves, the oldest of {iso(since)},"
            yield Alarm("unanchored", "", "", f"{waiting} are vouched for by nobody outside: run `muniment stamp`")


def _of_job(root: Path, row: Row) -> Iterator[Alarm]:
    if row.health == "wrong":
        yield Alarm("run-failed", row.job, "", row.error)
        return
    if row.last is not None and row.last.state == "failed":
        said = [report for report in keeping.reports(root, row.job, 1) if not report.findings]
        if said:
            yield Alarm("run-failed", row.job, "", _why(said[0].errors, row))
    if row.health == "overdue":
        yield Alarm("run-overdue", row.job, "", f"due for {row.late / 3600:,.1f} hours, and not run to its end")
    if row.unusual:
        yield Alarm("volume", row.job, "", row.unusual)
    for source in row.sources:
        if source.health == "overdue":
            yield Alarm("source-overdue", row.job, source.target,
                        f"nothing came since {source.good or 'ever'}: {source.error}")  # fmt: skip
        elif source.health == "silent":
            yield Alarm("source-silent", row.job, source.target, f"nothing new since {source.new}")
    yield from _findings(root, row.job)


def _findings(root: Path, job: str) -> Iterator[Alarm]:
    """What the last verify of a job found; it stands until one that finds nothing."""
    for report in keeping.reports(root, job, 20):
        if report.verified:
            if report.findings:
                yield Alarm("verify", job, "", f"{len(report.findings):,} findings, such as {report.findings[0]}")
            return


def _why(errors: Sequence[str], row: Row) -> str:
    down = [source for source in row.sources if source.failures]
    if errors:
        return f"the last run failed: {errors[0]}"
    if down:
        return f"the last run failed: {len(down):,} sources gave nothing, such as {down[0].target}: {down[0].error}"
    return "the last run failed"


class Book:
    """The alarms that stand, on the disk."""

    def __init__(self, root: Path):
        self._path = root / keeping.FOLDER / "alarms.json"
        self.alarms: dict[str, Alarm] = {}
        try:
            for values in json.loads(read_regular(self._path)):
                alarm = Alarm(**values)
                self.alarms[alarm.key] = alarm
        except (OSError, ValueError, TypeError):
            self.alarms = {}

    def update(self, found: Iterable[Alarm], now: datetime) -> None:
        """Takes in what is wrong now: new alarms begin, those that are over end."""
        there = {alarm.key: alarm for alarm in found}
        for key, alarm in there.items():
            known = self.alarms.get(key)
            if known is None or known.ended:
                alarm.since = iso(now)
                self.alarms[key] = alarm
            else:
                known.text = alarm.text
        for key, alarm in list(self.alarms.items()):
            if key not in there and not alarm.ended:
                alarm.ended, alarm.told = iso(now), []

    def standing(self) -> list[Alarm]:
        return [alarm for alarm in self.alarms.values() if not alarm.ended]

    def keep(self) -> None:
        """Raises StorageError."""
        values = [asdict(alarm) for alarm in self.alarms.values()]
        durable.replace(self._path, json.dumps(values, indent=1, ensure_ascii=False).encode() + b"\n")


def watch(root: Path, origin: str, settings: Mapping[str, Any], outcomes: Sequence[Outcome], now: datetime) -> Book:
    """Looks at everything, tells what is new, and remembers it. What cannot be delivered is logged, and kept."""
    rows = health.rows(root, settings, now)
    facts, problem = facts_of(root)
    book = Book(root)
    book.update(conditions(rows, root, settings, facts, problem, now), now)
    news = _news(outcomes)
    for job in sorted({alarm.job for alarm in book.alarms.values()} | set(news)):
        to = _alerts(root, job, settings)
        alarms = [alarm for alarm in book.alarms.values() if alarm.job == job]
        _tell(origin, job, to, alarms, news.get(job, []))
        for alarm in alarms:
            if alarm.ended and all(channel in alarm.told for channel in CHANNELS if getattr(to, channel)):
                del book.alarms[alarm.key]
    book.keep()
    _ping(root, settings, outcomes)
    return book


def _alerts(root: Path, job: str, settings: Mapping[str, Any]) -> Alerts:
    """Where to tell of a job; of one whose file is wrong, where the archive's alarms go."""
    try:
        return alerts_of(settings, keeping.read(root, job) if job else None)
    except MunimentError:
        return alerts_of(settings)


def _news(outcomes: Sequence[Outcome]) -> dict[str, list[str]]:
    """What saved searches found, by job."""
    told: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.report is not None and any(outcome.report.searches.values()):
            told[outcome.job] = [note for note in outcome.report.notes if note.startswith("new for ")]
    return told


def _tell(origin: str, job: str, to: Alerts, alarms: Sequence[Alarm], news: Sequence[str]) -> None:
    for channel in CHANNELS:
        if not getattr(to, channel):
            continue
        fresh = [alarm for alarm in alarms if channel not in alarm.told]
        if not fresh and not news:
            continue
        try:
            deliver(channel, to, message(origin, job, fresh, news))
        except Undelivered as e:
            _log.warning("an alarm was not delivered (%s), and will be told again: %s", channel, e)
            continue
        for alarm in fresh:
            alarm.told.append(channel)


def message(origin: str, job: str, alarms: Sequence[Alarm], news: Sequence[str]) -> dict[str, Any]:
    """What channels are given: `text` for people, the rest for programs."""
    raised = [alarm for alarm in alarms if not alarm.ended]
    cleared = [alarm for alarm in alarms if alarm.ended]
    about = {id(alarm): " ".join(part for part in (alarm.job, alarm.about) if part) or "archive" for alarm in alarms}
    lines = [f"ALARM {alarm.kind}: {about[id(alarm)]}: {alarm.text}" for alarm in raised]
    lines += [f"over  {alarm.kind}: {about[id(alarm)]} (since {alarm.since})" for alarm in cleared]
    return {
        "archive": origin, "job": job or None,
        "raised": [{"kind": a.kind, "about": a.about or None, "text": a.text, "since": a.since} for a in raised],
        "cleared": [{"kind": a.kind, "about": a.about or None, "since": a.since, "ended": a.ended} for a in cleared],
        "news": list(news), "text": "\n".join([*lines, *news]),
    }  # fmt: skip


def test_channels(origin: str, job: str, to: Alerts, now: datetime) -> dict[str, str]:
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


def _ping(root: Path, settings: Mapping[str, Any], outcomes: Sequence[Outcome]) -> None:
    """The dead man's address is asked for when everything that was due was done."""
    if any(outcome.error is not None or (outcome.report and outcome.report.state == "failed") for outcome in outcomes):
        return
    addresses = {alerts_of(settings).ping}
    addresses |= {_alerts(root, outcome.job, settings).ping for outcome in outcomes}
    for address in sorted(addresses - {""}):
        try:
            ping(address)
        except Undelivered as e:
            _log.warning("%s", e)
