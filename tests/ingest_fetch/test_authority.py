"""Asking an authority for a stamp: a real one of our own, and servers that misbehave."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from rawserver import NOT_FOUND, RawServer, Reply, redirect, response

from muniment.errors import FetchError
from muniment.formats.timestamp import check_reply, make_request
from muniment.ingest.authority import MAX_REPLY, Unanswered, ask, ask_patiently
from tests.authority import Authority

DATA = b"a checkpoint\n"
REQUEST = make_request(DATA, 42)
TYPE = b"Content-Type: application/timestamp-reply"


def refused(reply: Reply, **how: Any) -> Unanswered:
    with RawServer({"/": reply}) as server, pytest.raises(Unanswered) as failure:
        ask(f"{server.url}/", REQUEST, **{"allow_private": True, "timeout": 5.0, **how})
    assert "\n" not in str(failure.value)
    return failure.value


def test_an_authority_answers_what_was_asked(tmp_path: Path) -> None:
    with Authority(tmp_path) as authority:
        reply = ask(authority.url, REQUEST, allow_private=True)
        assert authority.requests == [REQUEST]
    assert check_reply(reply, DATA, [authority.root_pem], request=REQUEST).authority == "Test TSA"


def test_the_request_is_as_rfc_3161_asks() -> None:
    with RawServer({"/tsa?x=1": response(b"\x30\x00", TYPE)}) as server:
        assert ask(f"{server.url}/tsa?x=1", REQUEST, allow_private=True) == b"\x30\x00"
    head, _, _ = server.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /tsa?x=1 HTTP/1.1" and b"Content-Type: application/timestamp-query" in lines
    assert b"Content-Length: %d" % len(REQUEST) in lines and b"Host: 127.0.0.1:%d" % server.port in lines


def test_a_chunked_answer_is_put_together() -> None:
    chunked = b"HTTP/1.1 200 OK\r\n" + TYPE + b"\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n0\r\n1\r\n\0\r\n0\r\n\r\n"
    with RawServer({"/": chunked}) as server:
        assert ask(server.url, REQUEST, allow_private=True) == b"0\0"


def test_private_addresses_are_not_asked() -> None:
    with RawServer({"/": response(b"0", TYPE)}) as server:
        with pytest.raises(FetchError) as failure:
            ask(server.url, REQUEST)
        assert failure.value.reason == "address" and server.requests == []
        overrides = {"tsa.example": f"127.0.0.1:{server.port}"}
        with pytest.raises(FetchError) as failure:
            ask("http://tsa.example/", REQUEST, resolve=overrides)
        assert failure.value.reason == "address" and server.requests == []
        assert ask("http://tsa.example/", REQUEST, resolve=overrides, allow_private=True) == b"0"


@pytest.mark.parametrize("url", ["", "ftp://tsa.example/", "tsa.example", "http://", "http://[::1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Unanswered) as failure:
        ask(url, REQUEST)
    assert failure.value.reason == "bad-url" and failure.value.wait is None


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (NOT_FOUND, "http-404"),
        (response(b"", TYPE, status=b"204 No Content"), "http-204"),
        (redirect(b"http://127.0.0.1/"), "http-302"),
        (response(b"<html>", b"Content-Type: text/html"), "media-type"),
        (response(b"0"), "media-type"),
        (response(b"0", TYPE, b"Content-Encoding: gzip"), "media-type"),
        (b"SSH-2.0-x\r\n", "protocol"),
        (response(b"0" * (MAX_REPLY + 1), TYPE), "too-large"),
        (response(b"", TYPE, b"X: y", status=b"501 Not Implemented"), "http-501"),
    ],
)
def test_an_answer_that_is_no_reply_is_told_and_not_asked_for_again(reply: bytes, reason: str) -> None:
    failure = refused(reply)
    assert failure.reason == reason and failure.wait is None


@pytest.mark.parametrize(
    ("reply", "reason", "wait"),
    [
        (response(b"", status=b"503 Busy"), "http-503", 0),
        (response(b"", b"Retry-After: 7", status=b"429 Too Many Requests"), "http-429", 7),
        (b"", "cut", 0),
        (response(b"0123", TYPE)[:-2], "cut", 0),
    ],
)
def test_an_answer_that_failed_for_now_says_when_to_ask_again(reply: bytes, reason: str, wait: float) -> None:
    failure = refused(reply)
    assert (failure.reason, failure.wait) == (reason, wait)


def test_silence_and_a_reset_are_failures_for_now() -> None:
    with RawServer({}) as server:
        server.replies["/"] = server.hang
        with pytest.raises(Unanswered) as failure:
            ask(server.url, REQUEST, allow_private=True, timeout=0.2)
    assert failure.value.reason == "timeout" and failure.value.wait == 0

    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    assert refused(reset).reason == "cut"
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    with pytest.raises(Unanswered) as failure:
        ask(f"http://127.0.0.1:{port}/", REQUEST, allow_private=True)
    assert failure.value.reason == "connect" and failure.value.wait == 0


def test_a_busy_authority_is_asked_again_with_growing_patience(tmp_path: Path) -> None:
    waits: list[float] = []
    with Authority(tmp_path) as authority:
        authority.fail_next(2, 503)
        authority.fail_next(1, 429, retry_after="9")
        reply = ask_patiently(authority.url, REQUEST, allow_private=True, sleep=waits.append)
    assert waits == [1.0, 2.0, 9.0] and len(authority.requests) == 4
    assert check_reply(reply, DATA, [authority.root_pem], request=REQUEST)


def test_patience_ends(tmp_path: Path) -> None:
    waits: list[float] = []
    with Authority(tmp_path) as authority:
        authority.fail_next(9, 503)
        with pytest.raises(FetchError, match="answers 503; tried 4 times") as failure:
            ask_patiently(authority.url, REQUEST, allow_private=True, sleep=waits.append)
    assert failure.value.reason == "http-503" and waits == [1.0, 2.0, 4.0] and len(authority.requests) == 4


@pytest.mark.parametrize(("status", "retry_after"), [(404, None), (400, "1"), (503, "3600"), (429, "9" * 40)])
def test_there_is_no_second_try_where_it_is_no_use(status: int, retry_after: str | None, tmp_path: Path) -> None:
    waits: list[float] = []
    with Authority(tmp_path) as authority:
        authority.fail_next(9, status, retry_after)
        with pytest.raises(FetchError, match=f"answers {status}$"):
            ask_patiently(authority.url, REQUEST, allow_private=True, sleep=waits.append)
    assert waits == [] and len(authority.requests) == 1
