"""A withdrawal removes the bytes for good, at whatever moment it is killed; leaf, digest and tombstone stay."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import shutil
import signal
import sqlite3
import uuid
from pathlib import Path

import pytest
from fastwarc import ArchiveIterator as FastIterator
from warcio.archiveiterator import ArchiveIterator
from warcio.checker import Checker

from muniment import curating, pipeline
from muniment.archive import withdrawal
from muniment.archive.archive import Archive, rebuild
from muniment.archive.commit import format_frame, scan_frames
from muniment.archive.config import read_config
from muniment.archive.log import entries_of
from muniment.archive.records import Group, act_group
from muniment.archive.segments import inflate
from muniment.archive.tombstone import build_tombstone
from muniment.archive.verify import Finding, Request, Verification
from muniment.archive.verify.finding import Tally
from muniment.errors import IntegrityError, UsageError
from muniment.formats.leaf import Leaf, format_leaf, parse_leaf
from muniment.formats.tile import format_entry
from muniment.formats.warc import parse_record
from muniment.model import Article
from tests.conftest import download, upload

SECRET = b"The witness lives in Harbour Street."


def verify(root: Path, **options: bool) -> tuple[list[Finding], Tally]:
    verification = Verification(root, read_config(root), Request(**options))
    return list(verification.run()), verification.tally


@pytest.fixture
def held(root: Path) -> tuple[Path, int]:
    """An archive with articles around one that is to go, in two derivations."""
    with Archive(root) as archive, archive.writer() as writer:
        for i in range(3):
            body = SECRET * 40 if i == 1 else os.urandom(30_000)
            added = writer.add_capture(download(f"https://example.org/{i}", body), [("articleKey", f"{i}")])
            text = SECRET.decode() * 9 if i == 1 else f"text {i}"
            for title in ("Harbour Street", "Harbour Street again") if i == 1 else ("other", "again"):
                writer.add_article(Article(title, text), added.number, f"https://example.org/{i}")
            if i == 1:
                number = added.number
        writer.commit()
    with Archive(root) as archive:
        pipeline.index_new(archive)
    return root, number


def secret_in(root: Path) -> list[str]:
    """The files of the archive in which the secret can be read, inflated or not."""
    found = []
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        if SECRET in data or b"Harbour Street" in data:
            found.append(path.relative_to(root).as_posix())
    return found


def test_what_was_withdrawn_is_nowhere_and_the_rest_is_as_it_was(held: tuple[Path, int]) -> None:
    root, number = held
    with Archive(root) as archive:
        others = {
            n: archive.raw_records(n) for n in range(archive.size) if archive.leaf(n).of != number and n != number
        }
        request = archive.raw_records(number)[1:]
        curating.note(archive, 1, "unrelated")
        sizes = {p: p.stat().st_size for p in root.glob("*/2026/*.gz")}
        done = curating.withdraw(archive, number, "court order 7/2026")
    assert "warc/2026/00000.warc.gz" not in secret_in(root)
    assert secret_in(root) == []
    assert (root / "warc/2026/00000.warc.gz").stat().st_size == sizes[root / "warc/2026/00000.warc.gz"]
    with Archive(root) as archive:
        assert {n: archive.raw_records(n) for n in others} == others
        assert archive.raw_records(number)[1:] == request
        tombstone = parse_record(archive.raw_records(number)[0])
        assert (tombstone.type, tombstone.block.strip()) == ("metadata", b"outcome: withdrawn")
        assert tombstone.headers["WARC-Target-URI"] == "https://example.org/1"
        snapshot = archive.snapshot(number)
        assert (snapshot.withdrawn, snapshot.title, snapshot.derivation) == (done.leaf, None, None)
        assert pipeline.find(archive, pipeline.Search("witness")).total == 0
        assert pipeline.find(archive, pipeline.Search("text")).total == 2
        assert archive.progress.articles == 2
    for fast in (True, False):
        found, tally = verify(root, fast=fast)
        assert found == []
        assert tally.withdrawn == {number: done.leaf}


def test_a_rebuild_knows_of_it_and_leaves_it_so(held: tuple[Path, int]) -> None:
    root, number = held
    with Archive(root) as archive:
        done = curating.withdraw(archive, number, "order", entirely=True)
        before = [archive.catalog.history(archive.catalog.key_of(n) or "") for n in (number, 1)]
    for path in root.glob("catalog.sqlite*"):
        path.unlink()
    assert verify(root)[0] == []
    rebuild(root)
    with Archive(root) as archive:
        assert [archive.catalog.history(archive.catalog.key_of(n) or "") for n in (number, 1)] == before
        assert archive.snapshot(number).withdrawn == done.leaf
        assert len(archive.raw_records(number)) == 3
        assert archive.progress.articles == 2
    assert verify(root)[0] == []
    assert secret_in(root) == []


def test_readers_of_warc_files_read_past_it(held: tuple[Path, int]) -> None:
    root, number = held
    with Archive(root) as archive:
        curating.withdraw(archive, number, "order")
    for path in root.glob("*/2026/*.gz"):
        with path.open("rb") as file:
            types = [record.rec_type for record in ArchiveIterator(file)]
        with path.open("rb") as file:
            fast = [str(record.record_type).rpartition(".")[2] for record in FastIterator(file, parse_http=False)]
        assert types == fast
        assert len(types) == len(gzip.decompress(path.read_bytes()).split(b"WARC/1.1\r\n")) - 1
        arguments = type("Arguments", (), {"verbose": False, "inputs": [str(path)]})
        checker = Checker(arguments)
        checker.process_all()
        assert checker.exit_value == 0


def test_the_same_bytes_that_come_again_are_kept_and_not_referred_to_what_is_gone(held: tuple[Path, int]) -> None:
    root, number = held
    with Archive(root) as archive:
        curating.withdraw(archive, number, "order")
    with Archive(root) as archive, archive.writer() as writer:
        again = writer.add_capture(download("https://example.org/1", SECRET * 40), [("articleKey", "1")])
        writer.commit()
        assert not again.unchanged
    with Archive(root) as archive:
        assert SECRET in archive.records(again.number)[0].block
    assert verify(root)[0] == []


def test_what_else_holds_the_bytes_is_named(root: Path) -> None:
    with Archive(root) as archive, archive.writer() as writer:
        numbers = [writer.add_capture(upload(name, SECRET), [("articleKey", name)]).number for name in ("a", "b")]
        revisit = writer.add_capture(upload("a", SECRET), [("articleKey", "a")]).number
        for body in (b"other", b"third"):
            added = writer.add_capture(upload("a", body), [("articleKey", "a")])
            writer.add_article(Article("t", "x"), added.number, "file:///a")
        writer.commit()
    with Archive(root) as archive:
        with pytest.raises(UsageError, match=rf"#{revisit} holds no bytes of its own: withdraw #{numbers[0]}"):
            curating.withdraw(archive, revisit, "order")
        done = curating.withdraw(archive, numbers[0], "order")
        assert list(done.same_bytes) == [numbers[1]]
        assert len(done.other_versions) == 2
        with pytest.raises(UsageError, match=f"#{numbers[0]} was withdrawn before, by #{done.leaf}"):
            curating.withdraw(archive, numbers[0], "order")


def test_a_note_can_be_withdrawn(held: tuple[Path, int]) -> None:
    root, number = held
    with Archive(root) as archive:
        leaf = curating.note(archive, number, "she said: " + SECRET.decode())
        curating.withdraw(archive, leaf, "hers to take back")
        curating.withdraw(archive, number, "order")
        assert archive.catalog.acts(number, "note")[0][4] == {}
    assert secret_in(root) == []
    rebuild(root)
    with Archive(root) as archive:
        assert archive.catalog.acts(number, "note") == []
    assert verify(root)[0] == []


def test_bytes_that_come_back_from_an_old_copy_are_found(held: tuple[Path, int]) -> None:
    root, number = held
    name = "warc/2026/00000.warc.gz"
    copy = (root / name).read_bytes()
    with Archive(root) as archive:
        curating.withdraw(archive, number, "order")
    (root / name).write_bytes(copy)
    found, _ = verify(root)
    assert [(finding.finding, finding.snapshot, finding.file) for finding in found] == [("not-withdrawn", number, name)]
    assert [finding.finding for finding in verify(root, fast=True)[0]] == ["not-withdrawn"]
    rebuild(root)
    assert verify(root)[0] == []
    assert secret_in(root) == []


@pytest.mark.parametrize("keep_catalog", [True, False])
def test_a_withdrawal_that_was_killed_is_finished_by_whoever_opens_the_archive(
    held: tuple[Path, int], tmp_path: Path, keep_catalog: bool
) -> None:
    """Killed before the overwriting, in the middle of each, between two, and before the catalog hears of it."""
    original, number = held
    with Archive(original) as archive:
        removed = 1 + sum(len(archive.catalog.placements(n)) for n in archive.catalog.made_of(number))
    chosen = random.Random(20261123)
    for step in range(2 * removed + 1):
        root = tmp_path / f"copy{step}"
        shutil.copytree(original, root)
        pid = os.fork()
        if pid == 0:
            _withdraw_and_die(root, number, step, chosen.random())
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), "it should have been killed"
        if not keep_catalog:
            for path in root.glob("catalog.sqlite*"):
                path.unlink()
        with Archive(root) as archive:
            assert archive.snapshot(number).withdrawn == archive.size - 1
            pipeline.index_new(archive)
        assert secret_in(root) == [], step
        found, tally = verify(root)
        assert (found, list(tally.withdrawn)) == ([], [number]), step
        shutil.rmtree(root)


def _withdraw_and_die(root: Path, number: int, step: int, share: float) -> None:
    """Dies before overwriting record step // 2, or within it."""
    whole = withdrawal.overwrite
    done = 0

    def overwrite(path: Path, offset: int, content: bytes) -> None:
        nonlocal done
        if done == step // 2:
            if step % 2:
                whole(path, offset, content[: int(share * len(content))])
            os.kill(os.getpid(), signal.SIGKILL)
        whole(path, offset, content)
        done += 1

    withdrawal.overwrite = overwrite  # type: ignore[assignment]
    try:
        with Archive(root) as archive, archive.writer() as writer:
            writer.catalog.add = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
            writer.withdraw(number, "order")
    finally:
        os._exit(1)


