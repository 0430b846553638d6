"""The log on disk: the leaves in entry bundles, and what is computed from them, hash tiles and `log/checkpoint`.

The leaves' only copy is `log/tile/entries/`, as C2SP tlog-tiles has it: a file for each 256 of them. The bundle that is
not full yet grows in `<N>.p/tail`, and takes its published name when it is full; whether that renaming came about says
nothing, so a bundle is looked for under both names.

The tree is never held whole: its right edge and the partial tile of each level are enough to append, and they are
read from the tiles, a few kilobytes for a log of any length. Hash tiles are a cache: where they are missing, or do not
give the root that the newest commit signed, they are computed anew from the leaves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from muniment.durable import AppendFile, is_temporary, replace
from muniment.errors import IntegrityError, StorageError
from muniment.formats.checkpoint import Checkpoint
from muniment.formats.leaf import Leaf, parse_leaf
from muniment.formats.tile import (
    HEIGHT,
    WIDTH,
    TileBuilder,
    edge_of,
    format_entry,
    format_tail_path,
    format_tile_path,
    parse_entries,
    partial_widths,
    split_hashes,
)
from muniment.formats.tlog import Edge, leaf_hash
from muniment.regular import read_regular

CHECKED_TILES = 64
_NESTED, _TILE = re.compile("x[0-9]{3}"), re.compile(r"[0-9]{3}(?:\.p)?")


class Entry(NamedTuple):
    """A leaf as it stands in its bundle, `offset` bytes from the bundle's beginning (where its length stands)."""

    offset: int
    leaf: bytes


def bundle_path(folder: Path, index: int) -> Path:
    """Where a bundle lies: under its published name, or where it grows."""
    published = folder / format_tile_path("entries", index)
    return published if published.exists() else folder / format_tail_path(index)


def read_bundle(folder: Path, index: int) -> bytes:
    """The bytes of a bundle. A writer may give it its other name meanwhile, hence the second look."""
    try:
        return read_regular(bundle_path(folder, index))
    except FileNotFoundError:
        return read_regular(bundle_path(folder, index))


def entries_of(bundle: bytes) -> Iterator[Entry]:
    """The leaves of a bundle, the first 256 of them. Raises ValueError where one is cut short."""
    offset = 0
    for leaf, _ in zip(parse_entries(bundle), range(WIDTH), strict=False):
        yield Entry(offset, leaf)
        offset += 2 + len(leaf)


