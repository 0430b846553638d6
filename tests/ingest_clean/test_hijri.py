"""Dates of the lunar Hijri calendar: by the month's name, told as a day uncertain, behind any Gregorian one."""

from __future__ import annotations

from datetime import date

import pytest

from muniment.ingest.clean.dates import is_date_line, parse

LATEST = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("3 محرم 1443", "2021-08-11"),
        ("٣ محرّم ١٤٤٣ هـ", "2021-08-11"),
        ("الأربعاء 3 من شهر محرم 1443هـ", "2021-08-11"),
        ("1 محرم الحرام 1446", "2024-07-07"),
        ("15 صفر 1445", "2023-08-31"),
        ("12 ربيع الأول 1445", "2023-09-27"),
        ("۱۲ ربیع‌الاول ۱۴۴۵", "2023-09-27"),
        ("1 ربيع الآخر 1445", "2023-10-16"),
        ("1 ربيع الثاني 1445", "2023-10-16"),
        ("5 جمادى الأولى 1445", "2023-11-19"),
        ("5 جمادى الآخرة 1445", "2023-12-18"),
        ("۵ جمادی‌الثانی ۱۴۴۵", "2023-12-18"),
        ("27 رجب 1445", "2024-02-08"),
        ("15 شعبان المعظم 1445", "2024-02-25"),
        ("1 رمضان 1445", "2024-03-11"),
        ("۱ رمضان المبارک ۱۴۴۵ھ", "2024-03-11"),
        ("1 شوال 1445", "2024-04-10"),
        ("1 ذو القعدة 1445", "2024-05-09"),
        ("۱ ذیقعده ۱۴۴۵", "2024-05-09"),
        ("1 ذوالقعدہ 1445", "2024-05-09"),
        ("10 ذو الحجة 1445", "2024-06-16"),
        ("10 ذی الحج 1445", "2024-06-16"),
        ("10 ذي الحجة 1445", "2024-06-16"),
        ("3 Muharram 1443 AH", "2021-08-11"),
        ("Muharram 3, 1443", "2021-08-11"),
        ("12 Rabi' al-awwal 1445", "2023-09-27"),
        ("12 Rabi-ul-Awwal 1445", "2023-09-27"),
        ("1 Rabi al-Thani 1445", "2023-10-16"),
        ("5 Jumada al-Ula 1445", "2023-11-19"),
        ("5 Jumada II 1445", "2023-12-18"),
        ("15 Sha'ban 1445", "2024-02-25"),
        ("1st Ramadan, 1445", "2024-03-11"),
        ("1 Ramzan 1445", "2024-03-11"),
        ("1 Dhu al-Qi'dah 1445", "2024-05-09"),
        ("1 Zilqad 1445", "2024-05-09"),
        ("10 Dhul Hijjah 1445", "2024-06-16"),
        ("10 Zilhajj 1445", "2024-06-16"),
    ],
)
def test_a_hijri_date_is_read_by_the_months_name(value: str, expected: str) -> None:
    found = parse(value, "x", latest=LATEST)
    assert found is not None and (found.date, found.precision) == (expected, "day")
    assert found.origin == "x, Umm al-Qura, 1 day uncertain"
    assert is_date_line(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("3 محرم 1443 هـ الموافق 12 أغسطس 2021", "2021-08-12"),
        ("12 August 2021 / 3 Muharram 1443", "2021-08-12"),
        ("۲۰ مرداد ۱۴۰۰ - ۳ محرم ۱۴۴۳", "2021-08-11"),
    ],
)
def test_a_date_of_another_calendar_beside_it_wins(value: str, expected: str) -> None:
    found = parse(value, "x", language="fa", latest=LATEST)
    assert found is not None and (found.date, found.origin) == (expected, "x")
    assert is_date_line(value)


@pytest.mark.parametrize(
    "value",
    ["محرم 1443", "31 محرم 1443", "3 محرم 1143", "3 محرم 1599", "3 محرم", "03/01/1443", "1443/01/03", "3 محرمي 1443"],
)
def test_what_is_no_certain_hijri_date_is_refused(value: str) -> None:
    assert parse(value, "x", language="ar", latest=LATEST) is None


def test_a_sentence_with_a_hijri_date_is_no_date_line() -> None:
    assert not is_date_line("The committee met on 3 Muharram 1443 to hear the engineer")
