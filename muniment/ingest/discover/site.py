"""The links of a page: to what a crawl may go on to, and to the feeds that the page names. Pure.

A page says itself which links it does not vouch for (`nofollow`), and which address is its own (`canonical`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from muniment.ingest.discover.feeds import _FEED_TYPES, _line, _web_address, urljoin_safe
from muniment.ingest.discover.listing import MAX_ENTRIES, Entry, Listing
from muniment.ingest.discover.xml import text_of

if TYPE_CHECKING:
    from lxml.html import HtmlElement

MAX_LINKS = 20_000
_MAX_URL = 2000  # what is longer was made by a machine, and may be made longer for ever
_MAX_PARAMETERS = 12
_NO_PAGE = re.compile(
    r"\.(?:css|js|mjs|json|xml|rss|atom|ico|svg|png|jpe?g|gif|webp|avif|bmp|tiff?|mp[34]|m4[av]|mov|avi|webm|ogg|oga|wav"
    r"|flac|woff2?|ttf|eot|otf|zip|gz|tgz|bz2|xz|7z|rar|exe|dmg|apk|iso|bin|swf|ics|vcf)$",
    re.I,
)


def read_page(text: str, base: str, *, links: bool) -> Listing:
    """The page's links as entries, or only the feeds that it names as `more`."""
    from lxml.etree import ParserError
    from lxml.html import HTMLParser, document_fromstring

    parser = HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        tree = document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (ParserError, ValueError) as e:
        return Listing("page", "html", problem=f"line 1: {' '.join(str(e).split())[:200]}")
    here = next((urljoin_safe(base, h) for e in tree.iter("base") if (h := e.get("href"))), base) or base
    title = _line(next((text_of(e) for e in tree.iter("title")), ""))
    feeds: dict[str, Entry] = {}
    for element in tree.iter("link"):
        kind, rel = (element.get("type") or "").strip().lower(), (element.get("rel") or "").lower().split()
        if "alternate" in rel and kind in _FEED_TYPES and (url := _web_address(element.get("href") or "", here)):
            feeds.setdefault(url, Entry(url, title=_line(element.get("title") or "")))
    found: dict[str, Entry] = {}
    if links and not _forbids(tree):
        for element in tree.iter("a", "area"):
            rel = (element.get("rel") or "").lower().split()
            if "nofollow" not in rel and (href := element.get("href")):
                url = _web_address(href, here).partition("#")[0]
                if url and len(found) < MAX_LINKS and is_page_like(url):
                    found.setdefault(url, Entry(url))
    problem = None if links or feeds else "line 1: this is a page, and names no feed"
    return Listing("page", "html", title, "", tuple(found.values())[:MAX_ENTRIES], tuple(feeds.values()), problem)


def is_page_like(url: str) -> bool:
    """Whether an address may lead to an article: no picture or program, and none of those that never end (calendars,
    links that grow by a step each time they are followed)."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    segments = [segment for segment in parts.path.split("/") if segment]
    repeated = len(segments) > 3 and max(map(segments.count, segments)) >= 3
    return (
        len(url) <= _MAX_URL
        and len(segments) <= 30
        and not repeated
        and parts.query.count("&") < _MAX_PARAMETERS
        and not _NO_PAGE.search(parts.path)
    )


def _forbids(tree: HtmlElement) -> bool:
    """Whether the page asks robots to follow none of its links."""
    metas = (e for e in tree.iter("meta") if (e.get("name") or "").lower() in ("robots", "muniment"))
    return any({"nofollow", "none"} & set(re.split(r"[\s,]+", (e.get("content") or "").lower())) for e in metas)
