"""From targets to articles: fetched or read, then cleaned, each in its turn.

gather      targets -> captures and attempts, URLs a few at a time
clean_items captures -> articles, in the limited workers

What comes out is stored in groups (storing.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, Protocol

from muniment.errors import ItemError, UploadError
from muniment.ingest.upload import MAX_UPLOAD, Target
from muniment.model import Article, Attempt, Capture, Declared, Fetched, Imported

if TYPE_CHECKING:
    from muniment.archive.writer import Writer
    from muniment.ingest.clean.workers import Workers
    from muniment.ingest.http import Held
    from muniment.ingest.opening import Opened

FETCHES_AHEAD = 16  # most of them wait for their turn where a list holds many addresses of one host
CLEANED_AHEAD = 64
BYTES_AHEAD = 32 << 20
LONG_BLOCK = 2 << 20  # bytes of an imported record that lies in memory; longer ones lie on the disk


@dataclass(frozen=True, slots=True)
class Added:
    """What became of one target. `snapshot` is the number of the capture that holds its bytes.

    `kept` are the records of imported files that are no articles: images, redirects, requests. Of what a discovery
    found, `start` is where it began, `size` the bytes that crossed the wire, `seconds` how long it was asked for, a
    `listing` names others, and what is `not_modified` its server said so of.
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
    start: str | None = None
    size: int = 0
    seconds: float = 0.0
    listing: bool = False
    not_modified: bool = False


@dataclass(frozen=True, slots=True)
class AddOptions:
    """How to add. `processes` clean in parallel (None: one for each core); `max_size` is in bytes, of an upload;
    `ocr` names the languages in which scanned documents are recognised ("eng", "fas+eng").

    `workers` are used where there are some already, and stay open: they take a second to start. `reading` is told how
    far the reading of a file that holds many is: (target, bytes, of bytes). Where fewer than `least_free` bytes are
    free on the archive's disk, no further group is begun.
    """

    processes: int | None = None
    max_size: int = MAX_UPLOAD
    ocr: str | None = None
    wait: float = 0.0
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    workers: Workers | None = None
    reading: Callable[[str, int, int], object] | None = None
    least_free: int = 0


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

    They are given on as soon as they are clean. As many wait for the workers as keep them busy while a group is
    committed and indexed, within bounds of memory.
    """
    window: deque[tuple[Item, Future[Article] | None]] = deque()
    held = 0
    for item in items:
        if item is not None:
            window.append((item, _submit(item, writer, workers)))
            held += _size(item)
        while window and (item is None or _is_done(window[0][1]) or len(window) > CLEANED_AHEAD or held > BYTES_AHEAD):
            held -= _size(window[0][0])
            yield _cleaned(*window.popleft())
        if item is None:
            yield None
    while window:
        yield _cleaned(*window.popleft())


def _is_done(future: Future[Article] | None) -> bool:
    return future is None or future.done()


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

    if imported.body is None or writer.holds_original(imported, key_of(imported)) is not None:
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


def key_of(imported: Imported) -> str | None:
    """The identity of the article at the address of an imported record."""
    from muniment.ingest.urls import article_key, page_of

    return article_key(page_of(imported.uri)) if imported.uri is not None else None


def _wants_ocr(writer: Writer, number: int, workers: Workers) -> bool:
    """Whether a document that is held was found scanned, and may be recognised now."""
    held = writer.catalog.snapshot(number) if workers.recognises else None
    return held is not None and (held.problem or "").startswith("no-text: scanned")


def _cleaned(item: Item, future: Future[Article] | None) -> Item:
    return item if future is None else replace(item, article=future.result())
