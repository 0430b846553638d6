"""The processes that clean, for all the runs of a call: they take a second of two cores to start."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from muniment.ingest.clean.workers import Workers

IDLE = 20.0  # seconds without work for which they are kept


class Pool:
    """Started when they are first wanted; `rest` ends them, until they are wanted again. `count`: one a core where it
    is None."""

    def __init__(self, count: int | None = None):
        self._count = count
        self._workers: Workers | None = None
        self._lock = threading.Lock()

    def get(self) -> Workers:
        from muniment.ingest.clean.workers import Workers

        with self._lock:
            if self._workers is None:
                self._workers = Workers(self._count)
            return self._workers

    def rest(self, seconds: float = IDLE) -> None:
        """There is nothing to do for so long."""
        with self._lock:
            if self._workers is not None and seconds >= IDLE:
                self._workers.close()
                self._workers = None

    def close(self) -> None:
        self.rest()
