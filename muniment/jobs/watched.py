"""Watched folders: which of their files are new, or other than they were."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from muniment import durable
from muniment.jobs.keeping import files_of
from muniment.jobs.report import Source
from muniment.model import Declared

if TYPE_CHECKING:
    from muniment.ingest.upload import Target

SETTLED = 5.0  # seconds for which a file must not have changed


class Watched:
    """The files of a folder, and which of them were taken in as they are now: by size and time of change."""

    def __init__(self, root: Path, job: str, folder: str):
        self._path = files_of(root, job)
        self._folder = folder
        self._known: dict[str, list[int]] = {}
        self._marks: dict[str, list[int]] = {}
        try:
            self._all: dict[str, dict[str, list[int]]] = json.loads(self._path.read_text())
            self._known = dict(self._all.get(folder, {}))
        except (OSError, ValueError, AttributeError):
            self._all = {}

    def new(self, declared: Declared, source: Source) -> Iterator[Target]:
        """What is new or other than it was; what is still being written waits for the next run."""
        from muniment.ingest.upload import MAX_UPLOAD, expand

        there = set()
        for target in expand([self._folder], declared, io.BytesIO(), MAX_UPLOAD):
            if target.path is None:
                yield target
                continue
            name = str(target.path)
            there.add(name)
            try:
                found = target.path.stat()
            except OSError:
                yield target  # reading it says what is wrong
                continue
            mark = [found.st_size, found.st_mtime_ns]
            if self._known.get(name) == mark:
                continue
            if abs(time.time() - found.st_mtime) < SETTLED:
                source.skipped += 1
                continue
            self._marks[name] = mark
            yield target
        self._known = {name: mark for name, mark in self._known.items() if name in there}

    def keep(self) -> None:
        """All that was new is taken in, or was refused: it is looked at again when it changes. Raises StorageError."""
        self._known |= self._marks
        self._all[self._folder] = self._known
        durable.replace(self._path, json.dumps(self._all).encode() + b"\n")
