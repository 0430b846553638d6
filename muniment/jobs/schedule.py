"""When a job is due: "every 6 hours", or a cron expression, in a time zone. No I/O.

    every 30 minutes, every 6 hours    so far apart, whatever the clocks do: counted from 1970 in UTC
    every day, every 2 weeks           at midnight of the zone; weeks begin on Monday
    15 */6 * * *                       five fields as in Debian's cron; @hourly, @daily, @weekly, @monthly, @yearly

A time that a change to summer time leaves out is due right after it, one that comes twice is due once, as in Debian's
cron (cronsim); but for expressions whose minute or hour begins with `*`, which go on with the hours that pass. Where
clocks change by half an hour (Lord Howe alone), such an expression may leave half an hour out.

A due time is its own name: that of a run. The jitter of a job moves each of its due times by an offset that depends on
the job and the time alone, so that it is the same after a restart.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

MOST_MISSED = 1_000  # that are counted
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 7 * 86_400}
_LONGEST = 36_525 * 86_400  # seconds; times that far off stay within what dates can say
_EVERY = re.compile(r"(?:every\s+)?(?:(\d{1,6})\s*)?(second|minute|min|hour|day|week)s?", re.IGNORECASE)
_NAMED = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
          "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *"}  # fmt: skip
HOW_TO = 'write "every 6 hours", "every day" or a cron expression such as "15 */6 * * *"'


class Due(NamedTuple):
    """The due time that a run is for, and how many came before it that nobody ran: at most MOST_MISSED are counted."""

    at: datetime
    missed: int


def duration(text: str) -> timedelta:
    """ "10 minutes", "6 hours". Raises ValueError."""
    found = _EVERY.fullmatch(text.strip())
    if found is None or found[1] == "0":
        raise ValueError(f'{text!r} is no length of time: write "10 minutes", "6 hours"')
    seconds = int(found[1] or 1) * _UNITS[_unit(found[2])]
    if seconds > _LONGEST:
        raise ValueError(f"{text!r} is too long: write 5,217 weeks at most")
    return timedelta(seconds=seconds)


def _unit(name: str) -> str:
    return "minute" if name.lower() == "min" else name.lower()


@dataclass(frozen=True, slots=True)
class Schedule:
    """Raises ValueError where the text is no schedule. `jitter` is the most that a due time is put off."""

    text: str
    zone: ZoneInfo
    jitter: timedelta = timedelta(0)
    job: str = ""

    def __post_init__(self) -> None:
        if self._every() is None:
            try:
                next(CronSim(self._expression(), datetime(2024, 1, 1, tzinfo=UTC)))
            except CronSimError as e:
                raise ValueError(f"{self.text!r} is no schedule ({e}): {HOW_TO}") from None
            except StopIteration:
                raise ValueError(f"{self.text!r} is never due: {HOW_TO}") from None

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The due times after a moment, in UTC, without jitter."""
        every = self._every()
        if every is None:
            for found in CronSim(self._expression(), moment.astimezone(self.zone)):
                if (at := found.astimezone(UTC)) > moment:
                    yield at
            return
        step = moment
        while True:
            step = self._next_step(step, *every)
            yield step

    def latest(self, moment: datetime) -> datetime | None:
        """The last due time up to a moment, in UTC, without jitter."""
        every = self._every()
        if every is not None:
            return self._step_before(moment, *every)
        # Backwards from a little later: what a change of the clock put off is due after the time that is written.
        later = (moment + timedelta(hours=3)).astimezone(self.zone)
        found = (at.astimezone(UTC) for at in CronSim(self._expression(), later, reverse=True))
        return next((at for at in found if at <= moment), None)

    def offset(self, at: datetime) -> timedelta:
        """How long a due time is put off."""
        whole = int(self.jitter.total_seconds())
        if not whole:
            return timedelta(0)
        digest = hashlib.sha256(f"{self.job} {at.timestamp():.0f}".encode()).digest()
        return timedelta(seconds=int.from_bytes(digest[:8]) % (whole + 1))

    def due(self, last: datetime, now: datetime) -> Due | None:
        """What is due now where the last run was for the due time `last`; all that was missed is one run.

        A `last` that lies ahead is of a clock that was put back since: it counts as now.
        """
        last = min(last, now)
        at = self.latest(now)
        if at is not None and at + self.offset(at) > now:
            at = self.latest(at - timedelta(seconds=1))
        if at is None or at <= last:
            return None
        return Due(at, sum(1 for _ in islice(takewhile(lambda earlier: earlier < at, self.after(last)), MOST_MISSED)))

    def next_run(self, last: datetime, now: datetime) -> datetime:
        """When the next run begins: now, where one is due."""
        if self.due(last, now) is not None:
            return now
        pending = self.latest(now)
        if pending is None or pending <= min(last, now):
            pending = next(self.after(now))
        return min(pending + self.offset(pending), next(self.after(pending)))  # put off, but not beyond the next

    def _every(self) -> tuple[int, str] | None:
        found = _EVERY.fullmatch(self.text.strip())
        if found is None or not self.text.strip().lower().startswith("every"):
            return None
        if found[1] == "0" or int(found[1] or 1) * _UNITS[_unit(found[2])] > _LONGEST:
            raise ValueError(f"{self.text!r} is no schedule: {HOW_TO}")
        return int(found[1] or 1), _unit(found[2])

    def _expression(self) -> str:
        expression = _NAMED.get(self.text.strip().lower(), self.text.strip())
        if len(expression.split()) != 5:
            raise ValueError(f"{self.text!r} is no schedule: {HOW_TO}")
        return expression

    def _step_before(self, moment: datetime, count: int, unit: str) -> datetime:
        """The last of the steps up to a moment."""
        if unit not in ("day", "week"):
            size = count * _UNITS[unit]
            return datetime.fromtimestamp(moment.timestamp() // size * size, UTC)
        days = count * (7 if unit == "week" else 1)
        local = moment.astimezone(self.zone).date()
        first = date.fromordinal(1)  # a Monday
        at = self._midnight(first + timedelta(days=(local - first).days // days * days))
        return at if at <= moment else self._midnight(at.astimezone(self.zone).date() - timedelta(days=days))

    def _next_step(self, moment: datetime, count: int, unit: str) -> datetime:
        before = self._step_before(moment, count, unit)
        if unit not in ("day", "week"):
            return before + timedelta(seconds=count * _UNITS[unit])
        days = count * (7 if unit == "week" else 1)
        return self._midnight(before.astimezone(self.zone).date() + timedelta(days=days))

    def _midnight(self, day: date) -> datetime:
        """When a day begins: at midnight, or after the hour that a change to summer time leaves out."""
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)
