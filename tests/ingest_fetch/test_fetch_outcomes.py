"""Redirects, failures, retries and limits: every fetch ends, and says how."""

from __future__ import annotations

import gzip
import itertools
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from rawserver import NOT_FOUND, RawServer, redirect, response

from muniment.errors import FetchError, UsageError
from muniment.ingest.address import Endpoint
from muniment.ingest.fetch import Fetcher
from muniment.ingest.http import parse_content_type, parse_response, retry_after
from muniment.model import Attempt, Capture, Fetched

Make = Callable[..., Fetcher]
BUSY = response(b"later", status=b"503 Service Unavailable")


def attempt(fetched: Fetched) -> Attempt:
    assert isinstance(fetched.outcome, Attempt)
    return fetched.outcome


def capture(fetched: Fetched) -> Capture:
    assert isinstance(fetched.outcome, Capture)
    return fetched.outcome


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"303 See", b"307 Stay", b"308 Gone there"])
def test_each_redirect_is_a_capture_of_its_own(status: bytes, make_fetcher: Make) -> None:
    replies = {"/": redirect(b"b?x=1#top", status), "/b?x=1": redirect(b"/c d", status), "/c%20d": response(b"page")}
    with RawServer(replies) as server:
        fetched = make_fetcher().fetch(server.url)
    first, second = fetched.redirects
    assert (first.uri, first.location) == (f"{server.url}/", f"{server.url}/b?x=1")
    assert (second.uri, second.location) == (f"{server.url}/b?x=1", f"{server.url}/c%20d")
    assert (first.block, first.body, first.status) == (replies["/"], b"over there", int(status[:3]))
    final = capture(fetched)
    assert (final.uri, final.body, final.location) == (f"{server.url}/c%20d", b"page", None)
    assert [dict(c.facts).get("via") for c in (first, second, final)] == [None, first.uri, second.uri]
    assert [c.request for c in (first, second, final)] == server.requests


def test_a_location_in_raw_bytes_is_followed_as_browsers_do(make_fetcher: Make) -> None:
    replies = {
        "/": redirect("/کتاب".encode()),
        "/%DA%A9%D8%AA%D8%A7%D8%A8": redirect(b"/caf\xe9"),
        "/caf%E9": response(b"page"),
    }
    with RawServer(replies) as server:
        assert capture(make_fetcher().fetch(server.url)).body == b"page"


@pytest.mark.parametrize(
    ("replies", "hops"),
    [({"/": redirect(b"/")}, 1), ({"/": redirect(b"/b"), "/b": redirect(b"/c"), "/c": redirect(b"/b#again")}, 3)],
)
def test_a_redirect_loop_ends_where_it_closes(replies: dict[str, bytes], hops: int, make_fetcher: Make) -> None:
    with RawServer(replies) as server:
        fetched = make_fetcher().fetch(server.url)
    assert (attempt(fetched).reason, len(fetched.redirects), len(server.requests)) == ("redirect-loop", hops, hops)


def test_too_many_redirects_end_with_their_captures_kept(make_fetcher: Make) -> None:
    with RawServer({f"/{i}": redirect(b"/%d" % (i + 1)) for i in range(50)}) as server:
        fetched = make_fetcher(max_redirects=3).fetch(f"{server.url}/0")
    assert (attempt(fetched).reason, len(fetched.redirects)) == ("too-many-redirects", 4)
    assert len(server.requests) == 4


def test_as_many_redirects_as_allowed_are_followed(make_fetcher: Make) -> None:
    with RawServer({**{f"/{i}": redirect(b"/%d" % (i + 1)) for i in range(3)}, "/3": response(b"page")}) as server:
        assert capture(make_fetcher(max_redirects=3).fetch(f"{server.url}/0")).body == b"page"


@pytest.mark.parametrize(
    "location", [b"ftp://example.org/", b"http://user:pw@example.org/", b"http://[::1", b"mailto:x"]
)
def test_a_redirect_to_no_web_address_is_an_attempt_with_the_redirect(location: bytes, make_fetcher: Make) -> None:
    with RawServer({"/": redirect(location)}) as server:
        failed = attempt(make_fetcher().fetch(server.url))
    assert failed.reason == "bad-url"
    assert failed.capture is not None
    assert failed.capture.block == redirect(location)
    assert "pw" not in failed.detail


