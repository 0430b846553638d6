"""Step 3: the records. The SHA-256 of each gzip member against the catalog; and, unless `fast`, each record inflated
and compared with the digest in its leaf (gzip headers are covered by nothing but the first).

Fast verify trusts the catalog's member digests, which were written when the record was, or by a rebuild that compared
every record with its leaf. Without a catalog that fits, the files are scanned for members.

A writer may be at work meanwhile. What does not fit is looked at once more with what was committed since.
"""

from __future__ import annotations

import sqlite3
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from muniment.archive.catalog import Catalog
from muniment.archive.verify.finding import Finding, Request, Tally
from muniment.archive.verify.forked import in_order, processors
from muniment.archive.verify.part import Part, PartCheck, Scope, gap
from muniment.archive.verify.scanned import ScanCheck
from muniment.archive.verify.walk import Bundles, Walked, newer_tombstones, writer_at_work
from muniment.formats.leaf import records_of
from muniment.formats.tile import WIDTH
from muniment.regular import size_of

_LEAVES = 1024  # in a part
_WORTH_FORKING = 64 << 20  # bytes of segments; hashing alone reads ten times as fast
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

    def _ranges(self) -> list[tuple[int, int]]:
        size = self._tally.log_size
        wanted = self._request.ranges or [(0, size)]
        if self._request.numbers:
            wanted = [(number, number + 1) for number in sorted(set(self._request.numbers))]
        return [(at, min(at + _LEAVES, end)) for first, end in wanted for at in range(first, min(end, size), _LEAVES)]

    def _check(self, catalog: Catalog) -> Iterator[Finding]:
        parts, scope = self._ranges(), self._scope()
        total, looked_at = sum(end - first for first, end in parts), 0
        enough = 10 * _WORTH_FORKING if self._request.fast else _WORTH_FORKING
        worth = sum(self._walked.segments.values()) >= enough and len(parts) > 8
        processes = (self._request.processes or processors()) if worth or self._request.processes else 1
        for part in in_order(parts, lambda: self._start(scope), processes):
            if part.findings:
                part = self._once_more(part, scope)
            self._tally.records += part.records
            self._tally.size += part.size
            self._tally.snapshots += part.snapshots
            looked_at += part.end - part.first
            self._request.progress(looked_at, total, part.read)
            self._read(part)
            yield from part.findings
        if not self._request.numbers:
            yield from self._check_ends(catalog)

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

    def _check_ends(self, catalog: Catalog) -> Iterator[Finding]:
        paths = catalog.segments()
        ends = {paths[segment]: end for segment, end in catalog.ends_before(self._tally.log_size).items()}
        for name, length in self._walked.segments.items():
            if ends.get(name, 0) != length:
                yield gap(name, ends.get(name, 0), length)

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
