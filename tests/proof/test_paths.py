"""Inclusion and consistency proofs: every small tree, everything that can be changed in a path, published vectors."""

from __future__ import annotations

import base64
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from muniment.formats.subtree import (
    check_subtree,
    check_subtree_consistency,
    check_subtree_inclusion,
    subtree_consistency_path,
)
from muniment.formats.tlog import (
    EMPTY_ROOT,
    check_consistency,
    check_inclusion,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    split_point,
)

LEAVES = [leaf_hash(b"%d" % i) for i in range(33)]


def root_over(start: int, end: int) -> bytes:
    """RFC 6962 section 2.1, by its own words."""
    if end - start < 2:
        return LEAVES[start] if end > start else EMPTY_ROOT
    middle = start + split_point(end - start)
    return node_hash(root_over(start, middle), root_over(middle, end))


def refuses(check: Any, *arguments: Any) -> bool:
    try:
        check(*arguments)
    except ValueError:
        return True
    return False


def changes(path: list[bytes]) -> list[list[bytes]]:
    """The path with each hash changed, left out, doubled, cut or swapped with the next, and one more at either end."""
    changed = [[*path, bytes(32)], [bytes(32), *path]]
    for i, one in enumerate(path):
        rest = path[:i], path[i + 1 :]
        changed.append([*rest[0], bytes([one[0] ^ 1]) + one[1:], *rest[1]])
        changed.append([*rest[0], *rest[1]])
        changed.append([*rest[0], one, one, *rest[1]])
        changed.append([*rest[0], one[:31], *rest[1]])
        if i:
            changed.append([*path[: i - 1], one, path[i - 1], *rest[1]])
    return changed


def test_every_leaf_of_every_small_tree_is_proved_and_no_changed_path_is_accepted() -> None:
    for size in range(1, 34):
        root = root_over(0, size)
        for index in range(size):
            path = inclusion_path(index, size, root_over)
            check_inclusion(LEAVES[index], index, size, path, root)
            assert all(refuses(check_inclusion, LEAVES[index], index, size, other, root) for other in changes(path))
            assert refuses(check_inclusion, bytes(32), index, size, path, root)
            assert refuses(check_inclusion, LEAVES[index], index, size, path, bytes(32))
            others = [other for other in range(size) if other != index]
            assert all(refuses(check_inclusion, LEAVES[index], other, size, path, root) for other in others)


def test_every_small_tree_is_proved_to_continue_every_smaller_one_and_no_changed_path_is_accepted() -> None:
    for new in range(1, 34):
        for old in range(1, new + 1):
            path = consistency_path(old, new, root_over)
            roots = root_over(0, old), root_over(0, new)
            check_consistency(old, new, *roots, path)
            assert all(refuses(check_consistency, old, new, *roots, other) for other in changes(path))
            assert refuses(check_consistency, old, new, bytes(32), roots[1], path)
            assert refuses(check_consistency, old, new, roots[0], bytes(32), path)
            assert old == new or refuses(check_consistency, old, new, roots[1], roots[0], path)


def test_every_subtree_is_proved_to_be_part_of_every_small_tree() -> None:
    for size in range(1, 20):
        for end in range(size + 1):
            for start in range(end + 1):
                if refuses(check_subtree, start, end, size):
                    continue
                path = subtree_consistency_path(start, end, size, root_over)
                roots = root_over(start, end), root_over(0, size)
                check_subtree_consistency(start, end, size, *roots, path)
                assert all(
                    refuses(check_subtree_consistency, start, end, size, *roots, other) for other in changes(path)
                )
                if start == 0 < end:
                    assert path == consistency_path(end, size, root_over)
                for index in range(start, end):
                    part = inclusion_path(index - start, end - start, lambda a, b, at=start: root_over(at + a, at + b))  # type: ignore[misc]
                    check_subtree_inclusion(LEAVES[index], index, start, end, part, roots[0])


def test_the_example_of_the_draft_has_the_path_that_it_shows() -> None:
    assert subtree_consistency_path(8, 13, 14, root_over) == [LEAVES[12], LEAVES[13], root_over(8, 12), root_over(0, 8)]


@pytest.mark.parametrize("call", [(-1, 3), (3, 3), (0, 0)])
def test_a_leaf_that_is_not_in_the_tree_has_no_path(call: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="not in a tree"):
        inclusion_path(*call, root_over)
    with pytest.raises(ValueError, match="not in a tree"):
        check_inclusion(LEAVES[0], *call, [], LEAVES[0])


@pytest.mark.parametrize("call", [(0, 3), (4, 3), (0, 0)])
def test_nothing_continues_the_empty_tree_or_a_larger_one(call: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="cannot be proved"):
        consistency_path(*call, root_over)
    with pytest.raises(ValueError, match="cannot be proved"):
        check_consistency(*call, EMPTY_ROOT, root_over(0, 3), [])


def test_the_published_vectors_are_judged_as_they_say() -> None:
    if "MUNIMENT_DATA" not in os.environ:
        pytest.skip("MUNIMENT_DATA names no folder with the published vectors")
    folder = Path(os.environ["MUNIMENT_DATA"]) / "proofs" / "merkle-rfc6962"
    judged: Counter[tuple[str, bool]] = Counter()
    for path in sorted(folder.rglob("*.json")):
        kind, vector = path.relative_to(folder).parts[0], json.loads(path.read_text())
        refused = refuses(judge, kind, vector)
        assert refused == vector["wantErr"], f"{path}: {vector}"
        judged[kind, refused] += 1
    assert sum(judged.values()) == 518
    assert sum(count for (_, refused), count in judged.items() if refused) == 482


def judge(kind: str, vector: dict[str, Any]) -> None:
    proof = [base64.b64decode(one) for one in vector["proof"] or []]
    hashes = {k: base64.b64decode(v or "") for k, v in vector.items() if k in ("root", "root1", "root2", "leafHash")}
    if kind == "inclusion":
        check_inclusion(hashes["leafHash"], vector["leafIdx"], vector["treeSize"], proof, hashes["root"])
    elif kind == "consistency":
        check_consistency(vector["size1"], vector["size2"], hashes["root1"], hashes["root2"], proof)
    elif kind == "subtreeinclusion":
        leaf, start, end = vector["leafIdx"], vector["start"], vector["end"]
        check_subtree_inclusion(hashes["leafHash"], leaf, start, end, proof, hashes["root"])
    else:
        sizes = vector["start"], vector["end"], vector["size"]
        check_subtree_consistency(*sizes, hashes["root1"], hashes["root2"], proof)