@pytest.mark.parametrize(
    "status",
    [
        b"300 Choose",
        b"302 Nowhere",
        b"304 Same",
        b"400 Bad",
        b"403 No",
        b"404 None",
        b"410 Gone",
        b"451 Law",
        b"501 Not",
    ],
)
def test_a_page_that_is_not_there_is_an_attempt_with_its_bytes_and_asked_for_once(
    status: bytes, make_fetcher: Make
) -> None:
    sent = b"HTTP/1.1 " + status + b"\r\n\r\n" if status[:3] == b"304" else response(b"sorry", status=status)
    with RawServer({"/": sent}) as server:
        failed = attempt(make_fetcher(retries=2).fetch(server.url))
    assert failed.reason == f"http-{status[:3].decode()}"
    assert failed.capture is not None
    assert (failed.capture.block, failed.capture.status) == (sent, int(status[:3]))
    assert len(server.requests) == 1


def test_an_address_that_is_none_is_refused_before_anything_happens(make_fetcher: Make) -> None:
    with pytest.raises(FetchError) as refused:
        make_fetcher().fetch("htp://example.org/")
    assert refused.value.reason == "bad-url"


@pytest.mark.parametrize(
    "status", [b"408 Slow", b"425 Early", b"429 Busy", b"500 Oops", b"502 Bad", b"503 Later", b"504 Slow", b"522 Cloud"]
)
def test_a_transient_status_is_tried_again_with_growing_waits(
    status: bytes, make_fetcher: Make, waits: list[float]
) -> None:
    with RawServer({"/": response(b"", status=status)}) as server:
        failed = attempt(make_fetcher(retries=3, backoff=0.5).fetch(server.url))
    assert failed.reason == f"http-{status[:3].decode()}"
    assert (len(server.requests), waits) == (4, [0.5, 1.0, 2.0])


