"""`muniment jobs`: what is archived by the clock"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

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
    printable,
    strong,
    wait_option,
    write,
)
from muniment.cli.numbers import Count, Seconds
from muniment.errors import ItemError, MunimentError, UsageError

if TYPE_CHECKING:
    from muniment.jobs.due import Outcome
    from muniment.jobs.health import Row

F = TypeVar("F", bound=Callable[..., Any])
_PARTLY = ItemError.exit_code
_COLOURS = {"ok": "green", "new": "cyan", "running": "cyan", "paused": "yellow", "silent": "yellow"}


@click.group(invoke_without_command=True)
@json_option
@common_options
@click.pass_context
def jobs(ctx: click.Context, as_json: bool, quiet: bool) -> None:
    """Archive by the clock: feeds, sitemaps, lists, sites, folders, verification. Without a subcommand: list.

    A job is a text, jobs/NAME.toml in the archive. docs/jobs.md.
    """
    if ctx.invoked_subcommand is None:
        _list(find_archive(ctx), as_json, quiet)


def job_options(command: F) -> F:
    many = [
        ("--feed", "feeds", "URL", "Capture what this feed names."),
        ("--sitemap", "sitemaps", "URL", "Capture what this sitemap, or a site's sitemaps, name."),
        ("--crawl", "crawls", "URL", "Capture a site by its links, from this page on."),
        ("--url", "urls", "URL", "Capture this page."),
        ("--list", "lists", "FILE", "Capture the addresses in this file."),
        ("--folder", "folders", "DIR", "Take in what is put into this folder."),
        ("--search", "searches", "NAME", "Tell what is new for this saved search."),
        ("--tag", "tags", "TAG", "Tag the articles."),
        ("--match", "match", "PATTERN", "Only addresses like this."),
        ("--exclude", "exclude", "PATTERN", "No addresses like this."),
        ("--host", "hosts", "HOST", "With --crawl: follow links to this host too."),
    ]
    one = [
        ("--verify", "verify", "SHARE", 'Verify a part of the records in each run: "1%", or 200.'),
        ("--export", "export", "PATH", "Export everything; {date} in PATH is the day of the run."),
        ("--every", "every", "TIME", 'How often: "6 hours", "day".'),
        ("--cron", "cron", "EXPR", 'When, as cron has it: "15 */6 * * *".'),
        ("--timezone", "timezone", "ZONE", "Whose clock that is, such as Europe/Paris. Default: UTC."),
        ("--jitter", "jitter", "TIME", 'Put each run off by up to so long: "10 minutes".'),
        ("--source", "source", "NAME", "Declare the source."),
    ]
    options = [
        *(click.option(*names[:2], multiple=True, metavar=names[2], help=f"{names[3]} May be repeated.")
          for names in many),
        *(click.option(*names[:2], metavar=names[2], help=names[3]) for names in one),
        click.option("--stamp", is_flag=True, help="Have the log time-stamped."),
        click.option("--browser", is_flag=True, help="Load pages in Chromium (needs muniment[browser])."),
        click.option("--requisites", is_flag=True, help="Fetch a page's pictures, styles and scripts too."),
        click.option("--limit", type=Count(1), metavar="N", help="Ask for N pages a run at most, of each kind."),
        click.option("--depth", type=Count(0, 100), metavar="N", help="How many links or listings deep."),
        click.option("--delay", type=Seconds(), metavar="SECONDS", help="Between two requests to a host. Default: 1."),
        click.option("--no-revisit", is_flag=True, help="Do not look at articles again."),
        click.option("--resolve", multiple=True, metavar="HOST:ADDRESS", help="Connect to ADDRESS for HOST."),
        click.option("--allow-private", is_flag=True, help="Fetch from addresses that are not public too."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@jobs.command()
@click.argument("name", metavar="NAME")
@job_options
@click.option("--replace", is_flag=True, help="In place of the job of that name.")
@json_option
@common_options
@click.pass_context
def add(ctx: click.Context, /, name: str, **options: Any) -> None:
    """Make a job, as jobs/NAME.toml in the archive: a text that you may change.

    The first run is at the next time of its schedule; `muniment jobs run NAME` runs it now.
    """
    from muniment.jobs import keeping
    from muniment.jobs.job import check_name, format_job

    root = find_archive(ctx)
    if keeping.job_file(root, check_name(name)).exists() and not options["replace"]:
        raise UsageError(f"there is a job {name!r} already: use --replace, or another name")
    job = keeping.write(root, name, format_job(_table(options)))
    if options["as_json"]:
        print_json(_described(root, name))
        return
    now = datetime.now(UTC)
    following = job.schedule.next_run(now, now)
    note(f"{name} is kept: it runs at {following:%Y-%m-%dT%H:%M:%SZ} first, where `muniment jobs run --due`"
         " is called by then (`muniment jobs unit` prints what calls it)", quiet=options["quiet"])  # fmt: skip


def _table(options: dict[str, Any]) -> dict[str, Any]:
    """The file's keys and values. Raises UsageError."""
    if (options["every"] is None) == (options["cron"] is None):
        raise UsageError('say when: --every "6 hours" or --cron "15 */6 * * *"')
    plain = ("timezone", "jitter", "feeds", "sitemaps", "crawls", "urls", "lists", "folders", "searches", "stamp",
             "source", "tags", "match", "exclude", "hosts", "browser", "requisites", "resolve",
             "allow_private")  # fmt: skip
    every = options["every"]
    table: dict[str, Any] = {"schedule": options["cron"] or f"every {every.removeprefix('every ')}"}
    table |= {key: options[key] for key in plain if options[key]}
    for key in ("folders", "lists"):  # as seen from here, and not from where the job runs
        if key in table:
            table[key] = tuple(str(Path(path).absolute()) for path in table[key])
    if options["verify"]:
        table["verify"] = int(options["verify"]) if options["verify"].isdecimal() else options["verify"]
    limits = {"pages": options["limit"], "depth": options["depth"], "delay": options["delay"]}
    table["limits"] = {key: value for key, value in limits.items() if value is not None}
    if options["export"]:
        table["export"] = {"path": options["export"], "format": _form_of(options["export"])}
    if options["no_revisit"]:
        table["revisit"] = False
    return table


