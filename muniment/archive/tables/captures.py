"""What was captured, imported, made and withdrawn: questions about single leaves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from muniment.archive.tables.looks import Looks
from muniment.snapshot import Digest, Snapshot

_ARTICLE = "coalesce((select article from twin where address = l.key), l.key)"
_SNAPSHOT = f"""select l.number, l.type, l.uri, {_ARTICLE}, coalesce(l.captured, l.at), l.payload, l.media, l.status,
    l.url, a.derivation, a.title, a.source, a.published, a.precision, a.language, a.authors, a.tags, a.problem,
    a.collections, a.confidence, a.flags, (select act from tombstone where leaf = l.number limit 1)
    from leaf l left join article a on a.snapshot = l.number """


class Held(NamedTuple):
    """A capture that holds its bytes: its number, id, time, URI, and the payload's SHA-256 in hex."""

    number: int
    id: str
    at: str
    uri: str
    payload: str


class Captures(Looks):
    """Questions about captures."""

    def snapshot(self, number: int) -> Snapshot | None:
        """The snapshot of this number; the number of a derivation gives the capture that it was made of."""
        return next(iter(self.snapshots([number])), None) or self._derived_from(number)

    def _derived_from(self, number: int) -> Snapshot | None:
        row = self._db.execute("select of from leaf where number = ? and type = 'derivation'", (number,)).fetchone()
        return None if row is None else self.snapshot(row[0])

    def snapshots(self, numbers: Sequence[int]) -> list[Snapshot]:
        """The snapshots of these numbers, in order of number; unknown ones are left out."""
        marks = ",".join("?" * len(numbers))
        where = f"where l.number in ({marks}) and l.type in ('capture', 'revisit') order by l.number"
        return [_snapshot(row) for row in self._db.execute(_SNAPSHOT + where, tuple(numbers))]

    def newest_at(self, uri: str) -> Held | None:
        """The capture that holds the bytes of the newest snapshot at a URI that was not imported; None where they were
        withdrawn. What is fetched rests on no record of others', whose head may say other things of the bytes."""
        return self._held("select type, number, of from leaf where uri = ? and type in ('capture', 'revisit')", uri)

    def newest_of(self, key: str) -> Held | None:
        """The same of an article."""
        return self._held("select type, number, of from leaf where key = ? and type in ('capture', 'revisit')", key)

    def _held(self, newest: str, value: str) -> Held | None:
        row = self._db.execute(
            f"{newest} and captured is null order by at desc, number desc limit 1", (value,)
        ).fetchone()
        if row is None:
            return None
        number = row[2] if row[0] == "revisit" else row[1]
        return self.held(number)

    def held(self, number: int) -> Held | None:
        """A capture that holds its bytes; None where they were withdrawn, or it is none."""
        found = self._db.execute(
            "select number, id, coalesce(captured, at), uri, payload from leaf where number = ?1 and type = 'capture'"
            " and not exists (select 1 from tombstone where leaf = ?1)",
            (number,),
        ).fetchone()
        return None if found is None else Held(*found)

    def of_original(self, digest: str) -> int | None:
        """The newest leaf that keeps an imported record, or a finding, of this SHA-256 (hex)."""
        row = self._db.execute("select max(number) from leaf where original = ?", (f"sha256:{digest}",)).fetchone()
        return None if row is None else row[0]

    def has_id(self, identity: str) -> bool:
        """Whether any leaf has this UUID."""
        return self._db.execute("select 1 from leaf where id = ? limit 1", (identity,)).fetchone() is not None

    def imported_as(self, identity: str) -> int | None:
        """The newest leaf that an imported record gave this UUID."""
        row = self._db.execute(
            "select max(number) from leaf where id = ? and original is not null", (identity,)
        ).fetchone()
        return None if row is None else row[0]

    def identified(self, identity: str, key: str | None) -> int | None:
        """The leaf with this UUID: among those of an article's identity, or an imported one."""
        row = self._db.execute("select number from leaf where key = ? and id = ?", (key, identity)).fetchone()
        return self.imported_as(identity) if row is None else int(row[0])

    def repeated(self, digest: str, uri: str | None) -> Held | None:
        """The capture whose imported record stated this payload digest: that of the address, else any."""
        rows = self._db.execute(
            "select number from leaf where stated = ? and type = 'capture' order by uri is not ?, number desc limit 20",
            (digest, uri),
        ).fetchall()
        return next((held for (number,) in rows if (held := self.held(number)) is not None), None)

    def stated_of(self, number: int) -> str | None:
        """The payload digest that an imported record stated, where it holds."""
        row = self._db.execute("select stated from leaf where number = ?", (number,)).fetchone()
        return None if row is None else row[0]

    def id_of(self, number: int) -> str | None:
        """The UUID of a leaf, which its first record's WARC-Record-ID holds too."""
        row = self._db.execute("select id from leaf where number = ?", (number,)).fetchone()
        return None if row is None else row[0]

    def buried_as(self, digest: str) -> int | None:
        """The leaf of which a record was withdrawn, in whose place one of this SHA-256 (hex) stands."""
        row = self._db.execute("select leaf from tombstone where digest = ?", (digest,)).fetchone()
        return None if row is None else int(row[0])

    def numbers(self, *types: str) -> list[int]:
        """The numbers of all leaves of these types, in order."""
        marks = ",".join("?" * len(types))
        rows = self._db.execute(f"select number from leaf where type in ({marks}) order by number", types)
        return [number for (number,) in rows]

    def newest_before(self, uri: str, number: int) -> int | None:
        """The newest snapshot of a URI before a leaf."""
        row = self._db.execute(
            "select max(number) from leaf where uri = ? and type in ('capture', 'revisit') and number < ?",
            (uri, number),
        ).fetchone()
        return None if row is None else row[0]

    def kind_of(self, number: int) -> tuple[str, int | None] | None:
        """The type of a leaf, and the number that it refers to."""
        found: tuple[str, int | None] | None = self._db.execute(
            "select type, of from leaf where number = ?", (number,)
        ).fetchone()
        return found

    def has_article(self, number: int) -> bool:
        """Whether an article stands for this snapshot."""
        return self._db.execute("select 1 from article where snapshot = ?", (number,)).fetchone() is not None

    def visit_before(self, of: int, number: int) -> int:
        """The newest capture or revisit of these bytes before a leaf: the visit that a derivation was made at."""
        (found,) = self._db.execute(
            "select max(number) from leaf where number < ?2 and (number = ?1 or (of = ?1 and type = 'revisit'))",
            (of, number),
        ).fetchone()
        return int(found)

    def made_of(self, number: int) -> list[int]:
        """Every derivation of a capture, the superseded ones too."""
        rows = self._db.execute(
            "select number from leaf where of = ? and type = 'derivation' order by number", (number,)
        )
        return [row[0] for row in rows]

    def address_of(self, number: int) -> str | None:
        """The identity of the address that a leaf is about, as logged."""
        row = self._db.execute("select key from leaf where number = ?", (number,)).fetchone()
        return None if row is None else row[0]

    def revisits_of(self, number: int) -> list[int]:
        """Every revisit that refers to a capture."""
        key = self.address_of(number)
        rows = self._db.execute(
            "select number from leaf where type = 'revisit' and of = ?1 and (key is ?2 or uri ="
            " (select uri from leaf where number = ?1)) order by number",
            (number, key),
        )
        return [row[0] for row in rows]

    def same_payload(self, number: int) -> list[int]:
        """Other captures that hold the very bytes of this one and were not withdrawn."""
        rows = self._db.execute(
            "select o.number from leaf l join leaf o on o.payload = l.payload and o.number != l.number"
            " where l.number = ? and o.type = 'capture' and o.number not in (select leaf from tombstone)",
            (number,),
        )
        return [row[0] for row in rows]

    def withdrawn_payload(self, number: int) -> int | None:
        """A capture that held the very bytes of this one, and was withdrawn."""
        row = self._db.execute(  # cross: from the few tombstones to their leaves, and not through all leaves
            "select o.number from tombstone t cross join leaf o on o.number = t.leaf"
            " where t.part = 0 and o.number != ?1 and o.type = 'capture'"
            " and o.payload = (select payload from leaf where number = ?1) order by o.number desc limit 1",
            (number,),
        ).fetchone()
        return None if row is None else row[0]

    def tombstone(self, number: int, part: int) -> str | None:
        """The SHA-256 (hex) of what stands in place of a record that was withdrawn."""
        row = self._db.execute("select digest from tombstone where leaf = ? and part = ?", (number, part)).fetchone()
        return None if row is None else row[0]

    def withdrawn_by(self, number: int) -> int | None:
        """The number of the leaf by which this one's first record was withdrawn."""
        row = self._db.execute("select act from tombstone where leaf = ? and part = 0", (number,)).fetchone()
        return None if row is None else row[0]


def _snapshot(row: Sequence[Any]) -> Snapshot:
    number, kind, uri, key, at, payload, media, status, url, derivation, title, source, *rest = row
    published, precision, language, authors, tags, problem, collections, confidence, flags, withdrawn = rest
    captured_at, names, labels = datetime.fromisoformat(at), json.loads(authors or "[]"), json.loads(tags or "[]")
    return Snapshot(
        number, kind, uri, key, captured_at, Digest(f"sha256:{payload}"), media, status, url, derivation, title, source,
        published, precision, language, tuple(names), tuple(labels), problem, tuple(json.loads(collections or "[]")),
        withdrawn, confidence, tuple((flags or "").split()),
    )  # fmt: skip
