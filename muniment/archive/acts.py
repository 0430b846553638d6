"""What leaves mean to the catalog, besides being there: articles, tags, names, collections, withdrawals, stamps.

Pure SQL on the open transaction of `Catalog.add`. Acts are replayed in the log's order by `rebuild`, so what they do
may depend on the leaves before them and on nothing else. `touched` notes which snapshots an act changed, for the index.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from muniment.archive import twins
from muniment.archive.records import TEXT_DIGEST, TEXT_SKETCH
from muniment.archive.withdrawal import KEPT_KEY, may_remove, tombstones_of
from muniment.formats.leaf import Leaf

_HIDING = {"soft-404", "cookie-wall"}  # a page in the article's place


def take_article(db: sqlite3.Connection, number: int, leaf: Leaf, article: Mapping[str, Any]) -> int:
    """A derivation of a capture; a later one takes the place of an earlier. Returns how many articles that adds."""
    known = db.execute("select target from article where snapshot = ?", (leaf.of,)).fetchone()
    address, url, moment = db.execute(
        "select key, url, coalesce(captured, at) from leaf where number = ?", (leaf.of,)
    ).fetchone()
    key, named = twins.article_of(db, address), article.get("canonicalKey")
    target = named if address and named and twins.is_plausible(address, named) else None
    declared, addresses = article.get("tags", []), twins.addresses_of(db, key) if key else []
    published = article.get("published") or {}
    db.execute(
        "insert or replace into article values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (leaf.of, number, key, article["title"], article.get("source"), published.get("date"),
         published.get("precision"), article.get("language"), json.dumps(article.get("authors", [])),
         json.dumps(twins.labels(db, "tag", addresses, declared)), article.get("problem"),
         json.dumps(twins.labels(db, "collection", addresses)), _host(url), moment, article.get("confidence"),
         bytes.fromhex(article[TEXT_DIGEST]), soundness(article), json.dumps(declared) if declared else None,
         " ".join(article.get("flags") or ()) or None, article[TEXT_SKETCH], target and address, target),
    )  # fmt: skip
    _settle(db, number, address, {known[0]} - {None} if known else ())
    return 0 if known else 1


def soundness(article: Mapping[str, Any]) -> int:
    """How well a derivation may stand for its article: 2 where it is a text, 1 where it is a paywall's beginning of it,
    0 where it is none. What is less sound never hides what is more, however new it is."""
    flags = set(article.get("flags") or ())
    if article.get("problem") is not None or _HIDING & flags:
        return 0
    return 1 if "paywall" in flags else 2


def _settle(db: sqlite3.Connection, number: int, address: str | None, before: Collection[str] = ()) -> None:
    """Join what are twins, and part what are none: their versions are to be told anew."""
    for snapshot in twins.relabel(db, sorted(twins.settle(db, address, before))):
        _touch(db, number, snapshot)


def _host(url: str | None) -> str | None:
    try:
        host = urlsplit(url or "").hostname
    except ValueError:
        return None
    return host.removeprefix("www.") if host else None


def take_act(db: sqlite3.Connection, number: int, leaf: Leaf, content: Mapping[str, Any]) -> None:
    """A tag, a note, the name of a source, the members of a collection."""
    db.execute(
        "insert into act values (?, ?, ?, ?, ?)",
        (number, leaf.type, leaf.of, leaf.at, json.dumps(content, ensure_ascii=False, sort_keys=True)),
    )
    if leaf.type == "source":
        _name_source(db, number, content["host"], content["name"])
    elif leaf.type == "tag":
        for held, names in ((1, content["add"]), (0, content["remove"])):
            for place, name in enumerate(names):
                _set_label(db, (number, place), "tag", leaf.of or 0, name, held)
    elif leaf.type == "collection":
        for held, members in ((1, content["add"]), (0, content["remove"])):
            for place, member in enumerate(members):
                _set_label(db, (number, place), "collection", member, content["name"], held)


def _set_label(db: sqlite3.Connection, said: tuple[int, int], kind: str, member: int, name: str, held: int) -> None:
    """Label the article of a snapshot, all of its versions; `said` is the number of the act, and the place in it."""
    row = db.execute("select key from leaf where number = ?", (member,)).fetchone()
    if row is None or row[0] is None:
        return
    db.execute("insert or replace into label values (?, ?, ?, ?, ?, ?)", (kind, row[0], name, held, *said))
    article = twins.article_of(db, row[0]) or row[0]
    for twin in twins.addresses_of(db, article):  # so that those that hold it can be counted
        db.execute("update label set held = ?, number = ?, place = ? where kind = ? and key = ? and name = ?",
                   (held, *said, kind, twin, name))  # fmt: skip
    for snapshot in twins.relabel(db, [article]):
        _touch(db, said[0], snapshot)


def _name_source(db: sqlite3.Connection, number: int, host: str, name: str) -> None:
    """What was called by its host, or by the name before, is called by this name; declared sources stay."""
    before = db.execute("select name from source where host = ?", (host,)).fetchone()
    db.execute("insert or replace into source values (?, ?)", (host, name))
    called = (host, before[0] if before else host)
    rows = db.execute("select snapshot from article where host = ? and source in (?, ?)", (host, *called)).fetchall()
    for (snapshot,) in rows:
        db.execute("update article set source = ? where snapshot = ?", (name, snapshot))
        _touch(db, number, snapshot)


def take_withdrawal(db: sqlite3.Connection, number: int, leaf: Leaf, content: Mapping[str, Any]) -> int:
    """The article of a capture goes, whatever is read anew. Returns how many articles that adds: minus one or none."""
    kept = {name: value for name, value in content.items() if name != "removed"}
    db.execute(
        "insert into act values (?, ?, ?, ?, ?)",
        (number, leaf.type, leaf.of, leaf.at, json.dumps(kept, ensure_ascii=False, sort_keys=True)),
    )
    for (target, part), digest in tombstones_of(leaf).items():
        kind, of = db.execute("select type, of from leaf where number = ?", (target,)).fetchone() or (None, None)
        if may_remove(leaf, target, kind, of):
            db.execute("insert or replace into tombstone values (?, ?, ?, ?)", (target, part, digest, number))
            if kind != "derivation":  # as a rebuild finds it, which may not read the record that said more
                kept_key = content.get(KEPT_KEY)
                db.execute("update leaf set key = coalesce(key, ?), url = null where number = ?", (kept_key, target))
    db.execute("update act set content = '{}' where number = ?", (leaf.of,))  # of a note
    held = db.execute("select target from article where snapshot = ?", (leaf.of,)).fetchone()
    gone = db.execute("delete from article where snapshot = ?", (leaf.of,)).rowcount
    (address,) = db.execute("select key from leaf where number = ?", (leaf.of,)).fetchone()
    key = twins.article_of(db, address)
    _settle(db, number, address, {held[0]} - {None} if held else ())
    others = db.execute("select snapshot from article where key is ?", (key,)).fetchall()
    for (snapshot,) in [(leaf.of,), *others]:  # another version may be the newest now
        _touch(db, number, snapshot)
    return -gone


def take_stamp(db: sqlite3.Connection, number: int, leaf: Leaf) -> None:
    """Files in `log/stamps/`."""
    for name, digest in (leaf.files or {}).items():
        db.execute("insert or replace into stamp values (?, ?, ?, ?, ?)", (name, number, leaf.size, digest, leaf.at))


def _touch(db: sqlite3.Connection, number: int, snapshot: int | None) -> None:
    db.execute("insert or ignore into touched values (?, ?)", (number, snapshot))
