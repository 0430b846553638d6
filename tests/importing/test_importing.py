"""Imported records are kept as they are, once, under their own dates; what is an article becomes one."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from import_run import Imported, findings, run
from record_files import DATE, arc, crawl, http, members, new_id, page, record

from muniment.archive.archive import Archive, create, rebuild
from muniment.export.members import Members
from muniment.formats.leaf import Leaf
from muniment.ingest.opening import open_target
from muniment.ingest.upload import Target
from muniment.pipeline import Search, find
from tests.conftest import NOW

Add = Callable[..., list[tuple[str, int | None, str | None]]]


def leaves(root: Path, kind: str) -> list[tuple[int, Leaf]]:
    with Archive(root) as archive:
        return [(number, archive.leaf(number)) for number in archive.catalog.numbers(kind)]


def facts(root: Path, number: int) -> dict[str, list[str]]:
    with Archive(root) as archive, Members(archive) as members_:
        return members_.facts(number)


def first_block(root: Path, number: int) -> bytes:
    with Archive(root) as archive:
        return archive.records(number)[0].block


def test_every_record_is_kept_byte_for_byte(crawled: Imported) -> None:
    with Archive(crawled.root) as archive:
        kept = {
            raw
            for number in archive.catalog.numbers("capture", "revisit", "record")
            for raw in archive.raw_records(number)
        }
    assert set(crawl_of(crawled)) <= kept


def crawl_of(crawled: Imported) -> list[bytes]:
    whole = gzip.decompress(crawled.file.read_bytes())
    return [b"WARC/1.0\r\n" + part for part in whole.split(b"WARC/1.0\r\n")[1:]]


def test_responses_of_pages_and_text_become_articles_and_nothing_else_does(crawled: Imported) -> None:
    stored = {added.url: added.title for added in crawled.added if added.state == "stored"}
    assert {url: stored[url] for url in stored if url and not url.endswith(".txt")} == {
        "http://a.example/lock": "The lock",
        "http://a.example/chunks": "In chunks",
        "http://a.example/packed": "Packed",
    }
    assert "http://a.example/note.txt" in stored
    assert [added.state for added in crawled.added].count("kept") == 5  # warcinfo, image, redirect, 404, revisit


def test_requests_and_metadata_stand_with_their_response(crawled: Imported) -> None:
    number, leaf = next((n, leaf) for n, leaf in leaves(crawled.root, "capture") if (leaf.uri or "").endswith("lock"))
    with Archive(crawled.root) as archive:
        records = archive.records(number)
    assert [one.type for one in records] == ["response", "request", "metadata", "metadata"]
    assert leaf.id == new_id("story")[10:-1] and leaf.captured == DATE and leaf.at > "2026"


def test_a_capture_says_from_where_it_came(crawled: Imported) -> None:
    number = next(n for n, leaf in leaves(crawled.root, "capture") if (leaf.uri or "").endswith("lock"))
    said = facts(crawled.root, number)
    assert said["importedFrom"] == ["crawl.warc.gz"]
    assert said["importedFile"] == ["sha256:" + hashlib.sha256(crawled.file.read_bytes()).hexdigest()]
    assert said["importedOffset"] == [str(len(members(crawl_of(crawled)[:1])))]
    assert said["importedRecordId"] == [new_id("story")]
    assert said["importedBlockDigest"][0].endswith(" holds") and said["importedPayloadDigest"][0].endswith(" holds")


def test_a_revisit_leads_to_the_capture_that_it_repeats(crawled: Imported) -> None:
    ((number, leaf),) = leaves(crawled.root, "revisit")
    assert leaf.of is not None and leaf.captured == "2014-01-01T00:00:00Z"
    with Archive(crawled.root) as archive:
        assert archive.leaf(leaf.of).payload == leaf.payload
        assert archive.records(number)[0].headers["WARC-Refers-To"] == new_id("story")


def test_verify_finds_nothing_and_a_rebuild_finds_the_same(crawled: Imported) -> None:
    def rows() -> list[object]:
        with sqlite3.connect(crawled.root / "catalog.sqlite") as db:
            return [
                db.execute(f"select * from {table} order by 1, 2").fetchall() for table in ("leaf", "article", "record")
            ]

    before = rows()
    assert findings(crawled.root) == []
    rebuild(crawled.root)
    assert rows() == before and findings(crawled.root) == []


def test_an_import_that_is_repeated_adds_nothing(crawled: Imported) -> None:
    with Archive(crawled.root) as archive:
        size = archive.size
    again = run(crawled.root, crawled.file)
    assert {added.state for added in again} == {"unchanged"}
    other = crawled.file.with_name("copy.warc")
    other.write_bytes(b"".join(crawl_of(crawled)))
    assert {added.state for added in run(crawled.root, other)} == {"unchanged"}
    with Archive(crawled.root) as archive:
        assert archive.size == size


def test_a_record_of_an_id_that_is_taken_is_kept_under_another(root: Path, add: Add) -> None:
    same, (one, two) = new_id(), (http(page("One")), http(page("Two")))
    done = add(a_warc=record("response", one, "http://a.example/1", identity=same)
               + record("response", two, "http://a.example/2", identity=same))  # fmt: skip
    assert [state for state, *_ in done] == ["stored", "stored"]
    (_, first), (number, second) = leaves(root, "capture")
    assert first.id != second.id and first_block(root, number) == two and findings(root) == []
    head = "\r\n".join(facts(root, number)["importedHead"]).encode() + b"\r\n\r\n"
    assert head + two + b"\r\n\r\n" == record("response", two, "http://a.example/2", identity=same)


OLD = [
    record("response", http(page("Old")), "http://a.example/1", version="WARC/0.18"),
    record("response", http(page("Old")), "http://a.example/a b", date="2013-05"),
    record("response", http(page("Old")), "http://a.example/3", date="2099-01-01T00:00:00Z"),
    record("response", http(page("Old")), "http://a.example/4", date="yesterday", identity="<x:1>"),
    record("response", http(page("Old")), "http://a.example/5").replace(b"\r\nWARC-Date:", b"\r\nwarc-date: "),
    record("response", http(page("Old")), "http://a.example/6", ("X-Name", "caf\xe9")).replace(b"\xc3\xa9", b"\xe9"),
    record("response", http(page("Old")).replace(b"HTTP/1.1", b"HTTP/2"), "http://a.example/7"),
]


def test_what_is_not_sound_keeps_its_block_and_can_be_put_together_again(root: Path, add: Add) -> None:
    assert [state for state, *_ in add(a_warc=b"".join(OLD))] == ["stored"] * len(OLD)
    assert findings(root) == []
    for old, (number, leaf) in zip(OLD, leaves(root, "capture"), strict=True):
        block, said = old.partition(b"\r\n\r\n")[2][:-4], facts(root, number)
        if "importedHead-base64" in said:
            head = base64.b64decode(said["importedHead-base64"][0])
        else:
            head = "\r\n".join(said.get("importedHead", [])).encode() + b"\r\n\r\n"
        with Archive(root) as archive:
            assert archive.raw_records(number)[0] == old or head + block + b"\r\n\r\n" == old
            assert archive.article(archive.snapshot(number)).title == "Old"  # type: ignore[union-attr]
        assert first_block(root, number) == block and (leaf.captured or "") <= leaf.at


def test_arc_records_become_responses(root: Path, add: Add) -> None:
    block = http(page("Of an old crawl"))
    done = add(old_arc=arc([("http://a.example/p q", block)]))
    assert [state for state, *_ in done] == ["kept", "stored"]
    ((number, leaf),) = leaves(root, "capture")
    assert (leaf.uri, leaf.captured) == ("http://a.example/p%20q", "2008-04-30T20:48:25.000000Z")
    with Archive(root) as archive:
        first = archive.records(number)[0]
    assert (first.type, first.block, first.headers["WARC-IP-Address"]) == ("response", block, "192.0.2.7")
    assert facts(root, number)["importedHead-base64"] and findings(root) == []


def test_a_digest_that_does_not_hold_is_told_and_the_record_kept(root: Path, add: Add) -> None:
    wrong = ("WARC-Block-Digest", "sha1:" + "A" * 32)
    done = add(a_warc=record("response", http(page("One")), "http://a.example/1", wrong))
    assert [(state, reason) for state, _, reason in done] == [("stored", None), ("failed", "import-digest")]
    ((number, _),) = leaves(root, "capture")
    assert facts(root, number)["importedBlockDigest"] == ["sha1:" + "A" * 32 + " differs"]


def test_damage_is_an_attempt_with_its_place(root: Path, add: Add) -> None:
    pages = [record("response", http(page(f"Page {i}")), f"http://a.example/{i}") for i in range(3)]
    packed = bytearray(members(pages))
    second = len(members(pages[:1]))
    packed[second + 50 : second + 60] = bytes(10)
    done = add(a_warc_gz=bytes(packed))
    assert sorted(state for state, *_ in done) == ["failed", "stored", "stored"]
    ((number, leaf),) = leaves(root, "attempt")
    assert leaf.reason == "import-damaged" and f"byte {second} of" in facts(root, number)["detail"][0]


def test_what_is_wrong_with_a_file_is_told_each_time_and_logged_once(root: Path, add: Add) -> None:
    pages = [record("response", http(page(f"Page {i}")), f"http://a.example/{i}") for i in range(3)]
    packed = bytearray(members(pages))
    for middle in (len(members(pages[:1])) + 50, len(packed) - 60):
        packed[middle : middle + 10] = bytes(10)
    wrong = record("response", http(page("One")), "http://a.example/1", ("WARC-Block-Digest", "sha1:" + "A" * 32))
    package = nested()
    for again in range(2):
        done = add(a_warc_gz=bytes(packed), b_warc=wrong, c_warc_gz=bytes(packed), d_wacz=package)
        failed = sorted(reason or "" for state, _, reason in done if state == "failed")
        assert failed == ["import-damaged"] * 4 + ["import-digest", "wacz-digest", "wacz-digest", "wacz-nested"], again
        assert len(leaves(root, "attempt")) == 6
    said = facts(root, leaves(root, "attempt")[0][0])
    assert said["importedFile"] == ["sha256:" + hashlib.sha256(packed).hexdigest()]
    assert said["importedOffset"] == [str(len(members(pages[:1])))] and findings(root) == []
    rebuild(root)
    add(a_warc_gz=bytes(packed))
    assert len(leaves(root, "attempt")) == 6


def nested() -> bytes:
    """A WACZ without a description that holds another one."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("archive/data.warc.gz", members(crawl()[:1]))
        package.writestr("other.wacz", b"PK")
        package.writestr("datapackage.json", json.dumps({"resources": [{"path": "gone", "hash": "x"}]}))
    return buffer.getvalue()