def _form_of(path: str) -> str:
    ends = {".wacz": "wacz", ".warc": "warc", ".warc.gz": "warc", ".jsonl": "jsonl", ".csv": "csv"}
    return next((form for end, form in ends.items() if path.endswith(end)), "bagit")


@jobs.command(name="list")
@json_option
@common_options
@click.pass_context
def list_(ctx: click.Context, as_json: bool, quiet: bool) -> None:
    """List the jobs, and when each runs."""
    _list(find_archive(ctx), as_json, quiet)


@jobs.command()
@click.argument("name", metavar="NAME")
@click.option("--runs", "count", type=Count(0), default=3, metavar="N", help="Show the last N runs. Default: 3.")
@json_option
@common_options
@click.pass_context
def show(ctx: click.Context, name: str, count: int, as_json: bool, quiet: bool) -> None:
    """Show a job, and its last runs."""
    from muniment.jobs import keeping
    from muniment.jobs.report import as_json as report_as_json
    from muniment.jobs.report import summary

    root = find_archive(ctx)
    text = keeping.text_of(root, name)
    past = keeping.reports(root, name, count) if count else []
    if as_json:
        print_json({**_described(root, name), "text": text, "runs": [report_as_json(one) for one in past]})
        return
    write("".join(printable(line) + "\n" for line in text.splitlines()))
    for report in past:
        echo()
        for line in summary(report):
            echo(one_line(line) if not line.startswith(" ") else f"  {one_line(line)}")


@jobs.command()
@click.argument("name", metavar="NAME")
@common_options
@click.pass_context
def pause(ctx: click.Context, name: str, quiet: bool) -> None:
    """Let a job rest until it is resumed."""
    _set_paused(ctx, name, True, quiet)


@jobs.command()
@click.argument("name", metavar="NAME")
@common_options
@click.pass_context
def resume(ctx: click.Context, name: str, quiet: bool) -> None:
    """Let a paused job run again."""
    _set_paused(ctx, name, False, quiet)


