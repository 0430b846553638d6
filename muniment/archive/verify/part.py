"""The records of some leaves, compared with the catalog and with the leaves: the loop in which verify spends its time.

Segments are read 128 KiB at a time into buffers that are used again; what is hashed and inflated are views of them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from muniment.archive.catalog import Catalog
from muniment.archive.segments import DEFLATE_ERRORS, digest_member, new_inflater
from muniment.archive.tables.places import Member
from muniment.archive.tombstone import is_tombstone
from muniment.archive.verify.diagnosis import Due, diagnose
from muniment.archive.verify.finding import Finding
from muniment.archive.verify.walk import Bundles
from muniment.formats.agreement import MAX_HEAD, differences, plainly_agree, read_head
from muniment.formats.leaf import parse_leaf, records_of
from muniment.regular import open_descriptor

_WINDOW, _LARGE, _OPEN_FILES = 1 << 17, 4 << 20, 8
_sha256 = hashlib.sha256


class Scope(NamedTuple):
    """What every part needs to know. `places` says where a segment lies that was given another name."""

    root: Path
    fast: bool
    whole: bool
    tombstones: Mapping[tuple[int, int], bytes]
    places: Mapping[str, str]
    owner: Callable[[bytes], tuple[int, int] | None]


@dataclass(slots=True)
class Part:
    """What was looked at in the leaves from `first` up to `end`; `size` in uncompressed bytes, `read` as they lie."""

    first: int
    end: int
    snapshots: int = 0
    records: int = 0
    size: int = 0
    read: int = 0
    findings: list[Finding] = field(default_factory=list)


class PartCheck:
    """`check(first, end)` for one part after another. Holds open files: use it in the process that made it."""

    def __init__(self, scope: Scope, catalog: Catalog, bundles: Bundles):
        self._scope, self._catalog, self._bundles = scope, catalog, bundles
        self._paths = catalog.segments()
        self._windows: dict[int, _Window] = {}

    def check(self, first: int, end: int) -> Part:
        rows: Sequence[Member] = self._catalog.members(first, end)
        if any(row[5] < 1 for row in rows):
            raise ValueError("a record of no bytes")
        part = Part(first, end, records=len(rows), size=sum(row[5] for row in rows), read=sum(row[4] for row in rows))
        differ = list[Finding]()
        uncovered = list(self._gaps(first, rows)) if self._scope.whole else []
        if self._scope.fast:
            part.snapshots = self._catalog.snapshots_in(first, end)
            bad = self._other_members(rows)
        else:
            entries = dict[int, bytes]()
            due = self._due(part, entries)
            rows, digests, lacking = _paired(rows, due)
            bad = self._other_records(rows, digests, entries, differ)
            part.findings += lacking
        part.findings += self._explain(bad)
        explained = {finding.file for finding in part.findings}
        part.findings += [gap for gap in uncovered if gap.file not in explained]
        part.findings += differ
        return part

    def close(self) -> None:
        for window in self._windows.values():
            window.close()
        self._windows.clear()

    def _gaps(self, first: int, rows: Sequence[Member]) -> Iterator[Finding]:
        """The records of each segment have to follow on one another, from its first byte on."""
        ends: dict[int, int] = {}
        for leaf, _, segment, offset, length, _, _ in rows:
            if ends.get(segment) != offset:
                end = ends.get(segment)
                if end is None:
                    end = self._catalog.end_before(first, segment) if offset else 0
                if offset != end:
                    yield gap(self._paths[segment], end, offset, leaf)
            ends[segment] = offset + length

    def _due(self, part: Part, entries: dict[int, bytes] | None = None) -> list[tuple[int, int, bytes]]:
        """The records that the leaves name, and into `entries` the leaves themselves."""
        due = list[tuple[int, int, bytes]]()
        for number, entry in enumerate(self._bundles.entries(part.first, part.end), part.first):
            try:
                is_snapshot, digests = records_of(entry)
            except ValueError:
                continue  # step 2 has named it
            part.snapshots += is_snapshot
            if entries is not None:
                entries[number] = entry
            due += [(number, i, digest) for i, digest in enumerate(digests)]
        return due

    def _other_members(self, rows: Sequence[Member]) -> list[tuple[Member, bytes | None, str]]:
        """The fast check: the SHA-256 of each member as it lies."""
        bad = list[tuple[Member, bytes | None, str]]()
        sha256, before, start, filled, view = _sha256, -1, 0, 0, memoryview(b"")
        for row in rows:
            _, _, segment, offset, length, _, member = row
            try:
                at = offset - start
                if segment != before or at < 0 or at + length > filled:
                    before, at = -1, 0
                    self._view(segment, offset, length)
                    window = self._windows[segment]
                    before, start, filled, view = segment, window.start, window.filled, window.view
                    at = offset - start
                if sha256(view[at : at + length]).digest() != member:
                    bad.append((row, None, ""))
            except ValueError:
                bad.append((row, None, ""))
            except OSError as e:
                bad.append((row, None, f"cannot be read: {e.strerror}"))
        return bad

    def _other_records(
        self, rows: Sequence[Member], digests: Sequence[bytes], entries: Mapping[int, bytes], differ: list[Finding]
    ) -> list[tuple[Member, bytes | None, str]]:
        """The full check: the same, and each record inflated, against its leaf; into `differ` what a leaf and its first
        record say of each other."""
        bad = list[tuple[Member, bytes | None, str]]()
        sha256, inflater, tombstones, windows = _sha256, new_inflater, self._scope.tombstones, self._windows
        for row, digest in zip(rows, digests, strict=True):
            leaf, number, segment, offset, length, size, member = row
            if tombstones:
                digest = tombstones.get((leaf, number), digest)
            try:
                if (length > _LARGE or size > _LARGE) and (leaf, number) not in tombstones:
                    sound = self._check_large(segment, offset, length, size) == (member, digest.hex())
                    record = inflater().decompress(self._view(segment, offset, min(length, _WINDOW)), MAX_HEAD)
                else:
                    window = windows.get(segment)
                    at = -1 if window is None else offset - window.start
                    if window is None or at < 0 or at + length > window.filled:
                        piece = self._view(segment, offset, length)
                    else:
                        piece = window.view[at : at + length]
                    inflate = inflater()
                    record = inflate.decompress(piece, size + 1)
                    sound = (
                        sha256(record).digest() == digest
                        and inflate.eof
                        and not inflate.unused_data
                        and len(record) == size
                        and sha256(piece).digest() == member
                    )
                    if tombstones and (leaf, number) in tombstones:
                        sound = sound and is_tombstone(record)
            except OSError as e:
                bad.append((row, digest, f"cannot be read: {e.strerror}"))
            except (ValueError, *DEFLATE_ERRORS):
                bad.append((row, digest, ""))
            else:
                if not sound:
                    bad.append((row, digest, ""))
                elif not number and (leaf, 0) not in tombstones and not plainly_agree(entries[leaf], record):
                    differ += disagreements(leaf, entries[leaf], record, self._paths[segment], offset)
        return bad

    def _view(self, segment: int, offset: int, length: int) -> memoryview:
        window = self._windows.get(segment)
        if window is None:
            if len(self._windows) >= _OPEN_FILES:
                self.close()
            path = self._paths[segment]
            window = self._windows[segment] = _Window(self._scope.root / self._scope.places.get(path, path))
        at = offset - window.start
        if at < 0 or at + length > window.filled:
            window.fill(offset, length)
            at = 0
        return window.view[at : at + length]

    def _check_large(self, segment: int, offset: int, length: int, size: int) -> tuple[bytes, str]:
        def chunks() -> Iterator[memoryview]:
            for at in range(offset, offset + length, _WINDOW):
                yield self._view(segment, at, min(_WINDOW, offset + length - at))

        return digest_member(map(bytes, chunks()), size)

    def _explain(self, bad: Sequence[tuple[Member, bytes | None, str]]) -> Iterator[Finding]:
        by_segment = dict[int, list[Due]]()
        for (leaf, number, segment, offset, length, _, member), digest, problem in bad:
            if digest is None:
                digest = next((d for n, i, d in self._due(Part(leaf, leaf + 1)) if i == number), None)
                digest = self._scope.tombstones.get((leaf, number), digest)
            original = None
            if (leaf, number) in self._scope.tombstones:
                original = next((d for _, i, d in self._due(Part(leaf, leaf + 1)) if i == number), None)
            due = Due(leaf, number, digest or b"", offset, length, bytes(member), original, problem)
            by_segment.setdefault(segment, []).append(due)
        for segment, dues in sorted(by_segment.items()):
            path = self._paths[segment]
            yield from diagnose(self._scope.root, path, self._scope.places.get(path, path), dues, self._scope.owner)


def disagreements(number: int, entry: bytes, record: bytes, segment: str, offset: int) -> list[Finding]:
    """The finding where a leaf and its first record, of which 64 KiB are enough, say different things."""
    try:
        headers, length = read_head(record)
        found = list(differences(parse_leaf(entry), headers, record[length:-4]))
    except ValueError as e:
        found = [str(e)]
    return [Finding("leaf-record", "; ".join(found), number, segment, offset)] if found else []


def gap(segment: str, end: int, offset: int, before: int | None = None) -> Finding:
    """The finding where a record does not begin at the end of the one before it."""
    if offset < end:
        return Finding("uncovered", "a record where another one lies", file=segment, offset=offset)
    behind = f" in front of the record of #{before}" if before is not None else " at the end"
    return Finding("uncovered", f"{offset - end} bytes that no leaf covers,{behind}", file=segment, offset=end)


def _paired(
    rows: Sequence[Member], due: Sequence[tuple[int, int, bytes]]
) -> tuple[Sequence[Member], list[bytes], list[Finding]]:
    """The rows of records that leaves name, with the digests that they state, and what one of both lacks."""
    if [row[:2] for row in rows] == [one[:2] for one in due]:
        return rows, [digest for _, _, digest in due], []
    stated, known = {one[:2]: one[2] for one in due}, {row[:2] for row in rows}
    findings = [
        Finding("record-missing", f"record {part} of the leaf is in no file that the catalog names: run `muniment"
                " rebuild`", leaf, expected=digest.hex())
        for leaf, part, digest in due if (leaf, part) not in known
    ]  # fmt: skip
    kept = [row for row in rows if row[:2] in stated]
    findings += [
        Finding("catalog-damaged", f"it names a record {row[1]} of #{row[0]}, which the leaf does not", row[0],
                "catalog.sqlite")
        for row in rows if row[:2] not in stated
    ]  # fmt: skip
    return kept, [stated[row[:2]] for row in kept], findings


class _Window:
    """A stretch of a file, read at once."""

    def __init__(self, path: Path):
        self._descriptor = open_descriptor(path, os.O_RDONLY)
        self.view = memoryview(bytearray(min(_WINDOW, os.fstat(self._descriptor).st_size)))
        self.start = self.filled = 0

    def fill(self, offset: int, length: int) -> None:
        """Have at least `length` bytes from `offset` on. Raises ValueError where the file ends before."""
        self.start, self.filled = offset, 0
        if offset + length > os.fstat(self._descriptor).st_size:
            raise ValueError("the file ends before")
        if length > len(self.view):
            self.view = memoryview(bytearray(length))
        try:
            self._read(offset, len(self.view))
        except OSError:  # perhaps of a record further on
            self._read(offset, length)
        if self.filled < length:
            raise ValueError("the file ends before")

    def _read(self, offset: int, length: int) -> None:
        self.filled = 0
        while self.filled < length:
            count = os.preadv(self._descriptor, [self.view[self.filled : length]], offset + self.filled)
            if not count:
                break
            self.filled += count

    def close(self) -> None:
        os.close(self._descriptor)
