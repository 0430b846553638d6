"""When jobs are due, over changes of the clock."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter

from muniment.jobs.schedule import MOST_MISSED, Schedule, duration

ZONES = ("Europe/Paris", "America/New_York", "Asia/Tehran", "Australia/Lord_Howe", "UTC")
PARIS = ZoneInfo("Europe/Paris")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def field(rng: random.Random, low: int, high: int) -> str:
    a, b = sorted(rng.sample(range(low, high + 1), 2))
    return rng.choice(("*", "*", f"*/{rng.randint(1, high)}", str(a), f"{a}-{b}", f"{a},{b}", f"{a}-{b}/2"))


def test_due_times_are_those_of_another_library() -> None:
    """10,000 random expressions. Over a change of the clock the two libraries differ in what they make of hours that
    are left out or come twice (this is Debian's rule, below), so there the days besides are compared."""
    rng = random.Random(7)
    compared = 0
    for _ in range(10_000):
        fields = [field(rng, 0, 59), field(rng, 0, 23), field(rng, 1, 28), field(rng, 1, 12), field(rng, 0, 6)]
        text = " ".join(fields)
        zone = ZoneInfo(rng.choice(ZONES))
        begun = datetime(2026, rng.randint(1, 12), rng.randint(1, 28), rng.randrange(24), tzinfo=zone)
        theirs = croniter(text, begun)
        ours = Schedule(text, zone).after(begun.astimezone(UTC))
        for at in islice(ours, 3):
            other = theirs.get_next(datetime)
            if _clock_changes(at, zone) or _clock_changes(other.astimezone(UTC), zone):
                break
            assert at == other, (text, zone, begun)
            compared += 1
    assert compared > 20_000


def _clock_changes(at: datetime, zone: ZoneInfo) -> bool:
    around = [(at + timedelta(hours=hours)).astimezone(zone).utcoffset() for hours in (-25, 25)]
    return around[0] != around[1]


def test_what_a_change_of_the_clock_leaves_out_is_due_after_it_and_what_comes_twice_once() -> None:
    nightly = Schedule("30 2 * * *", PARIS)
    assert list(islice(nightly.after(utc("2026-03-27T12:00")), 3)) == [
        utc("2026-03-28T01:30"), utc("2026-03-29T01:00"), utc("2026-03-30T00:30"),
    ]  # fmt: skip
    assert list(islice(nightly.after(utc("2026-10-24T12:00")), 2)) == [utc("2026-10-25T00:30"), utc("2026-10-26T01:30")]
    hourly = Schedule("0 * * * *", PARIS)
    for day in ("2026-03-29", "2026-10-25"):
        times = list(islice(hourly.after(utc(f"{day}T00:00")), 5))
        assert [at.hour for at in times] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "text",
    ["every 90 minutes", "every 6 hours", "every day", "every 2 weeks", "30 2 * * *", "*/7 1-3 * * *", "0 0 * * 0"],
)
def test_no_due_time_is_missed_and_none_comes_twice(text: str, zone: str) -> None:
    """Asked every so often over a year with both changes of the clock, the runs are just the due times."""
    schedule = Schedule(text, ZoneInfo(zone))
    rng = random.Random(text + zone)
    now = last = utc("2026-01-05T00:00")
    end = now + timedelta(days=365)
    expected = [at for at in islice(schedule.after(now), 30_000) if at <= end]
    runs, missed = [], 0
    while now < end:
        now = min(end, now + timedelta(minutes=rng.choice((1, 20, 50, 300, 3000))))
        if due := schedule.due(last, now):
            runs.append(due.at)
            missed += due.missed
            last = due.at
    assert len(runs) == len(set(runs)) and set(runs) <= set(expected)
    assert len(runs) + missed == len(expected)


def test_what_was_missed_is_one_run() -> None:
    schedule = Schedule("every 6 hours", ZoneInfo("UTC"))
    due = schedule.due(utc("2026-01-01T00:00"), utc("2026-01-03T01:00"))
    assert due == (utc("2026-01-03T00:00"), 7)
    assert schedule.due(utc("2026-01-03T00:00"), utc("2026-01-03T05:59")) is None
    assert Schedule("* * * * *", PARIS).due(utc("2020-01-01"), utc("2026-01-01")) == (utc("2026-01-01"), MOST_MISSED)


def test_a_clock_that_was_ahead_holds_nothing_up() -> None:
    schedule = Schedule("every hour", ZoneInfo("UTC"))
    assert schedule.due(utc("2031-05-01T00:00"), utc("2026-01-01T10:30")) is None
    assert schedule.next_run(utc("2031-05-01T00:00"), utc("2026-01-01T10:30")) == utc("2026-01-01T11:00")


def test_jitter_puts_off_the_same_time_by_the_same_and_jobs_by_their_own() -> None:
    schedule = Schedule("every hour", ZoneInfo("UTC"), timedelta(minutes=10), "a")
    at = utc("2026-01-01T11:00")
    offset = schedule.offset(at)
    assert timedelta(0) <= offset <= timedelta(minutes=10)
    last = utc("2026-01-01T10:00")
    assert schedule.due(last, at + offset) == (at, 0)
    assert schedule.next_run(last, utc("2026-01-01T10:30")) == at + offset
    if offset:
        assert schedule.due(last, at + offset - timedelta(seconds=1)) is None
        assert schedule.next_run(last, at) == at + offset
    offsets = {Schedule("every hour", ZoneInfo("UTC"), timedelta(minutes=10), str(n)).offset(at) for n in range(50)}
    assert len(offsets) > 30


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no schedule"), ("every", "is no schedule"), ("every 0 hours", "is no schedule"),
        ("soon", "is no schedule"), ("61 * * * *", "Bad minute"), ("* * * *", "is no schedule"),
        ("0 0 31 2 *", "Bad day"), ("0 0 * * * *", "is no schedule"),
    ],
)  # fmt: skip
def test_what_is_no_schedule_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Schedule(text, PARIS)


def test_lengths_of_time() -> None:
    assert duration("10 minutes") == timedelta(minutes=10) == duration("10min")
    assert duration("1 hour") == timedelta(hours=1) == duration("hour")
    with pytest.raises(ValueError, match="no length of time"):
        duration("ten minutes")
