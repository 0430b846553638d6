"""The Merkle tree of RFC 6962 section 2.1: hashes, the right edge of a growing tree, and proofs about trees.

A tree of n leaves is known by its n and its root. `Edge` holds the roots of the perfect subtrees that make up
the tree, largest first (one for each 1 bit of n): enough to append to it and to compute its root.

Paths are lists of hashes of 32 bytes. Whoever makes one brings `subtree(start, end)`, the root over the leaves
from #start up to #end; whoever checks one needs nothing but the roots.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

_sha256 = hashlib.sha256
EMPTY_ROOT = _sha256(b"").digest()
Subtree = Callable[[int, int], bytes]


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

    def extend(self, leaves: Sequence[bytes]) -> list[list[bytes]]:
        """Add many leaf hashes, in half the time. Returns the nodes that they complete, by height, in order."""
        completed, finished = list[list[bytes]](), list[bytes]()
        level, count = list(leaves), self.size
        while level:
            completed.append(level)
            pairs = [self.nodes.pop(), *level] if count & 1 else level
            if len(pairs) & 1:
                finished.append(pairs[-1])
            level = [
                _sha256(b"\x01" + left + right).digest() for left, right in zip(pairs[::2], pairs[1::2], strict=False)
            ]
            count >>= 1
        self.nodes += reversed(finished)
        self.size += len(leaves)
        return completed

    def root(self) -> bytes:
        """MTH of the whole tree."""
        if not self.nodes:
            return EMPTY_ROOT
        root = self.nodes[-1]
        for node in reversed(self.nodes[:-1]):
            root = node_hash(node, root)
        return root


def split_point(size: int) -> int:
    """The largest power of two below `size`: where RFC 6962 splits a tree of two or more leaves."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_path(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """RFC 6962 section 2.1.1, the "audit path" of a leaf in the tree of `size` leaves, from the leaf upwards."""
    if not 0 <= index < size:
        raise ValueError(f"leaf #{index} is not in a tree of {size} leaves")
    path, start, end = list[bytes](), 0, size
    while end - start > 1:
        middle = start + split_point(end - start)
        if index < middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    return path[::-1]


def consistency_path(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """RFC 6962 section 2.1.2: that the first `old` leaves of the tree of `new` leaves are what they were."""
    if not 0 < old <= new:
        raise ValueError(f"a tree of {new} leaves cannot be proved to continue one of {old}")
    path, start, end = list[bytes](), 0, new
    while end != old:
        middle = start + split_point(end - start)
        if old <= middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    if start:  # else the checker has the old tree's root itself
        path.append(subtree(start, end))
    return path[::-1]


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Raises ValueError where the path does not lead from the leaf's hash to the root (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        raise ValueError(f"leaf #{index} is not in a tree of {size} leaves")
    _check_lengths([leaf, *path])
    place, last, found = index, size - 1, leaf
    for sibling in path:
        if not last:
            raise ValueError("the path is too long for a tree of this size")
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise ValueError("the path is too short for a tree of this size")
    if found != root:
        raise ValueError("the path does not lead from the leaf to the root")


def check_consistency(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    """Raises ValueError where the tree of `new` leaves does not continue that of `old` (RFC 9162 section 2.1.4.2).

    The empty tree has nothing to continue: a proof from it proves nothing, and is refused.
    """
    if not 0 < old <= new:
        raise ValueError(f"a tree of {new} leaves cannot be proved to continue one of {old}")
    if old == new:
        if path or old_root != new_root:
            raise ValueError("two trees of one size have one root, and need no path")
        return
    hashes = [old_root, *path] if old & (old - 1) == 0 else list(path)
    _check_lengths(hashes)
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    if not path:
        raise ValueError("the path is empty")
    before = after = hashes[0]
    for sibling in hashes[1:]:
        if not last:
            raise ValueError("the path is too long for trees of these sizes")
        if place & 1 or place == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise ValueError("the path is too short for trees of these sizes")
    if before != old_root:
        raise ValueError("the path does not lead to the older root")
    if after != new_root:
        raise ValueError("the path does not lead to the newer root")


def _check_lengths(hashes: Sequence[bytes]) -> None:
    if any(len(one) != 32 for one in hashes):
        raise ValueError("a hash of the path is not 32 bytes long")
