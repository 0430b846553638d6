"""Step 3: the records. The SHA-256 of each gzip member against the catalog; and, unless `fast`, each record inflated
and compared with the digest in its leaf (gzip headers are covered by nothing but the first).

Fast verify hashes the files in blocks (`stretches.py`), and members where a block does not fit. It trusts the catalog's
digests, which were written when the record was, or by a rebuild that compared every record with its leaf. Without a
catalog that fits, the files are scanned for members.

A writer may be at work meanwhile. What does not fit is looked at once more with what was committed since.
"""

from __future__ import annotations

import sqlite3
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from muniment.archive.blocks import BLOCK
from muniment.archive.catalog import Catalog
from muniment.archive.tables.places import Extent
from muniment.archive.verify.finding import Finding, Request, Tally
from muniment.archive.verify.forked import in_order, processors
from muniment.archive.verify.part import Part, PartCheck, Scope, gap
from muniment.archive.verify.scanned import ScanCheck
from muniment.archive.verify.stretches import hashing, joined, stretches
from muniment.archive.verify.walk import Bundles, Walked, newer_tombstones, writer_at_work
from muniment.formats.leaf import records_of
from muniment.formats.tile import WIDTH
from muniment.regular import size_of

_LEAVES = 1024  # in a part
_WORTH_FORKING, _MUCH = 64 << 20, 640 << 20  # bytes of segments to inflate; to hash only
_PATIENCE, _PAUSE = 10, 0.2
# What comes of reading a catalog that somebody changed.
_ODD_VALUES = (sqlite3.DatabaseError, ValueError, TypeError, KeyError, MemoryError, OverflowError)


