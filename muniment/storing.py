"""Cleaned items stored in groups: what the log says of each, and the commit after which it may be called stored.

`Batch` takes the items of `adding.clean_items` in order; the index follows each commit, some way behind.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from muniment.adding import Added, Item, key_of
from muniment.archive.archive import Archive
from muniment.errors import IndexBehind, ItemError, Locked, StorageError
from muniment.indexing import Indexer
from muniment.ingest.upload import Target
from muniment.model import Article, Attempt, Capture, Declared, Imported
from muniment.remaking import Described, joined

if TYPE_CHECKING:
    from muniment.archive.writer import Writer

_log = logging.getLogger(__name__)

GROUP_ITEMS = 100
GROUP_BYTES = 64 << 20
GROUP_SECONDS = 1.0


class Batch:
    """Items stored and not yet committed, and their commit; the index follows some way behind."""

    def __init__(self, archive: Archive, writer: Writer):
        self._archive, self._writer = archive, writer
        self._results: list[Added] = []
        self._derived: dict[int, Described] = {}
        self._texts: dict[int, str] = {}
        self._size = 0
        self._begun = time.monotonic()
        self._indexer: Indexer | None = None
        self._warned = False

    def is_due(self) -> bool:
        waited = time.monotonic() - self._begun
        return len(self._results) >= GROUP_ITEMS or self._size >= GROUP_BYTES or waited >= GROUP_SECONDS

    def store(self, item: Item) -> None:
        if (passed_over := _passed_over(item)) is not None:
            self._results.append(passed_over)
            return
        try:
            for other in item.beside:
                facts = self._facts_beside(other, item)
                if isinstance(other, Capture):
                    self._size += len(other.block)
                    self._writer.add_capture(other, facts)
                else:
                    self._writer.add_attempt(other, facts)
            self._results.append(self._store_outcome(item))
        except ItemError as e:
            self._results.append(Added(item.name, "failed", error=str(e), reason=e.reason))

    def _store_outcome(self, item: Item) -> Added:
        from muniment.ingest.urls import page_of

        outcome, target = item.outcome, item.target
        if isinstance(outcome, Attempt):
            self._writer.add_attempt(outcome, self._facts(outcome.uri, target, target.url))
            if item.confirmed is not None:
                source = self._source(target.url) if item.listing else None
                return Added(item.name, "unchanged", item.confirmed, target.url, source=source, problem=item.listing)
            return Added(item.name, "failed", url=target.url, error=outcome.detail, reason=outcome.reason)
        if isinstance(outcome, Imported):
            return self._store_imported(outcome, item)
        page = page_of(outcome.uri)
        url = page if page.startswith("http") else None
        self._size += len(outcome.block)
        listing = [("listing", item.listing)] if item.listing is not None else []
        appended = self._writer.add_capture(outcome, self._facts(outcome.uri, target, url) + listing)
        if item.listing is not None:
            if item.unreadable:
                return Added(item.name, "failed", appended.original, url, error=item.listing, reason="bad-listing")
            state: Literal["stored", "unchanged"] = "unchanged" if appended.unchanged else "stored"
            return Added(item.name, state, appended.original, url, source=self._source(url), problem=item.listing)
        if item.article is None:
            return Added(item.name, "unchanged" if appended.unchanged else "stored", appended.original, url)
        new = Described(item.article, target.declared.source or self._source(url), target.declared.tags)
        held = self._described(appended.original) if appended.unchanged else None
        if held is not None:
            new = joined(held, new, target.declared)
            if (new.article, new.source, new.tags) == (held.article, held.source, held.tags):
                return Added(item.name, "unchanged", appended.original, url)
        self._derived[appended.original] = new
        article, source = new.article, new.source
        self._add_article(article, appended.original, outcome.uri, source, new.tags)
        published = article.published.date if article.published else None
        return Added(item.name, "stored", appended.original, url, article.title, published, source, article.problem)

    def _store_imported(self, imported: Imported, item: Item) -> Added:
        from muniment.ingest.urls import page_of

        page, key = page_of(imported.uri or ""), key_of(imported)
        url = page if page.startswith("http") else None
        held = self._writer.holds_original(imported, key)
        if held is not None:
            return Added(item.name, "unchanged", held, url)
        self._size += imported.original.block.size
        if imported.kind == "revisit" and self._writer.repeated_by(imported) is None:
            lacking = replace(imported, kind="record")
            number = self._writer.holds_original(lacking, key)
            if number is None:
                number = self._writer.add_imported(lacking, self._facts(None, item.target, None))
            detail = (
                f"kept as #{number}, but it repeats a capture that is not in this archive: add the file that holds"
                " that one, then this one again"
            )
            return Added(item.name, "failed", number, error=detail, reason="revisit-unresolved")
        uri = imported.uri if imported.kind != "record" else None
        facts = self._facts(uri, item.target, url if uri else None) + _claimed(imported.declared, item.target.declared)
        number = self._writer.add_imported(imported, facts)
        article = item.article
        if article is None:
            return Added(item.name, "kept", number, url)
        source, tags = item.target.declared.source or self._source(url), item.target.declared.tags
        self._add_article(article, number, imported.uri or "", source, tags)
        published = article.published.date if article.published else None
        return Added(item.name, "stored", number, url, article.title, published, source, article.problem)

    def _add_article(self, article: Article, of: int, uri: str, source: str | None, tags: Sequence[str]) -> None:
        number = self._writer.add_article(article, of, uri, source=source, tags=tags)
        self._texts[number] = article.text.encode("utf-8", "replace").decode()  # as it is read from the record

    def _facts(self, uri: str | None, target: Target, url: str | None) -> list[tuple[str, str]]:
        operator = self._archive.config.operator
        return _facts(uri, target, url) + ([("operator", operator)] if operator else [])

    def _facts_beside(self, other: Capture | Attempt, item: Item) -> list[tuple[str, str]]:
        """What is declared of an article holds on the way to it too, and not of its pictures."""
        from muniment.ingest.urls import page_of

        if isinstance(other, Capture) and other.location is not None:
            return self._facts(other.uri, item.target, other.uri)
        facts = self._facts(other.uri, Target(item.name), other.uri if other.uri.startswith("http") else None)
        return [*facts, ("requisiteOf", page_of(item.outcome.uri or ""))]

    def _described(self, number: int) -> Described | None:
        """The article that stands for a capture so far: one of this group, or one in the archive."""
        if number in self._derived:
            return self._derived[number]
        held = self._writer.catalog.snapshot(number)
        article = self._archive.article(held) if held else None
        return Described(article, held.source, held.tags) if held and article else None

    def _source(self, url: str | None) -> str | None:
        from muniment.ingest.urls import host_of, source_of

        if url is None:
            return None
        host, known = source_of(url), self._writer.catalog.source_name
        names = self._archive.config.sources
        return known(host_of(url)) or known(host) or names.get(host_of(url)) or names.get(host) or host

    def commit(self) -> Iterator[Added]:
        """Commit what was stored, then yield it: only now may anyone call it stored."""
        self._writer.commit()
        results, self._results = self._results, []
        self._derived.clear()
        self._size, self._begun = 0, time.monotonic()
        for result in results:
            if result.state == "unchanged" and result.snapshot is not None:
                result = self._with_article(result)
            elif result.snapshot is not None and result.state == "stored":
                self._warn_of_withdrawn(result.snapshot)
            yield result
        self._index()

    def _warn_of_withdrawn(self, number: int) -> None:
        """Whoever adds a folder again brings back what a court had removed, and should know."""
        if (before := self._writer.catalog.withdrawn_payload(number)) is not None:
            _log.warning(
                "#%d holds the same bytes as #%d, which was withdrawn: where they may not be kept, withdraw #%d too",
                number, before, number,
            )  # fmt: skip

    def _with_article(self, result: Added) -> Added:
        held = self._writer.catalog.snapshots([result.snapshot or 0])
        if not held or held[0].derivation is None:
            return result
        shown = held[0]
        return replace(result, title=shown.title, published=shown.published, source=shown.source, problem=shown.problem)

    def _index(self) -> None:
        self._archive.refresh()
        with self._as_a_cache():
            self._indexer = self._indexer or Indexer(self._archive)
            self._indexer.take_new(texts=self._texts)
        self._texts.clear()

    def close(self) -> None:
        with self._as_a_cache():
            if self._indexer is not None:
                self._indexer.close()

    @contextmanager
    def _as_a_cache(self) -> Iterator[None]:
        """What goes wrong with the index is told once and ends nothing: it catches up when it can."""
        try:
            yield
        except (IndexBehind, Locked, StorageError) as e:
            if not self._warned:
                _log.warning("stored, but not indexed yet: %s", e)
            self._warned = True
            if self._indexer is not None:
                self._indexer.engine.close()
                self._indexer = None


def _claimed(said: Declared, declared: Declared) -> list[tuple[str, str]]:
    """Which of the declarations are the imported file's, which anybody may have made, and not of whoever adds it."""
    names = ("title", "published", "source", "language", "authors", "tags")
    shared = [name for name in names if getattr(said, name) and getattr(said, name) == getattr(declared, name)]
    shared += [name for name in ("authors", "tags") if name not in shared and getattr(said, name)]
    return [("importedDeclared", ", ".join(shared))] if shared else []


