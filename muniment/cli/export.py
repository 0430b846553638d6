"""`muniment export`"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muniment.cli.common import PATH, common_options, counted, json_option, note, one_line, open_archive, print_json
from muniment.cli.numbers import NUMBER
from muniment.errors import ItemError, UsageError

if TYPE_CHECKING:
    from muniment.archive.archive import Archive
    from muniment.export.job import Job
    from muniment.export.members import Members
    from muniment.export.selection import Selection

FORMATS = ("wacz", "warc", "bagit", "jsonl", "csv")
_STREAMED = ("warc", "jsonl", "csv")


@click.command()
@click.argument("numbers", nargs=-1, type=NUMBER, metavar="[N]...")
@click.option("--format", "form", type=click.Choice(FORMATS), required=True, help="What to write.")
@click.option(
    "-o", "--output", required=True, type=PATH, metavar="PATH",
    help="The file, with bagit the folder, to write; - for standard output (warc, jsonl, csv).",
)  # fmt: skip
@click.option("--query", metavar="QUERY", help="What this search finds, one version an article.")
@click.option("--versions", is_flag=True, help="With --query: every version that matches.")
@click.option("--derived", is_flag=True, help="With warc: the cleaned texts, and not what was captured.")
@click.option("--force", is_flag=True, help="Take the place of what is there already.")
@json_option
@common_options
@click.pass_context
def export(
    ctx: click.Context,
    /,
    numbers: tuple[int, ...],
    form: str,
    output: str,
    query: str | None,
    versions: bool,
    derived: bool,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Export the snapshots N, what a search finds, or everything, for other tools. docs/export.md tells the formats.

    What replay needs comes with a snapshot: the redirects that led there, and the capture that a revisit refers to.

    Ends with 0, with 1 where nothing matched, with 3 where damaged snapshots, each named, had to be left out.
    """
    _check(form, output, numbers, query, versions, derived)
    from muniment import exporting

    target = Path(output)
    if output != "-":
        exporting.check_target(target, form, force)
    archive = open_archive(ctx)
    with _members(archive) as members:
        selection = exporting.select(archive, members, numbers, query, versions)
        wanted = selection.derived if derived else selection.snapshots
        if not wanted:
            note("nothing matched, and nothing was written")
            ctx.exit(1)
        job = _job(archive, members, selection, show=sys.stderr.isatty() and not quiet)
        with _stoppable():
            if output == "-":
                exporting.write_file(job, form, sys.stdout.buffer, "stdout.warc.gz", derived=derived)
                sys.stdout.buffer.flush()
            else:
                exporting.write(job, form, target, derived=derived)
    _report(job, form, output, as_json, quiet)
    ctx.exit(ItemError.exit_code if job.damaged else 0)


def _check(form: str, output: str, numbers: tuple[int, ...], query: str | None, versions: bool, derived: bool) -> None:
    if numbers and query is not None:
        raise UsageError("give numbers of snapshots or --query, not both")
    if versions and query is None:
        raise UsageError("--versions goes with --query")
    if derived and form != "warc":
        raise UsageError("--derived goes with --format warc: the other formats hold the texts anyhow")
    if output == "-" and form not in _STREAMED:
        raise UsageError(f"--format {form} cannot be written to standard output: name a path with -o")
    if output == "-" and form == "warc" and sys.stdout.isatty():
        raise UsageError("a WARC file is no text for a terminal: name a path with -o, or lead it into a pipe")


def _members(archive: Archive) -> Members:
    from muniment.export.members import Members

    return Members(archive)


def _job(archive: Archive, members: Members, selection: Selection, *, show: bool) -> Job:
    from muniment.export.job import Job

    shown = -1

    def progress(share: float) -> None:
        nonlocal shown
        if show and int(100 * share) != shown:
            shown = int(100 * share)
            click.echo(f"\r\033[Kexporting {shown:3d}%", nl=False, err=True)

    return Job(archive, members, selection, datetime.now(UTC), progress=progress)


@contextmanager
def _stoppable() -> Iterator[None]:
    """A SIGTERM, or a terminal that is closed, stops as Control-C does: what was begun is taken away again."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report(job: Job, form: str, output: str, as_json: bool, quiet: bool) -> None:
    if sys.stderr.isatty() and not quiet:
        click.echo("\r\033[K", nl=False, err=True)
    for number, problem in sorted(job.damaged.items()):
        note(f"left out #{number}: {one_line(problem)}")
    if as_json and output != "-":
        print_json(
            {
                "format": form,
                "path": str(Path(output).absolute()),
                "snapshots": len(set(job.selection.snapshots) - job.damaged.keys()),
                "damaged": sorted(job.damaged),
                "log_size": job.checkpoint.size,
                "root": job.root_hash,
            }
        )
        return
    done = counted(len(set(job.selection.snapshots) - job.damaged.keys()), "snapshot")
    left = f", {len(job.damaged)} left out as damaged" if job.damaged else ""
    note(f"{done} exported{left}", quiet=quiet)
