"""All that is known of a snapshot, as `show --json` prints it and the JSONL export writes it. docs/export.md tells the
fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from muniment.archive.archive import Archive
    from muniment.export.members import Members


def describe(archive: Archive, members: Members, number: int) -> dict[str, Any]:
    """A capture or a revisit with its article and the text, or a failed attempt. Raises IntegrityError where what is
    told of the capture, or the article, is damaged."""
    from muniment.archive.records import describe_article

    snapshot = next(iter(archive.catalog.snapshots([number])), None)
    article = archive.article(snapshot) if snapshot is not None else None
    leaf, placements = members.leaf(number)
    return {
        **summarize(archive, members, number),
        "facts": members.facts(number),
        "notes": [
            {"leaf": act[0], "at": act[3], "text": act[4].get("text")}
            for act in archive.catalog.acts(number)
            if act[1] == "note"
        ],
        "records": [
            {"sha256": digest, "file": p.segment, "offset": p.offset, "length": p.length, "size": p.size}
            for digest, p in zip(leaf.records, placements, strict=True)
        ],
        "article": snapshot
        and article
        and {**describe_article(article, snapshot.source, snapshot.tags), "text": article.text},
    }


def summarize(archive: Archive, members: Members, number: int) -> dict[str, Any]:
    """The same without what stands in the records."""
    leaf, _ = members.leaf(number)
    snapshot = next(iter(archive.catalog.snapshots([number])), None)
    return {
        "snapshot": number,
        "type": leaf.type,
        "uri": leaf.uri,
        "url": snapshot and snapshot.url,
        "captured": f"{leaf.date[:19]}Z",
        "title": snapshot and snapshot.title,
        "source": snapshot and snapshot.source,
        "published": snapshot and snapshot.published,
        "published_precision": snapshot and snapshot.precision,
        "language": snapshot and snapshot.language,
        "authors": list(snapshot.authors) if snapshot else [],
        "tags": list(snapshot.tags) if snapshot else [],
        "collections": list(snapshot.collections) if snapshot else [],
        "status": leaf.status,
        "media_type": leaf.media,
        "payload": leaf.payload and f"sha256:{leaf.payload}",
        "derivation": snapshot and snapshot.derivation,
        "derivations": archive.catalog.made_of(number),
        "problem": snapshot and snapshot.problem,
        "confidence": snapshot and snapshot.confidence,
        "flags": list(snapshot.flags) if snapshot else [],
        "key": archive.catalog.key_of(number),
        "addresses": archive.catalog.addresses(archive.catalog.key_of(number) or ""),
        "version": snapshot and archive.catalog.version(snapshot),
        "of": leaf.of,
        "reason": leaf.reason,
        "withdrawn": _withdrawal(archive, number),
    }


def _withdrawal(archive: Archive, number: int) -> dict[str, Any] | None:
    """When and why the bytes were removed, and the number of the leaf that says so."""
    act = archive.catalog.withdrawn_by(number)
    said = archive.catalog.act(act) if act is not None else None
    return said and {"leaf": act, "at": said[3], "reason": said[4].get("reason")}
