"""`jobs/alarms.json`: the alarms that stand, with the channels that were told of each, and the news to be told."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from muniment import durable
from muniment.errors import StorageError
from muniment.jobs import keeping
from muniment.jobs.conditions import Alarm
from muniment.jobs.kept import Damaged, fitted, read_kept
from muniment.jobs.report import Report, iso

_log = logging.getLogger(__name__)
_ROOM = 16 << 10  # bytes that the book takes at least, so that it can be written where the disk is full
_MOST_NEWS = 50


@dataclass(slots=True)
class News:
    """What saved searches of a job found in one run, and which channels were told."""

    job: str
    lines: list[str]
    told: list[str] = field(default_factory=list)


class Book:
    """The alarms that stand and the news that are to be told, on the disk. `read` is the last run of each job whose
    news were taken in."""

    def __init__(self, root: Path):
        self._path = root / keeping.FOLDER / "alarms.json"
        self.alarms: dict[str, Alarm] = {}
        self.news: list[News] = []
        self.read: dict[str, str] = {}
        try:
            values = fitted(dict[str, Any], read_kept(self._path))
            alarms, news = fitted(list[Alarm], values.get("alarms")), fitted(list[News], values.get("news"))
            self.read = fitted(dict[str, str], values.get("read"))
            self.alarms, self.news = {alarm.key: alarm for alarm in alarms}, news
        except FileNotFoundError:
            pass
        except Damaged:
            _log.warning("%s cannot be read: what is wrong is told anew", self._path)

    def update(self, found: Iterable[Alarm], now: datetime) -> None:
        """Takes in what is wrong now: new alarms begin, those that are over end."""
        there = {alarm.key: alarm for alarm in found}
        for key, alarm in there.items():
            known = self.alarms.get(key)
            if known is None:
                alarm.since = iso(now)
                self.alarms[key] = alarm
            else:
                known.text = alarm.text
                if known.ended:  # again, before all were told that it was over
                    known.since, known.ended = iso(now), ""
        for key, alarm in self.alarms.items():
            if key not in there and not alarm.ended:
                alarm.ended = iso(now)

    def take_news(self, reports: Sequence[Report]) -> None:
        """Of reports of one job, oldest first."""
        for report in reports:
            lines = [note for note in report.notes if note.startswith("new for ")]
            if lines:
                self.news.append(News(report.job, lines))
            self.read[report.job] = report.run

    def drop_told(self, job: str, channels: Collection[str]) -> None:
        """What everybody knows."""
        for key, alarm in list(self.alarms.items()):
            if alarm.job == job and alarm.ended and not set(alarm.told) & set(channels):
                del self.alarms[key]
        kept = [one for one in self.news if one.job != job or set(channels) - set(one.told)]
        self.news = kept[-_MOST_NEWS:]

    def standing(self) -> list[Alarm]:
        return [alarm for alarm in self.alarms.values() if not alarm.ended]

    def stopped(self) -> dict[str, str]:
        """The jobs whose run was ended and is to go on, and why."""
        return {alarm.job: alarm.text for alarm in self.standing() if alarm.kind == "run-stopped"}

    def keep(self) -> None:
        """Raises StorageError where there is neither room nor a book that is large enough."""
        values = {
            "alarms": [asdict(alarm) for alarm in self.alarms.values()],
            "news": [asdict(one) for one in self.news],
            "read": self.read,
        }
        content = json.dumps(values, indent=1, ensure_ascii=False).encode("utf-8", "replace")
        content += b" " * (_ROOM - len(content) % _ROOM - 1) + b"\n"
        try:
            durable.replace(self._path, content)
        except StorageError:  # an alarm of a full disk has to be remembered on the full disk
            if not self._path.is_file() or self._path.stat().st_size != len(content):
                raise
            durable.overwrite(self._path, 0, content)
