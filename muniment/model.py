"""The values that pass between the rooms: frozen dataclasses, no I/O, nothing but the standard library.

Times are aware datetimes in UTC. Digests are the strings `sha256:` and 64 lowercase hex digits. Dates of
publication are ISO strings as long as their precision: "2021", "2021-05", "2021-05-30".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from muniment.snapshot import Digest, Precision, Snapshot

__all__ = [
    "Article", "Attempt", "Capture", "Content", "Declared", "Digest", "Dropped", "Fetched", "Imported", "Original",
    "Precision", "Published", "Snapshot", "Truncation", "sha256",
]  # fmt: skip
Truncation = Literal["length", "time", "disconnect", "unspecified"]


def sha256(*chunks: bytes) -> Digest:
    """The digest of the chunks' concatenation, as `sha256:<hex>`."""
    import hashlib  # 4 ms that a search has no use for

    h = hashlib.sha256()
    for chunk in chunks:
        h.update(chunk)
    return Digest("sha256:" + h.hexdigest())


@dataclass(frozen=True, slots=True)
class Capture:
    """Bytes exactly as they came, and what is known of how they came.

    `block` is what the WARC record holds: for a `response` the status line, headers and body as they crossed
    the wire, for a `resource` the file. `body` is the entity: the block without HTTP head and transfer coding
    (content coding, such as gzip, stays on); for a `resource` it is the block itself. `payload` digests `body`.
    `facts` become the metadata record's `name: value` lines, in order; a name may repeat.
    """

    uri: str
    captured_at: datetime
    kind: Literal["response", "resource"]
    block: bytes
    body: bytes
    payload: Digest
    media_type: str
    charset: str | None = None
    content_encoding: str | None = None
    request: bytes | None = None
    status: int | None = None
    location: str | None = None
    address: str | None = None
    transfer_coded: bool = False
    truncated: Truncation | None = None
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """A capture that was tried and gave no article: "we looked, and it was gone" is evidence.

    `reason` is a slug ("robots", "timeout", "http-404", "address", "too-large"); `capture` holds the bytes that
    came, where any did. `facts` become lines of the metadata record. What has a `finding`, the hex SHA-256 of what was
    found where, is logged once, however often it is found.
    """

    uri: str
    at: datetime
    reason: str
    detail: str
    capture: Capture | None = None
    facts: tuple[tuple[str, str], ...] = ()
    finding: str | None = None


class Content(Protocol):
    """Bytes that may be too many for memory."""

    size: int

    def chunks(self) -> Iterator[bytes]:
        """All of them, from the first on, in pieces."""

    def start(self, count: int) -> bytes:
        """The first `count` of them, or all."""


@dataclass(frozen=True, slots=True)
class Original:
    """A record of somebody's WARC or ARC file, exactly as it stood there.

    `head` ends in its blank line (of ARC: in the line's end). `digest` is the hex SHA-256 of head, block and two line
    ends; `record_id` is as stated. `type` is the WARC-Type in lower case, or "arc".
    """

    type: str
    head: bytes
    block: Content
    digest: str
    record_id: str | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """What a record of an imported file holds, to be kept as it is, with the records that belong to it.

    `kind` is what becomes of it; a `record` is no capture (warcinfo, a request alone). `captured_at` is its own date,
    None where it states none that can be read. `body` is the entity, content coding still on, of what may be an
    article, else None. `payload` digests the entity; of a revisit it is empty, and `refers` says what it repeats: a
    record's id, the digest that was stated for the payload, the address. `companions` belong to it. `declared` is what
    muniment wrote beside it: it was declared in the archive that it comes from.
    """

    kind: Literal["capture", "revisit", "record"]
    original: Original
    uri: str | None
    captured_at: datetime | None
    companions: tuple[Imported, ...] = ()
    media_type: str = "application/octet-stream"
    payload: str = ""
    status: int | None = None
    charset: str | None = None
    content_encoding: str | None = None
    address: str | None = None
    body: bytes | None = None
    refers: tuple[str | None, str | None, str | None] = (None, None, None)
    facts: tuple[tuple[str, str], ...] = ()
    declared: Declared = field(default_factory=lambda: Declared())


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one URL gave: each redirect on the way, then a capture or an attempt; `requisites` are what else belongs to
    the page, and what of it could not be had."""

    redirects: tuple[Capture, ...]
    outcome: Capture | Attempt
    requisites: tuple[Capture | Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Declared:
    """What the person who adds an item says of it; a declaration wins over what cleaning finds."""

    url: str | None = None
    title: str | None = None
    published: str | None = None
    source: str | None = None
    language: str | None = None
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """When an article was published or changed: an ISO date cut to its precision, and where the date came from.

    The date is the publisher's own local one. `stated` is the moment as the page gives it, with its time and zone
    ("2021-05-30T23:30:00-05:00"); empty where it gives no time.
    """

    date: str
    precision: Precision
    origin: str
    stated: str = ""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A passage of the page that is not in the article's text, and why ("banner-date", "breadcrumb", "caption")."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Article:
    """What cleaning makes of a capture: NFC text, unfolded, paragraphs separated by a newline.

    `origins` says where each field came from ({"title": "jsonld:headline"}). `extractor` and `settings` are the
    fingerprint: the same bytes under the same fingerprint give the same article. `said` is what a document states of
    itself ({"pdf:ModDate": "2021-05-30T10:00:00+02:00"}). `problem` says why `text` is empty.
    `confidence` is how far independent extractors agree on the text, from 0 to 1; None where only one can look (plain
    text). `updated` is when the page says it was last changed, `canonical` the address it names as its own where that
    can be believed, `canonical_key` the identity of that where it is another than the page's, `flags` what keeps it
    from being the whole article: paywall, cookie-wall, soft-404.
    """

    title: str
    text: str
    authors: tuple[str, ...] = ()
    published: Published | None = None
    language: str | None = None
    captions: tuple[str, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)
    decoding: str = ""
    extractor: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None
    confidence: float | None = None
    updated: Published | None = None
    canonical: str | None = None
    canonical_key: str | None = None
    flags: tuple[str, ...] = ()
