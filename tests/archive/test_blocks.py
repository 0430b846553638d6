"""The digests of blocks, by which `verify --fast` passes over what is sound: every writer makes the same, and none
vouches for damage."""

from __future__ import annotations

import hashlib
import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.archive.archive import Archive, create, rebuild
from muniment.archive.blocks import BLOCK, UNKNOWN, BlockDigests
from muniment.archive.config import read_config
from muniment.archive.verify import Finding, Part, Request, Verification
from muniment.model import Article
from tests.conftest import NOW, download


def verify(root: Path, fast: bool = True) -> list[Finding]:
    return list(Verification(root, read_config(root), Request(fast=fast)).run())


def blocks(root: Path) -> dict[str, list[bytes]]:
    with Archive(root) as archive:
        return {path: digests for path, _, digests in archive.catalog.blocks()}


def hashed(root: Path) -> dict[str, list[bytes]]:
    found = {}
    for path in sorted([*root.glob("warc/*/*"), *root.glob("derived/*/*")]):
        data = path.read_bytes()
        pieces = [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)]
        found[path.relative_to(root).as_posix()] = [hashlib.sha256(piece).digest() for piece in pieces]
    return found


def add(root: Path, sizes: list[int], seed: int = 0) -> list[int]:
    """Captures of bytes that do not compress, each a commit. Returns their numbers."""
    numbers, random_ = [], random.Random(seed)
    with Archive(root) as archive, archive.writer() as writer:
        for i, size in enumerate(sizes):
            uri = f"https://example.org/{seed}/{i}"
            added = writer.add_capture(download(uri, random_.randbytes(size)), [("articleKey", uri)])
            writer.add_article(Article("t", random_.randbytes(60_000).hex(), extractor="t/1"), added.number, uri)
            writer.commit()
            numbers.append(added.number)
    return numbers


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, list[int]]:
    """Nine blocks in `warc/`: members within one, over two, and over many."""
    root = create(tmp_path_factory.mktemp("blocks") / "archive", "test.example/log", NOW).root
    numbers = add(root, [1000, 300_000, 10, BLOCK, 1_200_000, 5, 90_000])
    assert len(blocks(root)["warc/2026/00000.warc.gz"]) > 6
    return root, numbers


@pytest.fixture
def copy(made: tuple[Path, list[int]], tmp_path: Path) -> Iterator[Path]:
    shutil.copytree(made[0], tmp_path / "copy")
    yield tmp_path / "copy"


def test_writers_catch_up_and_rebuild_make_the_digests_of_the_files(copy: Path) -> None:
    assert blocks(copy) == hashed(copy)
    add(copy, [10, 400_000], seed=1)  # goes on in the middle of a block
    assert blocks(copy) == hashed(copy)
    shutil.copy(copy / "catalog.sqlite", copy / "before")
    add(copy, [10, 400_000, 7], seed=2)
    (copy / "before").replace(copy / "catalog.sqlite")
    for suffix in ("-wal", "-shm"):
        (copy / f"catalog.sqlite{suffix}").unlink(missing_ok=True)
    with Archive(copy) as archive, archive.writer():
        pass  # caught up
    assert blocks(copy) == hashed(copy)
    rebuild(copy)
    assert blocks(copy) == hashed(copy)


def test_damage_anywhere_is_found_as_the_full_check_finds_it(copy: Path) -> None:
    path = copy / "warc/2026/00000.warc.gz"
    data = path.read_bytes()
    for at in (0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 17, len(data) - 1, *random.Random(3).sample(range(len(data)), 8)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        found = verify(copy)
        assert found and [(f.finding, f.snapshot, f.file, f.offset) for f in found] == [
            (f.finding, f.snapshot, f.file, f.offset) for f in verify(copy, fast=False)
        ]
    path.write_bytes(data[: 2 * BLOCK])
    assert {finding.finding for finding in verify(copy)} >= {"cut"}
    path.write_bytes(data)
    assert verify(copy) == []


def test_whoever_goes_on_in_a_damaged_block_does_not_vouch_for_it(copy: Path) -> None:
    path = copy / "warc/2026/00000.warc.gz"
    data = bytearray(path.read_bytes())
    at = len(data) // BLOCK * BLOCK + 5  # in the last block, which is not full
    data[at] ^= 1
    path.write_bytes(data)
    (before,) = verify(copy)
    add(copy, [100, 2 * BLOCK], seed=1)
    assert verify(copy) == [before]
    found = blocks(copy)[before.file or ""]
    assert found[at // BLOCK] == UNKNOWN and UNKNOWN not in found[at // BLOCK + 1 :]


def test_what_is_withdrawn_costs_its_neighbours_and_is_no_finding(made: tuple[Path, list[int]], copy: Path) -> None:
    with Archive(copy) as archive, archive.writer() as writer:
        writer.withdraw(made[1][0], "a court's order")
    looked_at = list[Part]()
    verification = Verification(copy, read_config(copy), Request(fast=True), looked_at.append)
    assert list(verification.run()) == []
    assert verification.tally.withdrawn and verification.tally.records > sum(part.records for part in looked_at) > 0
    add(copy, [100], seed=1)
    assert verify(copy) == []


def test_a_catalog_without_digests_has_its_records_looked_at(copy: Path) -> None:
    with sqlite3.connect(copy / "catalog.sqlite") as db:
        db.execute("delete from block")
    db.close()
    assert verify(copy) == []
    path = copy / "derived/2026/00000.warc.gz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert [finding.finding for finding in verify(copy)] == ["digest-mismatch"]


def test_updates_of_any_length_give_the_same(tmp_path: Path) -> None:
    data, random_ = random.Random(5).randbytes(3 * BLOCK + 99), random.Random(6)
    path = tmp_path / "segment"
    path.write_bytes(data)
    whole = BlockDigests(path)
    whole.update(data)
    expected = dict(whole.take())
    pieces, at, found = BlockDigests(path), 0, dict[int, bytes]()
    while at < len(data):
        length = random_.choice((1, 100, BLOCK, BLOCK // 2, 70_000))
        pieces.update(data[at : at + length])
        at += length
        found.update(pieces.take())
    assert found == expected
    for length in (0, 1, BLOCK, BLOCK + 1, 3 * BLOCK):
        begun = hashlib.sha256(data[length // BLOCK * BLOCK : length]).digest()
        resumed = BlockDigests(path, length, begun)
        resumed.read_to(len(data))
        assert all(expected[number] == digest for number, digest in resumed.take())
