"""WARC/1.1 records: written by hand so that no byte of a block is touched, one gzip member each.

    WARC/1.1
    WARC-Type: response
    WARC-Record-ID: <urn:uuid:…>
    WARC-Date: 2026-11-22T08:00:00.000000Z
    WARC-Target-URI: https://example.org/a
    WARC-Block-Digest: sha256:…
    Content-Type: application/http; msgtype=response
    Content-Length: 1234

    <block>

Digests are `sha256:` and lowercase hex. `parse_record` reads what `build_record` writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from muniment.model import Content

CRLF = b"\r\n"
REVISIT_PROFILE = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Record(NamedTuple):
    """A record ready to be written: `head` ends in the blank line, `digest` is the hex SHA-256 of the whole record."""

    head: bytes
    block: bytes
    digest: str

    @property
    def size(self) -> int:
        """Bytes of the uncompressed record."""
        return len(self.head) + len(self.block) + 4

    def chunks(self) -> tuple[bytes, bytes, bytes]:
        return self.head, self.block, CRLF + CRLF


class LongRecord(NamedTuple):
    """The same of a block that may be too long for memory."""

    head: bytes
    block: Content
    digest: str

    @property
    def size(self) -> int:
        return len(self.head) + self.block.size + 4

    def chunks(self) -> Iterator[bytes]:
        yield self.head
        yield from self.block.chunks()
        yield CRLF + CRLF


class StoredRecord(NamedTuple):
    """A record read back. `headers` holds the first of each name, in the case in which it was written."""

    headers: dict[str, str]
    block: bytes

    @property
    def type(self) -> str:
        return self.headers["WARC-Type"]


def format_date(moment: datetime) -> str:
    """A WARC-Date in UTC with microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def format_record_id(identity: str) -> str:
    return f"<urn:uuid:{identity}>"


def build_record(
    warc_type: str,
    identity: str,
    date: str,
    block: bytes,
    content_type: str,
    fields: Iterable[tuple[str, str]] = (),
) -> Record:
    """A record of this type; `identity` is a UUID, `fields` further header fields in order."""
    import hashlib  # 5 ms that a search, which only reads, has no use for

    lines = [("WARC-Type", warc_type), ("WARC-Record-ID", format_record_id(identity)), ("WARC-Date", date)]
    lines += fields
    lines += [
        ("WARC-Block-Digest", "sha256:" + hashlib.sha256(block).hexdigest()),
        ("Content-Type", content_type),
        ("Content-Length", str(len(block))),
    ]
    encoded = format_head(lines)
    whole = hashlib.sha256(encoded)
    whole.update(block)
    whole.update(b"\r\n\r\n")
    return Record(encoded, block, whole.hexdigest())


def build_long_record(
    warc_type: str, identity: str, date: str, block: Content, content_type: str, fields: Iterable[tuple[str, str]] = ()
) -> LongRecord:
    """The same as `build_record`, of a block that is read in pieces."""
    import hashlib

    digest = hashlib.sha256()
    for chunk in block.chunks():
        digest.update(chunk)
    head = format_head(
        [
            ("WARC-Type", warc_type),
            ("WARC-Record-ID", format_record_id(identity)),
            ("WARC-Date", date),
            *fields,
            ("WARC-Block-Digest", "sha256:" + digest.hexdigest()),
            ("Content-Type", content_type),
            ("Content-Length", str(block.size)),
        ]
    )
    whole = hashlib.sha256(head)
    for chunk in block.chunks():
        whole.update(chunk)
    whole.update(CRLF + CRLF)
    return LongRecord(head, block, whole.hexdigest())


def format_head(fields: Iterable[tuple[str, str]]) -> bytes:
    """The version line, the header fields and the blank line."""
    lines = "".join(f"{name}: {one_line(value)}\r\n" for name, value in fields)
    return f"WARC/1.1\r\n{lines}\r\n".encode()


def parse_record(raw: bytes) -> StoredRecord:
    """The record in these uncompressed bytes. Raises ValueError where they are not exactly one whole record."""
    head, blank, rest = raw.partition(b"\r\n\r\n")
    lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    if not blank or not lines[0].startswith("WARC/1."):
        raise ValueError("not a WARC record")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"malformed WARC header line {line!r}")
        headers.setdefault(name, value.strip())
    length = int(headers.get("Content-Length", "-1"))
    if len(rest) != length + 4 or rest[length:] != b"\r\n\r\n":
        raise ValueError(f"the record says {length} bytes and holds {len(rest) - 4}")
    return StoredRecord(headers, rest[:length])


def format_fields(fields: Iterable[tuple[str, str]]) -> bytes:
    """An application/warc-fields block; a name may repeat."""
    return "".join(f"{name}: {one_line(value)}\r\n" for name, value in fields).encode()


def parse_fields(block: bytes) -> Iterator[tuple[str, str]]:
    for line in block.decode("utf-8", "replace").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            yield name, value.strip()


def one_line(value: str) -> str:
    """A header value that cannot break out of its line and can be encoded: control characters become spaces."""
    if value.isascii() and value.isprintable():
        return value.strip()
    return _CONTROL.sub(" ", value).encode("utf-8", "replace").decode().strip()
