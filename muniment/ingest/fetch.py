"""URL to captures: redirects, retries, limits and manners around one guarded transport.

START HERE: `Fetcher(FetchPolicy()).fetch(url)`. Each hop is normalised, asked for in robots.txt, looked up
once, checked, connected to at the checked address, and kept as the bytes that crossed the wire.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from muniment import __version__
from muniment.errors import FetchError
from muniment.ingest.address import Lookup, look_up, resolve
from muniment.ingest.http import Exchange, Held, StoredResponse, get_request, retry_after
from muniment.ingest.policy import FetchPolicy
from muniment.ingest.robots import MAX_REDIRECTS as ROBOTS_REDIRECTS
from muniment.ingest.robots import MAX_ROBOTS, RobotsGate
from muniment.ingest.transport import Dial, Limits, Reply, dial, send_request
from muniment.ingest.turns import Turns
from muniment.ingest.urls import follow, host_of, normalise_target, port_of
from muniment.model import Attempt, Capture, Fetched, sha256

if TYPE_CHECKING:
    import ssl

_log = logging.getLogger(__name__)

_REDIRECTS = {301, 302, 303, 307, 308}
_TRANSIENT = {"connect", "cut", "dns-temporary", "timeout"}
_TRANSIENT_STATUS = {408, 425, 429}
_PERMANENT_5XX = {501, 505}
_BUSY = {429, 503}


@dataclass(slots=True)
class _Bounds:
    """What one chain of hops may take; `end` is on the monotonic clock, and moves while others have their turn."""

    end: float
    size: int
    redirects: int
    ask_robots: bool
    held: Mapping[str, Held] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Tried:
    """One request's outcome, and the seconds to wait before another try (None: it would be no use)."""

    outcome: Capture | Attempt
    wait: float | None = None


