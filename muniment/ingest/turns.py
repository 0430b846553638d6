"""Manners towards each host: how many connections at a time, how far apart, and for how long none at all.

The distance between two requests is the greatest of three: what the policy says, what robots.txt asks for
(`Crawl-delay`), and, where the policy is adaptive, as long as the host took to answer lately. It lies between the end
of a request and the beginning of the next: what lies between two beginnings is shorter in the host's eyes than in ours
whenever the first of them was late to leave. A host that asks for patience (429 or 5xx with `Retry-After`) is left
alone by every thread; so is one that failed several times in a row, for longer and longer, where the policy has a
breaker.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

_HOSTS_KEPT = 1024
_WEIGHT = 0.5  # of the newest answer among those before it
_FIRST_STEP = 1.0  # seconds that a host in distress is given at least
_LONGEST_PAUSE = 7 * 86_400.0  # seconds: a host that asks for more is asked once a week
_MOMENT = 0.1  # seconds that lie between two runs anyhow
_FIRST_BREAK, _LONGEST_BREAK = 60.0, 86_400.0  # seconds that a host is left alone which failed again and again


@dataclass(slots=True)
class _Host:
    """How one host is treated; times are on the monotonic clock, distances in seconds."""

    slots: threading.Semaphore
    next_turn: float = 0.0
    paused_until: float = 0.0
    asked_for: float = 0.0
    adapted: float = 0.0
    failures: int = 0
    users: int = 0


def _left(host: _Host, now: float, *, turns: bool) -> float:
    """For how many seconds yet nobody is to ask; a host that failed is not told from one that asks for patience."""
    turn = host.next_turn - now if turns and not host.failures else 0.0
    return max(0.0, host.paused_until - now, turn if turn > _MOMENT else 0.0)


class Turns:
    """The turns of all hosts, shared by threads.

    `delay` seconds lie between two requests at least, `adaptive` times what an answer took, and at most `longest`,
    whatever robots.txt asks for. After `breaker` failures in a row a host is left alone (0: it is not).
    """

    def __init__(
        self,
        per_host: int,
        delay: float,
        adaptive: float,
        longest: float,
        sleep: Callable[[float], object],
        breaker: int = 0,
    ) -> None:
        self._per_host, self._delay, self._adaptive, self._longest = per_host, delay, adaptive, longest
        self._sleep, self._breaker = sleep, breaker
        self._lock = threading.Lock()
        self._hosts: dict[str, _Host] = {}
        self._most = _HOSTS_KEPT

    @contextmanager
    def take(self, name: str, *, again: bool = False) -> Iterator[float]:
        """Waits for a turn at this host, which lasts as long as the context; gives the seconds that were waited.

        `again` is for whoever has waited out the pause that the host asked for.
        """
        begun = time.monotonic()
        host = self._enter(name)
        try:
            with host.slots:
                self._keep_distance(host, again=again)
                try:
                    yield time.monotonic() - begun
                finally:
                    with self._lock:
                        host.next_turn = max(host.next_turn, time.monotonic() + self._distance(host))
        finally:
            with self._lock:
                host.users -= 1

    def ready_in(self, name: str, patience: float) -> float:
        """Seconds until this host may be asked; infinite while as many as may are at it, or wait for it. Where it is to
        be left alone for more than `patience`, nobody will wait for that: 0."""
        with self._lock:
            host = self._hosts.get(name)
            if host is None:
                return 0.0
            if host.users >= self._per_host:
                return math.inf
            now = time.monotonic()
            if host.paused_until - now > patience:
                return 0.0
            return max(0.0, host.next_turn - now, host.paused_until - now)

    def crawl_delay(self, name: str, seconds: float) -> None:
        """robots.txt asks for this distance."""
        with self._lock:
            self._host(name).asked_for = min(seconds, self._longest)

    def answered(self, name: str, seconds: float, *, distress: bool = False, failed: bool = False) -> None:
        """The host took so long to answer; in `distress` it could not, and the distance doubles. Where it `failed`
        (in distress, or with an error of the server's), that counts for the breaker."""
        with self._lock:
            host = self._host(name)
            host.failures = host.failures + 1 if failed or distress else 0
            if self._breaker and host.failures >= self._breaker:
                length = min(_FIRST_BREAK * 2.0 ** min(host.failures - self._breaker, 20), _LONGEST_BREAK)
                host.paused_until = max(host.paused_until, time.monotonic() + length)
            if self._adaptive <= 0:
                return
            if distress:
                host.adapted = max(_FIRST_STEP, 2 * host.adapted)
            else:
                host.adapted += _WEIGHT * (seconds * self._adaptive - host.adapted)
            host.adapted = min(host.adapted, self._longest)
            host.next_turn = max(host.next_turn, time.monotonic() + host.adapted)

    def pause(self, name: str, seconds: float) -> None:
        """The host asks to be left alone for so long."""
        with self._lock:
            host = self._host(name)
            host.paused_until = max(host.paused_until, time.monotonic() + min(seconds, _LONGEST_PAUSE))

    def paused(self, name: str) -> float:
        """For how many seconds yet the host is to be left alone."""
        with self._lock:
            host = self._hosts.get(name)
            return max(0.0, host.paused_until - time.monotonic()) if host else 0.0

    def pauses(self, *, turns: bool = False) -> dict[str, tuple[float, int]]:
        """The hosts that are left alone, or failed last: for how many seconds yet, and how often in a row. With `turns`
        also those whose next turn is yet to come, but for moments."""
        with self._lock:
            now = time.monotonic()
            told = {name: (_left(host, now, turns=turns), host.failures) for name, host in self._hosts.items()}
            return {name: (left, failures) for name, (left, failures) in told.items() if left or failures}

    def resume(self, pauses: Mapping[str, tuple[float, int]]) -> None:
        """What `pauses` told in an earlier process."""
        with self._lock:
            for name, (left, failures) in pauses.items():
                host = self._host(name)
                if failures:
                    host.paused_until, host.failures = time.monotonic() + min(left, _LONGEST_PAUSE), failures
                else:  # it answered last, and only its turn is yet to come, at this policy's distance
                    host.next_turn = time.monotonic() + min(left, self._delay)

    def _enter(self, name: str) -> _Host:
        with self._lock:
            if len(self._hosts) >= self._most:
                now = time.monotonic()
                self._hosts = {
                    n: h
                    for n, h in self._hosts.items()
                    if h.users or h.failures or max(h.next_turn, h.paused_until) > now
                }
                self._most = max(_HOSTS_KEPT, 2 * len(self._hosts))
            host = self._host(name)
            host.users += 1
            return host

    def _host(self, name: str) -> _Host:
        return self._hosts.setdefault(name, _Host(threading.Semaphore(self._per_host)))

    def _keep_distance(self, host: _Host, *, again: bool) -> None:
        with self._lock:
            now = time.monotonic()
            turn = max(now, host.next_turn, 0.0 if again else host.paused_until)
            host.next_turn = turn + self._distance(host)
        if turn > now:
            self._sleep(turn - now)

    def _distance(self, host: _Host) -> float:
        return max(self._delay, host.asked_for, host.adapted)
