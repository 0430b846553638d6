"""`muniment jobs status`: how jobs and their sources fare, for people, for programs and for Prometheus"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muniment.cli.common import (
    PATH,
    common_options,
    counted,
    echo,
    faint,
    find_archive,
    json_option,
    one_line,
    print_json,
    strong,
    write,
)
from muniment.cli.terminal import columns, cut, width
from muniment.errors import ItemError, UsageError

if TYPE_CHECKING:
    from muniment.jobs.conditions import Alarm
    from muniment.jobs.health import Row, SourceRow

_COLOURS = {"ok": "green", "new": "cyan", "running": "cyan", "paused": "yellow", "silent": "yellow"}
_HEALTH = 8  # columns
_WIDEST = 60  # columns of a source's address, until those behind it stand in no column any more
_MOST_FINE = 10  # sources of a job that are ok, which nobody needs to read one by one


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--metrics", type=PATH, metavar="FILE", help="Write figures for Prometheus to FILE (- for standard output)."
)
@json_option
@common_options
@click.pass_context
def status(ctx: click.Context, names: tuple[str, ...], metrics: str | None, as_json: bool, quiet: bool) -> None:
    """Tell how the jobs and their sources fare: last run, next run, health; with a NAME, of that job only.

    Ends with 3 where anything is failing, stopped or overdue, or an alarm stands that is more than news of a source.
    """
    from muniment.archive.config import read_config
    from muniment.jobs import health, keeping
    from muniment.jobs.book import Book
    from muniment.jobs.conditions import NEWS, read_only

    check_metrics(metrics, as_json)
    if names and metrics is not None:
        raise UsageError("--metrics are of all jobs: give no name")
    root = find_archive(ctx)
    config = read_config(root)
    if unknown := [name for name in names if name not in keeping.names(root)]:
        raise UsageError(f"there is no job {one_line(unknown[0])!r}: `muniment jobs list` lists those there are")
    if metrics is not None:
        write_metrics(root, config.alerts, metrics)
    book, now = Book(root), datetime.now(UTC)
    stopped = book.stopped()
    rows = [health.row_of(root, name, config.alerts, now, stopped) for name in names or keeping.names(root)]
    standing = [alarm for alarm in book.standing() if not names or alarm.job in names]
    if not names and (alarm := read_only(root)) and alarm.key not in {one.key for one in standing}:
        standing.append(alarm)
    is_healthy = not any(row.is_bad for row in rows) and all(alarm.kind in NEWS for alarm in standing)
    if as_json:
        print_json({
            "jobs": [health.as_json(row) for row in rows],
            "alarms": [{"kind": one.kind, "job": one.job or None, "about": one.about or None, "text": one.text,
                        "since": one.since} for one in standing],
            "healthy": is_healthy,
        })  # fmt: skip
    elif metrics != "-":
        _print_rows(rows, most_fine=None if names else _MOST_FINE)
        for alarm in standing:
            echo(described(alarm))
    if not rows:
        raise UsageError(f"there are no jobs in {root}: `muniment jobs add` makes one")
    ctx.exit(0 if is_healthy else ItemError.exit_code)


def _print_rows(rows: Sequence[Row], most_fine: int | None) -> None:
    margin = max((width(one_line(row.job)) for row in rows), default=0)
    for row in rows:
        _print_row(row, margin)
        fine = [source for source in row.sources if source.health == "ok"]
        shown = fine if most_fine is None or len(fine) <= most_fine + 2 else fine[:most_fine]
        sources = [source for source in row.sources if source.health != "ok"] + shown
        room = min(_WIDEST, max((width(one_line(source.target)) for source in sources), default=0))
        for source in sources:
            _print_source(source, room)
        if len(shown) < len(fine):
            more = f"and {counted(len(fine) - len(shown), 'source')} more"
            echo(f"  {_styled('ok')} {more} {faint(f'(`muniment jobs status {one_line(row.job)}` names them)')}")


def _print_row(row: Row, margin: int) -> None:
    error = "" if any(one.error and row.error.endswith(one.error) for one in row.sources) else row.error  # told below
    last = f"last {row.last.finished}, {row.last.state}, {row.last.new:,} new" if row.last else "never run"
    coming = f"next {row.due}" if row.due else ""
    late = f"late by {row.late / 3600:,.1f} h" if row.health == "overdue" else ""
    said = "; ".join(part for part in (last, coming, late, row.unusual, one_line(error)) if part)
    name = one_line(row.job)
    echo(f"{strong(name)}{' ' * (margin - width(name))}  {_styled(row.health)} {said}")


def _print_source(source: SourceRow, room: int) -> None:
    """On a terminal an address is cut to the line, and what is wrong stands below it."""
    target, why = one_line(source.target), one_line(source.error)
    new = f"new {source.new}" if source.new else "nothing new yet"
    before = f"  {_styled(source.health)} "
    if not sys.stdout.isatty():
        echo(f"{before}{target}{' ' * (room - width(target))}  {new}" + (f"; {why}" if why else ""))
        return
    room = min(room, max(20, columns() - 2 - _HEALTH - 1 - 2 - len("new 2026-11-23T10:00:00Z")))
    target = cut(target, room)
    echo(f"{before}{target}{' ' * (room - width(target))}  {faint(new)}")
    if why:
        echo(f"{' ' * (2 + _HEALTH + 1)}{why}")


def _styled(health: str) -> str:
    return click.style(f"{health:<{_HEALTH}}", fg=_COLOURS.get(health, "red"))


def described(alarm: Alarm) -> str:
    about = " ".join(part for part in (alarm.job, alarm.about) if part)
    named = f"{alarm.kind} {one_line(about)}".strip()
    return f"{click.style('alarm', fg='red')} {named}: {one_line(alarm.text)}"


def check_metrics(path: str | None, as_json: bool) -> None:
    """Before anything is done. Raises UsageError."""
    if path == "-" and as_json:
        raise UsageError("--json and --metrics - both write to standard output: give one of them, or a file")
    if path == "":
        raise UsageError("--metrics needs a file, or - for standard output")
    if path is not None and not Path(path).absolute().parent.is_dir():
        raise UsageError(f"there is no folder {Path(path).absolute().parent} for --metrics: make it first")


def write_metrics(root: Path, settings: Any, path: str) -> None:
    """`path` is - for standard output."""
    from muniment import durable
    from muniment.jobs import health
    from muniment.jobs.book import Book
    from muniment.jobs.conditions import facts_of

    now, book = datetime.now(UTC), Book(root)
    facts, _ = facts_of(root)
    figures = {
        "log_leaves": facts.log_size, "disk_free_bytes": facts.free, "index_lag_articles": facts.lag,
        "unanchored_leaves": facts.unanchored, "alarms": len(book.standing()),
    }  # fmt: skip
    text = health.metrics(health.rows(root, settings, now, book.stopped()), figures, now)
    if path == "-":
        write(text)
    else:
        durable.replace(Path(path), text.encode(), sync=False)
