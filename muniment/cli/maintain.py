"""`muniment reindex` and `muniment rebuild`"""

from __future__ import annotations

import sys
from typing import Any

import click

from muniment.cli.common import (
    common_options,
    counted,
    find_archive,
    json_option,
    note,
    open_archive,
    print_json,
    wait_option,
)


@click.command()
@click.option("--engine", type=click.Choice(["tantivy", "whoosh"]), help="The engine to use from now on.")
@wait_option
@json_option
@common_options
@click.pass_context
def reindex(ctx: click.Context, engine: str | None, wait: float, as_json: bool, quiet: bool) -> None:
    """Build the search index anew, beside the one in use, and put it in use in one step.

    Searches go on meanwhile. A build that was interrupted goes on where it stood when it is run again.
    """
    from muniment import pipeline

    archive = open_archive(ctx)
    count = pipeline.reindex(archive, engine, _progress(archive.size, quiet or as_json), wait=wait)
    _done({"indexed": count, "articles": archive.progress.articles}, as_json, quiet)


@click.command()
@wait_option
@json_option
@common_options
@click.pass_context
def rebuild(ctx: click.Context, wait: float, as_json: bool, quiet: bool) -> None:
    """Build catalog, tiles and index from the WARC files and the log alone.

    Every record is read and compared with its leaf; damage stops the rebuild and is named.
    """
    from muniment import pipeline

    archive = pipeline.rebuild(find_archive(ctx), wait=wait)
    ctx.call_on_close(archive.close)
    count = pipeline.reindex(archive, None, _progress(archive.size, quiet or as_json), wait=wait)
    _done({"indexed": count, "articles": archive.progress.articles, "log_size": archive.size}, as_json, quiet)


def _progress(total: int, quiet: bool) -> Any:
    if quiet or not sys.stderr.isatty():
        return lambda reached: None

    def show(reached: int) -> None:
        click.echo(f"\r\033[Kindexing {100 * reached // max(total, 1):3d}%", nl=False, err=True)

    return show


def _done(facts: dict[str, int], as_json: bool, quiet: bool) -> None:
    if as_json:
        print_json(facts)
        return
    if sys.stderr.isatty() and not quiet:
        click.echo("\r\033[K", nl=False, err=True)
    note(f"the index holds {facts['indexed']:,} of {counted(facts['articles'], 'article version')}", quiet=quiet)
