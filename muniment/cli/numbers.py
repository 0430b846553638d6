"""Numbers on the command line: snapshots, counts, seconds and sizes, each with a message that says what is allowed."""

from __future__ import annotations

import re
from typing import Any

import click

ADDRESS = re.compile(
    r"https?:|file:/|ni:/|urn:", re.I
)  # what an item may be kept under; a file's name may hold a colon
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}


class Number(click.ParamType[int]):
    """A snapshot's number: `12` or `#12`."""

    name = "N"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        text = str(value).removeprefix("#")
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            self.fail(f"{value!r} is no snapshot number: write 12 or '#12'", param, ctx)
        return int(text)


class NumberOrAddress(Number):
    """A snapshot's number, or the address of an article as text."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and ADDRESS.match(value):
            return value
        return super().convert(value, param, ctx)


class Count(click.ParamType[int]):
    """A whole number of at least `least` and, where it is given, at most `most`."""

    name = "N"

    def __init__(self, least: int = 0, most: int | None = None):
        self._least, self._most = least, most

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        text = str(value)
        number = int(text) if re.fullmatch(r"[0-9]{1,40}", text) else -1
        if number < self._least or (self._most is not None and number > self._most):
            allowed = f", {self._least} or more" if self._most is None else f" from {self._least} to {self._most}"
            self.fail(f"{value!r} is no whole number{allowed}", param, ctx)
        return number


class Seconds(click.ParamType[float]):
    """`30` or `0.5`."""

    name = "SECONDS"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return value
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]*)?|\.[0-9]+", str(value)):
            self.fail(f"{value!r} is no number of seconds: write 30 or 0.5", param, ctx)
        return float(str(value))


class Size(click.ParamType[int]):
    """A number of bytes, 1 or more: `1000000`, `64MB`, `1.5G` or `64MiB`."""

    name = "SIZE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]+)?) ?([kmg]?i?)b?", str(value).lower())
        size = int(float(match[1]) * _UNITS[match[2]]) if match and match[2] in _UNITS else 0
        if size < 1:
            self.fail(f"{value!r} is no size: write a number of bytes, or such as 500k, 64MB, 64MiB or 1G", param, ctx)
        return size


class Share(click.ParamType[tuple[float, int]]):
    """`5%`, or a number of leaves: (share, 0) or (0, number)."""

    name = "SHARE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, int]:
        text = str(value)
        if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?%", text) and 0 < float(text[:-1]) <= 100:
            return float(text[:-1]) / 100, 0
        if re.fullmatch(r"[0-9]{1,18}", text) and int(text):
            return 0.0, int(text)
        self.fail(f"{value!r} is no sample: write such as 5%, or how many leaves", param, ctx)


def human(size: float) -> str:
    """Bytes in decimal units."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


NUMBER, NUMBER_OR_ADDRESS = Number(), NumberOrAddress()
