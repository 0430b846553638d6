"""A newer cleaner over what the archive holds: new derivations beside the old ones, and what they change.

Nothing is taken away: the newer text stands for the snapshot from then on, and the older one can still be shown and
proved. What this cleaner made already is passed over unread, so that a run that was interrupted goes on where it stood.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from muniment.archive.archive import Archive
from muniment.errors import FetchError, IndexBehind, IntegrityError, Locked, StorageError
from muniment.model import Article, Declared
from muniment.remaking import Described, clean_job, joined

if TYPE_CHECKING:
    from muniment.archive.writer import Writer
    from muniment.ingest.clean import CleanJob

_log = logging.getLogger(__name__)
GROUP, GROUP_SECONDS = 100, 1.0
AHEAD = 500
_BY_LIMITS = ("extraction-timeout", "extraction-memory", "extraction-crashed")


@dataclass(frozen=True, slots=True)
class Recleaned:
    """What became of one snapshot.

    `state`: "changed", the article comes out otherwise; "renewed", it is the same under newer rules of ours; "same",
    only versions of libraries or of Python differ, and nothing is written; "current", this cleaner made it; "failed",
    see `problem`, and the old text stands. `before` and `derivation` are the numbers of the old derivation and the new
    one (None where none was written); `changed` names the fields that differ; `removed` and `added` count words.
    """

    snapshot: int
    state: Literal["changed", "renewed", "same", "current", "failed"]
    before: int
    derivation: int | None = None
    changed: tuple[str, ...] = ()
    removed: int = 0
    added: int = 0
    problem: str | None = None


class _Held(NamedTuple):
    """A snapshot with the derivation that stands for it."""

    snapshot: int
    derivation: int
    uri: str
    described: Described


def reclean(
    archive: Archive,
    numbers: Sequence[int] | None = None,
    *,
    dry_run: bool = False,
    processes: int | None = None,
    wait: float = 0.0,
    progress: Callable[[int, int, int], None] = lambda done, total, read: None,
) -> Iterator[Recleaned]:
    """Clean these snapshots anew (None: all), and yield what became of each once that is on the disk.

    With `dry_run` nothing is written, and no lock is taken. Raises Locked, IntegrityError, StorageError.
    """
    if dry_run:
        yield from _reclean(archive, None, numbers, processes, progress)
        return
    with archive.writer(wait=wait) as writer:
        archive.refresh()
        pending: list[Recleaned] = []
        since = time.monotonic()
        try:
            for recleaned in _reclean(archive, writer, numbers, processes, progress):
                pending.append(recleaned)
                if len(pending) >= GROUP or time.monotonic() - since >= GROUP_SECONDS:
                    writer.commit()
                    yield from pending
                    pending, since = [], time.monotonic()
            writer.commit()
            yield from pending
        finally:
            archive.refresh()
            _index(archive)


def _reclean(
    archive: Archive,
    writer: Writer | None,
    numbers: Sequence[int] | None,
    processes: int | None,
    progress: Callable[[int, int, int], None],
) -> Iterator[Recleaned]:
    """Within some hundreds, those that need no cleaning, or fail before it, may come before their turn."""
    from muniment.ingest.clean.workers import Workers

    wanted = archive.catalog.derived(None if numbers is None else set(numbers))
    passed: list[Recleaned] = []
    done = 0
    with Workers(processes) as workers:
        for start in range(0, len(wanted), AHEAD):
            for held, article in workers.map(_jobs(archive, wanted[start : start + AHEAD], passed)):
                yield from passed
                done += 1 + len(passed)
                passed.clear()
                progress(done, len(wanted), len(article.text))
                yield _compare(held, article, writer)
            yield from passed
            done += len(passed)
            passed.clear()


def _jobs(
    archive: Archive, wanted: Sequence[tuple[int, int]], passed: list[Recleaned]
) -> Iterator[tuple[_Held, CleanJob]]:
    for snapshot, derivation in wanted:
        try:
            held = _held(archive, snapshot, derivation)
            if _is_current(held.described.article):
                passed.append(Recleaned(snapshot, "current", derivation))
                continue
            job = clean_job(archive, snapshot, derivation)
        except (IntegrityError, FetchError, ValueError, KeyError) as e:
            passed.append(Recleaned(snapshot, "failed", derivation, problem=f"a record is damaged: {e}"))
            continue
        yield held, job


def _held(archive: Archive, number: int, derivation: int) -> _Held:
    """The tags are those that the derivation declares, since what was tagged stays so; the source is the one that it is
    called by now."""
    from muniment.archive.records import read_article

    conversion, metadata = archive.records(derivation)
    snapshot = archive.snapshot(number)
    tags = tuple(json.loads(metadata.block).get("tags") or ())
    return _Held(number, derivation, snapshot.uri, Described(read_article(conversion, metadata), snapshot.source, tags))


def _is_current(article: Article) -> bool:
    """Whether the cleaner that is installed made this article, or it takes more than the bytes to make it (`--ocr`)."""
    from muniment.ingest.clean.fingerprint import current

    if article.extractor.startswith("muniment-ocr/"):
        return True
    return current(article.extractor) == dict(article.settings)


def _compare(held: _Held, article: Article, writer: Writer | None) -> Recleaned:
    old = held.described
    if article.problem in _BY_LIMITS:
        return Recleaned(held.snapshot, "failed", held.derivation, problem=article.problem)
    new = joined(old, Described(article, old.source, ()), Declared())
    from muniment.versions.rederived import differing

    changed = tuple(differing(old.article, new.article))
    if not changed and old.article.extractor == new.article.extractor:
        return Recleaned(held.snapshot, "same", held.derivation)
    derivation = None
    if writer is not None:
        derivation = writer.add_article(new.article, held.snapshot, held.uri, source=new.source, tags=new.tags)
    made = Recleaned(held.snapshot, "changed" if changed else "renewed", held.derivation, derivation, changed)
    if "text" not in changed:
        return made
    from muniment.versions.difference import compare

    difference = compare(old.article.text, new.article.text)
    return replace(made, removed=difference.removed, added=difference.added)


def _index(archive: Archive) -> None:
    """Stored is stored, whatever becomes of the index: it catches up when it can."""
    from muniment.indexing import Indexer

    try:
        indexer = Indexer(archive)
        try:
            indexer.take_new()
        finally:
            indexer.close()
    except (IndexBehind, Locked, StorageError) as e:
        _log.warning("stored, but not indexed yet: %s", e)
