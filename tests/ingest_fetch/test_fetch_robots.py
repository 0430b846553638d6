"""robots.txt as RFC 9309 says, and as servers really serve it."""

from __future__ import annotations

import codecs
import gzip
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from rawserver import RawServer, redirect, response

from muniment.ingest.fetch import Fetcher
from muniment.ingest.robots import MAX_ROBOTS, RobotsGate, Rules, decode_robots, product_token
from muniment.model import Attempt, Capture, Fetched

Make = Callable[..., Fetcher]
ALL = b"User-agent: *\nDisallow: /\n"

# rules, path, allowed
RULES: dict[str, tuple[bytes, str, bool]] = {
    "empty": (b"", "/a", True),
    "everything closed": (ALL, "/a", False),
    "empty disallow": (b"User-agent: *\nDisallow:\n", "/a", True),
    "our own group wins": (b"User-agent: *\nDisallow: /\n\nUser-agent: muniment\nDisallow: /x\n", "/a", True),
    "our own group closes": (b"User-agent: muniment\nDisallow: /x\n\nUser-agent: *\nAllow: /\n", "/x/1", False),
    "names in any case": (b"USER-AGENT: MuniMent\ndisallow: /x\n", "/x", False),
    "another robot's group": (b"User-agent: otherbot\nDisallow: /\n", "/a", True),
    "part of our name inside a word": (b"User-agent: ment\nDisallow: /\n", "/a", True),
    "groups of one name": (b"User-agent: muniment\nDisallow: /a\n\nUser-agent: muniment\nDisallow: /c\n", "/a", False),
    "one group of two names": (b"User-agent: b\nUser-agent: muniment\nDisallow: /a\n", "/a", False),
    "the longest match wins": (b"User-agent: *\nDisallow: /a\nAllow: /a/page\n", "/a/page.html", True),
    "the longest match closes": (b"User-agent: *\nAllow: /a\nDisallow: /a/private\n", "/a/private/1", False),
    "on equal length allow wins": (b"User-agent: *\nDisallow: /a\nAllow: /a\n", "/a", True),
    "a star": (b"User-agent: *\nDisallow: /*.pdf\n", "/x/y.pdf?z", False),
    "a dollar": (b"User-agent: *\nDisallow: /*.pdf$\n", "/y.pdf?z", True),
    "a dollar at the end": (b"User-agent: *\nDisallow: /*.pdf$\n", "/y.pdf", False),
    "a query": (b"User-agent: *\nDisallow: /*?print=\n", "/a?print=1", False),
    "paths have case": (b"User-agent: *\nDisallow: /A\n", "/a", True),
    "percent-encoded is the same": (b"User-agent: *\nDisallow: /%7Euser\n", "/~user", False),
    "raw UTF-8 in the rule": ("User-agent: *\nDisallow: /کتاب\n".encode(), "/%DA%A9%D8%AA%D8%A7%D8%A8/1", False),
    "comments": (b"# all\nUser-agent: * # any\nDisallow: /a # this\n", "/a", False),
    "CRLF": (b"User-agent: *\r\nDisallow: /a\r\n", "/a", False),
    "CR": (b"User-agent: *\rDisallow: /a\r", "/a", False),
    "a rule before any group": (b"Disallow: /\nUser-agent: b\nDisallow: /\n", "/a", True),
    "other lines between": (b"User-agent: *\nSitemap: https://example.org/s.xml\nDisallow: /a\n", "/a", False),
    "UTF-8 mark": (codecs.BOM_UTF8 + ALL, "/a", False),
    "UTF-16 mark": (codecs.BOM_UTF16_LE + ALL.decode().encode("utf-16-le"), "/a", False),
    "big-endian UTF-16 mark": (codecs.BOM_UTF16_BE + ALL.decode().encode("utf-16-be"), "/a", False),
    "not UTF-8": (b"User-agent: *\nDisallow: /caf\xe9\nDisallow: /a\n", "/a", False),
    "binary": (bytes(range(256)) * 20, "/a", True),
    "an HTML page": (b"<!doctype html>\n<title>Not found: /robots.txt</title>\n<p>Disallow: /\n", "/a", True),
    "rules after a comment in HTML": (b"<!-- version 7 -->\nUser-agent: *\nDisallow: /", "/a", False),
    "robots.txt itself": (ALL, "/robots.txt", True),
}  # fmt: skip


@pytest.mark.parametrize(("body", "path", "allowed"), RULES.values(), ids=RULES)
def test_a_rule_is_read_as_the_standard_says(body: bytes, path: str, allowed: bool) -> None:
    assert Rules(body).allows(f"http://example.org{path}", "muniment") is allowed


def test_only_the_first_500_kib_count_and_no_rule_that_the_limit_cuts() -> None:
    rule = b"Disallow: /private-\n"
    filling = b"User-agent: *\n" + b"#".ljust(MAX_ROBOTS - 14 - 12, b"-") + b"\n"
    cut = filling + rule  # the limit falls inside the rule, after "Disallow: /"
    assert cut[:MAX_ROBOTS].endswith(b"\nDisallow: /")
    assert Rules(cut).allows("http://example.org/a", "muniment")
    assert not Rules(b"User-agent: *\nDisallow: /a\n" + cut).allows("http://example.org/a", "muniment")


