"""Which addresses are one article: the AMP, print and mobile twins of a page, and what else serves the same text.

A page names the address that it has for its own (`rel=canonical`); the derivation logs it as `canonicalKey`. Templates
get this wrong and sites may lie, so a page is the twin of the one that it names where

1. all its texts that name another address name the same one, of the same host but for `www.`, `m.`, `amp.` and the
   like, and that is no front page; and
2. its address is that one but for the marks of an AMP, print or mobile page, or a text of it is nearly the same as one
   of the page that it names. Where that page was never captured, the page that named it first stands for it.

So a page that names every page's address, or none of its own, changes nothing. What stands here follows from the
derivations in the log alone, in whatever order they came: `rebuild` finds the same.

Pure SQL on the open transaction of `Catalog.add`. Addresses are identity keys (`articleKey`): host, path and query.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence

from muniment.archive.sketch import are_alike

_MOST_CLAIMANTS, _MOST_TEXTS = 1000, 20  # that are looked at

_PUBLIC = re.compile(r"(?:co|com|org|net|ac|edu|gov|gob|go|or|ne|mil)\.[a-z]{2}")  # as in co.uk: no site's name
_HOST_MARK = re.compile(r"(?:www\d?|m|mobile?|amp|touch|wap|print)")
_PATH_MARK = re.compile(r"/(?:amp|print|printable|print-version|mobile)(?=/|$)|\.(?:amp|print|mobile)(?=\.html?$|$)")
_QUERY_MARK = re.compile(
    r"(?:amp|print|printable|printversion|mobile|m|outputtype|output|view|format|layout|mode|display|version)"
    r"(?:=(?:|1|true|yes|y|on|amp|amp_html|print|printable|mobile|m))?"
)


def is_plausible(address: str, named: str) -> bool:
    """Whether a page at `address` may have `named` for its own: of its own site and no front page. Another port is
    another site."""
    host, path, query = _parts(named)
    return address != named and bool(path or query) and _family(_parts(address)[0]) == _family(host)


def is_variant(address: str, named: str) -> bool:
    """Whether two addresses are one but for the marks of AMP, print and mobile pages."""
    return _plain(address) == _plain(named)


def article_of(db: sqlite3.Connection, address: str | None) -> str | None:
    """The identity of the article at an address."""
    row = db.execute("select article from twin where address = ?", (address,)).fetchone()
    return address if row is None else row[0]


def addresses_of(db: sqlite3.Connection, article: str) -> list[str]:
    """The article's own address, then those of its twins."""
    return [article, *(row[0] for row in db.execute("select address from twin where article = ? order by 1", (article,))
                       if row[0] != article)]  # fmt: skip


def settle(db: sqlite3.Connection, address: str | None, before: Collection[str] = ()) -> set[str]:
    """After the texts at an address changed: look again at it and at those that name it. `before` are addresses that it
    named until now. Returns the identities of the articles that lost or gained a twin."""
    if address is None or not (before or _is_concerned(db, address)):
        return set()
    due = {address: None, **dict.fromkeys(_claimants(db, address))}
    for named in {*_claims(db, address), *before}:
        if named in before or _first_claimant(db, named) == address:
            due.update(dict.fromkeys(_claimants(db, named)))
    moved = [one for one in due if _stand(db, one)]
    return _follow(db, moved) if moved else set()


def relabel(db: sqlite3.Connection, articles: Iterable[str]) -> list[int]:
    """Give the versions of these articles the labels that were put on any of their addresses; returns their numbers."""
    touched = []
    for article in articles:
        addresses = addresses_of(db, article)
        for snapshot, declared in db.execute(
            "select snapshot, declared from article where key = ?", (article,)
        ).fetchall():
            tags = json.dumps(labels(db, "tag", addresses, json.loads(declared or "[]")))
            collections = json.dumps(labels(db, "collection", addresses))
            db.execute("update article set tags = ?, collections = ? where snapshot = ?", (tags, collections, snapshot))
            touched.append(snapshot)
    return touched


def labels(db: sqlite3.Connection, kind: str, addresses: Sequence[str], declared: Iterable[str] = ()) -> list[str]:
    """What the article at these addresses carries: what a derivation declares, and what was added since, without what
    was taken off."""
    marks = ",".join("?" * len(addresses))
    rows = db.execute(
        f"select name, held from label where kind = ? and key in ({marks}) order by number, place", (kind, *addresses)
    )
    said: Mapping[str, int] = dict(rows.fetchall())
    kept = [name for name in declared if said.get(name, 1)]
    return list(dict.fromkeys((*kept, *(name for name, held in said.items() if held))))


# ---- whose twin an address is


def _is_concerned(db: sqlite3.Connection, address: str) -> bool:
    """Whether a page at the address names another, or another page names it: for most neither holds."""
    (found,) = db.execute(
        "select exists (select 1 from article where claimant = ?1) or exists (select 1 from article where target = ?1)"
        " or exists (select 1 from twin where address = ?1)",
        (address,),
    ).fetchone()
    return bool(found)


