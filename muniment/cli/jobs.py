"""`muniment jobs`: what is archived by the clock"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from muniment.cli.common import (
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
    write,
)
from muniment.cli.job_adding import add
from muniment.cli.job_running import alert, run
from muniment.cli.job_status import status
from muniment.cli.numbers import Count
from muniment.cli.terminal import width
from muniment.errors import UsageError

_WHEN = len("next 2026-11-23T10:00:00Z")


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
        print_json({**described(root, name), "text": text, "runs": [report_as_json(one) for one in past]})
        return
    if error := described(root, name)["error"]:
        note(f"muniment: {one_line(error)}")
    write("".join(printable(line) + "\n" for line in text.splitlines()))
    for report in past:
        echo()
        for line in summary(report):
            echo(" " * (len(line) - len(line.lstrip(" "))) + one_line(line))


@jobs.command()
@click.argument("name", metavar="NAME")
@json_option
@common_options
@click.pass_context
def pause(ctx: click.Context, name: str, as_json: bool, quiet: bool) -> None:
    """Let a job rest until it is resumed. A run of it that is under way goes on to its end."""
    _set_paused(ctx, name, True, as_json, quiet)


@jobs.command()
@click.argument("name", metavar="NAME")
@json_option
@common_options
@click.pass_context
def resume(ctx: click.Context, name: str, as_json: bool, quiet: bool) -> None:
    """Let a paused job run again."""
    _set_paused(ctx, name, False, as_json, quiet)


def _set_paused(ctx: click.Context, name: str, paused: bool, as_json: bool, quiet: bool) -> None:
    from muniment.jobs import keeping

    root = find_archive(ctx)
    keeping.set_paused(root, name, paused)
    if as_json:
        print_json(described(root, name))
        return
    note(f"{name} {'is paused' if paused else 'runs again'}", quiet=quiet)


@jobs.command()
@click.argument("name", metavar="NAME")
@json_option
@common_options
@click.pass_context
def remove(ctx: click.Context, name: str, as_json: bool, quiet: bool) -> None:
    """Remove a job. What it archived stays, and so do the reports of its runs."""
    from muniment.jobs import keeping

    keeping.remove(find_archive(ctx), name)
    if as_json:
        print_json({"name": name, "removed": True})
        return
    note(f"{name} is removed; the reports of its runs stay in jobs/runs/{name}", quiet=quiet)


@jobs.command()
@click.option("--systemd", "kind", flag_value="systemd", help="A service and a timer.")
@click.option("--cron", "kind", flag_value="cron", help="A line for crontab.")
@click.option("--launchd", "kind", flag_value="launchd", help="A property list for macOS.")
@click.option("--minutes", type=Count(1, 59), default=5, metavar="N", help="Call it every N minutes. Default: 5.")
@click.option("--hours", type=Count(1, 240), default=12, metavar="N", help="End a call after N hours. Default: 12.")
@json_option
@common_options
@click.pass_context
def unit(ctx: click.Context, kind: str | None, minutes: int, hours: int, as_json: bool, quiet: bool) -> None:
    """Print what calls `muniment jobs run --due` by the clock, ready to be put in place."""
    from muniment.jobs.units import command
    from muniment.jobs.units import unit as text_of

    if kind is None:
        raise UsageError("name what is to call it: --systemd, --cron or --launchd")
    root = find_archive(ctx).resolve()
    text = text_of(kind, root, minutes, hours)
    if as_json:
        print_json({"kind": kind, "command": command(root), "text": text})
    else:
        write(text)


def _list(root: Path, as_json: bool, quiet: bool) -> None:
    from muniment.jobs import keeping

    found = [described(root, name) for name in keeping.names(root)]
    fine = [one for one in found if not one["error"]]
    margin = max((width(one_line(one["name"])) for one in found), default=0)
    schedules = max((width(one_line(one["schedule"])) for one in fine), default=0)
    for one in found:
        name = one_line(one["name"])
        head = f"{strong(name)}{' ' * (margin - width(name))}"
        if as_json:
            print_json(one)
        elif one["error"]:
            echo(f"{head}  {click.style('wrong', fg='red')} {one_line(one['error'])}")
        else:
            schedule = one_line(one["schedule"])
            when = "paused" if one["paused"] else f"next {one['next']}"
            what = ", ".join(f"{key} {len(value)}" for key, value in one["targets"].items())
            echo(f"{head}  {faint(schedule)}{' ' * (schedules - width(schedule))}  {when:<{_WHEN}}  {what}")
    if not found:
        note("there are no jobs: `muniment jobs add` makes one", quiet=quiet)


def described(root: Path, name: str) -> dict[str, Any]:
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


for _command in (add, run, status, alert):
    jobs.add_command(_command)
