"""An archive in which nothing can be written raises its alarm all the same, once, and says so wherever it is asked."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from muniment.archive.archive import create
from muniment.errors import StorageError
from muniment.jobs import alarms, book, keeping
from muniment.jobs.due import run_due
from muniment.jobs.keeping import State
from muniment.jobs.report import iso
from muniment.jobs.running import World
from tests.conftest import fill

COMMAND = (sys.executable, "-m", "muniment")
ORIGIN = "test.example/log"


def a_job_is_due(root: Path, told: Path, **alerts: str) -> None:
    """Whose alarms are appended to `told`, and whose archive is well in all else."""
    lines = {"command": json.dumps(["sh", "-c", f"cat >> '{told}'"]), "disk": "0", "unanchored": "false", **alerts}
    with (root / "archive.toml").open("a") as file:
        file.write("\n[alerts]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items()))
    fill(root, 1)
    subprocess.run([*COMMAND, "--archive", root, "reindex", "-q"], check=True)  # here, its files would stay open
    keeping.write(root, "audit", 'schedule = "every hour"\nverify = "100%"\nlimits = { free = 0 }\n')
    keeping.keep_state(root, "audit", State(made=iso(datetime.now(UTC) - timedelta(hours=1))))


def call(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, "--archive", root, "jobs", *words], capture_output=True, text=True, check=False)


def begins(told: Path) -> list[str]:
    lines = told.read_text().splitlines() if told.exists() else []
    told.unlink(missing_ok=True)
    return [line.split(":")[0] for line in lines]


def test_a_disk_that_is_read_only_is_told_once_until_it_is_not(mount: Callable[[str], Path], tmp_path: Path) -> None:
    disk, told = mount("8m"), tmp_path / "told"
    root = create(disk / "archive", ORIGIN, datetime.now(UTC)).root
    a_job_is_due(root, told)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    for _ in range(3):
        run = call(root, "run", "--due")
        assert run.returncode == 14 and "Traceback" not in run.stderr
        assert "mount it for writing" in run.stderr
    assert begins(told) == ["ALARM archive"]
    status = call(root, "status")
    assert status.returncode == 3 and "alarm archive: nothing can be stored" in status.stdout
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    assert call(root, "run", "--due").returncode == 0
    assert begins(told) == ["over  archive"]
    status = call(root, "status")
    assert (status.returncode, "alarm" in status.stdout) == (0, False)


def test_it_is_told_by_jobs_status_though_nobody_runs_the_jobs(mount: Callable[[str], Path], tmp_path: Path) -> None:
    disk = mount("8m")
    root = create(disk / "archive", ORIGIN, datetime.now(UTC)).root
    a_job_is_due(root, tmp_path / "told")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    status = call(root, "status")
    assert status.returncode == 3 and "alarm archive: nothing can be stored" in status.stdout
    found = json.loads(call(root, "status", "--json").stdout)
    assert (found["healthy"], [alarm["kind"] for alarm in found["alarms"]]) == (False, ["archive"])


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that other users may look into, which those of tests are not."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.mark.skipif(os.getuid() != 0, reason="nobody else can become another user")
def test_what_another_user_left_behind_is_told_with_his_name(open_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = open_place / "told"
    monkeypatch.setattr(book, "PLACES", (str(open_place),))
    root = create(open_place / "archive", ORIGIN, datetime.now(UTC)).root
    a_job_is_due(root, told)
    nobody = pwd.getpwnam("nobody")
    for path in (open_place, *open_place.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    list(run_due(root, World(processes=1), ["audit"]))  # once by hand, as root
    assert (root / "jobs" / "lock").stat().st_uid == 0

    def by_nobody() -> str:
        try:
            list(run_due(root, World(processes=1), after=lambda outcomes: watch(root)))
        except StorageError as e:
            return str(e)
        return "it ran"

    for _ in range(2):
        said = as_user(nobody.pw_uid, by_nobody)
        assert f"{root / 'jobs/lock'} is root's: run it as that user" in said, said
    assert begins(told) == ["ALARM archive"]


def watch(root: Path) -> None:
    from muniment.archive.config import read_config

    alarms.watch(root, ORIGIN, read_config(root).alerts, (), datetime.now(UTC))


def as_user(uid: int, do: Callable[[], str]) -> str:
    """What a forked process of another user returns."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.setuid(uid)
            os.write(writing, do().encode())
        except BaseException as e:  # noqa: BLE001 - the parent is to see it
            os.write(writing, repr(e).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as said:
        return said.read()
