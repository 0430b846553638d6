"""Proofs about a part of a tree, as draft-ietf-plants-merkle-tree-certs (section 4) has them.

A subtree is the leaves from #start up to #end, where start is a multiple of the power of two that is not below
end - start. C2SP's ML-DSA cosignatures are defined over subtrees; ours always begin at #0, so that nothing in muniment
needs these functions yet: they are here to be checked by the published vectors, and for witnesses that sign others.
"""

from __future__ import annotations

from collections.abc import Sequence

from muniment.formats.tlog import EMPTY_ROOT, Subtree, check_inclusion, node_hash, split_point


def check_subtree(start: int, end: int, size: int) -> None:
    """Raises ValueError where [start, end) is no subtree of a tree of `size` leaves. The empty one is one."""
    width = 1 << max(end - start - 1, 0).bit_length()
    if not 0 <= start <= end <= size or start % width:
        raise ValueError(f"[{start}, {end}) is no subtree of a tree of {size} leaves")


def check_subtree_inclusion(leaf: bytes, index: int, start: int, end: int, path: Sequence[bytes], root: bytes) -> None:
    """Raises ValueError where the path does not lead from leaf #index to the root of the subtree."""
    check_subtree(start, end, end)
    check_inclusion(leaf, index - start, end - start, path, root)


def subtree_consistency_path(start: int, end: int, size: int, subtree: Subtree) -> list[bytes]:
    """That the subtree is part of the tree of `size` leaves; with start 0, RFC 6962's consistency proof."""
    check_subtree(start, end, size)
    if start == end:
        return []
    path, low, high, known = list[bytes](), 0, size, True
    while (low, high) != (start, end):
        middle = low + split_point(high - low)
        if end <= middle:
            path.append(subtree(middle, high))
            high = middle
        else:
            path.append(subtree(low, middle))
            if start < middle:  # the subtree straddles the split, so it starts where this part does
                start, known = middle, False
            low = middle
    if not known:
        path.append(subtree(start, end))
    return path[::-1]


def check_subtree_consistency(
    start: int, end: int, size: int, subtree_root: bytes, root: bytes, path: Sequence[bytes]
) -> None:
    """Raises ValueError where the subtree is not part of the tree. Section 4.4.3, with its names."""
    check_subtree(start, end, size)
    if start == end:  # an empty subtree is part of every tree
        if path or subtree_root != EMPTY_ROOT:
            raise ValueError("the empty subtree has the empty root, and needs no path")
        return
    if any(len(one) != 32 for one in path):
        raise ValueError("a hash of the path is not 32 bytes long")
    fn, sn, tn = start, end - 1, size - 1
    while fn != sn and (sn == tn or sn & 1):
        fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
    rest = list(path)
    if fn != sn and not rest:
        raise ValueError("the path is empty")
    fr = sr = subtree_root if fn == sn else rest.pop(0)
    for sibling in rest:
        if not tn:
            raise ValueError("the path is too long for trees of these sizes")
        if sn & 1 or sn == tn:
            if fn < sn:
                fr = node_hash(sibling, fr)
            sr = node_hash(sibling, sr)
            while not sn & 1:
                fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
        else:
            sr = node_hash(sr, sibling)
        fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
    if tn:
        raise ValueError("the path is too short for trees of these sizes")
    if fr != subtree_root:
        raise ValueError("the path does not lead to the root of the subtree")
    if sr != root:
        raise ValueError("the path does not lead to the root of the tree")
