"""Dates as publishers write them, in their own calendars; what is ambiguous is refused, never guessed.

2021-05-30T23:30:00-05:00       2021-05-30   the publisher's local date, as stated
30 mai 2021 · May 30th, 2021    2021-05-30   month names of 14 languages
30.5.2021 · 30/05/2021          2021-05-30   dots are day first; slashes only where one number is over 12
03/04/2021                      refused      ambiguous
3 محرم 1443                     2021-08-11   lunar Hijri, told as a day uncertain (hijri.py)
۱۴۰۵/۰۹/۰۱                      2026-11-22   solar Hijri (Jalali): bare numbers only in Persian and its kin
22 تشرين الثاني 2026            2026-11-22   the Levant's month names, and the Maghreb's
22 พฤศจิกายน 2569 · 22 พ.ย. 2569 2026-11-22   Buddhist years
令和8年11月22日 · R8.11.22         2026-11-22   Japanese eras (letters only in Japanese), the Republic of China's years
May 2021 · 2021                 2021-05 · 2021
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

from muniment.ingest.clean import hijri
from muniment.model import Precision, Published

PERSIAN = frozenset({"fa", "prs", "ps", "tg", "ckb", "az", "mzn", "glk"})
EARLIEST = 1800
_Parts = tuple[int, int, int]  # year, month (0 unknown), day (0 unknown), Gregorian

_GREGORIAN = """january jan januar jänner janvier enero gennaio janeiro januari janv januara января янв ocak stycznia
 styczeń січня
 ژانویه ینایر جانفی کانونالثانی มกราคม
february feb februar feber févr février fevrier febrero febbraio fevereiro februari февраля фев şubat lutego luty лютого
 فوریه فبرایر فیفری شباط กุมภาพันธ์
march mar märz mär maerz mars marzo março marco maart marts марта мар mart marca marzec березня maret
 مارس اذار มีนาคม
april apr avril avr abril aprile апреля апр nisan kwietnia kwiecień квітня abr
 اوریل ابریل افریل نیسان เมษายน
may mai mayo maggio maio mei maj мая май mayıs maja травня
 مه می مایو ماي مای ایار พฤษภาคม
june jun juni juin junio giugno junho июня июн haziran czerwca czerwiec червня
 ژوین ژوئن یونیو جوان حزیران มิถุนายน
july jul juli juillet juil julio luglio julho июля июл temmuz lipca lipiec липня
 ژوییه ژوئیه جولای یولیو جویلیه تموز กรกฎาคม
august aug août aout agosto ago augustus augusti августа авг ağustos sierpnia sierpień серпня agustus
 اوت اگوست اغسطس اب สิงหาคม
september sep sept septembre septiembre settembre setembro set сентября сен eylül września wrzesień вересня
 سپتامبر سبتمبر ایلول กันยายน
october oct oktober okt octobre octubre ottobre outubro out oktober октября окт ekim października жовтня
 اکتبر اکتوبر تشرینالاول ตุลาคม
november nov novembre noviembre novembro ноября ноя kasım listopada листопада
 نوامبر نوفمبر تشرینالثانی พฤศจิกายน
