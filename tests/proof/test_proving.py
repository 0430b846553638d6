"""Proofs from a log on disk: every size, missing and damaged tiles, and a log of a million leaves."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from muniment.archive.archive import Archive
from muniment.archive.config import read_config
from muniment.archive.proving import Tree, commits_of, newest_commit
from muniment.errors import IntegrityError, UsageError
from muniment.formats.checkpoint import Checkpoint
from muniment.formats.tile import format_entry, format_tile_path
from muniment.formats.tlog import Edge, check_consistency, check_inclusion, leaf_hash
from tests.conftest import fill


def write_log(log: Path, count: int, *, entries: bool = True) -> list[Checkpoint]:
    """The tiles of a log of `count` small leaves; returns its checkpoints, by size."""
    levels: list[list[bytes]] = []
    edge, checkpoints = Edge(), [Checkpoint("o", 0, Edge().root())]
    for i in range(count):
        for height, node in enumerate(edge.append(leaf_hash(b"leaf %d" % i))):
            if height % 8 == 0:
                while len(levels) <= height // 8:
                    levels.append([])
                levels[height // 8].append(node)
        if count < 2000:
            checkpoints.append(Checkpoint("o", i + 1, edge.root()))
    for level, hashes in enumerate(levels):
        for index in range((len(hashes) + 255) // 256):
            tile = hashes[index * 256 : index * 256 + 256]
            write(log / format_tile_path(level, index, len(tile)), b"".join(tile))
    for index in range((count + 255) // 256 if entries else 0):
        bundle = [format_entry(b"leaf %d" % i) for i in range(index * 256, min(count, index * 256 + 256))]
        write(log / format_tile_path("entries", index, len(bundle)), b"".join(bundle))
    return checkpoints if count < 2000 else [Checkpoint("o", count, edge.root())]


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


SIZES = [1, 2, 3, 100, 255, 256, 257, 511, 512, 513, 700]


def test_every_committed_size_of_a_log_that_grew_is_proved(tmp_path: Path) -> None:
    checkpoints = write_log(tmp_path, 700)
    for size in SIZES:
        tree = Tree(tmp_path, checkpoints[size])
        for number in {0, 1, size // 2, size - 2, size - 1} & set(range(size)):
            path = tree.prove_inclusion(number, b"leaf %d" % number)
            check_inclusion(leaf_hash(b"leaf %d" % number), number, size, path, checkpoints[size].root)
        for old in SIZES:
            if old <= size:
                way = tree.prove_consistency(checkpoints[old])
                check_consistency(old, size, checkpoints[old].root, checkpoints[size].root, way)


def test_missing_tiles_are_computed_from_what_is_below(tmp_path: Path) -> None:
    checkpoints = write_log(tmp_path, 700)
    expected = Tree(tmp_path, checkpoints[600]).prove_inclusion(300, b"leaf 300")
    for missing in ("tile/1", "tile/0/001", "tile/0/002.p", "tile/0"):
        path = tmp_path / missing
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        assert Tree(tmp_path, checkpoints[600]).prove_inclusion(300, b"leaf 300") == expected
    (tmp_path / "tile" / "entries" / "001").unlink()
    with pytest.raises(IntegrityError, match="leaves from #256 on: run `muniment rebuild`"):
        Tree(tmp_path, checkpoints[600]).prove_inclusion(300, b"leaf 300")


def test_a_bundle_may_end_in_an_entry_that_is_not_whole(tmp_path: Path) -> None:
    checkpoints = write_log(tmp_path, 700)
    shutil.rmtree(tmp_path / "tile" / "0")
    (tail,) = (tmp_path / "tile" / "entries" / "002.p").iterdir()
    tail.write_bytes(tail.read_bytes() + b"\xff\xffcut")
    assert Tree(tmp_path, checkpoints[700]).prove_inclusion(690, b"leaf 690")


def test_a_damaged_tile_never_gives_a_proof(tmp_path: Path) -> None:
    checkpoints = write_log(tmp_path, 700)
    tree = Tree(tmp_path, checkpoints[700])
    tile = tmp_path / "tile" / "0" / "001"
    good = tile.read_bytes()
    for place in range(0, len(good), 97):
        tile.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.raises(IntegrityError, match="muniment rebuild"):
            Tree(tmp_path, checkpoints[700]).prove_inclusion(300, b"leaf 300")
    tile.write_bytes(good)
    with pytest.raises(IntegrityError, match="muniment rebuild"):
        tree.prove_inclusion(300, b"another leaf")
    with pytest.raises(IntegrityError, match="muniment rebuild"):
        tree.prove_consistency(Checkpoint("o", 300, bytes(32)))
    with pytest.raises(UsageError, match="#700 is not in the log"):
        tree.prove_inclusion(700, b"")


def test_a_proof_in_a_million_leaves_takes_no_time(tmp_path: Path) -> None:
    (checkpoint,) = write_log(tmp_path, 1_000_000, entries=False)
    began = time.perf_counter()
    for number in (0, 123_456, 999_999):
        assert len(Tree(tmp_path, checkpoint).prove_inclusion(number, b"leaf %d" % number)) in range(10, 21)
    assert time.perf_counter() - began < 0.3


def test_the_commits_of_a_size_and_the_newest_are_found(root: Path) -> None:
    fill(root, 20, group=2)
    config = read_config(root)
    keys = config.keys()
    with Archive(root) as archive:
        newest = newest_commit(root / "log", keys)
        assert newest.checkpoint.size == archive.size
        tree = Tree(root / "log", newest.checkpoint)
        sizes = [size for size in range(archive.size + 1) if commits_of(root / "log", config.origin, size, keys)]
        assert len(sizes) > 8
        for size in sizes[1:]:
            (commit, *_) = commits_of(root / "log", config.origin, size, keys)
            assert tree.prove_consistency(commit.checkpoint) is not None
    (root / "log" / "commits").write_bytes((root / "log" / "commits").read_bytes() + b"\x00\x00\x01\x00torn")
    assert newest_commit(root / "log", keys) == newest


def test_a_commit_that_another_key_signed_is_refused(root: Path, new_archive) -> None:  # type: ignore[no-untyped-def]
    fill(root, 3)
    with pytest.raises(IntegrityError, match="no signature of a known key"):
        newest_commit(root / "log", read_config(new_archive("other")).keys())
