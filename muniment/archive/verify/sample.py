"""A part of the records in each run, until all were read: `verify --sample`."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any

from muniment.archive import fixity
from muniment.archive.verify.part import Part
from muniment.formats.warc import format_date

_SAVED_EVERY = 30.0  # seconds: what a kill may cost


class Sample:
    """One run: the `ranges` to read, `note` for each part that was read, then `finish`."""

    def __init__(self, root: Path, size: int, share: float | None, leaves: int | None, now: datetime):
        """`size` leaves are in the log; a `share` of them (0 to 1), or so many `leaves`, are to be read."""
        self._root, self._now = root, format_date(now)
        self._cycle = fixity.load(root, self._now)
        self._count = max(1, leaves if leaves is not None else -int(-size * (share or 0) // 1))
        self.ranges = self._cycle.take(size, self._count, self._now)
        self._saved = time.monotonic()

    def note(self, part: Part) -> None:
        damaged = {finding.snapshot for finding in part.findings if finding.snapshot is not None}
        if any(finding.snapshot is None for finding in part.findings):
            damaged.add(part.first)
        self._cycle.note(part.first, part.end, self._now, damaged)
        if time.monotonic() - self._saved > _SAVED_EVERY:
            self.finish()

    def finish(self) -> None:
        """Raises StorageError."""
        fixity.save(self._root, self._cycle)
        self._saved = time.monotonic()

    def state(self) -> dict[str, Any]:
        """Where the cycle stands, which goes through what was there when it began: `part` of `parts`, since when, and
        since when all of that was read."""
        size = self._cycle.size
        done, oldest = self._cycle.done(size), self._cycle.oldest(size)
        parts = -(-size // self._count) or 1
        part = parts if done >= size else min(done // self._count, parts - 1)
        days = None
        if oldest:
            days = (datetime.fromisoformat(self._now) - datetime.fromisoformat(oldest)).days + 1
        return {
            "part": part,
            "parts": parts,
            "begun": self._cycle.begun,
            "leaves_read": done,
            "leaves": size,
            "everything_within_days": days,
            "again": list(self._cycle.again),
        }
