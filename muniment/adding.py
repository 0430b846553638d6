"""From targets to committed articles: fetched or read, cleaned, stored in groups, each in its turn.

gather      targets -> captures and attempts, URLs a few at a time
clean_items captures -> articles, in the limited workers
Batch       the archive's writer, and the commit that makes a group stored
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, Protocol

from muniment.archive.archive import Archive
from muniment.errors import IndexBehind, ItemError, Locked, StorageError, UploadError
from muniment.indexing import Indexer
from muniment.ingest.upload import MAX_UPLOAD, Target
from muniment.model import Article, Attempt, Capture, Declared, Fetched, Imported
from muniment.remaking import Described, joined

if TYPE_CHECKING:
    from muniment.archive.writer import Writer
    from muniment.ingest.clean.workers import Workers
    from muniment.ingest.http import Held
    from muniment.ingest.opening import Opened

_log = logging.getLogger(__name__)

GROUP_ITEMS = 100
GROUP_BYTES = 64 << 20
GROUP_SECONDS = 1.0
FETCHES_AHEAD = 16  # most of them wait for their turn where a list holds many addresses of one host
CLEANED_AHEAD = 64
BYTES_AHEAD = 32 << 20
LONG_BLOCK = 2 << 20  # bytes of an imported record that lies in memory; longer ones lie on the disk


@dataclass(frozen=True, slots=True)
class Added:
    """What became of one target. `snapshot` is the number of the capture that holds its bytes.

    `kept` are the records of imported files that are no articles: images, redirects, requests.
    """

    target: str
    state: Literal["stored", "unchanged", "kept", "failed", "skipped"]
    snapshot: int | None = None
    url: str | None = None
    title: str | None = None
    published: str | None = None
    source: str | None = None
    problem: str | None = None
    error: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class AddOptions:
    """How to add. `processes` clean in parallel (None: one for each core); `max_size` is in bytes, of an upload;
    `ocr` names the languages in which scanned documents are recognised ("eng", "fas+eng").

    `workers` are used where there are some already, and stay open: they take a second to start. `reading` is told how
    far the reading of a file that holds many is: (target, bytes, of bytes).
    """

    processes: int | None = None
    max_size: int = MAX_UPLOAD
    ocr: str | None = None
    wait: float = 0.0
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    workers: Workers | None = None
    reading: Callable[[str, int, int], object] | None = None


class Fetches(Protocol):
    """What gets a URL: `ingest.fetch.Fetcher`, or one of those around it."""

    def fetch(self, url: str, held: Mapping[str, Held] | None = None) -> Fetched: ...


@dataclass(frozen=True, slots=True)
class Item:
    """One thing on its way, that a target is or holds: what fetching or reading gave, then what cleaning made of it.

    `name` is how the user is told of it; `beside` are redirects on the way, and what belongs to a page: no articles.
    `listing` says what a feed or sitemap holds, which is kept and no article; `confirmed` is the capture that a server
    says still stands, `unreadable` a listing that nothing could be made of. An article that is dated before `since` is
    not kept.
    """

    target: Target
    name: str
    outcome: Capture | Attempt | Imported
    beside: tuple[Capture | Attempt, ...] = ()
    article: Article | None = None
    listing: str | None = None
    confirmed: int | None = None
    unreadable: bool = False
    is_article: bool = True
    since: str | None = None


def gather(
    targets: Iterable[Target], fetcher: Callable[[], Fetches], options: AddOptions, threads: ThreadPoolExecutor
) -> Iterator[Item | None]:
    """The captures of the targets, in order; None where the next one has to be waited for.

    URLs are fetched a few at a time; files are read when their turn comes, so that few are in memory.
    """
    window: deque[tuple[Target, Future[Fetched] | None]] = deque()
    source = iter(targets)
    exhausted = False
    while window or not exhausted:
        while not exhausted and len(window) < FETCHES_AHEAD:
            target = next(source, None)
            if target is None:
                exhausted = True
            else:
                wanted = target.url if target.problem is None else None
                window.append((target, threads.submit(fetcher().fetch, wanted) if wanted else None))
        if window:
            target, future = window.popleft()
            if future is not None and not future.done():
                yield None
            yield from _gathered(target, future, options)


def _gathered(target: Target, future: Future[Fetched] | None, options: AddOptions) -> Iterator[Item]:
    from muniment.ingest.opening import open_capture, open_target

    try:
        if target.problem is not None:
            raise UploadError(target.reason, target.problem)
        if future is None:
            for opened in open_target(target, options.clock(), options.max_size):
                if options.reading is not None and opened.read is not None:
                    options.reading(target.name, *opened.read)
                yield from _items(target, opened, options)
            return
        fetched = future.result()
        beside = (*fetched.redirects, *fetched.requisites)
        if isinstance(fetched.outcome, Attempt):
            yield Item(target, target.name, fetched.outcome, beside)
            return
        for n, opened in enumerate(open_capture(target.name, fetched.outcome, target.declared)):
            yield _item(target, opened, () if n else beside)
    except ItemError as e:
        yield Item(target, target.name, Attempt(_attempted_uri(target), options.clock(), e.reason, str(e)))


def _items(target: Target, opened: Opened, options: AddOptions) -> Iterator[Item]:
    if not isinstance(opened.outcome, Imported):
        yield _item(target, opened)
        return
    from muniment.archive.originals import separated

    if opened.declared is not None:
        target = replace(target, declared=opened.declared)
    for imported in separated(opened.outcome, options.clock()):
        yield Item(target, opened.name, imported)


def _item(target: Target, opened: Opened, beside: tuple[Capture | Attempt, ...] = ()) -> Item:
    if opened.declared is not None:
        target = replace(target, declared=opened.declared)
    return Item(target, opened.name, opened.outcome, beside, is_article=opened.is_article)


def _attempted_uri(target: Target) -> str:
    """A URI that names what was tried, where that is no address itself."""
    from urllib.parse import quote

    from muniment.ingest.upload import file_uri

    if target.path is not None:
        return file_uri(target.path)
    return "urn:x-muniment:" + quote(target.url or target.name)[:4096]


def make_workers(options: AddOptions) -> Workers:
    """The limited processes that clean. Raises UsageError where recognition is asked for and cannot be had."""
    if options.ocr is not None:
        from muniment.ingest.ocr import OcrWorkers

        return OcrWorkers(options.processes, options.ocr)
    from muniment.ingest.clean.workers import Workers

    return Workers(options.processes)


def clean_items(items: Iterator[Item | None], writer: Writer, workers: Workers) -> Iterator[Item | None]:
    """The items with their articles, in order.

    As many wait for the workers as keep them busy while a group is committed and indexed, within bounds of memory.
    """
    window: deque[tuple[Item, Future[Article] | None]] = deque()
    held = 0
    for item in items:
        if item is not None:
            window.append((item, _submit(item, writer, workers)))
            held += _size(item)
        while window and (item is None or len(window) > CLEANED_AHEAD or held > BYTES_AHEAD):
            held -= _size(window[0][0])
            yield _cleaned(*window.popleft())
        if item is None:
            yield None
    while window:
        yield _cleaned(*window.popleft())


def _size(item: Item) -> int:
    outcome = item.outcome
    if isinstance(outcome, Imported):
        return min(outcome.original.block.size, LONG_BLOCK) + len(outcome.body or b"")
    return sum(len(one.block) for one in (outcome, *item.beside) if isinstance(one, Capture))


def _submit(item: Item, writer: Writer, workers: Workers) -> Future[Article] | None:
    from muniment.ingest.clean import CleanJob
    from muniment.ingest.clean.hints import hints_of
    from muniment.ingest.urls import article_key, page_of

    capture, declared = item.outcome, item.target.declared
    if isinstance(capture, Attempt) or item.listing is not None or not item.is_article:
        return None
    if isinstance(capture, Imported):
        return _submit_imported(capture, declared, writer, workers)
    if declared == Declared():
        original = writer.holds(capture, article_key(page_of(capture.uri)))
        if original is not None and writer.has_article(original) and not _wants_ocr(writer, original, workers):
            return None
    return workers.submit(
        CleanJob(
            payload=capture.body,
            media_type=capture.media_type,
            captured_at=capture.captured_at,
            uri=page_of(capture.uri),
            charset=capture.charset,
            content_encoding=capture.content_encoding,
            declared=declared,
            file_name=dict(capture.facts).get("fileName"),
            hints=hints_of(item.target.facts),
        )
    )


def _submit_imported(
    imported: Imported, declared: Declared, writer: Writer, workers: Workers
) -> Future[Article] | None:
    from muniment.ingest.clean import CleanJob
    from muniment.ingest.clean.hints import hints_of
    from muniment.ingest.urls import page_of

    if imported.body is None or writer.holds_original(imported, _key_of(imported)) is not None:
        return None
    return workers.submit(
        CleanJob(
            payload=imported.body,
            media_type=imported.media_type,
            captured_at=imported.captured_at or datetime.now(UTC),
            uri=page_of(imported.uri or ""),
            charset=imported.charset,
            content_encoding=imported.content_encoding,
            declared=declared,
            file_name=dict(imported.facts).get("fileName"),
            hints=hints_of(imported.facts),
        )
    )


def _key_of(imported: Imported) -> str | None:
    from muniment.ingest.urls import article_key, page_of

    return article_key(page_of(imported.uri)) if imported.uri is not None else None


def _wants_ocr(writer: Writer, number: int, workers: Workers) -> bool:
    """Whether a document that is held was found scanned, and may be recognised now."""
    held = writer.catalog.snapshot(number) if workers.recognises else None
    return held is not None and (held.problem or "").startswith("no-text: scanned")


def _cleaned(item: Item, future: Future[Article] | None) -> Item:
    return item if future is None else replace(item, article=future.result())


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

        page, key = page_of(imported.uri or ""), _key_of(imported)
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