def _passed_over(item: Item) -> Added | None:
    """What is said of an article that is older than is asked for: by its own dates, else by its server's."""
    article, capture = item.article, item.outcome
    if item.since is None or article is None or not isinstance(capture, Capture):
        return None
    from muniment.ingest.discover.dates import is_before
    from muniment.ingest.http import last_modified

    said = article.updated or article.published
    date = said.date if said else last_modified(capture.block) if capture.kind == "response" else ""
    if not date or not is_before(date, item.since):
        return None
    problem = f"{'dated' if said else 'last modified'} before {item.since}"
    published = article.published.date if article.published else None
    return Added(item.name, "skipped", None, item.target.url, article.title, published, problem=problem)


def _facts(uri: str | None, target: Target, url: str | None) -> list[tuple[str, str]]:
    """What the metadata record says besides what the capture knows: identity, address, declarations."""
    from muniment.ingest.urls import article_key, page_of

    declared = target.declared
    facts = [("articleKey", article_key(page_of(uri)))] if uri is not None else []
    if url:
        facts.append(("articleUrl", url))
    for name in ("title", "published", "source", "language"):
        if value := getattr(declared, name):
            facts.append((f"declared-{name}", value))
    facts += [("declared-author", author) for author in declared.authors]
    facts += [("declared-tag", tag) for tag in declared.tags]
    return [*facts, *target.facts]
