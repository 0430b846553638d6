"""Records of imported files, to records and leaves. Pure: identifiers and times come from the caller.

A record that is sound WARC/1.x and says what its leaf will say is kept as it is, byte for byte, head and block: its
leaf takes the UUID of its WARC-Record-ID. One that is not (ARC, an old version, a malformed head, an id that is taken)
keeps its block byte for byte under a head of ours, and its own head line by line in the metadata record. So readers of
our files never meet what somebody else's writer got wrong, and the original can be put together again.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from muniment.archive.records import Group, NewId
from muniment.formats.agreement import differences, stated_status
from muniment.formats.leaf import Leaf, LeafType
from muniment.formats.soundness import sound_headers
from muniment.formats.warc import (
    REVISIT_PROFILE,
    LongRecord,
    Record,
    build_long_record,
    build_record,
    format_date,
    format_fields,
    format_record_id,
)
from muniment.model import Imported, Original

if TYPE_CHECKING:
    from muniment.archive.tables.captures import Held

_URI = re.compile(r'[^\s"\\<>\x7f-\U0010ffff\x00-\x20]+')  # what JSON leaves as it is
_RESPONSE, _FIELDS = "application/http; msgtype=response", "application/warc-fields"
_TYPES = {"response", "resource", "request", "metadata", "conversion", "warcinfo"}


def imported_group(
    imported: Imported, facts: Sequence[tuple[str, str]], of: Held | None, at: str, new_id: NewId,
    is_free: Callable[[str], bool],
) -> Group:  # fmt: skip
    """The records and the leaf. `of` is the capture that a revisit repeats, `at` the time of the import, and `is_free`
    says whether no other leaf has this UUID."""
    found = _as_it_is(imported, of, at, is_free)
    lines = [*facts, *imported.facts]
    if found is not None:
        leaf, first = found
    else:
        leaf, first = _wrapped(imported, of, at, new_id())
        lines += _head_lines(imported.original)
    target = [("WARC-Target-URI", leaf.uri)] if leaf.uri else []
    concurrent = [*target, ("WARC-Concurrent-To", format_record_id(leaf.id))]
    metadata = build_record("metadata", new_id(), at, format_fields(lines), _FIELDS, concurrent)
    others = [_exact(companion.original) for companion in imported.companions]
    records = [first, *others, metadata]
    return Group(leaf._replace(records=tuple(r.digest for r in records)), records, facts=_first_of_each(lines))


def separated(imported: Imported, now: datetime) -> list[Imported]:
    """The same, and by itself each record beside it that cannot stand in a file of ours as it is."""
    at = format_date(now)

    def is_sound(companion: Imported) -> bool:
        original = companion.original
        return sound_headers(original.head, original.block.size, at) is not None

    beside = tuple(filter(is_sound, imported.companions))
    alone = [companion for companion in imported.companions if not is_sound(companion)]
    return [replace(imported, companions=beside), *alone]


def _as_it_is(
    imported: Imported, of: Held | None, at: str, is_free: Callable[[str], bool]
) -> tuple[Leaf, Record | LongRecord] | None:
    """The leaf, and the record as it is; None where they would not agree."""
    original = imported.original
    headers = sound_headers(original.head, original.block.size, at)
    if headers is None or headers.get("WARC-Type", "").lower() != original.type:
        return None
    identity = headers["WARC-Record-ID"].removeprefix("<urn:uuid:").removesuffix(">")
    uri = headers.get("WARC-Target-URI")
    if (uri is not None and not _URI.fullmatch(uri)) or not is_free(identity):
        return None
    leaf = _leaf(imported, identity, at, headers["WARC-Date"], uri, of)
    if of is not None and (headers.get("WARC-Refers-To") != format_record_id(of.id) or leaf.payload != of.payload):
        return None
    if any(differences(leaf, headers, original.block.start(12))):
        return None
    return leaf, _exact(original)


def _leaf(imported: Imported, identity: str, at: str, captured: str, uri: str | None, of: Held | None) -> Leaf:
    kind: LeafType = imported.kind
    is_snapshot = kind != "record"
    payload = of.payload if of is not None else imported.payload.removeprefix("sha256:")
    return Leaf(
        kind, identity, at, (), uri=uri, captured=captured,
        payload=payload if is_snapshot else None,
        media=imported.media_type if is_snapshot else None,
        status=imported.status if is_snapshot else None,
        of=of.number if of is not None else None,
    )  # fmt: skip


def _exact(original: Original) -> LongRecord:
    return LongRecord(original.head, original.block, original.digest)


def _wrapped(imported: Imported, of: Held | None, at: str, identity: str) -> tuple[Leaf, Record | LongRecord]:
    """Under a head of ours."""
    stated = imported.captured_at
    captured = at if stated is None or stated.year < 1000 or format_date(stated) > at else format_date(stated)
    leaf = _leaf(imported, identity, at, captured, imported.uri, of)
    fields = [("WARC-Target-URI", imported.uri)] if imported.uri else []
    if imported.address:
        fields.append(("WARC-IP-Address", imported.address))
    over_http = imported.status is not None or imported.original.block.start(5) == b"HTTP/"
    if imported.kind == "capture":
        warc_type = "response" if over_http else "resource"
    elif imported.kind == "revisit" and of is not None:
        warc_type = "revisit"
        fields += [
            ("WARC-Profile", REVISIT_PROFILE),
            ("WARC-Refers-To", format_record_id(of.id)),
            ("WARC-Refers-To-Target-URI", of.uri),
            ("WARC-Refers-To-Date", of.at),
        ]
    else:
        warc_type = imported.original.type if imported.original.type in _TYPES else "metadata"
    content_type = _RESPONSE if warc_type in ("response", "revisit") and over_http else imported.media_type
    if warc_type in ("response", "resource", "revisit"):
        status = stated_status(imported.original.block.start(12)) if content_type == _RESPONSE else None
        leaf = leaf._replace(status=status)
    return leaf, build_long_record(warc_type, identity, captured, imported.original.block, content_type, fields)


def _head_lines(original: Original) -> list[tuple[str, str]]:
    """The original's head, a line each; in base64 where lines would not give it back."""
    try:
        text = original.head.decode()
    except UnicodeDecodeError:
        text = ""
    lines = text.removesuffix("\r\n\r\n").split("\r\n")
    if text == "\r\n".join(lines) + "\r\n\r\n" and all(line == line.strip() and line.isprintable() for line in lines):
        return [("importedHead", line) for line in lines]
    return [("importedHead-base64", base64.b64encode(original.head).decode())]


def _first_of_each(lines: Sequence[tuple[str, str]]) -> dict[str, str]:
    facts: dict[str, str] = {}
    for name, value in lines:
        facts.setdefault(name, value)
    return facts
