"""WARC, ARC and WACZ files of our own making, sound and broken."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import uuid
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

SENTENCES = (
    "The keeper of the lower lock retires on Friday, after forty years in which no boat was lost on his stretch.",
    "He kept a log of every passage, in pencil, and gave it to the town when the new gates were put in.",
    "Whoever takes his place will find that the gates are worked from an office thirty miles away by now.",
)
DATE = "2013-05-04T12:00:00Z"


def page(title: str) -> bytes:
    text = "".join(f"<p>{sentence} So it says in {title}.</p>" for sentence in SENTENCES)
    return f"<html><head><title>{title}</title></head><body><article><h1>{title}</h1>{text}</article></body></html>".encode()


def http(body: bytes, media: str = "text/html", *, status: bytes = b"200 OK", head: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Type: %s\r\n%sContent-Length: %d\r\n\r\n%s" % (
        status, media.encode(), head, len(body), body,
    )  # fmt: skip


def chunked(body: bytes) -> bytes:
    pieces = [body[i : i + 100] for i in range(0, len(body), 100)]
    coded = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n" + coded


def new_id(seed: str | None = None) -> str:
    return f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, seed) if seed else uuid.uuid4()}>"


def sha1(content: bytes) -> str:
    return "sha1:" + base64.b32encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode()


def record(
    kind: str, block: bytes, uri: str | None = None, *fields: tuple[str, str], identity: str | None = None,
    date: str = DATE, media: str = "application/http; msgtype=response", length: int | None = None,
    version: str = "WARC/1.0",
) -> bytes:  # fmt: skip
    lines = [("WARC-Type", kind), ("WARC-Record-ID", identity or new_id()), ("WARC-Date", date)]
    lines += [("WARC-Target-URI", uri)] if uri else []
    lines += [*fields, ("Content-Type", media), ("Content-Length", str(len(block) if length is None else length))]
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return f"{version}\r\n{head}\r\n".encode() + block + b"\r\n\r\n"


def members(records: Iterable[bytes]) -> bytes:
    return b"".join(gzip.compress(one, mtime=0) for one in records)


def crawl() -> list[bytes]:
    """A small crawl: warcinfo, a page with its request and metadata, an image, a redirect, a 404, a revisit."""
    story, again = new_id("story"), http(page("The lock"))
    beside = ("WARC-Concurrent-To", story)
    digests = ("WARC-Block-Digest", sha1(again)), ("WARC-Payload-Digest", sha1(page("The lock")))
    return [
        record("warcinfo", b"software: test\r\n", media="application/warc-fields"),
        record("response", again, "http://a.example/lock", *digests, identity=story),
        record("request", b"GET /lock HTTP/1.1\r\n\r\n", "http://a.example/lock", beside, media="application/http"),
        record("metadata", b"fetchTimeMs: 5\r\n", "http://a.example/lock", beside, media="application/warc-fields"),
        record("response", http(b"\x89PNG\r\n\x1a\n" + b"\0" * 90, "image/png"), "http://a.example/gate.png"),
        record("response", http(b"", status=b"301 Moved", head=b"Location: /lock\r\n"), "http://a.example/old"),
        record("response", http(page("Not found"), status=b"404 Not Found"), "http://a.example/gone"),
        record("response", chunked(page("In chunks")), "http://a.example/chunks"),
        record(
            "response", http(gzip.compress(page("Packed"), mtime=0), head=b"Content-Encoding: gzip\r\n"),
            "http://a.example/packed",
        ),
        record(
            "revisit", again.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", "http://a.example/lock",
            ("WARC-Profile", "http://netpreserve.org/warc/1.0/revisit/identical-payload-digest"),
            ("WARC-Refers-To", story), digests[1], date="2014-01-01T00:00:00Z",
        ),
        record("resource", b"A text of two sentences. It was put there by hand, and is quite short.",
               "http://a.example/note.txt", media="text/plain"),
    ]  # fmt: skip


def arc(pages: Iterable[tuple[str, bytes]]) -> bytes:
    description = b"1 0 Test\nURL IP-address Archive-date Content-type Archive-length\n"
    parts = [b"filedesc://test.arc 0.0.0.0 20080101000000 text/plain %d\n%s\n" % (len(description), description)]
    for url, block in pages:
        parts.append(b"%s 192.0.2.7 20080430204825 text/html %d\n%s\n" % (url.encode(), len(block), block))
    return b"".join(parts)


def wacz(
    path: Path, files: dict[str, bytes], *, change: Callable[[dict[str, object]], None] = lambda package: None,
    deflated: bool = False,
) -> Path:  # fmt: skip
    """A package of these files, with a manifest that `change` may falsify."""
    resources = [
        {"name": name, "path": name, "hash": f"sha256:{hashlib.sha256(content).hexdigest()}", "bytes": len(content)}
        for name, content in files.items()
    ]
    package: dict[str, object] = {"profile": "data-package", "resources": resources}
    change(package)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr("datapackage.json", json.dumps(package))
    return path


def as_file(content: bytes) -> io.BytesIO:
    return io.BytesIO(content)
