"""What a page needs to be shown: pictures, styles, scripts, fonts; found in its HTML and styles, and fetched beside it.

    RequisiteFetcher(Fetcher(policy)).fetch(url)    the same call as a Fetcher's, which also gives `requisites`

Addresses are looked for in one pass, for a page may be anything; what scripts load is a browser's business
(`browser.py`). robots.txt, turns and limits hold as for any fetch.
"""

from __future__ import annotations

import html
import re
import time
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from muniment.errors import FetchError
from muniment.ingest.decode import NoText, read
from muniment.ingest.urls import follow
from muniment.model import Attempt, Capture, Fetched

if TYPE_CHECKING:
    from muniment.ingest.fetch import Fetcher
    from muniment.ingest.http import Held

MAX_REQUISITES, MAX_BYTES, MAX_SECONDS = 300, 64 << 20, 600.0  # of one page; servers may let each of them hang
_MAX_TEXT, _MAX_TAG = 5_000_000, 20_000  # characters looked through, in all and of one tag
_TAG = re.compile(r"<([a-z][a-z0-9]{0,15})(?=[\s/>])", re.I)
_ATTRIBUTE = re.compile(r"([a-z:-]{2,20})\s*=\s*([\"']?)", re.I)
_CANDIDATE = re.compile(r"[\s,]*(\S+)")
_PLAIN = re.compile(r"[^\s\"'>]+")
_CSS = re.compile(
    r"""url\(\s*(?:"([^"\n]{1,4000})"|'([^'\n]{1,4000})'|([^"'()\s]{1,4000}))\s*\)|@import\s+(?:"([^"\n]{1,4000})"|'([^'\n]{1,4000})')"""
)
_LINKED = {"stylesheet", "icon", "apple-touch-icon", "mask-icon", "manifest", "preload"}
_SOURCES = {"src", "poster", "background", "data", "data-src"}
_SOURCED = {"img", "source", "script", "video", "audio", "track", "embed", "object", "input", "body", "table", "td"}


class RequisiteFetcher:
    """Fetches a page, and what it needs to be shown."""

    def __init__(self, fetcher: Fetcher):
        self._fetcher = fetcher

    def fetch(self, url: str, held: Mapping[str, Held] | None = None) -> Fetched:
        """As Fetcher.fetch; of a page that stands as it is held, nothing more is asked for."""
        fetched = self._fetcher.fetch(url, held)
        if not isinstance(fetched.outcome, Capture):
            return fetched
        return Fetched(fetched.redirects, fetched.outcome, tuple(self._requisites(fetched.outcome)))

    def _requisites(self, page: Capture) -> Iterator[Capture | Attempt]:
        waiting, seen, size, end = deque(needed(page)), {page.uri}, 0, time.monotonic() + MAX_SECONDS
        while waiting:
            url = waiting.popleft()
            if url in seen:
                continue
            seen.add(url)
            if len(seen) > MAX_REQUISITES + 1 or size >= MAX_BYTES or time.monotonic() >= end:
                left = len({url, *waiting} - seen) + 1
                detail = (
                    f"this and {left - 1} more are not fetched: the page needs too much, or its servers take too long"
                )
                yield Attempt(url, datetime.now(UTC), "page-limit", detail)
                return
            try:
                fetched = self._fetcher.fetch(url)
            except FetchError:
                continue  # no address after all
            for one in (*fetched.redirects, fetched.outcome):
                yield one
                capture = one.capture if isinstance(one, Attempt) else one
                size += len(capture.block) if capture else 0
            if isinstance(fetched.outcome, Capture) and fetched.outcome.media_type == "text/css":
                waiting.extend(needed(fetched.outcome))


def needed(capture: Capture) -> Iterator[str]:
    """The addresses that a page or a style sheet names, in order; those that are none are passed over."""
    try:
        text = read(capture.body, _readable(capture.media_type), capture.charset, capture.content_encoding, None).text
    except NoText:
        return
    base, found = capture.uri, _in_css(text[:_MAX_TEXT])
    if capture.media_type != "text/css":
        tags = list(_tags(_without_comments(text[:_MAX_TEXT])))
        base, found = _base(tags, base), _in_html(tags)
    for address in found:
        try:
            yield follow(base, address)
        except FetchError:
            continue


def _readable(media_type: str) -> str:
    return "text/plain" if media_type == "text/css" else media_type


def _without_comments(text: str) -> str:
    kept, at = list[str](), 0
    while (start := text.find("<!--", at)) >= 0:
        kept.append(text[at:start])
        end = text.find("-->", start)
        if end < 0:
            return "".join(kept)
        at = end + 3
    return "".join((*kept, text[at:]))


class _Tag(NamedTuple):
    """A tag's name, what it says, and of a style element what is in it."""

    name: str
    said: dict[str, str]
    content: str = ""


def _tags(text: str) -> Iterator[_Tag]:
    """Every tag, in one pass: no character is looked at for two of them."""
    lower, at = text.lower(), 0
    while tag := _TAG.search(text, at):
        at = text.find(">", tag.end())
        if at < 0:
            return
        name, content = tag[1].lower(), ""
        said = _attributes(text[tag.end() : min(at, tag.end() + _MAX_TAG)])
        if name == "style":
            end = lower.find("</style", at)
            if end < 0:
                return
            content, at = text[at + 1 : end], end
        yield _Tag(name, said, content)


def _attributes(text: str) -> dict[str, str]:
    found, at = dict[str, str](), 0
    while match := _ATTRIBUTE.search(text, at):
        if match[2]:
            at = text.find(match[2], match.end())
            if at < 0:
                break
            value = text[match.end() : at]
        else:
            plain = _PLAIN.match(text, match.end())
            at = plain.end() if plain else match.end()
            value = plain[0] if plain else ""
        value = html.unescape(value).strip()
        if value and not value.startswith(("data:", "#", "javascript:", "about:", "blob:")):
            found.setdefault(match[1].lower().removeprefix("xlink:"), value)
    return found


def _base(tags: list[_Tag], url: str) -> str:
    for tag in tags:
        if tag.name == "base" and "href" in tag.said:
            try:
                return follow(url, tag.said["href"])
            except FetchError:
                return url
    return url


def _in_html(tags: list[_Tag]) -> Iterator[str]:
    for tag in tags:
        if tag.name == "link":
            if _LINKED & set(tag.said.get("rel", "").lower().split()) and "href" in tag.said:
                yield tag.said["href"]
        elif tag.name in ("image", "use"):
            yield from filter(None, (tag.said.get("href"),))
        elif tag.name in _SOURCED:
            for attribute, value in tag.said.items():
                if attribute in _SOURCES:
                    yield value
                elif attribute in ("srcset", "data-srcset"):
                    yield from _in_srcset(value)
        yield from _in_css(tag.content + tag.said.get("style", ""))


def _in_srcset(value: str) -> Iterator[str]:
    """`a,b.jpg 1x, c.jpg 2x`: an address goes to the next space, and a comma at its end is none of it (HTML)."""
    at = 0
    while candidate := _CANDIDATE.match(value, at):
        address, at = candidate[1], candidate.end()
        if address.endswith(","):
            address = address.rstrip(",")
        else:
            comma = value.find(",", at)
            at = comma + 1 if comma >= 0 else len(value)
        if address and not address.startswith("data:"):
            yield address


def _in_css(text: str) -> Iterator[str]:
    for match in _CSS.finditer(text):
        address = next(filter(None, match.groups()), "").strip()
        if address and not address.startswith(("data:", "#")):
            yield address
