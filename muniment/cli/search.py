"""`muniment search`"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from muniment import pipeline
from muniment.cli.common import (
    common_options,
    counted,
    echo,
    faint,
    iso,
    json_option,
    note,
    one_line,
    open_archive,
    print_json,
    printable,
    strong,
)
from muniment.errors import IndexBehind, QueryError

if TYPE_CHECKING:
    from muniment.pipeline import Found, Results
    from muniment.search.snippets import Snippet

_MINUS = "\x00"  # stands for the minus of `-word` while click looks for options
_EXCLUSION = re.compile(r"-[^-\s].*", re.S)
_FLAGS = re.compile(r"-[qvh]+")
_DEFAULT_FACETS = "source,year"
_AROUND = 50  # characters of a wrong query that are shown on either side of the place


class QueryCommand(click.Command):
    """A command whose arguments may begin with a minus: `-word` excludes a word and is no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        hidden = [_MINUS + arg[1:] if _EXCLUSION.fullmatch(arg) and not _FLAGS.fullmatch(arg) else arg for arg in args]
        try:
            rest = super().parse_args(ctx, hidden)
        except click.UsageError as e:
            message = e.format_message().replace(_MINUS, "-").replace(repr(_MINUS)[1:-1], "-")
            raise click.UsageError(message, ctx) from None
        ctx.params = {name: _with_minus(value) for name, value in ctx.params.items()}
        return rest


def _with_minus(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_with_minus, value))
    return "-" + value[1:] if isinstance(value, str) and value.startswith(_MINUS) else value


def _complete_facets(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    """Facets that go on from what is typed of the last one."""
    from muniment.index.engine import FACETS

    done, comma, begun = typed.rpartition(",")
    return [done + comma + name for name in FACETS if name.startswith(begun) and name not in done.split(",")]


@click.command(cls=QueryCommand)
@click.argument("words", nargs=-1, metavar="[QUERY]...")
@click.option("--source", multiple=True, help="Only this source; may be repeated.")
@click.option("--since", metavar="DATE", help="Published then or later: 2021, 2021-05 or 2021-05-30.")
@click.option("--until", metavar="DATE", help="Published then or earlier.")
@click.option("--language", multiple=True, metavar="CODE", help="Only this language; may be repeated.")
@click.option("--tag", multiple=True, help="Only with this tag; may be repeated.")
@click.option(
    "--facet",
    "facets",
    metavar="NAMES",
    shell_complete=_complete_facets,
    help="Count by source, year, month, language, author or tag; several with commas.",
)
@click.option(
    "--sort",
    type=click.Choice(["relevance", "newest", "oldest", "captured"]),
    default="relevance",
    show_default=True,
    help="Order by score, by publication, or by the newest capture.",
)
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    metavar="N",
    help="Show at most N hits; 0 only counts.",
)
@click.option("--offset", type=click.IntRange(0), default=0, metavar="N", help="Pass over the first N hits.")
@click.option("--all", "everything", is_flag=True, help="Show every hit.")
@click.option("--collapse", is_flag=True, help="One hit a story: near-duplicates once, the first captured.")
@click.option("--versions", is_flag=True, help="Every version that matches, not one an article.")
@click.option("--strict", is_flag=True, help="Fail (4) where the index lacks articles and cannot catch up.")
@click.option("--explain", is_flag=True, help="Tell on stderr how the query was read.")
@click.option("--csv", is_flag=True, help="Print CSV.")
@click.option("--ids", is_flag=True, help="Print the snapshots' numbers.")
@click.option("--urls", is_flag=True, help="Print the articles' addresses.")
@json_option
@common_options
@click.pass_context
def search(ctx: click.Context, /, words: tuple[str, ...], **options: Any) -> None:
    """Find articles: words, "phrases", OR, NOT or -word, prefix*, fuzzy~, [ranges], title: text: author: source:
    language: tag: published: captured:, site:example.org, before:2020, after:2019-05, 2019..2021. docs/search.md.

    Without a QUERY, everything that passes --source, --since, --until, --language and --tag, the newest first.

    Ends with 0 where something matched, 1 where nothing did, 2 where the query is wrong, 4 where there is no index to
    answer, or where nothing matched in one that lacks articles (with --strict, whatever matched in it).
    """
    _check(ctx, options)
    text = " ".join(words)
    archive = open_archive(ctx)
    try:
        results = pipeline.find(archive, _search(text, options))
    except QueryError as e:
        _show_query_error(e, text)
        ctx.exit(e.exit_code)
    if options["explain"]:
        from muniment.search.explain import explained

        for line in explained(results.tree):
            note(printable(line))
    if options["strict"] and results.indexed < results.articles:
        raise IndexBehind(_coverage(results))
    _print(results, options["form"], bool(options["facets"]))
    _print_summary(results, options)
    if results.total == 0 and results.indexed < results.articles:
        ctx.exit(IndexBehind.exit_code)  # it may be among those that the index lacks
    ctx.exit(0 if results.total else 1)


