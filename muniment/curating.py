"""What people say of what is archived, each a leaf of the log; then the index follows.

tag, note       labels of an article, a remark on a snapshot
name_source     how the source at a host is called
collect         which articles belong together
withdraw        removes what was captured; leaf and digests stay
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from muniment.archive.archive import Archive
from muniment.errors import FetchError, IndexBehind, Locked, StorageError, UsageError
from muniment.indexing import Indexer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from muniment.archive.writer import Writer

MAX_NAME, MAX_NOTE = 200, 100_000  # characters
_log = logging.getLogger(__name__)


def tag(archive: Archive, number: int, add: Sequence[str], remove: Sequence[str], *, wait: float = 0.0) -> int:
    """Put tags on the article of a snapshot, on all of its versions, or take them off. Returns the leaf's number."""
    content = {"add": [_name(label, "tag") for label in add], "remove": [_name(label, "tag") for label in remove]}
    of = archive.snapshot(number).number
    return _write(archive, lambda writer: writer.add_act("tag", content, of), wait)


def note(archive: Archive, number: int, text: str, *, wait: float = 0.0) -> int:
    """Keep a remark on a snapshot. Returns the leaf's number."""
    if not text.strip() or len(text) > MAX_NOTE:
        raise UsageError(f"a note has 1 to {MAX_NOTE:,} characters")
    of = archive.snapshot(number).number
    return _write(archive, lambda writer: writer.add_act("note", {"text": text}, of), wait)


def name_source(archive: Archive, host: str, name: str, *, wait: float = 0.0) -> int:
    """Call the source at this host so, for what is there and what comes. Returns the leaf's number."""
    from muniment.ingest.urls import normalise_target, source_of

    try:
        found = source_of(normalise_target(f"https://{host}/"))
    except FetchError as e:
        raise UsageError(f"{host!r} is no host: write such as example.org") from e
    content = {"host": found, "name": _name(name, "name")}
    return _write(archive, lambda writer: writer.add_act("source", content), wait)


def collect(archive: Archive, name: str, add: Sequence[int], remove: Sequence[int], *, wait: float = 0.0) -> int:
    """Put the articles of these snapshots into a collection, or take them out. Returns the leaf's number."""
    content = {
        "name": _name(name, "collection's name"),
        "add": [archive.snapshot(number).number for number in add],
        "remove": [archive.snapshot(number).number for number in remove],
    }
    return _write(archive, lambda writer: writer.add_act("collection", content), wait)


class Withdrawn(NamedTuple):
    """What `withdraw` did: the number of its leaf, and what may have to be looked at besides."""

    leaf: int
    same_bytes: Sequence[int]
    other_versions: Sequence[int]


def withdraw(archive: Archive, number: int, reason: str, *, entirely: bool = False, wait: float = 0.0) -> Withdrawn:
    """Remove the payload of a capture and all that was made of it. Raises UsageError where #number is none."""
    if not reason.strip() or len(reason) > MAX_NOTE:
        raise UsageError(f"--reason has 1 to {MAX_NOTE:,} characters: it is what remains to be read")
    leaf = _write(archive, lambda writer: writer.withdraw(number, reason, entirely=entirely), wait)
    catalog = archive.catalog
    key = catalog.key_of(number)
    others = [snapshot.number for snapshot, _, _ in (catalog.history(key) if key else ())
              if snapshot and snapshot.derivation is not None and snapshot.number != number]  # fmt: skip
    return Withdrawn(leaf, catalog.same_payload(number), others)


def _name(text: str, what: str) -> str:
    name = " ".join(text.split())
    if not name or len(name) > MAX_NAME:
        raise UsageError(f"a {what} has 1 to {MAX_NAME} characters")
    return name


def _write(archive: Archive, act: Callable[[Writer], int], wait: float) -> int:
    with archive.writer(wait=wait) as writer:
        number = act(writer)
        writer.commit()
        archive.refresh()
        with _as_a_cache():
            indexer = Indexer(archive)
            try:
                indexer.take_new()
            finally:
                indexer.close()
    return number


@contextmanager
def _as_a_cache() -> Iterator[None]:
    """The act stands, whatever becomes of the index: it catches up when it can."""
    try:
        yield
    except (IndexBehind, Locked, StorageError) as e:
        _log.warning("kept, but not indexed yet: %s", e)
