"""WACZ 1.1.1: the small files of the package (specs.webrecorder.net/wacz/1.1.1), and its signature (wacz-auth/0.1.0).

    archive/data.warc.gz       the captures, stored in the zip and not deflated, so that readers can seek in them
    indexes/index.cdx.gz       CDXJ in blocks, stored; index.idx names the blocks
    pages/pages.jsonl          one line a page: url, ts, title, id, text
    datapackage.json           every file but the two last, with size and SHA-256
    datapackage-digest.json    SHA-256 of datapackage.json, signed

The signature is the anonymous one: ECDSA over P-384 with SHA-256, of the string `sha256:<hex>`, as the two numbers one
after the other (IEEE P1363), beside the public key as SubjectPublicKeyInfo, both in base64. It tells that the package
is whole; who made it is told by nothing but the key.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

VERSION = "1.1.1"
WARC = "archive/data.warc.gz"
INDEX = "indexes/index.cdx.gz"
BLOCKS = "indexes/index.idx"
PAGES = "pages/pages.jsonl"
DATAPACKAGE = "datapackage.json"
DIGEST = "datapackage-digest.json"
PAGES_HEADER = b'{"format": "json-pages-1.0", "id": "pages", "title": "All Pages", "hasText": true}\n'


class Resource(NamedTuple):
    """A file of the package: its path, size in bytes, SHA-256 in hex."""

    path: str
    size: int
    digest: str


def format_page(identity: str, url: str, ts: str, title: str | None, text: str | None) -> bytes:
    """A line of pages.jsonl; `ts` is RFC 3339."""
    page = {"id": identity, "url": url, "ts": ts, "title": title or url}
    return (
        json.dumps(page if text is None else {**page, "text": text}, ensure_ascii=False).encode("utf-8", "replace")
        + b"\n"
    )


def format_datapackage(resources: Sequence[Resource], described: Mapping[str, str]) -> bytes:
    """`described`: title, description, created, software and whatever else stands at the top."""
    files = [
        {"name": r.path.rpartition("/")[2], "path": r.path, "hash": f"sha256:{r.digest}", "bytes": r.size}
        for r in resources
    ]
    return _json({"profile": "data-package", "wacz_version": VERSION, **described, "resources": files})


def format_digest(
    datapackage: bytes, created: str, software: tuple[str, str], public_key: bytes, sign: Callable[[bytes], bytes]
) -> bytes:
    """The signed digest. `software`: name and version; `public_key`: DER; `sign` gives the raw signature of bytes."""
    hashed = "sha256:" + hashlib.sha256(datapackage).hexdigest()
    signed = {
        "hash": hashed,
        "created": created,
        "software": software[0],
        "version": software[1],
        "signature": base64.b64encode(sign(hashed.encode())).decode(),
        "publicKey": base64.b64encode(public_key).decode(),
    }
    return _json({"path": DATAPACKAGE, "hash": hashed, "signedData": signed})


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode("utf-8", "replace") + b"\n"
