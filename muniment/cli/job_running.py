"""`muniment jobs run`, `status` and `alert`: what is due, how it went, and who is told"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muniment.cli.common import (
    PATH,
    common_options,
    echo,
    faint,
    find_archive,
    json_option,
    note,
    one_line,
    print_json,
    strong,
    wait_option,
    write,
)
from muniment.cli.numbers import Count
from muniment.errors import ItemError, MunimentError, UsageError

if TYPE_CHECKING:
    from muniment.jobs.conditions import Alarm
    from muniment.jobs.due import Outcome
    from muniment.jobs.health import Row
    from muniment.jobs.pool import Pool

_PARTLY = ItemError.exit_code
_COLOURS = {"ok": "green", "new": "cyan", "running": "cyan", "paused": "yellow", "silent": "yellow"}


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--due", is_flag=True, help="Run what is due, then end: for cron and timers.")
@click.option("--forever", is_flag=True, help="Run what is due whenever it is, in the foreground.")
@click.option("--take-over", is_flag=True, help="Go on in place of a run on another host that is dead.")
@click.option(
    "--metrics",
    type=PATH,
    metavar="FILE",
    help="Write figures for Prometheus to FILE afterwards (- for standard output).",
)
@click.option("--stop-after", type=Count(1, 240), metavar="HOURS", help="Stop after so long; the next call goes on.")
@click.option("--processes", type=Count(1, 64), metavar="N", help="Clean in N processes. Default: one a core.")
@wait_option
@json_option
@common_options
@click.pass_context
def run(ctx: click.Context, /, names: tuple[str, ...], **options: Any) -> None:
    """Run jobs: those that are named, now; with --due those whose time has come. What was cut off goes on.

    Ends with 0 where all went well or nothing was due, 2 where a job's file is wrong, 3 where a part could not be done,
    11 where another run is at it, 14 where the disk is full: the run goes on at the next call.
    """
    chosen = (bool(names), options["due"], options["forever"])
    if sum(chosen) != 1:
        raise UsageError("name the jobs to run, or give --due, or --forever")
    if options["forever"] and options["stop_after"]:
        raise UsageError("--forever ends when it is stopped, and --stop-after stops a single call: give one of them")
    if options["metrics"] == "-" and options["forever"]:
        raise UsageError("--metrics - writes to standard output once, and --forever has no end: give a file")
    _check_metrics(options["metrics"], options["as_json"])
    root, options["shown"] = find_archive(ctx), set()
    from muniment.jobs.pool import Pool

    with _stoppable(options["stop_after"]), closing(Pool(options["processes"])) as pool:
        if options["forever"]:
            _forever(root, pool, options)
            return
        ctx.exit(_run(root, tuple(dict.fromkeys(names)), pool, options))


@contextmanager
def _stoppable(hours: int | None) -> Iterator[None]:
    """A SIGTERM, and the end of the hours, stop as Control-C does: what is under way goes on at the next call."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGALRM)}
    signal.alarm(3600 * (hours or 0))
    try:
        yield
    finally:
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _forever(root: Path, pool: Pool, options: dict[str, Any]) -> None:
    import time

    from muniment.jobs.due import run_forever
    from muniment.jobs.running import World

    def do() -> bool:
        try:
            return _run(root, (), pool, options) in (0, UsageError.exit_code, _PARTLY)
        except MunimentError as e:
            note(f"muniment: {one_line(str(e))}")
            return False

    def sleep(seconds: float) -> None:
        pool.rest(seconds)
        time.sleep(seconds)

    note("runs what is due until it is stopped; Control-C stops it", quiet=options["quiet"] or not sys.stderr.isatty())
    run_forever(root, World(), do, sleep=sleep)


def _run(root: Path, names: Sequence[str], pool: Pool, options: dict[str, Any]) -> int:
    from muniment.archive.config import read_config
    from muniment.jobs import alarms
    from muniment.jobs.due import LONGEST_SLEEP, run_due
    from muniment.jobs.running import World

    config = read_config(root)
    # Whoever runs a job by hand beside --forever is waited for, so that what is due meanwhile is begun right after.
    wait = max(options["wait"], LONGEST_SLEEP if options["forever"] else 0.0)

    def after(outcomes: Sequence[Outcome]) -> None:
        book = alarms.watch(root, config.origin, config.alerts, outcomes, datetime.now(UTC))
        for alarm in book.standing():
            if (alarm.key, alarm.since) not in options["shown"]:  # once, where it runs forever
                options["shown"].add((alarm.key, alarm.since))
                note(_described(alarm), quiet=options["quiet"] or options["as_json"])
        if options["metrics"] is not None:
            _write_metrics(root, config.alerts, options["metrics"])

    code = done = 0
    world = World(processes=options["processes"], pool=pool)
    for outcome in run_due(root, world, names, wait=wait, take_over=options["take_over"], after=after):
        done += 1
        code = max(code, _tell(outcome, options))
    if not done and not options["forever"]:
        note("nothing is due", quiet=options["quiet"])
    return code


def _described(alarm: Alarm) -> str:
    about = " ".join(part for part in (alarm.job, alarm.about) if part)
    named = f"{alarm.kind} {one_line(about)}".strip()
    return f"{click.style('alarm', fg='red')} {named}: {one_line(alarm.text)}"


