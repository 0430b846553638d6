"""The entries of the log: one leaf for each thing that happened, as canonical JSON (RFC 8785).

    {"at":"2026-11-22T08:00:00.000000Z","id":"6f…","media":"text/html","payload":"9b…","records":["a1…","c4…"],
     "status":200,"type":"capture","uri":"https://example.org/a"}

| type | means | further fields |
| --- | --- | --- |
| segment | a WARC file was begun; its record is the warcinfo | stream: "warc" or "derived" |
| capture | bytes were received or uploaded | uri, payload, media, status (HTTP only) |
| revisit | the same bytes again | as capture, and of: the number of the capture that holds them |
| derivation | an article was made of a capture | uri, of: the capture's number |
| attempt | a capture was tried and gave nothing | uri, reason, status (HTTP only) |

`records` are the SHA-256 (lowercase hex) of each whole uncompressed WARC record, headers included, in the order
in which they stand in the file. `id` is random, so that sibling hashes in a proof say nothing of other leaves.
The leaf names no file and no offset: records may be moved or recompressed and every proof holds.
"""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple, get_args

LeafType = Literal["segment", "capture", "revisit", "derivation", "attempt"]
_TYPES = frozenset(get_args(LeafType))
_OPTIONAL = ("uri", "payload", "media", "status", "of", "reason", "stream")


class Leaf(NamedTuple):
    type: LeafType
    id: str
    at: str
    records: tuple[str, ...]
    uri: str | None = None
    payload: str | None = None
    media: str | None = None
    status: int | None = None
    of: int | None = None
    reason: str | None = None
    stream: str | None = None


def format_leaf(leaf: Leaf) -> bytes:
    """Canonical JSON; fields that are None are left out."""
    fields: dict[str, Any] = {"type": leaf.type, "id": leaf.id, "at": leaf.at, "records": leaf.records}
    fields.update((name, value) for name in _OPTIONAL if (value := getattr(leaf, name)) is not None)
    return canonical_json(fields)


def parse_leaf(entry: bytes) -> Leaf:
    """Raises ValueError where the entry is not a leaf that this version knows."""
    try:
        fields = json.loads(entry.decode())
        fields["records"] = tuple(fields["records"])
        leaf = Leaf(**fields)
    except (ValueError, TypeError, KeyError) as e:
        raise ValueError(f"not a leaf: {entry[:80]!r}") from e
    if leaf.type not in _TYPES:
        raise ValueError(f"a leaf of the unknown type {leaf.type!r}: a newer muniment wrote it")
    return leaf


def records_of(entry: bytes) -> tuple[bool, list[str]]:
    """Whether a leaf is a snapshot's, and its records' digests, in a tenth of the time that `parse_leaf` takes.

    What is looked for can stand nowhere else in canonical JSON: in strings, quotes are escaped. Raises ValueError.
    """
    start = entry.index(b'"records":["') + 12
    digests = entry[start : entry.index(b'"]', start)].decode("ascii").split('","')
    return b'"type":"capture"' in entry or b'"type":"revisit"' in entry, digests


def canonical_json(value: Any) -> bytes:
    """RFC 8785 for what we write: ASCII keys, strings, integers below 2^53, lists, null."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
