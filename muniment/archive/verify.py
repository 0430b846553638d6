"""Is everything still there, and is it what was signed? Yields findings and goes on.

1. `log/commits`: every frame whole, every signature right, every length at least the one before.
2. `log/entries`: the leaves give the root that each commit signed; checkpoints that the caller brings are among them.
3. The records: the SHA-256 of each gzip member against the catalog; and, unless `fast`, each record inflated and
   compared with the digest in its leaf (gzip headers are covered by nothing but the first).
4. Bytes and files that no commit covers; `log/checkpoint`.

Fast verify trusts the catalog's member digests, which were written when the record was, or by a rebuild that compared
every record with its leaf. Without a catalog that fits, the files are scanned for members.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from muniment.archive.catalog import Catalog
from muniment.archive.commit import Commit, find_frame, order_problem, parse_frame
from muniment.archive.config import Config
from muniment.archive.log import leaves_in_tiles, tile_hashes
from muniment.archive.recovery import published_size, segment_files
from muniment.archive.scan import locate_records
from muniment.archive.segments import Placement, inflate
from muniment.durable import Lock
from muniment.errors import Locked, StorageError
from muniment.formats.checkpoint import Checkpoint, parse_checkpoint
from muniment.formats.leaf import Leaf, parse_leaf, records_of
from muniment.formats.note import VerifierKey, check_note
from muniment.formats.tile import parse_entries
from muniment.formats.tlog import EMPTY_ROOT, Edge, leaf_hash

_SHOWN_PROGRESS, _OPEN_FILES = 128, 64
# What comes of reading a catalog that somebody changed.
_ODD_VALUES = (sqlite3.DatabaseError, ValueError, TypeError, KeyError, MemoryError, OverflowError)
_OTHER_MEMBER = "the gzip member does not have the SHA-256 that the catalog states"
_INTERRUPTED = "an interrupted add leaves such, and the next one sets them aside"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was signed. `finding` is a slug (docs/format.md lists them); offsets are in bytes."""

    finding: str
    detail: str
    snapshot: int | None = None
    file: str | None = None
    offset: int | None = None


@dataclass(slots=True)
class Tally:
    """What was looked at; `size` is in uncompressed bytes.

    `anchored_up_to` is the last leaf that a checkpoint brought by the caller holds in place.
    """

    snapshots: int = 0
    records: int = 0
    size: int = 0
    findings: int = 0
    anchored_up_to: int | None = None
    log_size: int = 0
    root: bytes = EMPTY_ROOT


@dataclass(frozen=True, slots=True)
class Request:
    """What to verify. `numbers` narrows step 3 to these leaves; `checkpoints` are notes kept outside the archive, by
    name; `keys` replace those that `archive.toml` names; `progress` is told (leaves done, leaves in all)."""

    fast: bool = False
    numbers: Sequence[int] = ()
    checkpoints: Mapping[str, str] = field(default_factory=dict)
    keys: Sequence[VerifierKey] = ()
    progress: Callable[[int, int], None] = field(default=lambda done, total: None)


