"""`muniment status`"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muniment.cli.common import common_options, counted, echo, faint, json_option, open_archive, print_json

if TYPE_CHECKING:
    from muniment.stamping import Tail
from muniment.cli.numbers import human


@click.command()
@json_option
@common_options
@click.pass_context
def status(ctx: click.Context, as_json: bool, quiet: bool) -> None:
    """Tell what the archive holds, how large it is, and whether the index is in step with the log."""
    from muniment import pipeline
    from muniment.stamping import tail

    archive = open_archive(ctx)
    counts = archive.counts()
    index = pipeline.index_state(archive)
    stamps = tail(archive)
    facts: dict[str, Any] = {
        "archive": str(archive.root),
        "origin": archive.config.origin,
        "log_size": archive.size,
        "catalog_behind": archive.lag,
        "articles": archive.catalog.article_count(),
        "versions": archive.progress.articles,
        "snapshots": archive.progress.snapshots,
        "attempts": counts.get("attempt", 0),
        "leaves": dict(counts),
        "bytes": {part: _size(archive.root / part) for part in ("warc", "derived", "log", "index", "quarantine")},
        "index": index,
        "stamped_up_to": stamps.stamped_up_to,
        "stamped_by": stamps.by,
        "stamped_at": stamps.at,
        "stamped_by_others": stamps.others,
        "unanchored_since": stamps.since,
        "unanchored_leaves": stamps.leaves,
        "unanchored_too_long": stamps.is_old(datetime.now(UTC)),
    }
    if as_json:
        print_json(facts)
        return
    rows = {
        "archive": facts["archive"],
        "origin": facts["origin"],
        "log": counted(archive.size, "leaf", "leaves") + (f", {archive.lag} not catalogued yet" if archive.lag else ""),
        "articles": f"{facts['articles']:,}, in {counted(facts['versions'], 'version')}"
        f" and {counted(facts['snapshots'], 'snapshot')}",
        "attempts": f"{facts['attempts']:,} that gave nothing new",
        "size": ", ".join(f"{part} {human(size)}" for part, size in facts["bytes"].items() if size),
        "index": _index_line(index),
        "stamped": _stamped_line(stamps, facts["unanchored_too_long"]),
    }
    for name, value in rows.items():
        echo(f"{faint(f'{name:<9}')} {value}")


def _index_line(index: dict[str, Any]) -> str:
    if index["problem"]:
        return click.style(str(index["problem"]), fg="red")
    held = f"{index['engine']}, holds {index['indexed']:,} of {counted(index['articles'], 'article version')}"
    return held if index["indexed"] == index["articles"] else held + ": it catches up at the next search or add"


def _stamped_line(stamps: Tail, too_long: bool) -> str:
    """By whom the log is held in place; whether those stamps hold is for verify to find."""
    others = ", ".join(stamps.others)
    unnamed = f"by {others}: kept, and vouched for by nobody whom archive.toml names"
    words = unnamed if others else "by nobody outside yet"
    if stamps.stamped_up_to is not None:
        words = f"up to #{stamps.stamped_up_to} by {', '.join(stamps.by)} at {(stamps.at or '')[:19]}Z"
        words += f"; past that {unnamed}" if others else ""
    if stamps.leaves:
        words += f"; {counted(stamps.leaves, 'leaf', 'leaves')} since"
    if too_long:
        words += click.style(f", the oldest of {(stamps.since or '')[:19]}Z: run `muniment stamp`", fg="yellow")
    return words


def _size(path: Path) -> int:
    return sum(file.lstat().st_size for file in path.rglob("*") if file.is_file())
