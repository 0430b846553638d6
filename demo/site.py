"""Seven small newspapers on one loopback port, told apart by the Host header (HTTP/1.1).

    python demo/site.py --port 0 --print      first line the port, then one article URL a line

    with Site() as site:
        site.port, site.hosts, site.urls()    URLs as http://HOST/path: reach them with HOST:127.0.0.1:PORT
        site.publish_second_edition()         from outside: POST /__edition/2 (and /__edition/1 to go back)

An edition gives the same bytes each time, the Date header aside.
"""

from __future__ import annotations

import argparse
import email.utils
import gzip
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

if not __package__:  # run as a script: the package's parent is not on the path
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from demo.press import (
    PAPERS,
    Paper,
    list_links,
    read_edition,
    render_feed,
    render_plain,
    render_sitemap,
    render_story,
)

MOVED = ("tidewater-courier.example", "/story/48113", "/2012/02/19/record-house-fire")
DISALLOWED = ("rights-observer.example", "/members/witness-list")
GONE = ("rights-observer.example", "/reports/withdrawn-note")

PHOTO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 9"><rect width="16" height="9" fill="#8fa3a0"/></svg>'


@dataclass(frozen=True, slots=True)
class Reply:
    """A response before it meets a request. `streamed`: gzip (where the client takes it) inside chunked coding."""

    status: HTTPStatus
    headers: tuple[tuple[str, str], ...]
    entity: bytes
    streamed: bool = False

    def answer(self, *, head_only: bool, http_1_1: bool, takes_gzip: bool) -> bytes:
        """The bytes to send: status line, Date, Server, own headers, framing, and the entity unless `head_only`."""
        headers = [("Date", email.utils.formatdate(usegmt=True)), ("Server", "demo-press"), *self.headers]
        entity = self.entity
        if self.streamed:
            headers.append(("Vary", "Accept-Encoding"))
            if takes_gzip:
                headers.append(("Content-Encoding", "gzip"))
                entity = gzip.compress(entity, mtime=0)
        if self.streamed and http_1_1:
            headers.append(("Transfer-Encoding", "chunked"))
            entity = _chunk(entity)
        else:
            headers.append(("Content-Length", str(len(entity))))
        lines = [
            f"HTTP/1.1 {self.status.value} {self.status.phrase}",
            *(f"{k}: {v}" for k, v in headers),
            "",
            "",
        ]
        return "\r\n".join(lines).encode("ascii") + (b"" if head_only else entity)


