"""How jobs fare, for people and for monitoring: from what is remembered of their runs, without opening the archive."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from muniment.errors import UsageError
from muniment.jobs import keeping
from muniment.jobs.job import Job
from muniment.jobs.keeping import Past, Seen, State
from muniment.jobs.report import iso, moment
from muniment.jobs.telling import Alerts, alerts_of

Health = Literal["ok", "new", "paused", "running", "failing", "overdue", "wrong"]
SourceHealth = Literal["ok", "new", "failing", "silent", "overdue"]
BAD = ("failing", "overdue", "wrong")
_LEAST_HISTORY = 10  # runs, before anything is unusual
_LEAST_GAPS = 5
_PERIODS = 3  # schedule periods without success until a source is overdue


@dataclass(slots=True)
class SourceRow:
    """One source: when it gave anything, and anything new, last."""

    target: str
    health: SourceHealth
    good: str
    new: str
    failures: int
    error: str


@dataclass(slots=True)
class Row:
    """One job. `due` is the next run, `late` the seconds for which it has been due; `unusual` says how its last run's
    volume is out of its usual band. `error` says what is wrong."""

    job: str
    health: Health
    last: Past | None = None
    due: str = ""
    late: float = 0.0
    unusual: str = ""
    error: str = ""
    sources: list[SourceRow] = field(default_factory=list)

    @property
    def is_bad(self) -> bool:
        return self.health in BAD or any(source.health in ("failing", "overdue") for source in self.sources)


def rows(root: Path, settings: Mapping[str, Any], now: datetime) -> list[Row]:
    """Every job's. `settings` are `[alerts]` of archive.toml. Raises UsageError where these are wrong."""
    return [row_of(root, name, settings, now) for name in keeping.names(root)]


def row_of(root: Path, name: str, settings: Mapping[str, Any], now: datetime) -> Row:
    try:
        job = keeping.read(root, name)
    except UsageError as e:
        return Row(name, "wrong", error=str(e))
    state, limits = keeping.state_of(root, name), alerts_of(settings, job)
    row = Row(name, "ok", state.past[-1] if state.past else None)
    row.unusual = unusual(state.past)
    row.sources = [source_row(job, seen, state, limits, now) for seen in state.sources.values()]
    if job.paused:
        row.health = "paused"
        return row
    last = state.last(now)
    row.due = iso(job.schedule.next_run(last, now))
    due = job.schedule.due(last, now)
    if due is not None:
        first = next(job.schedule.after(last))
        row.late = (now - first - job.schedule.offset(first)).total_seconds()
    if state.running is not None:
        row.health = "running"
        row.late = max(row.late, (now - moment(state.running.started)).total_seconds() - _longest(state.past))
    if row.late > limits.overdue.total_seconds():
        row.health = "overdue"
    elif row.last is not None and row.last.state == "failed":
        row.health = "failing"
        row.error = row.error or "the last run failed"
    elif row.last is None and row.health == "ok":
        row.health = "new"
    return row


def _longest(past: Sequence[Past]) -> float:
    """Seconds that runs take at most, as far as is known."""
    return max((one.seconds for one in past), default=0.0)


def source_row(job: Job, seen: Seen, state: State, limits: Alerts, now: datetime) -> SourceRow:
    row = SourceRow(seen.target, "ok", seen.good, seen.new, seen.failures, seen.error)
    if job.paused:
        return row
    since = now - moment(seen.good or state.made)
    if seen.failures and since > _PERIODS * period(job, now) + limits.overdue:
        row.health = "overdue"
    elif seen.failures:
        row.health = "failing"
    elif is_silent(seen, limits, now):
        row.health = "silent"
    elif not seen.good:
        row.health = "new"
    return row


def period(job: Job, now: datetime) -> timedelta:
    """The longest of the next distances between due times."""
    times = job.schedule.after(now)
    first, second, third = next(times), next(times), next(times)
    return max(second - first, third - second)


def is_silent(seen: Seen, limits: Alerts, now: datetime) -> bool:
    """Nothing new for as long as was set, or for far longer than is usual for it."""
    if not seen.new:
        return False
    quiet = (now - moment(seen.new)).total_seconds()
    if limits.silent is not None:
        return quiet > limits.silent.total_seconds()
    if len(seen.gaps) < _LEAST_GAPS:
        return False
    return quiet > max(4 * max(seen.gaps), timedelta(days=3).total_seconds())


def unusual(past: Sequence[Past]) -> str:
    """How much new the last run had beside those before it, where that is out of their band; else nothing.

    The band is the median of the others, five times their median deviation and three to both sides.
    """
    before, last = [one.new for one in past[:-1] if one.state != "failed"], past[-1] if past else None
    if last is None or last.state == "failed" or len(before) < _LEAST_HISTORY:
        return ""
    middle = statistics.median(before)
    room = 5 * statistics.median(abs(count - middle) for count in before) + 3
    if abs(last.new - middle) <= room:
        return ""
    least, most = max(0, round(middle - room)), round(middle + room)
    return f"{last.new:,} new or changed, where {least:,} to {most:,} are usual"


def as_json(row: Row) -> dict[str, Any]:
    last = row.last
    return {
        "job": row.job, "health": row.health, "next": row.due or None, "late_seconds": round(max(0.0, row.late)),
        "last": None if last is None else {
            "due": last.due, "finished": last.finished, "state": last.state, "new": last.new, "tried": last.tried,
            "seconds": last.seconds,
        },
        "unusual": row.unusual or None, "error": row.error or None,
        "sources": [
            {"target": one.target, "health": one.health, "last_good": one.good or None, "last_new": one.new or None,
             "failures": one.failures, "error": one.error or None}
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
        [(_labels(job=row.job, source=one.target), float(one.failures)) for row in found for one in row.sources],
    )
    yield "source_last_new_timestamp_seconds", "When the source had anything new or changed last.", [
        (_labels(job=row.job, source=one.target), moment(one.new).timestamp())
        for row in found for one in row.sources if one.new
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
