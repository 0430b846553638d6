"""What is wrong now.

    run-failed      the last run of a job failed, or a part of it could not be done, or its file is wrong
    run-stopped     a run was ended by the disk, or by a fault of muniment's, and is to go on
    run-overdue     a due time passed long ago, and nobody ran it
    source-overdue  a source has given nothing for three periods of its job's schedule
    source-silent   a source gives what it has, and nothing new for far longer than is usual for it
    volume          the last run had far more or far less new than the runs before
    verify          a verify of a job found something
    disk-low, index-behind, unanchored, archive     the archive's own

That each is told once is for alarms.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from muniment import durable
from muniment.errors import Locked, MunimentError, StorageError, UsageError
from muniment.jobs import keeping
from muniment.jobs.alerts import alerts_of
from muniment.jobs.due import Outcome
from muniment.jobs.health import Row
from muniment.jobs.report import iso

OF_THE_ARCHIVE = ("index-behind", "unanchored")  # nobody knows of these while it cannot be opened
NEWS = ("source-silent", "volume")  # what is no failure: of the source, not of its archiving


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
    that nobody vouches for, and since when; why the disk takes nothing."""

    free: int
    lag: int = 0
    index_problem: str = ""
    unanchored: int = 0
    unanchored_since: str = ""
    log_size: int = 0
    unwritable: str = ""


def facts_of(root: Path) -> tuple[Facts, str]:
    """And why the archive cannot be opened, where it cannot."""
    import shutil
    import sqlite3

    from muniment import pipeline
    from muniment.archive.archive import Archive
    from muniment.archive.tables.layout import problem_of
    from muniment.stamping import tail

    free, unwritable = shutil.disk_usage(root).free, next(filter(None, map(durable.refusal, _written(root))), "")
    try:
        with Archive(root) as archive:
            index, held = pipeline.index_state(archive), tail(archive)
            lag = int(index["articles"] or 0) - int(index["indexed"] or 0)
            if durable.is_held(root / "lock"):
                lag, index["problem"] = 0, None  # whoever is adding now brings the index up at the end
            problem = str(index["problem"] or "")
            return Facts(free, lag, problem, held.leaves, held.since or "", archive.size, unwritable), ""
    except StorageError as e:
        return Facts(free, unwritable=str(e)), ""
    except MunimentError as e:
        return Facts(free, unwritable=unwritable), str(e)
    except OSError as e:
        return Facts(free, unwritable=e.strerror or str(e)), ""
    except sqlite3.Error as e:
        found = problem_of(e)
        return (
            (Facts(free, unwritable=str(found)), "") if isinstance(found, StorageError) else (Facts(free), str(found))
        )


def _written(root: Path) -> Iterator[Path]:
    """What every run writes, and what is made by the first who runs one."""
    jobs = root / keeping.FOLDER
    yield from (root, root / "lock", jobs, jobs / "lock", jobs / "state", jobs / "runs")


def read_only(root: Path) -> Alarm | None:
    """What is wrong to whoever asks, and whether or not a call could tell it: the disk is mounted so."""
    if not durable.is_read_only(root):
        return None
    return Alarm("archive", "", "", f"nothing can be stored: {durable.refusal(root) or 'the disk is read-only'}")


def conditions(
    rows: Iterable[Row],
    settings: Mapping[str, Any],
    facts: Facts,
    problem: str,
    now: datetime,
    *,
    least_free: int = 0,
    standing: Collection[str] = (),
) -> Iterator[Alarm]:
    """Everything that is wrong now. `least_free` are the bytes below which some job does not run; `standing` the keys
    of alarms that stand: the disk's ends only once there is a tenth more room than it takes."""
    limits = alerts_of(settings)
    for row in rows:
        if row.health != "paused":
            yield from _of_job(row, standing)
    least = max(limits.disk, least_free)
    low = facts.free < (least * 11 // 10 if "disk-low" in standing else least)
    if low:
        yield Alarm("disk-low", "", "", f"{facts.free >> 20:,} MiB are left on the archive's disk, and {least >> 20:,}"
                    " are to be free")  # fmt: skip
    unwritable = "" if low else facts.unwritable
    if problem or unwritable:
        said = f"the archive cannot be opened: {problem}" if problem else f"nothing can be stored: {unwritable}"
        yield Alarm("archive", "", "", said)
        return
    if facts.index_problem or facts.lag > 0:
        lacking = facts.index_problem or f"it lacks {facts.lag:,} article versions: run `muniment reindex`"
        yield Alarm("index-behind", "", "", f"the index is behind: {lacking}")
    if limits.unanchored is not None and facts.unanchored and facts.unanchored_since:
        since = datetime.fromisoformat(facts.unanchored_since)
        if now - since > limits.unanchored:
            waiting = f"{facts.unanchored:,} leaves, the oldest of {iso(since)},"
            yield Alarm("unanchored", "", "", f"{waiting} are vouched for by nobody outside: run `muniment stamp`")


def _of_job(row: Row, standing: Collection[str]) -> Iterator[Alarm]:
    if row.health == "wrong":
        yield Alarm("run-failed", row.job, "", row.error)
        return
    if row.last is not None and row.last.error:
        what = "the last run failed" if row.last.state == "failed" else "a part of the last run could not be done"
        yield Alarm("run-failed", row.job, "", f"{what}: {row.last.error}")
    if row.health == "overdue":
        yield Alarm("run-overdue", row.job, "", f"due for {row.late / 3600:,.1f} hours, and not run to its end")
    if row.unusual:
        yield Alarm("volume", row.job, "", row.unusual)
    for source in row.sources:
        if source.health == "overdue":
            yield Alarm("source-overdue", row.job, source.target,
                        f"nothing came since {source.good or 'ever'}: {source.error}")  # fmt: skip
        if source.is_silent:
            silent = Alarm("source-silent", row.job, source.target, f"nothing new since {source.new or 'it was added'}")
            if not source.failures or silent.key in standing:  # one that does not answer is told for that
                yield silent
    if row.findings:
        yield Alarm("verify", row.job, "", f"{len(row.findings):,} findings, such as {row.findings[0]}")


def broken_off(outcomes: Sequence[Outcome], waiting: Collection[str], standing: Mapping[str, Alarm]) -> Iterator[Alarm]:
    """Runs that were ended by the disk, or by a fault of ours, and are to go on: until they did. `waiting` are the jobs
    whose run is under way or due: of one that was ended at once, the disk may have kept nothing."""
    tried = {outcome.job for outcome in outcomes}
    for outcome in outcomes:
        if outcome.report is None and outcome.error is not None and not isinstance(outcome.error, (Locked, UsageError)):
            yield Alarm("run-stopped", outcome.job, "", str(outcome.error))
    for alarm in standing.values():
        if alarm.kind == "run-stopped" and not alarm.ended and alarm.job in waiting and alarm.job not in tried:
            yield alarm
