"""`catalog.sqlite`: where every record lies and what every snapshot is, so that nothing has to scan the archive.

A cache: it is filled from leaves and records alone, by the same `add` whether they were just written, are caught up
after a crash, or are read again by `rebuild`. `progress` says how far in the log it is; a transaction moves the rows
and the progress together.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from muniment.archive.blocks import BLOCK, UNKNOWN
from muniment.archive.segments import Placement
from muniment.database import connect
from muniment.errors import IntegrityError, Locked, MunimentError, StorageError
from muniment.snapshot import Digest, Snapshot

if TYPE_CHECKING:
    from muniment.formats.leaf import Leaf

VERSION = 5
# Lines of the metadata record by which an imported record, or what is wrong with an imported file, is found again.
ORIGINAL, FINDING, STATED = "importedRecord", "importedFinding", "importedPayloadDigest"
_SCHEMA = """
create table progress (id integer primary key check (id = 1), size integer, tail integer, commits integer,
    frame blob, articles integer, snapshots integer, root blob, records integer, bytes integer);
insert into progress values (1, 0, 0, 0, x'', 0, 0, x'', 0, 0);
create table segment (id integer primary key, path text unique, length integer);
create table record (leaf integer, part integer, segment integer, offset integer, length integer, size integer,
    member blob, primary key (leaf, part)) without rowid;
create index record_place on record (segment, offset);
create table block (segment integer, number integer, digest blob, primary key (segment, number)) without rowid;
create table leaf (number integer primary key, type text, id text, at text, entry integer, uri text, key text,
    of integer, payload text, media text, status integer, reason text, url text,
    captured text, original text, stated text);
create index leaf_uri on leaf (uri) where type in ('capture', 'revisit');
create index leaf_key on leaf (key) where key is not null;
create index leaf_of on leaf (of) where type = 'derivation';
create index leaf_original on leaf (original) where original is not null;
create index leaf_id on leaf (id);
create index leaf_stated on leaf (stated) where stated is not null;
create table article (snapshot integer primary key, derivation integer, key text, title text, source text,
    published text, precision text, language text, authors text, tags text, problem text, collections text, host text,
    moment text, confidence real, text blob, sound integer, declared text, flags text, sketch blob, claimant text,
    target text);
create index article_key on article (key, moment, snapshot);
create index article_derivation on article (derivation);
create index article_host on article (host);
create index article_claimant on article (claimant) where claimant is not null;
create index article_target on article (target, snapshot) where target is not null;
create table act (number integer primary key, type text, of integer, at text, content text);
create index act_of on act (of);
create table label (kind text, key text, name text, held integer, number integer, place integer,
    primary key (kind, key, name)) without rowid;
create table source (host text primary key, name text) without rowid;
create table touched (number integer, snapshot integer, primary key (number, snapshot)) without rowid;
create table tombstone (leaf integer, part integer, digest text, act integer, primary key (leaf, part)) without rowid;
create table stamp (name text primary key, number integer, size integer, digest text, at text) without rowid;
create table twin (address text primary key, stands text, article text) without rowid;
create index twin_stands on twin (stands);
create index twin_article on twin (article);
"""
_ARTICLE = "coalesce((select article from twin where address = l.key), l.key)"
_SNAPSHOT = f"""select l.number, l.type, l.uri, {_ARTICLE}, coalesce(l.captured, l.at), l.payload, l.media, l.status,
    l.url, a.derivation, a.title, a.source, a.published, a.precision, a.language, a.authors, a.tags, a.problem,
    a.collections, a.confidence, a.flags, (select act from tombstone where leaf = l.number limit 1)
    from leaf l left join article a on a.snapshot = l.number """
_AT = (
    "select leaf from record where segment = (select id from segment where path = ?) and offset {} ?"
    " order by offset desc limit 1"
)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is no catalog of ours, rather than busy, or the disk full."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


def problem_of(error: sqlite3.Error) -> MunimentError:
    """What an error of SQLite's means to the user."""
    if is_damage(error):
        return IntegrityError(f"the catalog is damaged ({error}): run `muniment rebuild`")
    if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Locked(f"the catalog is in use by another muniment ({error}): try again later")
    return StorageError(
        f"cannot read or write catalog.sqlite: {error}; everything acknowledged is stored; see to the disk and run"
        " again"
    )


class Progress(NamedTuple):
    """How far in the log the catalog is: leaves, bytes of the bundle that is not full and of `log/commits`, the last
    frame's digest."""

    size: int = 0
    tail: int = 0
    commits: int = 0
    frame: bytes = b""
    articles: int = 0
    snapshots: int = 0
    root: bytes = b""
    records: int = 0
    bytes: int = 0


class Held(NamedTuple):
    """A capture that holds its bytes: its number, id, time, URI, and the payload's SHA-256 in hex."""

    number: int
    id: str
    at: str
    uri: str
    payload: str


# Whether `a` stands for its article: the newest of its sound versions, or of all where none is; whether it is alone.
# An import may bring older versions after newer ones: what is the newest goes by when it was captured.
_PLACE = "moment || printf(' %020d', snapshot)"
_NEWEST = (
    "not exists (select 1 from article n where n.key = a.key"
    " and (n.sound, n.moment, n.snapshot) > (a.sound, a.moment, a.snapshot)),"
    " not exists (select 1 from article n where n.key = a.key and n.snapshot != a.snapshot)"
)


# (leaf, part, segment, offset, length, uncompressed length, SHA-256) of a gzip member
Member = tuple[int, int, int, int, int, int, bytes]


