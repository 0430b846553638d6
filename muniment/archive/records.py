"""From captures, attempts and articles to WARC records and leaves. Pure: identifiers and times come from the caller."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from muniment import __version__
from muniment.archive.sketch import sketch
from muniment.archive.tables.layout import FINDING
from muniment.formats.leaf import Leaf, LeafType
from muniment.formats.warc import (
    REVISIT_PROFILE,
    LongRecord,
    Record,
    StoredRecord,
    build_record,
    format_date,
    format_fields,
    format_record_id,
    parse_fields,
)
from muniment.model import Article, Attempt, Capture, Dropped, Published, sha256

if TYPE_CHECKING:
    from muniment.archive.tables.captures import Held

NewId = Callable[[], str]
_REQUEST = "application/http; msgtype=request"
_RESPONSE = "application/http; msgtype=response"
_FIELDS = "application/warc-fields"
# Of a derivation's text, for the catalog beside what the metadata record says: the SHA-256 in hex, and its sketch.
TEXT_DIGEST, TEXT_SKETCH = "text-sha256", "text-sketch"


@dataclass(frozen=True, slots=True)
class Group:
    """The records of one leaf, in order, the leaf, and what the catalog needs besides."""

    leaf: Leaf
    records: Sequence[Record | LongRecord]
    facts: Mapping[str, str] | None = None
    content: Mapping[str, Any] | None = None


def segment_group(stream: str, filename: str, origin: str, at: str, new_id: NewId) -> Group:
    """A file's warcinfo record."""
    identity = new_id()
    block = format_fields(
        [
            ("software", f"muniment/{__version__}"),
            ("format", "WARC File Format 1.1"),
            ("conformsTo", "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"),
            ("isPartOf", origin),
        ]
    )
    record = build_record("warcinfo", identity, at, block, _FIELDS, [("WARC-Filename", filename)])
    return Group(Leaf("segment", identity, at, (record.digest,), stream=stream), [record])


def capture_group(capture: Capture, facts: Sequence[tuple[str, str]], original: Held | None, new_id: NewId) -> Group:
    """The records of a capture; with `original`, of a revisit: its payload is the original's and is left out."""
    identity = new_id()
    records = _exchange(capture, facts, original, identity, new_id)
    leaf = Leaf(
        "revisit" if original else "capture",
        identity,
        format_date(capture.captured_at),
        tuple(record.digest for record in records),
        uri=capture.uri,
        payload=capture.payload.removeprefix("sha256:"),
        media=capture.media_type,
        status=capture.status,
        of=original.number if original else None,
    )
    return Group(leaf, records, facts=dict(facts))


def attempt_group(attempt: Attempt, facts: Sequence[tuple[str, str]], new_id: NewId) -> Group:
    """What is kept of a failed attempt: the bytes that came, if any, and why it failed."""
    identity, at = new_id(), format_date(attempt.at)
    found = [(FINDING, f"sha256:{attempt.finding}")] if attempt.finding else []
    lines = [("outcome", attempt.reason), ("detail", attempt.detail), *facts, *attempt.facts, *found]
    if attempt.capture is not None:
        records = _exchange(attempt.capture, lines, None, identity, new_id)
    else:
        fields = [("WARC-Target-URI", attempt.uri)]
        records = [build_record("metadata", identity, at, format_fields(lines), _FIELDS, fields)]
    leaf = Leaf(
        "attempt",
        identity,
        at,
        tuple(record.digest for record in records),
        uri=attempt.uri,
        status=attempt.capture.status if attempt.capture else None,
        reason=attempt.reason,
    )
    return Group(leaf, records, facts=dict([*facts, *found]))


def _exchange(
    capture: Capture, facts: Sequence[tuple[str, str]], original: Held | None, identity: str, new_id: NewId
) -> list[Record]:
    at = format_date(capture.captured_at)
    target = [("WARC-Target-URI", capture.uri)]
    if capture.address:
        target.append(("WARC-IP-Address", capture.address))
    concurrent = [*target, ("WARC-Concurrent-To", format_record_id(identity))]
    records = [
        _revisit(capture, original, identity, at, target) if original else _primary(capture, identity, at, target)
    ]
    if capture.request is not None:
        records.append(build_record("request", new_id(), at, capture.request, _REQUEST, concurrent))
    block = format_fields([*facts, *capture.facts])
    records.append(build_record("metadata", new_id(), at, block, _FIELDS, concurrent))
    return records


def _primary(capture: Capture, identity: str, at: str, target: Sequence[tuple[str, str]]) -> Record:
    fields = list(target)
    if not capture.transfer_coded and not capture.truncated:
        fields.append(("WARC-Payload-Digest", capture.payload))
    if capture.truncated:
        fields.append(("WARC-Truncated", capture.truncated))
    content_type = _RESPONSE if capture.kind == "response" else capture.media_type
    return build_record(capture.kind, identity, at, capture.block, content_type, fields)


def _revisit(capture: Capture, original: Held, identity: str, at: str, target: Sequence[tuple[str, str]]) -> Record:
    fields = [
        *target,
        ("WARC-Profile", REVISIT_PROFILE),
        ("WARC-Refers-To", format_record_id(original.id)),
        ("WARC-Refers-To-Target-URI", original.uri),
        ("WARC-Refers-To-Date", original.at),
        ("WARC-Payload-Digest", capture.payload),
    ]
    if capture.kind == "resource":
        return build_record("revisit", identity, at, b"", capture.media_type, fields)
    return build_record("revisit", identity, at, _head(capture), _RESPONSE, fields)


