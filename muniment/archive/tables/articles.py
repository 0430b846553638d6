"""Articles, their addresses and their versions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from muniment.archive.tables.captures import Captures
from muniment.snapshot import Snapshot

if TYPE_CHECKING:
    from muniment.formats.leaf import Leaf

# Whether `a` stands for its article: the newest of its sound versions, or of all where none is; whether it is alone.
# An import may bring older versions after newer ones: what is the newest goes by when it was captured.
_PLACE = "moment || printf(' %020d', snapshot)"
_NEWEST = (
    "not exists (select 1 from article n where n.key = a.key"
    " and (n.sound, n.moment, n.snapshot) > (a.sound, a.moment, a.snapshot)),"
    " not exists (select 1 from article n where n.key = a.key and n.snapshot != a.snapshot)"
)


class Articles(Captures):
    """Questions about articles."""

    def history(self, key: str) -> list[tuple[Snapshot | None, Leaf, int]]:
        """All that happened to an article, at any of its addresses, oldest first: (snapshot or None, leaf without
        records, number)."""
        from muniment.formats.leaf import Leaf

        addresses = self.addresses(key)
        rows = self._db.execute(
            "select number, type, id, at, uri, of, payload, media, status, reason, captured from leaf"
            f" where key in ({','.join('?' * len(addresses))}) and type != 'derivation'"
            " order by coalesce(captured, at), number",
            addresses,
        ).fetchall()
        known = {s.number: s for s in self.snapshots([row[0] for row in rows[-30000:]])}
        return [
            (
                known.get(number),
                Leaf(kind, identity, at, (), uri, payload, media, status, of, reason, captured=captured),
                number,
            )
            for number, kind, identity, at, uri, of, payload, media, status, reason, captured in rows
        ]

    def key_of(self, number: int) -> str | None:
        """The identity of the article that a leaf is about."""
        from muniment.archive import twins

        return twins.article_of(self._db, self.address_of(number))

    def article_at(self, address: str) -> str:
        """The identity of the article at an address (its identity key); of one that was never asked for, that of the
        pages that name it as their own."""
        from muniment.archive import twins

        if self._db.execute("select 1 from leaf where key = ?", (address,)).fetchone() is None:
            row = self._db.execute(
                "select claimant from article where target = ? and sound order by snapshot limit 1", (address,)
            ).fetchone()
            address = row[0] if row else address
        return twins.article_of(self._db, address) or address

    def addresses(self, article: str) -> list[str]:
        """The identity keys under which captures of an article stand: its own first."""
        from muniment.archive import twins

        return twins.addresses_of(self._db, article)

    def version(self, snapshot: Snapshot) -> int | None:
        """Which version of its article a snapshot is, counted from 1: captures with the same text are one. None where
        it has no text of its own (see `acts.is_sound`)."""
        (count,) = self._db.execute(
            f"select count(*) from (select min({_PLACE}) as first from article where key = ?1 and sound group by text)"
            f" where first <= (select min({_PLACE}) from article where key = ?1 and sound"
            "  and text = (select text from article where snapshot = ?2 and sound))",
            (snapshot.key, snapshot.number),
        ).fetchone()
        return int(count) or None

    def versions(self, key: str) -> list[tuple[int, int | None, bytes]]:
        """(snapshot, derivation, SHA-256 of the text) of the captures of an article that have one, oldest first."""
        rows = self._db.execute(
            "select snapshot, derivation, text from article where key = ? and sound order by moment, snapshot", (key,)
        )
        return rows.fetchall()

    def derived(self, numbers: Collection[int] | None = None) -> list[tuple[int, int]]:
        """(snapshot, derivation that stands for it) of every article version, or of those among `numbers`."""
        rows = self._db.execute("select snapshot, derivation from article order by snapshot").fetchall()
        return [row for row in rows if numbers is None or row[0] in numbers]

    def newest(self, key: str) -> int | None:
        """The snapshot that stands for an article: the newest one with a text, or of all where none has."""
        row = self._db.execute(
            "select snapshot from article where key = ? order by sound desc, moment desc, snapshot desc limit 1", (key,)
        ).fetchone()
        return None if row is None else row[0]

    def article_count(self) -> int:
        """How many articles there are, however many versions each has."""
        (count,) = self._db.execute("select count(distinct key) from article").fetchone()
        return int(count)

    def version_counts(self, keys: Sequence[str]) -> dict[str, int]:
        """How many versions (different texts) stand under each identity; 1 where there is none."""
        marks = ",".join("?" * len(keys))
        rows = self._db.execute(
            "select key, max(1, count(distinct case when sound then text end)) from article"
            f" where key in ({marks}) group by key",
            tuple(keys),
        )
        return dict(rows)

    def derivations(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """What an index that holds the leaves before `start` lacks, in the order of the log up to `end`:

        (number of the derivation, number of the snapshot whose document is to be made). Beside the snapshots that were
        derived from these are the one that stands for the article, and the one that did so before.
        """
        rows = self._db.cursor().execute(
            "select a.derivation, a.snapshot, case when n.derivation < ?1 then n.snapshot end,"
            " (select o.snapshot from article o where o.key = a.key and o.derivation < ?1"
            "  order by o.sound desc, o.moment desc, o.snapshot desc limit 1)"
            " from article a join article n on n.snapshot = (select n.snapshot from article n where n.key = a.key"
            "  order by n.sound desc, n.moment desc, n.snapshot desc limit 1)"
            " where a.derivation >= ?1 and a.derivation < ?2 order by a.derivation",
            (start, end),
        )
        others: set[int] = set()
        for derivation, number, *beside in rows:
            yield derivation, number
            for other in beside:
                if other is not None and other not in others:
                    others.add(other)
                    yield derivation, other

    def standing(self, number: int) -> tuple[bool, bool]:
        """Whether a snapshot stands for its article, and whether it is the only capture of it that has one."""
        row = self._db.execute(f"select {_NEWEST} from article a where a.snapshot = ?", (number,)).fetchone()
        return (False, False) if row is None else (bool(row[0]), bool(row[1]))

    def touched(self, start: int, end: int) -> Iterator[int]:
        """The snapshots that acts between these leaves changed, apart from their texts. Those without an article leave
        the index."""
        rows = self._db.cursor().execute(
            "select distinct snapshot from touched where number >= ? and number < ?", (start, end)
        )
        for (number,) in rows:
            yield number
