"""A reader written from docs/format.md alone, with nothing of muniment's, reads and checks an archive."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import tomllib
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from muniment.archive.archive import Archive
from muniment.model import Article, Attempt
from tests.conftest import NOW, download, fill


def write_an_archive(root: Path) -> None:
    """Every type of leaf, and commits of several sizes."""
    fill(root, 7, group=3)
    with Archive(root) as archive, archive.writer() as writer:
        page = download("https://news.example/a", b"<p>A page.</p>")
        added = writer.add_capture(page, [("articleKey", "news.example/a")])
        writer.add_article(Article("A page", "A page.", extractor="test/1"), added.number, page.uri)
        writer.commit()
        writer.add_capture(page, [("articleKey", "news.example/a")])
        writer.add_attempt(Attempt("https://news.example/b", NOW, "timeout", "no answer"))
        writer.add_attempt(
            Attempt(
                "https://news.example/c",
                NOW,
                "http-404",
                "gone",
                download("https://news.example/c", b"gone", status=404),
            )
        )
        writer.commit()


def frames(data: bytes) -> Iterator[tuple[list[str], str]]:
    """(lines before the note, note) of each commit."""
    while data:
        length = int.from_bytes(data[:4], "big")
        payload, digest, data = data[4 : 4 + length], data[4 + length : 36 + length], data[36 + length :]
        assert hashlib.sha256(payload).digest() == digest
        head, _, note = payload.decode().partition("\n\n")
        yield head.split("\n"), note


def leaves(data: bytes) -> list[bytes]:
    found = []
    while data:
        length = int.from_bytes(data[:2], "big")
        found.append(data[2 : 2 + length])
        data = data[2 + length :]
    return found


def root_of(entries: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, by its own words."""
    if len(entries) < 2:
        return hashlib.sha256(b"\x00" + entries[0] if entries else b"").digest()
    k = 1 << (len(entries) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root_of(entries[:k]) + root_of(entries[k:])).digest()


def check_signature(vkey: str, note: str) -> list[str]:
    """The lines of the checkpoint that the key signed."""
    name, identity, encoded = vkey.split("+", 2)
    public = base64.b64decode(encoded)
    assert hashlib.sha256(name.encode() + b"\n" + public).hexdigest()[:8] == identity
    text, _, line = note.partition("\n\n")
    dash, signer, signature = line.rstrip("\n").split(" ")
    raw = base64.b64decode(signature)
    assert (dash, signer, raw[:4].hex()) == ("—", name, identity)
    Ed25519PublicKey.from_public_bytes(public[1:]).verify(raw[4:], f"{text}\n".encode())
    return text.split("\n")


def records(root: Path, stream: str, lengths: dict[str, int]) -> Iterator[bytes]:
    """The uncompressed records of a stream, in order, as far as they are committed."""
    for path in sorted(path for path in lengths if path.startswith(stream + "/")):
        data = (root / path).read_bytes()[: lengths[path]]
        while data:
            member = zlib.decompressobj(31)
            yield member.decompress(data)
            assert member.eof
            data = member.unused_data


def short(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def headers(record: bytes) -> dict[str, str]:
    lines = record.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    return dict(line.split(": ", 1) for line in lines[1:])


def test_a_reader_written_from_the_format_page_reads_and_checks_an_archive(root: Path) -> None:
    write_an_archive(root)
    config = tomllib.loads((root / "archive.toml").read_text())
    assert config["format"] == 1

    bundle = (root / "log" / "tile" / "entries" / "000.p" / "tail").read_bytes()
    lengths: dict[str, int] = {}
    for head, note in frames((root / "log" / "commits").read_bytes()):
        magic, committed, *segments = head
        assert magic == "muniment-commit/1"
        origin, size, signed_root = check_signature(config["keys"][-1], note)
        assert origin == config["origin"]
        held = leaves(bundle[: int(committed.removeprefix("tail "))])
        assert len(held) == int(size)
        assert root_of(held) == base64.b64decode(signed_root)
        lengths |= {path: int(length) for _, path, length in (line.split(" ") for line in segments)}
    assert (root / "log" / "checkpoint").read_text() == note

    streams = {stream: records(root, stream, lengths) for stream in ("warc", "derived")}
    parsed: list[dict[str, Any]] = [json.loads(leaf) for leaf in held]
    for leaf, raw in zip(parsed, held, strict=True):
        assert json.dumps(leaf, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == raw
        stream = streams[leaf.get("stream") or ("derived" if leaf["type"] == "derivation" else "warc")]
        own = [next(stream) for _ in leaf["records"]]
        assert [short(hashlib.sha256(record).digest()) for record in own] == leaf["records"]
        identity = uuid.UUID(headers(own[0])["WARC-Record-ID"].removeprefix("<urn:uuid:").removesuffix(">"))
        assert short(identity.bytes) == leaf["id"]
        if "uri" in leaf:
            assert headers(own[0])["WARC-Target-URI"] == leaf["uri"]
    assert [next(stream, None) for stream in streams.values()] == [None, None]
    assert {leaf["type"] for leaf in parsed} == {"segment", "capture", "revisit", "derivation", "attempt"}


def test_a_leaf_of_each_type_holds_the_records_that_the_format_page_lists(root: Path) -> None:
    write_an_archive(root)
    with Archive(root) as archive:
        found = {
            (leaf.type, tuple(record.type for record in archive.records(number)))
            for number in range(archive.size)
            for leaf in [archive.leaf(number)]
        }
    assert found == {
        ("segment", ("warcinfo",)),
        ("capture", ("response", "request", "metadata")),
        ("capture", ("resource", "metadata")),
        ("revisit", ("revisit", "request", "metadata")),
        ("derivation", ("conversion", "metadata")),
        ("attempt", ("response", "request", "metadata")),
        ("attempt", ("metadata",)),
    }


def test_every_header_of_a_record_is_on_the_format_page(root: Path) -> None:
    write_an_archive(root)
    page = (Path(__file__).resolve().parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
    written = {
        name
        for path in [*root.glob("warc/*/*.gz"), *root.glob("derived/*/*.gz")]
        for record in gzip.decompress(path.read_bytes()).split(b"WARC/1.1\r\n")[1:]
        for name in headers(b"WARC/1.1\r\n" + record)
    }
    assert [name for name in sorted(written) if f"`{name}`" not in page] == []
