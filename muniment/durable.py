"""The only module that syncs or replaces files.

What is written through it is either whole after a crash or recognisably not there:

- `AppendFile` grows at its end; `sync()` returns once the bytes are on the disk.
- `replace()` gives a small file new content in one step: readers see the old or the new, never a part.
- `new_file()` and `new_folder()` appear under their name whole, once all is written, or not at all.
- `Lock` is held by one process and freed by the kernel when that process dies.

No link is followed at the end of a path, and what is no regular file is refused (`regular.py`): whoever can write an
archive's folder must not make the next writer cut, copy or overwrite another file of its owner's.

After a failed write or sync nothing is known of the file's tail; callers stop, and reopen through recovery.
Each sync raises the auditing event `muniment.synced` (path, size): what stood there at that moment survives a
power cut, which is what the crash tests build on.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from muniment.errors import Locked, StorageError
from muniment.regular import NotRegular, kind_of, open_descriptor

_INSTANT = 0.1


def storage_error(action: str, path: Path | str, error: OSError) -> StorageError:
    """The error for a failed write: what, where, and what stays true."""
    advice = _ADVICE.get(error.errno or 0, "see to the disk and run again")
    if error.errno in _REFUSED:
        advice = _whose(Path(path))
    if isinstance(error, NotRegular):
        advice = "put the file itself there, or nothing"
    reason = error.strerror or str(error)
    return StorageError(f"cannot {action} {path}: {reason}; everything acknowledged is stored, {advice}")


_ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "free some space and run again"),
    errno.EROFS: "see why the disk is read-only, mount it for writing and run again",
}
_REFUSED = (errno.EACCES, errno.EPERM)


def _whose(path: Path) -> str:
    """What to do where this user may not write: who may, of the file or else of the folder that it belongs in."""
    import pwd

    there = next(place for place in (path, *path.absolute().parents) if os.path.lexists(place))
    number = os.lstat(there).st_uid
    with suppress(KeyError):
        return f"{there} is {pwd.getpwuid(number).pw_name}'s: run it as that user, or give it to the one that runs it"
    return f"{there} is user {number}'s: run it as that user, or give it to the one that runs it"


def refusal(path: Path) -> str:
    """Why nothing can be written at `path`, where something is; else nothing. What it takes is seen only by trying."""
    if os.access(path, os.W_OK) or not os.path.lexists(path):
        return ""
    code = errno.EROFS if is_read_only(path) else errno.EACCES
    return str(storage_error("write", path, OSError(code, os.strerror(code))))


def is_read_only(path: Path) -> bool:
    """Whether the disk that holds `path` is mounted so. Raises OSError."""
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _sync_descriptor(descriptor: int) -> None:
    if sys.platform == "darwin":  # fsync there leaves the bytes in the drive's cache
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(descriptor)


def check_room(path: Path, least: int) -> None:
    """Raises StorageError where fewer than `least` bytes are free on the disk that holds `path`."""
    if not least:
        return
    found = os.statvfs(path)
    free = found.f_bavail * found.f_frsize
    if free < least:
        raise StorageError(
            f"{free >> 20:,} MiB are left on the disk of {path}, and {least >> 20:,} are to stay free: everything"
            " acknowledged is stored, make room and run again"
        )


class AppendFile:
    """A file that only grows. `size` counts the bytes written so far, synced or not."""

    def __init__(self, path: Path):
        self.path = path
        try:
            fresh = [folder for folder in path.parents if not folder.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
            existed = path.exists()
            self._descriptor = open_descriptor(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            if not existed:
                for folder in (path.parent, *(made.parent for made in fresh)):
                    sync_directory(folder)
        except OSError as e:
            raise storage_error("open", path, e) from e
        self.size = os.fstat(self._descriptor).st_size
        self._synced = self.size if existed else -1

    def append(self, *chunks: bytes) -> None:
        """Write the chunks at the end; they are safe only after `sync()`."""
        try:
            for chunk in chunks:
                view = memoryview(chunk)
                while view:
                    written = os.write(self._descriptor, view)
                    self.size += written
                    view = view[written:]
        except OSError as e:
            raise storage_error("write", self.path, e) from e

    def sync(self) -> None:
        """Return once every appended byte is on the disk."""
        if self._synced == self.size:
            return
        try:
            _sync_descriptor(self._descriptor)
        except OSError as e:
            raise storage_error("sync", self.path, e) from e
        self._synced = self.size
        sys.audit("muniment.synced", str(self.path), self.size)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def replace(path: Path, content: bytes, *, mode: int = 0o644, sync: bool = True) -> None:
    """Give `path` this content in one step. Without `sync` it may be lost, or be empty, after a power cut."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _open_new(temporary, mode)
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
            if sync:
                _sync_descriptor(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
        if sync:
            sync_directory(path.parent)
            sys.audit("muniment.synced", str(path), len(content))
    except OSError as e:
        with suppress(OSError):  # a disk that is read-only refuses that too
            temporary.unlink(missing_ok=True)
        raise storage_error("write", path, e) from e


def is_temporary(path: Path) -> bool:
    """Whether a file is what `replace` leaves behind where it is killed."""
    return path.name.startswith(".") and path.name.endswith(".tmp")


def _open_new(path: Path, mode: int) -> int:
    """A file under a name that can be foreseen. What stands there already is a killed process's, or a trap."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(path, flags, mode)
    except FileExistsError:
        path.unlink()
        return os.open(path, flags, mode)


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file to be written, which takes its name, and the place of what had it, when the block ends without an error;
    else nothing of it stays."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with os.fdopen(_open_new(temporary, 0o666), "wb") as file:
            yield file
            file.flush()
            _sync_descriptor(file.fileno())
        temporary.replace(path)
        sync_directory(path.parent)
    except OSError as e:
        raise storage_error("write", path, e) from e
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to be filled, which takes its name, and the place of what had it, when the block ends without an error;
    else nothing of it stays. What is in it is safe only as far as the caller synced it."""
    import shutil

    temporary, old = (path.with_name(f".{path.name}.{os.getpid()}.{end}") for end in ("tmp", "old"))
    try:
        temporary.mkdir()
        yield temporary
        if path.exists():
            path.rename(old)
        temporary.rename(path)
        sync_directory(path.parent)
        if old.exists():
            shutil.rmtree(old)
    except OSError as e:
        raise storage_error("write", path, e) from e
    finally:
        if old.exists() and not path.exists():
            old.rename(path)
        shutil.rmtree(temporary, ignore_errors=True)


def overwrite(path: Path, offset: int, content: bytes) -> None:
    """Put these bytes in place of others, and return once they are on the disk. A crash may leave a part of them: the
    caller writes them again then."""
    try:
        descriptor = open_descriptor(path, os.O_WRONLY)
        try:
            view = memoryview(content)
            while view:
                written = os.pwrite(descriptor, view, offset)
                view, offset = view[written:], offset + written
            _sync_descriptor(descriptor)
        finally:
            os.close(descriptor)
    except OSError as e:
        raise storage_error("write", path, e) from e


def sync_directory(path: Path) -> None:
    """Make the names in a folder safe: a file just made there is found again after a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cut(path: Path, length: int, quarantine: Path) -> None:
    """Shorten a file to `length` bytes, the rest first copied into `quarantine` where the disk has room for it."""
    try:
        descriptor = open_descriptor(path, os.O_RDWR)
        try:
            if os.fstat(descriptor).st_nlink > 1:
                raise StorageError(
                    f"cannot cut the unfinished end of {path}: it is a hard link, and has other names elsewhere;"
                    " put a copy in its place"
                )
            _copy_tail(descriptor, path.name, length, quarantine)
            os.ftruncate(descriptor, length)
            _sync_descriptor(descriptor)
        finally:
            os.close(descriptor)
    except OSError as e:
        raise storage_error("cut the unfinished end of", path, e) from e


def set_aside(path: Path, quarantine: Path) -> None:
    """Take a file that no commit names out of the way: into `quarantine`, or emptied where that fails."""
    try:
        if (found := kind_of(os.lstat(path).st_mode)) is not None:
            raise NotRegular(errno.EINVAL, f"it is {found}", str(path))
    except OSError as e:
        raise storage_error("set aside", path, e) from e
    aside = quarantine / f"{path.name}.0.{time.time_ns()}"
    try:
        _make_quarantine(quarantine)
        path.rename(aside)
        sync_directory(path.parent)
    except OSError:
        cut(path, 0, quarantine)
        path.unlink(missing_ok=True)
        return
    with suppress(OSError):  # the folder is nobody else's in any case
        _hide(aside)


def _hide(path: Path) -> None:
    descriptor = open_descriptor(path, os.O_RDONLY)
    try:
        if os.fstat(descriptor).st_nlink == 1:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _make_quarantine(folder: Path) -> None:
    """A folder that only its owner reads: what is set aside may be anything. Raises OSError."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink():
        raise storage_error("use", folder, NotRegular(errno.ELOOP, "it is a link", str(folder)))
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)


