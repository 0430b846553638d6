"""Sitemaps (sitemaps.org): lists of addresses, indexes of such lists, with news; plain text and robots.txt lines. Pure.

Extensions for pictures and videos, and other languages of a page, name no further articles.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from muniment.ingest.discover.feeds import _line, _web_address, no_entries
from muniment.ingest.discover.listing import MAX_ENTRIES, Entry, Listing
from muniment.ingest.discover.xml import Elements, local_name, text_of

if TYPE_CHECKING:
    from lxml.etree import _Element

_SITEMAP_LINE = re.compile(r"^\s*site-?map\s*:\s*(\S+)", re.I)
_RULE = re.compile(r"^\s*(?:user-agent|disallow|allow|crawl-delay|sitemap)\s*:", re.I | re.M)


def is_sitemap(root: _Element) -> bool:
    return local_name(root) in ("urlset", "sitemapindex")


def read_sitemap(elements: Elements, base: str) -> Listing:
    """The listing of a sitemap or of an index of them, whose `Elements` were asked for url and sitemap."""
    entries: list[Entry] = []
    more: list[Entry] = []
    seen = lacking = 0
    for element in elements:
        if (kind := local_name(element)) in ("url", "sitemap"):
            seen += 1
            entry = _entry(element, base)
            found = entries if kind == "url" else more
            if not entry.url:
                lacking += 1
            else:
                found.append(entry)
            _forget(element)
            if len(found) >= MAX_ENTRIES:
                break
    is_index = local_name(elements.root) == "sitemapindex"
    full = f"line {element.sourceline}: over {MAX_ENTRIES:,} entries" if seen and len(entries) >= MAX_ENTRIES else None
    problem = elements.problem or full or (f"{lacking} of {seen} entries name no address" if lacking else None)
    if not seen:
        problem = problem or no_entries(elements.root)
    return Listing(
        "index" if is_index else "sitemap",
        "sitemap index" if is_index else "sitemap",
        entries=tuple(entries),
        more=tuple(more),
        problem=problem,
    )


def _forget(element: _Element) -> None:
    """Lets an element and those before it go, so that 50 MB of them are never in memory together."""
    element.clear()
    while (before := element.getprevious()) is not None and (parent := element.getparent()) is not None:
        parent.remove(before)


def _entry(element: _Element, base: str) -> Entry:
    said = {"loc": "", "lastmod": "", "title": "", "publication_date": "", "language": "", "keywords": ""}
    _collect(element, said, 0)
    return Entry(
        url=_web_address(said["loc"] or element.text or "", base),
        title=_line(said["title"]),
        published=_line(said["publication_date"]),
        updated=_line(said["lastmod"]),
        categories=tuple(word for part in said["keywords"].split(",")[:50] if (word := _line(part)[:200])),
        language=_line(said["language"])[:35],
    )


def _collect(element: _Element, said: dict[str, str], depth: int) -> None:
    """The first of each thing that is said, in the entry itself, its news, and news' publication."""
    for child in element:
        name = local_name(child)
        if name in ("news", "publication") and depth < 2:
            _collect(child, said, depth + 1)
        elif name in said and not said[name] and (depth or name in ("loc", "lastmod")):
            said[name] = text_of(child)


def is_robots(text: str) -> bool:
    return _RULE.search(text[:500_000]) is not None


def read_robots(text: str, base: str) -> Listing:
    """The sitemaps that a robots.txt names."""
    found = []
    for line in text.splitlines():
        if (m := _SITEMAP_LINE.match(line)) and (url := _web_address(m[1], base)):
            found.append(url)
    return Listing("robots", "robots.txt", more=tuple(map(Entry, dict.fromkeys(found[:MAX_ENTRIES]))))


def read_addresses(text: str, base: str) -> Listing:
    """A sitemap in plain text: an address a line. Anything else on a line is told with the first one's number."""
    entries, wrong = [], []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip("\ufeff \t\r")
        if re.match(r"https?://", line, re.I) and (url := _web_address(line, base)):
            entries.append(Entry(url))
        elif line:
            wrong.append(number)
        if len(entries) >= MAX_ENTRIES:
            break
    if not entries:
        return Listing("addresses", "text", problem="line 1: this is no feed, no sitemap and no list of addresses")
    problem = f"line {wrong[0]}: no address, and {len(wrong)} such lines in all" if wrong else None
    return Listing("addresses", "text", entries=tuple(entries), problem=problem)
