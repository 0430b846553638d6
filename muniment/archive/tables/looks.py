"""When articles were looked at, and what came of it: what the next look goes by."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

LOOKS = ("http-304", "http-404", "http-410", "robots")  # attempts that settle what is at an address for now
GONE = ("http-401", "http-403", "http-404", "http-410", "http-451", "robots")  # and those that may never change


class Looked(NamedTuple):
    """An article, or an address that was never had: when it was first and last looked at, and last found changed (ISO);
    the day that it says it was published, where it does; how many looks in a row since found it gone."""

    key: str
    first: str
    last: str
    changed: str
    published: str | None
    gone: int


class Look(NamedTuple):
    """A leaf that tells of a look; `of` is the capture whose bytes it repeats."""

    number: int
    type: str
    of: int | None
    status: int | None
    reason: str | None


class Looks:
    """Questions about looks."""

    _db: sqlite3.Connection

    def last_look(self, key: str) -> str | None:
        """When an article was last captured, here or by whoever made an imported file, or its server said that it is as
        it was, gone, or not to be asked."""
        row = self._db.execute(f"select {_LAST.format(key='?')}", (key,)).fetchone()
        return None if row is None else row[0]

    def look_within(self, key: str, leaves: range) -> Look | None:
        """The newest look at an article, whatever came of it, among these leaves."""
        row = self._db.execute(
            "select number, type, of, status, reason from leaf where key = ? and number >= ? and number < ?"
            " and type in ('capture', 'revisit', 'attempt') order by number desc limit 1",
            (key, leaves.start, leaves.stop),
        ).fetchone()
        return None if row is None else Look(*row)

    def came_before(self, key: str, before: int) -> bool | None:
        """Whether an article came at any look among the leaves below `before`; None where it was not looked at."""
        row = self._db.execute(
            "select max(type != 'attempt') from leaf where key = ? and number < ?"
            " and type in ('capture', 'revisit', 'attempt')",
            (key, before),
        ).fetchone()
        return None if row[0] is None else bool(row[0])

    def looked(self, host: str) -> Iterator[Looked]:
        """The articles of a host."""
        yield from self._looked("a.host = ?", host)

    def looked_at(self, key: str) -> Looked | None:
        """What is known of one address, whether anything was had of it or not."""
        return next(self._looked("a.key = ?", key), None) or next(self._never_had("l.key = ?", key), None)

    def never_had(self, host: str) -> Iterator[Looked]:
        """The addresses of a host that were asked for, and gave nothing but that they are gone, or not to be had."""
        for mark in "/:":  # what follows a host in a key: a path, or a port
            yield from self._never_had("l.key >= ? and l.key < ?", host + mark, host + chr(ord(mark) + 1))

    def asked_by(self, key: str) -> str | None:
        """The address by which something of this key was asked for last."""
        row = self._db.execute(
            "select coalesce(url, uri) from leaf where key = ? and type in ('capture', 'revisit', 'attempt')"
            " order by number desc limit 1", (key,),
        ).fetchone()  # fmt: skip
        return None if row is None else row[0]

    def _looked(self, where: str, *values: str) -> Iterator[Looked]:
        rows = self._db.execute(
            f"select a.key, min(a.moment), {_LAST_TRIED},"
            " case when count(*) = 1 then a.moment else (select max(first) from"
            "  (select min(v.moment) as first from article v where v.key = a.key group by v.text, v.title)) end,"
            f" min(a.published), {_GONE} from article a where {where} group by a.key",
            values,
        )
        for key, first, last, changed, published, gone in rows:
            yield Looked(key, first, max(last or first, first), changed, published, gone)

    def _never_had(self, where: str, *values: str) -> Iterator[Looked]:
        rows = self._db.execute(
            f"select l.key, min(l.at), max(l.at), count(*) from leaf l where {where} and l.type = 'attempt'"
            f" and l.reason in {GONE} and not exists"
            "  (select 1 from leaf o where o.key = l.key and o.type in ('capture', 'revisit')) group by l.key",
            values,
        )
        for key, first, last, gone in rows:
            yield Looked(key, first, last, first, None, gone)


_LAST = (
    "(select max(coalesce(l.captured, l.at)) from leaf l where l.key = {key} and (l.type in ('capture', 'revisit')"
    f" or l.type = 'attempt' and l.reason in {LOOKS}))"
)
_LAST_TRIED = _LAST.format(key="a.key").replace(str(LOOKS), str(tuple(dict.fromkeys((*LOOKS, *GONE)))))
_GONE = (
    f"(select count(*) from leaf l where l.key = a.key and l.type = 'attempt' and l.reason in {GONE} and l.number >"
    " (select coalesce(max(o.number), -1) from leaf o where o.key = a.key"
    "  and (o.type in ('capture', 'revisit') or o.reason = 'http-304')))"
)
