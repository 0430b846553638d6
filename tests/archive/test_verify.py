"""Damage is found and located (test_manipulation.py touches every byte); an undamaged archive has no findings."""

from __future__ import annotations

import base64
import errno
import gzip
import hashlib
import os
import random
import shutil
import sqlite3
import struct
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.archive.archive import Archive, rebuild
from muniment.archive.commit import format_frame, scan_frames
from muniment.archive.config import read_config
from muniment.archive.keys import load_signer
from muniment.archive.segments import SegmentWriter
from muniment.archive.verify import Finding, Request, Verification
from muniment.errors import IntegrityError
from muniment.formats.leaf import Leaf, format_leaf
from muniment.formats.tile import format_entry
from muniment.formats.warc import build_record
from tests.conftest import download, fill, upload


def verify(root: Path, **options) -> list[Finding]:
    return list(Verification(root, read_config(root), Request(**options)).run())


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """A small archive with every kind of leaf, in several commits."""
    from muniment.archive.archive import create
    from muniment.model import Article, Attempt
    from tests.conftest import NOW

    root = create(tmp_path_factory.mktemp("small") / "archive", "test.example/log", NOW).root
    with Archive(root) as archive, archive.writer() as writer:
        for body in (b"<p>one</p>", b"<p>one</p>", b"<p>two</p>"):
            added = writer.add_capture(download("https://example.org/a", body), [("articleKey", "k")])
            if not added.unchanged:
                writer.add_article(Article("t", body.decode(), extractor="t/1"), added.number, "https://example.org/a")
            writer.commit()
        writer.add_attempt(Attempt("https://example.org/b", NOW, "timeout", "slow"))
        writer.commit()
    return root


def test_an_undamaged_archive_has_no_findings(small: Path) -> None:
    for fast in (False, True):
        verification = Verification(small, read_config(small), Request(fast=fast))
        assert list(verification.run()) == []
        tally = verification.tally
        assert (tally.snapshots, tally.records, tally.log_size) == (3, 16, 8)


@pytest.mark.parametrize("name", ["warc/2026/00000.warc.gz", "derived/2026/00000.warc.gz"])
def test_without_a_catalog_the_damaged_record_is_still_named(small: Path, tmp_path: Path, name: str) -> None:
    root = tmp_path / "copy"
    shutil.copytree(small, root)
    for path in root.glob("catalog.sqlite*"):
        path.unlink()
    with Archive(small) as archive:
        rows = list(archive.catalog.all_placements())
    data = (root / name).read_bytes()
    for leaf, _, placement in rows:
        if placement.segment == name:
            at = placement.offset + placement.length // 2
            (root / name).write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
            found = verify(root)
            assert [(f.snapshot, f.file, f.offset) for f in found] == [(leaf, name, placement.offset)]


def test_a_removed_record_and_swapped_records_are_found(small: Path, tmp_path: Path) -> None:
    name = "warc/2026/00000.warc.gz"
    with Archive(small) as archive:
        placements = [p for _, _, p in archive.catalog.all_placements() if p.segment == name]
    data = (small / name).read_bytes()
    members = [data[p.offset : p.offset + p.length] for p in placements]
    removed = b"".join(members[:3] + members[4:])
    swapped = b"".join([*members[:3], members[4], members[3], *members[5:]])
    for kind, changed in (("removed", removed), ("swapped", swapped)):
        root = tmp_path / kind
        shutil.copytree(small, root)
        (root / name).write_bytes(changed)
        found = verify(root)
        assert found, kind
        assert {f.file for f in found if f.file} == {name}


