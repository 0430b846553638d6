"""The judge of verify: whatever byte of what was signed is changed, it is found, and the finding names the file and
where the record, the leaf or the commit begins that holds it.

Every single byte in turn, in a small archive that has every kind of leaf.
"""

from __future__ import annotations

import gzip
import hashlib
import random
import shutil
import sqlite3
import tempfile
import zlib
from bisect import bisect_right
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path

import pytest

from muniment.archive.archive import Archive, create
from muniment.archive.commit import scan_frames
from muniment.archive.config import read_config
from muniment.archive.rotation import rotate
from muniment.archive.verify import Finding, Request, Verification
from muniment.archive.verify.forked import in_order, processors
from muniment.formats.ots import is_available
from muniment.formats.tile import parse_entries
from muniment.model import Article, Attempt
from muniment.stamping import import_checkpoint
from muniment.stamping import stamp as ask
from tests.authority import Authority
from tests.conftest import NOW, download, upload
from tests.proof.conftest import stamp
from tests.stamping.stamped_archive import configure
from tests.witness import Witness

MEMORY = Path("/dev/shm")
Task = tuple[str, range, list[int]]  # a file, which of its bytes, and where its units begin


def verify(root: Path, **options) -> list[Finding]:
    return list(Verification(root, read_config(root), Request(**options)).run())


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """An archive with every kind of leaf; its tail holds all of them."""
    root = create(tmp_path_factory.mktemp("whole") / "archive", "test.example/log", NOW).root
    with Archive(root) as archive:
        with archive.writer() as writer:
            added = writer.add_capture(download("https://example.org/a", b"<p>one</p>"), [("articleKey", "k")])
            writer.add_article(Article("t", "one", extractor="t/1"), added.number, "https://example.org/a")
            writer.add_capture(upload("a.txt", b"to be withdrawn"), [("articleKey", "a")])
            writer.add_capture(upload("a.txt", b"to be withdrawn"), [("articleKey", "a")])
            writer.add_attempt(Attempt("https://example.org/b", NOW, "timeout", "slow"))
            writer.commit()
            writer.add_act("tag", {"add": ["x"], "remove": []}, 1)
            writer.add_act("note", {"text": "n"}, 1)
            writer.add_act("source", {"host": "example.org", "name": "Example"})
            writer.add_act("collection", {"name": "c", "add": [1], "remove": []})
            number = next(n for n in range(writer.size) if writer.catalog.kind_of(n) == ("capture", None)
                          and writer.catalog.snapshots([n])[0].uri == "file:///a.txt")  # fmt: skip
            writer.withdraw(number, "a court said so")
        archive.refresh()
        rotate(archive, reason="a year is over")
    assert verify(root) == []
    with Archive(root) as archive:
        assert {"segment", "capture", "revisit", "derivation", "attempt", "tag", "note", "source", "collection",
                "withdrawal", "key"} <= set(archive.counts())  # fmt: skip
    return root


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    root = tmp_path / "copy"
    shutil.copytree(whole, root)
    return root


def signed_files(root: Path) -> list[str]:
    folders = ("warc", "derived", "log/tile/entries", "log/stamps")
    files = [path for folder in folders for path in sorted((root / folder).glob("**/*")) if path.is_file()]
    return [*(path.relative_to(root).as_posix() for path in files), "log/commits"]


def units(root: Path, name: str) -> list[int]:
    """Where the records, leaves or commits of a file begin, and where the last of them ends."""
    data = (root / name).read_bytes()
    if name == "log/commits":
        return [0, *(commit.end for commit in scan_frames(data))]
    if name.endswith(".p/tail"):
        return [0, *accumulate(2 + len(entry) for entry in parse_entries(data))]
    return [0, *accumulate(map(len, members(root, name)))]


def test_every_single_byte_that_is_changed_is_found_and_located(whole: Path, tmp_path: Path) -> None:
    tasks = list[Task]()
    for name in signed_files(whole):
        folder, last = name.rpartition("/")[::2]
        copied = folder.endswith(".p") and last != "tail"  # of leaves that stand elsewhere
        starts = [] if copied else units(whole, name)
        size = (whole / name).stat().st_size
        assert copied or (len(starts) > 5 and starts[-1] == size), "every byte is in a record, a leaf or a commit"
        places = range(0, size, 37 if copied else 1)
        tasks += [(name, places[at : at + 256], starts) for at in range(0, len(places), 256)]
    assert all_unseen(whole, tasks, tmp_path) == []


