"""A real hour in miniature: `jobs run --forever` with schedules of seconds is killed every few seconds, while a second
process searches, a third verifies, articles appear and are edited, and files are put into a folder.

    MUNIMENT_HOUR=3600 pytest tests/jobs/test_forever.py     # seconds; 20 where nothing is said

The server has its bad moments, in which it answers 503 or hangs up.
"""

from __future__ import annotations

import base64
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise, takewhile
from pathlib import Path

import pytest

from muniment.archive.archive import Archive
from muniment.archive.log import read_leaves
from muniment.formats.tlog import Edge, leaf_hash
from muniment.jobs import keeping
from muniment.jobs.report import Report, from_json, moment
from tests.discovering.newspaper import Newspaper, Page, story

HOUR = float(os.environ.get("MUNIMENT_HOUR", "20"))
LEAST, MOST = 2.0, 6.0  # seconds, of revisits
WINDOW = 60.0  # seconds within which every version is archived: MOST, the schedule, and what kills and a start cost
FOUND = 4.0  # seconds after which a page that was found changed may change again: beyond LEAST, and its next look
COMMAND = (sys.executable, "-m", "muniment")
JOBS = {
    "courier": """
schedule = "every 2 seconds"
feeds = ["{url}/paper.xml"]
allow_private = true
limits = {{ delay = 0, free = 0 }}
revisit = {{ least = "2 seconds", most = "6 seconds" }}
""",
    "rumour": """
schedule = "every 2 seconds"
urls = ["{url}/rumour"]
allow_private = true
revisit = false
limits = {{ delay = 0, free = 0 }}
""",
    "desk": 'schedule = "every 2 seconds"\nfolders = ["{folder}"]\nlimits = {{ free = 0 }}\n',
    "notice": """
schedule = "every 3 seconds"
urls = ["{url}/notice"]
allow_private = true
revisit = false
limits = {{ delay = 0, free = 0 }}
""",
    "watch": 'schedule = "every 5 seconds"\nverify = "20%"\n',
}


