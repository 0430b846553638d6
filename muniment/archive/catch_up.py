"""Bringing the catalog up to the log: after a crash the last few commits, for `rebuild` all of them.

Every record is read and compared with its leaf before the catalog takes it in: the member digests that the fast
verify trusts are only as good as the reading that made them.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from muniment.archive.blocks import BLOCK, BlockDigests
from muniment.archive.catalog import Catalog
from muniment.archive.log import Log, check_leaves, leaf_at, read_leaves, remove_tiles
from muniment.archive.records import read_facts
from muniment.archive.recovery import Committed
from muniment.archive.segments import Member, Placement, scan_members, stream_of
from muniment.archive.tables.layout import LoggedLeaf, Progress, is_damage
from muniment.archive.tombstone import is_tombstone
from muniment.archive.withdrawal import bury, may_remove, tombstones_of
from muniment.durable import storage_error
from muniment.errors import IntegrityError
from muniment.formats.leaf import Leaf, is_type, parse_leaf
from muniment.formats.warc import parse_record
from muniment.regular import open_regular

GROUP = 1000


def open_catalog(root: Path) -> Catalog:
    """The catalog, writable; a new one where there is none, or where it is damaged or of another version."""
    path = root / "catalog.sqlite"
    try:
        return Catalog(path, writable=True)
    except sqlite3.DatabaseError as e:
        if not is_damage(e):
            raise
        remove_catalog(root)
        return Catalog(path, writable=True)


def remove_catalog(root: Path) -> None:
    _remove_database(root / "catalog.sqlite")


def _remove_database(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        try:
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        except OSError as e:
            raise storage_error("remove", path.with_name(path.name + suffix), e) from e


def catch_up(root: Path, catalog: Catalog, committed: Committed) -> int:
    """Take in the leaves that the catalog lacks; returns how many. Raises IntegrityError at the first damaged record.

    The catalog moves from commit to commit, some thousand leaves in one transaction.
    """
    progress = catalog.progress()
    if progress.size == committed.checkpoint.size:
        return 0
    check_leaves(root / "log", progress.size, committed.checkpoint)
    done = catalog.lengths()
    cursors = _Cursors(root, done, committed.segments)
    blocks: dict[str, BlockDigests] = {}
    leaves = _read_leaves(root, cursors, progress, committed)
    group: list[LoggedLeaf] = []
    lengths: dict[str, int] = {}
    try:
        for frame in committed.new:
            lengths.update(frame.segments)
            group += islice(leaves, frame.checkpoint.size - progress.size - len(group))
            if len(group) >= GROUP or frame is committed.new[-1]:
                reached = Progress(
                    frame.checkpoint.size, frame.tail, frame.end, frame.digest, root=frame.checkpoint.root
                )
                buried = bury_all(root, group)
                for path, length in lengths.items():
                    if path not in blocks:
                        begun = catalog.block(path, done.get(path, 0) // BLOCK)
                        blocks[path] = BlockDigests(root / path, done.get(path, 0), begun)
                    blocks[path].read_to(length)
                grown = [(path, *block) for path in lengths for block in blocks[path].take()]
                catalog.add(group, lengths, reached, buried, grown)
                progress, group, lengths = reached, [], {}
        cursors.finish()
    finally:
        cursors.close()
    return progress.size


def bury_all(root: Path, leaves: Iterable[LoggedLeaf]) -> list[tuple[int, int, Placement]]:
    """Do what the withdrawals among these leaves say, or see that it is done. Returns where the tombstones lie."""
    withdrawals = [logged for logged in leaves if logged.leaf.type == "withdrawal"]
    return [row for logged in withdrawals for row in bury(root, logged.leaf, logged.content or {})]


def _tombstones(root: Path, progress: Progress, committed: Committed) -> dict[tuple[int, int], str]:
    """The digests of what may stand in place of records, by leaf and part."""
    found: dict[tuple[int, int], str] = {}
    log = root / "log"
    for _, entry in read_leaves(log, progress.size, committed.checkpoint.size):
        if is_type(entry, "withdrawal"):
            leaf = parse_leaf(entry)
            for (number, part), digest in tombstones_of(leaf).items():
                target = leaf_at(log, number)
                if may_remove(leaf, number, target.type, target.of):
                    found[number, part] = digest
    return found


def _read_leaves(root: Path, cursors: _Cursors, progress: Progress, committed: Committed) -> Iterator[LoggedLeaf]:
    number = progress.size
    try:
        tombstones = _tombstones(root, progress, committed)
        for offset, raw in read_leaves(root / "log", number, committed.checkpoint.size):
            yield _read_leaf(cursors, number, offset, parse_leaf(raw), tombstones)
            number += 1
    except (OSError, ValueError) as e:
        raise IntegrityError(f"log/tile/entries is damaged near leaf #{number}: {e}") from e


def _read_leaf(
    cursors: _Cursors, number: int, entry: int, leaf: Leaf, tombstones: Mapping[tuple[int, int], str]
) -> LoggedLeaf:
    stream = stream_of(leaf)
    if leaf.type == "segment":
        cursors.next_segment(stream)
    placements, stored = [], []
    for part, digest in enumerate(leaf.records):
        segment, member = cursors.next_member(stream)
        found = "" if member.problem else hashlib.sha256(member.record).hexdigest()
        withdrawn = tombstones.get((number, part))
        # A withdrawn record may still be there, or be overwritten in part: burying it is done anew.
        buried = found == withdrawn and is_tombstone(member.record)
        if found != digest and not buried and not (withdrawn and member.problem):
            problem = member.problem or "the record does not have the digest that its leaf states"
            raise IntegrityError(
                f"{segment} is damaged at byte {member.offset} (snapshot #{number}): {problem};"
                " run `muniment verify` and restore the file from a copy"
            )
        placements.append(Placement(segment, member.offset, member.length, len(member.record), member.digest))
        stored.append(parse_record(member.record) if found == digest else None)
    facts, content = (None, None)
    if None not in stored[-1:]:
        facts, content = read_facts(leaf, [record for record in stored if record is not None])
    return LoggedLeaf(number, entry, leaf, placements, facts, content)


class _Cursors:
    """Where reading stands in each stream."""

    def __init__(self, root: Path, done: Mapping[str, int], committed: Mapping[str, int]):
        self._root, self._done, self._committed = root, done, committed
        self._open: dict[str, tuple[str, BinaryIO, Iterator[Member]]] = {}
        self._passed: set[str] = set()

    def next_segment(self, stream: str) -> None:
        self._refuse_more(stream)
        current = self._open[stream][0] if stream in self._open else self._last_done(stream)
        later = [path for path in sorted(self._committed) if path.startswith(stream + "/") and path > current]
        if not later:
            raise IntegrityError(f"a segment of {stream}/ that the log names is not among the commits")
        self._start(stream, later[0], 0)

    def next_member(self, stream: str) -> tuple[str, Member]:
        if stream not in self._open:
            path = self._last_done(stream)
            self._start(stream, path, self._done.get(path, 0))
        path, _, members = self._open[stream]
        member = next(members, None)
        if member is None:
            raise IntegrityError(f"{path} is damaged: a record that the log names is missing at its end")
        return path, member

    def _refuse_more(self, stream: str) -> None:
        path, _, members = self._open.get(stream, ("", None, iter(())))
        if (member := next(members, None)) is not None:
            raise IntegrityError(
                f"{path} is damaged at byte {member.offset}: a record stands there that no leaf of the log names;"
                " run `muniment verify` and restore the file from a copy"
            )

    def finish(self) -> None:
        """Raises IntegrityError where committed bytes are left over that no leaf names."""
        for stream in self._open:
            self._refuse_more(stream)
        read = {path for path, _, _ in self._open.values()}
        for path, length in self._committed.items():
            if path not in read and path not in self._passed and self._done.get(path, 0) != length:
                raise IntegrityError(
                    f"{path} is damaged: the log names no record of it after byte {self._done.get(path, 0)}"
                )

    def _last_done(self, stream: str) -> str:
        return max((path for path in self._done if path.startswith(stream + "/")), default="")

    def _start(self, stream: str, path: str, offset: int) -> None:
        if stream in self._open:
            self._open[stream][1].close()
            self._passed.add(self._open[stream][0])
        try:
            file = open_regular(self._root / path)
        except OSError as e:
            raise IntegrityError(f"{path} is missing: {e.strerror}") from e
        self._open[stream] = (path, file, scan_members(file, offset, self._committed[path]))

    def close(self) -> None:
        for _, file, _ in self._open.values():
            file.close()


def rebuild(root: Path, committed: Committed) -> None:
    """Catalog, tiles and checkpoint file from the WARC files and the log. Raises IntegrityError at the first damage,
    and then the old catalog stays."""
    built = root / "catalog.building"
    _remove_database(built)
    catalog = Catalog(built, writable=True)
    try:
        catch_up(root, catalog, committed)
    finally:
        catalog.close()
    remove_catalog(root)
    built.rename(root / "catalog.sqlite")
    remove_tiles(root / "log")
    log = Log(root / "log", committed.checkpoint)
    log.publish_earlier(commit.checkpoint.size for commit in committed.new)
    log.publish(committed.new[-1].note)
    log.close()
