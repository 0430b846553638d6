"""`muniment search`"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from muniment import pipeline
from muniment.cli.common import PATH, common_options, json_option, open_archive
from muniment.cli.narrowing import QueryCommand, filter_options, filters_of
from muniment.cli.numbers import Count
from muniment.errors import IndexBehind

if TYPE_CHECKING:
    from muniment.archive.archive import Archive

_DEFAULT_FACETS = "source,year"
_MOST_VALUES = 1_000_000  # of a facet


def _complete_facets(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    """Facets that go on from what is typed of the last one."""
    from muniment.index.facets import FACETS

    done, comma, begun = typed.rpartition(",")
    named = [name.partition(":")[0] for name in done.split(",")]
    return [done + comma + name for name in FACETS if name.startswith(begun) and name not in named]


@click.command(cls=QueryCommand)
@click.argument("words", nargs=-1, metavar="[QUERY]...")
@filter_options
@click.option(
    "--facet",
    "facets",
    multiple=True,
    metavar="NAMES",
    shell_complete=_complete_facets,
    help="Count by source, year, month, language, author, tag or kind; several with commas; source:20 gives 20.",
)
@click.option(
    "--facet-limit",
    type=Count(1),
    default=10,
    show_default=True,
    metavar="N",
    help="Values of each facet; years and months are all shown.",
)
@click.option(
    "--sort",
    type=click.Choice(["relevance", "newest", "oldest", "captured"]),
    default="relevance",
    show_default=True,
    help="Order by score, by publication, or by the newest capture.",
)
@click.option("--recent", is_flag=True, help="Raise what was published lately: up to twice the score.")
@click.option(
    "--limit",
    type=Count(),
    default=10,
    show_default=True,
    metavar="N",
    help="Show at most N hits; 0 only counts.",
)
@click.option("--offset", type=Count(), default=0, metavar="N", help="Pass over the first N hits.")
@click.option("--all", "everything", is_flag=True, help="Show every hit, however many, as they are found.")
@click.option(
    "--file", "names", type=PATH, metavar="LIST", help="Look for each name of a list, a line each; gives CSV."
)
@click.option("--collapse", is_flag=True, help="One hit a story: near-duplicates once, the first captured.")
@click.option("--versions", is_flag=True, help="Every version that matches, not one an article.")
@click.option("--strict", is_flag=True, help="Fail (4) where the index lacks articles and cannot catch up.")
@click.option("--explain", is_flag=True, help="Tell on stderr how the query was read.")
@click.option("--csv", is_flag=True, help="Print CSV.")
@click.option("--ids", is_flag=True, help="Print the snapshots' numbers.")
@click.option("--urls", is_flag=True, help="Print the articles' addresses.")
@click.option("--jsonl", is_flag=True, help="Print a JSON object a hit, a line each.")
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
    archive = open_archive(ctx)
    asked = _search(" ".join(words), options)
    if options["names"] is not None:
        ctx.exit(_search_names(ctx, archive, asked, options))
    hits = None
    if asked.limit is None:
        results, hits = ctx.with_resource(pipeline.find_all(archive, asked))
    else:
        results = pipeline.find(archive, asked)
    if options["explain"]:
        from muniment.cli.explaining import explain

        explain(results, options["form"])
    from muniment.cli.hits import coverage, print_results, print_summary

    if options["strict"] and results.indexed < results.articles:
        raise IndexBehind(coverage(results))
    if hits is None:
        print_results(results, options["form"], facets_wanted=bool(options["facets"]))
        shown = len(results.hits)
    else:
        from muniment.cli.streams import print_all

        explained = options["explain"] and options["form"] != "json"
        shown = print_all(results, hits, options["form"], facets_wanted=bool(options["facets"]), explained=explained)
    noun = "version" if options["versions"] else "article"
    print_summary(results, shown, options["form"], quiet=options["quiet"], noun=noun)
    if results.total == 0 and results.indexed < results.articles:
        ctx.exit(IndexBehind.exit_code)  # it may be among those that the index lacks
    ctx.exit(0 if results.total else 1)


def _search_names(ctx: click.Context, archive: Archive, asked: pipeline.Search, options: dict[str, Any]) -> int:
    from muniment.cli.names import search_names

    for name in ("ids", "urls", "collapse", "explain", "recent", "offset", "facets"):
        if options[name]:
            option = name if name != "facets" else "facet"
            raise click.UsageError(f"--file and --{option} do not go together: leave one of them away", ctx)
    as_json = options["form"] in ("json", "jsonl")
    search = asked._replace(snippets=True, facets=())
    return search_names(archive, options["names"], search, as_json=as_json, strict=options["strict"],
                        quiet=options["quiet"])  # fmt: skip


def _check(ctx: click.Context, options: dict[str, Any]) -> None:
    """Sets `form` to the one way of printing that is wanted. Raises UsageError for options that contradict."""
    forms = [form for form in ("csv", "ids", "urls", "jsonl", "as_json") if options[form]]
    if options["versions"] and options["collapse"]:
        raise click.UsageError("--versions and --collapse contradict: give one of them", ctx)
    if len(forms) > 1:
        raise click.UsageError("choose one of --csv, --ids, --urls, --jsonl and --json", ctx)
    options["form"] = forms[0].removeprefix("as_") if forms else None
    if options["recent"] and options["sort"] != "relevance":
        raise click.UsageError(f"--recent and --sort {options['sort']} contradict: give one of them", ctx)
    if options["facets"] and options["form"] not in (None, "json"):
        raise click.UsageError(f"--{options['form']} holds no facets: leave --facet away, or take --json", ctx)
    if options["everything"] and ctx.get_parameter_source("limit") is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--all and --limit contradict: give one of them", ctx)


def _search(text: str, options: dict[str, Any]) -> pipeline.Search:
    wanted = ",".join(options["facets"])
    if not options["facets"] and _shows_facets(options["form"]):
        wanted = _DEFAULT_FACETS
    facets, limits = _facets(wanted) if wanted or options["facets"] else ((), {})
    return pipeline.Search(
        text,
        filters_of(options),
        options["sort"],
        None if options["everything"] else options["limit"],
        options["offset"],
        facets,
        options["facet_limit"],
        limits,
        versions=options["versions"],
        collapse=options["collapse"],
        snippets=options["form"] in (None, "json", "jsonl"),
        sentence=options["sentence"],
        recent=options["recent"],
        explain=options["explain"],
    )


def _facets(wanted: str) -> tuple[tuple[str, ...], dict[str, int]]:
    """Names, and limits of those that have one: `source:20,year`. Raises UsageError."""
    from muniment.errors import UsageError
    from muniment.index.facets import check_facets

    limits: dict[str, int] = {}
    names: list[str] = []
    for entry in wanted.split(","):
        name, colon, limit = (part.strip() for part in entry.partition(":"))
        names.append(name)
        if colon and not (limit.isascii() and limit.isdigit() and int(limit[:9]) > 0):
            raise UsageError(f"--facet {entry.strip()}: after the colon comes how many to show, such as {name}:20")
        if colon:
            limits[name] = min(int(limit[:9]), _MOST_VALUES)
    check_facets(names)
    return tuple(dict.fromkeys(names)), limits


def _shows_facets(form: str | None) -> bool:
    return form == "json" or (form is None and sys.stdout.isatty())
