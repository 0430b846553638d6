"""The catalog's tables, and what its rows and errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from muniment.archive.segments import Placement
from muniment.errors import IntegrityError, Locked, MunimentError, StorageError

if TYPE_CHECKING:
    from muniment.formats.leaf import Leaf

VERSION = 7
# Lines of the metadata record by which an imported record, or what is wrong with an imported file, is found again.
ORIGINAL, FINDING, STATED = "importedRecord", "importedFinding", "importedPayloadDigest"
SCHEMA = """
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
create index leaf_attempt on leaf (key, reason) where type = 'attempt';
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


def stated_digest(facts: Mapping[str, str]) -> str | None:
    """The payload digest that an imported record stated, where it holds: by one that does not, anybody could put
    another page in the place of the one that a revisit means."""
    stated, _, held = facts.get(STATED, "").partition(" ")
    return stated if held == "holds" else None
