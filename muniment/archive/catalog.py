"""`catalog.sqlite`: where every record lies and what every snapshot is, so that nothing has to scan the archive.

A cache: it is filled from leaves and records alone, by the same `add` whether they were just written, are caught up
after a crash, or are read again by `rebuild`. `progress` says how far in the log it is; a transaction moves the rows
and the progress together.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from muniment.archive.segments import Placement
from muniment.archive.tables.layout import FINDING, ORIGINAL, SCHEMA, VERSION, LoggedLeaf, Progress, stated_digest
from muniment.archive.tables.places import Places
from muniment.archive.tables.said import Said
from muniment.database import connect


class Catalog(Places, Said):
    """The open catalog. Raises sqlite3.DatabaseError where the file is damaged or of another version."""

    def __init__(self, path: Path, *, writable: bool = False):
        self._db = connect(path, writable=writable)
        self._writable = writable
        try:
            self._prepare(writable)
        except sqlite3.Error:
            self._db.close()
            raise
        self._segments: dict[str, int] = {}

    def _prepare(self, writable: bool) -> None:
        (version,) = self._db.execute("pragma user_version").fetchone()
        if version == 0 and writable:
            self._db.execute("pragma journal_mode = wal")
            self._db.executescript(f"begin; {SCHEMA} pragma user_version = {VERSION}; commit;")
        elif version != VERSION:
            raise sqlite3.DatabaseError(f"catalog version {version}, not {VERSION}")
        if writable:
            self._db.execute("pragma synchronous = normal")
            self._db.execute("pragma secure_delete = on")  # what was withdrawn is to be gone

    def close(self) -> None:
        if self._writable:
            with contextlib.suppress(sqlite3.Error):
                # SQLite does so itself when the last closes, but not where that one only reads, as in every process of
                # ours: the journal would stay, and be gone through by each that opens the catalog, 0.4 ms a megabyte.
                self._db.execute("pragma busy_timeout = 0")
                self._db.execute("pragma wal_checkpoint(truncate)")
        self._db.close()

    def add(
        self,
        leaves: Iterable[LoggedLeaf],
        lengths: Mapping[str, int],
        progress: Progress,
        buried: Iterable[tuple[int, int, Placement]] = (),
        blocks: Iterable[tuple[str, int, bytes]] = (),
    ) -> None:
        """Take in the leaves of one or more commits, and the progress that they make, in one transaction.

        `buried` is where tombstones lie by now, by leaf and part; `blocks` are the digests of those that grew.
        """
        self._db.execute("begin immediate")
        try:
            for path, length in lengths.items():
                self._segment_id(path)
                self._db.execute("update segment set length = ? where path = ?", (length, path))
            self._db.executemany(
                "insert or replace into block values (?, ?, ?)",
                [(self._segment_id(path), number, digest) for path, number, digest in blocks],
            )
            articles = snapshots = records = size = 0
            for logged in leaves:
                self._add_leaf(logged)
                records += len(logged.placements)
                size += sum(placement.size for placement in logged.placements)
                snapshots += logged.leaf.type in ("capture", "revisit")
                articles += self._take_in(logged)
            tombstones = list(buried)
            for leaf, part, p in tombstones:
                where = "from record where leaf = ? and part = ?"
                size += p.size - sum(row[0] for row in self._db.execute(f"select size {where}", (leaf, part)))
                self._db.execute(
                    "update record set length = ?, size = ?, member = ? where leaf = ? and part = ?",
                    (p.length, p.size, p.member, leaf, part),
                )
            self._db.execute(
                "update progress set size = ?, tail = ?, commits = ?, frame = ?, root = ?,"
                " articles = articles + ?, snapshots = snapshots + ?, records = records + ?, bytes = bytes + ?",
                (
                    progress.size,
                    progress.tail,
                    progress.commits,
                    progress.frame,
                    progress.root,
                    articles,
                    snapshots,
                    records,
                    size,
                ),
            )
            self._db.execute("commit")
            if tombstones:  # the pages before the change may still stand in the file, or in its journal
                self._db.execute("pragma wal_checkpoint(truncate)")
        except BaseException:
            if self._db.in_transaction:  # SQLite rolls back by itself on a full disk
                self._db.execute("rollback")
            self._segments.clear()
            raise

    def _take_in(self, logged: LoggedLeaf) -> int:
        """What a leaf means besides being there. Returns how many articles it adds."""
        from muniment.archive import acts

        leaf, content = logged.leaf, logged.content
        if leaf.type == "derivation":
            return acts.take_article(self._db, logged.number, leaf, content) if content is not None else 0
        if leaf.type == "stamp":
            acts.take_stamp(self._db, logged.number, leaf)
        elif leaf.type == "key":
            acts.take_act(self._db, logged.number, leaf, {})
        elif leaf.type == "withdrawal":
            return acts.take_withdrawal(self._db, logged.number, leaf, content or {})
        elif content is not None:
            acts.take_act(self._db, logged.number, leaf, content)
        return 0

    def _segment_id(self, path: str) -> int:
        if path not in self._segments:
            self._db.execute("insert or ignore into segment (path, length) values (?, 0)", (path,))
            (self._segments[path],) = self._db.execute("select id from segment where path = ?", (path,)).fetchone()
        return self._segments[path]

    def _add_leaf(self, logged: LoggedLeaf) -> None:
        leaf, facts = logged.leaf, logged.facts or {}
        self._db.execute(
            "insert into leaf values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (logged.number, leaf.type, leaf.id, leaf.at, logged.entry, leaf.uri, facts.get("articleKey"), leaf.of,
             leaf.payload, leaf.media, leaf.status, leaf.reason, facts.get("articleUrl"),
             _normal(leaf.captured), facts.get(ORIGINAL) or facts.get(FINDING), stated_digest(facts)),
        )  # fmt: skip
        self._db.executemany(
            "insert into record values (?, ?, ?, ?, ?, ?, ?)",
            [
                (logged.number, part, self._segment_id(p.segment), p.offset, p.length, p.size, p.member)
                for part, p in enumerate(logged.placements)
            ],
        )

    def progress(self) -> Progress:
        row = self._db.execute(
            "select size, tail, commits, frame, articles, snapshots, root, records, bytes from progress"
        ).fetchone()
        return Progress(*row)

    def state(self) -> tuple[Progress, dict[str, int]]:
        """The progress, and the committed lengths of the same moment, whatever a writer does meanwhile."""
        self._db.execute("begin")
        try:
            return self.progress(), self.lengths()
        finally:
            self._db.execute("commit")


def _normal(captured: str | None) -> str | None:
    """The date of an imported record as our own are written, so that they sort."""
    if captured is None:
        return None
    from muniment.formats.warc import format_date

    return format_date(datetime.fromisoformat(captured))
