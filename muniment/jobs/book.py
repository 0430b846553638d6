"""`jobs/alarms.json`: the alarms that stand, with the channels that were told of each, and the news to be told."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
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
PLACES = ("/dev/shm", tempfile.gettempdir())
_WAIT = 300.0  # seconds: channels may hang, each for a while
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
            values = fitted(dict[str, Any], read_kept(self._newest()))
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
        """Where the archive's disk takes nothing, elsewhere: an alarm of that has to be remembered too. Raises
        StorageError where there is no such place."""
        values = {
            "alarms": [asdict(alarm) for alarm in self.alarms.values()],
            "news": [asdict(one) for one in self.news],
            "read": self.read,
        }
        content = json.dumps(values, indent=1, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        elsewhere = list(_elsewhere(self._path))
        try:
            durable.replace(self._path, content)
        except StorageError:
            for path in elsewhere:
                with suppress(StorageError):
                    durable.replace(path, content, mode=0o600)
                    return
            raise
        for path in elsewhere:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _newest(self) -> Path:
        """Where it was kept last."""
        there = [path for path in (self._path, *_elsewhere(self._path)) if path.is_file()]
        return max(there, key=lambda path: path.stat().st_mtime_ns, default=self._path)


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """While the book is read, and what it says is told: by calls too that others keep from their runs.

    Raises Locked."""
    path = root / keeping.FOLDER / "alarms.lock"
    held: durable.Lock | None = None
    for place in (path, *_elsewhere(path)):
        with suppress(OSError, StorageError):
            place.parent.mkdir(mode=0o700, exist_ok=True)
            held = durable.Lock(place, _WAIT)
            break
    try:
        yield
    finally:
        if held is not None:
            held.release()


def _elsewhere(path: Path) -> Iterator[Path]:
    """Where this user can keep what belongs at `path` in an archive whose disk takes nothing: in memory, or among
    temporary files; in a folder that nobody else can write in."""
    name = f"{hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:16]}-{path.name}"
    for place in PLACES:
        folder = Path(place, f"muniment-{os.getuid()}")
        with suppress(FileNotFoundError):
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
                continue
        yield folder / name
