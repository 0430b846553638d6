"""Where every record lies: asked by those who verify, export and withdraw."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from muniment.archive.blocks import BLOCK, UNKNOWN
from muniment.archive.segments import Placement

_AT = (
    "select leaf from record where segment = (select id from segment where path = ?) and offset {} ?"
    " order by offset desc limit 1"
)
# (leaf, part, segment, offset, length, uncompressed length, SHA-256) of a gzip member
Member = tuple[int, int, int, int, int, int, bytes]


class Extent(NamedTuple):
    """Records in a segment: how many, where the last one ends, and their bytes as they lie and uncompressed."""

    records: int = 0
    end: int = 0
    length: int = 0
    size: int = 0


class Places:
    """Questions about places."""

    _db: sqlite3.Connection

    def lengths(self) -> dict[str, int]:
        """The committed length of every segment, by path, in the order in which they were begun."""
        return dict(self._db.execute("select path, length from segment order by id"))

    def placements(self, number: int) -> list[Placement]:
        rows = self._db.execute(
            "select s.path, r.offset, r.length, r.size, r.member from record r join segment s on s.id = r.segment"
            " where r.leaf = ? order by r.part",
            (number,),
        )
        return [Placement(*row) for row in rows]

    def all_placements(self) -> Iterator[tuple[int, int, Placement]]:
        """(leaf, part, placement) of every record, in the order of the log."""
        paths = self.segments()
        rows = self._db.cursor().execute(
            "select leaf, part, segment, offset, length, size, member from record order by leaf, part"
        )
        for leaf, part, segment, *rest in rows:
            yield leaf, part, Placement(paths[segment], *rest)

    def segments(self) -> dict[int, str]:
        """The paths of the segments by the numbers that `members` gives."""
        return dict(self._db.execute("select id, path from segment"))

    def members(self, first: int, end: int) -> list[Member]:
        """Where the records of the leaves from #first up to #end lie, in the log's order."""
        found: list[Member] = self._db.execute(
            "select leaf, part, segment, offset, length, size, member from record"
            " where leaf >= ? and leaf < ? order by leaf, part",
            (first, end),
        ).fetchall()
        return found

    def end_before(self, leaf: int, segment: int) -> int:
        """Where the last record of a segment before those of a leaf ends."""
        row = self._db.execute(
            # `+`: by the primary key, where the record before is near; the index would list the whole segment
            "select offset + length from record where leaf < ? and +segment = ? order by leaf desc, part desc limit 1",
            (leaf, segment),
        ).fetchone()
        return 0 if row is None else int(row[0])

    def extents(self, leaf: int) -> dict[str, Extent]:
        """What the leaves before #leaf have in each segment, by its path."""
        rows = self._db.execute(
            "select path, count(*), max(offset + r.length), sum(r.length), sum(size) from record r"
            " join segment s on s.id = segment where leaf < ? group by segment",
            (leaf,),
        )
        return {path: Extent(*counts) for path, *counts in rows}

    def block(self, path: str, number: int) -> bytes | None:
        """The digest of one block of a segment (`blocks.py`)."""
        row = self._db.execute(
            "select digest from block join segment s on s.id = segment where path = ? and number = ?", (path, number)
        ).fetchone()
        return None if row is None else row[0]

    def blocks(self) -> list[tuple[str, int, list[bytes]]]:
        """(path, committed length, digests of the blocks) of each segment; a digest that is not there is unknown."""
        self._db.execute("begin")
        try:
            segments = self._db.execute("select id, path, length from segment order by id").fetchall()
            rows = self._db.execute("select segment, number, digest from block").fetchall()
        finally:
            self._db.execute("commit")
        digests = {(segment, number): digest for segment, number, digest in rows}
        return [
            (path, length, [digests.get((segment, number), UNKNOWN) for number in range(-(-length // BLOCK))])
            for segment, path, length in segments
        ]

    def leaves_at(self, path: str, start: int, end: int) -> tuple[int, int] | None:
        """From which leaf up to which the records lie that have bytes from `start` up to `end` of a segment."""
        # In a segment, records lie in the order of their leaves.
        first_row = self._db.execute(_AT.format("<="), (path, start)).fetchone()
        last_row = self._db.execute(_AT.format("<"), (path, end)).fetchone()
        return None if first_row is None or last_row is None else (first_row[0], last_row[0] + 1)

    def snapshots_in(self, first: int, end: int) -> int:
        """How many of the leaves from #first up to #end are snapshots."""
        (count,) = self._db.execute(
            "select count(*) from leaf where number >= ? and number < ? and type in ('capture', 'revisit')",
            (first, end),
        ).fetchone()
        return int(count)

    def entry(self, number: int) -> int | None:
        """The offset of a leaf in its entry bundle."""
        row = self._db.execute("select entry from leaf where number = ?", (number,)).fetchone()
        return None if row is None else row[0]