class Verification:
    """One run: `for finding in run()`, then `tally`."""

    def __init__(self, root: Path, config: Config, request: Request):
        self._root, self._request = root, request
        self._keys = list(request.keys) or config.keys()
        self._origin = config.origin
        self._commits: list[Commit] = []
        self._segments: dict[str, int] = {}
        self._catalog_lies = False
        self.tally = Tally()

    def run(self) -> Iterator[Finding]:
        for step in (self._check_commits, self._check_log, self._check_records, self._check_cover):
            for finding in step():
                self.tally.findings += 1
                yield finding

    # ---- 1. commits

    def _check_commits(self) -> Iterator[Finding]:
        name = "log/commits"
        try:
            data = (self._root / name).read_bytes()
        except OSError as e:
            yield Finding("file-missing", f"cannot be read: {e.strerror}", file=name)
            return
        position = 0
        while position < len(data):
            commit = parse_frame(data, position)
            if commit is None:
                later = find_frame(data, position + 1)
                if later is None and self._is_unfinished(position):
                    return
                yield Finding("commit-damaged", "no whole commit stands here", file=name, offset=position)
                if later is None:
                    return
                position = later
                continue
            yield from self._check_commit(commit, position)
            position = commit.end
        if not self._commits:
            yield Finding("commit-damaged", "the log holds no commit", file=name, offset=0)

    def _check_commit(self, commit: Commit, position: int) -> Iterator[Finding]:
        def finding(slug: str, detail: str) -> Finding:
            return Finding(slug, detail, file="log/commits", offset=position)

        try:
            check_note(commit.note, self._keys)
        except ValueError as e:
            yield finding("signature", f"the checkpoint of {commit.checkpoint.size} leaves: {e}")
        before = self._commits[-1] if self._commits else None
        shorter = [path for path, length in commit.segments.items() if length < self._segments.get(path, 0)]
        if commit.checkpoint.origin != self._origin:
            yield finding("origin", f"signed for {commit.checkpoint.origin}, not {self._origin}")
        problem = order_problem(before, commit)
        if problem or shorter:
            yield finding("commit-order", problem or f"the commit makes {shorter[0]} shorter")
        if problem:
            return  # its numbers mean nothing
        self._commits.append(commit)
        self._segments.update(commit.segments)
        self.tally.log_size, self.tally.root = commit.checkpoint.size, commit.checkpoint.root

    def _is_unfinished(self, length: int) -> bool:
        """Whether what stands past `length` may be a commit that was never finished, or is being written now."""
        newest = self._commits[-1].checkpoint.size if self._commits else -1
        return max(published_size(self._root, self._keys), leaves_in_tiles(self._root / "log")) <= newest

    # ---- 2. the log

    def _check_log(self) -> Iterator[Finding]:
        edge = Edge()
        for before, commit in self._pairs():
            offsets, leaves = self._leaves_between(before, commit)
            hashes = [leaf_hash(leaf) for leaf in leaves]
            grown = _grown(edge, hashes)
            if (grown.size, grown.root()) == (commit.checkpoint.size, commit.checkpoint.root):
                edge = grown
                continue
            known = tile_hashes(self._root / "log", before.checkpoint.size, commit.checkpoint.size)
            grown = _grown(edge, known)
            if (grown.size, grown.root()) != (commit.checkpoint.size, commit.checkpoint.root):
                yield Finding(
                    "root-mismatch",
                    f"the leaves #{before.checkpoint.size} to #{commit.checkpoint.size - 1} do not give the root that"
                    " was signed; the commits after it cannot be checked",
                    file="log/entries",
                    offset=before.entries,
                )
                break
            edge = grown
            yield from _damaged_leaves(before.checkpoint.size, before.entries, offsets, hashes, known)
        yield from self._check_checkpoints()

    def _pairs(self) -> Iterator[tuple[Commit, Commit]]:
        before = Commit(0, {}, Checkpoint(self._origin, 0, EMPTY_ROOT), "")
        for commit in self._commits:
            yield before, commit
            before = commit

    def _leaves_between(self, before: Commit, commit: Commit) -> tuple[list[int], list[bytes]]:
        """The offsets and the bytes of the leaves of one commit, as far as they can be told apart."""
        offsets: list[int] = []
        leaves: list[bytes] = []
        offset = before.entries
        with suppress(OSError, ValueError), (self._root / "log" / "entries").open("rb") as file:
            file.seek(before.entries)
            for leaf in parse_entries(file.read(max(0, commit.entries - before.entries))):
                offsets.append(offset)
                leaves.append(leaf)
                offset += 2 + len(leaf)
        return offsets, leaves

    def _check_checkpoints(self) -> Iterator[Finding]:
        roots = {commit.checkpoint.size: commit.checkpoint.root for commit in self._commits}
        for name, note in self._request.checkpoints.items():
            try:
                checkpoint = parse_checkpoint(check_note(note, self._keys))
            except ValueError as e:
                yield Finding("checkpoint", f"the checkpoint that you brought, {name}: {e}")
                continue
            if roots.get(checkpoint.size) != checkpoint.root:
                yield Finding(
                    "rewritten",
                    f"the checkpoint that you brought, {name}, over {checkpoint.size} leaves, is not in this log:"
                    " the log was rewritten or cut since, or it is another one",
                )
            elif checkpoint.size:  # one over an empty log holds nothing in place
                self.tally.anchored_up_to = max(self.tally.anchored_up_to or 0, checkpoint.size - 1)

    # ---- 3. records

    def _check_records(self) -> Iterator[Finding]:
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
            self.tally.records = self.tally.size = self.tally.snapshots = 0
            yield from (finding for finding in self._check_scanned() if finding not in told)
        finally:
            catalog.close()

    def _check_scanned(self) -> Iterator[Finding]:
        return self._check_against_leaves(locate_records(self._root, self._segments, self._leaves()))

    def _fitting_catalog(self) -> Catalog | None:
        """The catalog, if it is in step with the log and no file is shorter than it says."""
        if not self._commits or any(
            not (path := self._root / name).is_file() or path.stat().st_size < length
            for name, length in self._segments.items()
        ):
            return None
        try:
            catalog = Catalog(self._root / "catalog.sqlite")
        except sqlite3.DatabaseError:
            return None
        last = self._commits[-1]
        state = (last.digest, last.checkpoint.size, last.checkpoint.root, last.entries)
        with suppress(sqlite3.DatabaseError):
            at = catalog.progress()
            if (at.frame, at.size, at.root, at.entries) == state and catalog.lengths() == self._segments:
                return catalog
            self._catalog_lies = at.frame == last.digest
        catalog.close()
        return None

    def _check_members(self, catalog: Catalog) -> Iterator[Finding]:
        """The fast check: one read and one digest a record, in the order in which they lie."""
        chosen, sha256 = frozenset(self._request.numbers), hashlib.sha256
        cover = _Cover(self._segments)
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
                other = sha256(pread(reader.descriptor(paths[segment]), length, offset)).digest() != member
            except OSError as e:  # of the disk, and no fault of the catalog's
                yield Finding("digest-mismatch", f"cannot be read: {e.strerror}", number, paths[segment], offset)
                continue
            if other:
                yield Finding("digest-mismatch", _OTHER_MEMBER, number, paths[segment], offset)
            if not records % _SHOWN_PROGRESS:
                self._request.progress(number, self.tally.log_size)
        reader.close()
        if not chosen:
            cover.ends = {paths[segment]: end for segment, end in ends.items()}
            yield from cover.rest()
        self.tally.records, self.tally.size = records, total
        self.tally.snapshots = len(catalog.snapshots(sorted(chosen))) if chosen else catalog.progress().snapshots

    def _check_against_leaves(self, rows: Iterator[tuple[int, int, Placement]]) -> Iterator[Finding]:
        reader, chosen = _Reader(self._root), frozenset(self._request.numbers)
        cover = _Cover(self._segments)
        groups = groupby(rows, key=itemgetter(0))
        found, group = next(groups, (-1, iter(())))
        for number, entry in self._entries():
            if not number % _SHOWN_PROGRESS:
                self._request.progress(number, self.tally.log_size)
            placements: Mapping[int, Placement] = {}
            if found == number:
                placements = {part: placement for _, part, placement in group}
                found, group = next(groups, (-1, iter(())))
            if chosen and number not in chosen:
                continue
            digests: Sequence[str | None] = (None,) * len(placements)
            with suppress(ValueError):  # a leaf that cannot be read: step 2 has named it
                is_snapshot, digests = records_of(entry)
                self.tally.snapshots += is_snapshot
            yield from self._check_leaf_records(reader, number, digests, placements)
            if not chosen:
                for placement in placements.values():
                    yield from cover.take(placement)
        if not chosen:
            yield from cover.rest()
        reader.close()

    def _check_leaf_records(
        self, reader: _Reader, number: int, digests: Sequence[str | None], placements: Mapping[int, Placement]
    ) -> Iterator[Finding]:
        for part, digest in enumerate(digests):
            placement = placements.get(part)
            if placement is None:
                yield Finding("record-missing", f"record {part} of the leaf is in no file", snapshot=number)
                continue
            self.tally.records += 1
            self.tally.size += placement.size
            problem = reader.check(placement, digest)
            if problem is not None:
                yield _record_finding(problem, number, placement)

    def _leaves(self) -> Iterator[tuple[int, Leaf | None]]:
        """Every leaf with its number; None for one that cannot be read (step 2 has named it)."""
        for number, entry in self._entries():
            leaf = None
            with suppress(ValueError):
                leaf = parse_leaf(entry)
            yield number, leaf

    def _entries(self) -> Iterator[tuple[int, bytes]]:
        """Every leaf as it stands in the log, with its number; empty where it is not there."""
        for before, commit in self._pairs():
            _, entries = self._leaves_between(before, commit)
            for number in range(before.checkpoint.size, commit.checkpoint.size):
                at = number - before.checkpoint.size
                yield number, entries[at] if at < len(entries) else b""

    # ---- 4. what no commit covers

    def _check_cover(self) -> Iterator[Finding]:
        if not self._commits:
            return
        try:
            lock = Lock(self._root / "lock")
        except (Locked, StorageError):
            return  # a writer is at work, or nothing can be written here: tails say nothing
        lock.release()
        last = self._commits[-1]
        lengths = {**self._segments, "log/entries": last.entries, "log/commits": last.end}
        for name, length in lengths.items():
            path = self._root / name
            size = path.stat().st_size if path.is_file() else 0
            if size > length:
                detail = f"{size - length} bytes that no commit covers: {_INTERRUPTED}"
                yield Finding("uncommitted", detail, file=name, offset=length)
            elif size < length:
                yield Finding("cut", f"{length - size} committed bytes are missing at the end", file=name, offset=size)
        for path in segment_files(self._root):
            name = path.relative_to(self._root).as_posix()
            if name not in lengths:
                yield Finding(
                    "unknown-file",
                    f"no commit names this file: {_INTERRUPTED}",
                    file=name,
                )
        for name, size in (
            ("log/checkpoint", published_size(self._root, self._keys)),
            ("log/tile", leaves_in_tiles(self._root / "log")),
        ):
            if size > last.checkpoint.size:
                detail = f"{name} was made for {size} leaves, and the commits hold {last.checkpoint.size}"
                yield Finding("cut", detail, file="log/commits")


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

    def check(self, placement: Placement, digest: str | None = None) -> str | None:
        """What is wrong with a record, or None. With `digest` (hex, from the leaf) the record is inflated too."""
        try:
            data = os.pread(self.descriptor(placement.segment), placement.length, placement.offset)
        except OSError as e:
            return f"cannot be read: {e.strerror}"
        other = bool(placement.member) and hashlib.sha256(data).digest() != placement.member
        problem = _OTHER_MEMBER if other else None
        if digest is None:
            return problem
        try:
            found = hashlib.sha256(inflate(data, placement.size if placement.size >= 0 else None)).hexdigest()
        except ValueError as e:
            return str(e)
        return problem if found == digest else f"the record has the SHA-256 {found}, its leaf states {digest}"

    def close(self) -> None:
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()


def _grown(edge: Edge, hashes: Sequence[bytes]) -> Edge:
    grown = Edge(edge.size, edge.nodes)
    for digest in hashes:
        grown.append(digest)
    return grown


def _damaged_leaves(
    first: int, start: int, offsets: Sequence[int], found: Sequence[bytes], known: Sequence[bytes]
) -> Iterator[Finding]:
    """The leaves of one commit that do not hash to the tiles, where the tiles give the signed root."""
    for i, digest in enumerate(known):
        if i >= len(found) or found[i] != digest:
            offset = offsets[i] if i < len(offsets) else start
            yield Finding(
                "leaf-damaged",
                "the leaf does not have the hash that the log was signed over",
                snapshot=first + i,
                file="log/entries",
                offset=offset,
            )


def _record_finding(problem: str, number: int, placement: Placement) -> Finding:
    return Finding("digest-mismatch", problem, number, placement.segment, placement.offset)
