"""`muniment tag`, `note`, `source`, `collect`, `withdraw`: each a leaf of the log"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from muniment.cli.common import (
    common_options,
    counted,
    echo,
    json_option,
    one_line,
    open_archive,
    print_json,
    wait_option,
)
from muniment.cli.common import (
    note as say,
)
from muniment.cli.numbers import NUMBER
from muniment.errors import UsageError


@click.command()
@click.argument("number", type=NUMBER, metavar="N")
@click.argument("tags", nargs=-1, metavar="TAG...")
@click.option("--remove", multiple=True, metavar="TAG", help="Take this tag off.")
@wait_option
@json_option
@common_options
@click.pass_context
def tag(
    ctx: click.Context,
    number: int,
    tags: tuple[str, ...],
    remove: tuple[str, ...],
    wait: float,
    as_json: bool,
    quiet: bool,
) -> None:
    """Tag the article of snapshot N, all of its versions. Find it with `muniment search tag:TAG`."""
    from muniment import curating

    if not tags and not remove:
        raise UsageError("name a tag to put on, or --remove one")
    archive = open_archive(ctx, wait=wait)
    leaf = curating.tag(archive, number, tags, remove, wait=wait)
    held = archive.snapshot(number).tags
    if as_json:
        print_json({"leaf": leaf, "snapshot": number, "tags": list(held)})
    else:
        say(f"#{number} is tagged {', '.join(map(one_line, held)) or 'no more'} (leaf #{leaf})", quiet=quiet)


@click.command()
@click.argument("number", type=NUMBER, metavar="N")
@click.argument("text", metavar="TEXT")
@wait_option
@json_option
@common_options
@click.pass_context
def note(ctx: click.Context, number: int, text: str, wait: float, as_json: bool, quiet: bool) -> None:
    """Keep a remark on snapshot N; `muniment show N` shows it, `muniment withdraw` removes it by its own number."""
    from muniment import curating

    archive = open_archive(ctx, wait=wait)
    leaf = curating.note(archive, number, text, wait=wait)
    if as_json:
        print_json({"leaf": leaf, "snapshot": number})
    else:
        say(f"kept as #{leaf}", quiet=quiet)


@click.command()
@click.argument("host", required=False, metavar="[HOST]")
@click.argument("name", required=False, metavar="[NAME]")
@wait_option
@json_option
@common_options
@click.pass_context
def source(ctx: click.Context, host: str | None, name: str | None, wait: float, as_json: bool, quiet: bool) -> None:
    """Name the source at HOST, for what is there and what comes; without arguments, list the names."""
    from muniment import curating

    archive = open_archive(ctx, wait=wait)
    if host is None or name is None:
        if host is not None:
            raise UsageError(f"what is {host} called? muniment source {host} NAME")
        names = archive.catalog.source_names()
        if as_json:
            print_json(names)
        else:
            for known, called in names.items():
                echo(f"{known}\t{one_line(called)}")
        return
    leaf = curating.name_source(archive, host, name, wait=wait)
    if as_json:
        print_json({"leaf": leaf, "host": host, "name": name})
    else:
        say(f"{one_line(host)} is called {one_line(name)} (leaf #{leaf})", quiet=quiet)


@click.command()
@click.argument("name", required=False, metavar="[NAME]")
@click.argument("numbers", nargs=-1, type=NUMBER, metavar="[N...]")
@click.option("--remove", multiple=True, type=NUMBER, metavar="N", help="Take this one out.")
@wait_option
@json_option
@common_options
@click.pass_context
def collect(
    ctx: click.Context,
    name: str | None,
    numbers: tuple[int, ...],
    remove: tuple[int, ...],
    wait: float,
    as_json: bool,
    quiet: bool,
) -> None:
    """Put the articles of snapshots N... into the collection NAME; without arguments, list the collections.

    Find them with `muniment search collection:NAME`.
    """
    from muniment import curating

    archive = open_archive(ctx, wait=wait)
    if name is None:
        held = archive.catalog.collections()
        if as_json:
            print_json(held)
        else:
            for known, count in held.items():
                echo(f"{one_line(known)}\t{counted(count, 'article')}")
        return
    if not numbers and not remove:
        raise UsageError("name the snapshots to put in, or --remove some")
    leaf = curating.collect(archive, name, numbers, remove, wait=wait)
    count = archive.catalog.collections().get(" ".join(name.split()), 0)
    if as_json:
        print_json({"leaf": leaf, "collection": name, "articles": count})
    else:
        say(f"{one_line(name)} holds {counted(count, 'article')} (leaf #{leaf})", quiet=quiet)


@click.command()
@click.argument("number", type=NUMBER, metavar="N")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept in place of what goes.")
@click.option("--entirely", is_flag=True, help="Remove request and metadata records too, not only the payload.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@wait_option
@json_option
@common_options
@click.pass_context
def withdraw(
    ctx: click.Context, number: int, reason: str, entirely: bool, yes: bool, wait: float, as_json: bool, quiet: bool
) -> None:
    """Remove what snapshot N holds, and every text made of it, for good; its leaf, digests and a tombstone stay.

    For a court's order or a person's right. Copies and backups are yours to find. N may be the number of a note.
    """
    import sys

    from muniment import curating

    archive = open_archive(ctx, wait=wait)
    if not yes and sys.stdin.isatty() and sys.stderr.isatty():
        held = archive.catalog.snapshot(number)
        what = f"#{number} {one_line(held.title or held.uri)}" if held else f"#{number}"
        click.confirm(f"Remove {what} for good?", abort=True, err=True)
    done = curating.withdraw(archive, number, reason, entirely=entirely, wait=wait)
    if as_json:
        facts = {"leaf": done.leaf, "snapshot": number, "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
        print_json({**facts, "same_bytes": list(done.same_bytes), "other_versions": list(done.other_versions)})
        return
    say(f"#{number} was withdrawn by #{done.leaf}; `muniment reindex` clears its words from the index's files at once",
        quiet=quiet)  # fmt: skip
    if done.same_bytes:
        say(f"the same bytes are still held as {_numbers(done.same_bytes)}", quiet=quiet)
    if done.other_versions:
        say(f"other versions of the article are still held as {_numbers(done.other_versions)}", quiet=quiet)


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(f"#{number}" for number in numbers[:20])