def test_a_tombstone_has_every_length_from_that_of_the_shortest_record_on() -> None:
    identity, at = str(uuid.uuid4()), "2026-11-23T00:00:00.000000Z"
    lengths = [*range(250, 700), *range(65_500, 66_700, 3), 131_070, 131_103, 196_700, 1_000_003]
    for length in lengths:
        tombstone = build_tombstone(identity, at, length, "https://example.org/a", identity)
        assert len(tombstone.member) == length
        record = inflate(tombstone.member)
        assert (hashlib.sha256(record).hexdigest(), len(record)) == (tombstone.digest, tombstone.size)
        assert gzip.GzipFile(fileobj=io.BytesIO(tombstone.member)).read() == record
        assert parse_record(record).block.strip() == b"outcome: withdrawn"
    with pytest.raises(ValueError, match="no tombstone fits"):
        build_tombstone(identity, at, 100, None, None)


def test_the_shortest_records_that_there_are_can_be_withdrawn(root: Path) -> None:
    with Archive(root) as archive, archive.writer() as writer:
        number = writer.add_capture(upload("", b""), []).number
        writer.add_article(Article("", ""), number, "x")
        writer.commit()
        writer.withdraw(number, "order", entirely=True)
    assert verify(root)[0] == []


# ---- what an attacker would have it do


