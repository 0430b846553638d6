"""A newspaper on loopback: articles, a feed, sitemaps of each kind, robots.txt; it answers conditional requests.

    with Newspaper() as paper:
        paper.url, paper.asked, paper.pages["/story/1"] = Page(b"...")

It keeps what it was asked (`asked`, with the headers), and can be told to answer otherwise for a while.
"""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

STORIES = 6


@dataclass
class Page:
    """An answer. With `tagged` it has an ETag, and is not sent to whoever names that."""

    body: bytes
    kind: str = "text/html; charset=utf-8"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    tagged: bool = True
    before: Callable[[], object] = lambda: None

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'


def story(number: int, *, title: str = "", extra: str = "") -> bytes:
    """A page whose own words say when and by whom it was written only in `extra`."""
    text = " ".join(
        f"The ferry of pier {number} carried {n * 7 + number} passengers and their luggage across the sound."
        for n in range(9)
    )
    head = title or f"The {number}th crossing of the season"
    return (
        f"<html lang=en><head><title>{head}</title>{extra}</head><body><article><h2>{head}</h2><p>{text}</p>"
        f"<p>At the far side nobody of the {number} waiting carts was left.</p></article></body></html>"
    ).encode()


class Newspaper:
    """The running server."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.pages: dict[str, Page] = {}
        paper = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20

            def do_GET(self) -> None:
                paper.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                page = paper.pages.get(self.path, Page(b"not here", status=404, tagged=False))
                page.before()
                unchanged = page.tagged and page.status == 200 and self.headers.get("If-None-Match") == page.etag
                body = b"" if unchanged else page.body
                self.send_response(304 if unchanged else page.status)
                for name, value in page.headers.items():
                    self.send_header(name, value)
                if page.tagged:
                    self.send_header("ETag", page.etag)
                if not unchanged:
                    self.send_header("Content-Type", page.kind)
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._stock()

    def _stock(self) -> None:
        for number in range(1, STORIES + 1):
            links = f'<a href="/story/{number + 1}">next</a>' if number < STORIES else ""
            self.pages[f"/story/{number}"] = self.pages[f"/story/{number}?utm_source=rss"] = Page(
                story(number).replace(b"</body>", links.encode() + b"</body>")
            )
        items = "".join(
            f"<item><title>As the feed has it, {n}</title><link>{self.url}/story/{n}?utm_source=rss</link>"
            f"<guid isPermaLink='false'>tag:{n}</guid><pubDate>Mon, 0{n} Jun 2026 2{n % 4}:30:00 -0500</pubDate>"
            f"<author>desk@paper.example (Ada Quill)</author><category>Ferries</category></item>"
            for n in range(1, 4)
        )
        self.feed = f"<rss version='2.0'><channel><title>The Sound</title>{items}</channel></rss>".encode()
        self.pages["/feed.xml"] = Page(self.feed, "application/rss+xml")
        robots = f"User-agent: *\nDisallow: /members\nSitemap: {self.url}/index.xml\n"
        self.pages["/robots.txt"] = Page(robots.encode(), "text/plain")
        index = "".join(
            f"<sitemap><loc>{self.url}/{name}</loc></sitemap>" for name in ("news.xml", "old.xml.gz", "list.txt")
        )
        self.pages["/index.xml"] = Page(f"<sitemapindex>{index}</sitemapindex>".encode(), "application/xml")
        news = (
            f"<urlset xmlns:news='http://www.google.com/schemas/sitemap-news/0.9'><url><loc>{self.url}/story/1</loc>"
            "<news:news><news:publication><news:name>The Sound</news:name><news:language>en</news:language>"
            "</news:publication><news:publication_date>2026-06-01T20:30:00-05:00</news:publication_date>"
            "<news:title>As the sitemap has it</news:title></news:news></url></urlset>"
        )
        self.pages["/news.xml"] = Page(news.encode(), "application/xml")
        old = "".join(f"<url><loc>{self.url}/story/{n}</loc><lastmod>2019-0{n}-01</lastmod></url>" for n in (2, 3))
        self.pages["/old.xml.gz"] = Page(gzip.compress(f"<urlset>{old}</urlset>".encode()), "application/gzip")
        self.pages["/list.txt"] = Page(f"{self.url}/story/4\n{self.url}/members/a\n".encode(), "text/plain")
        home = "".join(f'<a href="{href}">x</a>' for href in ("/story/1", "/story/5?b=1&amp;utm_medium=x", "/members/a",
                       "/photo.jpg", "http://elsewhere.example/", "mailto:a@b.example"))  # fmt: skip
        feed = '<link rel="alternate" type="application/rss+xml" href="/feed.xml">'
        self.pages["/"] = Page(f"<html><head><title>The Sound</title>{feed}</head><body>{home}</body></html>".encode())
        self.pages["/story/5?b=1"] = self.pages["/story/5?b=1&utm_medium=x"] = self.pages["/story/5"]

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def __enter__(self) -> Newspaper:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