def test_every_single_byte_of_a_stamp_that_is_changed_is_found_and_located(root: Path, tmp_path: Path) -> None:
    """Those too that no signature of the authority covers. A stamp is one thing: its finding has no offset."""
    with Archive(root) as archive, archive.writer() as writer:
        writer.add_capture(upload("a", b"a"), [])
        writer.commit()
    kinds = add_stamps(root, tmp_path)
    assert verify(root) == []
    files = sorted((root / "log/stamps").iterdir())
    assert {path.suffix for path in files} == kinds
    tasks: list[Task] = [
        (path.relative_to(root).as_posix(), range(at, min(at + 256, path.stat().st_size)), [])
        for path in files
        for at in range(0, path.stat().st_size, 256)
    ]
    assert all_unseen(root, tasks, tmp_path) == []


def add_stamps(root: Path, tmp_path: Path) -> set[str]:
    """A stamp of every kind; returns the kinds. That of OpenTimestamps needs its library."""
    stamp(root, Authority(tmp_path / "tsa"))
    note, witness = (root / "log/checkpoint").read_text(), Witness()
    with Archive(root) as archive:
        import_checkpoint(archive, note + witness.line(note), [witness.key])
    kinds = {".tsq", ".tsr", ".pem", ".note"}
    if is_available():
        from tests.stamping.calendar_server import Calendar

        with Calendar() as calendar:
            configure(root, lines=f'calendars = ["{calendar.url}"]')
            with Archive(root) as archive:
                assert ask(archive, tries=1, allow_private=True).leaf is not None
        kinds.add(".ots")
    return kinds


def all_unseen(whole: Path, tasks: list[Task], tmp_path: Path) -> list[str]:
    """On as many cores as there are: each process has a copy, in memory where the system has such a folder."""

    @contextmanager
    def start():
        with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else tmp_path) as folder:
            root = Path(folder) / "archive"
            shutil.copytree(whole, root)
            yield lambda task: unseen(root, *task)

    return [missed for part in in_order(tasks, start, processors()) for missed in part]


def unseen(root: Path, name: str, places: range, starts: list[int]) -> list[str]:
    """The bytes whose change is not found in the record, leaf or commit that they are in (`starts`, of which the last
    ends the file), or in their file, where there is only the whole of it."""
    path = root / name
    data, missed = path.read_bytes(), []
    for i in places:
        path.write_bytes(data[:i] + bytes([data[i] ^ (1 << i % 8)]) + data[i + 1 :])
        unit = bisect_right(starts, i)
        there = range(starts[unit - 1], starts[unit]) if starts else (None,)
        found = list(Verification(root, read_config(root), Request()).run())
        if not any(finding.file == name and finding.offset in there for finding in found):
            missed.append(f"byte {i} of {name}, in {there}: {found}")
    path.write_bytes(data)
    return missed


def members(root: Path, name: str) -> list[bytes]:
    with Archive(root) as archive:
        placements = [p for _, _, p in archive.catalog.all_placements() if p.segment == name]
    data = (root / name).read_bytes()
    return [data[p.offset : p.offset + p.length] for p in placements]