def _copy_tail(descriptor: int, name: str, length: int, quarantine: Path) -> None:
    """Best effort: the bytes were never acknowledged, and recovery has to work on a full disk."""
    kept = quarantine / f"{name}.{length}.{time.time_ns()}"
    try:
        _make_quarantine(quarantine)
        with os.fdopen(_open_new(kept, 0o600), "wb") as target:
            position = length
            while chunk := os.pread(descriptor, 1 << 20, position):
                target.write(chunk)
                position += len(chunk)
    except OSError:
        kept.unlink(missing_ok=True)


class Lock:
    """The archive's writer lock (flock), or Locked once `wait` seconds are over.

    A little is always waited for: `verify` holds it for an instant, to learn whether a writer is at work.
    """

    def __init__(self, path: Path, wait: float = 0.0):
        self._descriptor = -1
        deadline = time.monotonic() + max(wait, _INSTANT)
        try:
            descriptor = open_descriptor(path, os.O_RDWR | os.O_CREAT)
        except OSError as e:
            raise storage_error("open", path, e) from e
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as e:
                if not isinstance(e, BlockingIOError):
                    os.close(descriptor)
                    raise storage_error("lock", path, e) from e
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    raise Locked(
                        f"another muniment is writing to {path.parent}: try again later or use --wait SECONDS"
                    ) from None
                time.sleep(0.02)
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def is_held(path: Path, wait: float = 0.0) -> bool:
    """Whether a writer holds the lock, and goes on for `wait` seconds. It is made by nobody here: where there is none,
    or something else than a file, nobody can hold it. Raises StorageError where it cannot be told."""
    deadline = time.monotonic() + max(wait, _INSTANT)
    try:
        descriptor = open_descriptor(path, os.O_RDONLY)
    except (FileNotFoundError, NotRegular):
        return False
    except OSError as e:
        raise storage_error("open", path, e) from e
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return False
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return True
                time.sleep(0.02)
    except OSError as e:
        raise storage_error("lock", path, e) from e
    finally:
        os.close(descriptor)
