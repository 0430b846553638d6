"""The product in a few functions. START HERE.

    add         targets -> captures -> articles -> the archive -> the index     (adding.py, storing.py)
    discover    feeds, sitemaps, sites -> what they name, added the same way     (discovering.py)
    index_new   brings the index up to the log                                  (indexing.py)
    find        query text -> typed tree -> the engine -> hits with their snapshots and snippets  (finding.py)
    reindex     the index anew from the archive; rebuild, the catalog and tiles too
    curating.py tags, notes, names of sources, collections, withdrawals: each a leaf, then the index follows

Each room (ingest, archive, index, search) knows none of the others; they are joined here and in the two modules named.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from muniment import durable
from muniment.answering import index_new, open_index
from muniment.archive.archive import Archive
from muniment.errors import IndexBehind
from muniment.finding import Found, Results, Search, find, find_all, tree_of

if TYPE_CHECKING:
    from collections import Counter
    from concurrent.futures import ThreadPoolExecutor

    from muniment.adding import Added, AddOptions, Fetches, Item
    from muniment.discovering.plan import Plan
    from muniment.ingest.clean.workers import Workers
    from muniment.ingest.fetch import Fetcher
    from muniment.ingest.upload import Target

__all__ = [
    "Found", "Results", "Search", "add", "discover", "find", "find_all", "index_new", "index_state", "open_index",
    "rebuild", "reindex", "tree_of",
]  # fmt: skip


def add(
    archive: Archive, targets: Iterable[Target], fetcher: Callable[[], Fetches], options: AddOptions
) -> Generator[Added, None, None]:
    """Add every target; yields what became of each, in order, once that is on the disk.

    A target that fails is recorded in the log as an attempt and the rest go on. `fetcher` is called when the first URL
    comes. Raises Locked, IntegrityError, StorageError (everything yielded is stored).
    """
    from muniment.adding import FETCHES_AHEAD, gather

    yield from _store(archive, options, lambda threads, _: gather(targets, fetcher, options, threads), FETCHES_AHEAD)


def discover(
    archive: Archive,
    plan: Plan,
    fetcher: Fetcher,
    options: AddOptions,
    *,
    pages: Fetches | None = None,
    restart: bool = False,
    left: Counter[tuple[str, str]] | None = None,
    before: list[Added] | None = None,
) -> Generator[Added, None, None]:
    """Add what feeds, sitemaps or the links of a site lead to; yields the same as `add`, as it comes.

    `fetcher` gets listings, and `pages` the pages where it is given (with a browser, or with what they need). A run
    that was interrupted goes on, unless it is to `restart`. `left` is told at the end how many pages of each start
    are left for another run, by the host that asked for it, and `before` at the beginning what came of the pages that
    this run looked at before it was cut off. Raises as `add` does.
    """
    from contextlib import closing

    from muniment.discovering import FLIGHTS, Discovery

    with (
        closing(Discovery(archive, plan, fetcher, options, pages=pages, restart=restart, before=before)) as discovery,
        closing(_store(archive, options, discovery.gather, FLIGHTS)) as stored,
    ):
        for added in stored:
            yield discovery.settle(added)
        if left is not None:
            left.update(discovery.left)
        discovery.finish()


def _store(
    archive: Archive,
    options: AddOptions,
    gather: Callable[[ThreadPoolExecutor, Workers], Iterator[Item | None]],
    ahead: int,
) -> Generator[Added, None, None]:
    """What was gathered, by so many threads at most, cleaned, stored in groups and indexed."""
    from concurrent.futures import ThreadPoolExecutor
    from contextlib import nullcontext

    from muniment.adding import clean_items, make_workers
    from muniment.storing import Batch

    threads = ThreadPoolExecutor(ahead, thread_name_prefix="fetch")
    pool = nullcontext(options.workers) if options.workers else make_workers(options)
    with pool as workers, archive.writer(wait=options.wait) as writer:  # they warm up meanwhile
        batch = Batch(archive, writer)
        durable.check_room(archive.root, options.least_free)
        captured = gather(threads, workers)
        try:
            for item in clean_items(captured, writer, workers):
                if item is not None:
                    batch.store(item)
                if item is None or batch.is_due():
                    yield from batch.commit()
                    durable.check_room(archive.root, options.least_free)
            yield from batch.commit()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)  # a fetch may hang for minutes: nobody waits for it
            batch.close()


def reindex(archive: Archive, engine: str | None, progress: Callable[[int], None], *, wait: float = 0.0) -> int:
    """Build the index anew and put it in use in one step; a build that was killed goes on where it stood.

    Returns how many articles the index holds. Raises Locked where another process writes to the archive, and goes on
    for `wait` seconds.
    """
    from muniment.durable import Lock
    from muniment.index import generations
    from muniment.indexing import Indexer, begin_build

    root = archive.root / "index"
    lock = Lock(archive.root / "lock", wait)
    try:
        root.mkdir(exist_ok=True)
        name, opened = begin_build(archive, engine or generations.engine_in_use(root))
        indexer = Indexer(archive, opened)
        try:
            indexer.take_new(progress)
            indexer.commit()
            count = opened.count()
        finally:
            indexer.close()
        generations.put_in_use(root, name)
        return count
    finally:
        lock.release()


def rebuild(root: Path, *, wait: float = 0.0) -> Archive:
    """Catalog and tiles from the WARC files and the log; `reindex` makes the index. Returns the archive, opened."""
    from muniment.archive import archive

    archive.rebuild(root, wait=wait)
    return Archive(root)


def index_state(archive: Archive) -> dict[str, str | int | None]:
    """What is to be said of the index: engine, how many articles it holds and of how many, and what is wrong."""
    from muniment.index import generations
    from muniment.indexing import problem_of

    root = archive.root / "index"
    state: dict[str, str | int | None] = {
        "engine": generations.engine_in_use(root),
        "indexed": 0,
        "articles": archive.progress.articles,
        "log_size": 0,
        "problem": None,
    }
    try:
        engine = generations.open_current(root)
    except IndexBehind as e:
        return {**state, "problem": str(e)}
    if engine is None:
        return {**state, "problem": None if not archive.progress.articles else "missing: run `muniment reindex`"}
    with engine:
        found = engine.state()
        return {**state, "indexed": engine.count(), "log_size": found.log_size, "problem": problem_of(archive, found)}
