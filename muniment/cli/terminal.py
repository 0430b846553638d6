"""Text on a terminal: how wide it is, cut and wrapped to a width, and kept in order where both directions meet.

Widths are in columns: letters of Chinese, Japanese and Korean take two, marks above letters and joiners none.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from unicodedata import bidirectional, category, east_asian_width

NARROWEST = 20
_LEFT_TO_RIGHT, _RIGHT_TO_LEFT, _END = "\u2066", "\u2067", "\u2069"
Run = tuple[str, bool]  # text, and whether it is marked


def columns() -> int:
    """How wide the terminal is: COLUMNS where it is set, else what the terminal says, else 80."""
    given = os.environ.get("COLUMNS", "")
    if given.isascii() and given.isdigit() and int(given) > 0:
        return max(NARROWEST, int(given))
    try:
        return max(NARROWEST, os.get_terminal_size(sys.stdout.fileno()).columns or 80)
    except (OSError, ValueError):
        return 80


def can_show(signs: str) -> bool:
    """Whether stdout's encoding has these signs."""
    try:
        signs.encode(sys.stdout.encoding or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True


def width(text: str) -> int:
    """How many columns the text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_width, text))


def _width(character: str) -> int:
    if character < "\u0300":
        return 1
    if category(character) in ("Mn", "Me", "Cf") or "\u1160" <= character <= "\u11ff":
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def cut(text: str, most: int) -> str:
    """The text in at most so many columns; where some of it is left out it ends with …"""
    if width(text) <= most:
        return text
    taken, kept = 1, 0
    while (taken := taken + _width(text[kept])) <= most:
        kept += 1
    return text[:kept].rstrip() + "…"


def wrapped(runs: Iterable[Run], most: int) -> list[list[Run]]:
    """The text in lines of at most so many columns, broken at spaces, beside wide letters, or else anywhere."""
    letters = [(character, mark) for text, mark in runs for character in text]
    lines: list[list[Run]] = []
    start = taken = 0
    may_break = -1
    for at, (character, _) in enumerate(letters):
        size = _width(character)
        if size == 2:
            may_break = at
        if taken + size > most and character != " " and at > start:
            end = may_break if may_break > start else at
            lines.append(_joined(letters[start:end]))
            start = end
            while start < len(letters) and letters[start][0] == " ":
                start += 1
            taken = sum(_width(c) for c, _ in letters[start:at])
        taken += size
        if character == " " or size == 2:
            may_break = at + 1
    lines.append(_joined(letters[start:]))
    return [line for line in lines if line]


def _joined(letters: Sequence[Run]) -> list[Run]:
    """Letters as runs, without the spaces at the end."""
    end = len(letters)
    while end and letters[end - 1][0] == " ":
        end -= 1
    runs: list[Run] = []
    for character, mark in letters[:end]:
        if runs and runs[-1][1] == mark:
            runs[-1] = runs[-1][0] + character, mark
        else:
            runs.append((character, mark))
    return runs


def isolates(text: str) -> tuple[str, str]:
    """What to put before and after the text, or each line of it, so that it keeps its own order and disturbs no other.

    Its direction is that of its first letter. Nothing where all of it runs from left to right.
    """
    if text.isascii():
        return "", ""
    ways = [way for way in map(bidirectional, text) if way in ("L", "R", "AL")]
    if not any(way != "L" for way in ways):
        return "", ""
    return (_LEFT_TO_RIGHT if ways[0] == "L" else _RIGHT_TO_LEFT), _END


def isolated(text: str) -> str:
    """The text between `isolates`."""
    before, after = isolates(text)
    return before + text + after
