"""A list of names, each looked for in the whole archive: nothing of it leaves the machine.

A name a line. A name is looked for as a phrase, exactly as written but for case, accents and letter forms; of "Last,
First" in either order. Lines that are empty or begin with `#` are passed over; of CSV, the first column counts. What
cannot be read is told with its line, and the rest goes on.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, TextIOWrapper
from typing import NamedTuple

from muniment import finding
from muniment.archive.archive import Archive
from muniment.finding import Found, Search
from muniment.index import analysis, query
from muniment.index.engine import Engine
from muniment.search import results, words

MAX_LINE, MAX_WORDS = 10_000, 40  # bytes of a line, words of a name
_HEADS = ("name", "names", "full name", "full_name")


class Name(NamedTuple):
    """A line of the list; `problem` says why it cannot be looked for."""

    line: int
    text: str
    problem: str | None = None


class Named(NamedTuple):
    """What was found of a name: how much in all, and the first of it. Nothing where the name has a problem."""

    name: Name
    total: int
    hits: Iterator[Found]


class Names(NamedTuple):
    """The names one after the other, and in how much of the archive each is looked for, as in Results."""

    found: Iterator[Named]
    indexed: int
    articles: int


def read_names(file: BufferedReader, *, as_csv: bool = False) -> Iterator[Name]:
    """The names of a list in UTF-8, or in UTF-16 where it begins with its mark, as a stream; of CSV the first column,
    less its head where that is `name`."""
    separator = ","
    for number, (line, problem) in enumerate(_lines(file), 1):
        if as_csv and number == 1:
            separator = max("\t;,", key=line.count)  # of equals the one that stands in fewer names
        # A carriage return amid a line, as of a file from an old Mac, would end the reader's record.
        row = csv.reader([line.replace("\r", " ")], delimiter=separator) if as_csv and problem is None else [[line]]
        cell = next(iter(row), [""])[0]
        name = " ".join(cell.split())
        if problem is not None:
            yield Name(number, name[:100], problem)
        elif name and not name.startswith("#") and not (as_csv and number == 1 and name.lower() in _HEADS):
            yield Name(number, name, _problem_of(name))


@contextmanager
def look_for(archive: Archive, names: Iterator[Name], search: Search) -> Iterator[Names]:
    """Each of the names, within what `search` finds: its text, filters, order and limit count for every one. Raises
    QueryError, IndexBehind."""
    narrowed = bool(search.text.strip()) or search.filters not in (None, results.Filters())
    whole = finding.indexed_tree_of(archive, search) if narrowed else query.Everything()
    with finding.open_index(archive) as engine:
        found = (_named(archive, engine, name, whole, search) for name in names)
        yield Names(found, engine.count(), archive.articles)


def _named(archive: Archive, engine: Engine, name: Name, whole: query.Query, search: Search) -> Named:
    if name.problem is not None:
        return Named(name, 0, iter(()))
    tree = query.conjunction((tree_of_name(name.text), whole))
    page = results.Page(search.limit or 0, 0, search.sort)
    if not engine.search(tree, limit=0).total:  # most names are nowhere
        return Named(name, 0, iter(()))
    if search.limit is None:
        hits, every = results.search_all(engine, tree, page, versions=search.versions)
        return Named(name, hits.total, finding.described(archive, search, tree, every))
    hits = results.search(engine, tree, page, versions=search.versions)
    return Named(name, hits.total, finding.described(archive, search, tree, iter(hits.hits)))


def tree_of_name(name: str) -> query.Query:
    """The phrase; of "Last, First" either order."""
    last, comma, first = (part.strip() for part in name.partition(","))
    orders = [name] if not comma or not last or not first or "," in first else [f"{first} {last}", f"{last} {first}"]
    return query.disjunction(tree for order in orders if (tree := _phrase(order)) is not None)


def _phrase(text: str) -> query.Query | None:
    return words.phrase(words.Typed(query.ANY_WORDS, text, 0), 1)


def _problem_of(name: str) -> str | None:
    found = analysis.query_words(name)
    if not found:
        return "there is no word in it"
    return f"it has more than {MAX_WORDS} words" if len(found) > MAX_WORDS else None


def _lines(file: BufferedReader) -> Iterator[tuple[str, str | None]]:
    """Each line, and what is wrong with it."""
    if file.peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        yield from _wide_lines(TextIOWrapper(file, "utf-16", "replace"))
        return
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            while (rest := file.readline(1 << 16)) and not rest.endswith(b"\n"):
                continue
            yield line[:100].decode("utf-8", "replace"), f"a line holds {MAX_LINE:,} bytes at most"
            continue
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8"), None
        except UnicodeDecodeError:
            yield line.decode("latin-1"), "it is not in UTF-8: save the list as UTF-8"


def _wide_lines(file: TextIOWrapper) -> Iterator[tuple[str, str | None]]:
    while line := file.readline(MAX_LINE):
        broken = "\ufffd" in line or (len(line) == MAX_LINE and not line.endswith("\n"))
        yield line, "it cannot be read as UTF-16" if broken else None
