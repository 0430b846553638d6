"""Snapshot numbers on the command line: `12` or `#12`."""

from __future__ import annotations

import click


class Number(click.ParamType[int]):
    name = "N"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        text = str(value).removeprefix("#")
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            self.fail(f"{value!r} is no snapshot number: write 12 or '#12'", param, ctx)
        return int(text)


NUMBER = Number()