def _check(ctx: click.Context, options: dict[str, Any]) -> None:
    """Sets `form` to the one way of printing that is wanted. Raises UsageError for options that contradict."""
    forms = [form for form in ("csv", "ids", "urls", "as_json") if options[form]]
    if options["versions"] and options["collapse"]:
        raise click.UsageError("--versions and --collapse contradict: give one of them", ctx)
    if len(forms) > 1:
        raise click.UsageError("choose one of --csv, --ids, --urls and --json", ctx)
    options["form"] = forms[0].removeprefix("as_") if forms else None
    if options["everything"] and ctx.get_parameter_source("limit") is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--all and --limit contradict: give one of them", ctx)


def _search(text: str, options: dict[str, Any]) -> pipeline.Search:
    from muniment.index.engine import check_facets
    from muniment.search.results import Filters

    wanted = options["facets"]
    if wanted is None:
        wanted = _DEFAULT_FACETS if _shows_facets(options["form"]) else None
    facets = tuple(name.strip() for name in wanted.split(",")) if wanted is not None else ()
    check_facets(facets)
    return pipeline.Search(
        text,
        Filters(options["source"], options["language"], options["tag"], options["since"], options["until"]),
        options["sort"],
        None if options["everything"] else options["limit"],
        options["offset"],
        facets,
        versions=options["versions"],
        collapse=options["collapse"],
        snippets=options["form"] in (None, "json"),
    )


def _shows_facets(form: str | None) -> bool:
    return form == "json" or (form is None and sys.stdout.isatty())


def _show_query_error(error: QueryError, text: str) -> None:
    """The message, then what stands around the place, with a mark under it."""
    note(f"muniment: the query is wrong: {error}")
    if error.position is None or "\n" in text:
        return
    start = max(0, error.position - _AROUND) if len(text) > 2 * _AROUND else 0
    end = len(text) if start == 0 and len(text) <= 2 * _AROUND else error.position + _AROUND
    before, after = "… " if start else "", " …" if end < len(text) else ""
    note(f"  {before}{printable(text[start:end])}{after}")
    note("  " + " " * (len(before) + error.position - start) + "^")


# ---- output


def _print(results: Results, form: str | None, facets_wanted: bool) -> None:
    if form == "json":
        _print_json(results)
    elif form == "csv":
        _print_csv(results.hits)
    elif form == "ids":
        for hit in results.hits:
            echo(str(hit.snapshot.number))
    elif form == "urls":
        for hit in results.hits:
            echo(one_line(hit.snapshot.url or hit.snapshot.uri))
    else:
        for hit in results.hits:
            _print_hit(hit, is_told="confidence:" in results.search.text)
        if results.total and (facets_wanted or sys.stdout.isatty()):
            _print_facets(results)