class Fetcher:
    """Fetches under one policy; may be shared by threads.

    `ssl_context` replaces the system's trust store, `lookup` its resolver (the answers are checked all the same), and
    `dial` what connects to a checked address.
    """

    def __init__(
        self,
        policy: FetchPolicy | None = None,
        *,
        ssl_context: ssl.SSLContext | None = None,
        lookup: Lookup = look_up,
        dial: Dial = dial,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.policy = self._policy = policy or FetchPolicy()
        self._ssl_context = ssl_context
        self._lookup = lookup
        self._dial = dial
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._under_way: set[Exchange] = set()
        own = self._policy
        self._turns = Turns(own.per_host, own.delay, own.adaptive, own.max_delay, sleep, own.breaker)
        self._robots = RobotsGate(self._fetch_robots, self._policy.user_agent, clock)

    def fetch(self, url: str, held: Mapping[str, Held] | None = None) -> Fetched:
        """Each redirect as a capture, then the capture or why there is none.

        `held` are captures by their addresses: the server is asked whether they still stand, and says http-304.
        Raises FetchError("bad-url") where `url` is nothing to fetch; everything later is an Attempt. Its
        reasons: address, bad-url (a redirect to none), connect, cut, dns, dns-temporary, http-STATUS,
        protocol, redirect-loop, retry-after, robots, robots-unreachable, timeout, tls, too-large, too-many-redirects.
        """
        policy = self._policy
        end = time.monotonic() + policy.url_timeout
        bounds = _Bounds(end, policy.max_size, policy.max_redirects, policy.respect_robots, held or {})
        return self._follow(normalise_target(url), bounds)

    @contextmanager
    def visit(self, url: str) -> Iterator[Attempt | None]:
        """A turn at the host of an address, for a browser that asks there; or why it is not to be asked for."""
        refused = self._refused(url, ask_robots=self._policy.respect_robots)
        if refused is not None:
            yield refused
            return
        with self._turns.take(host_of(url)):
            yield None

    def relay(self, url: str, exchange: Exchange, facts: tuple[tuple[str, str], ...]) -> Capture | Attempt:
        """One request that a browser makes, guarded and kept as any other. It is asked once, in no turn, and redirects
        are not followed: the browser does that. `facts` are kept with it."""
        bounds = _Bounds(time.monotonic() + self._policy.total_timeout, self._policy.max_size, 0, ask_robots=False)
        try:
            outcome = self._send(normalise_target(url), exchange, None, bounds, 0.0).outcome
        except FetchError as e:
            return Attempt(url, self._clock(), e.reason, str(e))
        capture = outcome.capture if isinstance(outcome, Attempt) else outcome
        if capture is None:
            return outcome
        told = replace(capture, facts=(*facts, *capture.facts))
        return replace(outcome, capture=told) if isinstance(outcome, Attempt) else told

    def robots(self, url: str) -> float:
        """What robots.txt says of an address: the seconds between requests that it asks for, where it allows it.

        Raises FetchError: "bad-url", "robots", "robots-unreachable", or why its host did not answer.
        """
        return self._robots.check(normalise_target(url))

    def paused(self, url: str) -> float:
        """For how many seconds yet the host of an address asked to be left alone."""
        return self._turns.paused(host_of(url))

    def ready_in(self, host: str) -> float:
        """Seconds until a host may be asked; infinite while somebody is at it. 0 where that is refused at once, for it
        is to be left alone."""
        return self._turns.ready_in(host, self._policy.max_wait)

    @property
    def receiving(self) -> int:
        """The bytes that came so far of the answers that are under way."""
        with self._lock:
            return sum(exchange.size for exchange in self._under_way)

    def has_rules(self, url: str) -> bool:
        """Whether an address can be asked for without a request for its robots.txt before."""
        return not self._policy.respect_robots or self._robots.knows(url)

    def learn_rules(self, url: str) -> None:
        """Gets the robots.txt of an address, in a turn of its own. What it says, or why it cannot be had, is known
        then."""
        with suppress(FetchError):
            self._robots.check(url)

    def pauses(self, *, turns: bool = False) -> dict[str, tuple[float, int]]:
        """The hosts that are left alone, or failed last: for how many seconds yet, and how often in a row. With `turns`
        also those whose next turn is yet to come."""
        return self._turns.pauses(turns=turns)

    def resume(self, pauses: Mapping[str, tuple[float, int]]) -> None:
        """What `pauses` told of an earlier fetcher."""
        self._turns.resume(pauses)

    def _fetch_robots(self, url: str) -> Fetched:
        end = time.monotonic() + self._policy.total_timeout
        size = min(self._policy.max_size, MAX_ROBOTS + (64 << 10))
        return self._follow(url, _Bounds(end, size, ROBOTS_REDIRECTS, ask_robots=False))

    def _follow(self, url: str, bounds: _Bounds) -> Fetched:
        redirects: list[Capture] = []
        via: str | None = None
        while True:
            outcome = self._hop(url, via, bounds)
            if isinstance(outcome, Attempt) or outcome.location is None:
                return Fetched(tuple(redirects), outcome)
            redirects.append(outcome)
            _log.info("%s redirects to %s", url, outcome.location)
            problem = _redirect_problem(redirects, bounds.redirects)
            if problem is not None:
                attempt = Attempt(url, outcome.captured_at, problem.reason, str(problem))
                return Fetched(tuple(redirects), attempt)
            via, url = url, outcome.location

    def _hop(self, url: str, via: str | None, bounds: _Bounds) -> Capture | Attempt:
        """One address, asked until it answers or asking is no use."""
        if (refused := self._refused(url, ask_robots=bounds.ask_robots)) is not None:
            return refused
        for retry in range(self._policy.retries + 1):
            tried = self._try(url, via, bounds, self._policy.backoff * 2**retry, again=bool(retry))
            last = retry == self._policy.retries
            if last or tried.wait is None or time.monotonic() + tried.wait >= bounds.end:
                break
            if self._turns.paused(host_of(url)) > self._policy.max_wait:
                break  # it failed too often, as others of its pages did
            _log.info("%s: try %d in %.1f s", url, retry + 2, tried.wait)
            self._sleep(tried.wait)
        if retry and isinstance(tried.outcome, Attempt):
            return replace(tried.outcome, detail=f"{tried.outcome.detail}; tried {retry + 1} times")
        return tried.outcome

    def _refused(self, url: str, *, ask_robots: bool) -> Attempt | None:
        """Why an address is not to be asked for now: robots.txt, or that its host wants to be left alone."""
        if (paused := self._left_alone(url)) is not None or not ask_robots:
            return paused
        try:
            self._turns.crawl_delay(host_of(url), self._robots.check(url))
        except FetchError as e:
            return Attempt(url, self._clock(), e.reason, str(e))
        return self._left_alone(url)

    def _left_alone(self, url: str) -> Attempt | None:
        host = host_of(url)
        if (left := self._turns.paused(host)) > self._policy.max_wait:
            detail = f"{host} asked to be left alone, or failed too often; that ends in {left:.0f} s"
            return Attempt(url, self._clock(), "retry-after", detail)
        return None

    def _try(self, url: str, via: str | None, bounds: _Bounds, backoff: float, *, again: bool) -> _Tried:
        """One request, in its turn."""
        with self._turns.take(host_of(url), again=again) as waited:
            bounds.end += waited
            if waited >= 0.01:
                _log.info("%s waited %.2f s for its turn at the host", url, waited)
            exchange = Exchange(*get_request(url, self._policy.user_agent, bounds.held.get(url)))
            return self._send(url, exchange, via, bounds, backoff)

    def _send(self, url: str, exchange: Exchange, via: str | None, bounds: _Bounds, backoff: float) -> _Tried:
        host, started, clock = host_of(url), self._clock(), time.monotonic()
        verb = exchange.request.partition(b" ")[0].decode("latin-1")
        try:
            reply = self._ask(url, exchange, bounds)
        except FetchError as e:
            _log.info("%s %s: %s: %s", verb, url, e.reason, e)
            self._turns.answered(host, time.monotonic() - clock, distress=True)
            attempt = Attempt(url, started, e.reason, str(e))
            return _Tried(attempt, backoff if e.reason in _TRANSIENT else None)
        seconds = time.monotonic() - clock
        response, milliseconds = reply.exchange.response(), round(seconds * 1000)
        busy = reply.failure is not None or (response is not None and response.status in _BUSY)
        failed = response is not None and response.status >= 500
        self._turns.answered(host, seconds, distress=busy, failed=failed)
        status = str(response.status) if response else "no answer"
        why = f"; {reply.failure.reason}: {reply.failure}" if reply.failure else ""
        _log.info("%s %s: %s, %d bytes, %d ms%s", verb, url, status, reply.exchange.size, milliseconds, why)
        facts = _facts(reply, via, milliseconds, self._overridden(url))
        capture = _capture(url, started, reply, response, facts)
        if reply.failure is not None:
            attempt = Attempt(url, started, reply.failure.reason, str(reply.failure), capture)
            return _Tried(attempt, backoff if reply.failure.reason in _TRANSIENT else None)
        assert capture is not None and response is not None  # no failure: a whole response came
        return self._judge(capture, response, backoff, bounds.held.get(url))

    def _ask(self, url: str, exchange: Exchange, bounds: _Bounds) -> Reply:
        policy = self._policy
        host, port = host_of(url), port_of(url)
        endpoints = resolve(
            host, port, allow_private=policy.allow_private, overrides=policy.resolve, lookup=self._lookup
        )
        total = min(policy.total_timeout, bounds.end - time.monotonic())
        limits = Limits(policy.connect_timeout, policy.first_byte_timeout, total, bounds.size)
        tls = (self._context(), host) if url.startswith("https:") else None
        with self._lock:
            self._under_way.add(exchange)
        try:
            return send_request(exchange, endpoints, tls, limits, self._dial)
        finally:
            with self._lock:
                self._under_way.discard(exchange)

    def _judge(self, capture: Capture, response: StoredResponse, backoff: float, held: Held | None) -> _Tried:
        """What a whole response means: a capture (a page or a redirect), or an attempt with its bytes."""
        url, at = capture.uri, capture.captured_at
        if 200 <= response.status < 300:
            return _Tried(capture)
        if response.status in _REDIRECTS and response.location is not None:
            try:
                return _Tried(replace(capture, location=follow(url, response.location)))
            except FetchError as e:
                return _Tried(Attempt(url, at, e.reason, f"{url} redirects to what is no address: {e}", capture))
        if response.status == 304 and held is not None:
            confirms = (("confirms", f"#{held.number}"), ("confirmsRecord", f"<urn:uuid:{held.record}>"))
            capture = replace(capture, facts=capture.facts + confirms)
            return _Tried(Attempt(url, at, "http-304", f"not modified since #{held.number} was captured", capture))
        attempt = Attempt(url, at, f"http-{response.status}", f"{url} answers {response.status}", capture)
        server_error = response.status >= 500 and response.status not in _PERMANENT_5XX
        if not server_error and response.status not in _TRANSIENT_STATUS:
            return _Tried(attempt)
        wait = max(backoff, asked := retry_after(response, self._clock()))
        if asked and (server_error or response.status in _BUSY):
            self._turns.pause(host_of(url), asked)
        return _Tried(attempt, wait if wait <= self._policy.max_wait else None)

    def _overridden(self, url: str) -> bool:
        host = host_of(url)
        return host in self._policy.resolve or f"{host}:{port_of(url)}" in self._policy.resolve

    def _context(self) -> ssl.SSLContext:
        """One context for all: loading the trust store takes longer than a request."""
        with self._lock:
            if self._ssl_context is None:
                import ssl

                self._ssl_context = ssl.create_default_context()
                self._ssl_context.set_alpn_protocols(["http/1.1"])
            return self._ssl_context


def _redirect_problem(redirects: list[Capture], limit: int) -> FetchError | None:
    target = redirects[-1].location
    if any(target == capture.uri for capture in redirects):
        return FetchError("redirect-loop", f"{redirects[-1].uri} leads back to {target}")
    if len(redirects) > limit:
        return FetchError("too-many-redirects", f"over {limit} redirects from {redirects[0].uri}")
    return None


def _capture(
    url: str,
    started: datetime,
    reply: Reply,
    response: StoredResponse | None,
    facts: tuple[tuple[str, str], ...],
) -> Capture | None:
    """The bytes that came, where any did; without a readable head they have no status and an empty body."""
    block = reply.exchange.block()
    if not block:
        return None
    body = response.body if response else b""
    return Capture(
        uri=url,
        captured_at=started,
        kind="response",
        block=block,
        body=body,
        payload=sha256(body),
        media_type=response.media_type if response else "application/octet-stream",
        charset=response.charset if response else None,
        content_encoding=response.content_encoding if response else None,
        request=reply.exchange.request,
        status=response.status if response else None,
        address=reply.address,
        transfer_coded=response.transfer_coded if response else False,
        truncated=reply.truncated,
        facts=facts,
    )


def _facts(reply: Reply, via: str | None, milliseconds: int, overridden: bool) -> tuple[tuple[str, str], ...]:
    import h11

    facts = [("fetchTimeMs", str(milliseconds)), ("client", f"muniment/{__version__} {h11.PRODUCT_ID}")]
    if via is not None:
        facts.append(("via", via))
    if overridden:
        facts.append(("resolved-by", "an override of the operator, not by name lookup"))
    facts += [("interim-response", str(status)) for status in reply.exchange.interim]
    return tuple(facts) + reply.facts
