"""`muniment clean`"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from muniment.cli.common import (
    common_options,
    counted,
    echo,
    json_option,
    note,
    one_line,
    open_archive,
    print_json,
    wait_option,
)
from muniment.cli.numbers import NUMBER, Count
from muniment.cli.progress import end_progress, progress_line
from muniment.errors import IndexBehind, UsageError

if TYPE_CHECKING:
    from muniment.archive.archive import Archive
    from muniment.recleaning import Recleaned

_SHOWN = ("changed", "renewed", "failed")


@click.command()
@click.argument("numbers", type=NUMBER, nargs=-1, metavar="[N]...")
@click.option("--rederive", is_flag=True, help="Clean what is there anew, with the cleaner of this version.")
@click.option("--query", metavar="QUERY", help="Only what this search finds.")
@click.option("--dry-run", is_flag=True, help="Tell what would change, and write nothing.")
@click.option("--processes", type=Count(1), metavar="N", help="Clean in so many processes. Default: one a core.")
@wait_option
@json_option
@common_options
@click.pass_context
def clean(
    ctx: click.Context,
    numbers: tuple[int, ...],
    rederive: bool,
    query: str | None,
    dry_run: bool,
    processes: int | None,
    wait: float,
    as_json: bool,
    quiet: bool,
) -> None:
    """Clean snapshots anew with a newer cleaner; without N and --query, all of them.

    The new text stands for the snapshot from then on; the old one stays (`show N --derivation K`, `diff K K`).
    """
    from muniment.recleaning import reclean

    if not rederive:
        raise UsageError("say --rederive: articles are cleaned when they are added, and anew by --rederive only")
    if numbers and query is not None:
        raise UsageError("name snapshots or give --query, not both")
    archive = open_archive(ctx, wait=wait)
    wanted = _wanted(archive, numbers, query)
    counts: Counter[str] = Counter()
    progress = progress_line("cleaning", quiet or as_json)
    for done in reclean(archive, wanted, dry_run=dry_run, processes=processes, wait=wait, progress=progress):
        counts[done.state] += 1
        if done.state in _SHOWN:
            _print(done, as_json, quiet)
    end_progress()
    _print_summary(counts, dry_run, as_json, quiet)
    ctx.exit(3 if counts["failed"] else 0)


def _wanted(archive: Archive, numbers: tuple[int, ...], query: str | None) -> list[int] | None:
    if query is None:
        return [archive.snapshot(number).number for number in numbers] or None
    from muniment import pipeline

    search = pipeline.Search(query, sort="captured", limit=None, versions=True, snippets=False)
    results = pipeline.find(archive, search)
    if results.indexed < results.articles:
        raise IndexBehind("the index lacks articles, so some might be missed: run `muniment reindex`")
    return [hit.snapshot.number for hit in results.hits]


def _print(done: Recleaned, as_json: bool, quiet: bool) -> None:
    if as_json:
        print_json({
            "snapshot": done.snapshot, "state": done.state, "before": done.before, "derivation": done.derivation,
            "changed": list(done.changed), "words_removed": done.removed, "words_added": done.added,
            "problem": done.problem,
        })  # fmt: skip
        return
    if done.state == "failed":
        note(f"failed #{done.snapshot}: {one_line(done.problem or '')}")
        return
    if done.state == "renewed" and quiet:
        return
    words = f" ({counted(done.removed, 'word')} removed, {done.added:,} added)" if "text" in done.changed else ""
    told = ", ".join(name + words * (name == "text") for name in done.changed) or "nothing but the rules"
    where = f" as #{done.derivation}" if done.derivation is not None else ""
    echo(f"#{done.snapshot} {done.state}{where}: {told}")


def _print_summary(counts: Counter[str], dry_run: bool, as_json: bool, quiet: bool) -> None:
    names = ("changed", "renewed", "same", "current", "failed")
    if as_json:
        print_json({"dry_run": dry_run, **{name: counts[name] for name in names}})
        return
    told = {
        "changed": "would change" if dry_run else "changed",
        "renewed": "the same under newer rules",
        "same": "the same",
        "current": "of this cleaner already",
        "failed": "failed",
    }
    parts = [f"{counts[name]:,} {told[name]}" for name in names if counts[name]]
    note(", ".join(parts) or "no article is there", quiet=quiet)
