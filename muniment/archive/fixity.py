"""What was read, and when: `fixity.json`, by which `verify --sample` goes through the whole archive, a part a run.

    {"fixity": 1, "begun": "2026-11-01T03:00:00Z", "size": 512, "again": [12],
     "read": [[0, 512, "2026-11-01T03:00:00Z"], …]}

`read` says of the leaves from a first up to an end when their records were read last; `again` names those that were
not as they should be, which each run looks at. A cycle is over when the leaves that were there when it `begun`, `size`
of them, were read since: however many come meanwhile, the next one begins. The file is nobody's evidence: whoever
removes it begins a new cycle.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from muniment.durable import replace
from muniment.formats.leaf import canonical_json
from muniment.regular import read_regular

FILE = "fixity.json"
_MAX_AGAIN = 10_000


class Span(NamedTuple):
    """The leaves from `first` up to `end`, and when their records were read (ISO; empty: never)."""

    first: int
    end: int
    at: str


@dataclass(slots=True)
class Cycle:
    """Where the sampling stands."""

    begun: str
    read: list[Span] = field(default_factory=list)
    again: list[int] = field(default_factory=list)
    size: int = 0

    def due(self, size: int) -> list[Span]:
        """What was not read in this cycle, the longest ago first, and first of all what was never read."""
        spans, at = list[Span](), 0
        for span in sorted(self.read):
            if at < min(span.first, size):
                spans.append(Span(at, min(span.first, size), ""))
            if span.at < self.begun and span.first < size:
                spans.append(Span(span.first, min(span.end, size), span.at))
            at = max(at, span.end)
        if at < size:
            spans.append(Span(at, size, ""))
        return sorted(spans, key=lambda span: (span.at, span.first))

    def take(self, size: int, count: int, now: str) -> list[tuple[int, int]]:
        """The next `count` leaves to read; a new cycle begins where this one is over."""
        self.size = min(self.size, size)
        if not self.due(self.size):
            self.begun, self.size = now, size
        due = self.due(size)
        new, old = [span for span in due if not span.at], [span for span in due if span.at]
        # However much is added between two runs, what was read long ago has its turn too.
        chosen = _first(new, count - min(count // 2, _length(old)))
        chosen += _first(old, count - sum(end - first for first, end in chosen))
        ranges = sorted(chosen)
        covered = {number for number in self.again if any(first <= number < end for first, end in ranges)}
        return ranges + [(number, number + 1) for number in self.again if number not in covered and number < size]

    def note(self, first: int, end: int, at: str, damaged: Iterable[int]) -> None:
        """These leaves' records were read."""
        kept = list[Span]()
        for span in self.read:
            if span.end <= first or end <= span.first:
                kept.append(span)
                continue
            if span.first < first:
                kept.append(span._replace(end=first))
            if span.end > end:
                kept.append(span._replace(first=end))
        joined = list[Span]()
        for span in sorted([*kept, Span(first, end, at)]):
            if joined and joined[-1].end == span.first and joined[-1].at == span.at:
                joined[-1] = joined[-1]._replace(end=span.end)
            else:
                joined.append(span)
        self.read = joined
        others = {number for number in self.again if not first <= number < end}
        self.again = sorted(others | set(damaged))[:_MAX_AGAIN]

    def done(self, size: int) -> int:
        """How many of the leaves were read in this cycle."""
        return size - _length(self.due(size))

    def oldest(self, size: int) -> str | None:
        """Since when everything was read at least once; None where something never was."""
        spans, at = [span for span in sorted(self.read) if span.first < size], 0
        for span in spans:
            if span.first > at:
                return None
            at = max(at, span.end)
        return min((span.at for span in spans), default=None) if at >= size else None


def _length(spans: Iterable[Span]) -> int:
    return sum(span.end - span.first for span in spans)


def _first(spans: Iterable[Span], count: int) -> list[tuple[int, int]]:
    """So many leaves of these, in their order."""
    chosen = list[tuple[int, int]]()
    for span in spans:
        if count <= 0:
            break
        end = min(span.end, span.first + count)
        chosen.append((span.first, end))
        count -= end - span.first
    return chosen


def load(root: Path, now: str) -> Cycle:
    """The state; a new one where there is none, or none that can be read."""
    try:
        fields = json.loads(read_regular(root / FILE))
        if fields["fixity"] != 1:
            return Cycle(now)
        spans = [Span(int(first), int(end), str(at)) for first, end, at in fields["read"]]
        if any(not 0 <= span.first < span.end for span in spans):
            return Cycle(now)
        again = [number for number in map(int, fields["again"]) if number >= 0]
        begun = min(str(fields["begun"]), now)  # a clock that was set back
        return Cycle(begun, spans, again[:_MAX_AGAIN], max(0, int(fields.get("size", 0))))
    except (OSError, ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return Cycle(now)


def save(root: Path, cycle: Cycle) -> None:
    """In one step: a kill leaves the state before or this one. Raises StorageError."""
    read = [list(span) for span in cycle.read]
    fields = {"fixity": 1, "begun": cycle.begun, "size": cycle.size, "again": cycle.again, "read": read}
    replace(root / FILE, canonical_json(fields) + b"\n")
