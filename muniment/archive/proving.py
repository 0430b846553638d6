"""Proofs from the log on disk: the path of a leaf, the way from one size to another, and the signed checkpoints.

Any tree that was ever committed can be asked for. The hashes come from `log/tile`, only the few tiles that a path
needs; where one is missing it is computed from the level below, in the end from the leaves themselves. Tiles are a
cache and signed by nobody, so every path is checked against the checkpoint's root before it is given out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from muniment.archive.commit import MAGIC, Commit, parse_frame
from muniment.errors import IntegrityError, UsageError
from muniment.formats.checkpoint import Checkpoint
from muniment.formats.note import VerifierKey, check_note
from muniment.formats.tile import HEIGHT, WIDTH, format_tile_path, parse_entries, split_hashes
from muniment.formats.tlog import (
    check_consistency,
    check_inclusion,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    perfect_root,
    split_point,
)
from muniment.regular import read_regular

_REBUILD = "run `muniment rebuild`"
_MAGIC = f"{MAGIC}\n".encode()


class Tree:
    """The tree of a checkpoint, whose hashes are read from `log/tile` as they are asked for."""

    def __init__(self, log: Path, checkpoint: Checkpoint):
        self.checkpoint = checkpoint
        self._log = log
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def prove_inclusion(self, number: int, entry: bytes) -> list[bytes]:
        """The inclusion path of leaf #number, whose exact bytes are `entry`. Raises IntegrityError."""
        size, root = self.checkpoint.size, self.checkpoint.root
        if not 0 <= number < size:
            raise UsageError(f"#{number} is not in the log of {size} leaves")
        path = inclusion_path(number, size, self.subtree)
        try:
            check_inclusion(leaf_hash(entry), number, size, path, root)
        except ValueError as e:
            raise IntegrityError(f"log/tile does not prove leaf #{number} in {size} leaves: {e}; {_REBUILD}") from e
        return path

    def prove_consistency(self, old: Checkpoint) -> list[bytes]:
        """The path from an older checkpoint of this log to this one. Raises IntegrityError: also where it is none."""
        size, root = self.checkpoint.size, self.checkpoint.root
        if not 0 < old.size <= size:
            raise UsageError(f"a checkpoint of {size} leaves continues none of {old.size}")
        path = consistency_path(old.size, size, self.subtree)
        try:
            check_consistency(old.size, size, old.root, root, path)
        except ValueError as e:
            raise IntegrityError(
                f"log/tile does not prove that {size} leaves continue {old.size}: {e}; {_REBUILD}"
            ) from e
        return path

    def subtree(self, start: int, end: int) -> bytes:
        """RFC 6962's MTH over the leaves from #start up to #end, as the tree splits them."""
        count = end - start
        if count & (count - 1):  # at the right edge
            middle = start + split_point(count)
            return node_hash(self.subtree(start, middle), self.subtree(middle, end))
        level, below = divmod(count.bit_length() - 1, HEIGHT)
        first, within = start >> (HEIGHT * level), 1 << below
        index, offset = divmod(first, WIDTH)
        return perfect_root(self._tile(level, index)[offset : offset + within])

    def _tile(self, level: int, index: int) -> list[bytes]:
        """The hashes of a tile, as many as this tree has there."""
        if (level, index) not in self._tiles:
            width = min(WIDTH, (self.checkpoint.size >> (HEIGHT * level)) - index * WIDTH)
            found = self._read(level, index, width)
            self._tiles[level, index] = found if found is not None else self._compute(level, index, width)
        return self._tiles[level, index]

    def _read(self, level: int, index: int, width: int) -> list[bytes] | None:
        """From the tile on disk: the full one, or any partial one that is wide enough."""
        for path in self._candidates(level, index):
            try:
                hashes = split_hashes(read_regular(path))
            except (OSError, ValueError):
                continue
            if width <= len(hashes) <= WIDTH:
                return hashes[:width]
        return None

    def _compute(self, level: int, index: int, width: int) -> list[bytes]:
        if level:
            return [perfect_root(self._tile(level - 1, index * WIDTH + i)) for i in range(width)]
        for path in self._candidates("entries", index):
            try:
                # What stands behind the entries of this tree may be unfinished.
                entries = list(islice(parse_entries(read_regular(path)), width))
            except (OSError, ValueError):
                continue
            if len(entries) == width:
                return [leaf_hash(entry) for entry in entries]
        raise IntegrityError(
            f"log/{format_tile_path(0, index)} is missing, and so are the leaves from #{index * WIDTH} on: {_REBUILD}"
        )

    def _candidates(self, level: int | str, index: int) -> list[Path]:
        full = self._log / format_tile_path(level, index)
        try:
            partial = [path for path in full.with_name(full.name + ".p").iterdir() if not path.name.startswith(".")]
        except OSError:
            partial = []
        return [full, *sorted(partial, key=_size, reverse=True)]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # a writer has just replaced it
        return 0


def newest_commit(log: Path, keys: Sequence[VerifierKey]) -> Commit:
    """The last whole commit. Raises IntegrityError where there is none, or its signature does not hold."""
    data = _commits(log)
    place = len(data)
    while (place := data.rfind(_MAGIC, 0, place)) >= 4:
        if (commit := parse_frame(data, place - 4)) is not None:
            return _checked(commit, keys)
    raise IntegrityError("log/commits holds no whole commit: run `muniment verify`")


def commits_of(log: Path, origin: str, size: int, keys: Sequence[VerifierKey]) -> list[Commit]:
    """The commits of exactly `size` leaves, oldest first; found by their text, for a log may have very many."""
    data, text = _commits(log), f"\n\n{origin}\n{size}\n".encode()
    found, place = list[Commit](), -1
    while (place := data.find(text, place + 1)) >= 0:
        frame = data.rfind(_MAGIC, 0, place) - 4
        commit = parse_frame(data, frame) if frame >= 0 else None
        if commit is not None and commit.checkpoint.size == size:
            found.append(_checked(commit, keys))
    return found


def commits_back(log: Path, origin: str, sizes: Iterable[int], keys: Sequence[VerifierKey]) -> Iterator[Commit]:
    """A commit of each of these sizes, which descend: one pass over a log that may have very many. Raises
    IntegrityError where there is none."""
    data = _commits(log)
    place = len(data)
    for size in sizes:
        place = data.rfind(f"\n\n{origin}\n{size}\n".encode(), 0, place)
        frame = data.rfind(_MAGIC, 0, place) - 4 if place >= 0 else -1
        commit = parse_frame(data, frame) if frame >= 0 else None
        if commit is None or commit.checkpoint.size != size:
            raise IntegrityError(f"log/commits holds no commit of {size} leaves: run `muniment verify`")
        yield _checked(commit, keys)


def _checked(commit: Commit, keys: Sequence[VerifierKey]) -> Commit:
    try:
        check_note(commit.note, keys)
    except ValueError as e:
        raise IntegrityError(
            f"log/commits: the commit that ends at byte {commit.end}: {e}; run `muniment verify`"
        ) from e
    return commit


def _commits(log: Path) -> bytes:
    try:
        return read_regular(log / "commits")
    except OSError as e:
        raise IntegrityError(f"log/commits cannot be read: {e.strerror}; run `muniment verify`") from e