@pytest.mark.parametrize(
    "bad", [BUSY, b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"], ids=["503", "empty", "cut"]
)
def test_what_works_the_second_time_is_a_capture(bad: bytes, make_fetcher: Make, waits: list[float]) -> None:
    with RawServer({"/": [bad, response(b"page")]}) as server:
        assert capture(make_fetcher(retries=2).fetch(server.url)).body == b"page"
    assert (len(server.requests), waits) == (2, [1.0])


@pytest.mark.parametrize(
    ("asked", "waited"), [(b"7", [7.0]), (b"0", [1.0]), (b"soon", [1.0]), (b"31", []), (b"9" * 400, [])]
)
def test_retry_after_is_obeyed_up_to_a_bound(
    asked: bytes, waited: list[float], make_fetcher: Make, waits: list[float]
) -> None:
    busy = response(b"", b"Retry-After: " + asked, status=b"503 Later")
    with RawServer({"/": [busy, response(b"page")]}) as server:
        make_fetcher(retries=1, max_wait=30.0).fetch(server.url)
    assert waits == waited
    assert len(server.requests) == 1 + len(waited)


def test_retry_after_may_be_a_date() -> None:
    now = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
    for value, seconds in (
        (b"Sun, 22 Nov 2026 09:00:20 GMT", 20.0),
        (b"Sun, 22 Nov 2026 08:00:00 GMT", 0.0),
        (b"Sun, 99", 0.0),
        (b"Mon, 01 Jan 99999999999999999999 00:00:00 GMT", 0.0),
        (b"Mon, 99999999999999999999 Jan 2026 00:00:00 GMT", 0.0),
        (b"Mon, 01 Jan 2026 00:00:00 +9999999999999999", 0.0),
    ):
        assert retry_after(parse_response(response(b"", b"Retry-After: " + value)), now) == seconds


def test_a_refused_connection_is_tried_again_and_then_named(make_fetcher: Make, waits: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    failed = attempt(make_fetcher(retries=2).fetch(f"http://127.0.0.1:{port}/"))
    assert (failed.reason, failed.capture, waits) == ("connect", None, [1.0, 2.0])
    assert failed.detail.endswith("tried 3 times")
    assert str(port) in failed.detail


@pytest.mark.parametrize(("reason", "tries"), [("dns-temporary", 3), ("dns", 1)])
def test_a_failed_lookup_is_tried_again_only_where_that_may_help(reason: str, tries: int, make_fetcher: Make) -> None:
    asked: list[str] = []

    def lookup(host: str, port: int) -> list[Endpoint]:
        asked.append(host)
        raise FetchError(reason, f"{host} cannot be looked up")

    failed = attempt(make_fetcher(retries=2, lookup=lookup).fetch("http://lost.example/"))
    assert (failed.reason, len(asked)) == (reason, tries)


def test_the_real_resolver_says_that_a_reserved_name_does_not_exist(make_fetcher: Make) -> None:
    assert attempt(make_fetcher().fetch("http://nothing.invalid/")).reason in ("dns", "dns-temporary")


def test_a_connection_cut_in_mid_body_keeps_the_part_that_came(make_fetcher: Make) -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nContent-Type: text/html\r\n\r\n<p>half"
    with RawServer({"/": half}) as server:
        failed = attempt(make_fetcher(retries=1).fetch(server.url))
    assert (failed.reason, len(server.requests)) == ("cut", 2)
    assert failed.capture is not None
    assert (failed.capture.block, failed.capture.body, failed.capture.truncated) == (half, b"<p>half", "disconnect")


def test_a_reset_connection_is_a_cut_one(make_fetcher: Make) -> None:
    def reset(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()

    with RawServer({"/": reset}) as server:
        failed = attempt(make_fetcher().fetch(server.url))
    assert failed.reason == "cut"


CLOSE = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        CLOSE,
        b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n",
    ],
)
def test_a_response_over_the_size_cap_keeps_at_most_the_cap(head: bytes, make_fetcher: Make) -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(200):
            connection.sendall(b"A" * 65536)

    with RawServer({"/": endless}) as server:
        failed = attempt(make_fetcher(max_size=100_000, retries=2).fetch(server.url))
    assert (failed.reason, len(server.requests)) == ("too-large", 1)
    assert failed.capture is not None
    assert failed.capture.truncated == "length"
    assert failed.capture.block.startswith(head)
    assert len(failed.capture.block) <= 100_000


def test_a_response_that_announces_more_than_the_cap_is_not_waited_for(make_fetcher: Make) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n"

    with RawServer({}) as server:
        server.replies["/"] = lambda connection: (connection.sendall(head), server.hang(connection))
        failed = attempt(make_fetcher(max_size=100_000).fetch(server.url))
    assert failed.reason == "too-large"
    assert failed.capture is not None
    assert failed.capture.block == head


def test_a_response_of_exactly_the_cap_is_whole(make_fetcher: Make) -> None:
    sent = response(b"x" * 5000)
    with RawServer({"/": sent}) as server:
        assert capture(make_fetcher(max_size=len(sent)).fetch(server.url)).block == sent
        assert attempt(make_fetcher(max_size=len(sent) - 1).fetch(server.url)).reason == "too-large"


def test_a_gzip_bomb_is_kept_as_sent(make_fetcher: Make) -> None:
    bomb = gzip.compress(bytes(50_000_000), mtime=0)
    with RawServer({"/": response(bomb, b"Content-Encoding: gzip")}) as server:
        got = capture(make_fetcher(max_size=1_000_000).fetch(server.url))
    assert (got.body, got.content_encoding) == (bomb, "gzip")


def head_bomb(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for i in range(100_000):
        connection.sendall(b"X-%d: %s\r\n" % (i, b"a" * 80))


def interim_flood(connection: socket.socket) -> None:
    for _ in range(10_000):
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")


@pytest.mark.parametrize(
    ("flood", "said"),
    [(head_bomb, "its head is longer than 262,144 bytes"), (interim_flood, "over 20 interim responses")],
)
def test_a_flood_before_the_body_is_cut_off(
    flood: Callable[[socket.socket], None], said: str, make_fetcher: Make
) -> None:
    with RawServer({"/": flood}) as server:
        failed = attempt(make_fetcher(retries=2).fetch(server.url))
    assert (failed.reason, len(server.requests)) == ("protocol", 1) and said in failed.detail
    assert failed.capture is None or len(failed.capture.block) < 2_000_000


def drip(start: bytes, pause: float = 0.02) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in range(500):
            connection.sendall(b"x")
            time.sleep(pause)

    return talk


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 200 OK\r\nX-Slow: ", CLOSE, b"HTTP/1.1 abc\r\n\r\n"], ids=["head", "body", "no HTTP"]
)
def test_a_drip_ends_with_the_total_time(start: bytes, make_fetcher: Make) -> None:
    with RawServer({"/": drip(start)}) as server:
        began = time.monotonic()
        failed = attempt(make_fetcher(total_timeout=0.8).fetch(server.url))
        took = time.monotonic() - began
    assert failed.reason in ("timeout", "protocol")
    assert failed.capture is not None
    assert failed.capture.truncated == "time"
    assert failed.capture.block.startswith(start)
    assert took < 5


def test_a_server_that_never_answers_is_left_after_the_first_byte_timeout(make_fetcher: Make) -> None:
    with RawServer({}) as server:
        server.replies["/"] = server.hang
        failed = attempt(make_fetcher(first_byte_timeout=0.2, retries=1).fetch(server.url))
    assert (failed.reason, failed.capture, len(server.requests)) == ("timeout", None, 2)


def test_a_server_that_never_accepts_is_left_after_the_connect_timeout(make_fetcher: Make) -> None:
    def unroutable(endpoint: Endpoint, seconds: float) -> socket.socket:
        raise TimeoutError(f"nothing within {seconds:.1f} s")

    failed = attempt(make_fetcher(dial=unroutable).fetch("http://203.0.113.9/"))
    assert (failed.reason, failed.capture) == ("timeout", None)


def test_redirects_and_retries_share_the_time_of_one_url(make_fetcher: Make) -> None:
    with RawServer({}) as server:
        server.replies["/"] = server.hang
        began = time.monotonic()
        failed = attempt(make_fetcher(url_timeout=1.0, first_byte_timeout=0.2, retries=50, backoff=0).fetch(server.url))
        took = time.monotonic() - began
    assert failed.reason == "timeout"
    assert 1 < len(server.requests) < 10
    assert took < 5


def test_one_request_does_not_outlast_the_time_of_its_url(make_fetcher: Make) -> None:
    with RawServer({}) as server:
        server.replies["/"] = server.hang
        began = time.monotonic()
        failed = attempt(make_fetcher(url_timeout=0.3, first_byte_timeout=20, total_timeout=20).fetch(server.url))
        took = time.monotonic() - began
    assert failed.reason == "timeout"
    assert took < 10


def test_a_wait_that_would_outlast_the_time_of_its_url_is_not_begun(make_fetcher: Make, waits: list[float]) -> None:
    with RawServer({"/": BUSY}) as server:
        failed = attempt(make_fetcher(url_timeout=20, backoff=25, retries=2).fetch(server.url))
    assert (failed.reason, waits, len(server.requests)) == ("http-503", [], 1)


def test_requests_to_one_host_keep_their_distance(make_fetcher: Make, waits: list[float]) -> None:
    with RawServer({"/": response(b"page")}) as server:
        names = {f"{n}.example": f"127.0.0.1:{server.port}" for n in "ab"}
        fetcher = make_fetcher(delay=100.0, resolve=names)
        for host in ("a", "b", "a", "a"):
            fetcher.fetch(f"http://{host}.example/")
    assert [round(wait, -1) for wait in waits] == [100.0, 200.0]


def test_one_fetcher_serves_many_threads(make_fetcher: Make) -> None:
    with RawServer({f"/{i}": response(b"%d" % i) for i in range(24)}) as server:
        fetcher = make_fetcher(respect_robots=True)
        bodies: dict[int, bytes] = {}

        def run(i: int) -> None:
            bodies[i] = capture(fetcher.fetch(f"{server.url}/{i}")).body

        threads = [threading.Thread(target=run, args=(i,)) for i in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert bodies == {i: b"%d" % i for i in range(24)}


def test_a_capture_is_dated_when_its_request_starts(make_fetcher: Make) -> None:
    ticks = itertools.count()

    def clock() -> datetime:
        return datetime(2026, 11, 22, 8, 0, next(ticks), 123456, tzinfo=UTC)

    with RawServer({"/": redirect(b"/b"), "/b": response(b"page")}) as server:
        fetched = make_fetcher(clock=clock).fetch(server.url)
    assert fetched.redirects[0].captured_at == datetime(2026, 11, 22, 8, 0, 0, 123456, tzinfo=UTC)
    assert capture(fetched).captured_at == datetime(2026, 11, 22, 8, 0, 1, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("text/html", ("text/html", None)),
        ("Text/HTML; Charset=UTF-8", ("text/html", "utf-8")),
        ('text/html; charset="windows-1256"', ("text/html", "windows-1256")),
        ("text/html; charset='utf-8'", ("text/html", "utf-8")),
        ("text/html;charset = utf-8 ; q=1", ("text/html", "utf-8")),
        ('text/html; title="a; charset=x"; charset=koi8-r', ("text/html", "koi8-r")),
        ("text/html; charset=utf-8; charset=latin-1", ("text/html", "utf-8")),
        ("text/html; charset=", ("text/html", None)),
        ('text/html; charset="utf-8', ("text/html", "utf-8")),
        ("text/html; charset=\x01\xe9", ("text/html", None)),
        ("text/ht\xe9ml", ("application/octet-stream", None)),
        ("a/b/c", ("application/octet-stream", None)),
        ("text", ("application/octet-stream", None)),
        ("", ("application/octet-stream", None)),
        (None, ("application/octet-stream", None)),
    ],
)
def test_a_content_type_is_read_as_servers_write_it(value: str | None, read: tuple[str, str | None]) -> None:
    assert parse_content_type(value) == read


@pytest.mark.parametrize(
    ("headers", "coding"),
    [
        ([b"Content-Encoding: GZIP"], "gzip"),
        ([b"Content-Encoding: identity"], None),
        ([b"Content-Encoding: deflate , gzip", b"content-encoding: br"], "deflate, gzip, br"),
        ([b"Content-Encoding: \xe9\x01"], "unknown"),
        ([], None),
    ],
)
def test_content_codings_are_named_in_the_order_of_their_application(headers: list[bytes], coding: str | None) -> None:
    assert parse_response(response(b"x", *headers)).content_encoding == coding


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("user_agent", "a\r\nX: y"), ("user_agent", ""), ("user_agent", "é"), ("user_agent", 3),
        ("retries", -1), ("retries", 1.5), ("retries", True), ("retries", 10_000), ("max_redirects", "10"),
        ("max_size", "64MB"), ("max_size", -1), ("max_size", 0), ("respect_robots", "no"), ("respect_robots", 0),
        ("connect_timeout", "10"), ("connect_timeout", 0), ("url_timeout", float("inf")), ("total_timeout", float("nan")),
        ("backoff", -1), ("max_wait", None), ("delay", -0.5), ("per_host", 0), ("first_byte_timeout", []),
    ],
)  # fmt: skip
def test_a_policy_that_cannot_be_kept_is_bad_usage(name: str, value: object, make_fetcher: Make) -> None:
    with pytest.raises(UsageError, match=f"{name} cannot be .*: use "):
        make_fetcher(**{name: value})


