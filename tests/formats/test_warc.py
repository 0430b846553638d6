"""WARC records, with warcio and FastWARC as judges of what we write."""

from __future__ import annotations

import io
import random

import pytest
from fastwarc.warc import ArchiveIterator as FastIterator
from fastwarc.warc import WarcRecordType
from warcio.archiveiterator import ArchiveIterator
from warcio.checker import Checker

from muniment.archive import records
from muniment.archive.segments import SegmentWriter, inflate, scan_members
from muniment.archive.tables.captures import Held
from muniment.formats.warc import build_record, format_fields, parse_fields, parse_record
from tests.conftest import NOW, download, upload

IDENTITY = "6b1f4a3e-0000-4000-8000-000000000001"


def new_ids():
    chosen = random.Random(1)
    return lambda: f"00000000-0000-4000-8000-{chosen.getrandbits(48):012x}"


def test_a_record_gives_back_its_block_and_headers() -> None:
    record = build_record(
        "resource", IDENTITY, "2026-11-22T08:00:00.000000Z", b"a\r\n\r\nb", "text/plain", [("X-A", "1")]
    )
    stored = parse_record(b"".join(record.chunks()))
    assert stored.block == b"a\r\n\r\nb"
    assert stored.type == "resource"
    assert stored.headers["X-A"] == "1"
    assert stored.headers["Content-Length"] == "6"


def test_a_header_value_cannot_break_out_of_its_line() -> None:
    record = build_record("resource", IDENTITY, "d", b"", "text/plain", [("X-A", "1\r\nX-Evil: 2\u2028\x00")])
    stored = parse_record(b"".join(record.chunks()))
    assert "X-Evil" not in stored.headers
    assert dict(parse_fields(format_fields([("title", "a\r\nb: c")]))) == {"title": "a b: c"}


@pytest.mark.parametrize(
    "change", [lambda r: r[:-1], lambda r: r + b"x", lambda r: b"X" + r, lambda r: r.replace(b"6", b"7")]
)
def test_what_is_not_one_whole_record_is_refused(change) -> None:
    record = build_record("resource", IDENTITY, "d", b"abcdef", "text/plain")
    with pytest.raises(ValueError):
        parse_record(change(b"".join(record.chunks())))


@pytest.fixture
def segment(tmp_path):
    """A file with every kind of record that we write."""
    new_id = new_ids()
    capture = download("https://example.org/a%20b", "متن مقاله".encode())
    first = records.capture_group(capture, [("articleKey", "k")], None, new_id)
    original = Held(1, first.leaf.id, first.leaf.at, first.leaf.uri or "", first.leaf.payload or "")
    groups = [
        records.segment_group("warc", "warc-2026-00000.warc.gz", "test.example/log", first.leaf.at, new_id),
        first,
        records.capture_group(upload("a.txt", b"text"), [], None, new_id),
        records.capture_group(capture, [], original, new_id),
        records.capture_group(upload("a.txt", b"text"), [], original, new_id),
    ]
    writer = SegmentWriter(tmp_path, "warc/2026/00000.warc.gz")
    placements = [writer.append(record) for group in groups for record in group.records]
    writer.file.sync()
    writer.file.close()
    return tmp_path / "warc/2026/00000.warc.gz", groups, placements


def test_warcio_reads_every_record_and_finds_every_digest_right(segment) -> None:
    path, _, _ = segment
    with path.open("rb") as file:
        types = [record.rec_type for record in ArchiveIterator(file)]
    assert types == [
        "warcinfo", "response", "request", "metadata", "resource", "metadata", "revisit", "request", "metadata",
        "revisit", "metadata",
    ]  # fmt: skip
    checker = Checker(type("Arguments", (), {"inputs": [str(path)], "verbose": False})())
    checker.process_all()
    assert checker.exit_value == 0


def test_fastwarc_reads_every_record_and_finds_every_block_digest_right(segment) -> None:
    path, _, placements = segment
    with path.open("rb") as file:
        found = list(FastIterator(file, parse_http=False, record_types=WarcRecordType.any_type, verify_digests=True))
    assert len(found) == len(placements)


def test_the_response_is_kept_to_the_byte(segment) -> None:
    path, _, placements = segment
    capture = download("https://example.org/a%20b", "متن مقاله".encode())
    raw = path.read_bytes()[placements[1].offset :][: placements[1].length]
    stored = parse_record(inflate(raw, placements[1].size))
    assert stored.block == capture.block
    assert stored.headers["WARC-Target-URI"] == "https://example.org/a%20b"
    assert stored.headers["WARC-Payload-Digest"] == capture.payload
    assert stored.headers["WARC-IP-Address"] == "203.0.113.7"


def test_a_chunked_response_has_no_payload_digest() -> None:
    from dataclasses import replace

    capture = replace(download("https://example.org/", b"x"), transfer_coded=True)
    group = records.capture_group(capture, [], None, new_ids())
    assert b"WARC-Payload-Digest" not in group.records[0].head
    assert b"WARC-Block-Digest: sha256:" in group.records[0].head


def test_scanning_finds_the_members_that_were_written_and_skips_damage(segment) -> None:
    path, _, placements = segment
    data = bytearray(path.read_bytes())
    members = list(scan_members(io.BytesIO(data), 0, len(data)))
    assert [(m.offset, m.length, m.digest) for m in members] == [(p.offset, p.length, p.member) for p in placements]
    data[placements[2].offset + 30] ^= 0xFF
    members = list(scan_members(io.BytesIO(data), 0, len(data)))
    assert [m.offset for m in members] == [p.offset for p in placements]
    assert [i for i, m in enumerate(members) if m.problem] == [2]


def test_what_is_not_one_whole_member_is_refused(segment) -> None:
    path, _, placements = segment
    member = path.read_bytes()[: placements[0].length]
    size = placements[0].size
    assert len(inflate(member, size)) == size
    for bad in (member[:-1], member + b"x", member[:40] + b"\0\0" + member[42:], b""):
        with pytest.raises(ValueError):
            inflate(bad, size)
    with pytest.raises(ValueError, match="bytes or more"):
        inflate(member, size - 1)


def test_the_time_of_a_capture_is_its_warc_date() -> None:
    group = records.capture_group(upload("a", b""), [], None, new_ids())
    assert b"WARC-Date: 2026-11-22T08:00:00.123456Z\r\n" in group.records[0].head
    assert NOW.microsecond == 123456
