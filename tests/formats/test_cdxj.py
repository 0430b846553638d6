"""SURT keys and the CDXJ index."""

from __future__ import annotations

import gzip
import json

import pytest

from muniment.formats.cdxj import BLOCK, Entry, compress_lines, digest_of, format_blocks, format_entry
from muniment.formats.surt import surt
from tests.conftest import KEYS


@pytest.mark.parametrize("url", KEYS)
def test_an_address_has_the_key_that_replay_software_looks_it_up_by(url: str) -> None:
    assert surt(url) == KEYS[url]


@pytest.mark.parametrize(
    "url", ["", " ", "http://", "://", "%", "http://%zz/%", "a\nb", "http://[::1]/a", "?", "\udcff"]
)
def test_a_key_is_one_word_of_ascii_whatever_the_address(url: str) -> None:
    key = surt(url)
    assert key.isascii()
    assert len(key.split()) == 1


def entry(number: int) -> bytes:
    uri = f"https://example.org/{number:04d}"
    return format_entry(
        Entry(uri, "2026-11-22T08:00:00.123456Z", "text/html", 200, "ab", number, 7, "data.warc.gz", "cd")
    )


def test_a_line_says_where_a_capture_lies() -> None:
    key, moment, block = entry(3).decode().split(" ", 2)
    assert (key, moment) == ("org,example)/0003", "20261122080000")
    assert json.loads(block) == {
        "url": "https://example.org/0003", "mime": "text/html", "status": 200, "digest": "sha256:ab", "length": 7,
        "offset": 3, "filename": "data.warc.gz", "recordDigest": "sha256:cd",
    }  # fmt: skip


def test_a_reader_fetches_one_block_of_a_large_index() -> None:
    lines = [entry(number) for number in range(2 * BLOCK + 1)]
    blocks, index, offset = [], b"", 0
    for first, block in compress_lines(lines):
        blocks.append((first, offset, len(block), digest_of(block)))
        index += block
        offset += len(block)
    assert gzip.decompress(index) == b"".join(lines)
    meta, *names = format_blocks("index.cdx.gz", blocks).decode().splitlines()
    assert meta == '!meta 0 {"format":"cdxj-gzip-1.0","filename":"index.cdx.gz"}'
    assert len(names) == 3
    key, _, place = names[1].split(" ", 2)
    second = json.loads(place)
    assert key == "org,example)/0300"
    block = index[second["offset"] : second["offset"] + second["length"]]
    assert gzip.decompress(block).splitlines(True) == lines[BLOCK : 2 * BLOCK]
    assert second["digest"] == f"sha256:{digest_of(block)}"
