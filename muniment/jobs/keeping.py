"""The files of jobs: `jobs/NAME.toml`, what is remembered between runs, and the reports.

    jobs/NAME.toml                  the job, a text that people edit
    jobs/state/NAME.json            which due time was run last, a run that is not done, how its sources fare
    jobs/runs/NAME/TIME.json, .txt  a report of each run, kept for good

Whoever writes holds the lock of guard.py, but for the jobs themselves.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from muniment import durable
from muniment.errors import Locked, StorageError, UsageError
from muniment.jobs.job import Job, check_name, is_name, parse_job
from muniment.jobs.kept import Damaged, Time, TimeIfAny, fitted, read_kept
from muniment.jobs.report import Report, as_json, from_json, iso, moment, summary
from muniment.regular import read_regular

_log = logging.getLogger(__name__)

FOLDER = "jobs"
MOST_PAST = 60  # runs that are remembered for what is usual
MOST_HOSTS = 10_000
_JOINERS = "\u200c\u200d\u200e\u200f"  # that Arabic and Persian are written with


@dataclass(slots=True)
class Seen:
    """How a source fared over the runs: when something came of it last and `first`, and when something new or changed;
    failures in a row; the seconds between the last runs with something new; how many pages were `refused` (report.py).
    """

    target: str
    good: TimeIfAny = ""
    new: TimeIfAny = ""
    failures: int = 0
    error: str = ""
    gaps: list[float] = field(default_factory=list)
    refused: int = 0
    first: str = ""


@dataclass(slots=True)
class Past:
    """A run in short. `error` is why it failed, or what of it could not be done; one that was `usual` was neither
    called by hand nor stands for others that were missed, so that what it found compares."""

    due: Time
    finished: Time
    state: str
    new: int
    tried: int
    seconds: float
    error: str = ""
    usual: bool = True


@dataclass(slots=True)
class State:
    """What is remembered of a job. `made` is when it was seen first, `begun` when a run of it began or went on last,
    `due` the last due time that was run; `running` the report of a run that is not done. `hosts` are those on which it
    found articles, `findings` what its last verify found.

    Of a run that is not done: the `stage` it is at, the size of the log when that began, and what was `taken` in it and
    is counted in the report: files, with size and time of change, or searches, with the leaf up to which they told. Its
    `breaks` are the sizes that the log had in that stage when it was cut off, when it went on, and so forth.
    """

    made: TimeIfAny = ""
    due: TimeIfAny = ""
    running: Report | None = None
    sources: dict[str, Seen] = field(default_factory=dict)
    hosts: list[str] = field(default_factory=list)
    past: list[Past] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    stage: str = ""
    stage_size: int = 0
    breaks: list[int] = field(default_factory=list)
    taken: dict[str, list[int]] = field(default_factory=dict)
    begun: TimeIfAny = ""

    @property
    def is_off(self) -> bool:
        """Whether its run was cut off, and did not go on."""
        return len(self.breaks) % 2 == 1

    def last(self, now: datetime) -> datetime:
        """After which due time to look; a clock that was ahead, and was put right since, holds nothing up."""
        known = max((moment(text) for text in (self.made, self.due) if text), default=now)
        return min(known, now)


def names(root: Path) -> list[str]:
    """The jobs that there are, in order of name, and those whose file is lost. A file's name that no job can have is
    told too, as text that does no harm: reading it says what is wrong."""
    found = (os.fsencode(path.stem) for path in (root / FOLDER).glob("*.toml") if not path.name.startswith("."))
    stems = (stem.decode("utf-8", "replace") for stem in found)
    there = {"".join(c if c.isprintable() else repr(c)[1:-1] for c in stem) for stem in stems}
    remembered = {path.stem for path in (root / FOLDER / "state").glob("*.json")}
    return sorted(there | {name for name in remembered - there if _is_lost(root, name)})


def _is_lost(root: Path, name: str) -> bool:
    """Whether its file is gone, though nobody removed it: what is remembered of a job is emptied with it."""
    if not is_name(name) or not _state_file(root, name).exists():
        return False
    state = state_of(root, name)
    return bool(state.made or state.due or state.past or state.running)


def text_of(root: Path, name: str) -> str:
    """The file of a job. Raises UsageError where there is none, or it cannot be read."""
    try:
        path = job_file(root, name)
    except UsageError as e:
        raise UsageError(f"jobs/{name}.toml: {e}") from None
    try:
        content = read_regular(path)
        return content.decode().removeprefix("\ufeff")
    except FileNotFoundError:
        if _is_lost(root, name):
            again = f"put it back, or `muniment jobs remove {name}`"
            raise UsageError(f"jobs/{name}.toml is gone, and nobody removed the job: {again}") from None
        raise UsageError(f"there is no job {name!r}: `muniment jobs list` lists those there are") from None
    except UnicodeDecodeError as e:
        line = content.count(b"\n", 0, e.start) + 1
        raise UsageError(f"jobs/{name}.toml, line {line}: this is no UTF-8: save the file as such") from None
    except OSError as e:
        raise UsageError(f"jobs/{name}.toml cannot be read: {e.strerror or e}") from None


def changed(root: Path, name: str, otherwise: datetime) -> datetime:
    """When the file of a job was written last."""
    try:
        return datetime.fromtimestamp(job_file(root, name).stat().st_mtime, UTC)
    except OSError:
        return otherwise


def read(root: Path, name: str) -> Job:
    """Raises UsageError where there is none, or where the file is wrong, with line and key."""
    return parse_job(name, text_of(root, name))


def write(root: Path, name: str, text: str) -> Job:
    """Keep a job. Raises UsageError where the text is wrong, and keeps the one before then."""
    job = parse_job(check_name(name), text)
    if not job_file(root, name).exists():
        _forget(root, name)  # another job had that name, and a run of it may have ended after it was removed
    durable.replace(job_file(root, name), text.encode())
    return job


def set_paused(root: Path, name: str, paused: bool) -> None:
    """Change that one line of a job's file; all else in it stays as people wrote it."""
    import tomlkit

    text = text_of(root, name)
    parse_job(name, text)
    document = tomlkit.parse(text)
    if paused:
        document["paused"] = True
    else:
        document.pop("paused", None)
    changed = tomlkit.dumps(document)
    if "\r\n" in text:  # the line that was added has to end as the others do
        changed = changed.replace("\r\n", "\n").replace("\n", "\r\n")
    durable.replace(job_file(root, name), changed.encode())


