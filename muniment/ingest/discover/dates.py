"""The dates of feeds and sitemaps as ISO 8601: RFC 822 as it is written, RFC 3339, and what is near to them. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_ISO = re.compile(
    r"(\d{4})(?:-?(\d\d)(?:-?(\d\d)(?:[T ]+(\d\d):?(\d\d)(?::?(\d\d?)(?:[.,]\d+)?)?\s*(Z|UTC|GMT|[+-]\d\d:?\d\d)?)?)?)?"
)
_ZONES = {
    "ut": 0, "utc": 0, "gmt": 0, "z": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8,
    "pdt": -7, "bst": 1, "cet": 1, "cest": 2, "msk": 3, "jst": 9,
}  # fmt: skip
_RFC822 = re.compile(
    r"(?:[^\W\d]+\.?,?\s+)?(\d{1,2})[\s-]+([^\W\d]{3})[^\W\d]*\.?[\s-]+(\d{4}|\d\d)"
    r"(?:,?\s+(\d{1,2}):(\d\d)(?::(\d\d))?)?\s*([+-]\d\d:?\d\d|[A-Za-z]{1,5})?"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def iso_of(written: str) -> str | None:
    """A date as ISO 8601 with its precision and its own zone ("2026-11-22T09:00:00+01:00", "2026-11"); None where it
    is none that we know."""
    text = written.strip()[:100]
    if (m := _ISO.match(text)) and (len(text) > 4 or m.end() == len(text)):
        year, month, day, hour, minute, second, zone = m.groups()
        if month is None and m.end() != len(text):
            return None
        return _checked(int(year), int(month or 0), int(day or 0), hour, minute, second, zone)
    if (m := _RFC822.match(text)) and m[2].lower() in _MONTHS:
        year_number = int(m[3]) if len(m[3]) == 4 else int(m[3]) + (2000 if int(m[3]) < 70 else 1900)
        return _checked(year_number, _MONTHS.index(m[2].lower()) + 1, int(m[1]), m[4], m[5], m[6], m[7])
    return None


def moment_of(written: str) -> datetime | None:
    """The earliest moment that a date can mean, in UTC; without a zone, UTC is meant."""
    iso = iso_of(written)
    if iso is None:
        return None
    whole = iso + "0001-01-01"[len(iso) :] if len(iso) < 10 else iso
    moment = datetime.fromisoformat(whole)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def is_before(written: str, since: str) -> bool:
    """Whether all that a date can mean lies before another; not where one of them is none that we know."""
    precision, moment, limit = iso_of(written) or "", moment_of(written), moment_of(since)
    if moment is None or limit is None:
        return False
    if len(precision) < 10:  # a month may end after the day that is asked for
        return precision < (iso_of(since) or "")[: len(precision)]
    return moment < limit


def _checked(
    year: int, month: int, day: int, hour: str | None, minute: str | None, second: str | None, zone: str | None
) -> str | None:
    if not 1000 <= year < 9999:  # no zone leads out of what a datetime can hold
        return None
    try:
        moment = datetime(year, month or 1, day or 1, int(hour or 0), int(minute or 0), min(int(second or 0), 59))
        if hour is None:
            return moment.date().isoformat()[: 10 if day else 7 if month else 4]
        return moment.replace(tzinfo=_zone(zone)).isoformat() if zone and _zone(zone) else moment.isoformat()
    except (ValueError, OverflowError):
        return None


def _zone(name: str | None) -> timezone | None:
    """A zone by its name or offset; None for a name that is not known."""
    text = (name or "").lower()
    if text[:1] in ("+", "-") and text[1:]:
        digits = text[1:].replace(":", "")
        hours, minutes = int(digits[:2]), int(digits[2:])
        if hours > 14 or minutes > 59:
            return None
        offset = timedelta(hours=hours, minutes=minutes)
        return timezone(offset if text[0] == "+" else -offset)
    return timezone(timedelta(hours=_ZONES[text])) if text in _ZONES else None
