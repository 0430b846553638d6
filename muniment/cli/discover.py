"""`muniment feed`, `muniment sitemap` and `muniment crawl`"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from muniment import pipeline
from muniment.cli.add import is_stamped, stamp_if
from muniment.cli.common import (
    counted,
    echo,
    faint,
    fetch_options,
    json_option,
    note,
    one_line,
    open_archive,
    print_json,
    wait_option,
)
from muniment.cli.fetching import check_browser, check_page_options, page_options, pages_of, policy_of, resolve_of
from muniment.cli.numbers import Count, Seconds, Size
from muniment.cli.outcomes import report, shows_progress, without_name
from muniment.cli.progress import Adding
from muniment.model import Declared

if TYPE_CHECKING:
    from muniment.archive.archive import Archive
    from muniment.discovering.plan import Command, Plan
    from muniment.discovering.preview import Preview

F = TypeVar("F", bound=Callable[..., Any])
_LISTINGS, _LINKS = 5, 3  # how deep it goes where nothing is said
_PAGES = 10_000  # and how many pages a site may have
_NOTHING_ALLOWED = 3


def discovery_options(depth: int, depth_help: str, limit: int | None) -> Callable[[F], F]:
    """Options of the three commands."""
    said = f"Default: {limit:,}." if limit else "Default: all of them."
    options = (
        click.argument("urls", nargs=-1, required=True, metavar="URL..."),
        click.option("--since", metavar="DATE", help="Pass over what is dated before: 2026, 2026-11 or 2026-11-22."),
        click.option("--limit", type=Count(1), metavar="N", default=limit, help=f"Ask for N pages at most. {said}"),
        click.option("--depth", type=Count(0, 100), metavar="N", default=depth, help=f"{depth_help} Default: {depth}."),
        click.option("--match", multiple=True, metavar="PATTERN",
                     help="Only addresses like this, such as '*/2026/*'; may be repeated."),
        click.option("--exclude", multiple=True, metavar="PATTERN", help="No addresses like this; may be repeated."),
        click.option("--dry-run", is_flag=True, help="Show what would be fetched and what robots.txt says of it."),
        click.option("--full", is_flag=True, help="Ask for everything, whole, also for what did not change."),
        click.option("--restart", is_flag=True, help="Begin anew where an earlier run was interrupted."),
        click.option("--delay", type=Seconds(), metavar="SECONDS",
                     help="Seconds between two requests to a host, at least. Default: 1."),
        click.option("--source", help="Declare the source."),
        click.option("--tag", "tags", multiple=True, help="Tag the articles; may be repeated."),
        click.option("--ignore-robots", is_flag=True, help="Fetch pages that robots.txt asks not to."),
        page_options,
        click.option("--max-size", type=Size(), metavar="SIZE", help="Refuse responses over this size, such as 64MB."),
        click.option("--processes", type=Count(1, 64), metavar="N", help="Clean in N processes. Default: one a core."),
        wait_option,
        json_option,
        fetch_options,
    )  # fmt: skip

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.command()
@discovery_options(_LISTINGS, "How many feeds deep (OPML lists, further pages of a feed).", None)
@click.option("--recheck", type=Count(0), metavar="HOURS", default=12,
              help="Ask again for pages that were looked at so long ago. Default: 12.")  # fmt: skip
@click.pass_context
def feed(ctx: click.Context, /, **options: Any) -> None:
    """Capture what feeds name: RSS, Atom, JSON Feed, OPML lists of them, or a page that names its feed.

    The feed is kept too, and what it says of an article is kept with it. Prints a line an item, as add does.
    """
    _discover(ctx, "feed", options)


@click.command()
@discovery_options(_LISTINGS, "How many indexes deep.", _PAGES)
@click.option("--recheck", type=Count(0), metavar="HOURS", default=12,
              help="Ask again for pages that were looked at so long ago. Default: 12.")  # fmt: skip
@click.pass_context
def sitemap(ctx: click.Context, /, **options: Any) -> None:
    """Capture what sitemaps name: indexes, news and gzip sitemaps, plain lists. For a site (https://example.org/),
    what its robots.txt names.

    The sitemap is kept too, and what it says of an article is kept with it. Prints a line an item, as add does.
    """
    _discover(ctx, "sitemap", options)


@click.command()
@discovery_options(_LINKS, "How many links away from the start.", _PAGES)
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Follow links to this host too; may be repeated.")
@click.pass_context
def crawl(ctx: click.Context, /, **options: Any) -> None:
    """Capture a site by following its links, from a page on; it stays on its host.

    Prints a line an item, as add does. A crawl that was interrupted goes on when it is called again.
    """
    _discover(ctx, "crawl", {**options, "recheck": 0})


def _discover(ctx: click.Context, command: Command, options: dict[str, Any]) -> None:
    from muniment.adding import AddOptions
    from muniment.discovering.plan import Plan
    from muniment.ingest.fetch import Fetcher
    from muniment.ingest.policy import mannerly
    from muniment.ingest.upload import MAX_UPLOAD, declared_of

    check_page_options(options)
    resolve = resolve_of(options)
    plan = Plan(
        command,
        options["urls"],
        since=options["since"],
        limit=options["limit"],
        depth=options["depth"],
        match=options["match"],
        exclude=options["exclude"],
        hosts=options.get("hosts", ()),
        declared=declared_of(Declared(source=options["source"], tags=options["tags"])),
        recheck=timedelta(hours=options["recheck"]),
        full=options["full"],
    )
    archive = open_archive(ctx, wait=options["wait"])
    fetcher = Fetcher(mannerly(policy_of(archive, options, resolve), options["delay"]))
    if options["dry_run"]:
        ctx.exit(_show(archive, plan, fetcher, options))
    check_browser(fetcher.policy, options)
    stamps = is_stamped(archive)
    settings = AddOptions(options["processes"], MAX_UPLOAD, wait=options["wait"])
    with ExitStack() as opened:
        pages = pages_of(fetcher, options, opened)
        results = pipeline.discover(archive, plan, fetcher, settings, pages=pages, restart=options["restart"])
        code = report(results, options, Adding(None) if shows_progress(options) else None)
    stamp_if(stamps, archive, options, resolve)
    ctx.exit(code)


def _show(archive: Archive, plan: Plan, fetcher: Any, options: dict[str, Any]) -> int:
    from muniment.discovering.preview import preview
    from muniment.ingest.clean.workers import Workers

    allowed = pages = passed = refused = unknown = 0
    with Workers(options["processes"] or 1) as workers:
        for row in preview(archive, plan, fetcher, workers):
            may = row.robots == "allowed" or options["ignore_robots"]
            allowed += may
            pages += may and row.due and not row.listing
            passed += may and not row.due
            refused += row.robots == "forbidden"
            unknown += row.robots == "unknown"
            _print(row, as_json=options["as_json"])
    lately = f", {passed:,} looked at lately and passed over (see --recheck)" if passed else ""
    told = f"{counted(pages, 'page')} would be asked for{lately}; robots.txt forbids {refused}"
    note(told + (f", and could not be asked for {unknown}" if unknown else ""), quiet=options["quiet"])
    return 0 if allowed else _NOTHING_ALLOWED


def _print(row: Preview, *, as_json: bool) -> None:
    if as_json:
        print_json({
            "target": row.url, "state": "skipped", "listing": row.listing, "known": row.known, "due": row.due,
            "robots": row.robots,
            "crawl_delay": row.crawl_delay or None, "title": row.title or None, "published": row.published or None,
            "error": row.detail or None,
        })  # fmt: skip
        return
    from muniment.ingest.discover.dates import iso_of

    if row.robots == "allowed":
        extra = [part for part in ((iso_of(row.published) or row.published)[:10], row.title) if part]
        verb = (
            "would read" if row.listing else "would fetch" if not row.known else "would ask" if row.due else "pass over"
        )
        delay = faint(f" (every {row.crawl_delay:g} s)") if row.crawl_delay else ""
        echo(" ".join([f"{verb} {one_line(row.url)}{delay}", *map(one_line, extra)]))
    else:
        echo(f"{click.style(row.robots, fg='red')} {one_line(row.url)}: {one_line(without_name(row.detail, row.url))}")
