"""Whether the files of an index are those that were written: `sound`, beside them.

An engine believes its files, and a damaged one makes it answer wrongly, or end the whole process. Its files are written
once and never changed, so that the commit lists each with size, time of change and CRC-32:

    6f0c….term 52311 1763894051123456789 2788161234

Whoever opens the index compares sizes and times. Where a file's differ (it was changed, or copied), its bytes are read.
A file that is listed and gone may have been merged into another meanwhile: an engine misses it itself if it has to.
What a disk changes by itself, and leaves the time as it is, is not seen.
"""

from __future__ import annotations

import os
from binascii import crc32
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from muniment import durable
from muniment.errors import IndexBehind, MunimentError, StorageError

_CHUNK = 1 << 20
_UNREADABLE = ("Failed to open", "IO error", "orrupted")  # what tantivy says of files, in a ValueError


class _Entry(NamedTuple):
    size: int
    changed: int  # nanoseconds
    crc: int


def record(path: Path, is_committed: Callable[[str], bool]) -> None:
    """Lists the files of the index in the folder `path`, after a commit. Raises StorageError.

    Only those that a commit names: another process may be writing its own meanwhile.
    """
    known = _listed(path)
    entries: dict[str, _Entry] = {}
    for file in path.iterdir():
        if not is_committed(file.name):
            continue
        try:
            if (entry := known.get(file.name)) is None:  # one that differs from its entry was changed since
                found = file.stat()
                entry = _Entry(found.st_size, found.st_mtime_ns, _crc(file))
        except FileNotFoundError:  # merged into another by then
            continue
        entries[file.name] = entry
    _write(path, entries)


def check(path: Path) -> None:
    """Raises IndexBehind where a file of the index in the folder `path` is not the one that was written."""
    entries = _listed(path)
    copied = False
    for name, entry in entries.items():
        try:
            found = os.stat(f"{path}/{name}")  # noqa: PTH116 - each search asks for dozens of them
            if (found.st_size, found.st_mtime_ns) == entry[:2]:
                continue
            if found.st_size != entry.size or _crc(path / name) != entry.crc:
                raise _damaged(path, name)
            entries[name] = _Entry(found.st_size, found.st_mtime_ns, entry.crc)
            copied = True
        except FileNotFoundError:
            continue
    if copied:
        try:
            _write(path, entries)
        except (OSError, StorageError):
            return  # a disk that is only read: each search reads the files


@contextmanager
def telling_damage(path: Path, *of: type[Exception]) -> Iterator[None]:
    """What an engine makes of damaged files is IndexBehind: errors `of` these kinds, and the panics of Rust, which are
    no Exception and nowhere to import. Where every file is sound, and nothing could not be read, the error is our own,
    and stays what it is."""
    try:
        yield
    except BaseException as e:
        panicked = type(e).__name__ == "PanicException"
        if not panicked and (isinstance(e, MunimentError) or not isinstance(e, of)):
            raise
        _tell_changed(path, e)
        if isinstance(e, OSError) or any(sign in str(e) for sign in _UNREADABLE) or not _listed(path):
            raise _damaged(path, type(e).__name__) from e
        if panicked:
            said = " ".join(str(e).split())
            raise MunimentError(f"internal error, please report it: the index is sound, and panics: {said}") from e
        raise


@contextmanager
def telling_failure(path: Path, what: str, *of: type[Exception]) -> Iterator[None]:
    """What goes wrong when an index is written is IndexBehind where its files are damaged, else StorageError."""
    try:
        yield
    except of as e:
        _tell_changed(path, e)
        raise StorageError(f"the index at {path} {what}: {e}") from e


def _tell_changed(path: Path, error: BaseException) -> None:
    """Raises IndexBehind where a file holds other bytes than were written, whatever its time of change says."""
    for name, entry in _listed(path).items():
        try:
            if _crc(path / name) == entry.crc:
                continue
        except FileNotFoundError:
            continue
        except OSError:
            pass
        raise _damaged(path, name) from error


def _damaged(path: Path, what: str) -> IndexBehind:
    return IndexBehind(f"the index at {path} is damaged ({what}): run `muniment reindex`")


def _listed(path: Path) -> dict[str, _Entry]:
    try:
        lines = (path / "sound").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return {}
    found: dict[str, _Entry] = {}
    for line in lines:
        name, *numbers = line.split(" ")
        if len(numbers) == 3 and all(number.isdecimal() for number in numbers) and "/" not in name:
            found[name] = _Entry._make(map(int, numbers))
    return found


def _write(path: Path, entries: dict[str, _Entry]) -> None:
    if not path.is_dir():
        raise StorageError(f"the index at {path} is gone: another may have taken its place")
    lines = [" ".join((name, *map(str, entry))) + "\n" for name, entry in sorted(entries.items())]
    durable.replace(path / "sound", "".join(lines).encode(), sync=False)


def _crc(file: Path) -> int:
    found = 0
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            found = crc32(chunk, found)
    return found
