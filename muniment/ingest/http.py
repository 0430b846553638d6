"""HTTP/1.1 responses as bytes: framed while they arrive, and read again from a stored block.

Both go through one h11 connection, so a block that was captured is read later as it was read then. No I/O.
The bytes themselves are never rewritten: h11 only says where the message begins, ends, and what its body is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from muniment.errors import FetchError

if TYPE_CHECKING:
    import h11

MAX_HEAD = 256 * 1024
MAX_INTERIM = 20
MAX_PIECES = 100_000  # chunks, or pieces of them: a body of single bytes takes minutes to put together

_MAGIC = b"HTTP/"
_FEED = 64 * 1024
_CODINGS_KEPT = 8
_LONGEST_TYPE = 1_000  # characters of a Content-Type: the parameters are looked for in time that grows by the square
# RFC 9110 section 5.6.2, in lower case, and no longer than any name in use
_TOKEN = re.compile(r"[a-z0-9!#$%&'*+.^_`|~:-]{1,100}")
_PARAMETER = re.compile(r'\s*([^=;\s]+)\s*=\s*(?:"([^"]*)"?|([^;]*))')


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """What a response block says.

    `headers` are in order, names in their own case, folded values joined, Latin-1. `body` is the entity:
    transfer coding off, content coding (gzip) still on. `location` is as the header has it, not resolved.
    `complete` is False where the block ends before the message does; `body` then is what came.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    media_type: str
    charset: str | None
    content_encoding: str | None
    location: str | None
    transfer_coded: bool
    complete: bool


@dataclass(frozen=True, slots=True)
class Held:
    """A capture that is held of an address: its number, its record's id, and what its server called its state.

    `location` is where it led, absolute, where it was a redirect.
    """

    number: int
    record: str
    etag: str = ""
    last_modified: str = ""
    location: str | None = None

    @property
    def is_checkable(self) -> bool:
        return bool(self.etag or self.last_modified)


class Exchange:
    """One request, and its response framed from bytes as they come.

    `request` is what to send: a GET, a POST of the bytes in `post`, or what `method` says. Give `feed` every chunk
    received and b"" at its end, until `done`.
    """

    def __init__(
        self,
        target: str = "/",
        headers: Iterable[tuple[str, str]] = (("Host", "none"),),
        post: bytes | None = None,
        method: str | None = None,
    ) -> None:
        import h11

        self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        events: list[h11.Event] = [
            h11.Request(method=method or ("GET" if post is None else "POST"), target=target, headers=list(headers)),
            *([] if post is None else [h11.Data(data=post)]),
            h11.EndOfMessage(),
        ]
        self.request: bytes = b"".join(self._connection.send(event) or b"" for event in events)
        self.interim: tuple[int, ...] = ()
        self.done = False
        self._prefix = b""
        self._received = bytearray()
        self._decoded = bytearray()
        self._head: h11.Response | None = None
        self._transfer_coded = False
        self._start = self._body_start = self._pieces = 0
        self._end: int | None = None

    def feed(self, data: bytes) -> None:
        """Takes bytes off the wire (b"" for the end of the stream).

        Raises FetchError: "protocol" where they are no HTTP/1 response, "cut" where the stream ends in one.
        """
        import h11

        self.keep(data)
        if len(self._prefix) < len(_MAGIC):
            self._prefix = (self._prefix + data)[: len(_MAGIC)]
            if not _MAGIC.startswith(self._prefix):
                raise FetchError("protocol", f"the reply is not HTTP/1: it begins with {self._prefix!r}")
        if not data and not self.size:
            raise FetchError("cut", "the server closed the connection without a reply")
        try:
            self._connection.receive_data(data)
            while not self.done and (event := self._connection.next_event()) is not h11.NEED_DATA:
                self._take(event)
        except h11.RemoteProtocolError as e:
            too_long = e.error_status_hint == 431  # "Receive buffer too long", to h11
            why = f"its head is longer than {MAX_HEAD:,} bytes" if too_long else _one_line(e)
            raise FetchError("protocol" if data else "cut", why) from e

    def keep(self, data: bytes) -> None:
        """Keeps bytes without reading them: what still came after a reply turned out to be unreadable."""
        self._received += data

    @property
    def size(self) -> int:
        """Bytes received so far."""
        return len(self._received)

    @property
    def announced(self) -> int | None:
        """The size in bytes of the whole message, head included, where its head states one."""
        if self._head is None or self._transfer_coded:
            return None
        length = self._value(b"content-length")
        return None if length is None else self._body_start - self._start + int(length)

    def block(self) -> bytes:
        """The final response as it crossed the wire, without interim responses before or bytes after it."""
        return bytes(memoryview(self._received)[self._start : self._end])

    def response(self) -> StoredResponse | None:
        """The response as far as it came; None before its head was read."""
        if self._head is None:
            return None
        raw = memoryview(self._received)[self._body_start : self._end]
        media_type, charset = parse_content_type(self._value(b"content-type"))
        location = self._value(b"location")
        return StoredResponse(
            status=self._head.status_code,
            headers=tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in self._head.headers.raw_items()),
            body=bytes(self._decoded if self._transfer_coded else raw),
            media_type=media_type,
            charset=charset,
            content_encoding=codings(self._values(b"content-encoding")),
            location=None if location is None else uri_text(location.encode("latin-1")),
            transfer_coded=self._transfer_coded,
            complete=self.done,
        )

    def _take(self, event: object) -> None:
        import h11

        if isinstance(event, h11.InformationalResponse):
            self.interim += (event.status_code,)
            self._start = self._consumed()
            if len(self.interim) > MAX_INTERIM:
                raise FetchError("protocol", f"over {MAX_INTERIM} interim responses before the response")
        elif isinstance(event, h11.Response):
            self._head = event
            self._body_start = self._consumed()
            self._transfer_coded = self._value(b"transfer-encoding") is not None
        elif isinstance(event, h11.Data):
            if self._transfer_coded:
                self._decoded += event.data
                self._pieces += 1
                if self._pieces > MAX_PIECES:
                    raise FetchError("protocol", f"the body comes in over {MAX_PIECES:,} chunks")
        elif isinstance(event, h11.EndOfMessage):
            self._end = self._consumed()
            self.done = True

    def _consumed(self) -> int:
        return self.size - len(self._connection.trailing_data[0])

    def _values(self, name: bytes) -> list[str]:
        headers = self._head.headers if self._head is not None else ()
        return [value.decode("latin-1") for found, value in headers if found == name]

    def _value(self, name: bytes) -> str | None:
        """The last value of a header that should stand once, as browsers take it."""
        return next(reversed(self._values(name)), None)


