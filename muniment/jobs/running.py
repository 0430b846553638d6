"""One run of a job: its targets one after the other, on the ways that the commands take, counted in a report.

    folders -> feeds, sitemaps, crawls -> urls, lists and what is due to be looked at again -> verify -> searches
    -> stamp -> export

A run that was cut off goes on: what is in `report.done` is not begun again, and no page that was looked at since the
run began is asked for again. What keeps one part from being done is told in the report, and the others go on; but a
full disk, and an archive that another process writes to for long, end the run, which then goes on when it is called
again; and so does that other jobs are due, once it has been at it for long.
"""

from __future__ import annotations

import base64
import errno
import logging
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from muniment import durable
from muniment.archive.archive import Archive
from muniment.archive.proving import newest_commit
from muniment.archive.tables.layout import problem_of
from muniment.errors import Locked, MunimentError, StorageError
from muniment.jobs import keeping, upkeep, watched
from muniment.jobs.counting import count_item
from muniment.jobs.fetching import Fetching
from muniment.jobs.job import Job
from muniment.jobs.keeping import State
from muniment.jobs.pool import Pool
from muniment.jobs.report import Report, Source
from muniment.model import Declared

if TYPE_CHECKING:
    from muniment.adding import Added, AddOptions
    from muniment.discovering.plan import Command
    from muniment.ingest.clean.workers import Workers
    from muniment.ingest.fetch import Fetcher
    from muniment.ingest.policy import FetchPolicy

_log = logging.getLogger(__name__)

LOCK_WAIT = 600.0
_KEPT_EVERY = 1.0
_LOOK_EVERY = 5.0  # seconds, whether other jobs wait
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
_KEPT_SHARE = 30  # at least so many times as long as it takes, which is long where there are 500 feeds
_KINDS = {"feed": ("feed",), "sitemap": ("sitemap",), "crawl": ("crawl",), "pages": ("url", "list", "revisit")}


class GivesWay(MunimentError):
    """Other jobs are due, and the run has been at it for long: it goes on behind them."""


ENDS = (Locked, StorageError, GivesWay)  # what ends a run, so that it goes on when it is called again


def _fetcher(policy: FetchPolicy) -> Fetcher:
    from muniment.ingest.fetch import Fetcher

    return Fetcher(policy)


@dataclass(frozen=True, slots=True)
class World:
    """What a run needs of the world: the clock, how to fetch, the processes that clean (`workers`, or those of a
    `pool`; else as many of its own as `processes` says), whom to tell of each item, and after how many seconds a run
    gives way to other jobs that are due."""

    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    fetcher: Callable[[FetchPolicy], Fetcher] = _fetcher
    workers: Workers | None = None
    processes: int | None = None
    told: Callable[[Added], object] = lambda added: None
    stopped: Callable[[], bool] = lambda: False
    wait: float = LOCK_WAIT
    pool: Pool | None = None
    stint: float = 600.0


