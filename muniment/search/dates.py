"""Dates as people write them in a query: "2021", "2021-05-30", "30 May 2021", "yesterday", "last 2 weeks".

2021  2021-05  2021-05-30  2021/05/30  30.05.2021  20210530  2010s
may 2021, 30 may 2021, may 30 2021       names in English, whole or by three letters
may, 3 march                             the latest that has begun
today, yesterday, monday, last monday    the latest of that day; "last" leaves today out
this week, last month                    by the calendar; weeks begin on Monday
last 2 weeks, past 10 days, past year    so long up to today
2 days ago, 3 months ago                 the day; the week, month or year by the calendar
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

from muniment.index import query

Interval = tuple[date, date]
_ISO = re.compile(r"(\d{4})(?:([-/])(\d{1,2})(?:\2(\d{1,2}))?)?", re.ASCII)
HOW_TO = 'write 2021, 2021-05, 2021-05-30, today, yesterday, "last 2 weeks", "30 may 2021" or "this year"'
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august"),
    *("september", "october", "november", "december"),
)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_UNITS = ("day", "week", "month", "year")
_NUMBERS = {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "ten": 10, "twelve": 12}
KNOWN = ("today", "yesterday", "this", "last", "past", "ago", *_UNITS, *(f"{u}s" for u in _UNITS), *_MONTHS, *_DAYS)
OTHER_YEARS = range(1250, 1500)  # of the Persian calendar and the Hijri: nothing that is archived is as old as these


def interval(text: str, today: date) -> Interval:
    """The first and the last day of what a date says. Raises ValueError, whose message says why, where it says none."""
    text = "".join(str(int(c)) if c.isdecimal() else c for c in text.strip())
    if (other := _ISO.fullmatch(text)) and int(other[1]) in OTHER_YEARS:
        raise ValueError(_in_other_calendars(text, int(other[1]), int(other[3] or 0), int(other[4] or 0)))
    try:
        found = _numeric(text) or _worded(re.findall(r"[^\W\d_]+|\d+", text.lower()), today)
    except (ValueError, OverflowError):
        raise ValueError(f"there is no date {text!r}: {_meant(text) or HOW_TO}") from None
    if found is None:
        raise ValueError(f"{text!r} is no date: {_meant(text) or HOW_TO}")
    return found


def _numeric(text: str) -> Interval | None:
    """A date in figures; the decade of 2010s too."""
    if found := _ISO.fullmatch(text):
        year, _, month, day = found.groups()
        return _whole(int(year), int(month) if month else None, int(day) if day else None)
    if re.fullmatch(r"(19|20)\d{6}", text, re.ASCII):
        return _whole(int(text[:4]), int(text[4:6]), int(text[6:]))
    if found := re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", text, re.ASCII):
        return _whole(int(found[3]), int(found[2]), int(found[1]))
    if found := re.fullmatch(r"(\d{3}0)s", text, re.ASCII):
        return date(int(found[1]), 1, 1), date(int(found[1]) + 9, 12, 31)
    return None


def _worded(words: list[str], today: date) -> Interval | None:
    """A date in words: the parts of it in lower case, letters and figures apart."""
    match words:
        case ["today"]:
            return today, today
        case ["yesterday"]:
            return _day(today - timedelta(days=1))
        case ["this", unit] if unit in _UNITS:
            return _period(today, unit)
        case ["last", unit] if unit in _UNITS:
            return _period(_earlier(today, 1, unit), unit)
        case ["past", unit] if unit in _UNITS:
            return _earlier(today, 1, unit), today
        case ["last" | "past", number, unit] if _is_count(number, unit):
            return _earlier(today, _count(number), unit), today
        case [number, unit, "ago"] if _is_count(number, unit):
            return _period(_earlier(today, _count(number), unit), unit)
        case [day] if (place := _named(day, _DAYS)) is not None:
            return _day(today - timedelta(days=(today.weekday() - place) % 7))
        case ["last", day] if (place := _named(day, _DAYS)) is not None:
            return _day(today - timedelta(days=(today.weekday() - place - 1) % 7 + 1))
    return _by_month(words, today)


def _by_month(words: list[str], today: date) -> Interval | None:
    if words[1:2] in (["st"], ["nd"], ["rd"], ["th"]):  # the 3rd of March
        del words[1]
    elif words[2:3] in (["st"], ["nd"], ["rd"], ["th"]):
        del words[2]
    words = [word for word in words if word != "of"]
    months = [n for n, word in enumerate(words) if _named(word, _MONTHS) is not None]
    if len(months) != 1 or not 1 <= len(words) <= 3:
        return None
    month = (_named(words[months[0]], _MONTHS) or 0) + 1
    figures = [word for n, word in enumerate(words) if n != months[0]]
    years = [int(word) for word in figures if re.fullmatch(r"\d{4}", word, re.ASCII)]
    days = [int(word) for word in figures if re.fullmatch(r"\d{1,2}", word, re.ASCII)]
    if len(years) > 1 or len(days) > 1 or len(years) + len(days) != len(figures):
        return None
    day = days[0] if days else None
    if years:
        return _whole(years[0], month, day)
    for year in range(today.year, today.year - 8, -1):  # the latest that has begun; a 29th of February may be far back
        if day is not None and day > _length(year, month):
            continue
        if (found := _whole(year, month, day))[0] <= today:
            return found
    raise ValueError


def _is_count(number: str, unit: str) -> bool:
    return (number.isdecimal() or number in _NUMBERS) and unit.removesuffix("s") in _UNITS


def _count(number: str) -> int:
    return min(int(number), 10_000) if number.isdecimal() else _NUMBERS[number]


def _named(word: str, names: Sequence[str]) -> int | None:
    """Which of the names a word is, or begins: by three letters at least."""
    return next((n for n, name in enumerate(names) if len(word) > 2 and name.startswith(word)), None)


def _earlier(today: date, count: int, unit: str) -> date:
    """So many days, weeks, months or years before; of a month that is shorter, its last day."""
    unit = unit.removesuffix("s")
    if unit in ("day", "week"):
        return today - timedelta(days=count * (7 if unit == "week" else 1))
    months = today.year * 12 + today.month - 1 - count * (12 if unit == "year" else 1)
    year, month = months // 12, months % 12 + 1
    return date(year, month, min(today.day, _length(year, month)))


def _period(day: date, unit: str) -> Interval:
    """The day, week (from Monday), month or year that a day lies in."""
    unit = unit.removesuffix("s")
    if unit == "day":
        return day, day
    if unit == "week":
        first = day - timedelta(days=day.weekday())
        return first, first + timedelta(days=6)
    return _whole(day.year, day.month if unit == "month" else None, None)


def _length(year: int, month: int) -> int:
    """How many days a month has."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _day(day: date) -> Interval:
    return day, day


