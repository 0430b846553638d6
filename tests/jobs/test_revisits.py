"""When articles are looked at again, from what the log says of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from muniment.archive.archive import Archive
from muniment.archive.tables.looks import Looked
from muniment.jobs.job import Revisit
from muniment.jobs.revisits import RAREST, due, window
from muniment.model import Article, Attempt, sha256
from tests.conftest import download

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BORN = datetime(2026, 3, 1, tzinfo=UTC)
REVISIT = Revisit(6 * HOUR, 60 * DAY, 10)


def article(
    *, last: timedelta, changed: timedelta = timedelta(0), gone: int = 0, published: str | None = None
) -> Looked:
    first, looked, other = ((BORN + after).isoformat() for after in (timedelta(0), last, changed))
    return Looked("a", first, looked, other, published, gone)


@pytest.mark.parametrize(
    ("looked", "expected"),
    [
        (article(last=timedelta(0)), 6 * HOUR),
        (article(last=6 * HOUR), 6 * HOUR),
        (article(last=12 * HOUR), 12 * HOUR),
        (article(last=10 * DAY), 10 * DAY),
        (article(last=300 * DAY), 60 * DAY),
        (article(last=300 * DAY, changed=300 * DAY), 6 * HOUR),  # it changed: looked at closely again
        (article(last=timedelta(0), published="2026-02-01"), 27 * DAY),  # it was old when it was found
        (article(last=timedelta(0), published="2020"), 60 * DAY),
        (article(last=timedelta(0), published="2026-02"), 6 * HOUR),
        (article(last=timedelta(0), published="2026-01"), 28 * DAY),
        (article(last=timedelta(0), published="9999-12-31"), 6 * HOUR),
        (Looked("a", *["2026-03-01T21:00:00+00:00"] * 3, "2026-03-01", 0), 6 * HOUR),  # of that day, at whatever hour
        (article(last=DAY, changed=DAY, published="2020"), 6 * HOUR),
        (article(last=DAY, gone=1), DAY),
        (article(last=DAY, gone=3), 6 * HOUR * 64),
        (article(last=DAY, gone=50), RAREST),
    ],
)
def test_the_window_grows_with_quiet_and_with_absence_and_shrinks_at_a_change(
    looked: Looked, expected: timedelta
) -> None:
    assert window(looked, REVISIT) == expected


def test_who_is_latest_by_his_own_window_comes_first_within_the_budget() -> None:
    old = article(last=100 * DAY)._replace(key="old")  # due after 60 days
    young = [article(last=160 * DAY, changed=160 * DAY)._replace(key=f"young {n:02}") for n in range(20)]
    now = BORN + 161 * DAY
    wanted = due([old, *young], REVISIT, now)
    assert [one.key for one in wanted] == [f"young {n:02}" for n in range(10)]  # a day late on six hours
    assert [one.key for one in due([old, *young], replace(REVISIT, budget=50), now)][-1] == "old"
    assert due([article(last=timedelta(0))], REVISIT, BORN + 6 * HOUR - timedelta(seconds=1)) == []


def test_the_log_says_when_what_was_looked_at(new_archive: Callable[..., Path]) -> None:
    """Captures, texts that changed, servers that say that nothing did, and what is gone."""
    root = new_archive()

    def at(days: float) -> datetime:
        return BORN + timedelta(days=days)

    with Archive(root) as archive, archive.writer() as writer:
        for days, text in ((0, "one"), (2, "two"), (3, "two"), (5, "two")):
            body = f"<p>{text} {days}".encode()
            capture = replace(download("http://a.example/1", body), captured_at=at(days), payload=sha256(body))
            added = writer.add_capture(capture, [("articleKey", "a.example/1"), ("articleUrl", "http://a.example/1")])
            writer.add_article(Article("T", text * 40, extractor="test/1"), added.number, "http://a.example/1",
                               source="a.example")  # fmt: skip
        for days, reason in ((6, "http-304"), (7, "http-410"), (8, "timeout"), (9, "http-410")):
            attempt = Attempt("http://a.example/1", at(days), reason, "x")
            writer.add_attempt(attempt, [("articleKey", "a.example/1"), ("articleUrl", "http://a.example/1")])
        writer.commit()
    with Archive(root) as archive:
        (looked,) = archive.catalog.looked("a.example")
        assert list(archive.catalog.looked("b.example")) == []
        times = [datetime.fromisoformat(text) for text in (looked.first, looked.changed, looked.last)]
        assert times == [at(0), at(2), at(9)]
        assert (looked.gone, looked.published, looked.key) == (2, None, "a.example/1")


def test_windows_of_decades_are_no_trouble_for_what_is_gone() -> None:
    gone = Looked("a", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", None, 12)
    assert window(gone, Revisit(timedelta(days=30_000), timedelta(days=36_000))) == timedelta(days=180)
