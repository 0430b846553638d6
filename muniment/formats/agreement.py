"""Whether a leaf and the first of its records say the same of one thing.

The log covers both, so where they differ whoever signed wrote one that is not true, and readers would believe the leaf.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_hex
from collections.abc import Iterator, Mapping

from muniment.formats.leaf import Leaf
from muniment.formats.warc import format_record_id, one_line

MAX_HEAD = 1 << 16
_STATUS = re.compile(rb"HTTP/[0-9]\.[0-9] ([0-9]{3})")
_OUR_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_KINDS = {
    "segment": ("warcinfo",),
    "capture": ("response", "resource"),
    "revisit": ("revisit",),
    "attempt": ("response", "metadata"),
    "derivation": ("conversion",),
}
_PLAIN = {
    (b"capture", b"response"), (b"capture", b"resource"), (b"revisit", b"revisit"), (b"attempt", b"response"),
    (b"attempt", b"metadata"),
}  # fmt: skip
# A leaf about an address, and the beginning of its first record, as muniment writes them. Groups: at, id, payload,
# status, type, uri; and type, id, date, uri, payload, whether it is HTTP, status.
_LEAF = re.compile(
    rb'\{"at":"([^"]*+)","id":"([^"]*+)",(?:"media":"[^"]*+",)?+(?:"of":[0-9]++,)?+(?:"payload":"([^"]*+)",)?+'
    rb'(?:"reason":"[^"]*+",)?+"records":\[[^]]*+\],(?:"status":([0-9]++),)?+"type":"([a-z]++)","uri":"([^"\\]*+)"\}'
)
_RECORD = re.compile(
    rb"WARC/1\.1\r\nWARC-Type: ([a-z]++)\r\n"
    rb"WARC-Record-ID: <urn:uuid:([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})>\r\n"
    rb"WARC-Date: ([^\r]*+)\r\nWARC-Target-URI: ([^\r]*+)\r\n(?:WARC-(?:IP|Pr|Re)[^\r]*+\r\n)*+"
    rb"(?:WARC-Payload-Digest: sha256:([0-9a-f]{64})\r\n)?+(?:WARC-[BT][^\r]*+\r\n)*+"
    rb"Content-Type: (application/http)?[^\r]*+\r\nContent-Length: [0-9]++\r\n\r\n(?:HTTP/[0-9.]{3} ([0-9]{3}))?"
)
_STANDARD = bytes.maketrans(b"-_", b"+/")


def read_head(start: bytes) -> tuple[dict[str, str], int]:
    """The headers of a record, the first of each name, and the length of its head with the blank line. `start` is the
    record's beginning, 64 KiB of it or all. Raises ValueError."""
    head, blank, _ = start[:MAX_HEAD].partition(b"\r\n\r\n")
    if not blank or not head.startswith(b"WARC/1."):
        raise ValueError("it is no WARC record")
    headers: dict[str, str] = {}
    for line in head.decode("utf-8", "replace").split("\r\n")[1:]:
        name, _, value = line.partition(": ")
        headers.setdefault(name, value)
    return headers, len(head) + 4


def stated_status(block: bytes) -> int | None:
    """The status in the first 12 bytes of an HTTP response."""
    found = _STATUS.match(block)
    return int(found[1]) if found else None


def differences(leaf: Leaf, headers: Mapping[str, str], block: bytes) -> Iterator[str]:
    """What a leaf says and its first record says otherwise, a phrase each; `block` is its block, or 12 bytes of it.

    A payload is compared where the record states its digest.
    """
    kind = headers.get("WARC-Type")
    if leaf.type != "record" and kind not in _KINDS.get(leaf.type, ("metadata",)):
        yield f"the leaf says type {leaf.type}, and the record {kind}"
    if headers.get("WARC-Record-ID") != format_record_id(leaf.id):
        yield "its first record has another id"
    if headers.get("WARC-Date") != leaf.date:
        yield "its first record has another date"
    if leaf.type not in ("capture", "revisit", "attempt"):
        return
    uri = headers.get("WARC-Target-URI")
    if uri != one_line(leaf.uri or ""):
        yield f"the leaf says uri {leaf.uri}, and the record {uri}"
    over_http = kind != "resource" and headers.get("Content-Type", "").startswith("application/http")
    status = stated_status(block) if over_http else None  # an attempt may hold what is no HTTP at all
    if status != leaf.status:
        yield f"the leaf says status {leaf.status}, and the record {status}"
    payload = headers.get("WARC-Payload-Digest")
    theirs = leaf.captured is not None and not _OUR_DIGEST.fullmatch(payload or "")  # sha1 in base32, most often
    if payload is not None and leaf.type != "attempt" and not theirs and payload != f"sha256:{leaf.payload}":
        yield f"the leaf says payload sha256:{leaf.payload}, and the record {payload}"


def plainly_agree(entry: bytes, record: bytes) -> bool:
    """Whether a leaf and its first record, as muniment writes them, have no `differences`, told at a glance.

    `entry` is the leaf as it stands in the log. False says nothing yet; leaves about no address are passed over."""
    if b'"uri":"' not in entry:
        return not entry.endswith((b'"capture"}', b'"revisit"}', b'"attempt"}'))
    said, found = _LEAF.fullmatch(entry), _RECORD.match(record, 0, MAX_HEAD)
    if said is None or found is None:
        return False
    at, identity, payload, status, kind, uri = said.groups()
    record_kind, uuid, date, target, digest, is_http, code = found.groups()
    if (at, uri, status) != (date, target, code) or (kind, record_kind) not in _PLAIN:
        return False
    try:
        return (
            _hex(identity + b"==") == uuid.replace(b"-", b"")
            and (payload is None or digest is None or _hex(payload + b"=") == digest)
            and (is_http is not None or status is None)
        )
    except ValueError:
        return False


def _hex(text: bytes) -> bytes:
    return b2a_hex(a2b_base64(text.translate(_STANDARD)))
