"""`muniment doctor`"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
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
    note,
    one_line,
    print_json,
    strong,
)
from muniment.cli.progress import end_progress, progress_line
from muniment.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    from muniment.doctor import Step

_SHOWN = 20


@click.command()
@click.argument("findings", required=False, type=PATH, metavar="[FILE]")
@click.option("--full", is_flag=True, help="Verify everything first, which takes a while.")
@json_option
@common_options
@click.pass_context
def doctor(ctx: click.Context, findings: str | None, full: bool, as_json: bool, quiet: bool) -> None:
    """Tell what to do next: about damage, caches, keys, anchors and the disk.

    FILE holds what `muniment verify --json` printed (- for standard input). Ends with exit code 10 where something is
    damaged.
    """
    from muniment import doctor as advice

    if findings and full:
        raise UsageError("--full verifies by itself: leave out FILE")
    root = find_archive(ctx)
    given = _read(findings) if findings else _verified(root, quiet or as_json) if full else iter(())
    steps = advice.in_order([*advice.steps_for(given), *advice.look(root), *_jobs(root)])
    for number, step in enumerate(steps, 1):
        if as_json:
            print_json(asdict(step))
        else:
            _print(number, step)
    if not steps:
        seen = "" if full or findings else " that shows at a glance; `muniment doctor --full` reads everything"
        note(f"nothing to do{seen}", quiet=quiet)
    ctx.exit(IntegrityError.exit_code if any(step.kind == "damage" for step in steps) else 0)


def _jobs(root: Path) -> Iterator[Step]:
    """What keeps the jobs from being done."""
    from datetime import UTC, datetime

    from muniment.archive.config import read_config
    from muniment.doctor import Step
    from muniment.jobs import health
    from muniment.jobs.book import Book

    try:
        rows = health.rows(root, read_config(root).alerts, datetime.now(UTC), Book(root).stopped())
    except UsageError as e:
        yield Step("care", "alerts", str(e), "put it right: until then nobody is told of alarms",
                   "muniment jobs alert --test")  # fmt: skip
        return
    named = {word: ", ".join(row.job for row in rows if row.health == word) for word in health.BAD}
    if named["overdue"]:
        yield Step("care", "jobs-overdue", f"nobody runs what is due: {named['overdue']}",
                   "have `muniment jobs run --due` called by the clock, or see why it ends early",
                   "muniment jobs unit --systemd")  # fmt: skip
    for row in rows:
        if row.health == "stopped":
            yield Step("care", "job-stopped", f"the run of {row.job} was ended: {row.error}",
                       "put that right: it goes on at the next call of `muniment jobs run --due`")  # fmt: skip
        if row.health == "wrong":
            yield Step("care", "job-wrong", row.error, "put that line right: until then the job is not run")
    if named["failing"]:
        yield Step(
            "care", "jobs-failing", f"the last runs failed: {named['failing']}", "see why", "muniment jobs status"
        )


def _print(number: int, step: Step) -> None:
    echo(f"{number}. {strong(step.name)}: {one_line(step.what)}")
    echo(f"   {one_line(step.do)}")
    if step.command:
        echo(f"   $ {one_line(step.command)}")
    for place in step.places[:_SHOWN]:
        echo(f"   {faint(one_line(place))}")
    if len(step.places) > _SHOWN:
        echo(faint(f"   and {len(step.places) - _SHOWN:,} more: --json lists them"))
    if step.snapshots:
        shown = " ".join(f"#{snapshot}" for snapshot in step.snapshots[:_SHOWN])
        more = " …" if len(step.snapshots) > _SHOWN else ""
        echo(f"   touches {counted(len(step.snapshots), 'leaf', 'leaves')}: {shown}{more}")


def _read(path: str) -> Iterator[dict[str, Any]]:
    """The lines of `verify --json`. Raises UsageError where one is none."""
    name = "standard input" if path == "-" else one_line(path)
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as e:
        raise UsageError(f"cannot read {name}: {e.strerror}") from e
    for number, line in enumerate(data.splitlines(), 1):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as e:
            raise UsageError(f"{name}, line {number}: not what `muniment verify --json` prints") from e
        if isinstance(value, dict):
            yield value


def _verified(root: Path, quiet: bool) -> Iterator[dict[str, Any]]:
    from muniment.archive.config import read_config
    from muniment.archive.verify import Request, Verification

    request = Request(progress=progress_line("verifying", quiet))
    for finding in Verification(root, read_config(root), request).run():
        yield asdict(finding)
    end_progress()