def test_a_compressed_file_is_read_but_not_inflated_without_end() -> None:
    assert not Rules(gzip.compress(ALL), "gzip").allows("http://example.org/a", "muniment")
    bomb = gzip.compress(b"#\n" * 20_000_000)
    tracemalloc.start()
    try:
        assert len(decode_robots(bomb, "gzip")) <= MAX_ROBOTS
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * MAX_ROBOTS
    assert decode_robots(b"no gzip", "gzip") == ""


@pytest.mark.parametrize(
    ("agent", "token"), [("muniment/0.1 (+https://x)", "muniment"), ("my-bot_2/1", "my-bot_"), ("7", "muniment")]
)
def test_our_name_is_the_product_token(agent: str, token: str) -> None:
    assert product_token(agent) == token


def refused(fetcher: Fetcher, url: str) -> str | None:
    outcome = fetcher.fetch(url).outcome
    return outcome.reason if isinstance(outcome, Attempt) else None


ANSWERS: dict[str, tuple[bytes, str | None]] = {
    "closed": (response(ALL), "robots"),
    "open": (response(b"User-agent: *\nDisallow: /other\n"), None),
    "gzip": (response(gzip.compress(ALL), b"Content-Encoding: gzip"), "robots"),
    "no content": (b"HTTP/1.1 204 None\r\n\r\n", None),
    "not found": (response(ALL, status=b"404 Not Found"), None),
    "forbidden": (response(ALL, status=b"403 Forbidden"), None),
    "unauthorised": (response(ALL, status=b"401 Unauthorized"), None),
    "too many requests": (response(ALL, status=b"429 Too Many"), None),
    "server error": (response(b"", status=b"500 Oops"), "robots-unreachable"),
    "unavailable": (response(b"", status=b"503 Later"), "robots-unreachable"),
    "cut": (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nUser", "robots-unreachable"),
    "no HTTP": (b"User-agent: *\nDisallow:\n", "robots-unreachable"),
    "a loop": (redirect(b"/robots.txt"), None),
    "a redirect to no address": (redirect(b"ftp://example.org/"), "robots-unreachable"),
    "too large": (response(b"User-agent: *\nDisallow: /page\n" + b"#\n" * MAX_ROBOTS), "robots"),
}


@pytest.mark.parametrize(("answer", "reason"), ANSWERS.values(), ids=ANSWERS)
def test_what_the_server_answers_for_robots_decides(answer: bytes, reason: str | None, make_fetcher: Make) -> None:
    with RawServer({"/robots.txt": answer, "/page": response(b"page")}) as server:
        assert refused(make_fetcher(respect_robots=True), f"{server.url}/page") == reason
    assert ("/page" in server.paths()) is (reason is None)


@pytest.mark.parametrize(("hops", "reason"), [(5, "robots"), (6, None)])
def test_five_redirects_lead_to_the_rules_and_six_to_none(hops: int, reason: str | None, make_fetcher: Make) -> None:
    replies = {f"/r{i}": redirect(b"/r%d" % (i + 1)) for i in range(1, hops)}
    replies |= {"/robots.txt": redirect(b"/r1"), f"/r{hops}": response(ALL), "/page": response(b"page")}
    with RawServer(replies) as server:
        assert refused(make_fetcher(respect_robots=True), f"{server.url}/page") == reason


def test_a_refusal_names_the_file_and_fetches_nothing_else(make_fetcher: Make) -> None:
    with RawServer({"/robots.txt": response(ALL)}) as server:
        outcome = make_fetcher(respect_robots=True).fetch(f"{server.url}/page").outcome
    assert isinstance(outcome, Attempt)
    assert (outcome.reason, outcome.capture, server.paths()) == ("robots", None, ["/robots.txt"])
    assert f"{server.url}/robots.txt" in outcome.detail


def test_each_hop_of_a_redirect_asks_its_own_robots_file(make_fetcher: Make) -> None:
    with (
        RawServer({"/robots.txt": response(ALL), "/page": response(b"page")}) as closed,
        RawServer({"/go": redirect(f"{closed.url}/page".encode())}) as opened,
    ):
        fetched = make_fetcher(respect_robots=True).fetch(f"{opened.url}/go")
    assert isinstance(fetched.outcome, Attempt)
    assert (fetched.outcome.reason, len(fetched.redirects), closed.paths()) == ("robots", 1, ["/robots.txt"])


def test_robots_is_asked_once_an_origin_and_again_the_next_day(make_fetcher: Make) -> None:
    now = [datetime(2026, 11, 22, tzinfo=UTC)]
    with RawServer({"/a": response(b"a"), "/robots.txt": [response(b""), response(ALL)]}) as server:
        fetcher = make_fetcher(respect_robots=True, clock=lambda: now[0])
        for _ in range(3):
            assert isinstance(fetcher.fetch(f"{server.url}/a").outcome, Capture)
        assert server.paths().count("/robots.txt") == 1
        now[0] += timedelta(hours=25)
        assert refused(fetcher, f"{server.url}/a") == "robots"


@pytest.mark.parametrize(("origins", "size", "asked"), [(1000, 10, 1000), (40, 500_000, 80)])
def test_rules_are_kept_for_a_run_over_many_hosts_within_bounds_of_memory(origins: int, size: int, asked: int) -> None:
    fetched = []

    def fetch(url: str) -> Fetched:
        fetched.append(url)
        body = b"#" * size
        return Fetched((), Capture(url, datetime.now(UTC), "response", body, body, "", "text/plain"))

    gate = RobotsGate(fetch, "muniment/1", lambda: datetime.now(UTC))
    for _ in range(2):
        for number in range(origins):
            gate.check(f"http://h{number}.example/")
    assert len(fetched) == asked
    assert gate.knows(f"http://h{origins - 1}.example/a") and not gate.knows("http://another.example/")


def test_a_robots_file_that_failed_is_asked_for_again_soon(make_fetcher: Make) -> None:
    now = [datetime(2026, 11, 22, tzinfo=UTC)]
    failing = response(b"", status=b"503 Later")
    with RawServer({"/a": response(b"a"), "/robots.txt": [failing, response(b"")]}) as server:
        fetcher = make_fetcher(respect_robots=True, clock=lambda: now[0])
        assert [refused(fetcher, f"{server.url}/a") for _ in range(2)] == ["robots-unreachable", "robots-unreachable"]
        assert server.paths() == ["/robots.txt"]
        now[0] += timedelta(minutes=6)
        assert refused(fetcher, f"{server.url}/a") is None


def test_a_host_that_cannot_be_reached_is_named_so_and_not_as_a_refusal(make_fetcher: Make) -> None:
    with RawServer({}) as server:
        port = server.port
    assert refused(make_fetcher(respect_robots=True), f"http://127.0.0.1:{port}/page") == "connect"
    assert refused(make_fetcher(respect_robots=True, allow_private=False), "http://127.0.0.1/page") == "address"


def test_robots_may_be_left_out_by_policy(make_fetcher: Make) -> None:
    with RawServer({"/robots.txt": response(ALL), "/page": response(b"page")}) as server:
        assert refused(make_fetcher(respect_robots=False), f"{server.url}/page") is None
    assert server.paths() == ["/page"]


def fetch_all(fetcher: Fetcher, urls: list[str]) -> None:
    with ThreadPoolExecutor(len(urls)) as threads:
        assert all(isinstance(fetched.outcome, Capture) for fetched in threads.map(fetcher.fetch, urls))


def test_robots_is_fetched_once_for_all_threads(make_fetcher: Make) -> None:
    with RawServer({f"/{i}": response(b"page") for i in range(20)}) as server:
        fetch_all(make_fetcher(respect_robots=True), [f"{server.url}/{i}" for i in range(20)])
    assert server.paths().count("/robots.txt") == 1
    assert len(server.paths()) == 21


@pytest.mark.parametrize("per_host", [1, 3])
def test_a_host_gets_no_more_connections_at_a_time_than_allowed(per_host: int, make_fetcher: Make) -> None:
    lock, opened, most = threading.Lock(), 0, 0

    def count(connection: socket.socket) -> None:
        nonlocal opened, most
        with lock:
            opened += 1
            most = max(most, opened)
        time.sleep(0.02)
        with lock:
            opened -= 1
        connection.sendall(response(b"page"))

    with RawServer({f"/{i}": count for i in range(12)}) as server:
        fetch_all(make_fetcher(per_host=per_host), [f"{server.url}/{i}" for i in range(12)])
    assert most == per_host


def test_waiting_for_others_at_a_host_costs_an_address_none_of_its_time(make_fetcher: Make) -> None:
    def slow(connection: socket.socket) -> None:
        time.sleep(0.3)
        connection.sendall(response(b"page"))

    with RawServer({f"/{i}": slow for i in range(6)}) as server:
        fetch_all(make_fetcher(url_timeout=1.0), [f"{server.url}/{i}" for i in range(6)])


def test_a_host_that_hangs_holds_up_no_other(make_fetcher: Make) -> None:
    with RawServer({"/": response(b"page")}) as server:
        server.replies["/hang"] = server.hang
        names = {f"{n}.example": f"127.0.0.1:{server.port}" for n in "ab"}
        fetcher = make_fetcher(resolve=names)
        with ThreadPoolExecutor(3) as threads:
            hanging = [threads.submit(fetcher.fetch, "http://a.example/hang") for _ in range(2)]
            assert isinstance(threads.submit(fetcher.fetch, "http://b.example/").result(5).outcome, Capture)
            assert not any(future.done() for future in hanging)
            server.released.set()
