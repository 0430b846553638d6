"""Where the folders, lists and exports of a job lie. Paths stand in its file as seen from the archive
(`lists/courier.txt`), so that they hold where it is moved; what lies elsewhere has its whole path (`/srv/in`)."""

from __future__ import annotations

import os
from pathlib import Path

# What an archive consists of (docs/format.md), and no job may take in or write over.
_OWN = (
    "archive.toml", "lock", "warc", "derived", "log", "authorities", "catalog.sqlite", "catalog.sqlite-wal",
    "catalog.sqlite-shm", "discovery.sqlite", "index", "fixity.json", "jobs", "searches", "quarantine",
)  # fmt: skip


def as_kept(root: Path, path: str) -> str:
    """A path that was given as seen from the working folder, as it stands in a job's file."""
    whole = Path(os.path.expanduser(path)).absolute()  # noqa: PTH111 - pathlib's raises for a user that is none
    if ".." in whole.parts:
        whole = real(whole)
    # As it is named first: a link in the archive that leads elsewhere is of the archive too.
    for base, place in ((root, whole), (real(root), real(whole))):
        if place.is_relative_to(base):
            return str(place.relative_to(base))
    return str(whole)


def is_own(root: Path, path: str) -> bool:
    """Whether a path of a job's file is the archive, or part of what it consists of."""
    root, place = real(root), real(root / path)
    return place.is_relative_to(root) and (place == root or place.relative_to(root).parts[0] in _OWN)


def problem_of_folder(root: Path, folder: str) -> str | None:
    """Why nothing can be taken in from a watched folder."""
    if is_own(root, folder):
        return f"{folder} is of the archive itself: watch another folder"
    return None if is_folder(root / folder) else f"{folder} is no folder, or cannot be read"


def is_folder(place: Path) -> bool:
    """`Path.is_dir` raises where it may not look."""
    try:
        return place.is_dir()
    except OSError:
        return False


def real(place: Path) -> Path:
    """Without links. `Path.resolve` raises where they lead in a circle."""
    return Path(os.path.realpath(place))
