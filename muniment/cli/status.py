"""`muniment status`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from muniment.cli.common import common_options, counted, echo, faint, json_option, open_archive, print_json


@click.command()
@json_option
@common_options
@click.pass_context
def status(ctx: click.Context, as_json: bool, quiet: bool) -> None:
    """Tell what the archive holds, how large it is, and whether the index is in step with the log."""
    from muniment import pipeline

    archive = open_archive(ctx)
    counts = archive.counts()
    index = pipeline.index_state(archive)
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
        "attempts": f"{facts['attempts']:,} that gave nothing",
        "size": ", ".join(f"{part} {_human(size)}" for part, size in facts["bytes"].items() if size),
        "index": _index_line(index),
    }
    for name, value in rows.items():
        echo(f"{faint(f'{name:<9}')} {value}")


def _index_line(index: dict[str, Any]) -> str:
    if index["problem"]:
        return click.style(str(index["problem"]), fg="red")
    held = f"{index['engine']}, holds {index['indexed']:,} of {counted(index['articles'], 'article version')}"
    return held if index["indexed"] == index["articles"] else held + ": it catches up at the next search or add"


def _size(path: Path) -> int:
    return sum(file.lstat().st_size for file in path.rglob("*") if file.is_file())


def _human(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
