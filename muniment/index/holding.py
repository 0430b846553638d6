"""Which folders of an index are in use by anybody: who opens one holds it, and one that is held is not removed.

It is a shared lock (flock) on the folder itself, so that nothing is written beside an index that is only read, and the
system lets it go when the process ends, however that does.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from muniment.errors import IndexBehind


class Hold:
    """A folder in use, until `release`. Raises IndexBehind where it is gone, or about to be."""

    def __init__(self, folder: Path):
        self._descriptor = -1
        try:
            self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as e:
            raise IndexBehind(f"no index that can be opened at {folder}: run muniment reindex") from e
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError as e:
            self.release()
            raise IndexBehind(f"the index at {folder} is being removed: another has taken its place") from e
        except OSError:  # a disk that knows no locks
            self.release()

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def remove(folder: Path) -> bool:
    """Remove a folder unless somebody holds it; whether it is gone."""
    import shutil  # 3 ms that a search has no use for

    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return not folder.exists()
    try:
        with suppress(OSError):  # of a disk that knows no locks
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()
    finally:
        os.close(descriptor)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else begins an index in this folder meanwhile. Raises OSError where it cannot be opened."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # of a disk that knows no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
