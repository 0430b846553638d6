"""The index that answers a search: opened, brought up to the log, built anew after an upgrade where that is quick."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from muniment.archive.archive import Archive
from muniment.errors import IndexBehind, IntegrityError, Locked, StorageError

if TYPE_CHECKING:
    from muniment.index.engine import Engine
    from muniment.index.query import Query

BUILT_AT_ONCE = {"tantivy": 1_000, "whoosh": 100}  # articles that a search indexes anew: two seconds, about
LONGEST_BUILD = 10.0  # seconds, where these are long


@contextmanager
def opened(archive: Archive, tree: Query, text: str) -> Iterator[tuple[Engine, Query, int]]:
    """The index that answers the tree of the query `text`, what to ask it, and how many articles it holds."""
    from muniment.index.query import leaves

    if any(leaf.field == "is" for leaf in leaves(tree)):
        from muniment import withdrawn

        if withdrawn.is_asked_for(tree, text):
            with withdrawn.opened(archive) as engine:
                yield engine, withdrawn.without(tree), archive.articles
            return
    from muniment.index import generations

    with open_index(archive) as engine, generations.telling_damage(archive.root / "index"):
        engine.texts = _texts(archive)
        yield engine, tree, engine.count()


def _texts(archive: Archive) -> Callable[[int], Mapping[str, str]]:
    """Gives the words of a snapshot to an engine that has to look at them. A damaged one is told of."""

    def texts(number: int) -> dict[str, str]:
        snapshot = archive.snapshot(number)
        try:
            text = archive.text(snapshot)
        except IntegrityError as e:
            import logging  # 9 ms that a search has no use for

            logging.getLogger(__name__).warning("#%d may match too, and cannot be looked through: %s", number, e)
            text = ""
        return {"title": snapshot.title or "", "text": text, "author": " ".join(snapshot.authors)}

    return texts


def open_index(archive: Archive) -> Engine:
    """The index in use, brought up to the log where that is possible now. Raises IndexBehind where there is none."""
    from muniment.index import generations
    from muniment.indexing import problem_of

    root = archive.root / "index"
    if generations.is_outdated(root):
        _renew(archive)
    engine = generations.open_current(root)
    if engine is not None:
        state = engine.state()
        if problem := problem_of(archive, state):
            engine.close()
            raise IndexBehind(f"the index {problem}")
        if state.log_size >= archive.progress.size:
            return engine
        engine.close()
    try:
        index_new(archive)
    except (Locked, StorageError, IndexBehind) as e:  # the last where another took its place meanwhile
        if engine is None:
            raise IndexBehind(f"there is no index yet, and none can be made now: {e}") from e
    current = generations.open_current(root)
    if current is None:
        raise IndexBehind("there is no index: run `muniment reindex`")
    return current


def _renew(archive: Archive) -> None:
    """An index of another version is built anew where that takes a few seconds. Raises IndexBehind where it cannot be,
    or takes longer: what was built until then counts."""
    from muniment.index import generations
    from muniment.indexing import outdated

    root = archive.root / "index"
    deadline = time.monotonic() + LONGEST_BUILD

    def look_at_clock(reached: int) -> None:
        if reached < archive.progress.size and time.monotonic() > deadline:
            raise TimeoutError

    try:
        if archive.progress.articles > BUILT_AT_ONCE[generations.engine_in_use(root)]:
            raise TimeoutError
        index_new(archive, look_at_clock)
    except TimeoutError:
        raise IndexBehind(f"the index {outdated(archive)}") from None
    except Locked:  # somebody else is at it, and will be done soon
        while generations.is_outdated(root):
            if time.monotonic() > deadline:
                raise IndexBehind(f"the index {outdated(archive)}") from None
            time.sleep(0.05)
    except StorageError as e:
        raise IndexBehind(f"the index {outdated(archive)}; it cannot be built anew now: {e}") from e


def index_new(archive: Archive, progress: Callable[[int], None] = lambda reached: None) -> None:
    """Bring the index up to the log. Raises Locked where another process is at it, IndexBehind where it cannot be."""
    from muniment.indexing import Indexer

    indexer = Indexer(archive)
    try:
        indexer.take_new(progress)
    finally:
        indexer.close()
