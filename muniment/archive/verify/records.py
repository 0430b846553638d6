"""Step 3: the records. The SHA-256 of each gzip member against the catalog; and, unless `fast`, each record inflated
and compared with the digest in its leaf (gzip headers are covered by nothing but the first).

Fast verify trusts the catalog's member digests, which were written when the record was, or by a rebuild that compared
every record with its leaf. Without a catalog that fits, the files are scanned for members.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from muniment.archive.catalog import Catalog
from muniment.archive.scan import locate_records
from muniment.archive.segments import Placement, inflate
from muniment.archive.verify.finding import Finding, Request, Tally
from muniment.archive.verify.walk import Bundles, Walked
from muniment.formats.leaf import Leaf, parse_leaf, records_of

_SHOWN_PROGRESS, _OPEN_FILES = 128, 64
# What comes of reading a catalog that somebody changed.
_ODD_VALUES = (sqlite3.DatabaseError, ValueError, TypeError, KeyError, MemoryError, OverflowError)
_OTHER_MEMBER = "the gzip member does not have the SHA-256 that the catalog states"


class RecordCheck:
    """`for finding in run()`; counts go into the tally."""

    def __init__(self, root: Path, request: Request, walked: Walked, bundles: Bundles, tally: Tally):
        self._root, self._request, self._walked, self._bundles, self._tally = root, request, walked, bundles, tally
        self._catalog_lies = False

    def run(self) -> Iterator[Finding]:
        catalog = self._fitting_catalog()
        if catalog is None:
            if self._catalog_lies:
                detail = "it does not say what the last commit says: run `muniment rebuild`"
                yield Finding("catalog-damaged", detail, file="catalog.sqlite")
            elif self._request.fast:
                yield Finding(
                    "no-catalog", "the catalog is missing or does not fit the log; every record is read instead"
                )
            yield from self._check_scanned()
            return
        told = set[Finding]()
        try:
            fast = self._request.fast
            for finding in (
                self._check_members(catalog) if fast else self._check_against_leaves(catalog.all_placements())
            ):
                told.add(finding)
                yield finding
        except _ODD_VALUES as e:
            detail = f"{e}: run `muniment rebuild`; every record is read from the files instead"
            yield Finding("catalog-damaged", detail, file="catalog.sqlite")
            self._tally.records = self._tally.size = self._tally.snapshots = 0
            yield from (finding for finding in self._check_scanned() if finding not in told)
        finally:
            catalog.close()

    def _check_scanned(self) -> Iterator[Finding]:
        walked = self._walked
        rows = locate_records(self._root, walked.segments, self._leaves(), walked.tombstones)
        return self._check_against_leaves(rows)

    def _fitting_catalog(self) -> Catalog | None:
        """The catalog, if it is in step with the log and no file is shorter than it says."""
        commits, segments = self._walked.commits, self._walked.segments
        if not commits or any(
            not (path := self._root / name).is_file() or path.stat().st_size < length
            for name, length in segments.items()
        ):
            return None
        try:
            catalog = Catalog(self._root / "catalog.sqlite")
        except sqlite3.DatabaseError:
            return None
        last = commits[-1]
        state = (last.digest, last.checkpoint.size, last.checkpoint.root, last.tail)
        with suppress(sqlite3.DatabaseError):
            at = catalog.progress()
            if (at.frame, at.size, at.root, at.tail) == state and catalog.lengths() == segments:
                return catalog
            self._catalog_lies = at.frame == last.digest
        catalog.close()
        return None

    def _check_members(self, catalog: Catalog) -> Iterator[Finding]:
        """The fast check: one read and one digest a record, in the order in which they lie."""
        chosen, sha256 = frozenset(self._request.numbers), hashlib.sha256
        cover = _Cover(self._walked.segments)
        records = total = 0
        reader, pread, paths = _Reader(self._root), os.pread, catalog.segments()
        ends = dict.fromkeys(paths, 0)
        for number, segment, offset, length, size, member in catalog.members():
            if chosen and number not in chosen:
                continue
            if ends[segment] != offset and not chosen:
                cover.ends[paths[segment]] = ends[segment]
                yield from cover.gap(paths[segment], offset)
            ends[segment] = offset + length
            records, total = records + 1, total + size
            try:
                found = sha256(pread(reader.descriptor(paths[segment]), length, offset)).digest()
            except OSError as e:  # of the disk, and no fault of the catalog's
                yield Finding("digest-mismatch", f"cannot be read: {e.strerror}", number, paths[segment], offset)
                continue
            if found != member:
                yield Finding("digest-mismatch", _OTHER_MEMBER, number, paths[segment], offset, bytes(member).hex())
            if not records % _SHOWN_PROGRESS:
                self._request.progress(number, self._tally.log_size)
        reader.close()
        if not chosen:
            cover.ends = {paths[segment]: end for segment, end in ends.items()}
            yield from cover.rest()
        self._tally.records, self._tally.size = records, total
        self._tally.snapshots = len(catalog.snapshots(sorted(chosen))) if chosen else catalog.progress().snapshots

    def _check_against_leaves(self, rows: Iterator[tuple[int, int, Placement]]) -> Iterator[Finding]:
        reader, chosen = _Reader(self._root), frozenset(self._request.numbers)
        cover = _Cover(self._walked.segments)
        groups = groupby(rows, key=itemgetter(0))
        found, group = next(groups, (-1, iter(())))
        for number, entry in self._entries():
            if not number % _SHOWN_PROGRESS:
                self._request.progress(number, self._tally.log_size)
            placements: Mapping[int, Placement] = {}
            if found == number:
                placements = {part: placement for _, part, placement in group}
                found, group = next(groups, (-1, iter(())))
            if chosen and number not in chosen:
                continue
            digests: Sequence[bytes | None] = (None,) * len(placements)
            with suppress(ValueError):  # a leaf that cannot be read: step 2 has named it
                is_snapshot, digests = records_of(entry)
                self._tally.snapshots += is_snapshot
            yield from self._check_leaf_records(reader, number, digests, placements)
            if not chosen:
                for placement in placements.values():
                    yield from cover.take(placement)
        if not chosen:
            yield from cover.rest()
        reader.close()

    def _check_leaf_records(
        self, reader: _Reader, number: int, digests: Sequence[bytes | None], placements: Mapping[int, Placement]
    ) -> Iterator[Finding]:
        for part, digest in enumerate(digests):
            placement = placements.get(part)
            tombstone = self._walked.tombstones.get((number, part))
            if placement is None:
                expected = digest.hex() if digest else None
                yield Finding("record-missing", f"record {part} of the leaf is in no file", number, expected=expected)
                continue
            self._tally.records += 1
            self._tally.size += placement.size
            problem = reader.check(placement, tombstone or digest)
            if problem is None:
                continue
            slug = "digest-mismatch"
            if tombstone and digest and reader.check(placement._replace(member=b"", size=-1), digest) is None:
                slug, problem = "not-withdrawn", "the record was withdrawn, and its bytes are still there"
            expected = (tombstone or digest or placement.member).hex()
            yield Finding(slug, problem, number, placement.segment, placement.offset, expected)

    def _leaves(self) -> Iterator[tuple[int, Leaf | None]]:
        """Every leaf with its number; None for one that cannot be read (step 2 has named it)."""
        for number, entry in self._entries():
            leaf = None
            with suppress(ValueError):
                leaf = parse_leaf(entry)
            yield number, leaf

    def _entries(self) -> Iterator[tuple[int, bytes]]:
        """Every leaf as it stands in the log, with its number; empty where it is not there."""
        for number, _, entry in self._bundles.between(0, self._tally.log_size):
            yield number, entry


class _Cover:
    """Whether the records of the leaves, one after another, are all that the committed bytes of each file hold."""

    def __init__(self, segments: Mapping[str, int]):
        self._segments = segments
        self.ends: dict[str, int] = {}

    def take(self, placement: Placement) -> Iterator[Finding]:
        if self.ends.get(placement.segment, 0) != placement.offset:
            yield from self.gap(placement.segment, placement.offset)
        self.ends[placement.segment] = placement.offset + placement.length

    def gap(self, segment: str, offset: int) -> Iterator[Finding]:
        """The finding, if a record that begins at `offset` does not follow on the one before it."""
        end = self.ends.get(segment, 0)
        if offset != end:
            where = f"{offset - end} bytes that no leaf covers" if offset > end else "a record where another one lies"
            yield Finding("uncovered", where, file=segment, offset=min(end, offset))

    def rest(self) -> Iterator[Finding]:
        for segment, length in self._segments.items():
            yield from self.gap(segment, length)


class _Reader:
    """Reads members wherever they lie. One copy of the bytes fewer than through a buffered file."""

    def __init__(self, root: Path):
        self._root = root
        self._descriptors: dict[str, int] = {}

    def descriptor(self, segment: str) -> int:
        found = self._descriptors.get(segment)
        if found is None:
            if len(self._descriptors) >= _OPEN_FILES:
                self.close()
            found = self._descriptors[segment] = os.open(self._root / segment, os.O_RDONLY | os.O_CLOEXEC)
        return found

    def check(self, placement: Placement, digest: bytes | None = None) -> str | None:
        """What is wrong with a record, or None. With `digest` (from the leaf) the record is inflated too."""
        try:
            data = os.pread(self.descriptor(placement.segment), placement.length, placement.offset)
        except OSError as e:
            return f"cannot be read: {e.strerror}"
        other = bool(placement.member) and hashlib.sha256(data).digest() != placement.member
        problem = _OTHER_MEMBER if other else None
        if digest is None:
            return problem
        try:
            found = hashlib.sha256(inflate(data, placement.size if placement.size >= 0 else None)).digest()
        except ValueError as e:
            return str(e)
        return (
            problem if found == digest else f"the record has the SHA-256 {found.hex()}, which its leaf does not state"
        )

    def close(self) -> None:
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()
