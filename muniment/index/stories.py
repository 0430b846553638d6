"""`index/stories.sqlite`: which articles tell the same story, nearly word for word.

A cache beside the index, fed with the same texts in the same order. A text that comes is compared with those that share
a band of its signature (minhash.py). If the most alike of them shares ALIKE of its runs of words or more, it belongs to
the story of that one; else it is none's yet. A story is named by the number of its first member, and only those with
two members are listed. Texts that come are compared with all members, so a story may drift; it never joins another.

Beside them stands what the versions of an article that has many said (muniment/removed.py).

Each band is listed for its first POSTINGS texts only: of a text that is captured ten thousand times any will do.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from muniment.database import connect
from muniment.index import minhash

VERSION = 3
ALIKE = 0.4
POSTINGS = 8
MOST_MEMBERS = 2_000  # of a story that are listed
_CHUNK = 500
_SCHEMA = """
create table progress (id integer primary key check (id = 1), size integer, log text);
insert into progress values (1, 0, '');
create table band (hash integer, number integer, primary key (hash, number)) without rowid;
create table text (number integer primary key, story integer, signature blob);
create table member (story integer, number integer, primary key (story, number)) without rowid;
create index member_number on member (number);
create table vocabulary (article integer primary key, made text, derivations blob, words blob);
"""


class Stories:
    """The open file. Raises sqlite3.Error where it is damaged, of another version, or busy."""

    def __init__(self, path: Path, *, writable: bool = False):
        self._db = connect(path, writable=writable, timeout=0.2)
        try:
            (version,) = self._db.execute("pragma user_version").fetchone()
            if version == 0 and writable:
                self._db.execute("pragma journal_mode = wal")
                self._db.executescript(f"begin; {_SCHEMA} pragma user_version = {VERSION}; commit;")
            elif version != VERSION:
                raise sqlite3.DatabaseError(f"version {version}, not {VERSION}")
            if writable:
                self._db.execute("pragma synchronous = normal")
                self._db.execute("pragma secure_delete = on")
                self._db.execute("pragma cache_size = -32000")
        except sqlite3.Error:
            self._db.close()
            raise

    def close(self) -> None:
        """What was not committed is given up."""
        self._db.close()

    # ---- writing

    def progress(self) -> tuple[int, str]:
        """How many leaves of which log it accounts for: the log is known by the UUID of the last of them."""
        size, log = self._db.execute("select size, log from progress").fetchone()
        return int(size), str(log)

    def add(self, number: int, words: Sequence[str]) -> int | None:
        """Take in the words of a text; returns the story that it belongs to. An earlier text of the number goes."""
        signature = minhash.signature(words)
        known = self._db.execute("select signature, story from text where number = ?", (number,)).fetchone()
        if known is not None:
            if known[0] == signature:
                return None if known[1] is None else int(known[1])
            self._begin()
            self._forget(number)
        if signature is None:
            return None
        self._begin()
        hashes = minhash.bands(signature)
        listed = self._listed(hashes)
        story = self._join(number, signature, {other for others in listed.values() for other in others})
        self._db.execute("insert into text values (?, ?, ?)", (number, story, signature))
        self._db.executemany(
            "insert or ignore into band values (?, ?)",
            [(value, number) for value in hashes if len(listed.get(value, ())) < POSTINGS],
        )
        return story

    def remove(self, numbers: Iterable[int]) -> None:
        self._begin()
        for number in numbers:
            self._forget(number)

    def vocabulary(self, article: int, made: str) -> tuple[set[int], set[str]] | None:
        """The words of the derivations of an article that were kept, and which these are; `made` names the analyzer."""
        row = self._db.execute(
            "select derivations, words from vocabulary where article = ? and made = ?", (article, made)
        ).fetchone()
        if row is None:
            return None
        numbers = zlib.decompress(row[0]).decode().split()
        return set(map(int, numbers)), set(zlib.decompress(row[1]).decode().split("\n"))

    def keep_vocabulary(self, article: int, made: str, derivations: Iterable[int], words: Iterable[str]) -> None:
        self._begin()
        numbers = zlib.compress(" ".join(map(str, sorted(derivations))).encode())
        packed = zlib.compress("\n".join(sorted(words)).encode(), 1)
        self._db.execute("insert or replace into vocabulary values (?, ?, ?, ?)", (article, made, numbers, packed))

    def drop_vocabulary(self, article: int) -> None:
        if self._db.execute("select 1 from vocabulary where article = ?", (article,)).fetchone() is not None:
            self._begin()
            self._db.execute("delete from vocabulary where article = ?", (article,))

    def commit(self, size: int, log: str) -> None:
        self._begin()
        self._db.execute("update progress set size = ?, log = ?", (size, log))
        self._db.execute("commit")

    def _begin(self) -> None:
        if not self._db.in_transaction:
            self._db.execute("begin immediate")

    def _listed(self, hashes: Sequence[int]) -> dict[int, list[int]]:
        """The texts that each of the bands is listed for, where there are any: POSTINGS at most."""
        marks = ",".join("?" * len(hashes))
        listed: dict[int, list[int]] = {}
        for value, number in self._db.execute(f"select hash, number from band where hash in ({marks})", hashes):
            listed.setdefault(value, []).append(number)
        return listed

    def _join(self, number: int, signature: bytes, candidates: Collection[int]) -> int | None:
        """The story of the candidate that is most alike, a new one with it where it has none; the first of equals."""
        rated = [(minhash.likeness(signature, other), -at, story) for at, story, other in self._texts(candidates)]
        like, minus, story = max(rated, default=(0.0, 0, None))
        if like < ALIKE:
            return None
        if story is None:
            story = -minus
            self._db.execute("update text set story = ? where number = ?", (story, story))
            self._db.execute("insert or ignore into member values (?, ?)", (story, story))
        self._db.execute("insert or ignore into member values (?, ?)", (story, number))
        return int(story)

    def _texts(self, numbers: Collection[int]) -> list[tuple[int, int | None, bytes]]:
        marks = ",".join("?" * len(numbers))
        return self._db.execute(
            f"select number, story, signature from text where number in ({marks})", tuple(sorted(numbers))
        ).fetchall()

    def _forget(self, number: int) -> None:
        row = self._db.execute("select story, signature from text where number = ?", (number,)).fetchone()
        if row is None:
            return
        self._db.executemany(
            "delete from band where hash = ? and number = ?", [(value, number) for value in minhash.bands(row[1])]
        )
        self._db.execute("delete from text where number = ?", (number,))
        self._db.execute("delete from member where number = ?", (number,))
        rest = self._db.execute("select number from member where story = ? limit 2", (row[0],)).fetchall()
        if len(rest) == 1:
            self._db.execute("update text set story = null where number = ?", rest[0])
            self._db.execute("delete from member where story = ?", (row[0],))

    # ---- reading

    def stories_of(self, numbers: Collection[int]) -> dict[int, int]:
        """The story of each of these articles that has one."""
        if len(numbers) > 20 * _CHUNK:
            wanted = set(numbers)
            return {number: story for number, story in self._db.execute("select number, story from member")
                    if number in wanted}  # fmt: skip
        found: dict[int, int] = {}
        listed = list(numbers)
        for start in range(0, len(listed), _CHUNK):
            part = listed[start : start + _CHUNK]
            marks = ",".join("?" * len(part))
            found.update(self._db.execute(f"select number, story from member where number in ({marks})", part))
        return found

    def members(self, stories: Collection[int]) -> dict[int, list[int]]:
        """The first members of each story, in order of number."""
        return {
            story: [number for (number,) in self._db.execute(
                "select number from member where story = ? order by number limit ?", (story, MOST_MEMBERS))]
            for story in stories
        }  # fmt: skip

    def likeness(self, number: int, others: Collection[int]) -> Mapping[int, float]:
        """How much each of the others is like an article, 0 to 1."""
        own = self._texts([number])
        if not own:
            return {}
        return {at: minhash.likeness(own[0][2], other) for at, _, other in self._texts(others)}


def is_busy(error: sqlite3.Error) -> bool:
    """Whether the file is sound, and another process is at it."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def open_stories(root: Path) -> Stories | None:
    """The stories of the index in the folder `root`, for reading; None where there are none that can be read."""
    if not (root / "stories.sqlite").is_file():
        return None
    try:
        return Stories(root / "stories.sqlite")
    except sqlite3.Error:
        return None
