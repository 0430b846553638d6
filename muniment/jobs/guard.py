"""One run at a time: a lock that says who holds it, and shows that he lives.

The lock itself is the kernel's (`jobs/lock`) and ends with the process that holds it. `jobs/holder.json` says which
process that is, on which host, and when it was heard of last: on a shared disk the kernel of another host may not know
of the lock. A holder who ended without a word is succeeded, and that is told; one on another host only where nothing
was heard of him for `STALE` seconds, nor while one looks, or where the caller says that he is dead.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from muniment import durable
from muniment.errors import Locked, StorageError
from muniment.jobs.keeping import FOLDER
from muniment.jobs.kept import Damaged, fitted, read_kept

STALE = 600.0
BEAT = 10.0


@dataclass(frozen=True, slots=True)
class _Holder:
    """Whom `jobs/holder.json` names; `heard` in seconds since 1970."""

    host: str
    pid: int
    begun: str
    heard: float


class Guard:
    """Held until `release`. `succeeded` says whose place it took, where he ended without a word.

    Raises Locked, which says who is at it, once `wait` seconds are over.
    """

    def __init__(self, root: Path, wait: float = 0.0, *, take_over: bool = False):
        folder = root / FOLDER
        try:
            folder.mkdir(exist_ok=True)
        except OSError as e:
            raise StorageError(f"{folder}: {e.strerror}") from e
        self._path = folder / "holder.json"
        try:
            self._lock = durable.Lock(folder / "lock", wait)
        except Locked:
            raise Locked(f"jobs are being run by {_described(_read(self._path))}: try again later, or --wait") from None
        self._ended = threading.Event()
        try:
            self.succeeded = self._check(take_over)
        except BaseException:
            self._lock.release()
            raise
        self._about: dict[str, Any] = {
            "host": socket.gethostname(), "pid": os.getpid(), "begun": datetime.now(UTC).isoformat()[:19] + "Z",
        }  # fmt: skip
        with suppress(StorageError):  # where the disk is full, that is to be told by what cannot be stored
            self._beat()
        self._thread = threading.Thread(target=self._go_on_beating, name="heartbeat", daemon=True)
        self._thread.start()

    def _check(self, take_over: bool) -> str:
        """Whose place this takes, where he ended without a word. Raises Locked where he may live."""
        before = _read(self._path)
        if before is None:
            return ""
        if before.host != socket.gethostname() and not take_over and not self._is_silent(before):
            raise Locked(
                f"jobs are being run by {_described(before)}: wait until it ends; where it is dead, --take-over"
            )
        return f"the run before was cut off: {_described(before)}"

    def _is_silent(self, holder: _Holder) -> bool:
        """Nothing was heard of him for STALE seconds, and nothing is while one looks: clocks jump, and differ."""
        if _silence(holder) < STALE:
            return False
        deadline = time.monotonic() + 2.5 * BEAT
        while time.monotonic() < deadline:
            time.sleep(BEAT / 10)
            now = _read(self._path)
            if now is not None and now.heard != holder.heard:
                return False
        return True

    def _beat(self) -> None:
        durable.replace(self._path, json.dumps({**self._about, "heard": time.time()}).encode() + b"\n", sync=False)

    def _go_on_beating(self) -> None:
        while not self._ended.wait(BEAT):
            try:
                self._beat()
            except StorageError:  # a full disk ends the run elsewhere, with what was stored
                continue

    def release(self) -> None:
        self._ended.set()
        self._thread.join()
        self._path.unlink(missing_ok=True)
        self._lock.release()


def _read(path: Path) -> _Holder | None:
    """Who is said to hold the lock; nobody where that cannot be read."""
    try:
        return fitted(_Holder, read_kept(path))
    except (OSError, Damaged):
        return None


def _silence(holder: _Holder) -> float:
    """Seconds since he was heard of; a clock that is ahead of ours by that much counts as silence too."""
    return abs(time.time() - holder.heard)


def _described(holder: _Holder | None) -> str:
    if holder is None:
        return "another process"
    heard = f"heard of {_silence(holder):,.0f} s ago"
    return f"process {holder.pid} on {holder.host} since {holder.begun}, {heard}"