def test_headers_come_in_order_with_their_case_and_values_unfolded() -> None:
    stored = parse_response(b"HTTP/1.1 200 OK\r\nB: 1\r\na: caf\xe9\r\nB: two\r\n three\r\nContent-Length: 0\r\n\r\n")
    assert stored.headers == (("B", "1"), ("a", "café"), ("B", "two three"), ("Content-Length", "0"))


def test_a_stored_block_that_ends_early_gives_what_it_holds() -> None:
    stored = parse_response(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n9\r\nmo")
    assert (stored.complete, stored.body, stored.transfer_coded) == (False, b"halfmo", True)


def test_no_garbled_block_does_more_than_be_refused() -> None:
    dice = random.Random(20261122)
    whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: a/b\r\n\r\n4\r\nabcd\r\n0\r\nX: y\r\n\r\n"
    read = 0
    for _ in range(3000):
        block = bytearray(whole)
        for _ in range(dice.randrange(1, 4)):
            at = dice.randrange(len(block))
            block[at : at + dice.randrange(3)] = dice.choice(
                [b"", b"\0", b"\r", b"\n", b"\xff", b":", b" ", b"9", b"-"]
            )
        try:
            read += parse_response(bytes(block)).status > 0
        except FetchError as refusal:
            assert refusal.reason == "protocol"
    assert 100 < read < 2900


@pytest.mark.parametrize("block", [b"", b"HTTP/1.1 200 OK\r\nX", NOT_FOUND[1:], b"<html>"])
def test_a_block_without_a_response_is_refused(block: bytes) -> None:
    with pytest.raises(FetchError) as refused:
        parse_response(block)
    assert refused.value.reason == "protocol"


def test_importing_the_fetcher_loads_neither_tls_nor_http_nor_url_libraries() -> None:
    code = "import sys, muniment.ingest.fetch; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert "muniment.ingest.transport" in loaded
    assert not loaded & {"ssl", "h11", "protego", "w3lib", "idna"}
