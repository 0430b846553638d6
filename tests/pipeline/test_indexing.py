"""The index follows the log: it catches up, is built anew beside the one in use, and survives kills."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import shutil
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from muniment import indexing, pipeline
from muniment.archive.archive import Archive
from muniment.durable import Lock
from muniment.errors import IndexBehind, IntegrityError
from muniment.index import generations
from muniment.index.engine import open_engine
from muniment.model import Article
from tests.conftest import download, fill, upload


def search(root: Path, text: str, **options) -> pipeline.Results:
    with Archive(root) as archive:
        return pipeline.find(archive, pipeline.Search(text, **options))


def add_version(root: Path, body: bytes, text: str) -> int:
    with Archive(root) as archive, archive.writer() as writer:
        added = writer.add_capture(download("https://example.org/a", body), [("articleKey", "k")])
        writer.add_article(Article("Title", text, extractor="t/1"), added.number, "https://example.org/a")
        writer.commit()
        return added.number


def test_a_search_brings_the_index_up_to_the_log(root: Path) -> None:
    fill(root, 25)
    results = search(root, "article")
    assert (results.total, results.indexed, results.articles) == (25, 25, 25)
    with Archive(root) as archive, archive.writer() as writer:
        added = writer.add_capture(upload("late", b"late"), [("articleKey", "late")])
        writer.add_article(Article("Late", "A late arrival."), added.number, "file:///late")
        writer.commit()
    results = search(root, "arrival")
    assert [hit.snapshot.number for hit in results.hits] == [added.number]
    assert results.indexed == 26


@pytest.mark.parametrize("engine", ["tantivy", "whoosh"])
def test_an_edited_article_is_one_hit_and_its_old_words_are_still_found(root: Path, engine: str) -> None:
    first = add_version(root, b"one", "The dam was unsafe. Forty homes were lost.")
    with Archive(root) as archive:
        pipeline.reindex(archive, engine, lambda reached: None)
    second = add_version(root, b"two", "Some homes were lost.")

    def numbers(text: str, **options) -> list[int]:
        return [hit.snapshot.number for hit in search(root, text, **options).hits]

    assert numbers("homes") == [second]
    assert sorted(numbers("homes", versions=True)) == [first, second]
    assert numbers("unsafe") == [first]
    assert search(root, "homes").hits[0].versions == 2
    assert numbers("homes -unsafe") == [second]
    third = add_version(root, b"one", "The dam was unsafe. Forty homes were lost.")
    assert numbers("unsafe") == [third]


def test_an_index_that_lacks_articles_and_cannot_catch_up_says_so(root: Path) -> None:
    fill(root, 5)
    search(root, "article")
    fill(root, 0)
    add_version(root, b"one", "New words.")
    with Archive(root) as archive:
        busy = generations.open_current(root / "index")
        assert busy is not None
        busy.add([])
        busy.add([])
        results = pipeline.find(archive, pipeline.Search("words"))
        busy.close()
    assert (results.indexed, results.articles) == (5, 6)
    assert search(root, "words").indexed == 6


def test_a_reindex_that_is_killed_goes_on_where_it_stood(root: Path, tmp_path: Path, monkeypatch) -> None:
    fill(root, 60, group=20)
    search(root, "article")
    monkeypatch.setattr(indexing, "GROUP", 10)
    monkeypatch.setattr(indexing, "COMMIT_EVERY", 20)
    trace = tmp_path / "trace"

    def build() -> None:
        with Archive(root) as archive:
            pipeline.reindex(archive, None, lambda reached: (trace.write_text(str(reached)), time.sleep(0.2)))

    pid = os.fork()
    if pid == 0:
        try:
            build()
        finally:
            os._exit(1)
    while not trace.exists() or int(trace.read_text() or 0) < 60:
        assert os.waitpid(pid, os.WNOHANG) == (0, 0)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert generations.current(root / "index") == "tantivy-1"
    assert search(root, "article").total == 60, "the old index serves until the new one is whole"
    with open_engine("tantivy", root / "index" / "tantivy-2") as half:
        held, stood = half.count(), half.state().log_size
    assert 0 < held < 60
    reached: list[int] = []
    with Archive(root) as archive:
        assert pipeline.reindex(archive, None, reached.append) == 60
    assert min(reached) > stood, "what was built before the kill is not built again"
    assert generations.current(root / "index") == "tantivy-2"
    assert sorted(p.name for p in (root / "index").iterdir() if p.is_dir()) == ["tantivy-2"]
    assert search(root, "article").total == 60


def test_a_reader_that_has_the_old_index_open_goes_on(root: Path) -> None:
    fill(root, 10)
    search(root, "article")
    old = generations.open_current(root / "index")
    assert old is not None
    with Archive(root) as archive:
        pipeline.reindex(archive, "whoosh", lambda reached: None)
    assert old.count() == 10
    old.close()
    assert generations.current(root / "index") == "whoosh-2"
    assert search(root, "article").total == 10


def test_the_index_may_be_deleted_at_any_time(root: Path) -> None:
    fill(root, 10)
    search(root, "article")
    shutil.rmtree(root / "index")
    assert search(root, "article").total == 10
    (root / "index" / "current").write_text("tantivy-9\n")
    shutil.rmtree(root / "index" / "tantivy-1")
    with pytest.raises(IndexBehind, match="muniment reindex"):
        search(root, "article")
    with Archive(root) as archive:
        pipeline.reindex(archive, None, lambda reached: None)
    assert search(root, "article").total == 10


def test_rebuild_needs_nothing_but_warc_files_and_the_log(root: Path) -> None:
    fill(root, 10)
    search(root, "article")
    for path in root.glob("catalog.sqlite*"):
        path.unlink()
    shutil.rmtree(root / "index")
    shutil.rmtree(root / "log" / "tile" / "0")
    (root / "log" / "checkpoint").unlink()
    with pipeline.rebuild(root) as archive:
        assert pipeline.reindex(archive, None, lambda reached: None) == 10
    assert search(root, "article").total == 10


def test_reindex_leaves_the_archive_to_its_writer(root: Path) -> None:
    fill(root, 3)
    lock = Lock(root / "lock")
    with Archive(root) as archive, pytest.raises(Exception, match="another muniment"):
        pipeline.reindex(archive, None, lambda reached: None)
    lock.release()


def test_an_index_of_another_log_answers_nothing(new_archive) -> None:
    one, other = new_archive("one"), new_archive("other")
    fill(one, 25)
    fill(other, 12)
    search(one, "article")
    search(other, "article")
    shutil.rmtree(other / "index")
    shutil.copytree(one / "index", other / "index")
    for _ in range(2):
        with pytest.raises(IndexBehind, match="another log"):
            search(other, "article")
        with Archive(other) as archive:
            assert "another log" in str(pipeline.index_state(archive)["problem"])
        fill(other, 40)  # once the log is longer than the index says
    with Archive(other) as archive:
        pipeline.reindex(archive, None, lambda reached: None)
    assert search(other, "article").total == 40


def test_a_text_that_was_changed_and_compressed_anew_is_not_shown_and_not_indexed(root: Path) -> None:
    words = " ".join(random.Random(1).choices(("the", "dam", "was", "held", "by", "stone"), k=3000))
    number = add_version(root, b"one", f"The dam was unsafe. {words}")
    assert search(root, "unsafe").total == 1
    with Archive(root) as archive:
        snapshot = archive.snapshot(number)
        assert snapshot.derivation is not None
        place = archive.catalog.placements(snapshot.derivation)[0]
    path = root / place.segment
    data = path.read_bytes()
    record = gzip.decompress(data[place.offset : place.offset + place.length]).replace(b"unsafe", b"secure")
    forged = gzip.compress(record, 9)
    room = place.length - len(forged)  # a gzip comment keeps the file's length
    if room:
        forged = forged[:3] + b"\x10" + forged[4:10] + b" " * (room - 1) + b"\0" + forged[10:]
    assert len(forged) == place.length
    path.write_bytes(data[: place.offset] + forged + data[place.offset + place.length :])
    with sqlite3.connect(root / "catalog.sqlite") as db:  # the forger knows the catalog too
        lengths = (len(forged), hashlib.sha256(forged).digest(), snapshot.derivation)
        db.execute("update record set length = ?, member = ? where leaf = ? and part = 0", lengths)
    db.close()
    with Archive(root) as archive:
        for read in (archive.text, archive.article):
            with pytest.raises(IntegrityError, match="does not have the digest that its leaf states"):
                read(snapshot)
    other = add_version(root, b"two", "The dam held.")
    hits = {hit.snapshot.number: hit for hit in search(root, "dam", versions=True).hits}
    assert hits.keys() == {number, other}
    assert hits[number].snippet is None and "digest" in (hits[number].damage or "")
    assert hits[other].damage is None
    with Archive(root) as archive:
        pipeline.reindex(archive, None, lambda reached: None)
    results = search(root, "dam", versions=True)
    assert [hit.snapshot.number for hit in results.hits] == [other]
    assert (results.indexed, results.articles) == (1, 2)
