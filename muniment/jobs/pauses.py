"""Hosts that are to be left alone, from one process to the next: they asked for it, or failed again and again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muniment import durable
from muniment.errors import StorageError
from muniment.jobs.keeping import FOLDER
from muniment.jobs.kept import Time, fitted, read_kept
from muniment.jobs.report import moment

if TYPE_CHECKING:
    from muniment.ingest.fetch import Fetcher

_MOST = 10_000


class Pauses:
    """What a fetcher knows of hosts that are to be left alone, kept on the disk as it changes: a process that is killed
    must not ask them again."""

    def __init__(self, root: Path, fetcher: Fetcher, now: datetime):
        self._root, self._fetcher = root, fetcher
        fetcher.resume(read_pauses(root, now))
        self._kept = self._marks()

    def keep(self, now: datetime) -> None:
        """Nothing is written where no host began or ended to fail."""
        marks = self._marks()
        if marks != self._kept:
            keep_pauses(self._root, self._fetcher.pauses(), now)
            self._kept = marks

    def end(self, now: datetime) -> None:
        """The run is over: whoever asks next, of another job or in another process, keeps the distance all the same."""
        pauses = self._fetcher.pauses(turns=True)
        if pauses or self._kept:
            with suppress(StorageError):  # a full disk was told by what could not be stored
                keep_pauses(self._root, pauses, now)

    def _marks(self) -> dict[str, tuple[bool, int]]:
        return {host: (left > 0, failures) for host, (left, failures) in self._fetcher.pauses().items()}


def keep_pauses(root: Path, pauses: Mapping[str, tuple[float, int]], now: datetime) -> None:
    """The hosts that are to be left alone, for the next process: those for longest, where there are too many."""
    longest = sorted(pauses.items(), key=lambda pause: pause[1], reverse=True)[:_MOST]
    told = {host: [(now + timedelta(seconds=left)).isoformat(), failures] for host, (left, failures) in longest}
    durable.replace(_file(root), json.dumps(told).encode() + b"\n", sync=False)


def read_pauses(root: Path, now: datetime) -> dict[str, tuple[float, int]]:
    """For how many seconds yet hosts are left alone, and how often in a row they failed; none where unreadable."""
    try:
        told = fitted(dict[str, list[Any]], read_kept(_file(root)))
        pairs = {host: (fitted(Time, until), fitted(int, failures)) for host, (until, failures) in told.items()}
        return {
            host: (max(0.0, (moment(until) - now).total_seconds()), failures)
            for host, (until, failures) in pairs.items()
        }
    except (OSError, ValueError):
        return {}


def _file(root: Path) -> Path:
    return root / FOLDER / "state" / "hosts"
