"""The entries of the log: one leaf for each thing that happened, as canonical JSON (RFC 8785).

    {"at":"2026-11-22T08:00:00.000000Z","id":"bwz…","media":"text/html","payload":"m0o…","records":["oeN…","xH0…"],
     "status":200,"type":"capture","uri":"https://example.org/a"}

| type | means | further fields |
| --- | --- | --- |
| segment | a WARC file was begun; its record is the warcinfo | stream: "warc" or "derived" |
| capture | bytes were received or uploaded | uri, payload, media, status (HTTP only) |
| revisit | the same bytes again | as capture, and of: the number of the capture that holds them |
| derivation | an article was made of a capture | of: the capture's number |
| attempt | a capture was tried and gave nothing | uri, reason, status (HTTP only) |
| record | a record of an imported file that is no capture | uri, where it has one |
| tag, note | somebody said something of a snapshot | of: the capture's number |
| source, collection | what a host is called, what belongs together | |
| withdrawal | what was captured was removed | of: the capture's number; tombstones: what stands in place of records |
| stamp | a third party's word on a checkpoint came | size: the checkpoint's leaves; files: digests by name |
| key | another key signs from here on | key: the verifier keys; reason |

`captured`, only in leaves of imported records, is the date that the first record states; `at` is when it was imported.
`records` are the SHA-256 of each whole uncompressed WARC record, headers included, in the order in which they stand
in the file. `id` is random, so that sibling hashes in a proof say nothing of other leaves. Both are written in
base64url without padding, a third shorter than hex, for a log that is half of digests; here they are hex and a UUID.
A tombstone is named by `<leaf>.<part>` of the record that it stands for.
The leaf names no file and no offset of a record: records may be moved or recompressed and every proof holds.
"""

from __future__ import annotations

import json
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

LeafType = Literal[
    "segment", "capture", "revisit", "derivation", "attempt", "record", "tag", "note", "source", "collection",
    "withdrawal", "stamp", "key",
]  # fmt: skip
_TYPES = frozenset(get_args(LeafType))
_OPTIONAL = ("captured", "uri", "media", "status", "of", "reason", "stream", "size", "key")
_DIGESTS = ("files", "tombstones")
_KINDS = {
    **dict.fromkeys(("type", "at", "captured", "uri", "media", "reason", "stream", "key"), str),
    **dict.fromkeys(("status", "of", "size"), int),
}
_STANDARD, _URL_SAFE = bytes.maketrans(b"-_", b"+/"), bytes.maketrans(b"+/", b"-_")


class Leaf(NamedTuple):
    type: LeafType
    id: str
    at: str
    records: tuple[str, ...] = ()
    uri: str | None = None
    payload: str | None = None
    media: str | None = None
    status: int | None = None
    of: int | None = None
    reason: str | None = None
    stream: str | None = None
    size: int | None = None
    files: Mapping[str, str] | None = None
    tombstones: Mapping[str, str] | None = None
    key: str | None = None
    captured: str | None = None

    @property
    def date(self) -> str:
        """The date that the leaf's first record states: when it was captured, here or by whoever made the file."""
        return self.captured or self.at


def format_leaf(leaf: Leaf) -> bytes:
    """Canonical JSON; fields that are None are left out."""
    fields: dict[str, Any] = {
        "type": leaf.type,
        "id": _short(leaf.id.replace("-", "")),
        "at": leaf.at,
        "records": [_short(digest) for digest in leaf.records],
    }
    fields.update((name, value) for name in _OPTIONAL if (value := getattr(leaf, name)) is not None)
    if leaf.payload is not None:
        fields["payload"] = _short(leaf.payload)
    for name in _DIGESTS:
        if (digests := getattr(leaf, name)) is not None:
            fields[name] = {of: _short(digest) for of, digest in digests.items()}
    return canonical_json(fields)


def parse_leaf(entry: bytes) -> Leaf:
    """Raises ValueError where the entry is not a leaf that this version knows."""
    try:
        fields = json.loads(entry.decode())
        identity = _long(fields["id"], 16)
        fields["id"] = f"{identity[:8]}-{identity[8:12]}-{identity[12:16]}-{identity[16:20]}-{identity[20:]}"
        if type(fields["records"]) is not list:
            raise ValueError("the records are no list")
        fields["records"] = tuple(map(_long, fields["records"]))
        if "payload" in fields:
            fields["payload"] = _long(fields["payload"])
        for name in _DIGESTS:
            if name in fields:
                fields[name] = {of: _long(digest) for of, digest in fields[name].items()}
        leaf = Leaf(**fields)
        if any(type(fields.get(name, kind())) is not kind for name, kind in _KINDS.items()):
            raise ValueError("a field is of the wrong type")
        if leaf.stream not in (None, "warc", "derived"):
            raise ValueError("there is no such stream")
        if min(leaf.of or 0, leaf.size or 0) < 0:
            raise ValueError("a number is below zero")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as e:
        raise ValueError(f"not a leaf: {entry[:80]!r}") from e
    if leaf.type not in _TYPES:
        raise ValueError(f"a leaf of the unknown type {leaf.type!r}: a newer muniment wrote it")
    return leaf


def records_of(entry: bytes) -> tuple[bool, list[bytes]]:
    """Whether a leaf is a snapshot's, and its records' digests, in a tenth of the time that `parse_leaf` takes.

    What is looked for can stand nowhere else in canonical JSON: in strings, quotes are escaped. Raises ValueError.
    """
    start = entry.index(b'"records":[') + 11
    listed = entry[start : entry.index(b"]", start)].translate(_STANDARD)
    digests = [a2b_base64(digest + b"=") for digest in listed[1:-1].split(b'","')] if listed else []
    return b'"type":"capture"' in entry or b'"type":"revisit"' in entry, digests


def is_type(entry: bytes, leaf_type: LeafType) -> bool:
    """Whether a leaf is of this type, told without parsing it."""
    return b'"type":"%b"' % leaf_type.encode() in entry


def canonical_json(value: Any) -> bytes:
    """RFC 8785 for what we write: ASCII keys, strings, integers below 2^53, lists, null."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _short(digest: str) -> str:
    """Hex as base64url without padding."""
    return b2a_base64(bytes.fromhex(digest), newline=False).translate(_URL_SAFE).rstrip(b"=").decode()


def _long(text: str, length: int = 32) -> str:
    """Base64url without padding as hex. ValueError where it is not the one spelling of `length` bytes."""
    found = a2b_base64(text.encode().translate(_STANDARD) + b"=" * (-len(text) % 4)).hex()
    if len(found) != 2 * length or _short(found) != text:
        raise ValueError(f"not {length} bytes: {text!r}")
    return found