def test_a_revisit_without_its_original_is_kept_once(root: Path, add: Add) -> None:
    again = crawl()[9]
    for _ in range(2):
        assert [(state, reason) for state, _, reason in add(a_warc=again)] == [("failed", "revisit-unresolved")]
    assert len(leaves(root, "record")) == 1


def test_how_far_a_file_is_read_is_told_as_its_records_come(tmp_path: Path) -> None:
    pages = [record("response", http(page(f"Page {i}")), f"http://a.example/{i}") for i in range(900)]
    letters = b"".join(
        b"From a@b.example Mon Jan  1 00:00:00 2024\nFrom: a@b.example\nSubject: %d\n\nWords of a letter.\n\n" % i
        for i in range(50)
    )
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as zipped:
        zipped.writestr("archive/a.warc.gz", members(pages))
        zipped.writestr("archive/b.warc", b"".join(pages), zipfile.ZIP_DEFLATED)
    for name, content in (("a.warc", b"".join(pages)), ("a.warc.gz", members(pages)), ("a.mbox", letters),
                          ("a.wacz", package.getvalue())):  # fmt: skip
        path = tmp_path / name
        path.write_bytes(content)
        told = [opened.read for opened in open_target(Target(name, path=path), NOW, 1 << 20) if opened.read]
        assert len(told) >= 50 and told == sorted(told) and {size for _, size in told} == {len(content)}, name
        assert told[0][0] < 0.3 * len(content) and 0.9 * len(content) < told[-1][0] <= len(content), name


