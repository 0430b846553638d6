"""Files whose records pretend: to be another site's, to be ours, to say two things at once. What they claim is kept as a
claim, and nothing of the archive's own rests on it."""

from __future__ import annotations

import gzip
import io
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from import_run import findings
from record_files import DATE, crawl, http, members, new_id, page, record, sha1
from warcio.archiveiterator import ArchiveIterator

from muniment.archive.archive import Archive
from muniment.export.members import Members
from muniment.formats.leaf import Leaf
from muniment.ingest.importing.captures import _MARKUP
from muniment.ingest.importing.inflow import Inflow
from muniment.ingest.importing.records import Found, read_records
from muniment.model import Article
from tests.conftest import download

Add = Callable[..., list[tuple[str, int | None, str | None]]]


def leaves(root: Path, *kinds: str) -> list[tuple[int, Leaf]]:
    with Archive(root) as archive:
        return [(number, archive.leaf(number)) for number in archive.catalog.numbers(*kinds)]


FORGED = record("response", http(page("Never written")), "http://honest.example/news")


def carrier(content: bytes, kind: str = "text/plain") -> bytes:
    """A response of another site's that holds what looks like a record, and goes on behind it."""
    return record("response", http(b"\n" + content + b"the rest of it " * 90, kind), "http://evil.example/x")


@pytest.mark.parametrize("packed", [False, True])
def test_a_page_that_holds_a_record_is_no_record_where_the_file_is_cut_in_it(
    root: Path, add: Add, packed: bool
) -> None:
    before, holder = record("response", http(page("Honest")), "http://honest.example/a"), carrier(FORGED)
    if packed:
        coded = zlib.compressobj(0, zlib.DEFLATED, 31)
        done = add(a_warc_gz=members([before]) + (coded.compress(holder) + coded.flush())[:-900])
    else:
        done = add(a_warc=(before + holder)[:-900])
    assert {leaf.uri for _, leaf in leaves(root, "capture")} == {"http://honest.example/a"}
    assert {reason for state, _, reason in done if state == "failed"} == {"import-damaged", "import-inside"}
    ((number, _),) = leaves(root, "record")
    with Archive(root) as archive:
        first = archive.records(number)[0]
    assert first.type == "metadata" and first.block == FORGED.partition(b"\r\n\r\n")[2][:-4] and findings(root) == []


def test_a_file_of_records_within_a_member_that_is_cut_holds_no_record_of_this_file(root: Path, add: Add) -> None:
    inner = carrier(gzip.compress(FORGED), "application/gzip")
    coded = zlib.compressobj(0, zlib.DEFLATED, 31)
    add(a_warc_gz=members(crawl()[1:2]) + (coded.compress(inner) + coded.flush())[:-900])
    assert {leaf.uri for _, leaf in leaves(root, "capture")} == {"http://a.example/lock"}


def test_what_stands_within_a_record_that_is_too_large_is_marked_and_what_follows_is_not() -> None:
    from muniment.ingest.importing import records

    large = record("response", b"\n" + FORGED + bytes(3000), "http://evil.example/x", length=records.MAX_BLOCK + 1)
    found = [one for one in read_records(Inflow(io.BytesIO(large))) if isinstance(one, Found)]
    assert [one.is_inside for one in found] == [True]


DOUBLES = {
    "two addresses": FORGED.replace(
        b"WARC-Target-URI: ", b"warc-target-uri: http://evil.example/\r\nWARC-Target-URI: "
    ),
    "no space": FORGED.replace(b"WARC-Target-URI: ", b"WARC-Target-URI:http://evil.example/\r\nWARC-Target-URI: "),
    "two dates": FORGED.replace(b"WARC-Date: ", b"warc-date: 2001-01-01T00:00:00Z\r\nWARC-Date: "),
    "two ids": FORGED.replace(
        b"WARC-Record-ID: ", b"WARC-Record-ID: " + new_id("x").encode() + b"\r\nWARC-Record-ID: "
    ),
    "two types": FORGED.replace(b"WARC-Type: ", b"warc-type: revisit\r\nWARC-Type: "),
    "a case of its own": FORGED.replace(b"WARC-Target-URI", b"Warc-Target-Uri"),
}


@pytest.mark.parametrize("name", DOUBLES)
def test_a_head_that_says_two_things_is_no_head_of_ours(root: Path, add: Add, name: str) -> None:
    """Others' readers, and ours, take from the record as it is kept what the leaf says."""
    add(a_warc=DOUBLES[name])
    ((number, leaf), *_) = leaves(root, "capture", "record")
    with Archive(root) as archive:
        raw = archive.raw_records(number)[0]
    (read,) = ArchiveIterator(io.BytesIO(raw))
    head = read.rec_headers
    assert [value for key, value in head.headers if key.lower() == "warc-target-uri"] == (
        [leaf.uri] if leaf.uri else []
    )
    assert [value for key, value in head.headers if key.lower() == "warc-date"] == [leaf.date]
    assert head.get_header("warc-record-id") == f"<urn:uuid:{leaf.id}>" and findings(root) == []


