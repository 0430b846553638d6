"""How a run treats hosts, as these see it: one connection each, in turns of their own, and left alone when they say so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from muniment.archive.archive import Archive
from muniment.frontier import MOST_TRIES, Frontier, Wanted
from muniment.ingest.clean.workers import Workers
from muniment.ingest.fetch import Fetcher
from muniment.ingest.policy import FetchPolicy
from muniment.jobs import due, keeping
from muniment.jobs.pauses import read_pauses
from muniment.jobs.report import Report, Source, iso
from muniment.jobs.running import World
from tests.discovering.newspaper import story

BEGIN = datetime(2026, 2, 1, 12, tzinfo=UTC)


class Visit(NamedTuple):
    """One request, in seconds on the monotonic clock."""

    host: str
    path: str
    begun: float
    ended: float


class Answer(NamedTuple):
    body: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


class Hosts:
    """Many hosts by name, on one port of loopback; each has a feed of its stories, until `answer` says otherwise."""

    def __init__(self) -> None:
        self.visits: list[Visit] = []
        self.answer: Callable[[str, str], Answer | None] = lambda host, path: None
        self.talk: Callable[[str, str, Callable[[bytes], object]], object] = lambda host, path, write: None
        self.feeds: dict[str, list[int]] = {}
        hosts = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                begun, host = time.monotonic(), self.headers["Host"].partition(":")[0]
                body, status, headers = hosts.answer(host, self.path) or hosts._stock(host, self.path)
                self.send_response(status)
                for name, value in headers:  # no length: the end of the connection is the end of it
                    self.send_header(name, value)
                self.end_headers()
                hosts.visits.append(Visit(host, self.path, begun, time.monotonic()))
                hosts.talk(host, self.path, self.wfile.write)
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]

    def _stock(self, host: str, path: str) -> Answer:
        if path == "/feed.xml":
            items = "".join(f"<item><link>{self.url(host)}/story/{n}</link></item>" for n in self.feeds[host])
            return Answer(f"<rss version='2.0'><channel><title>x</title>{items}</channel></rss>".encode())
        if path.startswith("/story/"):
            number = int(path.removeprefix("/story/"))
            return Answer(story(number, title=f"Number {number} of {host}"), 200, (("Content-Type", "text/html"),))
        return Answer(b"not here", 404)

    def url(self, host: str) -> str:
        return f"http://{host}:{self.port}"

    def of(self, host: str) -> list[str]:
        return [visit.path for visit in self.visits if visit.host == host]

    def __enter__(self) -> Hosts:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(2) as pool:
        yield pool


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with Hosts() as running:
        yield running


RunJob = Callable[..., Report]


@pytest.fixture
def run(root: Path, workers: Workers, hosts: Hosts) -> RunJob:
    """Runs a job over the feeds of these hosts, so much later than BEGIN, each time as another process would."""

    def run(
        names: list[str],
        later: timedelta = timedelta(0),
        *,
        limits: str = "delay = 0",
        really: bool = False,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Report:
        feeds = ", ".join(f'"{hosts.url(name)}/feed.xml"' for name in names)
        resolved = ", ".join(f'"{name}:127.0.0.1"' for name in {*hosts.feeds, *names})
        text = f'schedule = "every day"\nallow_private = true\nfeeds = [{feeds}]\nresolve = [{resolved}]\n'
        keeping.write(root, "job", f"{text}revisit = false\n[limits]\nfree = 0\n{limits}\n")
        hosts.visits.clear()
        now = BEGIN + later

        def fetcher(policy: FetchPolicy) -> Fetcher:
            return Fetcher(policy, clock=lambda: now, sleep=time.sleep if really else lambda seconds: None)

        (outcome,) = due.run_due(root, World(lambda: now, fetcher, workers, stopped=stopped), ["job"])
        assert outcome.report is not None
        return outcome.report

    return run


def source(report: Report, hosts: Hosts, host: str) -> Source:
    return report.sources[f"feed {hosts.url(host)}/feed.xml"]


def titles(root: Path, host: str) -> set[str]:
    with Archive(root) as archive:
        found = (archive.catalog.snapshot(number) for number in range(archive.size))
        return {one.title for one in found if one and one.title and one.url and host in one.url}


# ---- turns


def test_hosts_are_asked_in_parallel_and_each_of_them_one_at_a_time_and_apart(run: RunJob, hosts: Hosts) -> None:
    names = [f"h{n}.example" for n in range(8)]
    hosts.feeds = {name: [1, 2, 3] for name in names}
    slow = "h3.example"

    def answer(host: str, path: str) -> None:
        time.sleep(0.25 if host == slow else 0.02)

    hosts.answer = answer  # type: ignore[assignment]  # it takes its time, and answers what is there
    report = run(names, limits="delay = 0.3", really=True)
    assert report.total("new") == 3 * len(names) and report.state == "done"
    for name in names:
        visits = [visit for visit in hosts.visits if visit.host == name]
        assert len(visits) == 5, "robots.txt, the feed, and three stories"
        # Between the end of one and the beginning of the next, so that no clock's lateness can be in the way.
        assert min(after.begun - before.ended for before, after in pairwise(visits)) >= 0.3 - 0.01, name
    firsts = sorted(min(v.begun for v in hosts.visits if v.host == name) for name in names)
    stories = [visit for visit in hosts.visits if visit.path.startswith("/story/")]
    assert firsts[-1] < min(visit.begun for visit in stories), "nobody waits until another is done"
    assert max(v.begun for v in stories if v.path == "/story/1") < min(v.ended for v in stories if v.path == "/story/3")
    assert firsts[-1] - firsts[0] > 0.02 * (len(names) - 1) * 0.8, "but they do not begin in the same instant"


def test_hosts_that_are_to_be_waited_for_hold_up_no_other(run: RunJob, hosts: Hosts) -> None:
    slow = [f"slow{n}.example" for n in range(18)]
    hosts.feeds = {name: [1] for name in slow} | {"quick.example": list(range(1, 11))}

    def answer(host: str, path: str) -> Answer | None:
        wait = path == "/robots.txt" and host != "quick.example"
        return Answer(b"User-agent: *\nCrawl-delay: 3\n") if wait else None

    hosts.answer = answer
    run([*slow, "quick.example"], limits="delay = 0.05", really=True)
    last = max(visit.ended for visit in hosts.visits if visit.host == "quick.example")
    waited = min(visit.begun for visit in hosts.visits if visit.host in slow and visit.path == "/story/1")
    assert last < waited


def test_pages_come_before_the_rules_of_all_hosts_are_known(
    run: RunJob, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muniment.discovering.FLIGHTS", 4)
    monkeypatch.setattr("muniment.discovering.hosts.APART", 0.0)  # so that all of them might be begun with
    names = [f"h{n}.example" for n in range(20)]
    hosts.feeds = {"agency.example": []} | {name: [] for name in names}
    links = "".join(f"<item><link>{hosts.url(name)}/story/1</link></item>" for name in names)
    feed = Answer(f"<rss version='2.0'><channel><title>x</title>{links}</channel></rss>".encode())
    hosts.answer = lambda host, path: feed if path == "/feed.xml" else None
    report = run(["agency.example"])
    assert report.total("new") == len(names)
    first = min(visit.begun for visit in hosts.visits if visit.path == "/story/1")
    rules = [visit for visit in hosts.visits if visit.path == "/robots.txt" and visit.begun < first]
    assert len(rules) <= 10, "a run that gives way after some time would never come to a page"


@pytest.mark.parametrize(("size", "patience", "most"), [(2_000, 20.0, range(30, 31)), (2_000_000, 1.5, range(16, 24))])
def test_of_large_answers_fewer_are_under_way(
    run: RunJob, hosts: Hosts, size: int, patience: float, most: range
) -> None:
    names = [f"h{n}.example" for n in range(30)]
    hosts.feeds = {name: [] for name in names}
    begun, lock, at_once = set[str](), threading.Lock(), 0
    everybody = threading.Event()

    def talk(host: str, path: str, write: Callable[[bytes], object]) -> None:
        nonlocal at_once
        if path != "/feed.xml":
            return
        write(b" " * size)
        with lock:
            begun.add(host)
            at_once = len(begun) if not everybody.is_set() else at_once
            if len(begun) == len(names):
                everybody.set()
        if not everybody.wait(patience):
            everybody.set()

    hosts.talk = talk
    run(names)
    assert at_once in most


# ---- hosts that ask to be left alone


@pytest.mark.parametrize("asked", ["3600", format_datetime(BEGIN + timedelta(hours=1), usegmt=True)])
@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_host_that_asks_for_an_hour_gets_it_from_every_process_and_nothing_is_lost(
    root: Path, run: RunJob, hosts: Hosts, status: int, asked: str
) -> None:
    hosts.feeds = {"busy.example": [1, 2, 3], "calm.example": [1, 2]}
    busy = Answer(b"later", status, (("Retry-After", asked),))
    hosts.answer = lambda host, path: busy if (host, path) == ("busy.example", "/story/2") else None
    report = run(["busy.example", "calm.example"])
    assert hosts.of("busy.example") == ["/robots.txt", "/feed.xml", "/story/1", "/story/2"]
    found = source(report, hosts, "busy.example")
    assert (found.tried, found.new, found.reasons) == (4, 1, {f"http-{status}": 1, "retry-after": 1})
    assert found.error
    assert source(report, hosts, "calm.example").new == 2

    hosts.answer = lambda host, path: None
    hosts.feeds = {"busy.example": [4], "calm.example": [3]}  # the others are in no feed any more
    report = run(["busy.example", "calm.example"], timedelta(minutes=59))
    assert hosts.of("busy.example") == [], "another process, and the hour is not over"
    found = source(report, hosts, "busy.example")
    assert (found.blocked, found.tried, found.is_down) == (3, 3, True)  # two stories and the feed
    assert found.error.endswith(f"asked to be left alone, or failed too often: until {iso(BEGIN + timedelta(hours=1))}")
    assert source(report, hosts, "calm.example").new == 1
    assert report.state != "failed"

    report = run(["busy.example", "calm.example"], timedelta(minutes=60, seconds=3))
    assert set(hosts.of("busy.example")) == {"/robots.txt", "/feed.xml", "/story/2", "/story/3", "/story/4"}
    found = source(report, hosts, "busy.example")
    assert (found.new, found.blocked, found.failed) == (3, 0, 0)
    assert titles(root, "busy.example") == {f"Number {n} of busy.example" for n in (1, 2, 3, 4)}


def test_a_run_that_is_cut_off_knows_whom_to_leave_alone_when_it_goes_on(root: Path, run: RunJob, hosts: Hosts) -> None:
    hosts.feeds = {"busy.example": [1, 2, 3, 4]}
    busy = Answer(b"later", 429, (("Retry-After", "86400"),))
    hosts.answer = lambda host, path: busy if path == "/story/1" else None
    with pytest.raises(KeyboardInterrupt):
        run(["busy.example"], stopped=lambda: "/story/1" in hosts.of("busy.example"))
    assert read_pauses(root, BEGIN)["busy.example"] == (pytest.approx(86400, abs=3), 1)
    report = run(["busy.example"], timedelta(minutes=1))
    assert (report.resumed, hosts.of("busy.example")) == (1, [])
    assert source(report, hosts, "busy.example").reasons["retry-after"] >= 3


def test_a_host_that_asks_for_years_is_asked_once_a_week(root: Path, run: RunJob, hosts: Hosts) -> None:
    hosts.feeds = {"busy.example": [1]}
    hosts.answer = lambda host, path: Answer(b"never", 503, (("Retry-After", "9999999999"),))
    run(["busy.example"])
    assert hosts.of("busy.example") == ["/robots.txt"]
    run(["busy.example"], timedelta(days=6, hours=23))
    assert hosts.of("busy.example") == []
    run(["busy.example"], timedelta(days=7, minutes=1))
    assert hosts.of("busy.example") == ["/robots.txt"]


def test_what_was_postponed_is_looked_at_even_when_its_feed_is_in_the_job_no_more(
    root: Path, run: RunJob, hosts: Hosts
) -> None:
    hosts.feeds = {"busy.example": [1, 2], "calm.example": [1]}
    busy = Answer(b"later", 503, (("Retry-After", "60"),))
    hosts.answer = lambda host, path: busy if path == "/story/1" and host == "busy.example" else None
    run(["busy.example", "calm.example"])
    hosts.answer = lambda host, path: None
    report = run(["calm.example"], timedelta(hours=1))
    assert source(report, hosts, "busy.example").new == 2
    assert "/feed.xml" not in hosts.of("busy.example")


def test_the_limit_of_pages_drops_nothing_that_was_postponed(root: Path, run: RunJob, hosts: Hosts) -> None:
    hosts.feeds = {"busy.example": [1, 2, 3, 4, 5, 6]}
    hosts.answer = lambda host, path: Answer(b"oops", 502) if path == "/story/1" else None
    run(["busy.example"], limits="delay = 0\npages = 2")
    assert "/story/3" not in hosts.of("busy.example")
    hosts.answer, hosts.feeds = (lambda host, path: None), {"busy.example": [7]}
    run(["busy.example"], timedelta(days=1))
    assert {"/story/1", "/story/7"} <= set(hosts.of("busy.example"))
    assert titles(root, "busy.example") == {f"Number {n} of busy.example" for n in (1, 2, 7)}


# ---- hosts that fail


def test_five_failures_in_a_row_open_the_breaker_it_doubles_and_one_answer_closes_it(
    root: Path, run: RunJob, hosts: Hosts
) -> None:
    hosts.feeds = {"broken.example": [1, 2, 3, 4], "calm.example": [1, 2, 3, 4]}
    both, down = ["broken.example", "calm.example"], Answer(b"oops", 500)
    hosts.answer = lambda host, path: down if host == "broken.example" and path.startswith("/story") else None
    report = run(both)
    asked = [path for path in hosts.of("broken.example") if path.startswith("/story")]
    assert asked == ["/story/1"] * 3 + ["/story/2"] * 2, "two pages with their retries, then it is left alone"
    assert source(report, hosts, "broken.example").reasons == {"http-500": 2, "retry-after": 2}
    assert source(report, hosts, "calm.example").new == 4
    assert read_pauses(root, BEGIN)["broken.example"] == (pytest.approx(60, abs=3), 5)

    run(both, timedelta(seconds=25))  # half a minute and less would be waited out
    assert hosts.of("broken.example") == []

    hosts.answer = lambda host, path: down if host == "broken.example" else None
    later = timedelta(seconds=65)
    run(both, later)
    assert hosts.of("broken.example") == ["/robots.txt"], "one request says that it is as it was"
    assert read_pauses(root, BEGIN + later)["broken.example"] == (pytest.approx(120, abs=3), 6)

    hosts.answer = lambda host, path: None
    run(both, later + timedelta(seconds=85))
    assert hosts.of("broken.example") == []
    report = run(both, later + timedelta(seconds=125))
    assert source(report, hosts, "broken.example").new == 4
    assert "broken.example" not in read_pauses(root, BEGIN + later + timedelta(seconds=125))


def test_a_page_that_always_fails_is_given_up_after_twenty_runs(tmp_path: Path) -> None:
    page = Wanted("http://half.example/1", "half.example/1", "half.example")
    runs = 0
    while True:
        frontier = Frontier(tmp_path / "discovery.sqlite", "a job", token=f"run {runs}")
        frontier.put([page] if not runs else [])
        wanted = frontier.next("half.example", listing=False)
        if wanted is None:
            break
        runs += 1
        assert frontier.failed(wanted) == (runs < MOST_TRIES == 20)
        frontier.finish(keep=False)
        frontier.close()
    frontier.close()
    assert runs == 20


def test_two_jobs_of_one_call_keep_the_distance_between_them(root: Path, workers: Workers, hosts: Hosts) -> None:
    hosts.feeds = {"h.example": [1, 2]}
    for number in (1, 2):
        text = f'schedule = "every day"\nallow_private = true\nurls = ["{hosts.url("h.example")}/story/{number}"]\n'
        more = 'resolve = ["h.example:127.0.0.1"]\nrevisit = false\nlimits = { free = 0, delay = 0.6 }\n'
        keeping.write(root, f"job{number}", text + more)
    reports = [outcome.report for outcome in due.run_due(root, World(workers=workers), ["job1", "job2"])]
    assert [report.total("new") for report in reports if report] == [1, 1]
    assert hosts.of("h.example") == ["/robots.txt", "/story/1", "/robots.txt", "/story/2"]
    assert min(after.begun - before.ended for before, after in pairwise(hosts.visits)) >= 0.6 - 0.01
