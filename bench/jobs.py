"""One run of a job over 500 feeds on 50 hosts: how mannerly, and how near to what manners and two cores allow.

    python -m bench.jobs [--articles 10000] [--hosts 50] [--feeds 500] [--delay 1.0 ...] [--sample 2000]

The hosts are addresses of loopback (127.1.0.1 and on), served by one process that writes down when each connection
came, when its request was read, and when it was closed. All that is said of manners is from that log, and where they
were broken, or articles are missing, that is said and the bench ends with 1:

    at a time     most connections that were open to one host at once
    gap           least seconds between two requests to a host, begin to begin, as the server read its clock
    pause         least seconds between the end of a connection to a host and the beginning of the next
    first second  hosts that were asked within a second of the first request; `apart`: least between two first requests

The limit is the lower of two. Manners: hosts / delay, in requests, of which robots.txt and feeds are some, so that
articles can be no more than their share of it. Cores: what `muniment add` does in this very run with the same pages
as files; that is without a network, so a job that fetches cannot quite come to it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, NamedTuple

from bench.common import ENVIRONMENT, MUNIMENT, WORK, Timed, new_archive, pages, table, timed

PORT = 8471
_TITLE = re.compile(r"<title>(.*?)</title>", re.S)


class Visit(NamedTuple):
    """One connection: seconds on the monotonic clock, which all processes of a machine share."""

    host: str
    path: str
    opened: float
    asked: float
    closed: float


@dataclass(frozen=True)
class Size:
    articles: int
    hosts: int
    feeds: int

    def host(self, number: int) -> str:
        number %= self.hosts
        return f"127.1.{number // 250}.{number % 250 + 1}"

    def feed_urls(self) -> list[str]:
        return [f"http://{self.host(feed)}:{PORT}/feed-{feed}.xml" for feed in range(self.feeds)]

    def articles_of(self, feed: int) -> range:
        return range(feed, self.articles, self.feeds)


# ---- the server


class Hosts(asyncio.Protocol):
    """One connection to one of the hosts."""

    visits: ClassVar[list[Visit]] = []
    pages: ClassVar[dict[str, bytes]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._opened, self._asked, self._path, self._head = time.monotonic(), 0.0, "", b""
        self._transport, self._host = transport, transport.get_extra_info("sockname")[0]

    def data_received(self, data: bytes) -> None:
        self._head += data
        if b"\r\n\r\n" in self._head and not self._asked:
            self._asked = time.monotonic()
            self._path = self._head.split()[1].decode()
            self._transport.write(_answer(self._host, self._path, self.pages))
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.visits.append(Visit(self._host, self._path, self._opened, self._asked, time.monotonic()))


def _answer(host: str, path: str, made: dict[str, bytes]) -> bytes:
    kind, status = "text/html; charset=utf-8", "200 OK"
    if path == "/robots.txt":
        body, kind = b"User-agent: *\nDisallow: /admin/\n", "text/plain"
    elif path.endswith(".xml"):
        body, kind = made[path], "application/rss+xml"
    elif m := re.fullmatch(r"/story/(\d+)\.html", path):
        body = (Path(os.environ["BENCH_PAGES"]) / f"page-{int(m[1]):07}.html").read_bytes()
    else:
        body, status = b"not here", "404 Not Found"
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


async def _serve(size: Size, log: Path) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    folder = Path(os.environ["BENCH_PAGES"])
    for feed in range(size.feeds):
        host = size.host(feed)
        items = "".join(
            f"<item><title>{_title(folder, n)}</title><link>http://{host}:{PORT}/story/{n}.html</link></item>"
            for n in size.articles_of(feed)
        )
        text = f"<?xml version='1.0'?><rss version='2.0'><channel><title>Feed {feed}</title>{items}</channel></rss>"
        Hosts.pages[f"/feed-{feed}.xml"] = text.encode()
    for number in range(size.hosts):
        await loop.create_server(Hosts, size.host(number), PORT, backlog=100)
    print("ready", flush=True)
    await ended.wait()
    log.write_text("\n".join(json.dumps(visit) for visit in Hosts.visits))


def _title(folder: Path, number: int) -> str:
    m = _TITLE.search((folder / f"page-{number:07}.html").read_text())
    return m[1] if m else f"Story {number}"


@contextlib.contextmanager
def server(size: Size, folder: Path, log: Path) -> Iterator[None]:
    numbers = [str(n) for n in (size.articles, size.hosts, size.feeds)]
    command = [sys.executable, "-m", "bench.jobs", "--serve", *numbers, str(log)]
    environment = {**ENVIRONMENT, "BENCH_PAGES": str(folder)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            sys.exit("bench: the server of the hosts did not start")
        try:
            yield
        finally:
            process.terminate()
            process.wait()


# ---- what is read from its log


@dataclass(frozen=True)
class Manners:
    at_a_time: int
    gap: float
    pause: float
    first_second: int
    apart: float
    requests: int
    stories: int
    twice: int
    seconds: float


def manners(visits: Sequence[Visit]) -> Manners:
    by_host: dict[str, list[Visit]] = {}
    for visit in sorted(visits, key=lambda visit: visit.opened):
        by_host.setdefault(visit.host, []).append(visit)
    pairs = [pair for of_host in by_host.values() for pair in pairwise(of_host)]
    firsts = sorted(of_host[0].opened for of_host in by_host.values())
    stories = [(v.host, v.path) for v in visits if v.path.startswith("/story/")]
    return Manners(
        max(_most_open(of_host) for of_host in by_host.values()),
        min(b.opened - a.opened for a, b in pairs),
        min(b.opened - a.closed for a, b in pairs),
        sum(first < firsts[0] + 1 for first in firsts),
        min(b - a for a, b in pairwise(firsts)),
        len(visits),
        len(stories),
        len(stories) - len(set(stories)),
        max(v.closed for v in visits) - firsts[0],
    )


def faults(found: Manners, size: Size, delay: float, held: int) -> list[str]:
    """What was broken: manners, as the server saw them, or articles that the archive does not hold."""
    said = (
        (found.at_a_time > 1, f"{found.at_a_time} connections were open to one host at once"),
        (found.gap < delay, f"two requests to a host were {found.gap:.3f} s apart, and not {delay:g}"),
        (found.twice > 0, f"{found.twice} stories were asked for twice"),
        (found.stories - found.twice != size.articles, f"{found.stories} stories were asked for"),
        (held != size.articles, f"the archive holds {held:,} articles, and not {size.articles:,}"),
    )
    return [text for broken, text in said if broken]


def _most_open(visits: Sequence[Visit]) -> int:
    changes = sorted([(v.opened, 1) for v in visits] + [(v.closed, -1) for v in visits])
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


# ---- the runs


def run_job(size: Size, folder: Path, delay: float) -> tuple[Manners, Timed, list[str]]:
    """What the hosts saw of the run, what it took, and what was broken."""
    root = new_archive("archive-jobs")
    (root / "jobs").mkdir(exist_ok=True)
    feeds = ",\n".join(f'  "{url}"' for url in size.feed_urls())
    (root / "jobs" / "all.toml").write_text(
        f'schedule = "every day"\nfeeds = [\n{feeds},\n]\nallow_private = true\n\n[limits]\ndelay = {delay}\n'
    )
    log = WORK / "jobs-server.jsonl"
    with server(size, folder, log):
        ran = timed([*MUNIMENT, "--archive", root, "jobs", "run", "all"], expect=(0, 4))
    found = manners([Visit(*json.loads(line)) for line in log.read_text().splitlines()])
    held = json.loads(subprocess.check_output([*MUNIMENT, "--archive", root, "status", "--json"], env=ENVIRONMENT))
    return found, ran, faults(found, size, delay, held["articles"])


def add_rate(folder: Path, count: int) -> tuple[float, float]:
    """Pages a second of `muniment add` from files, and CPU milliseconds a page."""
    files = WORK / "pages-to-add"
    files.mkdir(exist_ok=True)
    for old in files.iterdir():
        old.unlink()
    for number in range(count):
        os.link(folder / f"page-{number:07}.html", files / f"page-{number:07}.html")
    ran = timed([*MUNIMENT, "--archive", new_archive("archive-add"), "add", "-q", files])
    return count / ran.wall, 1000 * ran.cpu / count


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.jobs")
    parser.add_argument("--articles", type=int, default=10_000)
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--feeds", type=int, default=500)
    parser.add_argument("--delay", type=float, nargs="+", default=[1.0])
    parser.add_argument("--sample", type=int, default=2000, help="pages of which the rate of `muniment add` is taken")
    options = parser.parse_args()
    size = Size(options.articles, options.hosts, options.feeds)
    folder = pages(size.articles)
    print(f"{size.articles:,} articles, {size.feeds} feeds, {size.hosts} hosts; load before {os.getloadavg()[0]:.2f}\n")
    rows, seen, broken = [], [], list[str]()
    for delay in options.delay:
        added, cpu_added = add_rate(folder, min(options.sample, size.articles))
        found, ran, said = run_job(size, folder, delay)
        broken += [f"with {delay:g} s: {text}" for text in said]
        rate = size.articles / ran.wall
        polite = size.hosts / delay * size.articles / found.requests if delay else float("inf")
        limit = min(polite, added)
        rows.append(
            [f"{delay:g}", f"{ran.wall:.0f}", f"{rate:.1f}", f"{polite:.1f}", f"{added:.1f}", f"{rate / limit:.2f}",
             f"{1000 * ran.cpu / size.articles:.1f}", f"{cpu_added:.1f}", f"{os.getloadavg()[0]:.1f}"]
        )  # fmt: skip
        seen.append(
            [f"{delay:g}", f"{found.requests:,}", found.twice, found.at_a_time, f"{found.gap:.3f}",
             f"{found.pause:.3f}", found.first_second, f"{1000 * found.apart:.0f}"]
        )  # fmt: skip
    head = ["delay, s", "seconds", "articles/s", "manners allow", "`add` of files", "share of the lower (0.80)",
            "CPU ms an article", "of `add`", "load"]  # fmt: skip
    table("one run, whole command", head, rows)
    head = ["delay, s", "requests", "stories asked twice", "at a time (1)", "gap, s", "pause, s", "first second",
            "apart, ms"]  # fmt: skip
    table("as the server saw it", head, seen)
    if broken:
        sys.exit("bench: " + "\n       ".join(broken))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(_serve(Size(*map(int, sys.argv[2:5])), Path(sys.argv[5])))
    else:
        main()
