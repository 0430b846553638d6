"""The peers that bench/sizes.py measures beside: SQLite FTS5 and Xapian, as their documentation teaches them.

FTS5: a contentless table of title and text, `porter unicode61`, bm25 with the title counting twice; source, year and
date in a table beside it, indexed. Xapian: English stemming, the title with a prefix, source and year as values that
MatchSpies count; it is under the GPL, so that it runs as a program of its own in the system's Python (Debian's
python3-xapian), which times its own queries.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

SYSTEM_PYTHON = "/usr/bin/python3"
Search = Callable[[Any], int]


def build_fts5(articles: Iterable[dict[str, Any]], path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("pragma journal_mode = off")
        db.execute("pragma synchronous = off")
        db.execute("create virtual table article using fts5(title, text, content='', tokenize='porter unicode61')")
        db.execute("create table about (number integer primary key, source text, year integer, published text)")
        for a in articles:
            db.execute(
                "insert into article (rowid, title, text) values (?, ?, ?)", (a["number"], a["title"], a["text"])
            )
            about = (a["number"], a["source"], int(a["published"][:4]), a["published"])
            db.execute("insert into about values (?, ?, ?, ?)", about)
        db.execute("create index by_source on about (source)")
        db.execute("create index by_published on about (published)")
        db.execute("insert into article (article) values ('optimize')")


def open_fts5(path: Path) -> Search:
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    db.execute("pragma cache_size = -200000")

    def search(query: tuple[str, str, tuple[Any, ...], bool]) -> int:
        """(match, a condition on the table beside it or "", its values, whether with facets)."""
        match, condition, values, with_facets = query
        source = "article join about on about.number = article.rowid" if condition else "article"
        where = f"article match ? {'and ' + condition if condition else ''}"
        ranked = f"select article.rowid from {source} where {where} order by bm25(article, 2.0, 1.0) limit 10"
        db.execute(ranked, (match, *values)).fetchall()
        (total,) = db.execute(f"select count(*) from {source} where {where}", (match, *values)).fetchone()
        if with_facets:
            for name in ("source", "year"):
                db.execute(
                    f"select {name}, count(*) as n from article join about on about.number = article.rowid"
                    f" where {where} group by 1 order by n desc limit 10",
                    (match, *values),
                ).fetchall()
        return int(total)

    return search


_XAPIAN = r"""
import json, sys, time, xapian
command, path = sys.argv[1:3]
if command == "build":
    db = xapian.WritableDatabase(path, xapian.DB_CREATE_OR_OVERWRITE)
    generator = xapian.TermGenerator()
    generator.set_stemmer(xapian.Stem("en"))
    for line in sys.stdin:
        a = json.loads(line)
        document = xapian.Document()
        generator.set_document(document)
        generator.set_termpos(0)
        generator.index_text(a["title"], 2)
        generator.index_text(a["title"], 1, "S")
        generator.increase_termpos()
        generator.index_text(a["text"])
        document.add_boolean_term("XSOURCE:" + a["source"].lower())
        document.add_value(0, a["source"])
        document.add_value(1, xapian.sortable_serialise(int(a["published"][:4])))
        document.add_value(2, a["published"][:4])
        db.add_document(document)
    db.commit()
    print(json.dumps(time.process_time()))
else:
    db = xapian.Database(path)
    parser = xapian.QueryParser()
    parser.set_database(db)
    parser.set_stemmer(xapian.Stem("en"))
    parser.set_default_op(xapian.Query.OP_AND)
    parser.add_prefix("title", "S")
    parser.add_rangeprocessor(xapian.NumberRangeProcessor(1, "year:"))
    flags = parser.FLAG_DEFAULT | parser.FLAG_WILDCARD | parser.FLAG_BOOLEAN
    for line in sys.stdin:
        answers = []
        for text, source, facets in json.loads(line):
            begun = time.perf_counter()
            query = parser.parse_query(text, flags)
            if source:
                query = xapian.Query(xapian.Query.OP_FILTER, query, xapian.Query("XSOURCE:" + source.lower()))
            enquire = xapian.Enquire(db)
            enquire.set_query(query)
            spies = [xapian.ValueCountMatchSpy(0), xapian.ValueCountMatchSpy(2)] if facets else []
            for spy in spies:
                enquire.add_matchspy(spy)
            found = enquire.get_mset(0, 10, db.get_doccount())
            [hit.docid for hit in found]
            [(value.term, value.termfreq) for spy in spies for value in spy.top_values(10)]
            answers.append((time.perf_counter() - begun, found.get_matches_estimated()))
        print(json.dumps(answers), flush=True)
"""


def xapian_is_here() -> bool:
    there = Path(SYSTEM_PYTHON).exists() and sys.platform.startswith("linux")
    return there and subprocess.run([SYSTEM_PYTHON, "-c", "import xapian"], capture_output=True).returncode == 0


def build_xapian(articles: Iterable[dict[str, Any]], path: Path) -> float:
    """Returns the CPU seconds that it took."""
    command = [SYSTEM_PYTHON, "-c", _XAPIAN, "build", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        for a in articles:
            child.stdin.write(json.dumps(a) + "\n")
        out, _ = child.communicate()
    return float(json.loads(out))


class Xapian:
    """A process that answers rounds of queries with (seconds, matches)."""

    def __init__(self, path: Path):
        self._child = subprocess.Popen(
            [SYSTEM_PYTHON, "-c", _XAPIAN, "search", str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ask(self, queries: list[tuple[str, str, bool]]) -> list[tuple[float, int]]:
        assert self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.write(json.dumps(queries) + "\n")
        self._child.stdin.flush()
        return [(seconds, matches) for seconds, matches in json.loads(self._child.stdout.readline())]

    def close(self) -> None:
        self._child.communicate()
