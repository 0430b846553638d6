"""Dates as people write them in a query: "2021", "2021-05", "2021-05-30", "yesterday", "last week"."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

_ISO = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
HOW_TO = 'write 2021, 2021-05, 2021-05-30, today, yesterday, "last week" or "this year"'


def interval(text: str, today: date) -> tuple[date, date]:
    """The first and the last day of what a date says. Raises ValueError, whose message says why, where it says none."""
    words = " ".join(text.lower().replace("-", " ").split()) if not text[:1].isdigit() else text
    if words == "today":
        return today, today
    if words == "yesterday":
        return today - timedelta(days=1), today - timedelta(days=1)
    which, _, unit = words.partition(" ")
    if which in ("this", "last") and unit in ("week", "month", "year"):
        return _around(today, unit, back=which == "last")
    return _iso(text)


def seconds(first: date, last: date) -> tuple[int, int]:
    """The seconds since 1970 at which the first day begins, and at which the day after the last does, in UTC."""
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    # Added to the time stamp, because the day after 9999-12-31 is no datetime.
    end = datetime(last.year, last.month, last.day, tzinfo=UTC).timestamp() + 86_400
    return int(start.timestamp()), int(end)


def number(day: date) -> int:
    """20210530 for the 30th of May 2021, as in the fields first_day and last_day."""
    return day.year * 10_000 + day.month * 100 + day.day


def _around(today: date, unit: str, *, back: bool) -> tuple[date, date]:
    """The week (from Monday), month or year that `today` lies in, or the one before it."""
    if unit == "week":
        first = today - timedelta(days=today.weekday() + (7 if back else 0))
        return first, first + timedelta(days=6)
    inside = today
    if back:
        inside = (today.replace(day=1) if unit == "month" else today.replace(month=1, day=1)) - timedelta(days=1)
    return _iso(inside.isoformat()[: 7 if unit == "month" else 4])


def _iso(text: str) -> tuple[date, date]:
    found = _ISO.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no date: {HOW_TO}")
    year, month, day = (int(part) if part else None for part in found.groups())
    try:
        if day is not None:
            whole = date(year or 0, month or 0, day)
            return whole, whole
        first = date(year or 0, month or 1, 1)
        following = date(first.year + first.month // 12, first.month % 12 + 1, 1) if first.year < 9999 else None
        if month is None or following is None:
            return first, date(first.year, 12, 31)
        return first, following - timedelta(days=1)
    except ValueError:
        raise ValueError(f"there is no date {text!r}: {HOW_TO}") from None
