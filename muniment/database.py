"""Opening SQLite files of ours that somebody else may have put there, also on disks that cannot be written."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from muniment.regular import size_of


def connect(path: Path, *, writable: bool, timeout: float = 10.0) -> sqlite3.Connection:
    """The database in a file; a writable one is made where there is none. Raises sqlite3.Error.

    `timeout` is how many seconds another process that writes is waited for.
    """
    uri = f"{path.absolute().as_uri()}?mode={'rwc' if writable else 'ro'}"
    if not writable and not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists():
        uri += "&immutable=1"  # SQLite would make files beside it, and cannot; no writer has it open
    _refuse_strange(path)
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=timeout)


def _refuse_strange(path: Path) -> None:
    """SQLite follows links, and waits for pipes."""
    for suffix in ("", "-wal", "-shm"):
        file = Path(f"{path}{suffix}")
        if size_of(file) is None and os.path.lexists(file):
            raise sqlite3.DatabaseError(f"{file.name} is a link, or no regular file")
