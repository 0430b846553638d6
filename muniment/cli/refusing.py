"""What is told of a query that cannot be read, in whichever command it stood."""

from __future__ import annotations

from muniment.cli.common import note, printable
from muniment.cli.terminal import width
from muniment.errors import QueryError

_AROUND = 50  # characters of a wrong query that are shown on either side of the place


def tell(error: QueryError) -> None:
    """The message, then what stands around the place, with a mark under it."""
    note(f"muniment: the query is wrong: {printable(str(error))}")
    text, place = error.query, error.position
    if place is None or not text or "\n" in text:
        return
    start = max(0, place - _AROUND) if len(text) > 2 * _AROUND else 0
    end = len(text) if start == 0 and len(text) <= 2 * _AROUND else place + _AROUND
    before, after = "… " if start else "", " …" if end < len(text) else ""
    note(f"  {before}{printable(text[start:end])}{after}")
    note("  " + " " * width(before + printable(text[start:place])) + "^")
