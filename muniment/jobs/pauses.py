"""Hosts that are to be left alone, from one process to the next: they asked for it, or failed again and again."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from muniment import durable
from muniment.jobs.keeping import FOLDER
from muniment.jobs.report import iso, moment

if TYPE_CHECKING:
    from muniment.ingest.fetch import Fetcher


def _file(root: Path) -> Path:
    return root / FOLDER / "state" / "hosts"


def keep_pauses(root: Path, fetcher: Fetcher, now: datetime) -> None:
    """The hosts that are to be left alone, for the next process."""
    told = {host: [iso(now + timedelta(seconds=left)), failures] for host, (left, failures) in fetcher.pauses().items()}
    durable.replace(_file(root), json.dumps(told).encode() + b"\n", sync=False)


def read_pauses(root: Path, now: datetime) -> dict[str, tuple[float, int]]:
    try:
        told = json.loads(_file(root).read_text())
        return {
            host: (max(0.0, (moment(until) - now).total_seconds()), int(failures))
            for host, (until, failures) in told.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
