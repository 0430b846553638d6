"""RFC 6962 trees and C2SP tiles."""

from __future__ import annotations

import random

import pytest

from muniment.formats.tile import edge_of, format_entry, format_tile_path, parse_entries, partial_widths
from muniment.formats.tlog import EMPTY_ROOT, Edge, leaf_hash, node_hash

# The published test tree of certificate transparency: eight leaves, and the root after each.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def recursive_root(hashes: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not hashes:
        return EMPTY_ROOT
    if len(hashes) == 1:
        return hashes[0]
    k = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node_hash(recursive_root(hashes[:k]), recursive_root(hashes[k:]))


def test_roots_are_those_of_the_published_tree() -> None:
    edge = Edge()
    assert edge.root() == EMPTY_ROOT
    for leaf, root in zip(LEAVES, ROOTS, strict=True):
        edge.append(leaf_hash(bytes.fromhex(leaf)))
        assert edge.root().hex() == root


def test_the_edge_gives_the_root_that_the_definition_gives() -> None:
    hashes = [leaf_hash(b"%d" % i) for i in range(600)]
    edge = Edge()
    for size, digest in enumerate(hashes, 1):
        edge.append(digest)
        if size % 37 == 0 or size in (1, 2, 255, 256, 257, 512):
            assert edge.root() == recursive_root(hashes[:size])


@pytest.mark.parametrize("size", [0, 1, 2, 5, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_793, 70_000])
def test_an_edge_is_found_again_from_partial_tiles(size: int) -> None:
    edge, levels = Edge(), [[], [], []]
    for i in range(size):
        for height, node in enumerate(edge.append(leaf_hash(b"%d" % i))):
            if height % 8 == 0:
                levels[height // 8].append(node)
    partial = [hashes[len(hashes) - len(hashes) % 256 :] for hashes in levels][: len(partial_widths(size))]
    assert [len(hashes) for hashes in partial] == partial_widths(size)
    found = edge_of(size, partial)
    assert (found.size, found.nodes, found.root()) == (edge.size, edge.nodes, edge.root())


def test_an_edge_of_the_wrong_number_of_nodes_is_refused() -> None:
    with pytest.raises(ValueError, match="edge nodes"):
        Edge(3, [EMPTY_ROOT])


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (1, 0, 3, "tile/1/000.p/3"),
        (0, 1234067, 256, "tile/0/x001/x234/067"),
        ("entries", 1000, 1, "tile/entries/x001/000.p/1"),
    ],
)
def test_tile_paths_are_those_of_the_specification(level: int | str, index: int, width: int, path: str) -> None:
    assert format_tile_path(level, index, width) == path


def test_bundles_give_back_their_entries() -> None:
    chosen = random.Random(1)
    entries = [chosen.randbytes(chosen.choice((0, 1, 300, 65_535))) for _ in range(40)]
    bundle = b"".join(map(format_entry, entries))
    assert list(parse_entries(bundle)) == entries
    for cut in (1, 2, len(bundle) - 1):
        with pytest.raises(ValueError, match="cut short"):
            list(parse_entries(bundle[:cut]))
    with pytest.raises(ValueError, match="65535"):
        format_entry(bytes(65_536))
