"""When jobs are due, over changes of the clock."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter

from muniment.jobs.schedule import MOST_MISSED, Schedule, duration

ZONES = ("Europe/Paris", "America/New_York", "Asia/Tehran", "Australia/Lord_Howe", "UTC")
PARIS = ZoneInfo("Europe/Paris")
HOUR = timedelta(hours=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


DAYS, MONTHS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat"), ("jan", "feb", "mar", "apr", "may", "jun", "jul")


def field(rng: random.Random, low: int, high: int, plain: float, least: int = 1) -> str:
    """A field of an expression; `*` as often as `plain` says, and no step shorter than `least`."""
    a, b = sorted(rng.sample(range(low, high + 1), 2))
    some = (
        f"*/{rng.randint(least + 1, high // 2 + 1)}",
        str(a),
        f"{a}-{b}/{least}",
        f"{a},{b}",
        f"{a}-{b}/{least + 1}",
    )
    return "*" if rng.random() < plain else rng.choice(some)


def expression(rng: random.Random) -> str:
    """With names of days and months, 7 for Sunday, and days that not every month has."""
    if rng.random() < 0.04:
        return rng.choice(("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"))
    month = rng.choice((field(rng, 1, 12, 0.5), "jan-jul/2", ",".join(rng.sample(MONTHS, 2)).upper()))
    weekday = rng.choice((field(rng, 0, 7, 0), "7", "sun", "Mon-Fri", ",".join(rng.sample(DAYS, 2))))
    day = field(rng, 1, 31, 0.8)
    return " ".join((
        field(rng, 0, 59, 0.02, 12),
        field(rng, 0, 23, 0.3) if rng.random() < 0.6 else field(rng, 0, 4, 0.2),  # clocks change at night
        day,
        month if rng.random() < 0.1 and max(map(int, re.findall(r"\d+", day)), default=1) < 29 else "*",
        weekday if rng.random() < 0.2 else "*",
    ))  # fmt: skip


def changes(zone: ZoneInfo) -> list[datetime]:
    """When the clocks of a zone change, to the half hour, within three years."""
    halves = [utc("2025-01-01T00:00") + timedelta(minutes=30 * n) for n in range(6 * 8766)]
    return [b for a, b in pairwise(halves) if a.astimezone(zone).utcoffset() != b.astimezone(zone).utcoffset()]


def by_croniter(text: str, zone: ZoneInfo, since: datetime, count: int, *, back: bool = False) -> list[datetime]:
    """The next due times as croniter finds them on the zone's clock, or those before; but for the two things that it
    holds otherwise than Debian's cron does: a time that comes twice is run twice, and one that is left out is put off
    also where the minute or hour begins with `*` (though not where the hour is a bare one)."""
    passing = text == "@hourly" or any(one.startswith("*") for one in text.split()[:2])
    times = croniter(text, since.astimezone(zone), implement_cron_bug=True)
    found: list[datetime] = []
    while len(found) < count:
        at = (times.get_prev if back else times.get_next)(datetime)
        if is_named(text, at) if passing else not is_second(at):
            found.append(at.astimezone(UTC))
    return found


def is_second(at: datetime) -> bool:
    """Whether the clock shows it for the second time."""
    return at.utcoffset() != at.replace(fold=0).utcoffset()


def is_named(text: str, at: datetime) -> bool:
    """Whether the expression names what the clock shows then."""
    wall = at.replace(tzinfo=None, fold=0)
    return bool(croniter(text, wall - timedelta(minutes=1), implement_cron_bug=True).get_next(datetime) == wall)


@pytest.mark.parametrize("name", ZONES)
def test_due_times_are_those_of_another_library(name: str) -> None:
    """10,000 random expressions in all, half of them from some hours before the clocks change, forwards and back."""
    rng, zone = random.Random(name), ZoneInfo(name)
    changing, near = changes(zone), 0
    for number in range(2_000):
        text = expression(rng)
        if name == "Australia/Lord_Howe" and any(one.startswith("*") for one in text.split()[:2]):
            text = f"30 1,2,3 {text.split(maxsplit=2)[2]}"  # its clocks change by half an hour: see schedule.py
        since = utc("2025-01-01T00:00") + timedelta(minutes=rng.randrange(3 * 525_600))
        if number % 2 and changing:
            since = rng.choice(changing) - timedelta(minutes=rng.randrange(-240, 300))
        schedule = Schedule(text, zone)
        found = list(islice(schedule.after(since), 2))
        assert found == by_croniter(text, zone, since, 2), (text, since)
        [latest] = by_croniter(text, zone, since + timedelta(minutes=1), 1, back=True)
        assert schedule.latest(since) == latest, (text, since)
        near += any(abs(at - change) <= 2 * HOUR for change in changing for at in (*found, latest))
    assert near > 300 or not changing


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
@pytest.mark.parametrize("begun", ["2026-03-01T00:00", "2026-09-25T00:00"])
@pytest.mark.parametrize(
    "text",
    ["every 90 minutes", "every 6 hours", "every day", "every 2 weeks", "30 2 * * *", "*/7 1-3 * * *", "0 0 * * 0"],
)
def test_no_due_time_is_missed_and_none_comes_twice(text: str, zone: str, begun: str) -> None:
    """Asked every so often over weeks in which the clocks change, the runs are just the due times."""
    schedule = Schedule(text, ZoneInfo(zone), timedelta(minutes=3), "job")
    rng = random.Random(text + zone)
    now = last = utc(begun)
    end = now + timedelta(days=42)
    expected = list(takewhile(lambda at: at + schedule.offset(at) <= end, schedule.after(now)))
    runs, missed = [], 0
    while now < end:
        next_run = schedule.next_run(last, now)
        now = min(end, now + timedelta(minutes=rng.choice((1, 20, 50, 300, 3000))))
        due = schedule.due(last, now)
        assert (due is not None) == (next_run <= now), "what is said to come does come, and nothing before"
        if due:
            runs.append(due.at)
            missed += due.missed
            last = due.at
    assert runs == sorted(set(runs)) and set(runs) <= set(expected)
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


@pytest.mark.parametrize("text", ["every hour", "0 * * * *"])
def test_a_jitter_longer_than_the_schedule_puts_no_run_off_beyond_the_next(text: str) -> None:
    schedule = Schedule(text, ZoneInfo("UTC"), timedelta(hours=6), "a")
    last = now = utc("2026-01-01T10:00")
    for _ in range(30):
        told = schedule.next_run(last, now)
        assert schedule.due(last, told - timedelta(seconds=1)) is None
        due = schedule.due(last, told)
        assert due is not None
        assert (due.at, due.missed) == (last + timedelta(hours=1), 0)
        last, now = due.at, told


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
