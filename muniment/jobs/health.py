"""How jobs fare, for people and for monitoring: from what is remembered of their runs, without opening the archive."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from muniment import durable
from muniment.errors import StorageError, UsageError
from muniment.jobs import keeping
from muniment.jobs.alerts import Alerts, alerts_of
from muniment.jobs.job import Job
from muniment.jobs.keeping import Past, Seen, State
from muniment.jobs.report import iso, moment

Health = Literal["ok", "new", "paused", "running", "stopped", "failing", "overdue", "wrong"]
SourceHealth = Literal["ok", "new", "failing", "silent", "overdue"]
BAD = ("stopped", "failing", "overdue", "wrong")
_LEAST_HISTORY = 10  # runs, before anything is unusual
_LEAST_GAPS = 5
_ANEW = ("feed", "sitemap", "crawl")  # sources that something new is expected of
_PERIODS = 3  # schedule periods without success until a source is overdue


@dataclass(slots=True)
class SourceRow:
    """One source, of a `kind` as reports have it: when it gave anything, and anything new, last; `is_silent` where that
    is long ago."""

    target: str
    health: SourceHealth
    good: str = ""
    new: str = ""
    failures: int = 0
    error: str = ""
    is_silent: bool = False
    kind: str = ""


@dataclass(slots=True)
class Row:
    """One job. `due` is the next run, `late` the seconds for which it has been due; `unusual` says how its last run's
    volume is out of its usual band. `error` says what is wrong, `findings` what verify found last."""

    job: str
    health: Health
    last: Past | None = None
    due: str = ""
    late: float = 0.0
    unusual: str = ""
    error: str = ""
    sources: list[SourceRow] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    is_running: bool = False

    @property
    def is_bad(self) -> bool:
        return self.health in BAD or any(source.health in ("failing", "overdue") for source in self.sources)


def rows(root: Path, settings: Mapping[str, Any], now: datetime, stopped: Mapping[str, str] | None = None) -> list[Row]:
    """Every job's. `settings` are `[alerts]` of archive.toml; `stopped` says of jobs why their run was ended and is to
    go on. Raises UsageError where the settings are wrong."""
    return [row_of(root, name, settings, now, stopped) for name in keeping.names(root)]


def row_of(
    root: Path, name: str, settings: Mapping[str, Any], now: datetime, stopped: Mapping[str, str] | None = None
) -> Row:
    try:
        job = keeping.read(root, name)
    except UsageError as e:
        return Row(name, "wrong", error=str(e))
    state, limits = keeping.state_of(root, name), alerts_of(settings, job)
    row = Row(name, "ok", state.past[-1] if state.past else None)
    row.unusual = unusual(state.past)
    row.sources = [
        source_row(job, key.partition(" ")[0], state.sources[key], state, limits, now)
        if key in state.sources
        else SourceRow(target, "new", kind=key.partition(" ")[0])
        for key, target in targets(job)
    ]
    row.findings, row.is_running = state.findings, state.running is not None
    if job.paused:
        row.health = "paused"
        return row
    if not state.made:  # written by hand, and nothing was called since: that is to be seen
        state.made = iso(min(now, keeping.changed(root, name, now)))
    last = state.last(now)
    row.due = iso(job.schedule.next_run(last, now))
    due = job.schedule.due(last, now)
    if due is not None:
        first = next(job.schedule.after(last))
        row.late = (now - first - job.schedule.offset(first)).total_seconds()
    if state.running is not None:
        row.health = "running"
        is_idle = not _is_at_work(root)
        if stopped and name in stopped and (is_idle or state.running.reached < 0):  # has not gone on
            row.health, row.error = "stopped", stopped[name]
            return row
        if is_idle:
            row.error = f"the run for {state.running.due} was cut off, and goes on at the next call"
        row.late = max(row.late, (now - moment(state.running.started)).total_seconds() - _longest(state.past))
    if row.late > limits.overdue.total_seconds():
        row.health = "overdue"
    elif row.last is not None and (row.last.state == "failed" or row.last.error):
        row.health = "failing"
        row.error = row.last.error or ("verify found something" if row.findings else "the last run failed")
    elif row.last is None and row.health == "ok":
        row.health = "new"
    return row


def _is_at_work(root: Path) -> bool:
    try:
        return durable.is_held(root / keeping.FOLDER / "lock")
    except StorageError:  # another user's: that is an alarm of its own
        return False


def targets(job: Job) -> Iterator[tuple[str, str]]:
    """What a job asks for, by the keys that reports have for it."""
    kinds = (("folder", job.folders), ("feed", job.feeds), ("sitemap", job.sitemaps), ("crawl", job.crawls),
             ("url", job.urls), ("list", job.lists))  # fmt: skip
    for kind, named in kinds:
        for target in dict.fromkeys(named):
            yield f"{kind} {target}", target


def _longest(past: Sequence[Past]) -> float:
    """Seconds that runs take at most, as far as is known."""
    return max((one.seconds for one in past), default=0.0)


def source_row(job: Job, kind: str, seen: Seen, state: State, limits: Alerts, now: datetime) -> SourceRow:
    row = SourceRow(seen.target, "ok", seen.good, seen.new, seen.failures, seen.error)
    row.kind, row.is_silent = kind, is_silent(job, kind, seen, state, limits, now)
    if job.paused:
        return row
    since = now - moment(seen.good or state.made or iso(now))
    if (seen.failures or seen.error) and since > _PERIODS * period(job, now) + limits.overdue:
        row.health = "overdue"
    elif seen.failures:
        row.health = "failing"
    elif row.is_silent:
        row.health = "silent"
    elif not seen.good:
        row.health = "new"
    return row


def period(job: Job, now: datetime) -> timedelta:
    """The longest of the next distances between due times."""
    times = job.schedule.after(now)
    first, second, third = next(times), next(times), next(times)
    return max(second - first, third - second)


def is_silent(job: Job, kind: str, seen: Seen, state: State, limits: Alerts, now: datetime) -> bool:
    """Nothing new for as long as was set, or for far longer than is usual for it; for a month and three periods where
    that is not known yet. Of folders and single pages nothing new is expected until it is usual. What counts is the
    time up to the last answer: of what came since then nobody knows."""
    if not seen.good:
        return False
    quiet = moment(seen.good) - moment(seen.new or seen.first or state.made or seen.good)
    if limits.silent is not None:
        return quiet > limits.silent
    is_known = len(seen.gaps) >= _LEAST_GAPS
    if not is_known and (kind not in _ANEW or not (seen.new or seen.first)):
        return False
    least = timedelta(days=3 if is_known else 30)
    is_long = quiet > max(4 * timedelta(seconds=max(seen.gaps, default=0)), least)
    return is_long and (is_known or quiet > _PERIODS * period(job, now))


def unusual(past: Sequence[Past]) -> str:
    """How much new the last run had beside those before it, where that is out of their band; else nothing.

    The band reaches five median deviations and three to both sides of the median, and from half of what the others
    had to twice that and three more, without the outermost of them: nights and mornings are no alarm.
    """
    compared = [one for one in past if one.usual and one.state != "failed"]
    if len(compared) <= _LEAST_HISTORY or compared[-1] is not past[-1]:
        return ""
    before, last = sorted(one.new for one in compared[:-1]), compared[-1].new
    middle, out = statistics.median(before), max(1, len(before) // 20)
    room = 5 * statistics.median(abs(count - middle) for count in before) + 3
    least = max(0, math.floor(min(middle - room, before[out] / 2 - 1)))
    most = math.ceil(max(middle + room, 2 * before[-1 - out] + 3))
    return "" if least <= last <= most else f"{last:,} new or changed, where {least:,} to {most:,} are usual"


def as_json(row: Row) -> dict[str, Any]:
    last = row.last
    return {
        "job": row.job, "health": row.health, "next": row.due or None, "late_seconds": round(max(0.0, row.late)),
        "last": None if last is None else {
            "due": last.due, "finished": last.finished, "state": last.state, "new": last.new, "tried": last.tried,
            "seconds": last.seconds,
        },
        "unusual": row.unusual or None, "error": row.error or None, "findings": row.findings,
        "sources": [
            {"target": one.target, "kind": one.kind, "health": one.health, "last_good": one.good or None,
             "last_new": one.new or None, "silent": one.is_silent, "failures": one.failures, "error": one.error or None}
            for one in row.sources
        ],
    }  # fmt: skip


def metrics(found: Sequence[Row], facts: Mapping[str, float], now: datetime) -> str:
    """As Prometheus reads it (node_exporter's textfile collector); times in seconds since 1970."""
    lines: list[str] = []
    for name, help_line, values in _families(found, facts, now):
        lines += [f"# HELP muniment_{name} {help_line}", f"# TYPE muniment_{name} gauge"]
        lines += [f"muniment_{name}{labels} {_number(value)}" for labels, value in values]
    return "\n".join(lines) + "\n"


def _families(
    found: Sequence[Row], facts: Mapping[str, float], now: datetime
) -> Iterator[tuple[str, str, list[tuple[str, float]]]]:
    runs = [(row, row.last) for row in found]
    yield (
        "job_healthy",
        "1 unless the job fails, is overdue or cannot be read.",
        [(_labels(job=row.job), 0.0 if row.health in BAD else 1.0) for row in found],
    )
    yield (
        "job_late_seconds",
        "For how long the job has been due.",
        [(_labels(job=row.job), max(0.0, row.late)) for row in found],
    )
    yield (
        "job_next_run_timestamp_seconds",
        "When the job runs next.",
        [(_labels(job=row.job), moment(row.due).timestamp()) for row in found if row.due],
    )
    yield (
        "job_last_run_timestamp_seconds",
        "When the job's last run ended.",
        [(_labels(job=row.job), moment(last.finished).timestamp()) for row, last in runs if last],
    )
    yield (
        "job_last_run_failed",
        "1 where the job's last run failed.",
        [(_labels(job=row.job), float(last.state == "failed")) for row, last in runs if last],
    )
    yield (
        "job_last_run_new",
        "Articles that were new or changed in the last run.",
        [(_labels(job=row.job), float(last.new)) for row, last in runs if last],
    )
    yield (
        "job_last_run_seconds",
        "How long the last run took.",
        [(_labels(job=row.job), last.seconds) for row, last in runs if last],
    )
    yield (
        "source_failures",
        "Runs in a row in which nothing could be had of the source.",
        [
            (_labels(job=row.job, kind=one.kind, source=one.target), float(one.failures))
            for row in found
            for one in row.sources
        ],
    )
    yield "source_last_new_timestamp_seconds", "When the source had anything new or changed last.", [
        (_labels(job=row.job, kind=one.kind, source=one.target), moment(one.new).timestamp())
        for row in found for one in row.sources if one.new
    ]  # fmt: skip
    yield "source_healthy", "1 unless nothing can be had of the source.", [
        (_labels(job=row.job, kind=one.kind, source=one.target), float(one.health not in ("failing", "overdue")))
        for row in found for one in row.sources
    ]  # fmt: skip
    for name, value in facts.items():
        yield name, _FACTS.get(name, name), [("", value)]
    yield "status_timestamp_seconds", "When these figures were made.", [("", now.timestamp())]


_FACTS = {
    "log_leaves": "Leaves of the log.", "disk_free_bytes": "Bytes free on the archive's disk.",
    "index_lag_articles": "Article versions that the index lacks.",
    "unanchored_leaves": "Leaves that nobody outside vouches for yet.", "alarms": "Alarms that stand.",
}  # fmt: skip


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _labels(**labels: str) -> str:
    said = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{said}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