def _tell(outcome: Outcome, options: dict[str, Any]) -> int:
    """Prints what came of a job; returns the exit code that this makes."""
    from muniment.jobs.report import as_json, summary

    if outcome.report is None:
        error = outcome.error
        note(f"muniment: {one_line(str(error))}")
        if options["as_json"]:
            print_json({"job": outcome.job, "state": "failed", "error": str(error)})
        return error.exit_code if error else _PARTLY
    report = outcome.report
    if options["as_json"]:
        print_json(as_json(report))
    elif not options["quiet"] or report.state == "failed" or report.errors:  # a page that is gone is no news at night
        say = note if options["metrics"] == "-" else echo
        for line in summary(report):
            say(" " * (len(line) - len(line.lstrip(" "))) + one_line(line))
    return 0 if report.state == "done" else _PARTLY


@click.command()
@click.option(
    "--metrics", type=PATH, metavar="FILE", help="Write figures for Prometheus to FILE (- for standard output)."
)
@json_option
@common_options
@click.pass_context
def status(ctx: click.Context, metrics: str | None, as_json: bool, quiet: bool) -> None:
    """Tell how the jobs and their sources fare: last run, next run, health.

    Ends with 3 where anything is failing or overdue.
    """
    from muniment.archive.config import read_config
    from muniment.jobs import health
    from muniment.jobs.alarms import Book

    _check_metrics(metrics, as_json)
    root = find_archive(ctx)
    config = read_config(root)
    if metrics is not None:
        _write_metrics(root, config.alerts, metrics)
    rows = health.rows(root, config.alerts, datetime.now(UTC))
    standing = Book(root).standing()
    if as_json:
        print_json({
            "jobs": [health.as_json(row) for row in rows],
            "alarms": [{"kind": one.kind, "job": one.job or None, "about": one.about or None, "text": one.text,
                        "since": one.since} for one in standing],
            "healthy": not any(row.is_bad for row in rows),
        })  # fmt: skip
    elif metrics != "-":
        for row in rows:
            _print_row(row)
        for alarm in standing:
            echo(_described(alarm))
        if not rows:
            note("there are no jobs: `muniment jobs add` makes one", quiet=quiet)
    ctx.exit(_PARTLY if any(row.is_bad for row in rows) else 0)


def _print_row(row: Row) -> None:
    error = "" if any(one.error and row.error.endswith(one.error) for one in row.sources) else row.error  # told below
    health = click.style(f"{row.health:<8}", fg=_COLOURS.get(row.health, "red"))
    last = f"last {row.last.finished}, {row.last.state}, {row.last.new:,} new" if row.last else "never run"
    coming = f"next {row.due}" if row.due else ""
    late = f"late by {row.late / 3600:,.1f} h" if row.health == "overdue" else ""
    said = "; ".join(part for part in (last, coming, late, row.unusual, one_line(error)) if part)
    echo(f"{strong(row.job)}  {health} {said}")
    for source in row.sources:
        shown = click.style(f"{source.health:<8}", fg=_COLOURS.get(source.health, "red"))
        new = f"new {source.new}" if source.new else "nothing new yet"
        why = f"; {one_line(source.error)}" if source.error else ""
        echo(f"  {shown} {one_line(source.target)}  {faint(new)}{why}")


def _check_metrics(path: str | None, as_json: bool) -> None:
    """Before anything is done. Raises UsageError."""
    if path == "-" and as_json:
        raise UsageError("--json and --metrics - both write to standard output: give one of them, or a file")
    if path == "":
        raise UsageError("--metrics needs a file, or - for standard output")
    if path is not None and not Path(path).absolute().parent.is_dir():
        raise UsageError(f"there is no folder {Path(path).absolute().parent} for --metrics: make it first")


def _write_metrics(root: Path, settings: Any, path: str) -> None:
    """`path` is - for standard output."""
    from muniment import durable
    from muniment.jobs import health
    from muniment.jobs.alarms import Book
    from muniment.jobs.conditions import facts_of

    now = datetime.now(UTC)
    facts, _ = facts_of(root)
    figures = {
        "log_leaves": facts.log_size, "disk_free_bytes": facts.free, "index_lag_articles": facts.lag,
        "unanchored_leaves": facts.unanchored, "alarms": len(Book(root).standing()),
    }  # fmt: skip
    text = health.metrics(health.rows(root, settings, now), figures, now)
    if path == "-":
        write(text)
    else:
        durable.replace(Path(path), text.encode(), sync=False)


@click.command()
@click.option("--test", is_flag=True, required=True, help="Send a test by every channel.")
@click.argument("name", required=False, metavar="[NAME]")
@json_option
@common_options
@click.pass_context
def alert(ctx: click.Context, test: bool, name: str | None, as_json: bool, quiet: bool) -> None:
    """Try the channels by which alarms are told: those of archive.toml, or of the job NAME."""
    from muniment.archive.config import read_config
    from muniment.jobs import keeping
    from muniment.jobs.alarms import try_channels
    from muniment.jobs.alerts import alerts_of

    root = find_archive(ctx)
    config = read_config(root)
    to = alerts_of(config.alerts, keeping.read(root, name) if name else None)
    tried = try_channels(config.origin, name or "", to, datetime.now(UTC))
    for channel, problem in tried.items():
        if as_json:
            print_json({"channel": channel, "sent": not problem, "error": problem or None})
        elif problem:
            note(f"{click.style('failed', fg='red')} {channel}: {one_line(problem)}")
        else:
            echo(f"{click.style('sent', fg='green')} {channel}")
    if not tried:
        raise UsageError("no channel is set: name one under [alerts] in archive.toml (see docs/jobs.md)")
    ctx.exit(_PARTLY if any(tried.values()) else 0)
