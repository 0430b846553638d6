"""`muniment jobs run` and `alert`: what is due, how it went, and who is told"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muniment.cli.common import (
    PATH,
    common_options,
    echo,
    find_archive,
    json_option,
    note,
    one_line,
    print_json,
    wait_option,
)
from muniment.cli.job_status import check_metrics, described, write_metrics
from muniment.cli.numbers import Count
from muniment.errors import ItemError, MunimentError, UsageError

if TYPE_CHECKING:
    from muniment.jobs.due import Outcome
    from muniment.jobs.pool import Pool

_PARTLY = ItemError.exit_code


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

    Ends with 0 where all went well or nothing was due, 2 where a job's file or [alerts] is wrong, 3 where a part could
    not be done, 11 where another run is at it, 14 where the disk is full: the run goes on at the next call.
    """
    chosen = (bool(names), options["due"], options["forever"])
    if sum(chosen) != 1:
        raise UsageError("name the jobs to run, or give --due, or --forever")
    if options["forever"] and options["stop_after"]:
        raise UsageError("--forever ends when it is stopped, and --stop-after stops a single call: give one of them")
    if options["metrics"] == "-" and options["forever"]:
        raise UsageError("--metrics - writes to standard output once, and --forever has no end: give a file")
    check_metrics(options["metrics"], options["as_json"])
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
            if str(e) not in options["shown"]:
                options["shown"].add(str(e))
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
    settings, is_wrong = _settings(config.alerts, options["shown"])
    # Whoever runs a job by hand beside --forever is waited for, so that what is due meanwhile is begun right after.
    wait = max(options["wait"], LONGEST_SLEEP if options["forever"] else 0.0)

    def after(outcomes: Sequence[Outcome]) -> None:
        book = alarms.watch(root, config.origin, settings, outcomes, datetime.now(UTC))
        for alarm in book.standing():
            if (alarm.key, alarm.since) not in options["shown"]:  # once, where it runs forever
                options["shown"].add((alarm.key, alarm.since))
                note(described(alarm), quiet=options["quiet"] or options["as_json"])
        if options["metrics"] is not None:
            write_metrics(root, settings, options["metrics"])

    code = done = 0
    world = World(processes=options["processes"], pool=pool)
    for outcome in run_due(root, world, names, wait=wait, take_over=options["take_over"], after=after):
        done += 1
        code = max(code, _tell(outcome, options))
    if not done and not options["forever"]:
        from muniment.jobs import keeping

        if not keeping.names(root):  # who has it called has jobs, or had them
            raise UsageError(f"there are no jobs in {root}: `muniment jobs add` makes one")
        note("nothing is due", quiet=options["quiet"])
    return UsageError.exit_code if is_wrong else code


def _settings(table: Mapping[str, Any], shown: set[Any]) -> tuple[Mapping[str, Any], bool]:
    """`[alerts]` of archive.toml, and whether they are wrong, which is said once: then what is wrong is remembered, and
    told once they are put right. A typo there must not keep anything from being run."""
    from muniment.jobs.alerts import alerts_of

    try:
        alerts_of(table)
    except UsageError as e:
        if str(e) not in shown:
            shown.add(str(e))
            note(f"muniment: {one_line(str(e))}")
        return {}, True
    return table, False


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