class Extent(NamedTuple):
    """Records in a segment: how many, where the last one ends, and their bytes as they lie and uncompressed."""

    records: int = 0
    end: int = 0
    length: int = 0
    size: int = 0


class LoggedLeaf(NamedTuple):
    """A leaf with its number, its offset in its entry bundle, where its records lie, and what they say.

    `facts` are the lines of a capture's metadata record, `content` the JSON of a derivation's or an act's.
    """

    number: int
    entry: int
    leaf: Leaf
    placements: Sequence[Placement]
    facts: Mapping[str, str] | None = None
    content: Mapping[str, Any] | None = None


class Catalog:
    """The open catalog. Raises sqlite3.DatabaseError where the file is damaged or of another version."""

    def __init__(self, path: Path, *, writable: bool = False):
        self._db = connect(path, writable=writable)
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
            self._db.executescript(f"begin; {_SCHEMA} pragma user_version = {VERSION}; commit;")
        elif version != VERSION:
            raise sqlite3.DatabaseError(f"catalog version {version}, not {VERSION}")
        if writable:
            self._db.execute("pragma synchronous = normal")
            self._db.execute("pragma secure_delete = on")  # what was withdrawn is to be gone

    def close(self) -> None:
        self._db.close()

    # ---- writing

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

    # ---- reading

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

    def last_look(self, key: str) -> str | None:
        """When an article was last captured, or its server said that it is as it was, gone, or not to be asked."""
        row = self._db.execute(
            "select at from leaf where key = ? and (type in ('capture', 'revisit') or type = 'attempt' and reason in"
            " ('http-304', 'http-404', 'http-410', 'robots')) order by number desc limit 1",
            (key,),
        ).fetchone()
        return None if row is None else row[0]

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

    def about(self, number: int) -> list[int]:
        """What was made of a capture, and what was said of it."""
        return [*self.made_of(number), *(act[0] for act in self.acts(number))]

    def acts_with(self, identity: str) -> list[int]:
        """The acts whose leaf has this UUID."""
        rows = self._db.execute("select number from act join leaf using (number) where id = ?", (identity,))
        return [row[0] for row in rows]

    def buried_as(self, digest: str) -> int | None:
        """The leaf of which a record was withdrawn, in whose place one of this SHA-256 (hex) stands."""
        row = self._db.execute("select leaf from tombstone where digest = ?", (digest,)).fetchone()
        return None if row is None else int(row[0])

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

    def address_of(self, number: int) -> str | None:
        """The identity of the address that a leaf is about, as logged."""
        row = self._db.execute("select key from leaf where number = ?", (number,)).fetchone()
        return None if row is None else row[0]

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

    # ---- what people said of it, and what was removed

    def kind_of(self, number: int) -> tuple[str, int | None] | None:
        """The type of a leaf, and the number that it refers to."""
        found: tuple[str, int | None] | None = self._db.execute(
            "select type, of from leaf where number = ?", (number,)
        ).fetchone()
        return found

    def key_changes(self) -> list[int]:
        """The numbers of the leaves by which other keys took over."""
        return [row[0] for row in self._db.execute("select number from act where type = 'key' order by number")]

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

    def revisits_of(self, number: int) -> list[int]:
        """Every revisit that refers to a capture."""
        key = self.address_of(number)
        rows = self._db.execute(
            "select number from leaf where type = 'revisit' and of = ?1 and (key is ?2 or uri ="
            " (select uri from leaf where number = ?1)) order by number",
            (number, key),
        )
        return [row[0] for row in rows]

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

    def tombstone(self, number: int, part: int) -> str | None:
        """The SHA-256 (hex) of what stands in place of a record that was withdrawn."""
        row = self._db.execute("select digest from tombstone where leaf = ? and part = ?", (number, part)).fetchone()
        return None if row is None else row[0]

    def withdrawn_by(self, number: int) -> int | None:
        """The number of the leaf by which this one's first record was withdrawn."""
        row = self._db.execute("select act from tombstone where leaf = ? and part = 0", (number,)).fetchone()
        return None if row is None else row[0]

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
        row = self._db.execute(
            "select o.number from tombstone t join leaf o on o.number = t.leaf"
            " where t.part = 0 and o.number != ?1 and o.type = 'capture'"
            " and o.payload = (select payload from leaf where number = ?1) order by o.number desc limit 1",
            (number,),
        ).fetchone()
        return None if row is None else row[0]

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


def _normal(captured: str | None) -> str | None:
    """The date of an imported record as our own are written, so that they sort."""
    if captured is None:
        return None
    from muniment.formats.warc import format_date

    return format_date(datetime.fromisoformat(captured))


def stated_digest(facts: Mapping[str, str]) -> str | None:
    """The payload digest that an imported record stated, where it holds: by one that does not, anybody could put
    another page in the place of the one that a revisit means."""
    stated, _, held = facts.get(STATED, "").partition(" ")
    return stated if held == "holds" else None


def _snapshot(row: Sequence[Any]) -> Snapshot:
    number, kind, uri, key, at, payload, media, status, url, derivation, title, source, *rest = row
    published, precision, language, authors, tags, problem, collections, confidence, flags, withdrawn = rest
    captured_at, names, labels = datetime.fromisoformat(at), json.loads(authors or "[]"), json.loads(tags or "[]")
    return Snapshot(
        number, kind, uri, key, captured_at, Digest(f"sha256:{payload}"), media, status, url, derivation, title, source,
        published, precision, language, tuple(names), tuple(labels), problem, tuple(json.loads(collections or "[]")),
        withdrawn, confidence, tuple((flags or "").split()),
    )  # fmt: skip