@dataclass(slots=True)
class Run:
    """A run under way. `keep` puts what is known so far on the disk; `do_others_wait` says whether other
    jobs are due."""

    root: Path
    job: Job
    state: State
    report: Report
    world: World
    do_others_wait: Callable[[], bool] = lambda: False
    _next_kept: float = 0.0
    _begun: float = 0.0
    _next_look: float = 0.0
    _gives_way: bool = False
    hosts: set[str] = field(default_factory=set)

    def go(self) -> None:
        """Raises Locked, StorageError and GivesWay, whereupon it can be called again; the report says all else."""
        self._begun = time.monotonic() - self.report.seconds
        self._next_look = time.monotonic() + self.world.stint
        self.hosts = set(self.state.hosts)
        try:
            with ExitStack() as opened:
                archive = opened.enter_context(Archive(self.root, wait=self.world.wait))
                for name, stage in self._stages(archive, opened):
                    if name not in self.report.done:
                        self.give_way()
                        self._enter(name, archive)
                        self._go_through(name, stage)
                        self.end(name)
                self._close(archive)
        except ENDS:
            raise
        except MunimentError as e:  # the archive cannot be opened
            self.error(str(e))
        finally:
            self.report.seconds = self.elapsed

    @property
    def elapsed(self) -> float:
        """Seconds that the run took so far, before it was cut off too."""
        return round(time.monotonic() - self._begun, 1)

    @property
    def is_resumed(self) -> bool:
        """Whether the stage it is at was begun before it was cut off."""
        return bool(self.report.resumed)

    def over(self) -> str:
        """Why nothing more is to be asked for; nothing as long as it may."""
        most = self.job.limits.time
        if most is not None and self.elapsed >= most.total_seconds():
            return "the time for this run is over"
        return "other jobs are due" if self.is_to_give_way() else ""

    def is_to_give_way(self) -> bool:
        """Whether it has been at it for long, and other jobs are due."""
        if not self._gives_way and time.monotonic() >= self._next_look:
            self._gives_way = self.do_others_wait()
            self._next_look = time.monotonic() + _LOOK_EVERY
        return self._gives_way

    def give_way(self) -> None:
        """What was begun is stored and counted. Raises GivesWay where it is to give way."""
        if self.is_to_give_way():
            raise GivesWay("other jobs are due")

    def error(self, text: str) -> None:
        if text not in self.report.errors:
            self.report.errors.append(text)

    def note(self, text: str) -> None:
        if text not in self.report.notes:
            self.report.notes.append(text)

    def _enter(self, name: str, archive: Archive) -> None:
        """What a stage counted before it was cut off is counted anew, from what it keeps itself."""
        if self.state.stage == name:
            if self.state.is_off:
                archive.refresh()
                self.state.breaks.append(archive.size)
                self.keep(now=True)
            for key, source in self.report.sources.items():
                if source.kind in _KINDS.get(name, ()):
                    self.report.sources[key] = Source(source.target, source.kind)
            return
        archive.refresh()
        self.state.stage, self.state.stage_size, self.state.taken, self.state.breaks = name, archive.size, {}, []
        self.keep(now=True)

    def own(self) -> tuple[range, ...]:
        """The leaves that it may have stored in its stage, the newest first: while it was cut off, others ran, and may
        have stored the same pages."""
        since, found = self.state.stage_size, list[range]()
        for cut_off, went_on in zip(self.state.breaks[::2], self.state.breaks[1::2], strict=False):
            found.append(range(since, cut_off))
            since = went_on
        return (range(since, sys.maxsize), *reversed(found))

    def _go_through(self, name: str, stage: Callable[[], None]) -> None:
        try:
            stage()
        except ENDS:
            raise
        except MunimentError as e:
            self._could_not(name, str(e))
        except sqlite3.Error as e:
            if isinstance(found := problem_of(e), (Locked, StorageError)):
                raise found from e
            self._could_not(name, str(found))
        except OSError as e:
            if e.errno in _DISK:
                raise durable.storage_error("write for", name, e) from e
            self._could_not(name, str(e))
        except Exception as e:  # noqa: BLE001 - a fault of ours must not keep the rest from being done
            _log.debug("%s", name, exc_info=True)
            self._could_not(name, f"internal error, please report it: {type(e).__name__}: {e}")

    def _could_not(self, name: str, why: str) -> None:
        self.error(f"{name}: {why}")
        self.report.undone.append(name)

    def end(self, name: str) -> None:
        if name not in self.report.done:
            self.report.done.append(name)
            self.state.stage, self.state.taken = "", {}
            self.keep(now=True)

    def _stages(self, archive: Archive, opened: ExitStack) -> Iterator[tuple[str, Callable[[], None]]]:
        job = self.job
        if job.folders:
            yield "folders", lambda: watched.take_in(self, archive)
        if job.fetches:
            fetching = Fetching(self, archive, opened)
            commands: tuple[tuple[Command, Sequence[str]], ...] = (
                ("feed", job.feeds), ("sitemap", job.sitemaps), ("crawl", job.crawls),
            )  # fmt: skip
            for command, starts in commands:
                if starts:
                    yield command, lambda command=command, starts=starts: fetching.discover(command, starts)  # type: ignore[misc]  # mypy cannot type defaults of a lambda
            if job.urls or job.lists or job.revisit:
                yield "pages", fetching.pages
        if job.verify is not None:
            yield "verify", lambda: upkeep.verify(self, archive)
        if job.searches:
            yield "searches", lambda: upkeep.searches(self, archive)
        if job.stamp:
            yield "stamp", lambda: upkeep.stamp(self, archive)
        if job.export is not None:
            yield "export", lambda: upkeep.export(self, archive)

    # ---- counting

    def take(self, archive: Archive, added: Added, source: Source) -> None:
        """Counts what became of one item, and tells it."""
        count_item(self, archive, added, source)
        self.world.told(added)
        self.keep()

    def keep(self, *, now: bool = False) -> None:
        """What a kill would lose of the report: little more than a second of counting."""
        begun = time.monotonic()
        if now or begun >= self._next_kept:
            self.state.hosts = sorted(self.hosts)
            self.report.seconds = self.elapsed
            self.state.running = self.report
            keeping.keep_state(self.root, self.job.name, self.state)
            ended = time.monotonic()
            self._next_kept = ended + max(_KEPT_EVERY, _KEPT_SHARE * (ended - begun))

    def _close(self, archive: Archive) -> None:
        """The checkpoint is signed: with it a report is evidence of its own."""
        newest = newest_commit(self.root / "log", archive.config.keys())
        self.report.log_size, self.report.checkpoint = newest.checkpoint.size, newest.note
        self.report.root = base64.b64encode(newest.checkpoint.root).decode()

    # ---- what needs no network

    def options(self) -> AddOptions:
        from muniment.adding import AddOptions

        world = self.world
        workers = world.pool.get() if world.pool is not None and world.workers is None else world.workers
        return AddOptions(
            world.processes, wait=world.wait, clock=world.clock, workers=workers,
            least_free=self.job.limits.free,
        )  # fmt: skip

    def declared(self) -> Declared:
        from muniment.ingest.upload import declared_of

        return declared_of(Declared(source=self.job.source, tags=self.job.tags))
