"""Which hosts may be asked now, so that nothing is sent to wait for its turn while other hosts have time.

A run begins with one host after the other, `APART` seconds from the first to the next: many names may stand for one
machine, and a lookup and a connection to each of hundreds in the same instant would be a burst for it, for the
resolver, and for our own line. That also spreads what follows, since each host is then asked in its own rhythm.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from muniment.ingest.fetch import Fetcher

APART = 0.02
LEAD = 0.2  # seconds that something is sent before its turn, and waits there: whoever sends is busy now and then
_AGAIN = 0.1  # seconds after which to look again at a host where something else is at it: a redirect from elsewhere


class Soonest(NamedTuple):
    """The host that may be asked first, and in how many seconds; infinite where something has to end before."""

    host: str
    seconds: float


class Hosts:
    """The hosts of one run: at which of them something is under way, and when the others may be asked again."""

    def __init__(self, fetcher: Fetcher):
        self._fetcher, self._per_host = fetcher, fetcher.policy.per_host
        self._under_way: Counter[str] = Counter()
        self._begun: set[str] = set()
        self._rests: dict[str, float] = {}  # until when at least, on the monotonic clock
        self._next_first = 0.0

    def is_free(self, host: str) -> bool:
        if self._free_at(host) > time.monotonic():
            return False
        self._look(host)
        return self._free_at(host) <= time.monotonic()

    def soonest(self, hosts: Iterable[str]) -> Soonest:
        """Which of these may be asked first."""
        at, host = min(((self._free_at(host), host) for host in hosts), default=(math.inf, ""))
        return Soonest(host, max(0.0, at - time.monotonic()))

    def begin(self, host: str) -> None:
        if host not in self._begun:
            self._begun.add(host)
            self._next_first = time.monotonic() + APART
        self._under_way[host] += 1

    def end(self, host: str) -> None:
        self._under_way[host] -= 1
        self._look(host)

    def _look(self, host: str) -> None:
        ready = self._fetcher.ready_in(host)
        if ready > LEAD:
            self._rests[host] = time.monotonic() + (ready - LEAD if ready < math.inf else _AGAIN)

    def _free_at(self, host: str) -> float:
        if self._under_way[host] >= self._per_host:
            return math.inf
        rests = self._rests.get(host, 0.0)
        return rests if host in self._begun else max(rests, self._next_first)
