"""All that is known of a snapshot, as `show --json` prints it and the JSONL export writes it. docs/export.md tells the
fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from muniment.archive.archive import Archive
    from muniment.export.members import Members
    from muniment.snapshot import Snapshot


def describe_attempt(archive: Archive, members: Members, number: int) -> dict[str, Any]:
    """A failed attempt, with the fields of a snapshot."""
    leaf, _ = members.leaf(number)
    return {
        **dict.fromkeys(_SNAPSHOT),
        "snapshot": number,
        "type": leaf.type,
        "uri": leaf.uri,
        "captured": f"{leaf.at[:19]}Z",
        "authors": [],
        "tags": [],
        "status": leaf.status,
        "key": archive.catalog.key_of(number),
        "version": None,
        "of": None,
        "reason": leaf.reason,
        "facts": members.facts(number),
        "records": _records(members, number),
        "article": None,
    }


def describe_snapshot(archive: Archive, members: Members, snapshot: Snapshot) -> dict[str, Any]:
    """A capture or a revisit, with its article and the text. Raises IntegrityError where either is damaged."""
    from muniment.archive.records import describe_article

    article = archive.article(snapshot)
    leaf, _ = members.leaf(snapshot.number)
    return {
        "snapshot": snapshot.number,
        "type": snapshot.type,
        "uri": snapshot.uri,
        "url": snapshot.url,
        "captured": snapshot.captured_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "title": snapshot.title,
        "source": snapshot.source,
        "published": snapshot.published,
        "published_precision": snapshot.precision,
        "language": snapshot.language,
        "authors": list(snapshot.authors),
        "tags": list(snapshot.tags),
        "status": snapshot.status,
        "media_type": snapshot.media_type,
        "payload": snapshot.payload,
        "derivation": snapshot.derivation,
        "problem": snapshot.problem,
        "key": snapshot.key,
        "version": archive.catalog.version(snapshot),
        "of": leaf.of,
        "reason": None,
        "facts": members.facts(snapshot.number),
        "records": _records(members, snapshot.number),
        "article": article and {**describe_article(article, snapshot.source, snapshot.tags), "text": article.text},
    }


_SNAPSHOT = (
    "snapshot", "type", "uri", "url", "captured", "title", "source", "published", "published_precision", "language",
    "authors", "tags", "status", "media_type", "payload", "derivation", "problem",
)  # fmt: skip


def _records(members: Members, number: int) -> list[dict[str, Any]]:
    leaf, placements = members.leaf(number)
    return [
        {"sha256": digest, "file": p.segment, "offset": p.offset, "length": p.length, "size": p.size}
        for digest, p in zip(leaf.records, placements, strict=True)
    ]
