"""Appending and reading back; locks; what is refused."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from muniment.archive.archive import Archive, create, rebuild
from muniment.archive.keys import key_path, load_signer
from muniment.archive.verify import Request, Verification
from muniment.archive.writer import Writer
from muniment.errors import IntegrityError, Locked, NoArchive, UploadError, UsageError
from muniment.model import Article, Attempt, Dropped, Published
from tests.conftest import NOW, download, fill, upload


def findings(root: Path, **options) -> list:
    with Archive(root) as archive:
        return list(Verification(root, archive.config, Request(**options)).run())


def test_init_makes_keys_of_mode_0600_outside_the_archive(tmp_path: Path) -> None:
    made = create(tmp_path / "a", None, NOW)
    assert made.key_path.stat().st_mode & 0o777 == 0o600
    assert tmp_path / "a" not in made.key_path.parents
    assert os.environ["XDG_CONFIG_HOME"] in str(made.key_path)
    checked = subprocess.run(["openssl", "pkey", "-in", made.key_path, "-noout"], capture_output=True)
    assert checked.returncode == 0
    assert load_signer(made.vkeys).origin == made.origin


def test_init_refuses_a_folder_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    with pytest.raises(UsageError, match="not an empty folder"):
        create(tmp_path, None, NOW)


@pytest.mark.parametrize("origin", ["two words", "a+b", ""])
def test_init_refuses_an_origin_that_no_note_could_carry(tmp_path: Path, origin: str) -> None:
    with pytest.raises(UsageError, match="one word"):
        create(tmp_path / "a", origin, NOW)


def test_no_journal_is_left_to_be_gone_through_by_each_that_opens_the_catalog(root: Path) -> None:
    with Archive(root) as archive:  # another that only reads, and stays
        assert archive.progress.size == 0
        with archive.writer() as writer:
            for number in range(200):
                writer.add_capture(download(f"https://example.org/{number}", b"x"), [])
            writer.commit()
        assert (root / "catalog.sqlite-wal").stat().st_size == 0
        archive.refresh()
        assert archive.progress.snapshots == 200


def test_what_was_appended_is_read_back(root: Path) -> None:
    article = Article(
        "عنوان", "متن\nمقاله", ("A", "B"), Published("2021-05", "month", "meta"), "fa", ("caption",),
        (Dropped("Share", "share-line"),), {"title": "og:title"}, "utf-8", "test/1", {"rules": "1"},
    )  # fmt: skip
    capture = download("https://example.org/a", b"<p>body</p>")
    with Archive(root) as archive:
        with archive.writer() as writer:
            added = writer.add_capture(capture, [("articleKey", "k"), ("articleUrl", "https://example.org/a")])
            derived = writer.add_article(article, added.number, capture.uri, source="Source", tags=["t"])
            writer.commit()
        archive.refresh()
        snapshot = archive.snapshot(added.number)
        assert archive.snapshot(derived) == snapshot
        assert archive.article(snapshot) == article
        assert archive.text(snapshot) == article.text
        assert (snapshot.key, snapshot.url, snapshot.source, snapshot.tags) == (
            "k", "https://example.org/a", "Source", ("t",),
        )  # fmt: skip
        assert (snapshot.published, snapshot.precision, snapshot.authors) == ("2021-05", "month", ("A", "B"))
        assert archive.records(added.number)[0].block == capture.block
        assert [record.type for record in archive.records(added.number)] == ["response", "request", "metadata"]


def test_the_same_bytes_are_a_revisit_and_changed_bytes_a_new_version(root: Path) -> None:
    with Archive(root) as archive, archive.writer() as writer:
        key = [("articleKey", "k")]
        first = writer.add_capture(download("https://example.org/a", b"one"), key)
        again = writer.add_capture(download("https://example.org/a", b"one"), key)
        writer.commit()
        later = writer.add_capture(download("https://example.org/a", b"one"), key)
        other = writer.add_capture(download("https://example.org/a", b"two"), key)
        back = writer.add_capture(download("https://example.org/a", b"one"), key)
        elsewhere = writer.add_capture(download("https://example.org/b", b"one"), key)
        writer.commit()
        assert [a.unchanged for a in (first, again, later, other, back, elsewhere)] == [
            False, True, True, False, False, True,
        ]  # fmt: skip
        assert again.original == later.original == first.number
        archive.refresh()
        types = [leaf.type for _, leaf, _ in archive.catalog.history("k")]
        assert types == ["capture", "revisit", "revisit", "capture", "capture", "revisit"]
        other_address = archive.records(elsewhere.number)[0].headers  # the same article under another address
        assert elsewhere.original == back.number
        assert other_address["WARC-Target-URI"] == "https://example.org/b"
        assert other_address["WARC-Refers-To-Target-URI"] == "https://example.org/a"
        revisit = archive.records(later.number)[0]
        original = archive.leaf(first.number)
        assert revisit.headers["WARC-Refers-To"] == f"<urn:uuid:{original.id}>"
        assert revisit.headers["WARC-Refers-To-Date"] == original.at
        assert revisit.block.startswith(b"HTTP/1.1 200 OK\r\n")
        assert revisit.block.endswith(b"\r\n\r\n")


def test_attempts_are_logged_with_and_without_bytes(root: Path) -> None:
    gone = download("https://example.org/gone", b"gone", status=410)
    with Archive(root) as archive, archive.writer() as writer:
        one = writer.add_attempt(
            Attempt("https://example.org/gone", NOW, "http-410", "gone", gone), [("articleKey", "k")]
        )
        two = writer.add_attempt(Attempt("https://example.org/gone", NOW, "timeout", "slow"), [("articleKey", "k")])
        writer.commit()
        archive.refresh()
        assert archive.leaf(one).reason == "http-410"
        assert archive.records(one)[0].block == gone.block
        assert b"outcome: timeout\r\n" in archive.records(two)[0].block
        assert [number for _, _, number in archive.catalog.history("k")] == [one, two]
        with pytest.raises(UsageError, match="no snapshot"):
            archive.snapshot(one)
    assert findings(root) == []


def test_nothing_uncommitted_is_seen_or_kept(root: Path) -> None:
    with Archive(root) as archive:
        with archive.writer() as writer:
            writer.add_capture(upload("a", b"a"))
            writer.commit()
            kept = writer.size
            writer.add_capture(upload("b", b"b"))
        assert (root / "quarantine").exists() is False
        with archive.writer() as writer:
            assert writer.recovered == ["warc/2026/00000.warc.gz"]
            assert writer.size == kept
        assert list((root / "quarantine").iterdir())
    assert findings(root) == []


@pytest.mark.parametrize("torn", [b"\0", b"\xff\xff{", bytes(100), b"\x00\x05{}"])
def test_a_leaf_that_was_torn_by_a_crash_is_set_aside(root: Path, torn: bytes) -> None:
    fill(root, 2)
    with (root / "log/tile/entries/000.p/tail").open("ab") as tail:
        tail.write(torn)
    fill(root, 1)
    assert [path.read_bytes() for path in (root / "quarantine").iterdir()] == [torn]
    assert findings(root) == []


def test_segments_roll_and_a_new_year_begins_a_new_file(root: Path) -> None:
    with Archive(root) as archive:
        signer = load_signer(archive.config.vkeys[0])
        for year in (2026, 2026, 2027, 2026):
            moment = datetime(year, 6, 1, tzinfo=UTC)
            with Writer(root, archive.config, signer, clock=lambda moment=moment: moment, roll_at=3000) as writer:
                for i in range(6):
                    added = writer.add_capture(upload(f"{year}-{i}-{writer.size}", os.urandom(700)))
                    writer.add_article(Article("t", "text", extractor="t/1"), added.number, "file:///x")
                    writer.commit()
    names = sorted(path.relative_to(root).as_posix() for path in root.glob("warc/*/*"))
    assert len([name for name in names if "2026" in name]) > 1
    assert len([name for name in names if "2027" in name]) > 1
    assert findings(root) == []
    assert findings(root, fast=True) == []
    before = Archive(root).catalog
    rows = list(before.all_placements())
    for path in root.glob("catalog.sqlite*"):
        path.unlink()
    with Archive(root) as archive:
        assert list(archive.catalog.all_placements()) == rows


def test_a_second_writer_is_told_at_once_and_may_wait(root: Path) -> None:
    with Archive(root) as archive:
        with archive.writer(), pytest.raises(Locked, match="another muniment"):
            archive.writer()
        holder = multiprocessing.get_context("fork").Process(target=hold_lock, args=(root, 0.5))
        holder.start()
        while not (root / "held").exists():
            pass
        with pytest.raises(Locked):
            archive.writer()
        with archive.writer(wait=20) as writer:
            writer.add_capture(upload("a", b"a"))
            writer.commit()
        holder.join()


def hold_lock(root: Path, seconds: float) -> None:
    import time

    with Archive(root) as archive, archive.writer():
        (root / "held").touch()
        time.sleep(seconds)


def test_readers_read_while_a_writer_writes(root: Path) -> None:
    fill(root, 5)
    with Archive(root) as archive, archive.writer() as writer:
        number = writer.add_capture(upload("new", b"new")).number
        with Archive(root) as reader:
            assert reader.progress.articles == 5
            assert reader.text(reader.snapshot(1)).startswith("The text")
            with pytest.raises(UsageError):
                reader.snapshot(number)
            writer.commit()
            reader.refresh()
            assert reader.snapshot(number).uri == "file:///new"


def test_a_reader_beside_a_writer_says_how_far_its_catalog_is_behind(root: Path) -> None:
    fill(root, 5)
    for path in root.glob("catalog.sqlite*"):
        path.rename(path.with_suffix(path.suffix + ".old"))
    fill(root, 5)
    with Archive(root) as archive:
        size = archive.size
        with archive.writer():
            for path in root.glob("catalog.sqlite*"):
                if not path.name.endswith(".old"):
                    path.unlink()
            for path in root.glob("*.old"):
                path.rename(path.with_suffix(path.suffix.removesuffix(".old")))
            with Archive(root) as reader:
                assert reader.lag > 0
                assert reader.size == size


def test_an_address_that_fits_no_leaf_fails_and_the_writer_goes_on(root: Path) -> None:
    with Archive(root) as archive, archive.writer() as writer:
        with pytest.raises(UploadError, match="too long"):
            writer.add_capture(upload("a" * 70_000, b"a"))
        writer.add_capture(upload("b", b"b"))
        writer.commit()
    assert findings(root) == []


def test_a_missing_or_foreign_private_key_is_named(root: Path, new_archive) -> None:
    with Archive(root) as archive:
        path = key_path(archive.config.vkeys[0])
        pem = path.read_bytes()
        path.unlink()
        with pytest.raises(UsageError, match="put your backup of it there"):
            archive.writer()
        with Archive(new_archive("other")) as other:
            path.write_bytes(key_path(other.config.vkeys[0]).read_bytes())
        with pytest.raises(UsageError, match="another archive's key"):
            archive.writer()
        path.write_bytes(b"junk")
        with pytest.raises(UsageError, match="holds no private key"):
            archive.writer()
        path.write_bytes(pem)
        archive.writer().close()


def test_no_archive_and_a_broken_configuration_are_told_apart(tmp_path: Path, root: Path) -> None:
    with pytest.raises(NoArchive, match="muniment init"):
        Archive(tmp_path / "nothing")
    toml = (root / "archive.toml").read_text()
    for bad in ("not toml [", toml.replace("format = 1", "format = 2"), toml.replace("origin", "orgin")):
        (root / "archive.toml").write_text(bad)
        with pytest.raises(UsageError, match=r"archive\.toml"), Archive(root) as archive:
            archive.writer()


def test_rebuild_gives_the_catalog_and_the_tiles_that_writing_gave(root: Path) -> None:
    fill(root, 300, group=7)
    tiles = {path: path.read_bytes() for path in sorted(root.glob("log/tile/**/*")) if path.is_file()}
    with Archive(root) as archive:
        rows = list(archive.catalog._db.execute("select * from leaf order by number"))
        articles = list(archive.catalog._db.execute("select * from article order by snapshot"))
        progress = archive.progress
    rebuild(root)
    assert {path: path.read_bytes() for path in sorted(root.glob("log/tile/**/*")) if path.is_file()} == tiles
    with Archive(root) as archive:
        assert list(archive.catalog._db.execute("select * from leaf order by number")) == rows
        assert list(archive.catalog._db.execute("select * from article order by snapshot")) == articles
        assert archive.progress == progress


def test_rebuild_refuses_a_record_that_is_not_its_leafs(root: Path) -> None:
    fill(root, 5)
    path = root / "warc/2026/00000.warc.gz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match=r"warc/2026/00000\.warc\.gz is damaged at byte \d+ \(snapshot #\d+\)"):
        rebuild(root)
    with Archive(root) as archive:
        assert archive.progress.articles == 5


def test_tiles_and_catalog_may_be_deleted_at_any_time(root: Path) -> None:
    fill(root, 300)
    import shutil

    for level in ("0", "1"):
        shutil.rmtree(root / "log/tile" / level)
    (root / "log/checkpoint").unlink()
    for path in root.glob("catalog.sqlite*"):
        path.unlink()
    fill(root, 1)
    assert findings(root) == []
    assert (root / "log/tile/0/000").stat().st_size == 32 * 256