class RecordCheck:
    """`for finding in run()`; counts go into the tally, and `read` is told which leaves were looked at."""

    def __init__(
        self,
        root: Path,
        request: Request,
        walked: Walked,
        tally: Tally,
        read: Callable[[Part], None] = lambda part: None,
    ):
        self._root, self._request, self._walked, self._tally, self._read = root, request, walked, tally, read
        self._catalog_lies = False

    def run(self) -> Iterator[Finding]:
        catalog = self._fitting_catalog()
        if catalog is None:
            if self._catalog_lies:
                detail = "it does not say what the last commit says: run `muniment rebuild`"
                yield Finding("catalog-damaged", detail, file="catalog.sqlite")
            elif self._request.fast or self._request.ranges:
                yield Finding(
                    "no-catalog", "the catalog is missing or does not fit the log; every record is read instead"
                )
            yield from self._scan()
            return
        told = set[Finding]()
        try:
            for finding in self._check(catalog):
                told.add(finding)
                yield finding
        except _ODD_VALUES as e:
            detail = f"{e}: run `muniment rebuild`; every record is read from the files instead"
            yield Finding("catalog-damaged", detail, file="catalog.sqlite")
            self._tally.records = self._tally.size = self._tally.snapshots = 0
            yield from (finding for finding in self._scan() if finding not in told)
        finally:
            catalog.close()

    def _scan(self) -> Iterator[Finding]:
        check = ScanCheck(self._root, self._walked, Bundles(self._root), self._tally, self._owner)
        for finding in check.run():
            if not self._request.numbers or finding.snapshot is None or finding.snapshot in self._request.numbers:
                yield finding
        self._read(Part(0, self._tally.log_size))

    # ---- with a catalog

    def _fitting_catalog(self) -> Catalog | None:
        """The catalog, if it knows what is committed and no file is shorter than it says."""
        commits = self._walked.commits
        if not commits or any(
            (size_of(self._root / self._walked.places.get(name, name)) or 0) < length
            for name, length in self._walked.segments.items()
        ):
            return None
        last = commits[-1]
        state = (last.digest, last.checkpoint.size, last.checkpoint.root, last.tail)
        for _ in range(_PATIENCE):
            with suppress(sqlite3.DatabaseError):
                catalog = Catalog(self._root / "catalog.sqlite")
                with suppress(sqlite3.DatabaseError):
                    at, lengths = catalog.state()
                    if (at.frame, at.size, at.root, at.tail) == state and lengths == self._walked.segments:
                        return catalog
                    if self._was_committed_since(at.commits, at.frame):
                        return catalog
                    self._catalog_lies = at.frame == last.digest
                catalog.close()
            if self._catalog_lies or not writer_at_work(self._root):
                break
            time.sleep(_PAUSE)  # between its commit and its catalog
        return None

    def _was_committed_since(self, end: int, digest: bytes) -> bool:
        """Whether a catalog that is ahead of us took in a commit that came while we looked."""
        return any((commit.end, commit.digest) == (end, digest) for commit in self._walked.since(self._root))

    def _ranges(self) -> Sequence[tuple[int, int]]:
        if self._request.numbers:
            return [(number, number + 1) for number in sorted(set(self._request.numbers))]
        return self._request.ranges or [(0, self._tally.log_size)]

    def _check(self, catalog: Catalog) -> Iterator[Finding]:
        request, size = self._request, self._tally.log_size
        if request.fast and not request.numbers and not request.ranges:
            yield from self._check_blocks(catalog)
            return
        for part in self._check_parts(cut(self._ranges(), size)):
            self._tally.records += part.records
            self._tally.size += part.size
            self._tally.snapshots += part.snapshots
            yield from part.findings
        if not request.numbers:
            extents = catalog.extents(size)
            for name, length in self._walked.segments.items():
                if (end := extents.get(name, Extent()).end) != length:
                    yield gap(name, end, length)

    def _check_blocks(self, catalog: Catalog) -> Iterator[Finding]:
        """All files in blocks; of the records only those that lie in one that does not fit."""
        size, at = self._tally.log_size, catalog.progress()
        for part in self._check_parts(cut(self._doubtful(catalog), size)):
            yield from part.findings
        if at.size == size:
            counts = at.records, at.bytes, at.snapshots
        else:  # it took in more since
            extents = catalog.extents(size).values()
            counts = sum(e.records for e in extents), sum(e.size for e in extents), catalog.snapshots_in(0, size)
        self._tally.records, self._tally.size, self._tally.snapshots = counts

    def _check_parts(self, parts: Sequence[tuple[int, int]]) -> Iterator[Part]:
        scope = self._scope()
        total, looked_at = sum(end - first for first, end in parts), 0
        for part in in_order(parts, lambda: self._start(scope), self._processes(_WORTH_FORKING, len(parts))):
            if part.findings:
                part = self._once_more(part, scope)
            looked_at += part.end - part.first
            self._request.progress(looked_at, total, part.read)
            self._read(part)
            yield part

    def _processes(self, enough: int, tasks: int) -> int:
        worth = sum(self._walked.segments.values()) >= enough and tasks > 8
        return (self._request.processes or processors()) if worth or self._request.processes else 1

    def _doubtful(self, catalog: Catalog) -> list[tuple[int, int]]:
        """The leaves with a record in a block that does not fit."""
        size, ranges, done = self._tally.log_size, list[tuple[int, int]](), 0
        tasks = stretches(self._root, catalog, self._walked.places)
        total = sum(len(task.digests) for task in tasks)
        for task, hashed in zip(tasks, in_order(tasks, hashing, self._processes(_MUCH, len(tasks))), strict=True):
            for number in hashed.doubtful:
                leaves = catalog.leaves_at(hashed.segment, number * BLOCK, (number + 1) * BLOCK)
                ranges += [leaves] if leaves else []
            done += len(task.digests)
            self._request.progress(size * done // total, size, hashed.read)
        return joined(ranges)

    @contextmanager
    def _start(self, scope: Scope) -> Iterator[Callable[[tuple[int, int]], Part]]:
        """In the process that checks: connections and files are not shared."""
        with closing(Catalog(self._root / "catalog.sqlite")) as catalog:
            check = PartCheck(scope, catalog, Bundles(self._root))
            try:
                yield lambda part: check.check(*part)
            finally:
                check.close()

    def _scope(self) -> Scope:
        walked, request = self._walked, self._request
        return Scope(self._root, request.fast, not request.numbers, walked.tombstones, walked.places, self._owner)

    def _once_more(self, part: Part, scope: Scope) -> Part:
        """A record that was withdrawn since we began, or is being overwritten just now, is no finding."""
        for _ in range(_PATIENCE):
            busy = writer_at_work(self._root)
            newer = newer_tombstones(self._root, self._walked)
            if not busy and not newer.keys() - scope.tombstones.keys():
                break
            scope = scope._replace(tombstones={**scope.tombstones, **newer})
            with self._start(scope) as check:
                part = check((part.first, part.end))
            if not part.findings:
                break
            time.sleep(_PAUSE)
        return part

    def _owner(self, digest: bytes) -> tuple[int, int] | None:
        """The leaf and the part that state this digest."""
        stated = urlsafe_b64encode(digest).rstrip(b"=")
        bundles = Bundles(self._root)
        for index in range((self._tally.log_size + WIDTH - 1) // WIDTH):
            if stated not in bundles.data(index):
                continue
            for number, entry in enumerate(bundles.leaves(index), index * WIDTH):
                with suppress(ValueError):
                    digests = records_of(entry)[1]
                    if digest in digests:
                        return number, digests.index(digest)
        return None


def cut(ranges: Sequence[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """The ranges in parts, as far as the log goes."""
    return [(at, min(at + _LEAVES, end)) for first, end in ranges for at in range(first, min(end, size), _LEAVES)]
