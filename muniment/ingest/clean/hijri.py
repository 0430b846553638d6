"""Dates of the lunar Hijri calendar, written with the month's name, by the Umm al-Qura calendar.

    3 محرم 1443 · 3 Muharram 1443 AH      2021-08-11   origin "…, Umm al-Qura, 1 day uncertain"

Where a month begins depends on who saw the moon: the civil calendar of Saudi Arabia is computed, and other countries
may be a day before or behind it. So the day is told with that, and any Gregorian date beside it is read first. A month
without a day lies in two Gregorian ones, and is refused; so are bare numbers, and years before the table begins (1343,
which is 1924).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

UNCERTAIN = "Umm al-Qura, 1 day uncertain"

_H = "[هہھ]"
_AL = r"[- ]?(?:al|ul|ol|as|ath|ath?-|as-)?[-' ]*"
_FIRST, _SECOND = r"(?:awwal|avval|aval|ula|oula|i)\b", r"(?:thani|thaani|sani|akhira?h?|aakhirah?|ii)\b"
_NAMES = (  # as dates.fold leaves them: one form of a letter, no marks, no joints
    r"محرم(?: ?الحرام)?|mu?[ho]arr?am",
    r"صفر(?: ?(?:المظفر|الخیر))?|safar",
    rf"ربیع ?(?:ال)?اول|rabi['ʿ’]?{_AL}{_FIRST}",
    rf"ربیع ?(?:ال)?(?:ثانی|اخر)|rabi['ʿ’]?{_AL}{_SECOND}",
    rf"جمادی ?(?:ال)?اولی?|jum?ada?{_AL}{_FIRST}",
    rf"جمادی ?(?:ال)?(?:ثانی|اخر)(?:{_H}|ی)?|jum?ada?{_AL}{_SECOND}",
    r"رجب(?: ?المرجب)?|rajab",
    r"شعبان(?: ?المعظم)?|sh?a['ʿ’]?a?ban",
    r"رمضان(?: ?(?:المبارک|الکریم))?|ram[ad]*h?[az]+[az]?n|ramazan",
    r"شوال(?: ?المکرم)?|shaww?al",
    rf"ذ[ویا]?[ی]? ?(?:ال)?قعد{_H}|(?:dh?[ui]|z[iu])l?{_AL}[qk][ia]?['ʿ’]?a?dh?(?:ah?)?",
    rf"ذ[ویا]?[ی]? ?(?:ال)?حج(?:{_H})?|(?:dh?[ui]|z[iu])l?{_AL}h[ia]jj?(?:ah?)?",
)
_MONTH = "|".join(f"(?P<m{number}>{name})" for number, name in enumerate(_NAMES, 1))
_YEAR = r"(?P<{}>1[345]\d\d)(?!\d)"
_DATE = re.compile(
    rf"(?<![^\W_])(?:(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?(?:\s+(?:من|of|شهر|ماه))*\s+)?(?:{_MONTH})(?![^\W\d_])"
    rf"(?:\s+(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?(?!\d))?[\s,،]*(?:سنه\s|سال\s|عام\s)?{_YEAR.format('year')}"
)
_MARKS = frozenset(
    {"ah", "هجری", "هجریه", "ه", "هـ", "ھ", "ق", "قمری", "شهر", "سنه", "الموافق", "موافق", "corresponding"}
)


def read(folded: str) -> Iterator[tuple[int, int, int]]:
    """The Hijri dates in a value that `dates.fold` gave, as (year, month, day) of the Gregorian calendar."""
    if re.search(r"1[345]\d\d", folded) is None:
        return
    for found in _DATE.finditer(folded):
        day = found["d1"] or found["d2"]
        month = next(number for number in range(1, 13) if found[f"m{number}"])
        if day and (date := _gregorian(int(found["year"]), month, int(day))):
            yield date


def without(folded: str) -> str:
    """The value without its Hijri dates and the words that go with them: whether a line is a date and nothing else."""
    return " ".join(word for word in _DATE.sub(" ", folded).split() if word.strip(".()،,-–/") not in _MARKS)


def _gregorian(year: int, month: int, day: int) -> tuple[int, int, int] | None:
    from hijridate import Hijri

    try:
        return Hijri(year, month, day).to_gregorian().datetuple()
    except (ValueError, OverflowError):
        return None
