"""What a discovery has still to look at, on the disk, so that one that was killed goes on where it stood.

`discovery.sqlite` in the archive's folder is a cache and no evidence: without it, a run begins anew. What was found is
put there before the page that named it is settled, and a page is settled only when it is committed; so a kill costs
at most that some pages are asked for a second time.

A run that has a `token`, its own name among those of the same key, is counted from here where it is cut off: what came
of a page is kept in the step that settles it, and stays until a run with another token begins.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from muniment.errors import StorageError
from muniment.regular import size_of

_log = logging.getLogger(__name__)

VERSION = 4
_SCHEMA = """
create table if not exists run (
    id integer primary key, key text unique, complete integer, token text not null default '');
create table if not exists page (
    seq integer primary key, run integer, key text, host text, url text, depth integer, listing integer, said text,
    dated text, start text, state integer, tries integer not null default 0,
    asked integer not null default 0, read integer not null default 0, came text not null default '',
    unique (run, key));
create index if not exists page_next on page (run, state, host, listing desc, depth, seq);
"""
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)  # the last: a table is not there
_WAITING, _FLYING, _SETTLED, _POSTPONED = 0, 1, 2, 3
MOST_TRIES = 20  # runs in which an address was asked for in vain


@dataclass(frozen=True, slots=True)
class Wanted:
    """One address to look at. `key` is its identity, `host` whom it is asked of; `said` are facts that the listing
    which named it gives, `dated` the newest date (ISO) among them. A `listing` names others and is no article. `start`
    is the address of the plan from which it was found. It was `asked` for, or its addresses were `read`, before the run
    was cut off."""

    url: str
    key: str
    host: str
    depth: int = 0
    listing: bool = False
    said: tuple[tuple[str, str], ...] = ()
    dated: str = ""
    start: str = ""
    seq: int = 0
    asked: bool = False
    read: bool = False


class _Damaged(StorageError):
    """The cache was damaged, and is gone."""


class Frontier:
    """The addresses of one run, which `key` names. `resumed` tells how many were settled before, `listings` how many it
    holds, read or not.

    A run goes on unless it came to its end, or is to `restart`. One that has a `token` goes on where that is the token
    of the run before; else it begins anew, and looks at what is left of earlier runs too.

    Raises StorageError where the file cannot be written.
    """

    def __init__(self, path: Path, key: str, *, restart: bool = False, token: str = ""):
        self._path = path
        try:
            self._db = _open(path)
            self._go_on(key, restart, token)
        except _Damaged as e:
            _log.warning("%s", e)
            self._db = _open(path)
            self._go_on(key, restart, token)

    def _go_on(self, key: str, restart: bool, token: str) -> None:
        """Takes up what is left of the run, or begins it."""
        with _translated(self._path):
            self._db.execute("insert or ignore into run (key, complete) values (?, 1)", (key,))
            self._run, complete, before = self._db.execute(
                "select id, complete, token from run where key = ?", (key,)
            ).fetchone()
            self.goes_on = token == before if token else not complete and not restart
            self._begin(token, restart)
            rows = self._db.execute(
                "select host, listing, count(*) from page where run = ? and state = 0 group by host, listing",
                (self._run,),
            )
            self._waiting = Counter({(host, bool(listing)): count for host, listing, count in rows})
            self._arrived = list(self._waiting)
            self.resumed = self._count(f"state = {_SETTLED}")
            self.postponed = self._count(f"state = {_POSTPONED}")
            self.pages_ahead = self._count("state = 0 and not listing")
            self.listings = self._count("listing")

    def _begin(self, token: str, restart: bool) -> None:
        """In one step, so that no kill leaves the pages of one run under the name of another."""
        self._db.execute("begin immediate")
        if not self.goes_on:
            # The listings that a run with a token begins with are named by its plan, and the others by these.
            which = "" if restart else f"and (state = {_SETTLED} or listing)" if token else f"and state = {_SETTLED}"
            self._db.execute(f"delete from page where run = ? {which}", (self._run,))
            self._db.execute("update page set asked = 0, read = 0, came = '' where run = ?", (self._run,))
        self._db.execute(  # what was asked for in vain, and is told by `came`, waits for another run
            f"update page set state = {_WAITING} where run = ? and (state = {_FLYING} or state = {_POSTPONED}"
            " and came = '')",
            (self._run,),
        )
        self._db.execute("update run set complete = 0, token = ? where id = ?", (token, self._run))
        self._db.execute("commit")

    def put(self, wanted: Iterable[Wanted], of: Wanted | None = None) -> int:
        """Take in what is not known yet; returns how many that is. It is all that was read `of` one of them."""
        new, pages = 0, list(wanted)
        with _translated(self._path):
            self._db.execute("begin")
            for page in pages:
                said = json.dumps(page.said)
                done = self._db.execute(
                    "insert or ignore into page (run, key, host, url, depth, listing, said, dated, start, state)"
                    " values (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
                    (self._run, page.key, page.host, page.url, page.depth, page.listing, said, page.dated, page.start),
                )  # fmt: skip
                if done.rowcount:
                    new += 1
                    self.pages_ahead += not page.listing
                    self.listings += page.listing
                    self._waits(page.host, page.listing)
            if of is not None:
                self._db.execute("update page set read = 1 where seq = ?", (of.seq,))
            self._db.execute("commit")
        return new

    def again(self, key: str) -> None:
        """Look once more at what was settled."""
        row = self._db.execute(
            "update page set state = 0 where run = ? and key = ? and state = ? returning host, listing",
            (self._run, key, _SETTLED),
        ).fetchone()
        if row is not None:
            self._waits(row[0], bool(row[1]))

    def arrived(self) -> list[tuple[str, bool]]:
        """The hosts of which something is to be looked at, and whether that is a listing: each once, and once more
        where there is still something when `next` took one."""
        arrived, self._arrived = self._arrived, []
        return arrived

    def next(self, host: str, *, listing: bool) -> Wanted | None:
        """Something to look at of this host, the nearest to the start: a listing, or a page."""
        with _translated(self._path):
            row = self._db.execute(
                "update page set state = ?, asked = asked + 1 where seq = (select seq from page where run = ?"
                " and state = 0 and host = ? and listing = ? order by depth, seq limit 1)"
                " returning seq, url, key, host, depth, listing, said, dated, start, asked, read",
                (_FLYING, self._run, host, listing),
            ).fetchone()
        if row is None:
            return None
        self.pages_ahead -= not listing
        self._waiting[host, listing] -= 1
        if self._waiting[host, listing]:
            self._arrived.append((host, listing))
        else:
            del self._waiting[host, listing]
        return _wanted(row)

    def _waits(self, host: str, listing: bool) -> None:
        """There is one more of a host that is to be looked at."""
        self._waiting[host, listing] += 1
        if self._waiting[host, listing] == 1:
            self._arrived.append((host, listing))

    def give_back(self, wanted: Wanted) -> None:
        """It was not looked at after all, and waits as before."""
        with _translated(self._path):
            self._db.execute("update page set state = ?, asked = asked - 1 where seq = ?", (_WAITING, wanted.seq))
        self.pages_ahead += not wanted.listing
        self._waits(wanted.host, wanted.listing)

    def settle(self, wanted: Wanted, came: str = "") -> None:
        """It was looked at, and what came of it is committed; `came` says what that is."""
        with _translated(self._path):
            self._db.execute("update page set state = ?, came = ? where seq = ?", (_SETTLED, came, wanted.seq))

    def settled_before(self) -> list[str]:
        """What came of the pages that were looked at, where that was said."""
        with _translated(self._path):
            rows = self._db.execute("select came from page where run = ? and came != '' order by seq", (self._run,))
            return [came for (came,) in rows]

    def postpone(self, wanted: Wanted) -> None:
        """It is left for another run, which asks for it even where nothing names it any more."""
        with _translated(self._path):
            self._db.execute("update page set state = ?, asked = 0 where seq = ?", (_POSTPONED, wanted.seq))

    def failed(self, wanted: Wanted, came: str = "") -> bool:
        """It was asked for in vain, and may answer another time: left for another run, unless it failed in MOST_TRIES
        of them. Returns whether it is."""
        with _translated(self._path):
            (tries,) = self._db.execute(
                "update page set tries = tries + 1, state = iif(tries + 1 < ?, ?, ?), came = ? where seq = ?"
                " returning tries",
                (MOST_TRIES, _POSTPONED, _SETTLED, came, wanted.seq),
            ).fetchone()
        return bool(tries < MOST_TRIES)

    @property
    def is_empty(self) -> bool:
        return not self._count("1")

    @property
    def waiting(self) -> int:
        """How many pages nobody has looked at."""
        return self._count(f"state != {_SETTLED} and not listing")

    @property
    def settled(self) -> int:
        """How many pages were looked at, in this run and before it was interrupted."""
        return self._count(f"state = {_SETTLED} and not listing")

    def _count(self, where: str) -> int:
        (count,) = self._db.execute(f"select count(*) from page where run = ? and {where}", (self._run,)).fetchone()
        return int(count)

    def finish(self, *, keep: bool) -> None:
        """The run came to its end: the next one begins at the start, and looks at what was postponed. With `keep`, what
        waits is looked at then too. With a token, what is settled stays: whoever counts it may be cut off yet."""
        with _translated(self._path):
            gone = f"state = {_SETTLED} and (select token = '' from run where id = page.run)"
            if not keep:
                gone += f" or state not in ({_SETTLED}, {_POSTPONED})"
            self._db.execute(f"delete from page where run = ? and ({gone})", (self._run,))
            self._db.execute("update run set complete = 1 where id = ?", (self._run,))

    def close(self) -> None:
        self._db.close()


def _wanted(row: tuple[int, str, str, str, int, int, str, str, str, int, int]) -> Wanted:
    seq, url, key, host, depth, listing, said, dated, start, asked, read = row
    facts = tuple((name, value) for name, value in json.loads(said))
    return Wanted(url, key, host, depth, bool(listing), facts, dated, start, seq, asked > 1, bool(read))


def _open(path: Path) -> sqlite3.Connection:
    """The cache, made anew where it is of another version."""
    if os.path.lexists(path) and size_of(path) is None:
        raise StorageError(f"{path} is a link, or no regular file: take it away")
    with _translated(path):
        db = sqlite3.connect(path, isolation_level=None, timeout=10.0)
        try:
            (version,) = db.execute("pragma user_version").fetchone()
            if version not in (0, VERSION):
                db.close()
                _remove(path)
                return _open(path)
            if version == 0:
                db.execute("pragma journal_mode = wal")
                db.executescript(f"begin; {_SCHEMA} pragma user_version = {VERSION}; commit;")
            db.execute("pragma synchronous = off")
        except sqlite3.Error:
            db.close()
            raise
        return db


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """What SQLite says, as a StorageError. A damaged cache is taken away: whoever opens it next begins anew."""
    try:
        yield
    except sqlite3.Error as e:
        if getattr(e, "sqlite_errorcode", 0) & 0xFF in _DAMAGE:
            _remove(path)
            raise _Damaged(f"{path.name} was damaged ({e}), and is made anew: a discovery begins at its start") from e
        raise StorageError(f"cannot write discovery.sqlite: {e}; everything acknowledged is stored") from e