def test_bytes_and_files_that_no_commit_covers_are_reported(small: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(small, root)
    with (root / "warc/2026/00000.warc.gz").open("ab") as file:
        file.write(b"more")
    (root / "warc/2026/00007.warc.gz").write_bytes(b"x")
    assert {(f.finding, f.file) for f in verify(root)} == {
        ("uncommitted", "warc/2026/00000.warc.gz"),
        ("unknown-file", "warc/2026/00007.warc.gz"),
    }


@pytest.mark.parametrize(
    "name", ["log/tile/entries/000.p/tail", "log/commits", "warc/2026/00000.warc.gz", "derived/2026/00000.warc.gz"]
)
def test_a_cut_file_is_found_and_refused_for_writing(small: Path, tmp_path: Path, name: str) -> None:
    root = tmp_path / "copy"
    shutil.copytree(small, root)
    data = (root / name).read_bytes()
    for length in (0, len(data) // 2, len(data) - 1):
        (root / name).write_bytes(data[:length])
        assert name in {finding.file for finding in verify(root)}
        with pytest.raises(IntegrityError, match=name), Archive(root) as archive:
            archive.writer()
        assert (root / name).read_bytes() == data[:length], "damage is not repaired away"


@pytest.mark.parametrize("name", ["log/tile/entries/000.p/tail", "log/commits"])
def test_a_damaged_committed_byte_of_the_log_refuses_writing_and_says_where(
    small: Path, tmp_path: Path, name: str
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(small, root)
    data = (root / name).read_bytes()
    for i in range(0, len(data), 11):
        (root / name).write_bytes(data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :])
        with (
            pytest.raises(IntegrityError, match=rf"{name.removesuffix('/000.p/tail')} is damaged.* byte \d+"),
            Archive(root) as archive,
        ):
            archive.writer()


def cut_last_commit(root: Path) -> None:
    path = root / "log/commits"
    *_, last, _ = scan_frames(path.read_bytes())
    os.truncate(path, last.end)


def forge_last_root(root: Path) -> None:
    """The last commit over another root, whole by its digest; only the signature tells."""
    path = root / "log/commits"
    data = path.read_bytes()
    *_, before, last = scan_frames(data)
    lines = last.note.split("\n")
    lines[2] = base64.b64encode(bytes(32)).decode()
    frame = format_frame(last.tail, last.segments, "\n".join(lines))
    path.write_bytes(data[: before.end] + frame)


@pytest.mark.parametrize("catalog", ["kept", "removed"])
@pytest.mark.parametrize(
    "damage",
    [
        cut_last_commit,
        lambda root: (root / "log/commits").unlink(),
        lambda root: shutil.rmtree(root / "log"),
        forge_last_root,
    ],
    ids=["last commit cut", "no commits", "no log", "forged"],
)
def test_a_damaged_log_is_refused_for_reading_and_the_catalog_kept(
    small: Path, tmp_path: Path, damage: Callable[[Path], None], catalog: str
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(small, root)
    damage(root)
    for path in root.glob("catalog.sqlite*"):
        if catalog == "removed":
            path.unlink()
    before = (root / "catalog.sqlite").read_bytes() if catalog == "kept" else None
    for _ in range(2):
        with pytest.raises(IntegrityError, match="log/commits"):
            Archive(root)
    assert before is None or (root / "catalog.sqlite").read_bytes() == before
    assert verify(root)


def test_an_older_log_and_checkpoint_under_a_newer_catalog_are_a_rollback(small: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(small, root)
    data = (root / "log/commits").read_bytes()
    *_, before, _ = scan_frames(data)
    os.truncate(root / "log/commits", before.end)
    (root / "log/checkpoint").write_text(before.note)
    with pytest.raises(IntegrityError, match="the catalog has seen a commit end there"):
        Archive(root)
    rebuild(root)
    with Archive(root) as archive:
        assert archive.size == before.checkpoint.size


def test_what_a_forger_without_the_key_puts_into_catalog_and_files_is_not_signed_for(
    small: Path, tmp_path: Path
) -> None:
    """The whole tail of the log forged, and the catalog made to say that it was committed."""
    root = tmp_path / "copy"
    shutil.copytree(small, root)
    segment = root / "warc/2026/00000.warc.gz"
    with Archive(root) as archive:
        size = archive.size
    record = build_record("resource", str(uuid.uuid4()), "2019-01-01T00:00:00Z", b"forged", "text/plain", [])
    forged = SegmentWriter(root, "warc/2026/00000.warc.gz")
    placement = forged.append(record)
    forged.file.close()
    leaf = format_leaf(Leaf("capture", str(uuid.uuid4()), "2019-01-01T00:00:00Z", (record.digest,), uri="file:///x"))
    with (root / "log/tile/entries/000.p/tail").open("ab") as file:
        file.write(format_entry(leaf))
    with sqlite3.connect(root / "catalog.sqlite") as db:
        db.execute("update progress set size = size + 1, tail = tail + ?, root = ?", (2 + len(leaf), bytes(32)))
        db.execute("update segment set length = ? where path = ?", (segment.stat().st_size, placement.segment))
    db.close()
    with Archive(root) as archive, pytest.raises(IntegrityError, match=r"catalog.sqlite does not fit"):
        archive.writer()
    assert {"catalog-damaged", "uncommitted"} <= {finding.finding for finding in verify(root)}
    rebuild(root)
    with Archive(root) as archive, archive.writer():
        assert archive.progress.size == size
    assert verify(root) == []
    assert b"forged" not in gzip.decompress(segment.read_bytes())


@pytest.mark.parametrize("place", ["between", "behind"])
def test_a_record_that_no_leaf_names_is_found_wherever_it_stands(new_archive, place: str) -> None:
    """The committed lengths do not change: the room comes from members that are compressed better."""
    root = new_archive("roomy")
    words = random.Random(1).choices(["harbour", "minutes", "council", "stone", "wall"], k=20_000)
    with Archive(root) as archive, archive.writer() as writer:
        for i in range(3):
            writer.add_capture(upload(f"{i}.txt", " ".join(words[i:]).encode()))
        writer.commit()
    path = root / "warc/2026/00000.warc.gz"
    with Archive(root) as archive:
        lengths = [(p.offset, p.length) for _, _, p in archive.catalog.all_placements() if p.segment.startswith("warc")]
    data = path.read_bytes()
    members = [gzip.compress(gzip.decompress(data[at : at + length]), 9) for at, length in lengths]
    record = build_record("resource", str(uuid.uuid4()), "2019-01-01T00:00:00Z", b"", "text/plain", [])
    extra = gzip.compress(b"".join(record.chunks()), 9)
    room = len(data) - sum(map(len, members)) - len(extra)
    assert room > 0, "the sample's members have to leave some room"
    first = members[0]  # a gzip comment fills what is left
    members[0] = first[:3] + b"\x10" + first[4:10] + b" " * (room - 1) + b"\0" + first[10:]
    members.insert(3 if place == "between" else len(members), extra)
    path.write_bytes(b"".join(members))
    assert len(data) == path.stat().st_size
    for old in root.glob("catalog.sqlite*"):
        old.unlink()
    found = verify(root)
    assert ("uncovered", "warc/2026/00000.warc.gz") in {(f.finding, f.file) for f in found}
    with pytest.raises(IntegrityError, match=r"warc/2026/00000\.warc\.gz is damaged"):
        Archive(root)


def test_tiles_made_for_more_leaves_than_the_log_holds_tell_of_lost_commits(small: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(small, root)
    cut_last_commit(root)
    for path in [*root.glob("catalog.sqlite*"), root / "log/checkpoint"]:
        path.unlink()
    with pytest.raises(IntegrityError, match=r"it holds 7 leaves, and log/tile was made for 8"):
        Archive(root)
    assert ("cut", "log/commits") in {(f.finding, f.file) for f in verify(root)}


@pytest.mark.parametrize("content", [None, b"", b"junk\n\n\xff"])
def test_a_published_checkpoint_that_is_none_is_found_and_written_anew(
    small: Path, tmp_path: Path, content: bytes | None
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(small, root)
    (root / "log/checkpoint").unlink()
    if content is not None:
        (root / "log/checkpoint").write_bytes(content)
    assert [(f.finding, f.file) for f in verify(root)] == [("tile-damaged", "log/checkpoint")]
    rebuild(root)
    assert verify(root) == []


@pytest.mark.parametrize("size", [10**15, 10**30])
@pytest.mark.parametrize("tail", ["0", "99999999999", "9" * 25, "+5"])
def test_a_commit_of_impossible_numbers_is_damage_and_takes_no_time(
    small: Path, tmp_path: Path, size: int, tail: str
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(small, root)
    config = read_config(root)
    note = load_signer(config.vkeys[0]).sign_checkpoint(size, bytes(32))
    payload = f"muniment-commit/1\ntail {tail}\n\n{note}".encode()
    frame = struct.pack(">I", len(payload)) + payload + hashlib.sha256(payload).digest()
    with (root / "log/commits").open("ab") as file:
        file.write(frame)
    assert verify(root)
    for path in root.glob("catalog.sqlite*"):
        path.unlink()
    if tail.isdigit() and len(tail) < 20:
        with pytest.raises(IntegrityError, match=r"cannot hold|shorter"):
            Archive(root)


def test_a_catalog_of_odd_values_ends_no_verify(small: Path, tmp_path: Path) -> None:
    changes = ("offset = 'x'", "segment = 99", "size = null", "length = 1 << 60", "member = 'x'", "offset = -1")
    for i, change in enumerate(changes):
        root = tmp_path / f"copy{i}"
        shutil.copytree(small, root)
        with sqlite3.connect(root / "catalog.sqlite") as db:
            db.execute(f"update record set {change} where leaf = 3")
        db.close()
        assert verify(root), change
        verify(root, fast=True)  # it reads the files in blocks, and no row of a record that is sound


def test_a_record_that_the_disk_does_not_give_is_named_and_not_blamed_on_the_catalog(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Archive(small) as archive:
        bad = archive.catalog.placements(1)[0]
    read, inode = os.preadv, (small / bad.segment).stat().st_ino

    def failing(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        reached = offset + len(buffers[0])
        if os.fstat(descriptor).st_ino == inode and offset < bad.offset + bad.length and reached > bad.offset:
            raise OSError(errno.EIO, "Input/output error")
        return read(descriptor, buffers, offset)

    monkeypatch.setattr(os, "preadv", failing)
    for fast in (False, True):
        (found,) = verify(small, fast=fast)
        assert (found.snapshot, found.file, found.offset) == (1, bad.segment, bad.offset)
        assert "Input/output error" in found.detail


def test_a_damaged_catalog_hides_no_damaged_record(small: Path, tmp_path: Path) -> None:
    for fast in (False, True):
        root = tmp_path / f"copy-{fast}"
        shutil.copytree(small, root)
        with Archive(root) as archive:
            placement = archive.catalog.placements(1)[0]
        data = bytearray((root / "catalog.sqlite").read_bytes())
        data[4096:] = bytes(len(data) - 4096)
        (root / "catalog.sqlite").write_bytes(data)
        record = bytearray((root / placement.segment).read_bytes())
        record[placement.offset + 20] ^= 1
        (root / placement.segment).write_bytes(record)
        findings = verify(root, fast=fast)
        assert (placement.segment, placement.offset, 1) in {(f.file, f.offset, f.snapshot) for f in findings}
        assert len(findings) == len(set(findings))


def test_a_checkpoint_over_nothing_anchors_nothing_and_one_is_judged_whatever_else_is_wrong(
    small: Path, tmp_path: Path
) -> None:
    first, *_, last = scan_frames((small / "log/commits").read_bytes())
    config = read_config(small)
    verification = Verification(small, config, Request(checkpoints={"kept": first.note}))
    assert list(verification.run()) == []
    assert first.checkpoint.size == 0 and verification.tally.anchored_up_to is None
    root = tmp_path / "copy"
    shutil.copytree(small, root)
    data = bytearray((root / "log/tile/entries/000.p/tail").read_bytes())
    data[40] ^= 1
    (root / "log/tile/entries/000.p/tail").write_bytes(data)
    shutil.rmtree(root / "log/tile")
    other = last.note.replace(f"\n{last.checkpoint.size}\n", f"\n{last.checkpoint.size + 1}\n")
    slugs = [f.finding for f in verify(root, checkpoints={"kept": other})]
    assert "root-mismatch" in slugs and "checkpoint" in slugs


def test_a_log_rewritten_with_the_right_key_is_found_by_a_checkpoint_kept_elsewhere(new_archive) -> None:
    kept, rewritten = new_archive("kept"), new_archive("rewritten")
    shutil.copy(kept / "archive.toml", rewritten / "archive.toml")
    fill(kept, 4)
    checkpoint = (kept / "log/checkpoint").read_text()
    verification = Verification(kept, read_config(kept), Request(checkpoints={"kept": checkpoint}))
    assert list(verification.run()) == []
    assert verification.tally.anchored_up_to == verification.tally.log_size - 1
    shutil.rmtree(rewritten / "log")
    (rewritten / "log").mkdir()
    commits = (kept / "log/commits").read_bytes()
    (rewritten / "log/commits").write_bytes(commits[: next(scan_frames(commits)).end])  # as `init` left it
    shutil.rmtree(rewritten / "catalog.sqlite", ignore_errors=True)
    fill(rewritten, 4)
    assert verify(rewritten) == []
    assert [f.finding for f in verify(rewritten, checkpoints={"kept": checkpoint})] == ["rewritten"]


def test_a_key_that_the_caller_brings_is_the_one_that_counts(small: Path, new_archive) -> None:
    own, other = read_config(small).keys(), read_config(new_archive("other")).keys()
    assert verify(small, keys=own) == []
    assert {f.finding for f in verify(small, keys=other)} >= {"signature"}


def test_verifying_one_snapshot_reads_its_records_only(small: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(small, root)
    with Archive(root) as archive:
        placement = archive.catalog.placements(1)[0]
    path = root / placement.segment
    data = bytearray(path.read_bytes())
    data[placement.offset + 20] ^= 1
    path.write_bytes(data)
    assert verify(root, numbers=[5]) == []
    assert [f.snapshot for f in verify(root, numbers=[1])] == [1]
    assert [f.snapshot for f in verify(root, numbers=[1], fast=True)] == [1]


def test_fast_verify_without_a_catalog_says_so_and_reads_everything(small: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(small, root)
    for path in root.glob("catalog.sqlite*"):
        path.unlink()
    assert [f.finding for f in verify(root, fast=True)] == ["no-catalog"]


@pytest.mark.parametrize("earlier", [0, 1])
def test_what_a_killed_writer_had_not_published_yet_is_no_damage(root: Path, earlier: int) -> None:
    """It ended between its commit and the tiles; with the tiles alone missing, they were taken away."""
    for _ in range(earlier):
        fill(root, 1)
    before = (root / "log/checkpoint").read_bytes()
    fill(root, 2)
    (tile,) = (path for path in (root / "log/tile/0").glob("**/*") if path.name == str(_size(root)))
    tile.unlink()
    assert [finding.finding for finding in verify(root)] == ["tile-damaged"]
    (root / "log/checkpoint").write_bytes(before)
    assert verify(root) == []
    with Archive(root) as archive, archive.writer():
        assert tile.exists()


def _size(root: Path) -> int:
    with Archive(root) as archive:
        return archive.size
