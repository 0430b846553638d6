"""Records out of a file's bytes: every one before damage, and as many as can be told behind it, each with its place."""

from __future__ import annotations

import gzip
import random
import re
import time
import zlib

import pytest
from record_files import arc, as_file, crawl, http, members, page, record

from muniment.ingest.importing.inflow import Inflow, Place
from muniment.ingest.importing.lz4 import MAGIC, unpack
from muniment.ingest.importing.records import Damage, Found, read_records


def read(content: bytes) -> tuple[list[Found], list[Damage]]:
    found = list(read_records(Inflow(as_file(content))))
    return [one for one in found if isinstance(one, Found)], [one for one in found if isinstance(one, Damage)]


def blocks(content: bytes) -> list[bytes]:
    return [one.block.start(1 << 30) for one in read(content)[0]]


PAGES = [record("response", http(page(f"Page {i}")), f"http://a.example/{i}") for i in range(6)]
WANTED = [http(page(f"Page {i}")) for i in range(6)]


@pytest.mark.parametrize("packed", [b"".join, members, lambda all: gzip.compress(b"".join(all))])
def test_records_are_the_same_bytes_however_they_are_packed(packed: object) -> None:
    found, damages = read(packed(PAGES))  # type: ignore[operator]
    assert [one.block.start(1 << 30) for one in found] == WANTED and not damages
    assert [one.head + one.block.start(1 << 30) + b"\r\n\r\n" for one in found] == PAGES


def test_each_record_knows_its_place() -> None:
    found, _ = read(members(PAGES))
    starts = [len(members(PAGES[:i])) for i in range(6)]
    assert [one.place for one in found] == [Place(start) for start in starts]
    found, _ = read(gzip.compress(b"".join(PAGES)))
    assert found[1].place == Place(0, len(PAGES[0]))


def test_a_file_in_small_members_is_read_through() -> None:
    whole = b"".join(PAGES)
    packed = members(whole[i : i + 300] for i in range(0, len(whole), 300))
    assert blocks(packed) == WANTED


def test_line_ends_and_folded_heads_of_old_writers() -> None:
    old = b"WARC/0.18\nwarc-type: response\nWARC-Target-URI: http://a.example/\nContent-Length:\n 5\n\nhello\n\n\n"
    found, damages = read(old * 2)
    assert [(one.type, one.block.start(9)) for one in found] == [("response", b"hello")] * 2 and not damages


@pytest.mark.parametrize("cut", [1, 9, 300, 700])
def test_a_file_that_is_cut_gives_all_that_came_before(cut: int) -> None:
    plain = b"".join(PAGES)
    found, damages = read(plain[:-cut])
    assert [one.block.start(1 << 30) for one in found] == WANTED[: 6 if cut < 4 else 5]
    assert len(damages) == (cut > 4)
    found, damages = read(members(PAGES)[:-cut])
    assert len(found) >= 5 - (cut > 500) and damages


def test_damage_in_one_member_is_told_with_its_place_and_the_others_are_read() -> None:
    packed = bytearray(members(PAGES))
    third = len(members(PAGES[:2]))
    packed[third + 40 : third + 60] = bytes(20)
    found, damages = read(bytes(packed))
    assert [one.block.start(1 << 30) for one in found] == [*WANTED[:2], *WANTED[3:]]
    assert damages[0].place.offset == third and damages[0].reason == "import-damaged"


def test_a_flipped_bit_anywhere_loses_no_more_than_its_own_record() -> None:
    packed = members(PAGES)
    for position in random.Random(7).sample(range(len(packed)), 60):
        broken = bytearray(packed)
        broken[position] ^= 0x10
        found = [one.block.start(1 << 30) for one in read(bytes(broken))[0]]
        assert sum(want in found for want in WANTED) >= 5, position