@dataclass
class Town:
    """What changes while the jobs run: (when, path, mark) of every version of every page; files by name."""

    paper: Newspaper
    folder: Path
    rng: random.Random
    versions: list[tuple[datetime, str, str]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    asked: list[tuple[datetime, str]] = field(default_factory=list)
    edited: dict[str, datetime] = field(default_factory=dict)
    edits: int = 0
    faults: int = 0

    def begin(self) -> None:
        self.folder.mkdir()
        self.paper.pages["/robots.txt"] = Page(b"User-agent: *\nDisallow:\n", "text/plain")
        self.paper.pages["/rumour"] = Page(b"what?", status=400, tagged=False)
        for path in ("/story/1", "/story/2", "/notice"):
            self.write(path)

    def write(self, path: str) -> None:
        """A new page, or a new version of one."""
        mark = f"edition-{len(self.versions)}-of-it"
        body = story(len(self.versions), title=f"What is told at {path}").replace(b"<p>", f"<p>{mark} ".encode(), 1)
        self.paper.pages[path] = Page(body, before=lambda: self.asked.append((datetime.now(UTC), path)))
        self.edited[path] = datetime.now(UTC)
        self.versions.append((self.edited[path], path, mark))
        named = [path for path in self.edited if path.startswith("/story")]
        entries = "".join(f"<item><title>x</title><link>{self.paper.url}{path}</link></item>" for path in named)
        feed = f"<rss version='2.0'><channel>{entries}</channel></rss>".encode()
        self.paper.pages["/paper.xml"] = Page(
            feed, "text/xml", before=lambda: self.asked.append((datetime.now(UTC), "/paper.xml"))
        )

    def go_on(self, held: Mapping[str, datetime]) -> None:
        """Something happens. A page is edited again once its last version is `held` since some seconds, for what stands
        for less than the window need not be seen."""
        now = datetime.now(UTC)
        newest = {path: mark for _, path, mark in self.versions}
        resting = [path for path, mark in newest.items()
                   if mark in held and (now - held[mark]).total_seconds() > FOUND]  # fmt: skip
        if len(self.edited) < 12 and self.rng.random() < 0.3:
            self.write(f"/story/{len(self.edited) + 1}")
        elif resting:
            self.write(self.rng.choice(resting))
            self.edits += 1
        if self.rng.random() < 0.15:
            self.fail()
        if self.rng.random() < 0.3:
            name = f"report-{len(self.files)}"
            half = self.folder.parent / name
            half.write_text(f"The {name} of the harbour master\n\n" + "Every ferry was counted twice. " * 9)
            os.utime(half, (1_700_000_000, 1_700_000_000))
            half.rename(self.folder / f"{name}.txt")
            self.files.append(name)

    def fail(self) -> None:
        """A page is not to be had for one request."""
        path = self.rng.choice(list(self.edited))
        page = self.paper.pages[path]

        def mend() -> None:
            self.paper.pages[path] = page
            self.faults += 1

        self.paper.pages[path] = Page(b"busy", status=503, tagged=False, before=mend)


class Loop(threading.Thread):
    """A command that is run again and again in processes of its own; what each gave."""

    def __init__(self, *words: str, pause: float):
        super().__init__(daemon=True)
        self.words, self.pause = words, pause
        self.ended = threading.Event()
        self.results: list[subprocess.CompletedProcess[str]] = []

    def run(self) -> None:
        while not self.ended.wait(self.pause):
            self.results.append(subprocess.run([*COMMAND, *self.words], capture_output=True, text=True, check=False))

    def stop(self) -> list[subprocess.CompletedProcess[str]]:
        self.ended.set()
        self.join()
        return self.results


class Forever:
    """`jobs run --forever`, in a session of its own, so that what it leaves behind is found."""

    def __init__(self, root: Path, log: Path):
        self._root, self._log = root, log
        self.kills = 0
        self.sessions: list[int] = []
        self.next_kill, self.to_end = 0.0, 0
        self.start()

    def start(self) -> None:
        words = [*COMMAND, "--archive", str(self._root), "jobs", "run", "--forever", "--processes", "1"]
        self.started, self.runs = time.time(), len(list((self._root / "jobs/runs").glob("*/*.json")))
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
        self.sessions.append(self.process.pid)

    def kill(self, rng: random.Random) -> None:
        """Some seconds after it began with something, or ended some runs: on a busy machine the start alone takes long."""
        changed = [path.stat().st_mtime for path in (self._root / "jobs/state").glob("*.json")]
        ended = len(list((self._root / "jobs/runs").glob("*/*.json"))) - self.runs
        if max(changed, default=0.0) < self.started or ended < self.to_end:
            return
        if not self.next_kill:
            self.next_kill = time.monotonic() + rng.uniform(0, 3)
        if time.monotonic() < self.next_kill:
            return
        self.next_kill, self.to_end = 0.0, rng.choice((0, 0, 1, 2, 4))
        assert self.process.poll() is None, f"it ended by itself: {self._log.read_text()[-2000:]}"
        self.process.kill()
        self.process.wait()
        self.kills += 1
        self.start()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()

    def left_behind(self) -> list[int]:
        """Processes of its sessions."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                values = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(values[3]) in self.sessions and values[0] != "Z":
                found.append(int(path.parent.name))
        return found


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with Newspaper() as paper:
        made = Town(paper, tmp_path / "in", random.Random(3))
        made.begin()
        yield made


def until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.3)
    return True


def test_an_hour_in_miniature(root: Path, tmp_path: Path, town: Town) -> None:
    command = json.dumps(["sh", "-c", f'printf "%s\\n" "$MUNIMENT_ALERT" >> {tmp_path / "told.jsonl"}'])
    with (root / "archive.toml").open("a") as file:
        file.write(f"\n[alerts]\ncommand = {command}\ndisk = 0\nunanchored = false\n")
    for name, text in JOBS.items():
        keeping.write(root, name, text.format(url=town.paper.url, folder=town.folder))
    search = Loop("--archive", str(root), "search", "ferry OR told", "--jsonl", "--limit", "1000", pause=0.5)
    verify = Loop("--archive", str(root), "verify", pause=2.0)
    with closing(Forever(root, tmp_path / "log")) as forever:
        go_through(root, tmp_path, town, forever, search, verify)


def go_through(root: Path, tmp_path: Path, town: Town, forever: Forever, search: Loop, verify: Loop) -> None:
    assert until(lambda: len(captured(root)) >= 3, 30), (tmp_path / "log").read_text()
    search.start()
    verify.start()
    end = time.monotonic() + HOUR
    acknowledged: dict[str, datetime] = {}  # what a reader saw in the archive, and when it was captured
    while time.monotonic() < end or not (has_resumed(root) or time.monotonic() > end + WINDOW):
        forever.kill(town.rng)
        found = captured(root)
        assert acknowledged.items() <= found.items(), "what was acknowledged stays"
        acknowledged = found
        town.go_on(found)
        time.sleep(0.3)
    town.paper.pages["/rumour"] = Page(story(999, title="What was a rumour"))  # its alarm is over
    settled = until(lambda: {mark for _, _, mark in town.versions} <= captured(root).keys(), WINDOW)
    until(lambda: len(files_of(root)) >= len(town.files), WINDOW)
    so_far = {name: len(reports(root, name)) for name in JOBS}
    assert until(lambda: all(len(reports(root, name)) > so_far[name] + 1 for name in JOBS), WINDOW), "it goes on"
    searches, verifies = search.stop(), verify.stop()
    forever.process.terminate()
    assert forever.process.wait(20) in (130, -signal.SIGINT, 143, -signal.SIGTERM), (tmp_path / "log").read_text()
    assert until(lambda: not forever.left_behind(), 10), forever.left_behind()

    assert settled, [one for one in town.versions if one[2] not in captured(root)]
    check_due_times(root)
    check_versions(root, town)
    check_asked(root, town, forever.kills)
    assert sorted(files_of(root)) == sorted(town.files)
    check_searches(root, searches)
    check_verifies(verifies)
    check_log(root)
    check_alarms(tmp_path / "told.jsonl", forever.kills)
    assert acknowledged.items() <= captured(root).items()
    resumed = sum(one.resumed for name in JOBS for one in reports(root, name))
    assert forever.kills and resumed and town.edits and town.faults, (forever.kills, resumed, town.edits, town.faults)
    last = [*COMMAND, "--archive", str(root), "jobs", "run", "--due"]  # sets aside what the end cut off
    assert subprocess.run(last, capture_output=True, check=False).returncode in (0, 3)
    done = subprocess.run([*COMMAND, "--archive", str(root), "verify"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    print(f"{forever.kills} kills, {sum(len(reports(root, name)) for name in JOBS)} runs,"
          f" {resumed} times resumed, {town.edits} edits, {town.faults} faults of the server,"
          f" {len(town.versions)} versions, {len(town.files)} files, {len(searches)} searches,"
          f" {len(verifies)} verifies, {len(town.asked)} requests")  # fmt: skip


def has_resumed(root: Path) -> bool:
    return any(one.resumed for name in JOBS for one in reports(root, name))


def captured(root: Path) -> dict[str, datetime]:
    """When each version was captured first, by its mark."""
    found: dict[str, datetime] = {}
    with Archive(root) as archive:
        for number, _ in archive.catalog.derived():
            shown = archive.snapshot(number)
            for word in archive.text(shown).split():
                if word.startswith("edition-"):
                    at = moment(archive.leaf(number).date)
                    found[word] = min(at, found.get(word, at))
    return found


def files_of(root: Path) -> list[str]:
    """The articles that were put into the folder."""
    with Archive(root) as archive:
        uris = [archive.snapshot(number).uri or "" for number, _ in archive.catalog.derived()]
        return [Path(uri).stem for uri in uris if uri.startswith("file:")]


def reports(root: Path, job: str) -> list[Report]:
    paths = (root / "jobs/runs" / job).glob("*.json")
    return sorted((from_json(json.loads(path.read_text())) for path in paths), key=lambda one: moment(one.started))


def check_due_times(root: Path) -> None:
    """Each due time was run once, or stands for those before it that nobody could run."""
    for name in JOBS:
        found, schedule = reports(root, name), keeping.read(root, name).schedule
        times = [moment(one.due) for one in found]
        assert times == sorted(set(times)) and len(times) > 2, (name, times)
        for before, after, report in zip(times, times[1:], found[1:], strict=False):
            between = list(takewhile(lambda at: at < after, schedule.after(before)))  # noqa: B023 - used at once
            assert report.missed == len(between), (name, before, after)


def check_versions(root: Path, town: Town) -> None:
    """Each version was archived within its window."""
    at = captured(root)
    late = [(path, mark) for since, path, mark in town.versions if (at[mark] - since).total_seconds() > WINDOW]
    assert not late, late
    for name in ("courier", "notice"):
        known = {source.kind for report in reports(root, name) for source in report.sources.values()}
        assert known <= {"feed", "revisit", "url"}, known
    told = sum(report.total("new") + report.total("changed") for name in JOBS for report in reports(root, name))
    assert told == len(town.versions) + len(town.files) + 1, "each is counted once, and so is the rumour"


def check_asked(root: Path, town: Town, kills: int) -> None:
    """Nothing was asked for twice within its window, but for what was on its way when a run was killed."""
    by_path = defaultdict(list)
    for at, path in town.asked:
        by_path[path].append(at)
    runs = {name: reports(root, name) for name in JOBS}
    assert len(by_path["/paper.xml"]) <= len(runs["courier"]) + 1 + kills
    assert len(by_path["/notice"]) <= len(runs["notice"]) + 1 + kills
    stories = [times for path, times in by_path.items() if path.startswith("/story")]
    early = sum((b - a).total_seconds() < LEAST - 0.2 for times in stories for a, b in pairwise(times))
    assert early <= kills, f"{early} of {sum(map(len, stories))} came early, with {kills} kills"
    tried = sum(one.tried for name in ("courier", "notice") for run in runs[name] for one in run.sources.values())
    assert tried <= len(town.asked) + town.faults and len(town.asked) <= tried + 3 * (kills + 1)


def check_searches(root: Path, searches: list[subprocess.CompletedProcess[str]]) -> None:
    assert len(searches) > 3 and {one.returncode for one in searches} == {0}, [
        (one.returncode, one.stderr) for one in searches if one.returncode
    ]
    counts = [len(one.stdout.splitlines()) for one in searches]
    assert counts == sorted(counts), "what was found once is found ever after"


def check_verifies(verifies: list[subprocess.CompletedProcess[str]]) -> None:
    """Right after a kill there may be bytes that no commit covers yet; nothing else is found."""
    found = [line for one in verifies for line in one.stdout.splitlines() if one.returncode]
    assert verifies and all(line.startswith("uncommitted ") for line in found), found


def check_alarms(told: Path, kills: int) -> None:
    """Each was told once until it was over; a kill in the instant between the channel and the book may cost a second
    time."""
    stands: set[tuple[str, str, str]] = set()
    kinds, again = set(), list[tuple[str, str, str]]()
    for message in map(json.loads, told.read_text().splitlines()):
        for one in message["raised"]:
            key = (one["kind"], message["job"], one["about"])
            again += [key] if key in stands else []
            stands.add(key)
            kinds.add((one["kind"], message["job"]))
        stands -= {(one["kind"], message["job"], one["about"]) for one in message["cleared"]}
    assert len(again) <= kills // 100, again
    assert ("run-failed", "rumour") in kinds
    assert not {key for key in stands if key[1] == "rumour"}, "it was over"


def check_log(root: Path) -> None:
    """The log of every report is how this one began."""
    said = {report.log_size: report.root for name in JOBS for report in reports(root, name)}
    tree = Edge()
    for entry in read_leaves(root / "log", 0, max(said)):
        tree.append(leaf_hash(entry.leaf))
        if tree.size in said:
            assert base64.b64encode(tree.root()).decode() == said.pop(tree.size)
    assert not said.keys() - {0}