def remove(root: Path, name: str) -> None:
    """The job, and what is remembered of it; its reports stay. Raises UsageError where there is none, Locked while a
    run of it is under way, which would remember it again."""
    path = job_file(root, name)
    if state_of(root, name).running is not None and durable.is_held(root / FOLDER / "lock"):
        raise Locked(f"a run of {name} is under way: remove it when that is done")
    try:
        path.unlink(missing_ok=_is_lost(root, name))
        _forget(root, name)  # here, as the next job of that name may be a file written by hand
    except FileNotFoundError:
        raise UsageError(f"there is no job {name!r}: `muniment jobs list` lists those there are") from None
    except OSError as e:
        raise StorageError(f"{path}: {e.strerror}") from e


def _forget(root: Path, name: str) -> None:
    """What is remembered of a job: of its runs, and of the files in its folders. The reports stay, and an empty state
    says that they are not those of the next job of that name."""
    files_of(root, name).unlink(missing_ok=True)
    _put_aside(_state_file(root, name)).unlink(missing_ok=True)
    keep_state(root, name, State())


def state_of(root: Path, name: str, *, mend: bool = False) -> State:
    """What is remembered of a job; where that is lost or damaged, what its reports say, for a job must go on. To `mend`
    it, which takes the lock, a damaged one is put aside, and that is told."""
    path = _state_file(root, name)
    try:
        values = fitted(dict[str, Any], read_kept(path))
        state = fitted(State, {key: value for key, value in values.items() if key != "running"})
        state.running = from_json(values["running"]) if values.get("running") else None
    except FileNotFoundError:
        return _from_reports(root, name)
    except Damaged as e:
        if mend:
            aside = _put_aside(path)
            _log.warning("%s is damaged (%s): what the reports say holds, and it is kept as %s", path, e, aside.name)
            with suppress(OSError):
                path.replace(aside)
        return _from_reports(root, name)
    return state


def begin(root: Path, name: str, now: datetime) -> None:
    """A job's times count from now on, where they did not yet: whoever never calls them is told, and what was due
    before the first call is run. Raises StorageError."""
    state = state_of(root, name)
    if not state.made:
        state.made = iso(now)
        keep_state(root, name, state)


