"""A line on a terminal that says how far a long command is; nothing where nobody watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import click

from muniment.cli.numbers import human

_EVERY = 0.1  # seconds
_NAME = 30  # characters of a file's name
_stands = False  # whether a line of progress is on the terminal


def progress_line(what: str, quiet: bool) -> Callable[[int, int, int], None]:
    """To be told (done, in all, bytes since it was told last)."""
    if quiet or not sys.stderr.isatty():
        return lambda done, total, read: None
    begun, shown, size = time.monotonic(), 0.0, 0

    def show(done: int, total: int, read: int) -> None:
        nonlocal shown, size
        size += read
        now = time.monotonic()
        if now - shown < _EVERY and done < total:
            return
        shown = now
        _show(f"{what} {_far(done, total, size, now - begun)}")

    return show


class Adding:
    """How many items were added, of how many where that is known, and how far the file is read that holds many:
    `adding 12,345  crawl.warc.gz  45%  12.3 MB/s  1:02 left`."""

    def __init__(self, total: int | None):
        self._total, self._done, self._shown = total, 0, 0.0
        self._name, self._begun, self._read = "", 0.0, (0, 0)
        self._draw()

    def update(self) -> None:
        self._done += 1
        self._draw()

    def reading(self, name: str, done: int, size: int) -> None:
        """So many bytes of a file were read, of so many."""
        if name != self._name:
            self._name, self._begun = name, time.monotonic()
        self._total, self._read = None, (done, size)  # nobody knows how many items files hold
        self._draw()

    def _draw(self) -> None:
        now = time.monotonic()
        if self._total == 1 or (_stands and now - self._shown < _EVERY):
            return
        self._shown = now
        line = f"adding {self._done:,}" + (f" of {self._total:,}" if self._total else "")
        if self._name:
            name = self._name.rpartition("/")[2][-_NAME:]
            line += f"  {name}  {_far(*self._read, self._read[0], now - self._begun)}"
        _show(line)


def _far(done: int, total: int, size: int, took: float) -> str:
    took = max(took, 0.001)
    left = took * (total - done) / max(done, 1)
    return f"{100 * done // max(total, 1):3d}%  {human(size / took)}/s  {_clock(left)} left"


def _show(line: str) -> None:
    global _stands
    click.echo(f"\r\033[K{line}", nl=False, err=True)
    _stands = True


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