def _set_paused(ctx: click.Context, name: str, paused: bool, quiet: bool) -> None:
    from muniment.jobs import keeping

    keeping.set_paused(find_archive(ctx), name, paused)
    note(f"{name} {'is paused' if paused else 'runs again'}", quiet=quiet)


@jobs.command()
@click.argument("name", metavar="NAME")
@common_options
@click.pass_context
def remove(ctx: click.Context, name: str, quiet: bool) -> None:
    """Remove a job. What it archived stays, and so do the reports of its runs."""
    from muniment.jobs import keeping

    keeping.remove(find_archive(ctx), name)
    note(f"{name} is removed; the reports of its runs stay in jobs/runs/{name}", quiet=quiet)


@jobs.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--due", is_flag=True, help="Run what is due, then end: for cron and timers.")
@click.option("--forever", is_flag=True, help="Run what is due whenever it is, in the foreground.")
@click.option("--take-over", is_flag=True, help="Go on in place of a run on another host that is dead.")
@click.option("--metrics", type=PATH, metavar="FILE", help="Write figures for Prometheus to FILE afterwards.")
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
    root = find_archive(ctx)
    with _stoppable():
        if options["forever"]:
            _forever(root, options)
            return
        ctx.exit(_run(root, names, options))


@contextmanager
def _stoppable() -> Iterator[None]:
    """A SIGTERM stops as Control-C does: what is under way goes on at the next call."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _forever(root: Path, options: dict[str, Any]) -> None:
    from muniment.jobs.due import run_forever

    def do() -> bool:
        try:
            _run(root, (), options)
        except MunimentError as e:
            note(f"muniment: {one_line(str(e))}")
            return False
        return True

    note("runs what is due until it is stopped; Control-C stops it", quiet=options["quiet"] or not sys.stderr.isatty())
    run_forever(root, _world(options), do)


def _world(options: dict[str, Any]) -> Any:
    from muniment.jobs.running import World

    return World(processes=options["processes"])


def _run(root: Path, names: Sequence[str], options: dict[str, Any]) -> int:
    from muniment.archive.config import read_config
    from muniment.jobs import alarms
    from muniment.jobs.due import run_due

    config = read_config(root)

    def after(outcomes: Sequence[Outcome]) -> None:
        book = alarms.watch(root, config.origin, config.alerts, outcomes, datetime.now(UTC))
        for alarm in book.standing():
            about = " ".join(part for part in (alarm.job, alarm.about) if part)
            note(f"{click.style('alarm', fg='red')} {alarm.kind} {one_line(about)}: {one_line(alarm.text)}",
                 quiet=options["quiet"] or options["as_json"])  # fmt: skip
        if options["metrics"]:
            _write_metrics(root, config.alerts, Path(options["metrics"]))

    code = done = 0
    for outcome in run_due(root, _world(options), names, wait=options["wait"], take_over=options["take_over"],
                           after=after):  # fmt: skip
        done += 1
        code = max(code, _tell(outcome, options))
    if not done:
        note("nothing is due", quiet=options["quiet"])
    return code


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
    elif not options["quiet"] or report.state != "done":
        for line in summary(report):
            echo(("  " if line.startswith(" ") else "") + one_line(line))
    return 0 if report.state == "done" else _PARTLY


@jobs.command()
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

    root = find_archive(ctx)
    config = read_config(root)
    if metrics is not None:
        _write_metrics(root, config.alerts, None if metrics == "-" else Path(metrics))
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
            about = " ".join(part for part in (alarm.job, alarm.about) if part)
            echo(f"{click.style('alarm', fg='red')} {alarm.kind} {one_line(about)}: {one_line(alarm.text)}")
        if not rows:
            note("there are no jobs: `muniment jobs add` makes one", quiet=quiet)
    ctx.exit(_PARTLY if any(row.is_bad for row in rows) else 0)


def _print_row(row: Row) -> None:
    health = click.style(f"{row.health:<8}", fg=_COLOURS.get(row.health, "red"))
    last = f"last {row.last.finished}, {row.last.state}, {row.last.new:,} new" if row.last else "never run"
    coming = f"next {row.due}" if row.due else ""
    late = f"late by {row.late / 3600:,.1f} h" if row.health == "overdue" else ""
    said = "; ".join(part for part in (last, coming, late, row.unusual, one_line(row.error)) if part)
    echo(f"{strong(row.job)}  {health} {said}")
    for source in row.sources:
        shown = click.style(f"{source.health:<8}", fg=_COLOURS.get(source.health, "red"))
        new = f"new {source.new}" if source.new else "nothing new yet"
        why = f"; {one_line(source.error)}" if source.error else ""
        echo(f"  {shown} {one_line(source.target)}  {faint(new)}{why}")


def _write_metrics(root: Path, settings: Any, path: Path | None) -> None:
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
    if path is None:
        write(text)
    else:
        durable.replace(path, text.encode(), sync=False)


@jobs.command()
@click.option("--systemd", "kind", flag_value="systemd", help="A service and a timer.")
@click.option("--cron", "kind", flag_value="cron", help="A line for crontab.")
@click.option("--launchd", "kind", flag_value="launchd", help="A property list for macOS.")
@click.option("--minutes", type=Count(1, 59), default=5, metavar="N", help="Call it every N minutes. Default: 5.")
@click.option("--hours", type=Count(1, 240), default=12, metavar="N", help="End a call after N hours. Default: 12.")
@common_options
@click.pass_context
def unit(ctx: click.Context, kind: str | None, minutes: int, hours: int, quiet: bool) -> None:
    """Print what calls `muniment jobs run --due` by the clock, ready to be put in place."""
    from muniment.jobs.units import unit as text_of

    if kind is None:
        raise UsageError("name what is to call it: --systemd, --cron or --launchd")
    write(text_of(kind, find_archive(ctx).resolve(), minutes, hours))


@jobs.command()
@click.option("--test", is_flag=True, required=True, help="Send a test by every channel.")
@click.argument("name", required=False, metavar="[NAME]")
@common_options
@click.pass_context
def alert(ctx: click.Context, test: bool, name: str | None, quiet: bool) -> None:
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
        if problem:
            note(f"{click.style('failed', fg='red')} {channel}: {one_line(problem)}")
        else:
            echo(f"{click.style('sent', fg='green')} {channel}")
    if not tried:
        raise UsageError("no channel is set: name one under [alerts] in archive.toml (see docs/jobs.md)")
    ctx.exit(_PARTLY if any(tried.values()) else 0)


def _list(root: Path, as_json: bool, quiet: bool) -> None:
    from muniment.jobs import keeping

    found = keeping.names(root)
    for name in found:
        described = _described(root, name)
        if as_json:
            print_json(described)
        elif described["error"]:
            echo(f"{strong(name)}  {click.style('wrong', fg='red')} {one_line(described['error'])}")
        else:
            when = "paused" if described["paused"] else f"next {described['next']}"
            what = ", ".join(f"{key} {len(value)}" for key, value in described["targets"].items())
            echo(f"{strong(name)}  {faint(one_line(described['schedule']))}  {when}  {what}")
    if not found:
        note("there are no jobs: `muniment jobs add` makes one", quiet=quiet)


def _described(root: Path, name: str) -> dict[str, Any]:
    """A job as JSON; or what is wrong with it."""
    from muniment.jobs import keeping
    from muniment.jobs.job import LISTS
    from muniment.jobs.report import iso

    try:
        job = keeping.read(root, name)
    except UsageError as e:
        return {"name": name, "error": str(e)}
    now = datetime.now(UTC)
    state = keeping.state_of(root, name)
    targets: dict[str, Any] = {key: list(getattr(job, key)) for key in LISTS if getattr(job, key)}
    targets |= {key: [value] for key in ("verify", "stamp", "export") if (value := getattr(job, key))}
    if job.export is not None:
        targets["export"] = [job.export.path]
    return {
        "name": name, "schedule": job.schedule.text, "timezone": job.schedule.zone.key, "paused": job.paused,
        "next": None if job.paused else iso(job.schedule.next_run(state.last(now), now)), "targets": targets,
        "last_due": state.due or None, "running": state.running is not None, "error": None,
    }  # fmt: skip