def _from_reports(root: Path, name: str) -> State:
    state = State()
    for report in reports(root, name, MOST_PAST):
        if not report.finished:
            continue
        if not state.due and not report.by_hand:
            state.made = state.due = report.due
        state.past.insert(0, past_of(report))
    return state


def past_of(report: Report) -> Past:
    new, tried = report.total("new") + report.total("changed"), report.total("tried")
    error = "" if report.findings else next(iter(report.errors), "")
    if not error and report.state == "failed" and not report.findings:
        down = [source for source in report.sources.values() if source.is_down]
        many = f"{len(down):,} sources gave nothing, such as " if len(down) > 1 else ""
        error = f"{many}{down[0].target}: {down[0].trouble}" if down else "it failed"
    usual = not (report.by_hand or report.missed)
    return Past(report.due, report.finished, report.state, new, tried, report.seconds, error, usual)


def keep_state(root: Path, name: str, state: State) -> None:
    """Raises StorageError."""
    state.past = state.past[-MOST_PAST:]
    state.hosts = state.hosts[-MOST_HOSTS:]
    values: dict[str, Any] = {
        "made": state.made, "due": state.due, "running": as_json(state.running) if state.running else None,
        "sources": {key: asdict(seen) for key, seen in state.sources.items()}, "hosts": state.hosts,
        "past": [asdict(one) for one in state.past], "findings": state.findings,
        "stage": state.stage, "stage_size": state.stage_size, "breaks": state.breaks, "taken": state.taken,
        "begun": state.begun,
    }  # fmt: skip
    durable.replace(_state_file(root, name), json.dumps(values).encode() + b"\n")


def free_start(root: Path, name: str, now: datetime) -> str:
    """When a run begins, as it is written, which is its own name among those of the job: to the millisecond where
    another began within the same second."""
    started = iso(now)
    while (root / FOLDER / "runs" / check_name(name) / f"{started.replace(':', '-')}.json").exists():
        now += timedelta(milliseconds=1)
        started = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return started


def keep_report(root: Path, report: Report) -> Path:
    """Returns the path of the JSON; the text lies beside it. A report of another run is never replaced, and one of the
    same run is: it was cut off right behind it. Raises StorageError."""
    folder = root / FOLDER / "runs" / check_name(report.job)
    stem = first = report.started.replace(":", "-")
    number = 1
    while (folder / f"{stem}.json").exists() and not _is_of(folder / f"{stem}.json", report):
        number += 1
        stem = f"{first}-{number}"
    lines = ("".join(c if c.isprintable() or c in _JOINERS else " " for c in line) for line in summary(report))
    durable.replace(folder / f"{stem}.txt", ("\n".join(lines) + "\n").encode(), sync=False)
    path = folder / f"{stem}.json"
    content = json.dumps(as_json(report), indent=1, ensure_ascii=False)
    durable.replace(path, content.encode("utf-8", "backslashreplace") + b"\n")  # of a lone surrogate, that is JSON too
    return path


def _is_of(path: Path, report: Report) -> bool:
    try:
        return from_json(read_kept(path)).run == report.run
    except (OSError, Damaged):
        return False


def reports(root: Path, name: str, count: int) -> Sequence[Report]:
    """The last reports of a job, newest first; damaged ones are passed over."""
    found: list[Report] = []
    for path in sorted((root / FOLDER / "runs" / check_name(name)).glob("*.json"), key=_order, reverse=True):
        try:
            found.append(from_json(read_kept(path)))
        except (OSError, Damaged):
            continue
        if len(found) >= count:
            break
    return found


def _order(path: Path) -> tuple[str, int]:
    """By time; of those of one second, by number."""
    at, _, number = path.stem.partition("Z-")
    return at.removesuffix("Z"), int(number) if number.isdecimal() else 1


def job_file(root: Path, name: str) -> Path:
    return root / FOLDER / f"{check_name(name)}.toml"


def _state_file(root: Path, name: str) -> Path:
    return root / FOLDER / "state" / f"{check_name(name)}.json"


def _put_aside(path: Path) -> Path:
    return path.with_name(f"{path.name}.damaged")


def files_of(root: Path, name: str) -> Path:
    """Which files of its folders a job took in (watched.py)."""
    return root / FOLDER / "state" / f"{check_name(name)}.files.json"
