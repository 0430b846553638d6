"""One run at a time: two processes, holders that died, other hosts, clocks that jump, a disk that is full."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment.errors import Locked
from muniment.jobs import guard
from muniment.jobs.guard import STALE, Guard

HOLD = """
import sys, time
from pathlib import Path
from muniment.jobs import guard
guard.BEAT = 0.05
held = guard.Guard(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.readline()
held.release()
"""


@pytest.fixture
def holder(root: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a process that holds the lock until it reads a line."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def said(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "jobs" / "holder.json").read_text())
    return found


def pretend(root: Path, *, host: str, silent: float) -> None:
    """Somebody on a host who was heard of so many seconds ago."""
    (root / "jobs").mkdir(exist_ok=True)
    about = {"host": host, "pid": 4711, "begun": "2026-01-02T03:04:05Z", "heard": time.time() - silent}
    (root / "jobs" / "holder.json").write_text(json.dumps(about))


def test_a_second_process_is_told_who_holds_the_lock_and_since_when(root: Path, holder: Callable[..., Any]) -> None:
    process = holder()
    with pytest.raises(Locked) as caught:
        Guard(root)
    message = str(caught.value)
    assert f"process {process.pid} on {socket.gethostname()} since {said(root)['begun']}, heard of" in message
    assert "--wait" in message


def test_the_heart_beats(root: Path, holder: Callable[..., Any]) -> None:
    holder()
    first = said(root)["heard"]
    deadline = time.monotonic() + 10
    while said(root)["heard"] == first:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_who_waits_is_let_in_once_the_holder_ends(root: Path, holder: Callable[..., Any]) -> None:
    process = holder()
    timer = threading.Timer(0.4, lambda: process.stdin.write("end\n") and process.stdin.flush())
    timer.start()
    began = time.monotonic()
    mine = Guard(root, wait=30)
    assert 0.3 < time.monotonic() - began < 20
    assert mine.succeeded == ""
    assert said(root)["pid"] == os.getpid()
    mine.release()
    assert not (root / "jobs" / "holder.json").exists()


def test_who_was_killed_is_succeeded_at_once_and_that_is_told(root: Path, holder: Callable[..., Any]) -> None:
    process = holder()
    process.send_signal(signal.SIGKILL)
    process.wait()
    mine = Guard(root)
    assert f"cut off: process {process.pid} on {socket.gethostname()}" in mine.succeeded
    mine.release()
    again = Guard(root)
    assert again.succeeded == ""
    again.release()


def test_a_process_of_another_host_that_was_heard_of_lately_is_not_disturbed(root: Path) -> None:
    pretend(root, host="other.example", silent=STALE / 2)
    with pytest.raises(Locked, match=r"process 4711 on other\.example .*--take-over"):
        Guard(root)
    with pytest.raises(Locked):  # and the lock itself was given back, so that this is said again
        Guard(root)
    assert said(root)["pid"] == 4711


def test_a_process_of_another_host_is_succeeded_where_somebody_says_that_it_is_dead(root: Path) -> None:
    pretend(root, host="other.example", silent=1)
    mine = Guard(root, take_over=True)
    assert "other.example" in mine.succeeded
    mine.release()


@pytest.mark.parametrize("silent", [STALE + 60, -STALE - 60], ids=["long ago", "from a clock that is ahead"])
def test_a_process_of_another_host_that_is_silent_is_succeeded(
    root: Path, monkeypatch: pytest.MonkeyPatch, silent: float
) -> None:
    monkeypatch.setattr(guard, "BEAT", 0.1)
    pretend(root, host="other.example", silent=silent)
    mine = Guard(root)
    assert "other.example" in mine.succeeded
    mine.release()


def test_a_clock_that_jumped_does_not_make_a_living_process_silent(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BEAT", 0.4)
    pretend(root, host="other.example", silent=STALE + 60)
    timer = threading.Timer(0.3, lambda: pretend(root, host="other.example", silent=STALE + 59))
    timer.start()
    with pytest.raises(Locked, match=r"other\.example"):
        Guard(root)
    timer.join()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"host": 1}', b"\xff"])
def test_a_damaged_note_of_the_holder_keeps_nobody_out(root: Path, content: bytes) -> None:
    (root / "jobs").mkdir()
    (root / "jobs" / "holder.json").write_bytes(content)
    mine = Guard(root)
    assert mine.succeeded == ""
    mine.release()


def test_a_disk_without_room_for_the_note_keeps_the_lock_usable(root: Path, mount: Callable[[str], Path]) -> None:
    disk = mount("64k")
    (disk / "jobs").mkdir()
    (disk / "jobs" / "lock").touch()
    with (disk / "filler").open("wb", buffering=0) as file:
        while True:
            try:
                file.write(b"x" * 4096)
            except OSError:
                break
    mine = Guard(disk)
    with pytest.raises(Locked):
        Guard(disk)
    mine.release()
    Guard(disk).release()
