"""`muniment search --file`: a list of names, a line for each match."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from muniment import names, pipeline
from muniment.cli.common import counted, json_text, note, one_line, write
from muniment.cli.hits import cell, hit_as_json
from muniment.cli.streams import groups
from muniment.errors import IndexBehind, ItemError, UsageError

if TYPE_CHECKING:
    from muniment.archive.archive import Archive
    from muniment.names import Named
    from muniment.pipeline import Found, Search

_HEAD = ("name", "line", "total", "snapshot", "title", "url", "source", "published", "passage")
_MOST_TOLD = 20  # lines that cannot be read


def search_names(archive: Archive, path: str, search: Search, *, as_json: bool, strict: bool, quiet: bool) -> int:
    """Prints what was found of each name of the list, as CSV or a JSON object a line; returns the exit code."""
    read, matched, unreadable = 0, 0, 0
    with _opened(path) as lines:
        listed = names.read_names(lines, as_csv=path.lower().endswith(".csv"))
        with names.look_for(archive, listed, search) as within:
            coverage = f"the index holds {within.indexed:,} of {counted(within.articles, 'article version')}"
            if strict and within.indexed < within.articles:
                raise IndexBehind(coverage)
            if not as_json:
                write(",".join(_HEAD) + "\n")
            for named in within.found:
                if named.name.problem is not None:
                    unreadable += 1
                    if unreadable <= _MOST_TOLD:
                        note(f"muniment: line {named.name.line} ({one_line(named.name.text)}): {named.name.problem}")
                    continue
                read += 1
                matched += named.total > 0
                _print(named, as_json)
            behind = within.indexed < within.articles
    counts = f"{matched:,} found, {read - matched:,} not, {counted(unreadable, 'line')} unreadable"
    note(f"{counted(read, 'name')} read: {counts}; {coverage}", quiet=quiet)
    if behind and quiet:
        note(f"muniment: warning: {coverage}")
    if read and not matched and not quiet:
        _tell_of_narrowing(archive, search)
    if unreadable:
        return ItemError.exit_code
    return 0 if matched else IndexBehind.exit_code if behind else 1


def _tell_of_narrowing(archive: Archive, search: Search) -> None:
    """Where no name was found: whether the query and the filters leave anything to be looked through."""
    from muniment.search.results import Filters

    if not search.text.strip() and search.filters in (None, Filters()):
        return
    results = pipeline.find(archive, search._replace(limit=0, offset=0, snippets=False))
    if not results.total:
        meant = f"; did you mean: {one_line('   '.join(results.suggestions))}" if results.suggestions else ""
        note(f"no article passes the query and the filters{meant}")


@contextmanager
def _opened(path: str) -> Iterator[io.BufferedReader]:
    if path == "-":
        yield cast(io.BufferedReader, sys.stdin.buffer)
        return
    try:
        with Path(path).open("rb") as file:
            yield file
    except (FileNotFoundError, IsADirectoryError, PermissionError) as e:
        raise UsageError(f"{path}: {e.strerror}") from e


def _print(named: Named, as_json: bool) -> None:
    about = (named.name.text, named.name.line, named.total)
    any_told = False
    for group in groups(named.hits):
        any_told = True
        if as_json:
            write("".join(json_text(_as_json(named, hit)) + "\n" for hit in group))
        else:
            write(_rows([(*about, *_cells(hit)) for hit in group]))
    if any_told:
        return
    if as_json:
        write(json_text(_as_json(named, None)) + "\n")
    else:
        write(_rows([(*about, *[""] * 6)]))


def _as_json(named: Named, hit: Found | None) -> dict[str, object]:
    head = {"name": named.name.text, "line": named.name.line, "total": named.total}
    return {**head, "hit": hit_as_json(hit) if hit is not None else None}


def _cells(hit: Found) -> tuple[object, ...]:
    s = hit.snapshot
    passage = one_line(hit.snippet.text) if hit.snippet is not None else hit.damage
    return s.number, s.title, s.url, s.source, s.published, passage


def _rows(rows: list[tuple[object, ...]]) -> str:
    text = io.StringIO()
    cells = ([v if isinstance(v, int) else cell(str(v or "")) for v in row] for row in rows)
    csv.writer(text, lineterminator="\n").writerows(cells)
    return text.getvalue()
