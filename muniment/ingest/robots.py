"""robots.txt by RFC 9309: reading what servers serve under that name, and asking it before each request."""

from __future__ import annotations

import codecs
import logging
import re
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from muniment.errors import FetchError
from muniment.ingest.urls import origin_of
from muniment.model import Attempt, Fetched

_log = logging.getLogger(__name__)

MAX_ROBOTS = 500 * 1024
MAX_REDIRECTS = 5

_GOOD_FOR = timedelta(hours=24)
_BAD_FOR = timedelta(minutes=5)
_ORIGINS_KEPT = 10_000
_BYTES_KEPT = 16 << 20  # of robots.txt, in all; what is made of them takes some times as much
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# No page is fetched whose host cannot be reached, and the reason is then not its robots.txt.
UNREACHABLE = "robots-unreachable"  # passes, as a file that forbids does not
_NETWORK = {"address", "dns", "dns-temporary", "connect", "retry-after", "timeout", "tls"}


class Rules:
    """One robots.txt. What is no rule (the lines of an HTML page) is passed over; `Rules(b"")` allows everything."""

    def __init__(self, body: bytes, content_encoding: str | None = None) -> None:
        from protego import Protego

        text = decode_robots(body, content_encoding)
        self._rules, self.size = Protego.parse(text), len(text)

    def allows(self, url: str, token: str) -> bool:
        """Whether a robot that names itself `token` may fetch an absolute, percent-encoded URL."""
        return self._rules.can_fetch(url, token)

    def crawl_delay(self, token: str) -> float:
        """The seconds between two requests that this robot is asked to keep."""
        return max(0.0, float(self._rules.crawl_delay(token) or 0.0))


@dataclass(slots=True)
class _Asked:
    """What one origin answered, and until when that holds; the lock is held while it is asked."""

    lock: threading.Lock
    rules: Rules | FetchError | None = None
    expires: datetime | None = None

    @property
    def size(self) -> int:
        return self.rules.size if isinstance(self.rules, Rules) else 0


class RobotsGate:
    """Asks each origin's robots.txt, fetched once a day through `fetch`, which is the same guarded transport.

    Of several threads that ask the same origin one fetches, and the others wait for it. `fetch` takes the URL of a
    robots.txt and follows up to five redirects. The newest 10,000 origins are kept, and 16 MB of what they said: a run
    asks its hosts by turns, so that with too few of them kept each page would cost a robots.txt.
    """

    def __init__(self, fetch: Callable[[str], Fetched], user_agent: str, clock: Callable[[], datetime]) -> None:
        self._fetch = fetch
        self._token = product_token(user_agent)
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Asked] = OrderedDict()
        self._size = 0

    def knows(self, url: str) -> bool:
        """Whether `check` answers without a request."""
        with self._lock:
            asked = self._known.get(origin_of(url))
            return asked is not None and asked.expires is not None and self._clock() < asked.expires

    def check(self, url: str) -> float:
        """The seconds between two requests that the origin asks for.

        Raises FetchError: "robots" where `url` may not be fetched, "robots-unreachable" where that cannot be told now,
        or why its host did not answer.
        """
        origin = origin_of(url)
        rules = self._rules(origin)
        if isinstance(rules, FetchError):
            _log.info("%s/robots.txt could not be asked about %s", origin, url)
            raise FetchError(rules.reason, str(rules))
        allowed = rules.allows(url, self._token)
        _log.info("%s/robots.txt %s %s", origin, "allows" if allowed else "forbids", url)
        if not allowed:
            raise FetchError("robots", f"{origin}/robots.txt does not let {self._token} fetch {url}")
        return rules.crawl_delay(self._token)

    def _rules(self, origin: str) -> Rules | FetchError:
        with self._lock:
            asked = self._known.setdefault(origin, _Asked(threading.Lock()))
            self._known.move_to_end(origin)
        with asked.lock:
            if asked.rules is None or asked.expires is None or self._clock() >= asked.expires:
                rules = read_answer(origin, self._fetch(f"{origin}/robots.txt"))
                self._keep(origin, asked, rules)
                return rules
            return asked.rules

    def _keep(self, origin: str, asked: _Asked, rules: Rules | FetchError) -> None:
        with self._lock:
            before = asked.size
            asked.rules = rules
            asked.expires = self._clock() + (_BAD_FOR if isinstance(rules, FetchError) else _GOOD_FOR)
            if self._known.get(origin) is asked:
                self._size += asked.size - before
            while len(self._known) > 1 and (len(self._known) > _ORIGINS_KEPT or self._size > _BYTES_KEPT):
                self._size -= self._known.popitem(last=False)[1].size


def read_answer(origin: str, fetched: Fetched) -> Rules | FetchError:
    """The rules that an answer to `/robots.txt` sets (RFC 9309 section 2.3.1).

    A file: its first 500 KiB. "Unavailable" (4xx, too many redirects): everything is allowed. "Unreachable"
    (5xx, broken off, a redirect to nowhere): nothing is, for now.
    """
    outcome = fetched.outcome
    if not isinstance(outcome, Attempt):
        return Rules(outcome.body, outcome.content_encoding)
    if outcome.reason == "too-large" and outcome.capture is not None:
        return Rules(outcome.capture.body, outcome.capture.content_encoding)
    if re.fullmatch(r"http-[34]\d\d|too-many-redirects|redirect-loop", outcome.reason):
        return Rules(b"")
    if outcome.reason in _NETWORK and origin_of(outcome.uri) == origin:
        return FetchError(outcome.reason, outcome.detail)
    return FetchError(
        UNREACHABLE,
        f"{origin}/robots.txt cannot be read now ({outcome.detail}), which counts as a refusal (RFC 9309)",
    )


def decode_robots(body: bytes, content_encoding: str | None = None) -> str:
    """The first 500 KiB as text, UTF-8 unless a mark says UTF-16, without a line that the limit cuts."""
    if content_encoding in ("gzip", "x-gzip", "deflate"):
        try:
            body = zlib.decompressobj(wbits=47).decompress(body, MAX_ROBOTS + 1)
        except zlib.error:
            return ""
    if len(body) > MAX_ROBOTS:
        body = body[:MAX_ROBOTS]
        body = body[: max(body.rfind(b"\n"), body.rfind(b"\r")) + 1]
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return body.removeprefix(mark).decode(encoding, "replace")
    return body.decode("utf-8", "replace")


def product_token(user_agent: str) -> str:
    """The name that robots.txt knows us by: `muniment` of `muniment/0.1 (...)` (RFC 9309, 2.2.1)."""
    match = re.match(r"[A-Za-z_-]+", user_agent)
    return match[0] if match else "muniment"
