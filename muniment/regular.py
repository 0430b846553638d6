"""Opening files that somebody else may have put there: regular ones only.

Whoever can write an archive's folder, and knows no key, may put a link to another of its reader's files in place of a
segment, or a pipe that never ends. So no link is followed at the end of a path, and pipes and devices are refused
before a byte is read or written.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

# Without O_NONBLOCK the opening of a pipe waits for whoever holds its other end; on regular files it says nothing.
_WARY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class NotRegular(OSError):
    """A link, a folder, a pipe or a device stands where a file belongs."""


def open_descriptor(path: Path, flags: int, mode: int = 0o644) -> int:
    """As `os.open`, of a regular file. Raises NotRegular, OSError."""
    try:
        descriptor = os.open(path, flags | _WARY, mode)
    except OSError as e:
        found = _kind_at(path) if e.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.EISDIR) else None
        if found is None:
            raise
        raise NotRegular(e.errno, f"it is {found}", str(path)) from None
    if (found := kind_of(os.fstat(descriptor).st_mode)) is not None:
        os.close(descriptor)
        raise NotRegular(errno.EINVAL, f"it is {found}", str(path))
    return descriptor


def open_regular(path: Path) -> BinaryIO:
    """The file, for reading. Raises NotRegular, OSError."""
    return os.fdopen(open_descriptor(path, os.O_RDONLY), "rb")


def read_regular(path: Path) -> bytes:
    """The bytes of the file. Raises NotRegular, OSError."""
    with open_regular(path) as file:
        return file.read()


def size_of(path: Path) -> int | None:
    """The length of the file in bytes; None where none is, or something else. Raises nothing."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def kind_of(mode: int) -> str | None:
    """What something is by its `st_mode`, in words; None for a regular file."""
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISLNK(mode):
        return "a link"
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a pipe or a device"


def _kind_at(path: Path) -> str | None:
    try:
        return kind_of(os.lstat(path).st_mode)
    except OSError:
        return None
