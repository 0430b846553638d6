"""Bytes to a Listing: which kind of document it is, by what it holds and not by what it is called. Pure.

What cannot be read is told in `Listing.problem`, with the place; nothing is raised but what a limit of the worker
raises.
"""

from __future__ import annotations

import re
from dataclasses import replace

from muniment.ingest.decode import NoText, decode, inflate
from muniment.ingest.discover.feeds import is_feed, read_feed, read_json_feed, read_opml
from muniment.ingest.discover.listing import Listing, ReadJob
from muniment.ingest.discover.site import read_page
from muniment.ingest.discover.sitemaps import is_robots, is_sitemap, read_addresses, read_robots, read_sitemap
from muniment.ingest.discover.xml import Elements, NotXml, local_name

MAX_LISTING = 60_000_000  # bytes, inflated: the sitemap protocol allows 50 MiB
_NAMES = ("item", "entry", "url", "sitemap", "outline")
_DECLARED = re.compile(rb"\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._:-]{1,40})[\"']")
_HTML = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*){0,20}<(?:!doctype\s+html|html|head|body|title|meta|p|div)\b", re.I | re.S
)
_HTML_TYPES = ("text/html", "application/xhtml+xml")


def read_listing(job: ReadJob) -> Listing:
    """What the document says. `kind` is "page" for HTML."""
    if len(job.payload) > MAX_LISTING:
        return Listing("page", problem=f"byte {MAX_LISTING}: it is larger than is allowed")
    try:
        data, coding = inflate(job.payload, job.content_encoding, MAX_LISTING)
        if data.startswith(b"\x1f\x8b"):  # a .gz file
            data, coding = inflate(data, "gzip", MAX_LISTING)
    except NoText as e:
        return Listing("page", problem=f"byte 0: {e}")
    if not data.strip(b"\0 \t\r\n\f"):
        return Listing("page", problem="byte 0: it is empty")
    text = _decode(data, job)
    listing = _read(text, job)
    cut = f"byte {len(job.payload)}: the compressed file is cut" if "cut short" in coding else None
    return replace(listing, problem=listing.problem or cut)


def _decode(data: bytes, job: ReadJob) -> str:
    """The text. What an XML declaration says counts where the server says nothing."""
    declared = _DECLARED.match(data[:400])
    charset = job.charset or (declared[1].decode("ascii") if declared else None)
    text, _ = decode(data, charset, is_html=False)
    return text


def _read(text: str, job: ReadJob) -> Listing:
    head = text.lstrip("\ufeff \t\r\n\f\0")[:2000]
    if head.startswith("{"):
        return read_json_feed(text.strip("\ufeff\0 \t\r\n"), job.url)
    if not head.startswith("<"):
        if is_robots(text) and not re.match(r"https?://", head, re.I):
            return read_robots(text, job.url)
        if job.links or job.media_type in _HTML_TYPES:
            return read_page(text, job.url, links=job.links)
        return read_addresses(text, job.url)
    if _HTML.match(head) and not re.search(r"<(?:rss|feed|rdf:RDF|urlset|sitemapindex)\b", head, re.I):
        return read_page(text, job.url, links=job.links)
    return _read_xml(text, job)


def _read_xml(text: str, job: ReadJob) -> Listing:
    try:
        elements = Elements(text.strip("\ufeff\0"), _NAMES)
    except NotXml as e:
        return Listing("page", "xml", problem=str(e))
    if is_sitemap(elements.root):
        return read_sitemap(elements, job.url)
    if is_feed(elements.root):
        return read_feed(elements, job.url)
    match local_name(elements.root):
        case "opml":
            return read_opml(elements, job.url)
        case "html":
            return read_page(text, job.url, links=job.links)
        case name:
            problem = f"line {elements.root.sourceline or 1}: its root <{name[:40]}> is of no feed and no sitemap"
            return Listing("page", "xml", problem=problem)
