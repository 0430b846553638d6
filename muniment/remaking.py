"""What an article was made from, and what was declared of it: an article can be made again out of the archive.

clean_job    a capture in the archive -> the job that cleaning was given
joined       what was declared with the same bytes before, and still holds
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from muniment.archive.archive import Archive
from muniment.formats.warc import StoredRecord, parse_fields
from muniment.ingest.clean import CleanJob
from muniment.ingest.clean.hints import hints_of
from muniment.ingest.http import parse_content_type
from muniment.ingest.stored import read_stored
from muniment.ingest.urls import page_of
from muniment.model import Article, Declared


class Described(NamedTuple):
    """An article with what is declared beside it."""

    article: Article
    source: str | None
    tags: tuple[str, ...]


def joined(held: Described, new: Described, declared: Declared) -> Described:
    """The same bytes declared once more: what was declared before and is not now still holds; tags are added."""
    kept = {
        field: getattr(held.article, field)
        for field, origin in held.article.origins.items()
        if origin == "declared" and new.article.origins.get(field) != "declared"
    }
    origins = {**new.article.origins, **dict.fromkeys(kept, "declared")}
    article = replace(new.article, origins=dict(sorted(origins.items())), **kept)
    tags = tuple(dict.fromkeys((*held.tags, *new.tags)))
    return Described(article, declared.source or held.source or new.source, tags)


def clean_job(archive: Archive, capture: int, derivation: int) -> CleanJob:
    """The job of which a derivation of a capture came: the same bytes, with what was declared at that visit.

    Raises IntegrityError, FetchError or ValueError where a record is damaged.
    """
    visit = archive.catalog.visit_before(capture, derivation)
    leaf, first, facts = archive.leaf(visit), archive.records(capture)[0], _facts(archive.records(visit)[-1])
    charset, coding = next(iter(facts.get("charset", ())), None), None
    payload = first.block
    if first.type == "response":
        response = read_stored(first.block)
        payload, charset, coding = response.body, response.charset, response.content_encoding
    elif (leaf.uri or "").startswith("urn:dom:"):
        charset = "utf-8"
    elif leaf.captured is not None and charset is None:
        _, charset = parse_content_type(first.headers.get("Content-Type"))
    return CleanJob(
        payload=payload,
        media_type=leaf.media or "application/octet-stream",
        captured_at=datetime.fromisoformat(leaf.date),
        uri=page_of(leaf.uri or ""),
        charset=charset,
        content_encoding=coding,
        declared=_declared(facts),
        file_name=next(iter(facts.get("fileName", ())), None),
        hints=hints_of((name, value) for name, values in facts.items() for value in values),
    )


def _facts(record: StoredRecord) -> dict[str, list[str]]:
    facts: dict[str, list[str]] = {}
    for name, value in parse_fields(record.block):
        facts.setdefault(name, []).append(value)
    return facts


def _declared(facts: Mapping[str, Sequence[str]]) -> Declared:
    """What was declared at this visit, as it was fed to cleaning."""

    def first(name: str) -> str | None:
        return next(iter(facts.get(f"declared-{name}", ())), None)

    return Declared(
        title=first("title"),
        published=first("published"),
        source=first("source"),
        language=first("language"),
        authors=tuple(facts.get("declared-author", ())),
        tags=tuple(facts.get("declared-tag", ())),
    )
