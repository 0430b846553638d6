"""What people said of captures, and how much is in the log."""

from __future__ import annotations

import json
from typing import Any

from muniment.archive import twins
from muniment.archive.tables.articles import Articles


class Said(Articles):
    """Questions about acts, labels and stamps."""

    def about(self, number: int) -> list[int]:
        """What was made of a capture, and what was said of it."""
        return [*self.made_of(number), *(act[0] for act in self.acts(number))]

    def acts(self, number: int | None = None, kind: str | None = None) -> list[tuple[int, str, int | None, str, Any]]:
        """What was said, oldest first: (number, type, of, at, content); of one snapshot, or of one type."""
        rows = self._db.execute(
            "select number, type, of, at, content from act where (?1 is null or of = ?1) and (?2 is null or type = ?2)"
            " order by number",
            (number, kind),
        )
        return [(*row[:4], json.loads(row[4])) for row in rows]

    def act(self, number: int) -> tuple[int, str, int | None, str, Any] | None:
        """One act by the number of its leaf."""
        row = self._db.execute("select number, type, of, at, content from act where number = ?", (number,)).fetchone()
        return None if row is None else (*row[:4], json.loads(row[4]))

    def acts_with(self, identity: str) -> list[int]:
        """The acts whose leaf has this UUID."""
        rows = self._db.execute("select number from act join leaf using (number) where id = ?", (identity,))
        return [row[0] for row in rows]

    def in_state(self, state: str) -> list[int]:
        """The numbers of the articles' snapshots that have a "note", or are pictures of pages ("scanned") that nobody
        read; of the captures that were "withdrawn"; [] for another state."""
        of = {
            "note": "select distinct coalesce(case when l.type = 'revisit' then l.of end, l.number) from act a"
            " join leaf l on l.number = a.of where a.type = 'note' and a.content != '{}' order by 1",
            "scanned": "select snapshot from article where problem like 'no-text: scanned%' order by snapshot",
            "withdrawn": "select l.number from tombstone t join leaf l on l.number = t.leaf"
            " where t.part = 0 and l.type = 'capture' order by 1",
        }
        return [row[0] for row in self._db.execute(of[state])] if state in of else []

    def labels_of(self, article: str, kind: str) -> list[str]:
        """The tags ("tag") or collections that were put on an article, apart from what was declared with its texts."""
        return twins.labels(self._db, kind, twins.addresses_of(self._db, article))

    def key_changes(self) -> list[int]:
        """The numbers of the leaves by which other keys took over."""
        return [row[0] for row in self._db.execute("select number from act where type = 'key' order by number")]

    def source_name(self, host: str) -> str | None:
        """What the source of this host was named."""
        row = self._db.execute("select name from source where host = ?", (host,)).fetchone()
        return None if row is None else row[0]

    def source_names(self) -> dict[str, str]:
        return dict(self._db.execute("select host, name from source order by host"))

    def collections(self) -> dict[str, int]:
        """How many articles each collection holds."""
        rows = self._db.execute(
            "select name, count(distinct coalesce(article, key)) from label left join twin on address = key"
            " where kind = 'collection' and held group by name order by name"
        )
        return dict(rows)

    def stamps(self) -> list[tuple[str, int, int, str, str]]:
        """The files in `log/stamps/`: (name, number of the leaf, leaves of the checkpoint, SHA-256 in hex, at)."""
        return list(self._db.execute("select name, number, size, digest, at from stamp order by size, name"))

    def newest_besides_stamps(self) -> int | None:
        """The number of the last leaf that is no stamp's."""
        row = self._db.execute("select number from leaf where type != 'stamp' order by number desc limit 1").fetchone()
        return None if row is None else int(row[0])

    def count_since(self, number: int) -> int:
        """How many leaves there are from this one on; stamps do not count."""
        row = self._db.execute("select count(*) from leaf where number >= ? and type != 'stamp'", (number,)).fetchone()
        return int(row[0])

    def oldest_since(self, number: int) -> str | None:
        """When the first thing from this leaf on was captured or said; stamps do not count."""
        (at,) = self._db.execute("select min(at) from leaf where number >= ? and type != 'stamp'", (number,)).fetchone()
        return None if at is None else str(at)

    def counts(self) -> dict[str, int]:
        """How many leaves of each type the log holds."""
        return dict(self._db.execute("select type, count(*) from leaf group by type order by type"))