def test_a_withdrawal_removes_nothing_where_the_catalog_says_another_place(root: Path) -> None:
    with Archive(root) as archive, archive.writer() as writer:
        first, second = (writer.add_capture(upload(f"{i}", os.urandom(2000)), []).number for i in range(2))
        writer.commit()
    with Archive(root) as archive:
        place = archive.catalog.placements(second)[0]
    with sqlite3.connect(root / "catalog.sqlite") as catalog:
        catalog.execute(
            "update record set offset = ?, length = ? where leaf = ? and part = 0", (place.offset, place.length, first)
        )
    catalog.close()
    before = (root / "warc/2026/00000.warc.gz").read_bytes()
    with Archive(root) as archive, pytest.raises(IntegrityError, match=f"#{first} cannot be removed"):
        curating.withdraw(archive, first, "order")
    assert (root / "warc/2026/00000.warc.gz").read_bytes() == before
    rebuild(root)
    with Archive(root) as archive:
        curating.withdraw(archive, first, "order")
        assert archive.records(second)[0].type == "resource"
    assert verify(root)[0] == []


def test_a_place_outside_of_the_segments_is_none(root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine\n" * 400)
    leaf = Leaf("withdrawal", str(uuid.UUID(int=1)), "at", of=0)
    for segment in (str(victim), "warc/2026/../../../victim", "log/commits", "warc/2026/00000.warc.gz\n"):
        burial = withdrawal.Burial(0, 0, segment, 0, 1500, "x", "at", None, None)
        named = leaf._replace(tombstones={"0.0": burial.tombstone().digest})
        assert withdrawal.bury(root, named, {"removed": [burial._asdict()]}) == []
        assert "names a file that is no segment" in caplog.messages[-1]
    assert victim.read_bytes() == b"mine\n" * 400


def test_a_withdrawal_of_one_thing_does_not_reach_another(held: tuple[Path, int]) -> None:
    """The key's holder writes a leaf that names the records of another capture, and puts other bytes there."""
    root, number = held
    with Archive(root) as archive, archive.writer() as writer:
        note = writer.add_act("note", {"text": "hm"}, number)
        writer.commit()
        text = archive.text(archive.snapshot(number))
        (made, *_) = reversed(writer.catalog.made_of(number))
        place = writer.catalog.placements(made)[0]
        forged = build_tombstone(str(uuid.uuid4()), "at", place.length, None, None)
        group = act_group("withdrawal", {"reason": "", "removed": []}, "at", lambda: str(uuid.uuid4()), note, None)
        leaf = group.leaf._replace(tombstones={f"{made}.0": forged.digest})
        writer._append("derived", Group(leaf, group.records))  # without content nothing is buried
        writer.commit()
    found, _ = verify(root)
    assert [finding.finding for finding in found] == ["withdrawal"]
    with Archive(root) as archive:
        assert archive.text(archive.snapshot(number)) == text
    with (root / place.segment).open("r+b") as file:
        file.seek(place.offset)
        file.write(forged.member)
    assert {finding.finding for finding in verify(root)[0]} == {"withdrawal", "digest-mismatch"}
    with Archive(root) as archive, pytest.raises(IntegrityError):
        archive.text(archive.snapshot(number))


def test_an_unsigned_leaf_is_not_taken_in_and_removes_nothing(held: tuple[Path, int]) -> None:
    root, number = held
    before = {path: path.read_bytes() for path in root.glob("*/2026/*.gz")}
    tail = root / "log/tile/entries/000.p/tail"
    *_, last = entries_of(tail.read_bytes())
    leaf = Leaf("withdrawal", str(uuid.UUID(int=1)), "at", parse_leaf(last.leaf).records, of=number,
                tombstones={f"{number}.0": 64 * "0"})  # fmt: skip
    forged = tail.read_bytes()[: last.offset] + format_entry(format_leaf(leaf))
    tail.write_bytes(forged)
    commits = list(scan_frames((root / "log/commits").read_bytes()))
    frames = [(len(forged) if c is commits[-1] else c.tail, c.segments, c.note) for c in commits]
    (root / "log/commits").write_bytes(b"".join(format_frame(*frame) for frame in frames))
    for path in root.glob("catalog.sqlite*"):
        path.unlink()
    for act in (lambda: Archive(root).close(), lambda: rebuild(root)):
        with pytest.raises(IntegrityError, match="log/tile/entries is damaged"):
            act()
    assert {path: path.read_bytes() for path in root.glob("*/2026/*.gz")} == before


def test_a_revisit_goes_with_its_capture_where_all_has_to_go(root: Path) -> None:
    with Archive(root) as archive, archive.writer() as writer:
        facts = [
            ("articleKey", "a"),
            ("articleUrl", "https://example.org/a"),
            ("declared-author", "Ann Harbour Street"),
        ]
        for _ in range(2):
            writer.add_capture(upload("a", SECRET), facts)
        writer.commit()
    with Archive(root) as archive:
        curating.withdraw(archive, 1, "order", entirely=True)
        assert archive.snapshot(2).withdrawn == archive.size - 1
        before = archive.catalog.history("a")
    assert len(before) == 2
    assert secret_in(root) == []
    assert verify(root)[0] == []
    rebuild(root)
    with Archive(root) as archive:
        assert archive.catalog.history("a") == before
    assert verify(root)[0] == []
