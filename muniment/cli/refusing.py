"""What is told of a query that cannot be read, in whichever command it stood."""

from __future__ import annotations

from muniment.cli.common import note, printable
from muniment.cli.terminal import width
from muniment.errors import QueryError

_AROUND = 50  # characters of a wrong query that are shown on either side of the place


def tell(error: QueryError) -> None:
    """The message, then what stands around the place, with a mark under it where the place is known."""
    what = f"--{error.option.replace('_', '-')}: " if error.option else "the query is wrong: "
    note(f"muniment: {printable(str(error) if error.file else what + str(error))}")
    text, place = error.query, error.position
    if not text:
        return
    if place is None:
        note(f"  {printable(text[: 2 * _AROUND])}{' …' if len(text) > 2 * _AROUND else ''}")
        return
    start = max(0, place - _AROUND) if len(text) > 2 * _AROUND else 0
    end = len(text) if start == 0 and len(text) <= 2 * _AROUND else place + _AROUND
    before, after = "… " if start else "", " …" if end < len(text) else ""
    note(f"  {before}{printable(text[start:end])}{after}")
    note("  " + " " * width(before + printable(text[start:place])) + "^")