def get_request(url: str, user_agent: str, held: Held | None = None) -> tuple[str, list[tuple[str, str]]]:
    """Target and headers of a GET for a normalised URL, in the order in which they are sent.

    With `held`, the server is asked for the page only if it is another one by now (RFC 9110 section 13.1).
    """
    _, _, rest = url.partition("://")
    authority, slash, target = rest.partition("/")
    headers = [
        ("Host", authority),
        ("User-Agent", user_agent),
        ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
        ("Accept-Encoding", "gzip"),
        ("Connection", "close"),
    ]
    if held is not None and held.etag:
        headers.append(("If-None-Match", held.etag))
    if held is not None and held.last_modified:
        headers.append(("If-Modified-Since", held.last_modified))
    return slash + target, headers


def parse_response(block: bytes) -> StoredResponse:
    """Reads a stored response block. Raises FetchError("protocol") where it is none that HTTP/1.1 can frame.

    A block that ends early gives what it holds, with `complete` False.
    """
    exchange = Exchange()
    try:
        for offset in range(0, len(block), _FEED):
            if not exchange.done:
                exchange.feed(block[offset : offset + _FEED])
        if not exchange.done:
            exchange.feed(b"")
    except FetchError as e:
        if e.reason != "cut":
            raise
    response = exchange.response()
    if response is None:
        raise FetchError("protocol", "the block ends before its HTTP head does")
    return response


def parse_content_type(value: str | None) -> tuple[str, str | None]:
    """Media type and charset of a Content-Type header, in lower case; octet-stream without one (RFC 9110).

    parse_content_type('Text/HTML; charset="UTF-8"')  -> ("text/html", "utf-8")
    """
    kind, _, rest = (value or "")[:_LONGEST_TYPE].partition(";")
    kind = kind.strip().lower()
    parameters = ((name.lower(), quoted or plain) for name, quoted, plain in _PARAMETER.findall(rest))
    charset = next((text.strip().strip("'\"").lower() for name, text in parameters if name == "charset"), "")
    whole = all(_TOKEN.fullmatch(part) for part in kind.split("/", 1)) and "/" in kind
    return kind if whole else "application/octet-stream", charset if _TOKEN.fullmatch(charset) else None


def last_modified(block: bytes) -> str:
    """What the header says, as it says it; empty where it says nothing."""
    try:
        headers = parse_response(block).headers
    except FetchError:
        return ""
    return next((value.strip() for name, value in headers if name.lower() == "last-modified"), "")


def retry_after(response: StoredResponse, now: datetime) -> float:
    """Seconds that Retry-After asks to wait, as a number or a date (RFC 9110, 10.2.3); 0 without one."""
    from email.utils import parsedate_to_datetime

    value = next((v for name, v in response.headers if name.lower() == "retry-after"), "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:10])
    try:
        when = parsedate_to_datetime(value)
        return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - now).total_seconds())
    except (ValueError, OverflowError):
        return 0.0


def codings(values: list[str]) -> str | None:
    """The content codings in the order in which they were applied; what is no token counts as "unknown"."""
    names = [name.strip().lower() for name in ",".join(values).split(",")]
    known = [name if _TOKEN.fullmatch(name) else "unknown" for name in names if name not in ("", "identity")]
    return ", ".join(known[:_CODINGS_KEPT]) or None


def uri_text(raw: bytes) -> str:
    """A header's bytes as text: UTF-8 where they are, else the bytes themselves, percent-encoded."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return "".join(chr(b) if b < 128 else f"%{b:02X}" for b in raw)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else text[:200] + "…"