december dec dezember dez décembre decembre diciembre dic dicembre dezembro december декабря дек aralık grudnia
 грудня desember déc
 دسامبر دیسمبر کانونالاول ธันวาคม"""
_JALALI = """فروردین حمل|اردیبهشت ثور|خرداد جوزا|تیر سرطان|مرداد امرداد اسد|شهریور سنبله|مهر میزان|ابان عقرب
|اذر قوس|دی جدی|بهمن دلو|اسفند حوت"""
_DIGITS = "۰۱۲۳۴۵۶۷۸۹", "٠١٢٣٤٥٦٧٨٩", "０１２３４５６７８９", "๐๑๒๓๔๕๖๗๘๙"
_FOLD: dict[int, str | None] = {
    **{ord(c): str(i) for row in _DIGITS for i, c in enumerate(row)},
    **dict(zip(map(ord, "يىئكةأإآؤ"), "یییکهاااو", strict=True)),
    **dict.fromkeys([0x640, 0x200C, 0x200D, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x64B, 0x653)]),
    0xA0: " ",
    0x202F: " ",
}
_ERAS = {"令和": 2018, "平成": 1988, "昭和": 1925, "民國": 1911, "民国": 1911, "中華民國": 1911}
_THAI_MARKS = "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
_TOKEN = re.compile(rf"\d+|(?:[^\W\d_]|[{_THAI_MARKS}])+")
_ISO = re.compile(r"(?<!\d)(\d{4})([-/.])(\d{1,2})(?:\2(\d{1,2}))?(?=$|[^\d.:/-]|[.](?:\s|$))")
_COMPACT = re.compile(r"^\s*(\d{4})(\d\d)(\d\d)(?:T?\d{4,6}Z?)?\s*$")
_NUMERIC = re.compile(r"(?<![\d./-])(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?![\d/-])")
_CJK = re.compile(
    r"(?:(\d{4})|(中華民國|令和|平成|昭和|民國|民国)\s?(\d{1,3}|元))\s?[年년]\s?(\d{1,2})\s?[月월](?:\s?(\d{1,2})\s?[日號号일])?"
)
_TWO_WORDS = re.compile("(تشرین|کانون) (الثانی|الاول)")
_ERA_LETTER = re.compile(r"(?<![a-z\d])([rhs])(\d{1,2})([./])(\d{1,2})\3(\d{1,2})(?![\d./])")
_ERA_LETTERS = {"r": 2018, "h": 1988, "s": 1925}
_THAI_MONTHS = {
    "ม.ค.": "jan", "ก.พ.": "feb", "มี.ค.": "mar", "เม.ย.": "apr", "พ.ค.": "may", "มิ.ย.": "jun",
    "ก.ค.": "jul", "ส.ค.": "aug", "ก.ย.": "sep", "ต.ค.": "oct", "พ.ย.": "nov", "ธ.ค.": "dec",
}  # fmt: skip
_THAI_SHORT = re.compile(rf"(?<![\u0e01-\u0e4e.])(?:{'|'.join(map(re.escape, _THAI_MONTHS))})")
_THAI_DAY = re.compile(r"(?:วัน)?(?:จันทร์|อังคาร|พุธ|พฤหัสบดี|พฤหัส|ศุกร์|เสาร์|อาทิตย์)?ที่(?=\s*\d)")
_EITHER = re.compile(r"(?<![\d./-])(0?[1-9]|1[0-2])([/-])(0?[1-9]|1[0-2])\2((?:\d\d)?\d\d)(?![\d/-])")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FILLERS = _words("""de del of the st nd rd th er le den من ماه سال ام لعام عام year г года року พ ศ ค""")
_WEEKDAYS = _words(
    """monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun
 montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag lundi mardi mercredi jeudi vendredi samedi
 dimanche lunes martes miércoles jueves viernes sábado domingo lunedì martedì mercoledì giovedì venerdì sabato
 domenica
 شنبه یکشنبه دوشنبه سهشنبه چهارشنبه پنجشنبه جمعه سه چهار پنج یک دو
 الاحد الاثنین الثلاثاء الاربعاء الخمیس الجمعه السبت"""
)
_PUBLISHED = _words(
    """published posted written publié publiée le veröffentlicht publicado publicada created issued first date erstellt
 انتشار منتشر نشر تاریخ التاریخ نوشته شده نوشتهشده در เผยแพร่ เผยแพร่เมื่อ"""
)
_UPDATED = _words(
    """updated update modified revised edited aktualisiert aktualisierung geändert jour modifié actualizado aggiornato
 aggiornamento atualizado bijgewerkt uppdaterad oppdatert opdateret zaktualizowano обновлено güncelleme güncellendi
 بروزرسانی تحدیث อัปเดต อัพเดต อัพเดท ปรับปรุง แก้ไข ปรับปรุงล่าสุด"""
)
_WITH_UPDATED = _words("last letzte zuletzt mis mise à dernière última ultimo ล่าสุด")
_CLOCK = _words("""at on um am pm a p m h uhr est edt pst pdt cst cdt gmt utc cet cest bst ist et pt ساعت เวลา น""")


def fold(text: str) -> str:
    """The text lowered, with Persian and Arabic letters and all digits in one form, for reading dates only."""
    return text.lower().translate(_FOLD)


_MONTHS = {
    **{
        fold(name): ("gregorian", number)
        for number, names in enumerate(re.split(r"\n(?! )", _GREGORIAN), 1)
        for name in names.split()
    },
    **{fold(name): ("jalali", number) for number, names in enumerate(_JALALI.split("|"), 1) for name in names.split()},
}


def parse(value: str, origin: str, *, language: str | None = None, latest: date) -> Published | None:
    """The first date in a short value, with its precision; None where there is none, or it is ambiguous, before
    EARLIEST or after `latest`."""
    return next(parse_all(value, origin, language=language, latest=latest), None)


def parse_all(value: str, origin: str, *, language: str | None = None, latest: date) -> Iterator[Published]:
    """All dates in a short value, as `parse` finds them, the most explicit notation first."""
    for parts in _read(fold(value[:200]), language):
        if published := _checked(parts, origin, latest):
            yield published
    for parts in hijri.read(fold(value[:200])):
        if published := _checked(parts, f"{origin}, {hijri.UNCERTAIN}", latest):
            yield published


def is_date_line(line: str) -> bool:
    """Whether a line holds a date and nothing but words that go with dates ("Thursday, October 21, 2021")."""
    if _ERA_LETTER.fullmatch(fold(line).strip()):
        return True
    if next(hijri.read(fold(line)), None) is not None:
        line = f"{hijri.without(fold(line))} 1 jan 2000"  # which stands for it
    tokens = _tokens(fold(line))
    if not 2 <= len(tokens) <= 20 or not any(t.isdigit() for t in tokens):
        return False
    known = (_FILLERS, _WEEKDAYS, _PUBLISHED, _UPDATED, _WITH_UPDATED, _CLOCK, _MONTHS)
    if any(not t.isdigit() and not any(t in words for words in known) for t in tokens) and not _CJK.search(line):
        return False
    return bool(_NUMERIC.search(fold(line))) or next(_read(fold(line), "fa"), None) is not None


def either(value: str) -> Iterator[str]:
    """Both days that each ambiguous date in a value may be (03/04/2021: 2021-03-04 and 2021-04-03)."""
    for m in _EITHER.finditer(fold(value)):
        year = m[4] if len(m[4]) == 4 else f"20{m[4]}"
        if int(m[1]) != int(m[3]):
            yield from (f"{year}-{int(m[1]):02}-{int(m[3]):02}", f"{year}-{int(m[3]):02}-{int(m[1]):02}")


def says_published(line: str) -> bool:
    """Whether a date line names itself the date of publication."""
    return any(t in _PUBLISHED for t in _tokens(fold(line))) and not says_updated(line)


def says_updated(line: str) -> bool:
    """Whether a date line names itself the date of a change."""
    return any(t in _UPDATED for t in _tokens(fold(line)))


def jalali(year: int, month: int, day: int) -> date | None:
    """A solar Hijri date (1250 to 1499) as a Gregorian one: the 33-year leap cycle, exact for these years."""
    if not (1250 <= year <= 1499 and 1 <= month <= 12):
        return None
    if not 1 <= day <= (31 if month <= 6 else 30 if month <= 11 or _leaps(year, year + 1) else 29):
        return None
    days = 365 * (year - 1400) + _leaps(1400, year) - _leaps(year, 1400)
    return date(2021, 3, 21) + timedelta(days + 31 * min(month - 1, 6) + 30 * max(month - 7, 0) + day - 1)


def _leaps(start: int, stop: int) -> int:
    return sum(year % 33 in (1, 5, 9, 13, 17, 22, 26, 30) for year in range(start, stop))


def _checked(parts: _Parts, origin: str, latest: date) -> Published | None:
    year, month, day = parts
    try:
        first = date(year, month or 1, day or 1)
    except ValueError:
        return None
    if year < EARLIEST or first > latest or (parts == (1970, 1, 1)):  # 1970-01-01 is a clock that was never set
        return None
    precision: Precision = "day" if day else "month" if month else "year"
    return Published(first.isoformat()[: {"day": 10, "month": 7, "year": 4}[precision]], precision, origin)


def _read(folded: str, language: str | None) -> Iterator[_Parts]:
    """Candidate dates of a folded value, the most explicit notation first."""
    if m := _COMPACT.match(folded):
        yield from _civil(int(m[1]), int(m[2]), int(m[3]), language)
    for m in _CJK.finditer(folded):
        year = int(m[1]) if m[1] else _ERAS[m[2]] + (1 if m[3] == "元" else int(m[3]))
        yield year, int(m[4]), int(m[5] or 0)
    for m in _ERA_LETTER.finditer(folded) if language == "ja" else ():
        yield _ERA_LETTERS[m[1]] + int(m[2]), int(m[4]), int(m[5])
    for m in _ISO.finditer(folded):
        yield from _civil(int(m[1]), int(m[3]), int(m[4] or 0), language)
    for m in _NUMERIC.finditer(folded):
        yield from _day_month(int(m[1]), int(m[3]), int(m[4]), m[2], language)
    yield from _named(_tokens(folded))
    if re.fullmatch(r"\s*\d{4}\s*", folded):
        yield from _civil(int(folded), 0, 0, language)


def _civil(year: int, month: int, day: int, language: str | None) -> Iterator[_Parts]:
    """A year, month and day by number: Gregorian, or Jalali in Persian; bare lunar and Buddhist years are refused
    except in their own languages."""
    if year < 1500:
        converted = jalali(year, month, day) if language in PERSIAN and month and day else None
        if converted:
            yield converted.year, converted.month, converted.day
    elif year > 2400:
        if language == "th":
            yield year - 543, month, day
    else:
        yield year, month, day


def _day_month(first: int, second: int, year: int, mark: str, language: str | None) -> Iterator[_Parts]:
    if mark == "." or first > 12 or first == second or (year < 1500 and language in PERSIAN):
        yield from _civil(year, second, first, language)
    elif second > 12:
        yield from _civil(year, first, second, language)


def _tokens(folded: str) -> list[str]:
    folded = _TWO_WORDS.sub(r"\1\2", folded)
    if "." in folded or "ที่" in folded:
        folded = _THAI_DAY.sub(" ", _THAI_SHORT.sub(lambda m: f" {_THAI_MONTHS[m[0]]} ", folded))
    return _TOKEN.findall(folded)


def _named(tokens: list[str]) -> Iterator[_Parts]:
    """Dates with a month's name: day month year, month day year, year month day, month year."""
    words = [t for t in tokens if t not in _FILLERS]
    for i, word in enumerate(words):
        if word not in _MONTHS:
            continue
        calendar, month = _MONTHS[word]
        before = words[i - 1] if i else ""
        after, later = [*words[i + 1 : i + 3], "", ""][:2]
        if _is_day(before) and _is_year(after):
            yield from _in_calendar(calendar, int(after), month, int(before))
        elif _is_day(after) and _is_year(later):
            yield from _in_calendar(calendar, int(later), month, int(after))
        elif _is_year(before) and _is_day(after):
            yield from _in_calendar(calendar, int(before), month, int(after))
        elif _is_year(after):
            yield from _in_calendar(calendar, int(after), month, 0)


def _is_day(token: str) -> bool:
    return token.isdigit() and len(token) <= 2 and 1 <= int(token) <= 31


def _is_year(token: str) -> bool:
    return token.isdigit() and len(token) == 4


def _in_calendar(calendar: str, year: int, month: int, day: int) -> Iterator[_Parts]:
    if calendar == "jalali":
        converted = jalali(year, month, day) if day else None
        if converted:
            yield converted.year, converted.month, converted.day
    elif 2400 < year < 2700:  # a Gregorian month's name with a Buddhist year is how Thailand writes
        yield year - 543, month, day
    elif EARLIEST <= year < 2400:
        yield year, month, day
