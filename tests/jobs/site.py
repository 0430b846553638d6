"""Newspapers on loopback that live through a year: articles appear, are edited in silence and vanish, feeds fall
silent, and servers have their bad days. What is answered goes by a clock that the caller owns.

    with Site(clock) as site:
        site.papers["courier.example"] = Paper(...)
        site.asked    # (time, host, path, status) of every request
"""

from __future__ import annotations

import hashlib
import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple

IN_FEED = 8
WORDS = [
    "ferry",
    "harbour",
    "council",
    "bridge",
    "winter",
    "market",
    "school",
    "river",
    "lantern",
    "station",
    "gravel",
    "orchard",
    "debate",
    "budget",
    "signal",
    "window",
    "captain",
    "ledger",
    "meadow",
    "tunnel",
    "repair",
    "committee",
    "voyage",
    "shelter",
    "quarry",
    "archive",
    "notice",
    "timber",
]


@dataclass
class Story:
    """An article: when it appears, is edited, and vanishes."""

    number: int
    born: datetime
    edits: list[datetime] = field(default_factory=list)
    gone: datetime | None = None

    def revision(self, now: datetime) -> int:
        return sum(edit <= now for edit in self.edits)


class Trouble(NamedTuple):
    """A bad time of a server: `busy` (429 with Retry-After), `error` (503), `reset`, `stall`."""

    start: datetime
    end: datetime
    kind: str


@dataclass
class Paper:
    """One host: its articles, its troubles, and the seed of its texts."""

    name: str
    stories: list[Story]
    troubles: list[Trouble] = field(default_factory=list)
    retry_after: int = 3600

    def trouble(self, now: datetime) -> str | None:
        return next((trouble.kind for trouble in self.troubles if trouble.start <= now < trouble.end), None)

    def text(self, story: Story, revision: int) -> str:
        rng = random.Random(f"{self.name} {story.number}")
        paragraphs = []
        for _ in range(4):
            words = [rng.choice(WORDS) for _ in range(40)]
            paragraphs.append(f"The {' '.join(words)} of number {story.number}.")
        paragraphs.append(f"This text stands in its revision {revision} of the {story.number}th report.")
        return "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)

    def page(self, story: Story, now: datetime) -> bytes:
        title = f"The {story.number}th report of {self.name}"
        return (
            f'<html lang="en"><head><title>{title}</title>'
            f'<meta property="article:published_time" content="{story.born.isoformat()}"></head>'
            f"<body><article><h1>{title}</h1>{self.text(story, story.revision(now))}</article></body></html>"
        ).encode()

    def feed(self, base: str, now: datetime) -> bytes:
        there = [story for story in self.stories if story.born <= now and not (story.gone and story.gone <= now)]
        items = "".join(
            f"<item><title>Report {story.number}</title><link>{base}/story/{story.number}</link>"
            f"<pubDate>{format_datetime(story.born)}</pubDate></item>"
            for story in there[-IN_FEED:]
        )
        return f'<?xml version="1.0"?><rss version="2.0"><channel><title>x</title>{items}</channel></rss>'.encode()


class Site:
    """The running server, for every host that is resolved to it."""

    def __init__(self, clock: Callable[[], datetime], stall: float = 0.4) -> None:
        self.clock = clock
        self.papers: dict[str, Paper] = {}
        self.asked: list[tuple[datetime, str, str, int]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20

            def do_GET(self) -> None:
                site.answer(self, site.clock(), stall)

            def log_message(self, format: str, *args: object) -> None:
                """What was asked stands in `asked`."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that was killed is no matter of the server's."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def base(self, host: str) -> str:
        return f"http://{host}:{self.port}"

    def answer(self, handler: BaseHTTPRequestHandler, now: datetime, stall: float) -> None:
        host = handler.headers.get("Host", "").partition(":")[0]
        paper = self.papers[host]
        trouble = paper.trouble(now)
        if trouble in ("reset", "stall"):
            self.asked.append((now, host, handler.path, 0))
            if trouble == "stall":
                time.sleep(stall)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.close_connection = True
            return
        status, body, kind = self._content(paper, host, handler.path, now)
        headers = {}
        if trouble == "busy" and handler.path != "/robots.txt":
            status, body, headers = 429, b"", {"Retry-After": str(paper.retry_after)}
        elif trouble == "error" and handler.path != "/robots.txt":
            status, body = 503, b""
        elif status == 200:
            headers["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            if handler.headers.get("If-None-Match") == headers["ETag"]:
                status, body = 304, b""
        self.asked.append((now, host, handler.path, status))
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        if status != 304:
            handler.send_header("Content-Type", kind)
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _content(self, paper: Paper, host: str, path: str, now: datetime) -> tuple[int, bytes, str]:
        if path == "/robots.txt":
            return 200, b"User-agent: *\nAllow: /\n", "text/plain"
        if path == "/feed.xml":
            return 200, paper.feed(self.base(host), now), "application/rss+xml"
        if path.startswith("/story/"):
            number = int(path.removeprefix("/story/"))
            story = next((one for one in paper.stories if one.number == number and one.born <= now), None)
            if story is not None and story.gone is not None and story.gone <= now:
                return 410, b"gone", "text/plain"
            if story is not None:
                return 200, paper.page(story, now), "text/html; charset=utf-8"
        return 404, b"not here", "text/plain"

    def __enter__(self) -> Site:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


def stories(
    rng: random.Random, begin: datetime, end: datetime, every: timedelta, *, edited: float, gone: float
) -> list[Story]:
    """Articles that appear about so often; a share of them is edited, up to three times, and some go.

    An edit comes when the one before it can have been found, which takes as long again as the text stood before that
    and some days until the next run; only then can be said of each of them when it has to be found.
    """
    made, at = [], begin
    while (at := at + every * rng.uniform(0.4, 1.6)) < end:
        story = Story(len(made) + 1, at)
        last, found = at, at
        if rng.random() < edited:
            for _ in range(rng.randint(1, 3)):
                edit = found + timedelta(days=rng.choice((1, 3, 8, 20, 60)) * rng.uniform(0.7, 1.4))
                stood = min(edit - last, timedelta(days=60))
                if edit + stood + timedelta(days=12) > end:
                    break
                story.edits.append(edit)
                last, found = edit, edit + stood + timedelta(days=8)
        if rng.random() < gone:
            story.gone = found + timedelta(days=rng.uniform(2, 90))
        made.append(story)
    return made
