"""Which jobs are due, and their runs: START HERE for jobs.

run_due      everything that is due, once; the same for jobs that are named
run_forever  run_due again and again, in the foreground

Every due time is run once, or stands for those that were missed before it. What is under way is on the disk before it
begins: a run that was killed goes on at the next call, on the same way.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

from muniment import durable
from muniment.archive.archive import Archive
from muniment.archive.tables.layout import problem_of
from muniment.errors import Locked, MunimentError, StorageError, UsageError
from muniment.jobs import keeping
from muniment.jobs.guard import Guard
from muniment.jobs.job import Job
from muniment.jobs.keeping import Seen, State
from muniment.jobs.report import Report, Source, iso, moment, times
from muniment.jobs.running import ENDS, GivesWay, Run, World

_log = logging.getLogger(__name__)

GIVEN_UP = 4  # times that a run is cut off at the same place, before the other jobs get their turn
LOOK_EVERY = timedelta(minutes=5)  # where nothing is due: sources fall silent, and disks fill up, all the same
LONGEST_SLEEP = 30.0  # seconds: what a change of the clock, or of a file, has to wait for


class Outcome(NamedTuple):
    """What came of one job: its report, or why there is none. `path` is where the report lies."""

    job: str
    report: Report | None
    path: Path | None = None
    error: MunimentError | None = None


def run_due(
    root: Path,
    world: World,
    names: Sequence[str] = (),
    *,
    wait: float = 0.0,
    take_over: bool = False,
    after: Callable[[Sequence[Outcome]], object] = lambda outcomes: None,
) -> Iterator[Outcome]:
    """Runs what is due, or the named jobs whether they are due or not; yields what came of each run.

    A file that is wrong, a run that fails, and a job that lacks room keep no other from its run; one that takes long
    gives way to those that are due meanwhile, and goes on behind them. `after` looks how everything is: at the end with
    the lock still held, but not where it was interrupted; every five minutes of a call that takes long; and where
    others are at it, who may hang, or nothing can be written. Raises Locked in the one case, and StorageError in the
    other, or at the end.
    """
    try:
        guard = Guard(root, wait, take_over=take_over)
    except Locked:
        after(())
        raise
    except StorageError:
        with suppress(StorageError):  # of what it could not keep
            after(())
        raise
    if guard.succeeded:
        _log.warning("%s", guard.succeeded)
    outcomes: list[Outcome] = []
    stopped: MunimentError | None = None
    looking = _Looking(lambda: after(()))
    try:
        _mark_cut_off(root)
        turn = list(names) or _in_turn(root)
        while turn:
            name = turn.pop(0)
            try:
                tried = {name, *(outcome.job for outcome in outcomes if outcome.error)}
                waiting = _nobody if names else partial(_do_others_wait, root, world, tried)
                for outcome in _runs(root, world, name, waiting, by_hand=bool(names)):
                    outcomes.append(outcome)
                    yield outcome
            except GivesWay as e:
                _log.info("%s: %s", name, e)
                turn = [*(other for other in _in_turn(root) if other not in tried), name]
            except (UsageError, Locked) as e:
                outcomes.append(Outcome(name, None, error=e))
                yield outcomes[-1]
            except (StorageError, sqlite3.Error) as e:
                error = problem_of(e) if isinstance(e, sqlite3.Error) else e
                outcomes.append(Outcome(name, None, error=error))
                stopped = stopped or error
            except Exception as e:  # noqa: BLE001 - a fault of ours in one job must not keep the others from theirs
                _log.info("%s", name, exc_info=True)
                fault = MunimentError(f"{name}: internal error, please report it: {type(e).__name__}: {e}")
                outcomes.append(Outcome(name, None, error=fault))
                yield outcomes[-1]
        looking.end()
        after(outcomes)
        if stopped is not None:
            raise stopped
    finally:
        looking.end()
        guard.release()


class _Looking:
    """Calls something every five minutes, in a thread, until it ends: a run may take hours."""

    def __init__(self, look: Callable[[], object]):
        self._look, self._ended = look, threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="looking", daemon=True)
        self._thread.start()

    def _go_on(self) -> None:
        while not self._ended.wait(LOOK_EVERY.total_seconds()):
            try:
                self._look()
            except Exception:  # noqa: BLE001 - the look at the end tells what is wrong; the run goes on
                _log.info("looking at the alarms", exc_info=True)

    def end(self) -> None:
        self._ended.set()
        self._thread.join()


def _in_turn(root: Path) -> list[str]:
    """The jobs, those first that have not begun for longest: one that never comes to its end keeps no other waiting."""

    def begun(name: str) -> str:
        try:
            return keeping.state_of(root, name).begun
        except UsageError:  # a name that no job can have, which is told in its turn
            return ""

    return sorted(keeping.names(root), key=begun)


def _mark_cut_off(root: Path) -> None:
    """What is stored from now on is not of the runs that were cut off: another job may store the same pages."""
    for name in keeping.names(root):
        with suppress(MunimentError, sqlite3.Error):  # its turn says what is wrong
            state = keeping.state_of(root, name)
            if state.running is not None and state.stage and not state.is_off:
                with Archive(root) as archive:
                    state.breaks.append(archive.size)
                keeping.keep_state(root, name, state)


def _nobody() -> bool:
    return False


def _do_others_wait(root: Path, world: World, tried: set[str]) -> bool:
    """Whether a job is due by now that was not `tried` in vain."""
    now = world.clock()
    return any(at <= now for at in _next_times(root, now, tried))


def _runs(root: Path, world: World, name: str, waiting: Callable[[], bool], *, by_hand: bool) -> Iterator[Outcome]:
    """The runs of one job: one that was cut off, then what is due. Raises GivesWay where that is left for others."""
    job, state = keeping.read(root, name), keeping.state_of(root, name, mend=True)
    if not state.made:
        state.made = iso(world.clock())
        keeping.keep_state(root, name, state)
    _put_right(root, name, state, world.clock())
    if state.running is not None and (by_hand or not job.paused):
        if job.folders or job.fetches:
            durable.check_room(root, job.limits.free)  # before it counts as having gone on
        state.running.resume()
        if state.running.stuck < GIVEN_UP:
            yield _run(root, world, job, state, state.running, waiting)
        else:
            state.running.given_up = True
            state.running.errors.append(f"it was cut off {state.running.stuck} times and got no further: given up")
            yield _finish(root, world, job, state, state.running)
        if by_hand:
            return
    now = world.clock()
    if by_hand:
        started = keeping.free_start(root, name, now)
        report = Report(name, iso(now), started, by_hand=True, begun=now.isoformat())
        yield _run(root, world, job, state, report, waiting)
    elif not job.paused and (due := job.schedule.due(state.last(now), now)) is not None:
        if due.missed:
            missed, since = times(due.missed, "due time"), state.due or state.made
            _log.warning("%s: %s since %s missed; one run stands for all of them", name, missed, since)
        started = keeping.free_start(root, name, now)
        report = Report(name, iso(due.at), started, missed=due.missed, begun=now.isoformat())
        yield _run(root, world, job, state, report, waiting)


def _put_right(root: Path, name: str, state: State, now: datetime) -> None:
    """A clock that was ahead when something ran, and was put back since, must not hold the next runs up."""
    ahead = iso(now + timedelta(seconds=1))
    if max(state.due, state.made) > ahead:
        _log.warning("%s: the clock was put back since its last run, for %s", name, state.due or state.made)
        state.due = min(state.due, iso(now))
        state.made = min(state.made, iso(now))
        keeping.keep_state(root, name, state)


def _run(root: Path, world: World, job: Job, state: State, report: Report, waiting: Callable[[], bool]) -> Outcome:
    state.running, state.begun = report, iso(world.clock())
    keeping.keep_state(root, job.name, state)
    try:
        Run(root, job, state, report, world, waiting).go()
    except (*ENDS, sqlite3.Error) as e:
        report.gave_way += isinstance(e, GivesWay)
        report.reached = -1  # that it gets no further is not its own fault
        with suppress(StorageError):
            keeping.keep_state(root, job.name, state)
        _mark_cut_off(root)
        raise
    return _finish(root, world, job, state, report)


def _finish(root: Path, world: World, job: Job, state: State, report: Report) -> Outcome:
    report.finished = iso(world.clock())
    _carry_on(state, report)
    report.state = report.judge()
    path = keeping.keep_report(root, report)
    _remember(state, report)
    keeping.keep_state(root, job.name, state)
    return Outcome(job.name, report, path)


def _carry_on(state: State, report: Report) -> None:
    """What a source refused before counts on, until a page comes that had not come, or nothing is lacking."""
    for key, source in report.sources.items():
        if source.new or (source.pages and not source.lacking):
            source.refused = 0
        elif key in state.sources:
            source.refused += state.sources[key].refused


def _remember(state: State, report: Report) -> None:
    """What the next runs, and those who watch, have to know of this one."""
    state.running, state.stage, state.stage_size, state.taken = None, "", 0, {}
    if not report.by_hand:
        state.due = max(state.due, report.due)
    for key, source in report.sources.items():
        if source.kind != "revisit" and (source.tried or source.kind == "folder"):  # an empty folder is fine
            _remember_source(state.sources.setdefault(key, Seen(source.target)), source, report)
    for key in [key for key in state.sources if key not in report.sources and report.state == "done"]:
        del state.sources[key]  # it is no target any more
    state.past.append(keeping.past_of(report))
    if report.verified:
        state.findings = report.findings


def _remember_source(seen: Seen, source: Source, report: Report) -> None:
    seen.refused = source.refused
    if source.is_down:
        seen.failures += 1
        seen.error = source.trouble
        return
    if source.is_put_off:
        seen.error = source.trouble  # it is overdue where that lasts
        return
    seen.first = seen.first or seen.good or report.started
    seen.failures, seen.error, seen.good = 0, "", report.started
    if source.new or source.changed:
        if seen.new:
            seen.gaps = [*seen.gaps, (moment(report.started) - moment(seen.new)).total_seconds()][-keeping.MOST_PAST :]
        seen.new = report.started


def next_time(root: Path, now: datetime) -> datetime | None:
    """When there is something to do: a run, or a job that was never seen and whose time counts from then on; None
    where no job will run."""
    return min(_next_times(root, now), default=None)


def _next_times(root: Path, now: datetime, but: Collection[str] = ()) -> Iterator[datetime]:
    for name in keeping.names(root):
        if name in but:
            continue
        try:
            job, state = keeping.read(root, name), keeping.state_of(root, name)
        except UsageError:
            continue
        if not job.paused:
            yield now if state.running or not state.made else job.schedule.next_run(state.last(now), now)


def run_forever(
    root: Path,
    world: World,
    do: Callable[[], bool],
    *,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Calls `do`, which runs what is due and looks how everything is, whenever something is due and every five minutes,
    until it is stopped. Files that were changed, and a clock that jumped, are noticed within LONGEST_SLEEP seconds.
    After a `do` that says it could not, that long is waited: for room on the disk, or for whoever writes to the
    archive."""
    looked = world.clock()
    while not world.stopped():
        now = world.clock()
        coming = next_time(root, now)
        if (coming is not None and coming <= now) or abs(now - looked) >= LOOK_EVERY:
            looked = now
            if not do():
                sleep(LONGEST_SLEEP)
            coming = next_time(root, world.clock())
        now = world.clock()
        left = LONGEST_SLEEP if coming is None else min(LONGEST_SLEEP, (coming - now).total_seconds())
        sleep(max(left, 0.05))