def read_leaves(folder: Path, first: int, end: int) -> Iterator[Entry]:
    """The leaves from #first up to #end. Raises ValueError where one of them is missing or cut short."""
    number = first - first % WIDTH
    while number < end:
        for entry in entries_of(_read(folder, number // WIDTH)):
            if first <= number < end:
                yield entry
            number += 1
            if number == end:
                return  # what stands behind may be unfinished
        if number % WIDTH:
            raise ValueError(f"{bundle_path(folder, number // WIDTH).name}: leaf #{number} is missing")


def _read(folder: Path, index: int) -> bytes:
    try:
        bundle = read_bundle(folder, index)
    except FileNotFoundError as e:
        raise ValueError(f"the bundle of leaf #{index * WIDTH} is missing") from e
    if not bundle:
        raise ValueError(f"the bundle of leaf #{index * WIDTH} is empty")
    return bundle


def leaf_at(folder: Path, number: int) -> Leaf:
    """A leaf as it stands in its bundle. Raises ValueError, OSError."""
    entries = entries_of(_read(folder, number // WIDTH))
    return parse_leaf(next(islice(entries, number % WIDTH, None), Entry(0, b"")).leaf)


def check_leaves(folder: Path, since: int, checkpoint: Checkpoint) -> None:
    """Raises IntegrityError unless the leaves from #since on are those that the checkpoint was signed over.

    The hashes before them come from the tiles, which anybody may have written: that they and the leaves give the signed
    root shows that both are right. Where they do not, all leaves are read.
    """
    from muniment.archive.proving import Tree

    for first in dict.fromkeys((since, 0)):
        try:
            tree, nodes, start = Tree(folder, checkpoint), [], 0
            for height in reversed(range(first.bit_length())):
                if first >> height & 1:
                    nodes.append(tree.subtree(start, start + (1 << height)))
                    start += 1 << height
            edge = Edge(first, nodes)
            for entry in read_leaves(folder, first, checkpoint.size):
                edge.append(leaf_hash(entry.leaf))
            if edge.root() == checkpoint.root:
                return
        except (OSError, ValueError, IntegrityError):
            continue
    where = first_damaged_leaf(folder, checkpoint.size)
    raise IntegrityError(
        f"log/tile/entries is damaged{where}: its leaves do not hash to the signed checkpoint of {checkpoint.size}"
        " leaves; run `muniment verify` and restore it from a copy"
    )


def relative(folder: Path, path: Path) -> str:
    """The name of a file of the log as findings tell it."""
    return "log/" + path.relative_to(folder).as_posix()


class Log:
    """The writable log. `append` queues leaves, `sync` makes them safe, `publish` writes tiles and checkpoint."""

    def __init__(self, folder: Path, checkpoint: Checkpoint):
        self.folder = folder
        self._tree = TileBuilder()
        self._full: list[tuple[int, int, list[bytes]]] = []
        self._queued: list[bytes] = []  # of the bundle that grows
        self._filled: list[tuple[int, list[bytes]]] = []  # bundles that are full, and what each gained
        self._renamed: list[int] = []
        self._tail: AppendFile | None = None
        self._length = 0
        self._load(checkpoint)

    @property
    def size(self) -> int:
        return self._tree.edge.size

    @property
    def tail(self) -> int:
        """Bytes of the bundle that is not full, with what is queued; where the next leaf will stand."""
        return self._length

    def root(self) -> bytes:
        return self._tree.edge.root()

    def append(self, leaf: bytes) -> int:
        """Queue a leaf; returns its number."""
        number = self.size
        entry = format_entry(leaf)
        self._queued.append(entry)
        self._length += len(entry)
        self._full += self._tree.append(leaf_hash(leaf))
        if self.size % WIDTH == 0:
            self._filled.append((number // WIDTH, self._queued))
            self._queued, self._length = [], 0
        return number

    def sync(self) -> None:
        """Return once every queued leaf is on the disk."""
        for index, entries in self._filled:
            self._write(index, entries)
            self._renamed.append(index)
        self._filled.clear()
        if self._queued:
            self._write(self.size // WIDTH, self._queued)
            self._queued.clear()

    def _write(self, index: int, entries: list[bytes]) -> None:
        path = self.folder / format_tail_path(index)
        if self._tail is not None and self._tail.path != path:
            self._tail.close()
            self._tail = None
        self._tail = self._tail or AppendFile(path)
        self._tail.append(b"".join(entries))
        self._tail.sync()

    def publish(self, note: str) -> None:
        """Write the tiles that changed, then the checkpoint. All of it can be computed anew, so nothing is synced."""
        for index in self._renamed:
            publish_bundle(self.folder, index)
        self._renamed.clear()
        self._write_full_tiles()
        self._write_partial_tiles()
        replace(self.folder / "checkpoint", note.encode(), sync=False)

    def _write_full_tiles(self) -> None:
        for level, index, hashes in self._full:
            self._write_tile(level, index, b"".join(hashes), WIDTH)
        self._full.clear()

    def _write_partial_tiles(self) -> None:
        for level, index, hashes in self._tree.partial():
            self._write_tile(level, index, b"".join(hashes), len(hashes))
        if width := self.size % WIDTH:
            bundle = read_regular(self.folder / format_tail_path(self.size // WIDTH))
            self._write_tile("entries", self.size // WIDTH, bundle, width)

    def publish_earlier(self, sizes: Iterable[int]) -> None:
        """The partial tiles of earlier checkpoints, as far as they are parts of tiles that are not full yet."""
        bundle = read_bundle(self.folder, self.size // WIDTH) if self.size % WIDTH else b""
        ends = [entry.offset for entry in entries_of(bundle)]
        for size in sizes:
            for level, index, hashes in self._tree.partial():
                if (size >> (HEIGHT * level)) // WIDTH == index and (width := (size >> (HEIGHT * level)) % WIDTH):
                    self._write_tile(level, index, b"".join(hashes[:width]), width)
            if size // WIDTH == self.size // WIDTH and 0 < (width := size % WIDTH) < len(ends):
                self._write_tile("entries", size // WIDTH, bundle[: ends[width]], width)

    def close(self) -> None:
        if self._tail is not None:
            self._tail.close()

    def _write_tile(self, level: int | str, index: int, content: bytes, width: int) -> None:
        """Partial tiles stay until the full one is there, for whoever holds one of their checkpoints."""
        path = self.folder / format_tile_path(level, index, width)
        replace(path, content, sync=False)
        if width == WIDTH:
            _remove_partial(path)

    def _load(self, checkpoint: Checkpoint) -> None:
        try:
            self._load_tiles(checkpoint)
            self._check_leaves(checkpoint)
        except (OSError, ValueError):
            self._recompute(checkpoint)
        last = checkpoint.size // WIDTH
        if (self.folder / format_tile_path("entries", last)).exists():
            raise IntegrityError(
                f"log/{format_tile_path('entries', last)} is there, and the log of {checkpoint.size} leaves has not"
                " filled it: run `muniment verify`"
            )
        if checkpoint.size % WIDTH:
            self._length = len(read_bundle(self.folder, last))
        unpublished = range(max(0, last - CHECKED_TILES), last)
        self._renamed += [index for index in unpublished if (self.folder / format_tail_path(index)).exists()]

    def _load_tiles(self, checkpoint: Checkpoint) -> None:
        partial: list[list[bytes]] = []
        for level, width in enumerate(partial_widths(checkpoint.size)):
            index = (checkpoint.size >> (HEIGHT * level)) // WIDTH
            path = self.folder / format_tile_path(level, index, width)
            hashes = split_hashes(read_regular(path)) if width else []
            if len(hashes) != width:
                raise ValueError(f"{path} holds {len(hashes)} hashes")
            partial.append(hashes)
        edge = edge_of(checkpoint.size, partial)
        if edge.root() != checkpoint.root:
            raise ValueError("the tiles do not give the root of the newest checkpoint")
        self._tree = TileBuilder(edge, partial)

    def _check_leaves(self, checkpoint: Checkpoint) -> None:
        """Compare the newest leaves (the whole log, where it is short) with the tiles. ValueError: they differ.

        A damaged leaf must be noticed before anything is built upon it; `verify` reads the older ones.
        """
        last = checkpoint.size // WIDTH
        for index in range(max(0, last - CHECKED_TILES), last + 1):
            width = min(WIDTH, checkpoint.size - index * WIDTH)
            if not width:
                continue
            hashes = split_hashes(read_regular(self.folder / format_tile_path(0, index, width)))
            if [leaf_hash(entry.leaf) for entry in entries_of(_read(self.folder, index))] != hashes:
                raise ValueError("the leaves do not hash to the tiles")

    def _recompute(self, checkpoint: Checkpoint) -> None:
        """Two passes: the tiles name the damaged leaf, so they stay as they are until the root is known to be right."""
        edge = Edge()
        try:
            for entry in read_leaves(self.folder, 0, checkpoint.size):
                edge.append(leaf_hash(entry.leaf))
        except (OSError, ValueError) as e:
            where = first_damaged_leaf(self.folder, checkpoint.size)
            raise IntegrityError(
                f"log/tile/entries is damaged{where}: {e}; run `muniment verify` and restore it from a copy"
            ) from e
        if (edge.size, edge.root()) != (checkpoint.size, checkpoint.root):
            where = first_damaged_leaf(self.folder, checkpoint.size)
            raise IntegrityError(
                f"log/tile/entries is damaged{where}: its leaves do not hash to the signed checkpoint of"
                f" {checkpoint.size} leaves; run `muniment verify` and restore it from a copy"
            )
        self._tree = TileBuilder()
        for entry in read_leaves(self.folder, 0, checkpoint.size):
            self._full += self._tree.append(leaf_hash(entry.leaf))
            if len(self._full) >= CHECKED_TILES:
                self._write_full_tiles()
        with suppress(StorageError):  # on a full disk, the next commit or rebuild writes them
            self._write_full_tiles()
            self._write_partial_tiles()
        oldest = max(0, checkpoint.size // WIDTH - CHECKED_TILES)
        self._renamed = [index for index in range(oldest) if (self.folder / format_tail_path(index)).exists()]


def publish_bundle(folder: Path, index: int) -> None:
    """Give a full bundle its published name; its partial copies are of no use any more."""
    published, tail = folder / format_tile_path("entries", index), folder / format_tail_path(index)
    if tail.exists():
        if published.exists():
            raise IntegrityError(
                f"{relative(folder, tail)} lies beside a bundle that is full: run `muniment verify`, and take away the"
                " one that is not what was signed"
            )
        tail.rename(published)
    _remove_partial(published)


def _remove_partial(full: Path) -> None:
    """The partial tiles of a full one. The leaves' only copy, which may grow beside them, is no tile and stays."""
    folder = full.with_name(full.name + ".p")
    for entry in _entries(folder):
        if entry.name.isdecimal() or is_temporary(entry):
            entry.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def remove_tiles(folder: Path) -> None:
    """All that can be computed from the leaves, which stay. Nothing is removed through a link."""
    import shutil

    if (folder / "tile").is_symlink() or (folder / "tile" / "entries").is_symlink():
        return
    for level in _entries(folder / "tile"):
        if level.name.isdecimal():
            shutil.rmtree(level, ignore_errors=True)
    for path in list((folder / "tile" / "entries").glob("**/*.p/*")):
        if path.name.isdecimal() and not path.parent.is_symlink():
            path.unlink(missing_ok=True)


def leaves_in_tiles(folder: Path) -> int:
    """How many leaves the tiles were written for, by their names: they are written once a commit stands."""
    place, index = folder / "tile" / "0", 0
    while True:
        names = sorted(entry.name for entry in _entries(place))
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
        widths = [int(entry.name) for entry in _entries(place / tiles[-1]) if _is_width(entry.name)]
        return index * WIDTH + max(widths, default=0)


def _is_width(name: str) -> bool:
    return name.isdecimal() and len(name) < 4


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def bundles_from(folder: Path, index: int) -> Iterator[Path]:
    """The bundles from this one on, as far as they follow on one another."""
    while (path := bundle_path(folder, index)).exists():
        yield path
        index += 1


def first_damaged_leaf(folder: Path, size: int) -> str:
    """The words that say at which leaf and byte the entries leave the hash tiles, empty where the tiles do not tell."""
    for index in range((size + WIDTH - 1) // WIDTH):
        number, position = index * WIDTH, 0
        name = relative(folder, bundle_path(folder, index))
        tile = tile_hashes(folder, number, min(size, number + WIDTH))
        try:
            for entry in entries_of(_read(folder, index)):
                if number - index * WIDTH >= len(tile):
                    break
                position = entry.offset
                if tile[number % WIDTH] != leaf_hash(entry.leaf):
                    return f" at leaf #{number}, byte {position} of {name}"
                number, position = number + 1, position + 2 + len(entry.leaf)
        except (OSError, ValueError):
            return f" near leaf #{number}, byte {position} of {name}"
        if number < min(size, (index + 1) * WIDTH):
            return f" near leaf #{number}, byte {position} of {name}" if len(tile) else ""
    return ""


def tile_hashes(folder: Path, first: int, end: int) -> list[bytes]:
    """The leaf hashes from #first up to #end, as far as the level 0 tiles hold them."""
    hashes: list[bytes] = []
    for index in range(first // WIDTH, (end + WIDTH - 1) // WIDTH):
        full = folder / format_tile_path(0, index)
        partial = full.with_name(full.name + ".p")
        try:
            found = [full] if full.exists() else sorted(partial.iterdir(), key=lambda path: -path.stat().st_size)
            tile = split_hashes(read_regular(found[0]))
        except (OSError, ValueError, IndexError):
            break
        start = index * WIDTH
        hashes += tile[max(0, first - start) : max(0, end - start)]
        if len(tile) < WIDTH:
            break
    return hashes
