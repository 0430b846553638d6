"""Dates in many calendars: read where they are certain, refused where they are not."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from muniment.ingest.clean.dates import is_date_line, jalali, parse, says_published, says_updated

LATEST = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("value", "language", "expected"),
    [
        ("2021-05-30T23:30:00-05:00", None, "2021-05-30"),
        ("2021-05-30T23:30:00Z", None, "2021-05-30"),
        ("20210530", None, "2021-05-30"),
        ("Sun, 30 May 2021 09:55:06 -0600", None, "2021-05-30"),
        ("May 30th, 2021", None, "2021-05-30"),
        ("30 mai 2021", "fr", "2021-05-30"),
        ("1er janvier 2020", "fr", "2020-01-01"),
        ("30. Mai 2021", "de", "2021-05-30"),
        ("30.5.2021", None, "2021-05-30"),
        ("30/05/2021", None, "2021-05-30"),
        ("05/30/2021", None, "2021-05-30"),
        ("30 мая 2021 г.", "ru", "2021-05-30"),
        ("۱۴۰۵/۰۹/۰۱", "fa", "2026-11-22"),
        ("۱ آذر ۱۴۰۵", "fa", "2026-11-22"),
        ("پنجشنبه ۳۰ اسفند ۱۳۹۹", "fa", "2021-03-20"),
        ("22 تشرين الثاني 2026", "ar", "2026-11-22"),
        ("٢٢ نوفمبر ٢٠٢٦", "ar", "2026-11-22"),
        ("22 جويلية 2020", "ar", "2020-07-22"),
        ("22 พฤศจิกายน 2569", "th", "2026-11-22"),
        ("22 พ.ย. 2569", "th", "2026-11-22"),
        ("วันอาทิตย์ที่ 22 พฤศจิกายน พ.ศ. 2569 เวลา 10.30 น.", "th", "2026-11-22"),
        ("2 มี.ค. 2564", "th", "2021-03-02"),
        ("令和8年11月22日", "ja", "2026-11-22"),
        ("R3.5.30", "ja", "2021-05-30"),
        ("H30/5/30", "ja", "2018-05-30"),
        ("平成元年1月8日", "ja", "1989-01-08"),
        ("民國115年11月22日", "zh", "2026-11-22"),
        ("2026년 11월 22일", "ko", "2026-11-22"),
        ("May 2021", None, "2021-05"),
        ("2021-05", None, "2021-05"),
        ("2021", None, "2021"),
    ],
)
def test_a_certain_date_is_read_with_its_precision(value: str, language: str | None, expected: str) -> None:
    found = parse(value, "x", language=language, latest=LATEST)
    assert found is not None and found.date == expected
    assert found.precision == {4: "year", 7: "month", 10: "day"}[len(expected)]


@pytest.mark.parametrize(
    ("value", "language"),
    [
        ("03/04/2021", None),
        ("R3.5.30", "en"),
        ("R3.5.30.1", "ja"),
        ("1405/09/01", "ar"),
        ("1405/09/01", None),
        ("2569-11-22", None),
        ("1970-01-01T00:00:00Z", None),
        ("2031-01-01", None),
        ("2021-02-30", None),
        ("31 اسفند 1399", "fa"),
        ("yesterday at noon", None),
        ("21/22/2021", None),
        ("", None),
    ],
)
def test_an_ambiguous_or_impossible_date_is_refused(value: str, language: str | None) -> None:
    assert parse(value, "x", language=language, latest=LATEST) is None


def test_jalali_days_follow_one_another_without_gap_or_overlap() -> None:
    expected = date(1871, 3, 21)
    for year in range(1250, 1500):
        assert jalali(year, 1, 1) == expected
        days = [d for m in range(1, 13) for n in range(1, 32) if (d := jalali(year, m, n))] if year % 20 < 5 else []
        assert days == [expected + timedelta(n) for n in range(len(days))]
        last = jalali(year, 12, 30) or jalali(year, 12, 29)
        assert last is not None
        expected = last + timedelta(1)


def test_known_jalali_days() -> None:
    assert jalali(1357, 11, 22) == date(1979, 2, 11)
    assert jalali(1403, 12, 30) == date(2025, 3, 20)
    assert jalali(1404, 12, 30) is None


@pytest.mark.parametrize(
    "line",
    [
        "Monday, March 2, 2020",
        "Published: 21 October 2021 10:30 GMT",
        "پنجشنبه، ۱ آذر ۱۴۰۵",
        "02/03/2020",
        "2026年11月22日",
        "R8.11.22",
        "วันที่ 22 พ.ย. 2569 เวลา 10:30 น.",
    ],
)
def test_a_line_with_only_a_date_is_a_date_line(line: str) -> None:
    assert is_date_line(line)


@pytest.mark.parametrize(
    "line", ["In March 2020 the ferries stopped", "March of the ferries", "1500 boats", "12 30 45"]
)
def test_a_line_with_other_words_is_no_date_line(line: str) -> None:
    assert not is_date_line(line)


def test_labels_tell_publication_from_change() -> None:
    assert says_published("Published March 2, 2020") and not says_published("March 2, 2020")
    assert says_updated("Last updated March 2, 2020") and not says_published("Last updated March 2, 2020")
