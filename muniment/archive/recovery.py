"""What an archive holds for certain, and how a writer begins: the longest valid prefix of commits.

Bytes past the last commit were never acknowledged: they are cut off and kept in `quarantine/`. A committed byte that
is missing, a valid commit behind a bad one, or a checkpoint of more leaves than the commits hold is damage: nothing is
cut then, and the archive refuses to be written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from muniment.archive.catalog import Catalog, Progress
from muniment.archive.commit import Commit, find_frame, first_bad_frame, scan_frames
from muniment.archive.config import Config
from muniment.archive.segments import STREAMS
from muniment.durable import cut, set_aside
from muniment.errors import IntegrityError
from muniment.formats.checkpoint import Checkpoint, parse_checkpoint
from muniment.formats.note import VerifierKey, check_note
from muniment.formats.tlog import EMPTY_ROOT

CHECKED_COMMITS = 8 << 20
_ADVICE = "run `muniment verify` to see what it touches, and restore the file from a copy"


@dataclass(frozen=True, slots=True)
class Committed:
    """The state that the commits promise: checkpoint, lengths in bytes, and the frames past `since`."""

    checkpoint: Checkpoint
    entries: int
    commits: int
    segments: Mapping[str, int]
    frame: bytes
    new: Sequence[Commit]

    def progress(self) -> Progress:
        return Progress(self.checkpoint.size, self.entries, self.commits, self.frame, root=self.checkpoint.root)


def read_sound(root: Path, config: Config, catalog: Catalog | None = None) -> Committed:
    """The committed state, with everything checked that can be told without reading the records: each commit whole, the
    newest one's signature, nothing shorter than was promised. Raises IntegrityError.

    What the catalog has read before is not read again. A writer may be at work meanwhile.
    """
    published = _published(root, config.keys())  # before the commits: they are always ahead of it
    since, lengths = (catalog.progress(), catalog.lengths()) if catalog is not None else (None, None)
    committed = read_committed(root, config.origin, since, lengths)
    if not committed.commits:
        raise IntegrityError(f"log/commits is missing or holds no whole commit; {_ADVICE}")
    _check_frames(root, committed)
    _check_newest(committed, config.keys(), published)
    _check_lengths(root, committed)
    return committed


def read_committed(
    root: Path, origin: str, since: Progress | None = None, lengths: Mapping[str, int] | None = None
) -> Committed:
    """The committed state. `since` and `lengths` are the catalog's: frames up to there are not read again. Raises
    IntegrityError where a valid frame follows a bad one, or the commit that the catalog saw last is not there.
    """
    path = root / "log" / "commits"
    data, base = _tail(path, since)
    if since is None or base == 0:
        state = Committed(Checkpoint(origin, 0, EMPTY_ROOT), 0, 0, {}, b"", ())
    else:
        state = Committed(
            Checkpoint(origin, since.size, since.root), since.entries, base, dict(lengths or {}), since.frame, ()
        )
    frames = list(scan_frames(data, base))
    end = frames[-1].end if frames else base
    if end < base + len(data) and (later := find_frame(data, end - base + 1)) is not None:
        raise IntegrityError(
            f"log/commits is damaged at byte {end}: a commit stands behind it at byte {base + later}; {_ADVICE}"
        )
    if not frames:
        return state
    segments = dict(state.segments)
    for frame in frames:
        segments.update(frame.segments)
    last = frames[-1]
    return Committed(last.checkpoint, last.entries, end, segments, last.digest, frames)


def _tail(path: Path, since: Progress | None) -> tuple[bytes, int]:
    """The bytes of `log/commits` from the offset that the catalog reached."""
    try:
        with path.open("rb") as file:
            if since is not None and since.commits:
                file.seek(since.commits - 32)
                if file.read(32) != since.frame:
                    raise IntegrityError(
                        f"log/commits is damaged before byte {since.commits}: the catalog has seen a commit end there,"
                        f" after {since.size} leaves; {_ADVICE} (where you put an older archive back on purpose:"
                        " `muniment rebuild`)"
                    )
                return file.read(), since.commits
            return file.read(), 0
    except FileNotFoundError:
        return b"", 0
    except OSError as e:
        raise IntegrityError(f"log/commits cannot be read: {e.strerror}; {_ADVICE}") from e


def _check_frames(root: Path, committed: Committed) -> None:
    """Look over the frames that the catalog saw whole, where they are not very many. Raises IntegrityError."""
    path = root / "log" / "commits"
    if not 0 < committed.commits <= CHECKED_COMMITS:
        return
    with path.open("rb") as file:
        data = file.read(committed.commits)
    if (bad := first_bad_frame(data)) is not None:
        raise IntegrityError(f"log/commits is damaged at byte {bad}: the commit there is not whole; {_ADVICE}")


def _published(root: Path, keys: Sequence[VerifierKey]) -> Checkpoint | None:
    """What `log/checkpoint` was signed over; None where it cannot be read: a cache, written without sync."""
    try:
        return parse_checkpoint(check_note((root / "log" / "checkpoint").read_text(), keys))
    except (OSError, ValueError):
        return None


def _check_newest(committed: Committed, keys: Sequence[VerifierKey], published: Checkpoint | None) -> None:
    """Raises IntegrityError where the last commit's signature is wrong, or the checkpoint knows of a later commit."""
    for frame in committed.new[-1:]:
        try:
            check_note(frame.note, keys)
        except ValueError as e:
            raise IntegrityError(f"log/commits: the commit that ends at byte {frame.end}: {e}; {_ADVICE}") from e
    if published is not None and published.size > committed.checkpoint.size:
        raise IntegrityError(
            f"log/commits is damaged at byte {committed.commits}: it holds {committed.checkpoint.size} leaves, and"
            f" log/checkpoint was signed over {published.size}; {_ADVICE}"
        )


def _check_lengths(root: Path, committed: Committed) -> None:
    """Raises IntegrityError where a file is shorter than a commit promised."""
    expected = {f"{path}": length for path, length in committed.segments.items()} | {"log/entries": committed.entries}
    for name, length in expected.items():
        path = root / name
        found = path.stat().st_size if path.exists() else 0
        if found < length:
            raise IntegrityError(f"{name} is damaged: it holds {found} bytes and {length} are committed; {_ADVICE}")


def cut_tails(root: Path, committed: Committed) -> list[str]:
    """Move what no commit covers to `quarantine/`. Returns the names of the files that were cut."""
    lengths = {**committed.segments, "log/entries": committed.entries, "log/commits": committed.commits}
    quarantine, touched = root / "quarantine", []
    for name, length in lengths.items():
        path = root / name
        if path.exists() and path.stat().st_size > length:
            cut(path, length, quarantine)
            touched.append(name)
    for path in segment_files(root):
        name = path.relative_to(root).as_posix()
        if name not in lengths:
            set_aside(path, quarantine)
            touched.append(name)
    return touched


def segment_files(root: Path) -> list[Path]:
    """Every WARC file of both streams, in order."""
    return [path for stream in STREAMS for path in sorted((root / stream).glob("*/*.warc.gz"))]
