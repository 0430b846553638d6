"""What a server sends is what is kept, byte for byte, and the body is found in it."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable
from typing import NamedTuple

import pytest
from rawserver import RawServer, response

from muniment.ingest.fetch import Fetcher
from muniment.ingest.http import parse_response
from muniment.model import Attempt, Capture, sha256

PAGE = ("<html><title>Déjà vu</title><body>" + "<p>A paragraph of news, کتاب‌ها.</p>" * 90 + "</body></html>").encode()
ZIPPED = gzip.compress(PAGE, mtime=0)
BOMB = gzip.compress(bytes(20_000_000), mtime=0)


def chunked(body: bytes, size: int = 700) -> bytes:
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    return (
        b"".join(b'%x;name="a value"\r\n%s\r\n' % (len(p), p) for p in pieces)
        + b"000\r\nX-Sum: 12\r\nx-sum: 13\r\n\r\n"
    )


class Sent(NamedTuple):
    wire: bytes
    body: bytes
    status: int = 200
    interim: bytes = b""
    after: bytes = b""


WHOLE = {
    "length": Sent(response(PAGE), PAGE),
    "empty": Sent(response(b""), b""),
    "gzip": Sent(response(ZIPPED, b"Content-Encoding: gzip"), ZIPPED),
    "chunked with extensions and trailers": Sent(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n" + chunked(PAGE), PAGE
    ),
    "chunked gzip": Sent(
        b"HTTP/1.1 200 OK\r\ncontent-encoding: GZIP\r\ntransfer-encoding: Chunked\r\n\r\n" + chunked(ZIPPED, 11), ZIPPED
    ),
    "chunked beside a length": Sent(
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(PAGE), PAGE
    ),
    "ends with the connection": Sent(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + PAGE, PAGE),
    "HTTP/1.0": Sent(b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\n" + PAGE, PAGE),
    "line feeds only": Sent(b"HTTP/1.1 200 OK\nContent-Length: 2\nX-Lf: 1\n\nhi", b"hi"),
    "mixed line ends": Sent(b"HTTP/1.1 200 OK\r\nContent-Length: 2\nX-A: 1\r\n\nhi", b"hi"),
    "folded header": Sent(b"HTTP/1.1 200 OK\r\nX-Fold: one\r\n \t two\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
    "duplicate headers in odd case": Sent(
        b"HTTP/1.1 200 Quite  Fine\r\nX-a: 1\r\nx-A:2\r\nSet-Cookie: a\r\nset-cookie: b\r\nconTENT-LENGTH: 2\r\n\r\nhi",
        b"hi",
    ),
    "padded values": Sent(b"HTTP/1.1 200 OK\r\nX-Pad:  \t padded \t \r\nContent-Length: 2\r\n\r\nhi", b"hi"),
    "Latin-1 header": Sent(b"HTTP/1.1 200 Tr\xe8s bien\r\nX-Latin: caf\xe9\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
    "no reason phrase": Sent(b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
    "the same length twice": Sent(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
    "no content": Sent(b"HTTP/1.1 204 No Content\r\nX-Y: z\r\n\r\n", b"", 204),
    "early hints first": Sent(response(b"ok"), b"ok", interim=b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"),
    "two interim responses": Sent(
        response(b"ok"), b"ok", interim=b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX: 1\r\n\r\n"
    ),
    "bytes after the end": Sent(response(b"ok"), b"ok", after=b"HTTP/1.1 200 OK\r\n\r\nsmuggled"),
    "gzip that is none": Sent(response(b"nope", b"Content-Encoding: gzip"), b"nope"),
    "gzip bomb": Sent(response(BOMB, b"Content-Encoding: gzip"), BOMB),
    "binary": Sent(response(bytes(range(256)) * 300), bytes(range(256)) * 300),
    "head of 100 kB": Sent(response(b"ok", b"X-Big: " + b"a" * 100_000), b"ok"),
}

BROKEN = {
    "bad status": (b"HTTP/1.1 abc WAT\r\nContent-Length: 2\r\n\r\nhi", "protocol", b""),
    "HTTP/0.9": (b"<html>" + PAGE, "protocol", b""),
    "another protocol": (b"SSH-2.0-Server_9\r\n", "protocol", b""),
    "no colon": (b"HTTP/1.1 200 OK\r\nthis is no header\r\nContent-Length: 2\r\n\r\nhi", "protocol", b""),
    "null in a header": (b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nhi", "protocol", b""),
    "bad chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nZZZ\r\nhello\r\n0\r\n\r\n",
        "protocol",
        b"hi",
    ),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\nhi", "protocol", b""),
    "negative length": (b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nhi", "protocol", b""),
    "unknown transfer coding": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "protocol",
        b"",
    ),
    "upgrade that nobody asked for": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "protocol", b""),
    "HTTP/2": (b"HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nhi", "protocol", b""),
    "short body": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 100, "cut", b"x" * 100),
    "last chunk missing": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", "cut", b"hi"),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Le", "cut", b""),
    "half a magic word": (b"HTT", "cut", b""),
}


@pytest.mark.parametrize("sent", WHOLE.values(), ids=WHOLE)
def test_a_response_is_kept_as_it_crossed_the_wire(sent: Sent, make_fetcher: Callable[..., Fetcher]) -> None:
    with RawServer({"/": sent.interim + sent.wire + sent.after}) as server:
        fetched = make_fetcher().fetch(server.url)
    got = fetched.outcome
    assert isinstance(got, Capture)
    assert got.block == sent.wire
    assert got.request == server.requests[0]
    assert (got.status, got.body, got.payload) == (sent.status, sent.body, sha256(sent.body))
    assert (got.truncated, got.address, fetched.redirects) == (None, "127.0.0.1", ())
    assert [v for n, v in got.facts if n == "interim-response"] == [
        line.split()[1].decode() for line in sent.interim.splitlines() if line.startswith(b"HTTP/")
    ]


@pytest.mark.parametrize("sent", WHOLE.values(), ids=WHOLE)
def test_a_response_in_drops_of_three_bytes_is_kept_the_same(sent: Sent, make_fetcher: Callable[..., Fetcher]) -> None:
    wire = (sent.interim + sent.wire)[:1500]

    def drip(connection: socket.socket) -> None:
        for i in range(0, len(wire), 3):
            connection.sendall(wire[i : i + 3])

    with RawServer({"/": drip}) as server:
        outcome = make_fetcher().fetch(server.url).outcome
    capture = outcome.capture if isinstance(outcome, Attempt) else outcome
    assert capture is not None
    assert capture.block == wire[len(sent.interim) :]


@pytest.mark.parametrize("sent", WHOLE.values(), ids=WHOLE)
def test_a_stored_block_reads_as_the_capture_did(sent: Sent, make_fetcher: Callable[..., Fetcher]) -> None:
    with RawServer({"/": sent.interim + sent.wire + sent.after}) as server:
        got = make_fetcher().fetch(server.url).outcome
    assert isinstance(got, Capture)
    again = parse_response(got.block)
    assert again.complete
    for name in ("status", "body", "media_type", "charset", "content_encoding", "transfer_coded"):
        assert getattr(again, name) == getattr(got, name)


@pytest.mark.parametrize(("wire", "reason", "body"), BROKEN.values(), ids=BROKEN)
def test_a_broken_reply_is_an_attempt_that_keeps_its_bytes(
    wire: bytes, reason: str, body: bytes, make_fetcher: Callable[..., Fetcher]
) -> None:
    with RawServer({"/": wire}) as server:
        outcome = make_fetcher().fetch(server.url).outcome
    assert isinstance(outcome, Attempt)
    assert outcome.reason == reason
    assert outcome.capture is not None
    assert (outcome.capture.block, outcome.capture.body) == (wire, body)
    assert outcome.capture.truncated == ("disconnect" if reason == "cut" else None)
    assert "\n" not in outcome.detail


def test_what_is_asked_for_is_one_polite_request_for_one_response(make_fetcher: Callable[..., Fetcher]) -> None:
    with RawServer({"/a%20b?q=%D9%81": response(b"ok")}) as server:
        make_fetcher(user_agent="muniment-test/1 (+mailto:desk@example.org)").fetch(f"{server.url}/a b?q=ف#top")
    assert server.requests == [
        b"GET /a%%20b?q=%%D9%%81 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
        b"User-Agent: muniment-test/1 (+mailto:desk@example.org)\r\n"
        b"Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
        % server.port
    ]


def test_a_reply_of_nothing_is_an_attempt_without_bytes(make_fetcher: Callable[..., Fetcher]) -> None:
    with RawServer({"/": b""}) as server:
        outcome = make_fetcher().fetch(server.url).outcome
    assert isinstance(outcome, Attempt)
    assert (outcome.reason, outcome.capture) == ("cut", None)


def test_a_capture_says_what_it_is_and_how_it_came(make_fetcher: Callable[..., Fetcher]) -> None:
    with RawServer(
        {"/": response(PAGE, b'Content-Type: Text/HTML; Charset="UTF-8"', b"Content-Encoding: gzip, identity")}
    ) as server:
        got = make_fetcher().fetch(server.url).outcome
    assert isinstance(got, Capture)
    assert (got.kind, got.uri, got.media_type, got.charset) == ("response", server.url + "/", "text/html", "utf-8")
    assert (got.content_encoding, got.transfer_coded, got.location) == ("gzip", False, None)
    assert got.captured_at.utcoffset() is not None
    facts = dict(got.facts)
    assert int(facts["fetchTimeMs"]) >= 0
    assert facts["client"].startswith("muniment/")
    assert facts["peer"] == f"127.0.0.1:{server.port}"
    assert "resolved-by" not in facts