def _chunk(entity: bytes, size: int = 1000) -> bytes:
    """The entity in chunked transfer coding (RFC 9112 section 7.1)."""
    parts = (entity[start : start + size] for start in range(0, len(entity), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def _text(text: str, kind: str = "text/plain", status: HTTPStatus = HTTPStatus.OK) -> Reply:
    return Reply(status, (("Content-Type", f"{kind}; charset=utf-8"),), text.encode())


def _page(paper: Paper, text: str, status: HTTPStatus = HTTPStatus.OK) -> Reply:
    kind = f"text/html; charset={paper.charset}" if paper.declared else "text/html"
    entity = text.encode(paper.charset, "xmlcharrefreplace")
    return Reply(status, (("Content-Type", kind), *paper.headers), entity, paper.streamed)


def build_replies(edition: int) -> Mapping[tuple[str, str], Reply]:
    """All replies of an edition by host and request target; under "404" each host's answer to any other target."""
    stories = read_edition(edition)
    replies: dict[tuple[str, str], Reply] = {}
    for paper in PAPERS:
        own = tuple(story for story in stories if story.paper == paper)
        replies |= {(paper.host, story.path): _page(paper, render_story(story, own)) for story in own}
        replies[paper.host, "/"] = _page(paper, render_plain(paper, paper.name, list_links(own)))
        replies[paper.host, "/robots.txt"] = _text(f"User-agent: *\nDisallow: {paper.disallow}\n")
        replies[paper.host, "/feed.xml"] = _text(render_feed(paper, own), "application/rss+xml")
        replies[paper.host, "/sitemap.xml"] = _text(render_sitemap(own), "application/xml")
        replies[paper.host, "/photo.svg"] = _text(PHOTO, "image/svg+xml")
        missing = render_plain(paper, "404", "<p>404 Not Found</p>")
        replies[paper.host, "404"] = _page(paper, missing, HTTPStatus.NOT_FOUND)
    host, old, new = MOVED
    moved = (("Content-Type", "text/plain; charset=utf-8"), ("Location", new))
    replies[host, old] = Reply(HTTPStatus.MOVED_PERMANENTLY, moved, f"Moved to {new}\n".encode())
    members = next(paper for paper in PAPERS if paper.host == DISALLOWED[0])
    replies[DISALLOWED] = _page(members, render_plain(members, "Witness list", "<p>For members and lawyers.</p>"))
    return replies


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for head and body: no wait for a delayed acknowledgement
    timeout = 30

    def __init__(self, site: Site, *connection: Any) -> None:
        self.site = site
        super().__init__(*connection)

    def do_GET(self) -> None:
        self._send(self.site.reply(self.headers.get("Host", ""), self.path))

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        edition = self.path.removeprefix("/__edition/")
        if edition in ("1", "2"):
            self.site.edition = int(edition)
            self._send(_text(f"edition {edition}\n"))
        else:
            self._send(_text("POST /__edition/1 or /__edition/2\n", status=HTTPStatus.NOT_FOUND))

    def _send(self, reply: Reply) -> None:
        answer = reply.answer(
            head_only=self.command == "HEAD",
            http_1_1=self.request_version == "HTTP/1.1",
            takes_gzip="gzip" in self.headers.get("Accept-Encoding", "gzip"),
        )
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the demonstration's output is muniment's."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a client may keep its connection open longer than the site lives


class Site:
    """The running site. `edition` is 1 or 2 and may be set at any time."""

    hosts = tuple(paper.host for paper in PAPERS)
    moved_url = f"http://{MOVED[0]}{MOVED[1]}"
    moved_to_url = f"http://{MOVED[0]}{MOVED[2]}"
    disallowed_url = "http://{}{}".format(*DISALLOWED)
    gone_url = "http://{}{}".format(*GONE)

    def __init__(self, port: int = 0) -> None:
        self.edition = 1
        self._replies = {edition: build_replies(edition) for edition in (1, 2)}
        self._server = _Server(("127.0.0.1", port), partial(_Handler, self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        return self._server.server_port

    def urls(self) -> list[str]:
        """The articles' URLs, by paper, newest first."""
        return [story.url for story in read_edition(1)]

    def edited_url(self) -> str:
        """The one article that differs between the editions."""
        first, second = (read_edition(edition) for edition in (1, 2))
        return next(old.url for old, new in zip(first, second, strict=True) if old != new)

    def publish_second_edition(self) -> None:
        self.edition = 2

    def reply(self, host: str, target: str) -> Reply:
        """What the current edition answers; 421 for a host that is not ours."""
        name = host.lower().partition(":")[0]
        if name not in self.hosts:
            return _text("no such host here\n", status=HTTPStatus.MISDIRECTED_REQUEST)
        replies = self._replies[self.edition]
        return replies.get((name, target), replies[name, "404"])

    def __enter__(self) -> Site:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait(self) -> None:
        """Serves until the process is interrupted."""
        self._thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description="Serves the demonstration's newspapers on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one (default: 8000)")
    parser.add_argument("--print", action="store_true", help="print the port, then one article URL a line")
    options = parser.parse_args()
    with Site(options.port) as site:
        if options.print:
            sys.stdout.write("\n".join([str(site.port), *site.urls(), ""]))
            sys.stdout.flush()
        try:
            site.wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