def test_a_revisit_whose_original_comes_later(root: Path, add: Add) -> None:
    story, again = crawl()[1], crawl()[9]
    assert [(state, reason) for state, _, reason in add(a_warc=again)] == [("failed", "revisit-unresolved")]
    assert [leaf.type for _, leaf in leaves(root, "record")] == ["record"]
    add(b_warc=story)
    assert [state for state, *_ in add(a_warc=again)] == ["kept"]
    assert [state for state, *_ in add(a_warc=again)] == ["unchanged"]
    ((_, leaf),) = leaves(root, "revisit")
    assert leaf.of == leaves(root, "capture")[0][0] and findings(root) == []


def test_a_revisit_that_names_only_a_digest(root: Path, add: Add) -> None:
    story = crawl()[1]
    again = re.sub(rb"WARC-Refers-To: [^\r]*\r\n", b"", crawl()[9])
    add(a_warc=story + again)
    ((number, leaf),) = leaves(root, "revisit")
    assert leaf.of is not None and facts(root, number)["importedHead"][0] == "WARC/1.0" and findings(root) == []


def test_an_older_record_never_hides_a_newer_version(root: Path, add: Add) -> None:
    def at(year: int, title: str) -> bytes:
        return record("response", http(page(title)), "http://a.example/p", date=f"{year}-01-01T00:00:00Z")

    add(b_warc=at(2020, "Newer"))
    add(a_warc=at(2010, "Older"))
    add(c_warc=at(2015, "Between") + at(2022, "Newest"))
    with Archive(root) as archive:
        hits = find(archive, Search("keeper")).hits
        assert [(hit.snapshot.title, hit.versions) for hit in hits] == [("Newest", 4)]
        all_hits = find(archive, Search("keeper", versions=True, limit=None)).hits
        assert sorted(hit.snapshot.title or "" for hit in all_hits) == ["Between", "Newer", "Newest", "Older"]
        history = archive.catalog.history(hits[0].snapshot.key)
        assert [snapshot.title for snapshot, _, _ in history if snapshot] == ["Older", "Between", "Newer", "Newest"]
        assert [archive.catalog.version(snapshot) for snapshot, _, _ in history if snapshot] == [1, 2, 3, 4]


