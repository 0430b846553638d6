"""Manners towards hosts: the distance between requests, pauses that a host asks for, and what other hosts do meanwhile."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from muniment.ingest.fetch import Fetcher
from muniment.ingest.http import Held
from muniment.ingest.turns import Turns
from muniment.model import Attempt
from tests.ingest_fetch.rawserver import RawServer, response

Make = Callable[..., Fetcher]


def taken(turns: Turns, host: str, times: int) -> None:
    for _ in range(times):
        with turns.take(host):
            pass


def test_the_longest_of_the_distances_counts_and_other_hosts_are_not_touched() -> None:
    waits: list[float] = []
    turns = Turns(1, 10.0, 0.0, 60.0, waits.append)
    taken(turns, "a", 2)
    turns.crawl_delay("a", 30.0)
    taken(turns, "a", 2)
    taken(turns, "b", 1)
    assert [round(wait) for wait in waits] == [10, 20, 50]


def test_what_robots_txt_asks_for_has_an_end() -> None:
    waits: list[float] = []
    turns = Turns(1, 0.0, 0.0, 60.0, waits.append)
    turns.crawl_delay("a", 1e9)
    taken(turns, "a", 2)
    assert [round(wait) for wait in waits] == [60]


def test_the_distance_follows_how_long_the_host_takes_and_doubles_in_distress() -> None:
    waits: list[float] = []
    turns = Turns(1, 0.0, 2.0, 60.0, waits.append)
    taken(turns, "a", 1)
    turns.answered("a", 5.0)  # half of the new, half of the old: 5
    taken(turns, "a", 1)
    turns.answered("a", 0.0, distress=True)
    taken(turns, "a", 1)
    assert [round(wait) for wait in waits] == [5, 10]


def test_the_distance_lies_between_the_end_of_a_request_and_the_beginning_of_the_next() -> None:
    import time

    turns, moments = Turns(1, 0.15, 0.0, 60.0, time.sleep), []
    for _ in range(3):
        with turns.take("a"):
            moments.append(time.monotonic())
            time.sleep(0.1)
            moments.append(time.monotonic())
    assert min(moments[2] - moments[1], moments[4] - moments[3]) >= 0.15


def test_it_is_told_when_a_host_may_be_asked() -> None:
    turns = Turns(1, 10.0, 0.0, 60.0, lambda seconds: None)
    assert turns.ready_in("a", 30.0) == 0.0, "nobody asked it yet"
    with turns.take("a"):
        assert turns.ready_in("a", 30.0) == math.inf, "one is at it, and no more than one may be"
    assert 9 < turns.ready_in("a", 30.0) <= 10
    assert turns.ready_in("b", 30.0) == 0.0
    turns.pause("a", 20.0)
    assert 19 < turns.ready_in("a", 30.0) <= 20
    turns.pause("a", 40.0)
    assert turns.ready_in("a", 30.0) == 0.0, "whoever asks is refused, and needs not wait for that"
    with Turns(2, 0.0, 0.0, 60.0, lambda seconds: None).take("a"):
        assert turns.ready_in("b", 30.0) == 0.0


def test_a_pause_holds_for_all_but_the_one_that_waits_for_it() -> None:
    waits: list[float] = []
    turns = Turns(1, 0.0, 0.0, 60.0, waits.append)
    turns.pause("a", 40.0)
    with turns.take("a", again=True):
        assert waits == []
    taken(turns, "a", 1)
    assert (round(waits[0]), round(turns.paused("a")), turns.paused("b")) == (40, 40, 0.0)


def test_a_host_that_asks_for_an_hour_is_asked_once(make_fetcher: Make) -> None:
    busy = response(b"", b"Retry-After: 3600", status=b"503 Service Unavailable")
    with RawServer({"/": busy, "/a": response(b"x")}) as server:
        fetcher = make_fetcher()
        assert isinstance(fetcher.fetch(server.url + "/").outcome, Attempt)
        outcome = fetcher.fetch(server.url + "/a").outcome
        assert isinstance(outcome, Attempt) and outcome.reason == "retry-after"
        assert 3500 < fetcher.paused(server.url) <= 3600
        assert server.paths() == ["/"]


def test_a_crawl_delay_is_kept_between_all_requests(make_fetcher: Make, waits: list[float]) -> None:
    robots = response(b"User-agent: muniment\nCrawl-delay: 20\n")
    with RawServer({"/robots.txt": robots, "/a": response(b"x"), "/b": response(b"y")}) as server:
        fetcher = make_fetcher(respect_robots=True)
        fetcher.fetch(server.url + "/a")
        fetcher.fetch(server.url + "/b")
        assert fetcher.robots(server.url + "/c") == 20.0
    assert [round(wait) for wait in waits] == [20]


@pytest.mark.parametrize("status", [b"304 Not Modified", b"200 OK"])
def test_a_conditional_request_names_what_is_held(status: bytes, make_fetcher: Make) -> None:
    with RawServer({"/": response(b"", status=status)}) as server:
        held = Held(12, "an-id", '"tag"', "Sun, 22 Nov 2026 08:00:00 GMT")
        outcome = make_fetcher().fetch(server.url + "/", {server.url + "/": held}).outcome
        (request,) = server.requests
    assert b'If-None-Match: "tag"\r\nIf-Modified-Since: Sun, 22 Nov 2026 08:00:00 GMT\r\n' in request
    if status == b"200 OK":
        assert not isinstance(outcome, Attempt)
    else:
        assert isinstance(outcome, Attempt) and outcome.reason == "http-304" and outcome.capture is not None
        assert ("confirms", "#12") in outcome.capture.facts


def test_a_304_that_nobody_asked_for_is_a_failure_like_any(make_fetcher: Make) -> None:
    with RawServer({"/": response(b"", status=b"304 Not Modified")}) as server:
        outcome = make_fetcher().fetch(server.url + "/").outcome
    assert isinstance(outcome, Attempt) and outcome.reason == "http-304" and "answers 304" in outcome.detail
