"""When jobs are due, over changes of the clock."""

from __future__ import annotations

import random
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


def changes(zone: ZoneInfo) -> list[datetime]:
    """When the clocks of a zone change, to the hour, within three years."""
    hours = [utc("2025-01-01T00:00") + timedelta(hours=n) for n in range(3 * 8766)]
    return [b for a, b in pairwise(hours) if a.astimezone(zone).utcoffset() != b.astimezone(zone).utcoffset()]


def by_the_rule(text: str, zone: ZoneInfo, since: datetime, count: int, margin: timedelta) -> list[datetime]:
    """The due times as croniter finds them on a clock that never changes, and what Debian's cron makes of changes: an
    expression whose minute or hour begins with `*` goes on with the hours that pass; else a time that is left out is
    due right after, and one that comes twice is due at first. `margin`: by how much clocks change meanwhile."""
    passing = any(one.startswith("*") for one in text.split()[:2])
    walls = croniter(text, since.astimezone(zone).replace(tzinfo=None) - margin, implement_cron_bug=True)
    found: list[datetime] = []
    while True:
        wall = walls.get_next(datetime)
        if len(found) >= count and wall.replace(tzinfo=zone).astimezone(UTC) >= found[count - 1] + margin:
            return found[:count]
        found = sorted({*found, *(at for at in instants(wall, zone, passing=passing) if at > since)})


def instants(wall: datetime, zone: ZoneInfo, *, passing: bool) -> list[datetime]:
    """When a clock of the zone shows this, or what stands for it."""
    both = [wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    shown = [at for at in both if at.astimezone(zone).replace(tzinfo=None, fold=0) == wall]
    if shown or passing:
        return shown if passing else shown[:1]
    after = before = min(both)  # left out: the clock springs over it
    while after.astimezone(zone).utcoffset() == before.astimezone(zone).utcoffset():
        after += timedelta(minutes=1)
    return [after.replace(second=0)]


@pytest.mark.parametrize("name", ZONES)
def test_due_times_are_those_of_another_library(name: str) -> None:
    """10,000 random expressions in all, half of them from a day or so before the clocks change."""
    rng, zone = random.Random(name), ZoneInfo(name)
    changing, near = changes(zone), 0
    for number in range(2_000):
        fields = [
            field(rng, 0, 59, 0.02, 12), field(rng, 0, 23, 0.4), field(rng, 1, 28, 0.85), field(rng, 1, 12, 0.98),
            field(rng, 0, 6, 0.85),
        ]  # fmt: skip
        if name == "Australia/Lord_Howe" and "*" in fields[0][0] + fields[1][0]:
            fields[:2] = ["30", "1,2,3"]  # its clocks change by half an hour, over which cronsim loses its way there
        text = " ".join(fields)
        since = utc("2025-01-01T00:00") + timedelta(minutes=rng.randrange(3 * 525_600))
        if number % 2 and changing:
            since = rng.choice(changing) - timedelta(minutes=rng.randrange(900))
        count = 1 + number % 2
        found = list(islice(Schedule(text, zone).after(since), count))
        meanwhile = any(since - HOUR < change < found[-1] + HOUR for change in changing)
        assert found == by_the_rule(text, zone, since, count, HOUR if meanwhile else 0 * HOUR), (text, since)
        near += any(abs(at - change) < 3 * HOUR for change in changing for at in found)
    assert near > 200 or not changing


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