def _print_hit(hit: Found, *, is_told: bool) -> None:
    """`is_told`: how far the extractors agreed, to whoever asked by it."""
    snapshot = hit.snapshot
    title = one_line(snapshot.title or "") or f"({snapshot.problem or 'no title'})"
    said = [f"{hit.versions} versions"] * (hit.versions > 1)
    said += [f"also in {counted(len(hit.also_in), 'source')}"] * bool(hit.also_in)
    if is_told and snapshot.confidence is not None:
        said.append(f"confidence {snapshot.confidence:.2f}")
    versions = faint(f"  ({'; '.join(said)})") if said else ""
    head = f"#{snapshot.number}  {snapshot.published or 'undated'}  {one_line(snapshot.source or 'source unknown')}"
    flags = "".join("  " + click.style(f"[{one_line(flag)}]", fg="yellow") for flag in snapshot.flags)
    echo(f"{faint(head)}  {strong(title)}{flags}{versions}")
    if hit.damage is not None:
        echo("    " + click.style(one_line(hit.damage), fg="red"))
    if hit.snippet is not None and hit.snippet.pieces:
        echo("    " + faint(f"removed since #{hit.passage_of}: ") * (hit.passage_of is not None) + _marked(hit.snippet))
    if address := snapshot.url or ("" if snapshot.uri.startswith("ni:") else snapshot.uri):
        echo("    " + faint(one_line(address)))


def _marked(snippet: Snippet) -> str:
    if not sys.stdout.isatty():
        return one_line(snippet.text)
    return "".join(
        click.style(text, fg="yellow", bold=True) if match else text
        for text, match in ((printable(text), match) for text, match in snippet.pieces)
    )


def _print_facets(results: Results) -> None:
    echo()
    for name, facets in results.facets.items():
        values = ", ".join(f"{one_line(facet.value or 'unknown')} {facet.count:,}" for facet in facets)
        echo(f"{faint(f'{name:<9}')} {values}")


def _print_json(results: Results) -> None:
    import html

    value = {
        "query": results.search.text,
        "total": results.total,
        "articles": results.articles,
        "indexed": results.indexed,
        "log_size": results.log_size,
        "took_ms": round(results.took * 1000, 1),
        "hits": [
            {
                "snapshot": hit.snapshot.number,
                "score": round(hit.score, 4),
                "title": hit.snapshot.title,
                "url": hit.snapshot.url,
                "source": hit.snapshot.source,
                "published": hit.snapshot.published,
                "published_precision": hit.snapshot.precision,
                "captured": iso(hit.snapshot),
                "language": hit.snapshot.language,
                "authors": list(hit.snapshot.authors),
                "tags": list(hit.snapshot.tags),
                "confidence": hit.snapshot.confidence,
                "flags": list(hit.snapshot.flags),
                "snippet": hit.snippet.marked("<mark>", "</mark>", html.escape) if hit.snippet else None,
                "versions": hit.versions,
                "also_in": list(hit.also_in),
                **({"passage_of": hit.passage_of} if hit.passage_of is not None else {}),
                **({"damage": hit.damage} if hit.damage else {}),
            }
            for hit in results.hits
        ],
        "facets": {
            name: [{"value": facet.value, "count": facet.count} for facet in facets]
            for name, facets in results.facets.items()
        },
    }
    print_json(value)


def _print_csv(hits: Sequence[Found]) -> None:
    import csv

    from muniment.formats.spreadsheet import safe_cell

    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(
        ["snapshot", "title", "url", "source", "published", "captured", "language", "authors", "tags", "score"]
    )
    for hit in hits:
        s = hit.snapshot
        values = [s.title, s.url, s.source, s.published, iso(s), s.language, "; ".join(s.authors), "; ".join(s.tags)]
        rows.writerow([s.number, *(safe_cell(value or "") for value in values), round(hit.score, 4)])


def _print_summary(results: Results, options: dict[str, Any]) -> None:
    quiet = options["quiet"] or options["form"] is not None
    noun = "version" if options["versions"] else "article"
    if results.total == 0:
        note(f"nothing matched; {_coverage(results)}", quiet=quiet)
    else:
        shown, passed = len(results.hits), options["offset"]
        which = f", {passed + 1:,} to {passed + shown:,} shown" if shown < results.total else ""
        if shown == 0:
            which = ", none shown"
        note(
            f"{counted(results.total, noun)} matched{which}; {_coverage(results)}; {results.took * 1000:.1f} ms",
            quiet=quiet,
        )
    if results.indexed < results.articles and quiet:
        note(f"muniment: warning: {_coverage(results)}")


def _coverage(results: Results) -> str:
    return f"the index holds {results.indexed:,} of {counted(results.articles, 'article version')}"