def _whole(year: int, month: int | None, day: int | None) -> Interval:
    if day is not None:
        whole = date(year, month or 0, day)
        return whole, whole
    first, last = date(year, month or 1, 1), month or 12
    return first, date(year, last, _length(year, last))


def _in_other_calendars(text: str, year: int, month: int, day: int) -> str:
    """What a date of another calendar is in ours. It is not guessed which of them was meant."""
    from hijridate import Hijri

    from muniment.ingest.clean.dates import jalali

    def lunar(year: int, month: int, day: int) -> date | None:
        try:
            return date(*Hijri(year, month, day).to_gregorian().datetuple())
        except (ValueError, OverflowError):
            return None

    said = []
    for name, convert in (("Persian", jalali), ("Hijri", lunar)):
        first = convert(year, month or 1, day or 1)
        after = first if day else convert(year or 0, month + 1, 1) if month in range(1, 12) else convert(year + 1, 1, 1)
        if first and after:
            last = after if day else after - timedelta(days=1)
            said.append(f"{first} in the {name} calendar" if day else f"{first}..{last} in the {name} calendar")
    return f"{text} is no date that an article has: {' or '.join(said) or HOW_TO}"


def _meant(text: str) -> str:
    """`did you mean 2021-05-30?` where that is likely; else ""."""
    from muniment.search.proposals import like

    numbers = re.fullmatch(r"(\d{1,4})([-/. ])(\d{1,2})\2(\d{1,4})", text, re.ASCII)
    if numbers:
        a, b, c = (int(numbers[n]) for n in (1, 3, 4))
        meant: dict[str, None] = {}
        for year, month, day in ((a, b, c), (a, c, b)) if a > 31 else ((c, b, a), (c, a, b)):
            with suppress(ValueError):
                meant[str(date(year, month, day))] = None
        if max(a, c) > 31 and meant:
            return f"did you mean {' or '.join(meant)}?"
    words = [like(word, KNOWN) or word if word.isalpha() else word for word in text.lower().replace("-", " ").split()]
    proposal = " ".join(words)
    if proposal in ("", text.lower()) or not any(word in KNOWN for word in words):
        return ""
    try:
        if _worded(re.findall(r"[^\W\d_]+|\d+", proposal), date.today()) is None:
            return ""
    except ValueError:
        return ""
    return f'did you mean "{proposal}"?' if " " in proposal else f"did you mean {proposal}?"


def seconds(first: date, last: date) -> tuple[int, int]:
    """The seconds since 1970 at which the first day begins, and at which the day after the last does, in UTC."""
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    # Added to the time stamp, because the day after 9999-12-31 is no datetime.
    end = datetime(last.year, last.month, last.day, tzinfo=UTC).timestamp() + 86_400
    return int(start.timestamp()), int(end)


def published(low: int | None, high: int | None, strictly: tuple[bool, bool] = (False, False)) -> query.Query:
    """What may have been published on one of these days (YYYYMMDD): whose interval overlaps them."""
    parts: list[query.Query] = []
    if low is not None or high is None:
        parts.append(query.Range("last_day", low, None, not strictly[0]))
    if high is not None:
        parts.append(query.Range("first_day", None, high, True, not strictly[1]))
    return query.conjunction(parts)


def number(day: date) -> int:
    """20210530 for the 30th of May 2021, as in the fields first_day and last_day."""
    return day.year * 10_000 + day.month * 100 + day.day