def _stand(db: sqlite3.Connection, address: str) -> bool:
    """Note whom an address is the twin of; whether that changed."""
    row = db.execute("select stands from twin where address = ?", (address,)).fetchone()
    found = _twin_of(db, address)
    if (row and row[0]) == found:
        return False
    if found is None:
        db.execute("delete from twin where address = ?", (address,))
    else:
        db.execute("insert or replace into twin values (?, ?, ?)", (address, found, address))
    return True


def _twin_of(db: sqlite3.Connection, address: str) -> str | None:
    claims = _claims(db, address)
    if len(claims) != 1:
        return None
    named = claims[0]
    stands = named if _sketches(db, named) else _first_claimant(db, named)
    if stands is None or stands == address:
        return None
    alone = is_variant(address, named) and (stands == named or is_variant(stands, named))
    return stands if alone or _share_a_text(db, address, stands) else None


def _claims(db: sqlite3.Connection, address: str) -> list[str]:
    """The other addresses that pages at an address name: two at most, for one that named several is nobody's twin."""
    rows = db.execute("select distinct target from article where claimant = ? and sound limit 2", (address,))
    return [row[0] for row in rows]


def _claimants(db: sqlite3.Connection, named: str) -> list[str]:
    """The first addresses whose pages name this one."""
    rows = db.execute(
        "select claimant from article where target = ? and sound group by claimant order by min(snapshot) limit ?",
        (named, _MOST_CLAIMANTS),
    )
    return [row[0] for row in rows]


def _first_claimant(db: sqlite3.Connection, named: str) -> str | None:
    row = db.execute(
        "select claimant from article where target = ? and sound order by snapshot limit 1", (named,)
    ).fetchone()
    return None if row is None else row[0]


def _sketches(db: sqlite3.Connection, address: str) -> list[bytes]:
    """Of the newest texts at an address."""
    rows = db.execute(
        "select a.sketch from leaf l join article a on a.snapshot = l.number where l.key = ? and a.sound"
        " order by l.number desc limit ?",
        (address, _MOST_TEXTS),
    )
    return list(dict.fromkeys(row[0] for row in rows if row[0]))


def _share_a_text(db: sqlite3.Connection, one: str, other: str) -> bool:
    others = _sketches(db, other)
    return any(are_alike(a, b) for a in _sketches(db, one) for b in others)


# ---- the article that follows from it


def _follow(db: sqlite3.Connection, moved: Collection[str]) -> set[str]:
    """Bring the articles of these addresses, and of all that stand behind them, up to what `twin` says."""
    due = list(moved)
    for address in due:  # grows
        behind = db.execute("select address from twin where stands = ?", (address,)).fetchall()
        due += [row[0] for row in behind if row[0] not in due]
    changed: set[str] = set()
    for address in due:
        article = _root(db, address)
        before = {row[0] for row in db.execute(
            "select distinct a.key from leaf l join article a on a.snapshot = l.number where l.key = ?", (address,)
        )}  # fmt: skip
        db.execute("update twin set article = ? where address = ?", (article, address))
        db.execute(
            "update article set key = ?1 where key != ?1 and snapshot in (select number from leaf where key = ?2)",
            (article, address),
        )
        changed |= {article, *before, address}
    return changed


def _root(db: sqlite3.Connection, address: str) -> str:
    """Whom an address leads to, from twin to twin; the first by name of pages that name one another in a circle."""
    passed = [address]
    while (row := db.execute("select stands from twin where address = ?", (passed[-1],)).fetchone()) is not None:
        if row[0] in passed:
            return min(passed[passed.index(row[0]) :])
        passed.append(row[0])
    return passed[-1]


# ---- addresses


def _parts(key: str) -> tuple[str, str, str]:
    """Host, path without its first slash, and query of an identity key."""
    rest, _, query = key.partition("?")
    host, _, path = rest.partition("/")
    return host, path, query


def _family(host: str) -> str:
    """The host without the marks of twins; not in the name that somebody registered, such as m.example, print.co.uk."""
    name, colon, port = host.partition(":")
    found = name.split(".")
    own = -3 if _PUBLIC.fullmatch(".".join(found[-2:])) else -2
    kept = [label for label in found[:own] if not _HOST_MARK.fullmatch(label)]
    return ".".join(kept + found[own:]) + colon + port


def _plain(key: str) -> tuple[str, str, str]:
    host, path, query = _parts(key)
    plain = _PATH_MARK.sub("", f"/{path}").strip("/")
    kept = [pair for pair in query.split("&") if not _QUERY_MARK.fullmatch(pair.lower())]
    return _family(host), plain.removesuffix(".html").removesuffix(".htm"), "&".join(kept)