def test_the_records_before_the_damage_of_one_large_member_are_read() -> None:
    packed = bytearray(zlib.compress(b"".join(PAGES * 40), 1, 31))
    packed[len(packed) * 9 // 10] ^= 255
    assert len(read(bytes(packed))[0]) > 200


def test_a_length_that_is_too_short_or_too_long_costs_one_record() -> None:
    for wrong in (100, 5000):
        bad = record("response", http(page("Bad")), "http://a.example/bad", length=wrong)
        found, damages = read(b"".join([*PAGES[:2], bad, *PAGES[2:]]))
        got = [one.block.start(1 << 30) for one in found]
        assert [want for want in WANTED if want in got] == WANTED, wrong
        assert any(damage.place.offset >= len(b"".join(PAGES[:2])) for damage in damages)


def test_garbage_between_records_is_passed_over() -> None:
    found, damages = read(PAGES[0] + b"\x00\xff garbage\nno record\n" + PAGES[1])
    assert [one.block.start(1 << 30) for one in found] == WANTED[:2] and damages
    found, damages = read(members(PAGES[:1]) + b"garbage" + members(PAGES[1:2]))
    assert [one.block.start(1 << 30) for one in found] == WANTED[:2] and damages


def test_arc_with_spaces_in_an_address_and_without_a_length() -> None:
    content = arc([("http://a.example/a b", http(b"one")), ("http://a.example/c", http(b"two"))])
    found, damages = read(content)
    assert [one.first("warc-target-uri") for one in found[1:]] == ["http://a.example/a b", "http://a.example/c"]
    assert found[1].first("warc-date") == "2008-04-30T20:48:25Z" and not damages
    found, damages = read(re.sub(rb"text/plain [0-9]+", b"text/plain -1", content))
    assert len(found) == 3 and damages[0].detail == "a record that states no length that can be read"


def test_a_bomb_is_refused_before_it_is_inflated_and_the_rest_is_read() -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    size = 120 << 20
    packed = bomb.compress(record("response", b"", "http://a.example/bomb", length=size)[:-4])
    packed += b"".join(bomb.compress(bytes(1 << 20)) for _ in range(size >> 20)) + bomb.flush()
    begun = time.process_time()
    found, damages = read(members(PAGES[:1]) + packed + members(PAGES[1:2]))
    assert time.process_time() - begun < 5
    assert [damage.reason for damage in damages] == ["import-bomb"]
    assert [one.block.start(1 << 30) for one in found] == WANTED[:2]


def test_gzip_that_holds_nothing_but_zeros_or_gzip_is_no_record() -> None:
    zeros = gzip.compress(bytes(100 << 20))
    for packed in (zeros, gzip.compress(zeros), gzip.compress(gzip.compress(PAGES[0]))):
        begun = time.process_time()
        found, damages = read(packed)
        assert (len(found), bool(damages), time.process_time() - begun < 5) == (0, True, True)


def test_a_record_of_terabytes_is_refused_by_its_head() -> None:
    found, damages = read(record("response", b"x", "http://a.example/", length=1 << 42) + PAGES[0])
    assert damages[0].reason == "import-too-large" and len(found) == 1


@pytest.mark.parametrize("piece", [b"\x1f\x8b\x08", b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x03\0", b"\nWARC/1.0\r\n",
                                   b"WARC/1.0\r\nContent-Length: 900000\r\n\r\n", b"WARC/1.0\r\nContent-Length: 1\r\n\r\n"])  # fmt: skip
def test_what_looks_like_a_million_records_ends_soon(piece: bytes) -> None:
    for head in (b"", gzip.compress(PAGES[0])[:-9]):
        begun = time.process_time()
        assert len(list(read_records(Inflow(as_file(head + piece * (300_000 // len(piece))))))) >= 0
        assert time.process_time() - begun < 10


def test_random_changes_never_raise() -> None:
    rng = random.Random(3)
    for content in (b"".join(crawl()), members(crawl()), arc([("http://a.example/c", http(b"two"))] * 3)):
        for _ in range(60):
            broken = bytearray(content)
            for _ in range(rng.randrange(1, 8)):
                at = rng.randrange(len(broken))
                broken[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(4))
            read(bytes(broken))


def lz4(content: bytes, packed: bytes | None = None) -> bytes:
    """A frame of one block, as the frame format has it: `packed`, or the content as it is."""
    block = packed if packed is not None else content
    size = len(block) | (0 if packed is not None else 1 << 31)
    return MAGIC + b"\x60\x40\x82" + size.to_bytes(4, "little") + block + bytes(4)


def test_lz4_frames_are_unpacked() -> None:
    plain = b"".join(b"".join(unpack(as_file(lz4(one)))) for one in PAGES)
    assert plain == b"".join(PAGES)
    # token 0x1F: one literal, then a copy of 4 + 15 + 5 bytes from one byte back; then four literals
    assert b"".join(unpack(as_file(lz4(b"", b"\x1fa\x01\0\x05\x40bcde")))) == b"a" * 25 + b"bcde"


@pytest.mark.parametrize("bad", [lz4(b"abc")[:-5], b"junk", lz4(b"", b"\x1fa\x02\0\x05"), lz4(b"", b"\xf0\xff\xff"),
                                 MAGIC + b"\x60\x40\x82\xff\xff\xff\x7f"])  # fmt: skip
def test_damaged_lz4_is_refused(bad: bytes) -> None:
    with pytest.raises(ValueError, match=r"LZ4"):
        list(unpack(as_file(bad)))
