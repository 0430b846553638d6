"""C2SP tlog-tiles: where a log's hashes and entries lie as static files (https://c2sp.org/tlog-tiles).

A hash tile at level L holds up to 256 hashes of 32 bytes, each the root over 256^L leaves. An entry bundle holds
up to 256 entries, each with its length in front as a big-endian uint16. A tile that is not full is partial, and
its path ends in `.p/<width>`.

    tile/0/000            tile/1/000.p/3            tile/entries/x001/x234/067
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a search reads paths and leaves, and is spared hashlib
    from muniment.formats.tlog import Edge

HEIGHT = 8
WIDTH = 1 << HEIGHT
MAX_ENTRY = 0xFFFF


def format_tile_path(level: int | str, index: int, width: int = WIDTH) -> str:
    """The path of a tile below the log's folder; `level` is a number or "entries"."""
    path = f"{index % 1000:03d}"
    index //= 1000
    while index:
        path = f"x{index % 1000:03d}/{path}"
        index //= 1000
    return f"tile/{level}/{path}" + (f".p/{width}" if width < WIDTH else "")


def format_tail_path(index: int) -> str:
    """Where the leaves of a bundle that is not full yet grow, beside its partial tiles; no name of C2SP's."""
    return format_tile_path("entries", index) + ".p/tail"


def format_entry(entry: bytes) -> bytes:
    """An entry with its length in front."""
    if len(entry) > MAX_ENTRY:
        raise ValueError(f"an entry of {len(entry)} bytes does not fit a bundle; {MAX_ENTRY} is the limit")
    return len(entry).to_bytes(2, "big") + entry


def parse_entries(bundle: bytes) -> Iterator[bytes]:
    """The entries of a bundle, or of many bundles in a row. Raises ValueError where the last one is cut short."""
    position, end = 0, len(bundle)
    while position < end:
        start = position + 2
        position = start + int.from_bytes(bundle[position:start], "big")
        if start > end or position > end:
            raise ValueError(f"the entry at byte {start - 2} is cut short")
        yield bundle[start:position]


def split_hashes(tile: bytes) -> list[bytes]:
    """The hashes of a tile."""
    if not tile or len(tile) % 32:
        raise ValueError(f"a hash tile of {len(tile)} bytes")
    return [tile[i : i + 32] for i in range(0, len(tile), 32)]


def partial_widths(size: int) -> list[int]:
    """How many hashes the last, partial tile of each level holds in a tree of `size` leaves; 0 where none is."""
    widths = []
    while size:
        widths.append(size % WIDTH)
        size //= WIDTH
    return widths


class TileBuilder:
    """A growing tree by its right edge, and the hashes of the tile of each level that is not full yet."""

    __slots__ = ("edge", "levels")

    def __init__(self, edge: Edge | None = None, levels: Sequence[Sequence[bytes]] = ()):
        from muniment.formats.tlog import Edge

        self.edge = edge or Edge()
        self.levels = [list(hashes) for hashes in levels]

    def copy(self) -> TileBuilder:
        from muniment.formats.tlog import Edge

        return TileBuilder(Edge(self.edge.size, self.edge.nodes), self.levels)

    def append(self, leaf_hash: bytes) -> list[tuple[int, int, list[bytes]]]:
        """Add a leaf's hash. Returns the tiles that it fills: (level, index, hashes)."""
        full = []
        for height, node in enumerate(self.edge.append(leaf_hash)):
            level, below = divmod(height, HEIGHT)
            if below:
                continue
            if level == len(self.levels):
                self.levels.append([])
            hashes = self.levels[level]
            hashes.append(node)
            if len(hashes) == WIDTH:
                full.append((level, (self.edge.size >> (HEIGHT * level)) // WIDTH - 1, hashes))
                self.levels[level] = []
        return full

    def extend(self, leaf_hashes: Sequence[bytes]) -> list[tuple[int, int, list[bytes]]]:
        """Add many leaves' hashes; as `append`."""
        full, size = list[tuple[int, int, list[bytes]]](), self.edge.size
        for level, nodes in enumerate(self.edge.extend(leaf_hashes)[::HEIGHT]):
            if level == len(self.levels):
                self.levels.append([])
            hashes, index = self.levels[level] + nodes, (size >> (HEIGHT * level)) // WIDTH
            while len(hashes) >= WIDTH:
                full.append((level, index, hashes[:WIDTH]))
                hashes, index = hashes[WIDTH:], index + 1
            self.levels[level] = hashes
        return full

    def partial(self) -> Iterator[tuple[int, int, list[bytes]]]:
        """The tiles that are not full: (level, index, hashes)."""
        for level, hashes in enumerate(self.levels):
            if hashes:
                yield level, (self.edge.size >> (HEIGHT * level)) // WIDTH, hashes


def edge_of(size: int, partial: list[list[bytes]]) -> Edge:
    """The right edge of a tree, from the hashes of the partial tile of each level (level 0 first)."""
    from muniment.formats.tlog import Edge, perfect_root

    nodes: list[bytes] = []
    for hashes in reversed(partial):
        start = 0
        for bit in range(HEIGHT - 1, -1, -1):
            if len(hashes) & (1 << bit):
                nodes.append(perfect_root(hashes[start : start + (1 << bit)]))
                start += 1 << bit
    return Edge(size, nodes)
