"""Where a browser lives: a folder for what it leaves lying about, which goes with it, or with the next one where it was
killed; and how much memory each of its processes may take.

The profile of a browser holds what pages stored in it. Playwright puts it where temporary files go, and takes it away
when it ends by itself.
"""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX, _HELD = "muniment-browser-", "held"
_MEMORY = 6 << 30  # bytes of data; a process that shows a page sets 4 GiB aside, and uses what it needs of them


class Scratch:
    """The folder; `close` takes it away. Folders that nobody holds any more are taken away first."""

    def __init__(self) -> None:
        for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            _remove_left(path)
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._held = _hold(self.path)

    @contextmanager
    def lived_in(self) -> Iterator[None]:
        """What is started meanwhile has its temporary files here, and the limit of memory, where the system has it."""
        before, (soft, hard) = os.environ.get("TMPDIR"), resource.getrlimit(resource.RLIMIT_DATA)
        os.environ["TMPDIR"] = str(self.path)
        with suppress(ValueError, OSError):
            at_most = _MEMORY if soft == resource.RLIM_INFINITY else min(soft, _MEMORY)
            resource.setrlimit(resource.RLIMIT_DATA, (at_most, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
            if before is None:
                del os.environ["TMPDIR"]
            else:
                os.environ["TMPDIR"] = before

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        if self._held is not None:
            os.close(self._held)


def _hold(folder: Path) -> int | None:
    """A lock that the kernel lets go when this process ends; None where somebody has it."""
    file = os.open(folder / _HELD, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return None
    return file


def _remove_left(folder: Path) -> None:
    with suppress(OSError):
        status = folder.lstat()
        if status.st_uid == os.geteuid() and (folder / _HELD).exists() and (held := _hold(folder)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(held)
