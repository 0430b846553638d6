"""Asking an authority for a time stamp over HTTP (RFC 3161 section 3.4), or an OpenTimestamps calendar for its part
of a proof, with the fetcher's guard on addresses.

The bytes of request and reply mean nothing here: muniment/formats/timestamp.py and ots.py make the one and check the
other.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict, TypeVar, Unpack

from muniment.errors import FetchError
from muniment.ingest.address import resolve
from muniment.ingest.http import Exchange, StoredResponse, retry_after
from muniment.ingest.policy import USER_AGENT
from muniment.ingest.transport import Limits, send_request
from muniment.ingest.urls import host_of, normalise_target, port_of

if TYPE_CHECKING:
    import ssl

T = TypeVar("T")
_log = logging.getLogger(__name__)

MAX_REPLY = 1 << 20  # bytes, as they cross the wire
_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"
_CALENDAR = "application/vnd.opentimestamps.v1"
_CONNECT = 10.0
_BACKOFF, _MAX_WAIT = 1.0, 60.0  # seconds
_TRANSIENT = {"connect", "cut", "dns-temporary", "timeout"}
_BUSY = {408, 425, 429}
_PERMANENT_5XX = {501, 505}


class How(TypedDict, total=False):
    """How to ask. `resolve` maps hosts to addresses (address.parse_override), `timeout` is in seconds, 30 without it.

    `allow_private` lets private addresses by, `ssl_context` replaces the system's trust store.
    """

    allow_private: bool
    timeout: float
    resolve: Mapping[str, str]
    ssl_context: ssl.SSLContext | None


class Unanswered(FetchError):
    """An authority did not answer. `wait`: the seconds after which to ask again at the earliest; None: it is no use."""

    def __init__(self, reason: str, message: str, wait: float | None) -> None:
        super().__init__(reason, message)
        self.wait = wait


def ask(url: str, request: bytes, **how: Unpack[How]) -> bytes:
    """The authority's reply to `request`, as it came: at most 1 MiB, within the time, redirects not followed.

    Raises Unanswered with the fetcher's reasons (address, bad-url, connect, cut, dns, dns-temporary, http-STATUS,
    protocol, timeout, tls, too-large), and "media-type" for an answer that is none of RFC 3161's.
    """
    headers = [("Accept", _REPLY), ("Content-Type", _QUERY)]
    response = _exchange(url, headers, request, how)
    if response.media_type != _REPLY or response.content_encoding is not None:
        found = " in ".join(filter(None, [response.media_type, response.content_encoding]))
        raise Unanswered("media-type", f"{url} answers with {found}, not with {_REPLY}", None)
    return response.body


def ask_calendar(url: str, digest: bytes, **how: Unpack[How]) -> bytes:
    """What an OpenTimestamps calendar answers to a digest that it is to have in a block. Raises Unanswered."""
    headers = [("Accept", _CALENDAR), ("Content-Type", "application/x-www-form-urlencoded")]
    return _exchange(f"{url.rstrip('/')}/digest", headers, digest, how).body


def ask_for_block(url: str, commitment: bytes, **how: Unpack[How]) -> bytes | None:
    """The way from a commitment of a calendar's to a block, or None where there is none yet. Raises Unanswered."""
    try:
        address = f"{url.rstrip('/')}/timestamp/{commitment.hex()}"
        return _exchange(address, [("Accept", _CALENDAR)], None, how).body
    except Unanswered as e:
        if e.reason == "http-404":
            return None
        raise


def _exchange(url: str, headers: list[tuple[str, str]], post: bytes | None, how: How) -> StoredResponse:
    """The answer to a POST of these bytes, or to a GET, if it is a 200."""
    timeout = how.get("timeout", 30.0)
    try:
        url = normalise_target(url)
        host, port = host_of(url), port_of(url)
        allow_private, overrides = how.get("allow_private", False), how.get("resolve", {})
        endpoints = resolve(host, port, allow_private=allow_private, overrides=overrides)
    except FetchError as e:
        raise _unanswered(e, str(e)) from e
    limits = Limits(min(_CONNECT, timeout), timeout, timeout, MAX_REPLY)
    tls = (how.get("ssl_context") or _system_context(), host) if url.startswith("https:") else None
    reply = send_request(_request(url, headers, post), endpoints, tls, limits)
    response = reply.exchange.response()
    method = "GET" if post is None else "POST"
    _log.info("%s %s: %s, %d bytes", method, url, response.status if response else "no answer", reply.exchange.size)
    if reply.failure is not None:
        raise _unanswered(reply.failure, f"{url}: {reply.failure}") from reply.failure
    assert response is not None  # no failure: a whole response came
    _check_status(url, response)
    return response


def ask_patiently(
    url: str, request: bytes, *, tries: int = 4, sleep: Callable[[float], object] = time.sleep, **how: Unpack[How]
) -> bytes:
    """As `ask`, up to `tries` times where the authority is busy, broken or out of reach for now."""
    return patiently(lambda: ask(url, request, **how), tries=tries, sleep=sleep)


def patiently(attempt: Callable[[], T], *, tries: int = 4, sleep: Callable[[float], object] = time.sleep) -> T:
    """What `attempt` gives, tried up to `tries` times where it is Unanswered for now.

    The wait before another try is 1, 2, 4… seconds, or what Retry-After asks where that is longer; there is no other
    try where it is over a minute.
    """
    number = 1
    while True:
        try:
            return attempt()
        except Unanswered as e:
            wait = None if e.wait is None else max(e.wait, _BACKOFF * 2 ** (number - 1))
            if wait is None or wait > _MAX_WAIT or number >= tries:
                if number == 1:
                    raise
                raise Unanswered(e.reason, f"{e}; tried {number} times", e.wait) from e
            _log.info("%s; try %d in %.1f s", e, number + 1, wait)
        sleep(wait)
        number += 1


def _unanswered(failure: FetchError, message: str) -> Unanswered:
    return Unanswered(failure.reason, message, 0.0 if failure.reason in _TRANSIENT else None)


def _request(url: str, headers: list[tuple[str, str]], post: bytes | None) -> Exchange:
    _, _, rest = url.partition("://")
    authority, slash, target = rest.partition("/")
    length = [("Content-Length", str(len(post)))] if post is not None else []
    sent = [
        ("Host", authority),
        ("User-Agent", USER_AGENT.partition(" ")[0]),
        *headers,
        *length,
        ("Connection", "close"),
    ]
    return Exchange(slash + target, sent, post)


def _check_status(url: str, response: StoredResponse) -> None:
    status = response.status
    if status != 200:
        busy = status in _BUSY or (status >= 500 and status not in _PERMANENT_5XX)
        wait = retry_after(response, datetime.now(UTC)) if busy else None
        raise Unanswered(f"http-{status}", f"{url} answers {status}", wait)


def _system_context() -> ssl.SSLContext:
    import ssl

    return ssl.create_default_context()
