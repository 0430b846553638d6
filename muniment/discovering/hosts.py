"""Whose turn it is among hosts, so that nothing is sent to wait for its turn while other hosts have time.

A run begins with one host after the other, `APART` seconds from the first to the next: many names may stand for one
machine, and a lookup and a connection to each of hundreds in the same instant would be a burst for it, for the
resolver, and for our own line. That also spreads what follows, since each host is then asked in its own rhythm.

Hosts stand in line, one line for listings and one for pages, and a step costs about the same however many do.
"""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from muniment.ingest.fetch import Fetcher

APART = 0.02
LEAD = 0.2  # seconds that something is sent before its turn, and waits there: whoever sends is busy now and then
_AGAIN = 0.1  # seconds after which to look again at a host where something else is at it: a redirect from elsewhere


class Turn(NamedTuple):
    """A host that may be asked, for a listing or for a page."""

    host: str
    listing: bool


@dataclass(slots=True)
class _Line:
    """Hosts of which something of one kind is wanted, each in one of these.

    `new` ones were never asked; `ready` are (turn, host), and may be asked; `resting` are (until when on the monotonic
    clock, host); at `busy` ones as much is under way as may be.
    """

    new: OrderedDict[str, None] = field(default_factory=OrderedDict)
    ready: list[tuple[int, str]] = field(default_factory=list)
    resting: list[tuple[float, str]] = field(default_factory=list)
    busy: set[str] = field(default_factory=set)


class Hosts:
    """The hosts of one run: at which of them something is under way, and when the others may be asked again."""

    def __init__(self, fetcher: Fetcher):
        self._fetcher, self._per_host = fetcher, fetcher.policy.per_host
        self._under_way: Counter[str] = Counter()
        self._begun: set[str] = set()
        self._next_first = 0.0
        self._turns: dict[str, int] = {}  # the lowest is the next
        self._numbers = count()
        self._lines = {True: _Line(), False: _Line()}  # of listings, of pages

    def join(self, arrived: Iterable[tuple[str, bool]]) -> None:
        """Something is wanted of these hosts, which are in no line for it: of each, a listing or a page."""
        for host, listing in arrived:
            if host not in self._turns:
                self.had_turn(host)
            self._stand(self._lines[listing], host)

    def next(self, *, listings: bool) -> Turn | None:
        """Who may be asked now, and waited for that the longest. Without `listings`, for a page."""
        heads = ((self._head(self._lines[kind]), kind) for kind in _kinds(listings))
        first = min(((self._turns[host], not kind, host) for host, kind in heads if host is not None), default=None)
        return Turn(first[2], not first[1]) if first is not None else None

    def soonest(self, *, listings: bool) -> tuple[float, Turn | None]:
        """In how many seconds somebody may be asked where nobody may now, and who: nobody, and never, where something
        has to end before."""
        at, host, kind = min((*_soonest(self._lines[kind], self._next_first), kind) for kind in _kinds(listings))
        return max(0.0, at - time.monotonic()), Turn(host, kind) if host else None

    def leave(self, turn: Turn) -> None:
        """It is asked, for `next` or `soonest` named it."""
        line = self._lines[turn.listing]
        if turn.host in line.new:
            del line.new[turn.host]
        elif line.ready and line.ready[0][1] == turn.host:
            heappop(line.ready)
        else:
            heappop(line.resting)

    def had_turn(self, host: str) -> None:
        """It is the last in line from now on."""
        self._turns[host] = next(self._numbers)

    def begin(self, host: str, *, rules: bool = False) -> None:
        """It is asked. Who is asked for its `rules` keeps its place: else nobody's page would have its turn before the
        rules of every host are known."""
        if not rules:
            self.had_turn(host)
        self._under_way[host] += 1
        if host not in self._begun:
            self._begun.add(host)
            self._next_first = time.monotonic() + APART
            for line in self._lines.values():
                if host in line.new:
                    del line.new[host]
                    self._stand(line, host)

    def end(self, host: str) -> None:
        self._under_way[host] -= 1
        for line in self._lines.values():
            if host in line.busy:
                line.busy.discard(host)
                self._stand(line, host)

    def _stand(self, line: _Line, host: str) -> None:
        free_at = self._free_at(host)
        if free_at == math.inf:
            line.busy.add(host)
        elif free_at > time.monotonic():
            heappush(line.resting, (free_at, host))
        elif host in self._begun:
            heappush(line.ready, (self._turns[host], host))
        else:
            line.new[host] = None

    def _head(self, line: _Line) -> str | None:
        """The first in line of those that may be asked."""
        while line.resting and line.resting[0][0] <= time.monotonic():
            self._stand(line, heappop(line.resting)[1])
        while line.ready:
            turn, host = line.ready[0]
            if turn == self._turns[host] and self._free_at(host) <= time.monotonic():
                break
            heappop(line.ready)  # it had a turn in the other line
            self._stand(line, host)
        heads = [line.ready[0][1]] if line.ready else []
        if self._next_first <= time.monotonic():
            heads.extend(self._new(line))
        return min(heads, key=self._turns.__getitem__, default=None)

    def _new(self, line: _Line) -> Iterator[str]:
        """The first in line of those that were never asked; an earlier run may have asked it just now."""
        while line.new:
            host = next(iter(line.new))
            if self._free_at(host) <= time.monotonic():
                yield host
                return
            del line.new[host]
            self._stand(line, host)

    def _free_at(self, host: str) -> float:
        """When it may be asked, on the monotonic clock; infinite where something has to end before."""
        if self._under_way[host] >= self._per_host:
            return math.inf
        ready = self._fetcher.ready_in(host)
        return time.monotonic() + (ready - LEAD if ready < math.inf else _AGAIN)


def _kinds(listings: bool) -> tuple[bool, ...]:
    return (True, False) if listings else (False,)


def _soonest(line: _Line, next_first: float) -> tuple[float, str]:
    """Who of a line may be asked first of those who may not be asked yet, and when."""
    rested = line.resting[0] if line.resting else (math.inf, "")
    return min(rested, (next_first, next(iter(line.new)))) if line.new else rested
