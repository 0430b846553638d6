"""Facets as people read them (bars and sparklines on a terminal, a line each elsewhere) and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from muniment.cli.common import echo, faint, one_line

if TYPE_CHECKING:
    from muniment.index.facets import Counts, Facet

DATES = {"year": ("year", "years"), "month": ("month", "months")}
_MARGIN, _BAR, _NARROW = 10, 24, 50
_EIGHTHS, _LEVELS, _EMPTY = " ▏▎▍▌▋▊▉█", "▁▂▃▄▅▆▇█", "·"
_GAP = "…"
_PLAIN_LEVELS = "123456789"


def print_counts(facets: Mapping[str, Counts]) -> None:
    """Each facet after an empty line."""
    if not facets:
        return
    echo()
    if not sys.stdout.isatty():
        for name, counts in facets.items():
            echo(f"{name:<{_MARGIN - 1}} {', '.join(_told(name, counts))}")
        return
    from muniment.cli.terminal import columns

    room = columns()
    margin = _MARGIN if room >= _NARROW else 2
    for name, counts in facets.items():
        lines = list(_sparkline(name, counts, room - margin) if name in DATES else _bars(counts, room - margin))
        if room < _NARROW:
            echo(faint(name))
        for number, line in enumerate(lines):
            echo(faint(f"{name if number == 0 and room >= _NARROW else '':<{margin}}") + line)


def as_json(name: str, counts: Counts) -> dict[str, Any]:
    """Everything that is known of a facet."""

    def listed(facets: Sequence[Facet]) -> list[dict[str, Any]]:
        return [{"value": facet.value, "count": facet.count} for facet in facets]

    return {
        "values": listed(counts.values),
        "more": {"values": counts.more, "count": counts.rest},
        "unknown": counts.unknown,
        **({"month_unknown": listed(counts.coarse)} if name == "month" else {}),
    }


def _told(name: str, counts: Counts) -> Iterator[str]:
    for facet in counts.values:
        if facet.count:  # empty months would fill the screen
            yield f"{one_line(facet.value)} {facet.count:,}"
    for facet in counts.coarse:
        yield f"{facet.value} (month unknown) {facet.count:,}"
    if counts.more:
        yield f"and {counts.more:,} {'earlier' if name in DATES else 'more'} ({counts.rest:,})"
    if counts.unknown or not (counts.values or counts.coarse):
        yield f"unknown {counts.unknown:,}"


# ---- on a terminal


def _bars(counts: Counts, room: int) -> Iterator[str]:
    """Names, counts in a column, bars."""
    from muniment.cli.terminal import can_show, cut, isolated, width

    rows = [(one_line(facet.value), facet.count) for facet in counts.values]
    others = [(f"and {counts.more:,} more", counts.rest)] if counts.more else []
    if counts.unknown or not rows:
        others.append(("unknown", counts.unknown))
    number = max(len(f"{count:,}") for _, count in rows + others)
    widest = min(max(width(name) for name, _ in rows + others), max(8, room * 3 // 5 - number))
    longest = min(_BAR, room - widest - number - 4)
    most = max((count for _, count in rows), default=1)
    signs = can_show(_EIGHTHS)
    for name, count in rows:
        shown = cut(name, widest)
        bar = _bar(count / most * longest, smooth=signs) if longest >= 4 else ""
        padding = " " * (widest - width(shown))
        yield f"{isolated(shown)}{padding}  {count:>{number},}{'  ' + bar if bar else ''}"
    for name, count in others:
        yield faint(f"{cut(name, widest):<{widest}}  {count:>{number},}")


def _bar(length: float, *, smooth: bool) -> str:
    """A bar so many columns long; of anything at all, something is seen."""
    if not smooth:
        return "#" * max(1, round(length))
    eighths = max(1, round(length * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _sparkline(name: str, counts: Counts, room: int) -> Iterator[str]:
    """The histogram in one line between its two ends, and what it does not show after or below it."""
    from muniment.cli.terminal import can_show
    from muniment.index.facets import runs

    notes: list[str] = []
    drawn = ""
    if len(counts.values) == 1:
        drawn = f"{counts.values[0].value}  {counts.values[0].count:,}"
    elif counts.values:
        first, last = counts.values[0].value, counts.values[-1].value
        parts, across = runs(counts.values), max(4, room - len(first) - len(last) - 2)
        if len(parts) > across // 4:
            parts = [list(counts.values)]  # there is no room for the gaps
        # Each part may end in a column that is not full, and has a mark before the next one.
        size = -(-len(counts.values) // (across - 2 * (len(parts) - 1)))
        heights = [[sum(f.count for f in part[n : n + size]) for n in range(0, len(part), size)] for part in parts]
        top = max(1, *map(max, heights))
        smooth = can_show(_LEVELS + _EMPTY + _GAP)
        gap = _GAP if smooth else "~"
        line = gap.join(_line(part, top, smooth=smooth) for part in heights)
        if len(parts) > 1:
            notes.append(f"{gap} is over a century without any")
        drawn = f"{faint(first)} {line} {faint(last)}"
        if size > 1:
            notes.append(f"a column is {size} {DATES[name][1]}")
        most = max(counts.values, key=lambda facet: facet.count)
        if most.count > 1:
            notes.append(f"most in {most.value}: {most.count:,}")
    if counts.more:
        notes.append(f"{counts.more:,} {DATES[name][counts.more != 1]} before: {counts.rest:,}")
    if counts.coarse:
        notes.append(f"month unknown: {sum(facet.count for facet in counts.coarse):,}")
    if counts.unknown or not counts.values:
        notes.append(f"unknown: {counts.unknown:,}")
    yield from _with_notes(drawn, notes, room)


def _with_notes(drawn: str, notes: Sequence[str], room: int) -> Iterator[str]:
    """The notes beside what is drawn where they have room, else below it."""
    from click import unstyle

    from muniment.cli.terminal import width, wrapped

    together = "; ".join(notes)
    if drawn and width(unstyle(drawn)) + 2 + width(together) <= room:
        yield drawn + (f"  {faint(together)}" if together else "")
        return
    if drawn:
        yield drawn
    for line in wrapped([(together, False)], room):
        yield faint("".join(text for text, _ in line))


def _line(heights: Sequence[int], top: int, *, smooth: bool) -> str:
    levels, empty = (_LEVELS, _EMPTY) if smooth else (_PLAIN_LEVELS, ".")
    return "".join(levels[-(-height * len(levels) // top) - 1] if height else empty for height in heights)