def packed(record: bytes, length: int) -> bytes:
    """A gzip member of this length at least: a comment fills it."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31, 9)
    member = deflate.compress(record) + deflate.flush()
    room = length - len(member)
    return member if room <= 0 else member[:3] + b"\x10" + member[4:10] + b" " * (room - 1) + b"\0" + member[10:]


WARC = "warc/2026/00000.warc.gz"


def slugs(root: Path, **options) -> set[str]:
    return {finding.finding for finding in verify(root, **options)}


@pytest.mark.parametrize("catalog", ["kept", "removed"])
def test_a_record_that_was_removed_is_missing(copy: Path, catalog: str) -> None:
    parts = members(copy, WARC)
    without_catalog(copy, catalog)
    (copy / WARC).write_bytes(b"".join(parts[:2] + parts[3:]))
    found = verify(copy)
    assert {f.finding for f in found} == {"record-missing", "cut"}
    (missing,) = [f for f in found if f.finding == "record-missing"]
    assert (missing.file, missing.offset) == (WARC, len(parts[0] + parts[1]))


@pytest.mark.parametrize("catalog", ["kept", "removed"])
@pytest.mark.parametrize("fast", [False, True])
def test_swapped_records_are_out_of_order(copy: Path, catalog: str, fast: bool) -> None:
    parts = members(copy, WARC)
    without_catalog(copy, catalog)
    (copy / WARC).write_bytes(b"".join([*parts[:2], parts[3], parts[2], *parts[4:]]))
    assert slugs(copy, fast=fast) - {"no-catalog"} == {"record-order"}


def without_catalog(root: Path, catalog: str) -> None:
    if catalog == "removed":
        for path in root.glob("catalog.sqlite*"):
            path.unlink()


def test_a_header_that_lost_its_digest_is_told_from_a_changed_block(copy: Path) -> None:
    parts = members(copy, WARC)
    before = b"".join(parts[:1])
    record = gzip.decompress(parts[1])
    head, _, block = record.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"WARC-Block-Digest")]
    stripped = b"\r\n".join(lines) + b"\r\n\r\n" + block
    for changed, said in (
        (stripped, "its header lacks WARC-Block-Digest, its block is as logged"),
        (record.replace(b"WARC-Date: 2026", b"WARC-Date: 2006"), "its header was changed"),
        (record.replace(b"<p>one", b"<p>oon"), "its block was changed"),
    ):
        assert changed != record
        member = packed(changed, len(parts[1]))
        (copy / WARC).write_bytes(before + member + b"".join(parts[2:]))
        found = next(finding for finding in verify(copy) if finding.finding != "uncommitted")
        assert len(member) > len(parts[1]) or len(verify(copy)) == 1
        assert (found.finding, found.file, found.offset) == ("digest-mismatch", WARC, len(before))
        assert said in found.detail
    (copy / WARC).write_bytes(before + parts[1][:9] + b"\x03" + parts[1][10:] + b"".join(parts[2:]))
    (found,) = verify(copy)
    assert "the record in it is as logged" in found.detail


def test_a_cut_tail_and_a_renamed_file_are_told(copy: Path) -> None:
    data = (copy / WARC).read_bytes()
    (copy / WARC).write_bytes(data[:-5])
    assert "cut" in slugs(copy)
    (copy / WARC).write_bytes(data)
    (copy / WARC).rename(copy / "warc/2026/00001.warc.gz")
    found = verify(copy)
    assert ("renamed", WARC) in {(f.finding, f.file) for f in found}
    assert {f.finding for f in found} == {"renamed"}
    bundle = copy / "log/tile/entries/000.p/tail"
    bundle.rename(bundle.with_name("tail2"))
    assert {"file-missing", "unknown-file"} <= slugs(copy)


def test_what_stands_behind_a_full_bundle_and_a_changed_tile_are_found(new_archive) -> None:
    from tests.conftest import fill

    root = new_archive("full")
    fill(root, 140, group=70)
    assert verify(root) == []
    bundle = root / "log/tile/entries/000"
    data = bundle.read_bytes()
    for more in (b"\0\1x", b"x"):
        bundle.write_bytes(data + more)
        (found,) = verify(root)
        assert (found.finding, found.file, found.offset) == ("uncovered", "log/tile/entries/000", len(data))
    bundle.write_bytes(data)
    for tile in (path for path in (root / "log/tile").glob("**/*") if path.is_file() and path.name != "tail"):
        if tile == bundle:
            continue
        data = tile.read_bytes()
        tile.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        assert [(f.finding, f.file) for f in verify(root)] == [("tile-damaged", tile.relative_to(root).as_posix())]
        tile.write_bytes(data)


def test_bytes_that_a_row_of_the_catalog_covers_and_no_record_are_found(new_archive) -> None:
    """A record hidden behind another, and a catalog made to say that both are one member."""
    root = new_archive("roomy")
    words = random.Random(1).choices(["harbour", "minutes", "council", "stone", "wall"], k=20_000)
    with Archive(root) as archive, archive.writer() as writer:
        writer.add_capture(upload("0.txt", " ".join(words).encode()))
        writer.commit()
    parts = members(root, WARC)
    record = gzip.decompress(parts[1])
    hidden = b"WARC/1.1\r\nWARC-Type: resource\r\nContent-Length: 0\r\n\r\n\r\n\r\n"
    extra = gzip.compress(hidden, 9)[:-4] + len(record).to_bytes(4, "little")
    member = packed(record, len(parts[1]) - len(extra)) + extra
    (root / WARC).write_bytes(parts[0] + member + b"".join(parts[2:]))
    digest = hashlib.sha256(member).digest()
    with sqlite3.connect(root / "catalog.sqlite") as db:
        changed = db.execute("update record set member = ? where offset = ? and leaf = 1", (digest, len(parts[0])))
        assert changed.rowcount == 1
    db.close()
    assert ("uncovered", WARC) in {(f.finding, f.file) for f in verify(root)}


def test_several_processes_find_the_same_in_the_same_order(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muniment.archive.verify.records._LEAVES", 2)
    data = bytearray((copy / WARC).read_bytes())
    for i in range(20, len(data), 150):
        data[i] ^= 4
    (copy / WARC).write_bytes(data)
    assert verify(copy, processes=3) == verify(copy, processes=1) != []
