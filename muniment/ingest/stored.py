"""HTTP responses as they lie in archives, which need not be what HTTP/1.1 can frame.

Crawlers keep responses of HTTP/2 in the dress of HTTP/1.1, take the chunks off and leave the header that announces
them, cut bodies, or write heads that no server may send. `read_stored` reads by the standard what can be read so, and
the rest by its head as far as that goes: for what a page said, not for what a client would have made of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from muniment.errors import FetchError
from muniment.ingest.http import StoredResponse, codings, parse_content_type, parse_response, uri_text

MAX_HEAD = 256 << 10
_STATUS = re.compile(rb"HTTP/[0-9.]+[ \t]+([0-9]{3})")
_CHUNK = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\n]{0,4096})?\r?\n")
_BLANK = re.compile(rb"\r?\n\r?\n")


def read_stored(block: bytes) -> StoredResponse:
    """Raises FetchError("protocol") where the block does not begin with a status line."""
    try:
        return parse_response(block)
    except FetchError:
        return _leniently(block)


def read_head(block: bytes) -> tuple[StoredResponse, int]:
    """The response in the head of a block, of which the first 256 KiB are enough, and where its body begins.

    Raises FetchError.
    """
    found = _leniently(block)
    return found, len(block) - len(found.body)


def _leniently(block: bytes) -> StoredResponse:
    status = _STATUS.match(block)
    if status is None:
        raise FetchError("protocol", f"the block is no HTTP response: it begins with {block[:20]!r}")
    end = _BLANK.search(block, 0, MAX_HEAD)
    head, raw = (block[: end.start()], block[end.end() :]) if end else (block[:MAX_HEAD], block[MAX_HEAD:])
    headers = tuple(_headers(head))

    def last(name: str) -> str | None:
        return next((value for found, value in reversed(headers) if found.lower() == name), None)

    media_type, charset = parse_content_type(last("content-type"))
    body = None
    if "chunked" in (last("transfer-encoding") or "").lower():
        body = join_chunks(raw)
    location = last("location")
    return StoredResponse(
        status=int(status[1]),
        headers=headers,
        body=raw if body is None else body,
        media_type=media_type,
        charset=charset,
        content_encoding=codings([value for name, value in headers if name.lower() == "content-encoding"]),
        location=None if location is None else uri_text(location.encode("latin-1")),
        transfer_coded=body is not None,
        complete=end is not None,
    )


def _headers(head: bytes) -> Iterator[tuple[str, str]]:
    name, value = "", ""
    for line in head.decode("latin-1").splitlines()[1:]:
        if line[:1] in (" ", "\t") and name:
            value += " " + line.strip()
            continue
        if name:
            yield name, value
        name, _, value = (part.strip() for part in line.partition(":"))
    if name:
        yield name, value


def join_chunks(raw: bytes) -> bytes | None:
    """The body without its chunks, as far as they go; None where they were taken off before."""
    body, position = bytearray(), 0
    while (size := _CHUNK.match(raw, position)) is not None:
        length = int(size[1], 16)
        position = size.end() + length
        body += raw[size.end() : position]
        if not length or position >= len(raw):
            return bytes(body)
        position += 2 if raw.startswith(b"\r\n", position) else 1 if raw.startswith(b"\n", position) else 0
    return bytes(body) if position else None
