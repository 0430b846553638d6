"""Export to JSONL and CSV: one line a snapshot. docs/export.md tells the fields and the columns."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

from muniment.export.describe import describe, summarize
from muniment.export.job import Job
from muniment.formats.spreadsheet import safe_cell

COLUMNS = (
    "snapshot", "type", "version", "title", "url", "uri", "source", "published", "published_precision", "captured",
    "language", "authors", "tags", "collections", "status", "media_type", "payload", "of", "reason", "problem",
    "withdrawn",
)  # fmt: skip


def write_jsonl(job: Job, write: Callable[[bytes], object]) -> None:
    """An object a line, UTF-8."""

    def write_line(number: int) -> bool:
        line = json.dumps(describe(job.archive, job.members, number), ensure_ascii=False)
        write(line.encode("utf-8", "replace") + b"\n")
        return True

    job.each(job.selection.snapshots, write_line)


def write_csv(job: Job, write: Callable[[bytes], object]) -> None:
    """RFC 4180 with a header line, UTF-8; several values in a cell are joined by `; `."""
    line = io.StringIO()
    rows = csv.writer(line, lineterminator="\r\n")

    def write_row(cells: tuple[str, ...]) -> None:
        line.seek(0)
        line.truncate()
        rows.writerow(cells)
        write(line.getvalue().encode("utf-8", "replace"))

    def write_snapshot(number: int) -> bool:
        described = summarize(job.archive, job.members, number)
        write_row(tuple(_cell(described[name]) for name in COLUMNS))
        return True

    write_row(COLUMNS)
    job.each(job.selection.snapshots, write_snapshot)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):  # a withdrawal
        value = f"{value['at']} #{value['leaf']}: {value['reason']}"
    return safe_cell("; ".join(value) if isinstance(value, list) else str(value))