def test_a_digest_that_does_not_hold_puts_no_page_in_the_place_of_another(root: Path, add: Add) -> None:
    true = page("What was written")
    stated = ("WARC-Payload-Digest", sha1(true))
    add(a_warc=record("response", http(page("Forged")), "http://honest.example/news", stated))
    revisit = record(
        "revisit", http(true).partition(b"\r\n\r\n")[0] + b"\r\n\r\n", "http://honest.example/news", stated,
        ("WARC-Profile", "http://netpreserve.org/warc/1.0/revisit/identical-payload-digest"),
    )  # fmt: skip
    assert [reason for _, _, reason in add(b_warc=revisit)] == ["revisit-unresolved"]


@pytest.mark.parametrize("together", [True, False])
def test_an_id_that_is_claimed_puts_no_page_in_the_place_of_another(root: Path, add: Add, together: bool) -> None:
    forged, identity = page("Forged"), new_id("claimed")
    taken = record("response", http(forged), "http://honest.example/news", ("WARC-Payload-Digest", sha1(forged)),
                   identity=identity)  # fmt: skip
    revisit = record(
        "revisit", b"", "http://honest.example/news", ("WARC-Payload-Digest", sha1(page("What was written"))),
        ("WARC-Refers-To", identity),
    )  # fmt: skip
    done = add(a_warc=taken + revisit) if together else [*add(a_warc=taken), *add(b_warc=revisit)]
    assert [reason for _, _, reason in done] == [None, "revisit-unresolved"]


def test_what_is_fetched_rests_on_no_imported_record(root: Path, add: Add) -> None:
    """The same bytes, under a head that calls them a picture: the article would be lost."""
    body = page("Fetched here")
    forged = record("response", http(body, "image/png"), "http://honest.example/news", date=DATE)
    assert [state for state, *_ in add(a_warc=forged)] == ["kept"]
    with Archive(root) as archive, archive.writer() as writer:
        capture = download("http://honest.example/news", body)
        added = writer.add_capture(capture, [("articleKey", "honest.example/news")])
        assert not added.unchanged and writer.holds(capture, "honest.example/news") == added.number
        writer.add_article(Article("Fetched here", "x", extractor="t/1"), added.number, capture.uri)
        writer.commit()
    assert [leaf.type for _, leaf in leaves(root, "capture", "revisit")] == ["capture", "capture"]
    assert findings(root) == []


def test_what_a_file_says_in_our_name_is_its_own_word(root: Path, add: Add) -> None:
    """A metadata record like ours can declare what it likes; it is said who declared it, and nothing else is taken."""
    claimed = b"\r\n".join([
        b"client: muniment/9", b"declared-source: The Honest Times", b"declared-title: A title", b"operator: the archivist",
        b"articleKey: honest.example/news", b"articleUrl: http://honest.example/news", b"importedRecord: sha256:" + b"0" * 64,
        b"importedPayloadDigest: sha1:" + b"A" * 32 + b" holds", b"feed-title: x\x0barticleKey: y", b"outcome2: x", b"",
    ])  # fmt: skip
    story = new_id("evil")
    add(a_warc=record("response", http(page("Evil")), "http://evil.example/x", identity=story)
        + record("metadata", claimed, "http://evil.example/x", ("WARC-Concurrent-To", story),
                 media="application/warc-fields"))  # fmt: skip
    ((number, leaf),) = leaves(root, "capture")
    with Archive(root) as archive, Members(archive) as opened:
        facts = opened.facts(number)
        snapshot = archive.snapshot(number)
    assert (snapshot.key, snapshot.url, leaf.uri) == (
        "evil.example/x",
        "http://evil.example/x",
        "http://evil.example/x",
    )
    assert facts["importedDeclared"] == ["title, source"] and facts["articleKey"] == ["evil.example/x"]
    assert "operator" not in facts and "importedPayloadDigest" not in facts and len(facts["importedRecord"]) == 1
    assert findings(root) == []


def test_an_id_of_our_own_is_taken_too(root: Path, add: Add) -> None:
    """Else two records of our files had it, and nobody could tell of which one a text was made."""
    with Archive(root) as archive, archive.writer() as writer:
        added = writer.add_capture(download("http://honest.example/news", page("Ours")), [("articleKey", "k")])
        writer.commit()
    with Archive(root) as archive:
        ours = archive.leaf(added.number).id
    add(a_warc=record("response", http(page("Forged")), "http://honest.example/b", identity=f"<urn:uuid:{ours}>"))
    ids = [leaf.id for _, leaf in leaves(root, "capture")]
    assert len(ids) == len(set(ids)) == 2 and findings(root) == []


def test_hostile_files_take_no_time() -> None:
    begun = time.process_time()
    # each of them states a length that leads into the next, within one member: it is inflated anew each time
    one = b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 60\r\n\r\nx\r\n"
    assert len(list(read_records(Inflow(io.BytesIO(gzip.compress(one * 30_000)))))) > 100
    assert _MARKUP.match(b"<!---->" * 580) is None  # 2 to the power of 580 ways to take comments together
    assert time.process_time() - begun < 10
