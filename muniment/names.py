"""A list of names, each looked for in the whole archive: nothing of it leaves the machine.

A name a line. A name is looked for as a phrase in title, text and authors, exactly as written but for case, accents
and letter forms; of "Last, First" in either order. Lines that are empty or begin with `#` are passed over; of CSV
counts the column whose head is `name` or its like, else the first. What cannot be read is told with its line, and the
rest goes on.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, RawIOBase, TextIOWrapper
from typing import Any, NamedTuple

from muniment import answering, finding
from muniment.archive.archive import Archive
from muniment.finding import Found, Search
from muniment.index import analysis, query
from muniment.index.engine import Engine
from muniment.search import results, words

MAX_LINE, MAX_WORDS = 10_000, 40  # bytes of a line, words of a name
MAX_BREAKS = 20  # lines that a cell in quotes may run over
_HEADS = ("name", "names", "full name", "full_name", "fullname", "person", "persons", "people", "نام", "nom", "nombre")
_OTHER_HEADS = ("id", "no", "no.", "nr", "nr.", "#", "ردیف")  # of a first column that holds no names
_PARTED = re.compile("[,،؛]")  # "Last, First"
_FIELDS = (query.ANY_WORDS, "author")
Line = tuple[int, str, str | None]  # its number, its text, what is wrong with it


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
    """The names of a list in UTF-8, or in UTF-16 where it begins with its mark, as a stream; of CSV those of the column
    `name`, else of the first."""
    lines = ((number, line, problem) for number, (line, problem) in enumerate(_lines(file), 1))
    for number, cell, problem in _cells(lines) if as_csv else lines:
        name = " ".join(cell.split())
        if problem is not None:
            yield Name(number, name[:100], problem)
        elif name and not name.startswith("#"):
            yield Name(number, name, _problem_of(name))


def _cells(lines: Iterator[Line]) -> Iterator[Line]:
    """Of each line of CSV the cell that holds the name, less the head."""
    separator, column = "", 0
    for group in _records(lines):
        first, text, problem = group[0]
        if problem is not None:
            yield first, text, problem
            continue
        separator = separator or max("\t;,", key=text.count)  # of equals the one that stands in fewer names
        # A carriage return amid a line would end the reader's record.
        reader = csv.reader((line.replace("\r", " ") for _, line, _ in group), delimiter=separator)
        begun = first
        for row in reader:
            number, begun = begun, first + reader.line_num
            if number == 1 and (found := _column_of(row)) is not None:
                column = found
            elif len(row) > column:
                yield number, row[column], None


def _column_of(row: list[str]) -> int | None:
    """Which column holds the names, where this is the head of the table; else None."""
    heads = [" ".join(cell.lower().split()) for cell in row]
    named = (heads.index(head) for head in _HEADS if head in heads)
    return next(named, 0 if heads and heads[0] in _OTHER_HEADS else None)


def _records(lines: Iterator[Line]) -> Iterator[list[Line]]:
    """Each line of CSV by itself, or with those that a cell in quotes runs on over; an open quote is none."""
    waiting = deque[Line]()
    while line := waiting.popleft() if waiting else next(lines, None):
        group = [line]
        quotes = line[1].count('"') if line[2] is None else 0
        while quotes % 2 and len(group) <= MAX_BREAKS:
            following = waiting.popleft() if waiting else next(lines, None)
            if following is None:
                break
            group.append(following)
            if following[2] is not None:
                break
            quotes += following[1].count('"')
        if quotes % 2:
            waiting.extendleft(reversed(group[1:]))
            del group[1:]
        yield group


@contextmanager
def look_for(archive: Archive, names: Iterator[Name], search: Search) -> Iterator[Names]:
    """Each of the names, within what `search` finds: its text, filters, order and limit count for every one. Raises
    QueryError, IndexBehind."""
    narrowed = bool(search.text.strip()) or search.filters not in (None, results.Filters())
    whole = finding.indexed_tree_of(archive, search) if narrowed else query.Everything()
    with answering.open_index(archive) as engine:
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
    parts = [part.strip() for part in _PARTED.split(name)]
    orders = [f"{parts[1]} {parts[0]}", f"{parts[0]} {parts[1]}"] if len(parts) == 2 and all(parts) else [name]
    phrases = (_phrase(field, order) for order in orders for field in _FIELDS)
    return query.disjunction(tree for tree in phrases if tree is not None)


def _phrase(field: str, text: str) -> query.Query | None:
    return words.phrase(words.Typed(field, text, 0), 1)


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
    start = file.peek(MAX_LINE)
    if b"\r" in start[:-1] and b"\n" not in start:
        file = BufferedReader(_OldMac(file))
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


class _OldMac(RawIOBase):
    """A file whose lines end in a carriage return, as if they ended in a line feed."""

    def __init__(self, file: BufferedReader):
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        read = self._file.read1(len(buffer)).replace(b"\r", b"\n")
        buffer[: len(read)] = read
        return len(read)


def _wide_lines(file: TextIOWrapper) -> Iterator[tuple[str, str | None]]:
    while line := file.readline(MAX_LINE):
        broken = "\ufffd" in line or (len(line) == MAX_LINE and not line.endswith("\n"))
        yield line, "it cannot be read as UTF-16" if broken else None