def test_a_word_of_an_older_version_that_came_later_counts_as_removed(root: Path, add: Add) -> None:
    def at(year: int, title: str) -> bytes:
        return record("response", http(page(title)), "http://a.example/p", date=f"{year}-01-01T00:00:00Z")

    add(b_warc=at(2020, "Newer"))
    add(a_warc=at(2010, "Ancient"))
    with Archive(root) as archive:
        assert [hit.snapshot.title for hit in find(archive, Search("removed:ancient")).hits] == ["Newer"]
        assert find(archive, Search("removed:newer")).total == 0


def test_a_declared_address_does_not_fit_a_file_of_many(root: Path, tmp_path: Path) -> None:
    (tmp_path / "a.warc").write_bytes(b"".join(crawl()))
    done = subprocess.run(
        [sys.executable, "-m", "muniment", "--archive", root, "add", "--url", "http://x.example/", tmp_path / "a.warc"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 3 and "it holds many items" in done.stderr


def test_an_import_that_was_killed_and_repeated_doubles_nothing(tmp_path: Path) -> None:
    count = 200
    image = [
        record("response", http(random.Random(i).randbytes(3000), "image/png"), f"http://a.example/{i}.png")
        for i in range(count)
    ]
    path = tmp_path / "crawl.warc.gz"
    path.write_bytes(members(image))
    root = create(tmp_path / "archive", "test.example/log", NOW).root
    command = [sys.executable, "-m", "muniment", "--archive", str(root), "add", "-q", str(path)]
    rng = random.Random(5)
    for _ in range(2):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0)
        before = (root / "log" / "commits").stat().st_size
        until = time.monotonic() + 20
        while (
            (root / "log" / "commits").stat().st_size == before and process.poll() is None and time.monotonic() < until
        ):
            time.sleep(0.002)
        time.sleep(rng.random() / 50)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    run(root, path)
    assert len(leaves(root, "capture")) == count and findings(root) == []
    assert {leaf.uri for _, leaf in leaves(root, "capture")} == {f"http://a.example/{i}.png" for i in range(count)}


def test_what_was_withdrawn_does_not_come_back_with_its_file(root: Path, add: Add) -> None:
    story = crawl()[1]
    ((_, number, _),) = add(a_warc=story)
    with Archive(root) as archive, archive.writer() as writer:
        writer.withdraw(number or 0, "a court said so")
    assert [state for state, *_ in add(a_warc=story)] == ["unchanged"]
    assert findings(root) == []
