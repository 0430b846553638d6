"""Watched folders: which of their files are new, or other than they were, and the stage of a run that adds these."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muniment import durable, pipeline
from muniment.archive.archive import Archive
from muniment.errors import UsageError
from muniment.jobs.keeping import files_of
from muniment.jobs.kept import Damaged, fitted, read_kept
from muniment.jobs.places import problem_of_folder
from muniment.jobs.report import Source
from muniment.model import Declared

if TYPE_CHECKING:
    from muniment.ingest.upload import Target
    from muniment.jobs.running import Run

_MOST_NOTES = 100
_MOST_TAKEN = 1000  # files in a state that is written every second
SETTLED = 5.0  # seconds for which a file must not have changed


class Watched:
    """The files of a folder, and which of them were taken in as they are now: by size and time of change.

    `taken` are those of a run under way, by path; who counts them keeps them too, in the same step. `read` are the
    bytes of those that were done.
    """

    def __init__(self, root: Path, job: str, folder: str, taken: dict[str, list[int]]):
        self._path = files_of(root, job)
        self._root = root
        self._folder = folder
        self._taken = taken
        self._pending: dict[str, tuple[str, list[int]]] = {}
        self.read = 0
        try:
            self._all = fitted(dict[str, dict[str, list[int]]], read_kept(self._path))
        except (OSError, Damaged):  # then everything is looked at again, and found unchanged
            self._all = {}
        self._known = dict(self._all.get(folder, {}))

    def new(
        self, declared: Declared, source: Source, notes: list[str], is_over: Callable[[], object]
    ) -> Iterator[Target]:
        """What is new or other than it was, until it `is_over`; what is still being written waits for the next run. A
        link that leads out of the folder is never followed, which is no failure: `notes` say so."""
        from muniment.ingest.upload import MAX_UPLOAD, OUTSIDE, expand

        there = set()
        place = self._root / self._folder
        for target in expand([str(place)], declared, io.BytesIO(), MAX_UPLOAD):
            if is_over():
                return
            if target.reason == OUTSIDE:
                source.skipped += 1
                note = f"passed over {target.name}: {target.problem}"
                if len(notes) < _MOST_NOTES and note not in notes:
                    notes.append(note)
                continue
            if target.path is None:
                yield target
                continue
            name = str(
                Path(self._folder, target.path.relative_to(place))
            )  # as seen from the archive, which may be moved
            there.add(name)
            try:
                found = target.path.stat()
            except OSError:
                yield target  # reading it says what is wrong
                continue
            mark = [found.st_size, found.st_mtime_ns]
            if mark in (self._known.get(name), self._taken.get(name)):
                continue
            if abs(time.time() - found.st_mtime) < SETTLED:
                source.skipped += 1
                continue
            self._pending[target.name] = name, mark
            yield target
        self._known = {name: mark for name, mark in self._known.items() if name in there}

    def reached(self, shown: str) -> bool:
        """Something of the file that is told as `shown` is stored; returns whether those before it are done with that.
        A file may hold many ("mail.mbox #3"), and is done when all of them are stored."""
        if not self._pending or _is_of(shown, next(iter(self._pending))):
            return False
        if not any(_is_of(shown, name) for name in self._pending):
            return False
        while not _is_of(shown, first := next(iter(self._pending))):
            path, mark = self._pending.pop(first)
            self._taken[path] = mark
            self.read += mark[0]
        return True

    def end(self) -> None:
        """Everything is stored."""
        self._taken.update(self._pending.values())
        self.read += sum(mark[0] for _, mark in self._pending.values())
        self._pending.clear()

    def keep(self) -> None:
        """Raises StorageError."""
        self._known.update(self._taken)
        self._all[self._folder] = self._known
        durable.replace(self._path, json.dumps(self._all).encode() + b"\n")


def take_in(run: Run, archive: Archive) -> None:
    """The stage of a run that adds what is new in its job's folders."""
    for folder in run.job.folders:
        source = run.report.source("folder", folder)
        source.skipped = 0  # of a run that goes on, they are met again
        if (problem := problem_of_folder(run.root, folder)) is not None:
            if not source.tried:
                source.tried += 1
                source.count_failure("no-folder", problem)
            continue
        _folder(run, archive, folder, source)
        run.give_way()


def _folder(run: Run, archive: Archive, folder: str, source: Source) -> None:
    """Files are counted when they are done, in the step that keeps that they are."""
    watched = Watched(run.root, run.job.name, folder, run.state.taken)
    pending = Source(folder, source.kind)
    files = watched.new(run.declared(), source, run.report.notes, run.is_to_give_way)
    before = source.bytes
    if (first := next(files, None)) is None:
        watched.keep()
        return
    with closing(pipeline.add(archive, chain((first,), files), _no_fetcher, run.options())) as results:
        for added in results:
            if watched.reached(added.target):
                source.add(pending)
                source.bytes, pending = before + watched.read, Source(folder, source.kind)
                run.keep()
            if len(run.state.taken) >= _MOST_TAKEN:
                run.keep(now=True)
                watched.keep()
                run.state.taken.clear()
            run.take(archive, added, pending)
    watched.end()
    source.add(pending)
    source.bytes = before + watched.read
    run.keep(now=True)
    watched.keep()


def _no_fetcher() -> Any:
    raise UsageError("a watched folder holds files, and no addresses")


def _is_of(shown: str, name: str) -> bool:
    return shown == name or shown.startswith((f"{name} #", f"{name}: "))
