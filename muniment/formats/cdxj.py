"""CDXJ: the index by which replay software finds a capture in a WARC file (specs.webrecorder.net/cdxj/0.1.0).

    org,example)/a 20261122080000 {"url":"https://example.org/a","mime":"text/html","status":200,"digest":"sha256:…",
     "length":2269,"offset":283,"filename":"data.warc.gz","recordDigest":"sha256:…"}

One line a capture, sorted by bytes. A large index is compressed in blocks, each a gzip member of its own, and a second,
small file names the first line of each, so that a reader fetches one block and not the whole index:

    !meta 0 {"format":"cdxj-gzip-1.0","filename":"index.cdx.gz"}
    org,example)/a 20261122080000 {"offset":0,"length":5120,"digest":"sha256:…","filename":"index.cdx.gz"}
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from muniment.formats.surt import surt

BLOCK = 300  # lines


class Entry(NamedTuple):
    """One capture. `at` is its WARC-Date, `digest` of the payload and `record_digest` of the gzip member, both in hex;
    `offset` and `length` are the member's, in bytes. `status` is None of what did not come by HTTP."""

    uri: str
    at: str
    mime: str
    status: int | None
    digest: str
    offset: int
    length: int
    filename: str
    record_digest: str


def format_entry(entry: Entry) -> bytes:
    """The line, with its line end. What did not come by HTTP has the status 200, for readers want one."""
    block = {
        "url": entry.uri,
        "mime": entry.mime,
        "status": entry.status if entry.status is not None else 200,
        "digest": f"sha256:{entry.digest}",
        "length": entry.length,
        "offset": entry.offset,
        "filename": entry.filename,
        "recordDigest": f"sha256:{entry.record_digest}",
    }
    return f"{surt(entry.uri)} {timestamp(entry.at)} {_json(block)}\n".encode()


def timestamp(at: str) -> str:
    """A WARC-Date as 14 digits, YYYYMMDDhhmmss."""
    return "".join(c for c in at[:19] if c.isdigit())


def compress_lines(lines: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """(first line, gzip member) of each block of sorted lines."""
    rest = iter(lines)
    while block := list(islice(rest, BLOCK)):
        yield block[0], gzip.compress(b"".join(block), mtime=0)


def format_blocks(filename: str, blocks: Sequence[tuple[bytes, int, int, str]]) -> bytes:
    """The second file. `blocks`: (first line, offset, length, SHA-256 in hex) of each block, in order."""
    lines = ["!meta 0 " + _json({"format": "cdxj-gzip-1.0", "filename": filename})]
    for first, offset, length, digest in blocks:
        key = b" ".join(first.split(b" ", 2)[:2]).decode("ascii")
        place = {"offset": offset, "length": length, "digest": f"sha256:{digest}", "filename": filename}
        lines.append(f"{key} {_json(place)}")
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def digest_of(block: bytes) -> str:
    return hashlib.sha256(block).hexdigest()


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
