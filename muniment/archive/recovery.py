"""What an archive holds for certain, and how a writer begins: the longest valid prefix of commits.

Bytes past the last commit were never acknowledged: they are cut off and kept in `quarantine/`. A committed byte that
is missing, a valid commit behind a bad one, or a checkpoint of more leaves than the commits hold is damage: nothing is
cut then, and the archive refuses to be written.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from muniment.archive.catalog import Catalog
from muniment.archive.commit import MAX_PAYLOAD, Commit, find_frame, last_frame, order_problem, scan_frames
from muniment.archive.config import Config
from muniment.archive.log import (
    bundle_path,
    bundles_from,
    check_leaves,
    leaves_in_tiles,
    read_leaves,
    relative,
)
from muniment.archive.segments import STREAMS
from muniment.archive.tables.layout import Progress
from muniment.durable import cut, set_aside
from muniment.errors import IntegrityError, StorageError
from muniment.formats.checkpoint import Checkpoint, parse_checkpoint
from muniment.formats.note import VerifierKey, check_note, signers_of
from muniment.formats.tile import WIDTH
from muniment.regular import kind_of, open_regular, read_regular, size_of

MAX_SCANNED = 256 << 10  # bytes of log/commits, some 800 commits: 50 ms
_FOLDERS = ("warc", "derived", "log")
_FILES = ("lock", "catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm")
_ADVICE = "run `muniment verify` to see what it touches, and restore the file from a copy"


@dataclass(frozen=True, slots=True)
class Committed:
    """The state that the commits promise: checkpoint, lengths in bytes (`tail` of the bundle that is not full), the
    last frame, and those past the catalog."""

    checkpoint: Checkpoint
    tail: int
    commits: int
    segments: Mapping[str, int]
    last: Commit
    new: Sequence[Commit]


def read_sound(root: Path, config: Config, catalog: Catalog | None = None) -> Committed:
    """The committed state, with everything checked that can be told without reading the records: each commit whole, the
    newest one's signature, nothing shorter than was promised, the catalog of the same mind. Raises IntegrityError.

    A writer may be at work meanwhile. Without a catalog (`rebuild`) the tiles do not count either: they are made anew.
    """
    keys = config.keys()
    # Before the commits are read: they are always ahead of both.
    published = [("log/checkpoint", published_size(root, keys))]
    if catalog is not None:
        published.append(("log/tile", leaves_in_tiles(root / "log")))
    committed = _read_committed(root, config.origin, catalog)
    try:
        _check_signed(committed.last.note, config)
    except ValueError as e:
        raise IntegrityError(f"log/commits: the commit that ends at byte {committed.commits}: {e}; {_ADVICE}") from e
    for name, size in published:
        if size > committed.checkpoint.size:
            raise IntegrityError(
                f"log/commits is damaged at byte {committed.commits}: it holds {committed.checkpoint.size} leaves, and"
                f" {name} was made for {size}; {_ADVICE}"
            )
    _check_lengths(root, committed)
    return committed


def _check_signed(note: str, config: Config) -> None:
    """Raises ValueError unless all keys in force signed, or all that a rotation is about to bring in."""
    problem = "no signature of a known key"
    for keys in config.in_force():
        try:
            if len(signers_of(note, keys)) == len(keys):
                return
        except ValueError as e:
            problem = str(e)
    raise ValueError(problem)


def _read_committed(root: Path, origin: str, catalog: Catalog | None) -> Committed:
    since, lengths = catalog.state() if catalog is not None else (Progress(), {})
    data, base = _commits(root / "log" / "commits", since)
    frames, segments = list[Commit](), dict(lengths) if base else {}
    fits = bool(base) or not since.commits
    for frame in scan_frames(data, base):
        follows = bool(frames) or not base
        problem = order_problem(frames[-1] if frames else None, frame) if follows else None
        if problem := problem or _shrinks(segments, frame):
            raise IntegrityError(f"log/commits is damaged before byte {frame.end}: {problem}; {_ADVICE}")
        segments.update(frame.segments)
        frames.append(frame)
        if frame.end == since.commits and frame.digest == since.frame:
            _check_catalog(since, frame, lengths, segments)
            fits = True
    end = frames[-1].end if frames else base
    if end < base + len(data) and (later := find_frame(data, end - base + 1)) is not None:
        raise IntegrityError(
            f"log/commits is damaged at byte {end}: a commit stands behind it at byte {base + later}; {_ADVICE}"
        )
    if not frames:
        raise IntegrityError(f"log/commits is missing or holds no whole commit; {_ADVICE}")
    if not fits:
        raise IntegrityError(
            f"log/commits is damaged before byte {since.commits}: the catalog has seen a commit end there, after"
            f" {since.size} leaves; {_ADVICE} (where you put an older archive back on purpose: `muniment rebuild`)"
        )
    last = frames[-1]
    new = [frame for frame in frames if frame.end > since.commits]
    return Committed(
        Checkpoint(origin, last.checkpoint.size, last.checkpoint.root), last.tail, end, segments, last, new
    )


def _commits(path: Path, since: Progress) -> tuple[bytes, int]:
    """The bytes of `log/commits` and their offset: of a very long one, from the last frame that the catalog saw."""
    try:
        with open_regular(path) as file:
            if since.commits <= MAX_SCANNED:
                return file.read(), 0
            window = min(since.commits, MAX_PAYLOAD)
            file.seek(since.commits - window)
            tail = file.read(window)
            start = last_frame(tail)
            return tail[start:] + file.read(), since.commits - window + start
    except FileNotFoundError:
        return b"", 0
    except OSError as e:
        raise IntegrityError(f"log/commits cannot be read: {e.strerror}; {_ADVICE}") from e


def _shrinks(segments: Mapping[str, int], frame: Commit) -> str | None:
    shorter = [path for path, length in frame.segments.items() if length < segments.get(path, 0)]
    return f"the commit makes {shorter[0]} shorter" if shorter else None


def _check_catalog(since: Progress, frame: Commit, lengths: Mapping[str, int], segments: Mapping[str, int]) -> None:
    """The catalog says where records lie and where the log ends, so it has to say what was signed."""
    said = (since.size, since.root, since.tail, dict(lengths))
    if said != (frame.checkpoint.size, frame.checkpoint.root, frame.tail, dict(segments)):
        raise IntegrityError(
            f"catalog.sqlite does not fit the commit that ends at byte {frame.end} of log/commits: run `muniment"
            " rebuild`"
        )


def published_size(root: Path, keys: Sequence[VerifierKey]) -> int:
    """How many leaves `log/checkpoint` was signed over; 0 where it cannot be read: a cache, written without sync."""
    return read_published(root, keys) or 0


def read_published(root: Path, keys: Sequence[VerifierKey]) -> int | None:
    """As `published_size`; None where it cannot be read."""
    try:
        return parse_checkpoint(check_note(read_regular(root / "log" / "checkpoint").decode(), keys)).size
    except (OSError, ValueError):
        return None


def _check_lengths(root: Path, committed: Committed) -> None:
    """Raises IntegrityError where a file is shorter than a commit promised."""
    expected = dict(committed.segments) | _newest_bundle(root, committed)
    for name, length in expected.items():
        found = size_of(root / name) or 0
        if found < length:
            raise IntegrityError(f"{name} is damaged: it holds {found} bytes and {length} are committed; {_ADVICE}")


def _newest_bundle(root: Path, committed: Committed) -> dict[str, int]:
    """The name and committed length of the bundle that is not full, if there is one."""
    if not committed.tail:
        return {}
    log = root / "log"
    return {relative(log, bundle_path(log, committed.checkpoint.size // WIDTH)): committed.tail}


def strange(root: Path) -> Iterator[tuple[str, str]]:
    """What stands in an archive's own folders and is neither folder nor regular file, or not the one of the two that
    belongs there: its name, and what it is. Nothing behind a link is looked at."""
    for names, is_right in ((_FILES, stat.S_ISREG), ((*_FOLDERS, "quarantine"), stat.S_ISDIR)):
        for name in names:
            try:
                mode = os.lstat(root / name).st_mode
            except OSError:
                continue
            if not is_right(mode):
                yield name, kind_of(mode) or "a file"
            elif name in _FOLDERS:
                yield from _strange_below(root / name, name)


def _strange_below(folder: Path, name: str) -> Iterator[tuple[str, str]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _strange_below(folder / entry.name, f"{name}/{entry.name}")
                elif not entry.is_file(follow_symlinks=False):
                    yield f"{name}/{entry.name}", kind_of(entry.stat(follow_symlinks=False).st_mode) or "a file"
    except OSError:  # gone meanwhile, or not ours to read: then it is not ours to write either
        return


def refuse_strange(root: Path) -> None:
    """Raises StorageError where a link would lead a writer out of the archive: it cuts, renames and removes files."""
    for name, what in strange(root):
        advice = "put the file itself there, or nothing"
        if what == "a link":
            advice = "muniment follows none; mount or bind the folder there instead, or put the file itself there"
        raise StorageError(f"{root / name} is {what}: {advice}")


def cut_tails(root: Path, committed: Committed) -> list[str]:
    """Move what no commit covers to `quarantine/`. Returns the names of the files that were cut.

    The lengths in a commit are signed by nobody, so the leaves have to give the signed root before any are cut off.
    To be called where `refuse_strange` found nothing. Raises IntegrityError, StorageError.
    """
    size = committed.checkpoint.size
    check_leaves(root / "log", size - size % WIDTH, committed.checkpoint)
    _check_tail(root, committed)
    lengths = {**committed.segments, **_newest_bundle(root, committed), "log/commits": committed.commits}
    quarantine, touched = root / "quarantine", list[str]()
    for name, length in lengths.items():
        path = root / name
        if (size_of(path) or 0) > length:
            cut(path, length, quarantine)
            touched.append(name)
    log = root / "log"
    for path in list(bundles_from(log, (size + WIDTH - 1) // WIDTH)):
        set_aside(path, quarantine)
        touched.append(relative(log, path))
    for path in segment_files(root):
        name = path.relative_to(root).as_posix()
        if name not in lengths:
            set_aside(path, quarantine)
            touched.append(name)
    return touched


def set_aside_stamps(root: Path, named: Container[str]) -> list[str]:
    """Move the files in `log/stamps/` that no committed leaf names to `quarantine/`. Returns their names."""
    folder, touched = root / "log" / "stamps", []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name not in named:
            set_aside(path, root / "quarantine")
            touched.append(path.relative_to(root).as_posix())
    return touched


def _check_tail(root: Path, committed: Committed) -> None:
    """The commit states how long the bundle that is not full is: exactly as long as its leaves."""
    log, size = root / "log", committed.checkpoint.size
    leaves = read_leaves(log, size - size % WIDTH, size)
    if committed.tail != sum(2 + len(entry.leaf) for entry in leaves):
        raise IntegrityError(
            f"log/commits is damaged before byte {committed.commits}: the commit states {committed.tail} bytes for the"
            f" newest bundle, which its leaves do not have; {_ADVICE}"
        )


def segment_files(root: Path) -> list[Path]:
    """Every WARC file of both streams, in order."""
    return [path for stream in STREAMS for path in sorted((root / stream).glob("*/*.warc.gz"))]