def _head(capture: Capture) -> bytes:
    """The status line and headers of a response, as received, with the blank line."""
    ends = [at + len(blank) for blank in (b"\r\n\r\n", b"\n\n") if (at := capture.block.find(blank)) >= 0]
    return capture.block[: min(ends, default=len(capture.block))]


def derivation_group(
    article: Article, of: int, uri: str, at: str, source: str | None, tags: Sequence[str], original: str, new_id: NewId
) -> Group:
    """The cleaned text as a conversion record, and all else about the article as JSON in a metadata record."""
    identity = new_id()
    refers = [("WARC-Target-URI", uri), ("WARC-Refers-To", format_record_id(original))]
    text = article.text.encode("utf-8", "replace")
    payload = [*refers, ("Muniment-Extractor", article.extractor)]
    conversion = build_record("conversion", identity, at, text, "text/plain; charset=utf-8", payload)
    described = describe_article(article, source, tags)
    block = json.dumps(described, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")
    concurrent = [*refers, ("WARC-Concurrent-To", format_record_id(identity))]
    metadata = build_record("metadata", new_id(), at, block, "application/json", concurrent)
    leaf = Leaf("derivation", identity, at, (conversion.digest, metadata.digest), of=of)
    return Group(leaf, [conversion, metadata], content={**described, **_of_text(text)})


def act_group(
    kind: LeafType, content: Mapping[str, Any], at: str, new_id: NewId, of: int | None, subject: tuple[str, str] | None
) -> Group:
    """What somebody said or did (a tag, a note, a withdrawal): JSON in a metadata record. `subject` are the URI and the
    UUID of the capture that it is about, numbered `of`."""
    identity = new_id()
    fields = []
    if subject is not None:
        fields = [("WARC-Target-URI", subject[0]), ("WARC-Refers-To", format_record_id(subject[1]))]
    block = json.dumps(content, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")
    record = build_record("metadata", identity, at, block, "application/json", fields)
    return Group(Leaf(kind, identity, at, (record.digest,), of=of), [record], content=content)


def describe_article(article: Article, source: str | None, tags: Sequence[str]) -> dict[str, Any]:
    """The article without its text, as it stands in the derivation's metadata record."""
    return {
        "title": article.title,
        "authors": list(article.authors),
        "published": article.published and _describe_date(article.published),
        "updated": article.updated and _describe_date(article.updated),
        "language": article.language,
        "source": source,
        "tags": list(tags),
        "captions": list(article.captions),
        "dropped": [{"text": d.text, "reason": d.reason} for d in article.dropped],
        "origins": dict(article.origins),
        "decoding": article.decoding,
        "extractor": article.extractor,
        "settings": dict(article.settings),
        **({"said": dict(article.said)} if article.said else {}),
        "problem": article.problem,
        "confidence": article.confidence,
        "canonical": article.canonical,
        **({"canonicalKey": article.canonical_key} if article.canonical_key else {}),
        "flags": list(article.flags),
    }


def _describe_date(date: Published) -> dict[str, str]:
    described = {"date": date.date, "precision": date.precision, "origin": date.origin}
    return {**described, "stated": date.stated} if date.stated else described


def read_article(conversion: StoredRecord, metadata: StoredRecord) -> Article:
    """The article of a derivation's two records."""
    fields = json.loads(metadata.block)
    published, updated = fields["published"], fields.get("updated")
    return Article(
        title=fields["title"],
        text=conversion.block.decode("utf-8", "replace"),
        authors=tuple(fields["authors"]),
        published=Published(**published) if published else None,
        language=fields["language"],
        captions=tuple(fields["captions"]),
        dropped=tuple(Dropped(**dropped) for dropped in fields["dropped"]),
        origins=fields["origins"],
        decoding=fields["decoding"],
        extractor=fields["extractor"],
        settings=fields["settings"],
        said=fields.get("said", {}),
        problem=fields["problem"],
        confidence=fields.get("confidence"),
        updated=Published(**updated) if updated else None,
        canonical=fields.get("canonical"),
        canonical_key=fields.get("canonicalKey"),
        flags=tuple(fields.get("flags", ())),
    )


def read_facts(leaf: Leaf, records: Sequence[StoredRecord]) -> tuple[dict[str, str] | None, dict[str, Any] | None]:
    """What the catalog needs of a stored leaf's records: (facts of a capture or attempt, JSON of anything else)."""
    if leaf.type in ("capture", "revisit", "attempt", "record"):
        facts: dict[str, str] = {}
        for name, value in parse_fields(records[-1].block):
            facts.setdefault(name, value)
        return facts, None
    if records[-1:] and records[-1].headers.get("Content-Type") == "application/json":
        content = json.loads(records[-1].block)
        if leaf.type == "derivation":
            content |= _of_text(records[0].block)
        return None, content
    return None, None


def _of_text(block: bytes) -> dict[str, Any]:
    digest = sha256(block).removeprefix("sha256:")
    return {TEXT_DIGEST: digest, TEXT_SKETCH: sketch(block.decode("utf-8", "replace"))}
