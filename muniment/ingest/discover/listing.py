"""What a document that names articles says: a Listing of entries. Frozen values, and their way over a pipe.

An Entry holds what was said of one article, as it was said: it becomes evidence beside what the page itself says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

MAX_ENTRIES = 200_000
MAX_SAID = 1000  # characters of one thing that is said of an article

Kind = Literal["feed", "sitemap", "index", "robots", "addresses", "opml", "page"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One article as a listing names it. `published` and `updated` are as they were written there."""

    url: str
    title: str = ""
    published: str = ""
    updated: str = ""
    authors: tuple[str, ...] = ()
    id: str = ""
    categories: tuple[str, ...] = ()
    language: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """A document that was read. `kind` and `dialect` ("rss 2.0", "atom", "json feed", "sitemap, gzip") say what it is.

    `entries` name articles, `more` other listings: the sitemaps of an index, the next page of a feed, the feeds that a
    page or an OPML file names. `problem` says what is wrong with it and where ("line 12, column 4: …"); what stood
    before, and what could be made out behind, is there all the same. `problem` without entries means that nothing
    could be read.
    """

    kind: Kind
    dialect: str = ""
    title: str = ""
    language: str = ""
    entries: tuple[Entry, ...] = ()
    more: tuple[Entry, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class ReadJob:
    """A document to read, for `clean.workers`. `payload` is the entity with its content coding still on.

    `links` asks for the links of a page, and else for the feeds that it names.
    """

    payload: bytes
    media_type: str
    url: str
    charset: str | None = None
    content_encoding: str | None = None
    links: bool = False

    def answer(self) -> bytes:
        """What the worker sends back."""
        from muniment.ingest.discover.reading import read_listing

        return listing_bytes(read_listing(self))

    def result(self, reply: bytes) -> Listing:
        """What the worker sent back, or the limit that it died of, as a Listing."""
        if reply.startswith(b"{"):
            try:
                return listing_from(reply)
            except (TypeError, ValueError, KeyError):  # a hostile document may have taken the worker over
                return Listing("page", problem="it cannot be read: its reader gave no listing")
        return Listing("page", problem=_LIMITS.get(reply.decode(), reply.decode()))


_LIMITS = {
    "extraction-timeout": "it takes longer to read than is allowed",
    "extraction-memory": "it takes more memory to read than is allowed",
    "extraction-crashed": "it cannot be read: its reader failed",
}


def listing_bytes(listing: Listing) -> bytes:
    """The listing as JSON, for `listing_from`."""
    fields = {name: getattr(listing, name) for name in Listing.__slots__}
    for name in ("entries", "more"):
        fields[name] = [{field: getattr(entry, field) for field in Entry.__slots__} for entry in fields[name]]
    return json.dumps(fields).encode()


def listing_from(payload: bytes) -> Listing:
    """The listing of `listing_bytes`."""
    fields: dict[str, Any] = json.loads(payload)
    for name in ("entries", "more"):
        fields[name] = tuple(_entry(entry) for entry in fields[name])
    return Listing(**fields)


def _entry(fields: dict[str, Any]) -> Entry:
    fields["authors"], fields["categories"] = tuple(fields["authors"]), tuple(fields["categories"])
    return Entry(**fields)
