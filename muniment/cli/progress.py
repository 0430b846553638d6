"""A line on a terminal that says how far a long command is; nothing where nobody watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import click

from muniment.cli.numbers import human

_EVERY = 0.1  # seconds
_stands = False  # whether a line of progress is on the terminal


def progress_line(what: str, quiet: bool) -> Callable[[int, int, int], None]:
    """To be told (done, in all, bytes since it was told last)."""
    if quiet or not sys.stderr.isatty():
        return lambda done, total, read: None
    begun, shown, size = time.monotonic(), 0.0, 0

    def show(done: int, total: int, read: int) -> None:
        global _stands
        nonlocal shown, size
        size += read
        now = time.monotonic()
        if now - shown < _EVERY and done < total:
            return
        shown, took = now, max(now - begun, 0.001)
        left = took * (total - done) / max(done, 1)
        line = f"{what} {100 * done // max(total, 1):3d}%  {human(size / took)}/s  {_clock(left)} left"
        click.echo(f"\r\033[K{line}", nl=False, err=True)
        _stands = True

    return show


def end_progress() -> None:
    """Take the line away before anything else is printed."""
    global _stands
    if _stands:
        click.echo("\r\033[K", nl=False, err=True)
    _stands = False


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
