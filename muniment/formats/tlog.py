"""The Merkle tree of RFC 6962 section 2.1: hashes, and the right edge of a growing tree.

A tree of n leaves is known by its n and its root. `Edge` holds the roots of the perfect subtrees that make up
the tree, largest first (one for each 1 bit of n): enough to append to it and to compute its root.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

_sha256 = hashlib.sha256
EMPTY_ROOT = _sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """RFC 6962: SHA-256 over a zero byte and the entry."""
    return _sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962: SHA-256 over a one byte and both children."""
    return _sha256(b"\x01" + left + right).digest()


def perfect_root(hashes: list[bytes]) -> bytes:
    """The root over a power of two of hashes."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]


class Edge:
    """A growing tree's right edge. `append` takes O(1) hashes on average, `root` O(log n)."""

    __slots__ = ("nodes", "size")

    def __init__(self, size: int = 0, nodes: Iterable[bytes] = ()):
        self.size = size
        self.nodes = list(nodes)
        if len(self.nodes) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} edge nodes, not {len(self.nodes)}")

    def append(self, leaf: bytes) -> list[bytes]:
        """Add a leaf hash. Returns the nodes that it completes, from level 0 (the leaf itself) upwards."""
        completed = [leaf]
        count = self.size
        while count & 1:
            leaf = _sha256(b"\x01" + self.nodes.pop() + leaf).digest()
            completed.append(leaf)
            count >>= 1
        self.nodes.append(leaf)
        self.size += 1
        return completed

    def root(self) -> bytes:
        """MTH of the whole tree."""
        if not self.nodes:
            return EMPTY_ROOT
        root = self.nodes[-1]
        for node in reversed(self.nodes[:-1]):
            root = node_hash(node, root)
        return root
