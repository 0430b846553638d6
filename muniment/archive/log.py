"""The log on disk: `log/entries` (the leaves) and what is computed from it, `log/tile/` and `log/checkpoint`.

The tree is never held whole: its right edge and the partial tile of each level are enough to append, and they are
read from the tiles, a few kilobytes for a log of any length. Tiles are a cache: where they are missing, or do not
give the root that the newest commit signed, they are computed anew from the entries.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from muniment.durable import AppendFile, replace
from muniment.errors import IntegrityError
from muniment.formats.checkpoint import Checkpoint
from muniment.formats.tile import (
    HEIGHT,
    WIDTH,
    edge_of,
    format_entry,
    format_tile_path,
    parse_entries,
    partial_widths,
    split_hashes,
)
from muniment.formats.tlog import Edge, leaf_hash

CHECKED_TILES = 64
_NESTED, _TILE = re.compile("x[0-9]{3}"), re.compile(r"[0-9]{3}(?:\.p)?")


def read_entries(path: Path, start: int, end: int) -> Iterator[bytes]:
    """The leaves between two offsets of `log/entries`, a megabyte at a time. ValueError where the last is cut short."""
    with path.open("rb") as file:
        file.seek(start)
        rest, remaining = b"", end - start
        while remaining:
            chunk = file.read(min(1 << 20, remaining))
            if not chunk:
                raise ValueError(f"{path}: {remaining} committed bytes are missing")
            remaining -= len(chunk)
            data = rest + chunk
            whole = data if not remaining else data[: _last_boundary(data)]
            yield from parse_entries(whole)
            rest = data[len(whole) :]


def _last_boundary(data: bytes) -> int:
    position = 0
    while position + 2 <= len(data):
        following = position + 2 + int.from_bytes(data[position : position + 2], "big")
        if following > len(data):
            break
        position = following
    return position


class Log:
    """The writable log. `append` queues leaves, `sync` makes them safe, `publish` writes tiles and checkpoint."""

    def __init__(self, folder: Path, checkpoint: Checkpoint, entries_length: int):
        self.folder = folder
        self._file = AppendFile(folder / "entries")
        self._edge = Edge()
        self._partial: list[list[bytes]] = []
        self._full: list[tuple[int, int, list[bytes]]] = []
        self._bundle: list[bytes] = []
        self._full_bundles: list[tuple[int, list[bytes]]] = []
        self._queued: list[bytes] = []
        self._load(checkpoint, entries_length)

    @property
    def size(self) -> int:
        return self._edge.size

    @property
    def length(self) -> int:
        """Bytes of `log/entries`."""
        return self._file.size

    def root(self) -> bytes:
        return self._edge.root()

    def append(self, leaf: bytes) -> int:
        """Queue a leaf; returns its number."""
        number = self._edge.size
        self._queued.append(format_entry(leaf))
        self._count(leaf)
        return number

    def sync(self) -> None:
        """Return once every queued leaf is on the disk."""
        self._file.append(b"".join(self._queued))
        self._queued.clear()
        self._file.sync()

    def publish(self, note: str) -> None:
        """Write the tiles that changed, then the checkpoint. All of it can be rebuilt, so nothing is synced."""
        self._write_full_tiles()
        for level, hashes in enumerate(self._partial):
            if hashes:
                index = (self.size >> (HEIGHT * level)) // WIDTH
                self._write_tile(level, index, b"".join(hashes), len(hashes))
        if self._bundle:
            bundle = b"".join(map(format_entry, self._bundle))
            self._write_tile("entries", self.size // WIDTH, bundle, len(self._bundle))
        replace(self.folder / "checkpoint", note.encode(), sync=False)

    def close(self) -> None:
        self._file.close()

    def _count(self, leaf: bytes) -> None:
        for height, node in enumerate(self._edge.append(leaf_hash(leaf))):
            level, below = divmod(height, HEIGHT)
            if below:
                continue
            if level == len(self._partial):
                self._partial.append([])
            self._partial[level].append(node)
            if len(self._partial[level]) == WIDTH:
                index = (self.size >> (HEIGHT * level)) // WIDTH - 1
                self._full.append((level, index, self._partial[level]))
                self._partial[level] = []
        self._bundle.append(leaf)
        if len(self._bundle) == WIDTH:
            self._full_bundles.append((self.size // WIDTH - 1, self._bundle))
            self._bundle = []

    def _write_full_tiles(self) -> None:
        for level, index, hashes in self._full:
            self._write_tile(level, index, b"".join(hashes), WIDTH)
        for index, entries in self._full_bundles:
            self._write_tile("entries", index, b"".join(map(format_entry, entries)), WIDTH)
        self._full.clear()
        self._full_bundles.clear()

    def _write_tile(self, level: int | str, index: int, content: bytes, width: int) -> None:
        path = self.folder / format_tile_path(level, index, width)
        replace(path, content, sync=False)
        if width == WIDTH:
            shutil.rmtree(path.with_name(path.name + ".p"), ignore_errors=True)
            return
        for older in path.parent.iterdir():  # only the newest partial tile is of use
            if older != path:
                older.unlink(missing_ok=True)

    def _load(self, checkpoint: Checkpoint, length: int) -> None:
        try:
            self._load_tiles(checkpoint)
            self._check_entries(checkpoint, length)
        except (OSError, ValueError):
            self._recompute(checkpoint, length)

    def _load_tiles(self, checkpoint: Checkpoint) -> None:
        partial: list[list[bytes]] = []
        for level, width in enumerate(partial_widths(checkpoint.size)):
            index = (checkpoint.size >> (HEIGHT * level)) // WIDTH
            path = self.folder / format_tile_path(level, index, width)
            hashes = split_hashes(path.read_bytes()) if width else []
            if len(hashes) != width:
                raise ValueError(f"{path} holds {len(hashes)} hashes")
            partial.append(hashes)
        edge = edge_of(checkpoint.size, partial)
        if edge.root() != checkpoint.root:
            raise ValueError("the tiles do not give the root of the newest checkpoint")
        self._edge, self._partial = edge, partial

    def _check_entries(self, checkpoint: Checkpoint, length: int) -> None:
        """Compare the newest leaves (the whole log, where it is short) with the tiles. ValueError: they differ.

        A damaged leaf must be noticed before anything is built upon it; `verify` reads the older ones.
        """
        first_tile = max(0, checkpoint.size // WIDTH - CHECKED_TILES)
        position = length
        widths = [WIDTH] * (checkpoint.size // WIDTH - first_tile) + [checkpoint.size % WIDTH]
        bundles = [
            (self.folder / format_tile_path("entries", first_tile + i, width), width)
            for i, width in enumerate(widths)
            if width
        ]
        position = length - sum(path.stat().st_size for path, _ in bundles)
        leaves = read_entries(self.folder / "entries", position, length)
        bundle: list[bytes] = []
        for i, (_, width) in enumerate(bundles):
            hashes = split_hashes((self.folder / format_tile_path(0, first_tile + i, width)).read_bytes())
            bundle = [leaf for leaf, _ in zip(leaves, range(width), strict=False)]
            if [leaf_hash(leaf) for leaf in bundle] != hashes:
                raise ValueError("the entries do not hash to the tiles")
        self._bundle = bundle if checkpoint.size % WIDTH else []

    def _recompute(self, checkpoint: Checkpoint, length: int) -> None:
        """Two passes: the tiles name the damaged leaf, so they stay as they are until the root is known to be right."""
        edge = Edge()
        try:
            for leaf in read_entries(self.folder / "entries", 0, length):
                edge.append(leaf_hash(leaf))
        except (OSError, ValueError) as e:
            raise IntegrityError(
                f"log/entries is damaged: {e}; run `muniment verify` and restore it from a copy"
            ) from e
        if (edge.size, edge.root()) != (checkpoint.size, checkpoint.root):
            where = first_damaged_leaf(self.folder, length)
            raise IntegrityError(
                f"log/entries is damaged{where}: its leaves do not hash to the signed checkpoint of {checkpoint.size}"
                " leaves; run `muniment verify` and restore it from a copy"
            )
        self._edge, self._partial, self._bundle = Edge(), [], []
        for leaf in read_entries(self.folder / "entries", 0, length):
            self._count(leaf)
            if len(self._full_bundles) == CHECKED_TILES:
                self._write_full_tiles()


def leaves_in_tiles(folder: Path) -> int:
    """How many leaves the tiles were written for, by their names: they are written once a commit stands."""
    place, index = folder / "tile" / "0", 0
    while True:
        names = sorted(_names(place))
        nested = [name for name in names if _NESTED.fullmatch(name)]
        if nested:
            place, index = place / nested[-1], index * 1000 + int(nested[-1][1:])
            continue
        tiles = [name for name in names if _TILE.fullmatch(name)]
        if not tiles:
            return index * 1000 * WIDTH
        index = index * 1000 + int(tiles[-1][:3])
        if not tiles[-1].endswith(".p"):
            return (index + 1) * WIDTH
        widths = [int(name) for name in _names(place / tiles[-1]) if name.isdecimal() and len(name) < 4]
        return index * WIDTH + max(widths, default=0)


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []


def first_damaged_leaf(folder: Path, length: int) -> str:
    """The words that say at which leaf and byte the entries leave the hash tiles, empty where the tiles do not tell."""
    position, number = 0, 0
    try:
        for leaf in read_entries(folder / "entries", 0, length):
            if number % WIDTH == 0:
                tile = tile_hashes(folder, number, number + WIDTH)
            if number % WIDTH >= len(tile):
                break
            if tile[number % WIDTH] != leaf_hash(leaf):
                return f" at leaf #{number}, byte {position}"
            number, position = number + 1, position + 2 + len(leaf)
    except ValueError:
        return f" near leaf #{number}, byte {position}"
    return ""


def tile_hashes(folder: Path, first: int, end: int) -> list[bytes]:
    """The leaf hashes from #first up to #end, as far as the level 0 tiles hold them."""
    hashes: list[bytes] = []
    for index in range(first // WIDTH, (end + WIDTH - 1) // WIDTH):
        full = folder / format_tile_path(0, index)
        partial = full.with_name(full.name + ".p")
        try:
            found = [full] if full.exists() else sorted(partial.iterdir(), key=lambda path: -path.stat().st_size)
            tile = split_hashes(found[0].read_bytes())
        except (OSError, ValueError, IndexError):
            break
        start = index * WIDTH
        hashes += tile[max(0, first - start) : max(0, end - start)]
        if len(tile) < WIDTH:
            break
    return hashes
