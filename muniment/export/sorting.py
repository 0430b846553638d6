"""Lines sorted on disk, so that an index of any length is never held whole."""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import BinaryIO

_HELD = 50_000


class SortedLines:
    """Takes lines, each with its line end, and gives them back in the order of their bytes."""

    def __init__(self, held: int = _HELD):
        self._limit = held
        self._held: list[bytes] = []
        self._runs: list[BinaryIO] = []
        self._files = ExitStack()

    def __enter__(self) -> SortedLines:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._files.close()

    def add(self, line: bytes) -> None:
        self._held.append(line)
        if len(self._held) >= self._limit:
            run = self._files.enter_context(tempfile.TemporaryFile(prefix="muniment-"))  # noqa: SIM115 - closed by exit
            run.writelines(sorted(self._held))
            self._runs.append(run)
            self._held.clear()

    def __iter__(self) -> Iterator[bytes]:
        for run in self._runs:
            run.seek(0)
        return heapq.merge(sorted(self._held), *self._runs)
