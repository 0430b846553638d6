"""What a search found: for people on a terminal or in a pipe, as JSON, as CSV, as numbers or addresses."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from muniment.cli.common import (
    counted,
    echo,
    faint,
    iso,
    json_text,
    note,
    one_line,
    print_json,
    printable,
    strong,
    write,
)

_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")

if TYPE_CHECKING:
    from muniment.pipeline import Found, Results
    from muniment.search.snippets import Snippet


def print_results(results: Results, form: str | None, *, facets_wanted: bool) -> None:
    """In one of the forms `json`, `jsonl`, `csv`, `ids`, `urls`, or for people."""
    if form == "json":
        print_json(as_json(results))
    elif form == "jsonl":
        write("".join(json_text(hit_as_json(hit)) + "\n" for hit in results.hits))
    elif form == "csv":
        write(csv_lines(results.hits))
    elif form == "ids":
        write("".join(f"{hit.snapshot.number}\n" for hit in results.hits))
    elif form == "urls":
        write("".join(one_line(hit.snapshot.url or hit.snapshot.uri) + "\n" for hit in results.hits))
    else:
        _print_for_people(results)
        if is_counted(results, facets_wanted=facets_wanted):
            from muniment.cli.counts import print_counts

            print_counts(results.facets)


def is_counted(results: Results, *, facets_wanted: bool) -> bool:
    """Whether facets are told: on a terminal, or where they are wanted; of nothing too, where a facet without its own
    filter has values."""
    if not (facets_wanted or sys.stdout.isatty()):
        return False
    return results.total > 0 or any(counts.values or counts.unknown for counts in results.facets.values())


def print_summary(results: Results, shown: int, form: str | None, *, quiet: bool, noun: str) -> None:
    """How much matched, in how much of the archive, on stderr; to programs only what may have been meant where nothing
    was found, which `--json` holds itself. What the index lacks is told to the quiet too."""
    meant = not quiet and form != "json" and (form is None or results.total == 0)
    quiet = quiet or form is not None
    if results.total == 0:
        note(f"nothing matched; {coverage(results)}", quiet=quiet)
    else:
        passed = results.search.offset
        which = f", {passed + 1:,} to {passed + shown:,} shown" if shown < results.total else ""
        if shown == 0:
            which = ", none shown"
        note(
            f"{counted(results.total, noun)} matched{which}; {coverage(results)}; {results.took * 1000:.1f} ms",
            quiet=quiet,
        )
    if results.left_out:
        note("left out, for they say little: " + one_line(", ".join(results.left_out)), quiet=quiet)
    if results.suggestions and meant:
        note("did you mean: " + one_line("   ".join(results.suggestions)))
    if results.indexed < results.articles and quiet:
        note(f"muniment: warning: {coverage(results)}")


def coverage(results: Results) -> str:
    """How much of the archive the index holds."""
    return f"the index holds {results.indexed:,} of {counted(results.articles, 'article version')}"


# ---- for people


def _print_for_people(results: Results) -> None:
    is_told = "confidence:" in results.search.text  # how far the extractors agreed, to whoever asked by it
    if not sys.stdout.isatty():
        for hit in results.hits:
            _print_plain(hit, is_told=is_told)
        return
    from muniment.cli.terminal import columns

    room = columns()
    margin = max((len(f"#{hit.snapshot.number}") + 2 for hit in results.hits), default=0)
    for number, hit in enumerate(results.hits):
        if number:
            echo()
        _print_wrapped(hit, margin if room >= 40 else 2, room, is_told=is_told)


def _title(hit: Found) -> str:
    if hit.snapshot.withdrawn is not None:
        return f"(withdrawn by #{hit.snapshot.withdrawn})"
    return one_line(hit.snapshot.title or "") or f"({hit.snapshot.problem or 'no title'})"


def _address(hit: Found) -> str:
    return one_line(hit.snapshot.url or ("" if hit.snapshot.uri.startswith("ni:") else hit.snapshot.uri))


def _said(hit: Found, *, is_told: bool) -> list[str]:
    said = [f"{hit.versions} versions"] * (hit.versions > 1)
    said += [f"also in {counted(len(hit.also_in), 'source')}"] * bool(hit.also_in)
    if is_told and hit.snapshot.confidence is not None:
        said.append(f"confidence {hit.snapshot.confidence:.2f}")
    return said


def _print_plain(hit: Found, *, is_told: bool) -> None:
    """A line with what there is to know, the passage, the address."""
    snapshot, said = hit.snapshot, _said(hit, is_told=is_told)
    versions = f"  ({'; '.join(said)})" if said else ""
    head = f"#{snapshot.number}  {snapshot.published or 'undated'}  {one_line(snapshot.source or 'source unknown')}"
    echo(f"{head}  {_title(hit)}{''.join(f'  [{one_line(flag)}]' for flag in snapshot.flags)}{versions}")
    if hit.damage is not None:
        echo(f"    {one_line(hit.damage)}")
    if hit.snippet is not None and hit.snippet.pieces:
        echo(f"    {_removed(hit)}{one_line(hit.snippet.text)}")
    if address := _address(hit):
        echo(f"    {address}")


def _removed(hit: Found) -> str:
    return f"removed since #{hit.passage_of}: " if hit.passage_of is not None else ""


def _print_wrapped(hit: Found, margin: int, room: int, *, is_told: bool) -> None:
    """The title; source, date and the rest; the passage; the address, which is not broken, so that it can be copied."""
    from muniment.cli.terminal import isolated, width

    snapshot = hit.snapshot
    indent = " " * margin
    title = _lines([(_title(hit), True)], room - margin, strong)
    number = faint(f"{f'#{snapshot.number}':<{margin}}")
    if margin <= len(f"#{snapshot.number}"):  # a narrow terminal
        echo(faint(f"#{snapshot.number}"))
        number = indent
    for at, line in enumerate(title):
        echo((number if at == 0 else indent) + line)
    source = isolated(one_line(snapshot.source or "source unknown"))
    about = " · ".join([snapshot.published or "undated", source, *_said(hit, is_told=is_told)])
    flags = "".join(f"  [{one_line(flag)}]" for flag in snapshot.flags)
    if width(about + flags) <= room - margin:
        echo(indent + faint(about) + click.style(flags, fg="yellow"))
    else:
        for line in _lines([(printable(about + flags), True)], room - margin, faint):
            echo(indent + line)
    if hit.damage is not None:
        echo(indent + click.style(one_line(hit.damage), fg="red"))
    if hit.snippet is not None and hit.snippet.pieces:
        if removed := _removed(hit):
            echo(indent + faint(removed.rstrip()))
        for line in _passage(hit.snippet, room - margin):
            echo(indent + line)
    if address := _address(hit):
        echo(indent + faint(isolated(address)))


def _passage(snippet: Snippet, room: int) -> list[str]:
    pieces = [(printable(text), match) for text, match in snippet.pieces]
    return _lines(pieces, room, lambda text: click.style(text, fg="yellow", bold=True))


def _lines(runs: Sequence[tuple[str, bool]], room: int, style: Any) -> list[str]:
    """Lines of at most `room` columns, marked runs in style, each line kept in the direction of the whole."""
    from muniment.cli.terminal import isolates, wrapped

    before, after = isolates("".join(text for text, _ in runs))
    return [
        before + "".join(style(text) if mark else text for text, mark in line) + after for line in wrapped(runs, room)
    ]


# ---- for programs


def as_json(results: Results) -> dict[str, Any]:
    from muniment.cli.counts import as_json

    return {
        "query": results.search.text,
        "total": results.total,
        "articles": results.articles,
        "indexed": results.indexed,
        "log_size": results.log_size,
        "took_ms": round(results.took * 1000, 1),
        "hits": [hit_as_json(hit) for hit in results.hits],
        "facets": {name: as_json(name, counts) for name, counts in results.facets.items()},
        **({"suggestions": list(results.suggestions)} if results.suggestions else {}),
        **({"left_out": list(results.left_out)} if results.left_out else {}),
        **_explained(results),
    }


def _explained(results: Results) -> dict[str, Any]:
    if not results.search.explain:
        return {}
    from muniment.cli import explaining

    return explaining.as_json(results)


def hit_as_json(hit: Found) -> dict[str, Any]:
    """The passage is HTML: escaped, and what matches between <mark> and </mark>."""
    import html

    snapshot = hit.snapshot
    return {
        "snapshot": snapshot.number,
        "score": _score(hit),
        "title": snapshot.title,
        "url": _url(hit),
        "source": snapshot.source,
        "published": snapshot.published,
        "published_precision": snapshot.precision,
        "captured": iso(snapshot),
        "language": snapshot.language,
        "authors": list(snapshot.authors),
        "tags": list(snapshot.tags),
        "confidence": snapshot.confidence,
        "flags": list(snapshot.flags),
        "snippet": hit.snippet.marked("<mark>", "</mark>", html.escape) if hit.snippet else None,
        "marks": [list(place) for place in hit.snippet.matches] if hit.snippet else [],
        "versions": hit.versions,
        "also_in": list(hit.also_in),
        **({"passage_of": hit.passage_of} if hit.passage_of is not None else {}),
        **({"withdrawn": snapshot.withdrawn} if snapshot.withdrawn is not None else {}),
        **({"damage": hit.damage} if hit.damage else {}),
        **({"score_parts": [part._asdict() for part in hit.parts]} if hit.parts else {}),
    }


def _score(hit: Found) -> float | None:
    return None if hit.score is None else round(hit.score, 4)


def cell(text: str) -> str:
    """A cell of CSV, whatever a stranger wrote: no formula, and without marks that turn the direction of the line."""
    from muniment.formats.spreadsheet import safe_cell

    return safe_cell(text if text.isprintable() else _TURNING.sub("", text))


def _url(hit: Found) -> str | None:
    """The article's address; of what was withdrawn that of the capture, which is not gone."""
    snapshot = hit.snapshot
    return snapshot.url or (_address(hit) or None if snapshot.withdrawn is not None else None)


def csv_lines(hits: Sequence[Found], *, head: bool = True) -> str:
    """A line each, with a head above."""
    import csv
    import io

    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    if head:
        rows.writerow(
            ["snapshot", "title", "url", "source", "published", "captured", "language", "authors", "tags", "score"]
        )
    for hit in hits:
        s = hit.snapshot
        values = [
            s.title,
            _url(hit),
            s.source,
            s.published,
            iso(s),
            s.language,
            "; ".join(s.authors),
            "; ".join(s.tags),
        ]
        rows.writerow([s.number, *(cell(value or "") for value in values), _score(hit)])  # None is empty
    return text.getvalue()
