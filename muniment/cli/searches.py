"""`muniment searches`: searches under a name, and what is new for them"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from muniment import watching
from muniment.cli.common import (
    common_options,
    counted,
    echo,
    faint,
    json_option,
    json_text,
    note,
    one_line,
    open_archive,
    print_json,
    printable,
    strong,
    wait_option,
    write,
)
from muniment.cli.hits import coverage, hit_as_json, print_results
from muniment.cli.narrowing import QueryCommand, filter_options, filters_of
from muniment.cli.refusing import tell
from muniment.cli.streams import groups
from muniment.errors import ItemError, MunimentError, QueryError, UsageError
from muniment.search.saved import KEYS, Saved, format_saved

if TYPE_CHECKING:
    from muniment.archive.archive import Archive


@click.group(invoke_without_command=True)
@json_option
@common_options
@click.pass_context
def searches(ctx: click.Context, as_json: bool, quiet: bool) -> None:
    """Keep searches under a name, and tell what is new for each since it was last run. Without a subcommand: list."""
    if ctx.invoked_subcommand is None:
        _list(open_archive(ctx), as_json, quiet)


@searches.command(cls=QueryCommand)
@click.argument("name", metavar="NAME")
@click.argument("words", nargs=-1, metavar="[QUERY]...")
@filter_options
@click.option("--versions", is_flag=True, help="Every version that matches, not one an article.")
@click.option("--collapse", is_flag=True, help="One hit a story: near-duplicates once, the first captured.")
@click.option("--from-now", is_flag=True, help="What the archive holds already counts as told.")
@click.option("--replace", is_flag=True, help="In place of the search of that name.")
@json_option
@common_options
@click.pass_context
def save(ctx: click.Context, /, name: str, words: tuple[str, ...], **options: Any) -> None:
    """Keep a search as searches/NAME.toml in the archive, a text that you may change."""
    if options["versions"] and options["collapse"]:
        raise UsageError("--versions and --collapse contradict: give one of them")
    query = " ".join(words)
    saved = Saved(name, query, filters_of(options), options["sentence"], options["versions"], options["collapse"])
    archive = open_archive(ctx)
    watching.save(archive, saved, replace=options["replace"], from_now=options["from_now"])
    found = watching.found_now(archive, saved)
    if found is not None and not found.total:
        meant = f"; did you mean: {one_line('   '.join(found.suggestions))}" if found.suggestions else ""
        note(f"{name} finds nothing now{meant}", quiet=options["quiet"])
    if options["as_json"]:
        print_json(_described(archive, name))
    else:
        note(f"{name} is kept: `muniment searches run {name}` tells what is new for it", quiet=options["quiet"])


@searches.command(name="list")
@json_option
@common_options
@click.pass_context
def list_(ctx: click.Context, as_json: bool, quiet: bool) -> None:
    """List the searches that are kept, and when each was run."""
    _list(open_archive(ctx), as_json, quiet)


@searches.command()
@click.argument("name", metavar="NAME")
@json_option
@common_options
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool, quiet: bool) -> None:
    """Show a search, and its last runs."""
    archive = open_archive(ctx)
    if as_json:
        print_json(_described(archive, name))
        return
    write("".join(printable(line) + "\n" for line in format_saved(watching.read(archive, name)).splitlines()))
    for run in watching.runs(archive, name):
        told = "kept" if run.told is None else f"{counted(run.told, 'article')} told"
        echo(faint(f"# {run.at} {told}, up to #{run.size - 1}" if run.size else f"# {run.at} {told}"))


@searches.command()
@click.argument("name", metavar="NAME")
@common_options
@click.pass_context
def remove(ctx: click.Context, name: str, quiet: bool) -> None:
    """Remove a search, and what is remembered of its runs."""
    watching.remove(open_archive(ctx), name)
    note(f"{name} is removed", quiet=quiet)


@searches.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="Run every search that is kept.")
@click.option("--peek", is_flag=True, help="Do not remember: the next run tells the same.")
@click.option("--again", is_flag=True, help="Tell everything, not what is new.")
@wait_option
@json_option
@common_options
@click.pass_context
def run(
    ctx: click.Context,
    names: tuple[str, ...],
    everything: bool,
    peek: bool,
    again: bool,
    wait: float,
    as_json: bool,
    quiet: bool,
) -> None:
    """Tell what is new for a search since it was last run: what was captured since, and matches.

    What the index lacks is told of, and comes with the next run. Ends with 0 where there is anything new, 1 where there
    is not, 3 where one of several searches is wrong (the others are run), 4 where no index can answer.
    """
    if bool(names) == everything:
        raise UsageError("name the searches to run, or give --all")
    archive = open_archive(ctx)
    wanted = watching.names(archive) if everything else list(dict.fromkeys(names))
    told, failed = 0, 0
    with nullcontext() if peek else watching.locked(archive, wait):
        for name in wanted:
            try:
                told += _run(archive, name, peek, again, as_json, quiet, headed=len(wanted) > 1)
            except UsageError as e:
                if len(wanted) == 1:
                    raise
                failed += 1
                if isinstance(e, QueryError):
                    tell(e)
                else:
                    note(f"muniment: {name}: {one_line(str(e))}")
    if not wanted:
        note("no search is kept: `muniment searches save NAME QUERY` keeps one", quiet=quiet)
    ctx.exit(ItemError.exit_code if failed else 0 if told else 1)


def _run(archive: Archive, name: str, peek: bool, again: bool, as_json: bool, quiet: bool, *, headed: bool) -> int:
    saved = watching.read(archive, name)
    with watching.news(archive, saved, everything=again) as found:
        results = found.results
        if found.warning:
            note(f"muniment: {name}: {found.warning}")
        if results.indexed < results.articles:
            note(f"muniment: warning: {name}: {coverage(results)}")
        if headed and results.total and not as_json:
            echo(strong(name))
        told = 0
        for group in groups(found.hits):
            told += len(group)
            if as_json:
                write("".join(json_text({"search": name, **hit_as_json(hit)}) + "\n" for hit in group))
            else:
                print_results(results._replace(hits=group), None, facets_wanted=False)
        if not peek:
            watching.remember(archive, found, told)
    since = f"since #{found.since}" if found.since else "in all"
    note(f"{name}: {counted(told, 'article')} {since}; {coverage(results)}", quiet=quiet or as_json)
    return told


def _list(archive: Archive, as_json: bool, quiet: bool) -> None:
    found = watching.names(archive)
    for name in found:
        if as_json:
            print_json(_described(archive, name))
            continue
        try:
            saved, past = watching.read(archive, name), watching.runs(archive, name)
        except UsageError as e:
            echo(f"{strong(name)}  {one_line(str(e))}")
            continue
        last = past[-1].at if past and past[-1].told is not None else "never run"
        described = "; ".join(line for line in format_saved(saved).splitlines())
        echo(f"{strong(name)}  {faint(last)}  {printable(described)}")
    if not found:
        note("no search is kept: `muniment searches save NAME QUERY` keeps one", quiet=quiet)


def _described(archive: Archive, name: str) -> dict[str, Any]:
    """A search as JSON: the keys of its file, and its runs; or what is wrong with it."""
    try:
        saved, past = watching.read(archive, name), watching.runs(archive, name)
    except MunimentError as e:
        return {"name": name, "error": str(e)}
    values = {"query": saved.query, "any": saved.sentence, "versions": saved.versions, "collapse": saved.collapse}
    values |= {key: getattr(saved.filters, key) for key in KEYS if key not in values}
    runs = [{"at": run.at, "log_size": run.size, "told": run.told} for run in past]
    return {"name": name, **values, "runs": runs, "error": None}
