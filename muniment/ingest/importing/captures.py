"""Records of an imported file, to what is kept of them.

A response, a resource or a revisit is kept with the requests and metadata that name it (WARC-Concurrent-To, or are
named by it), which stand beside it in the file; everything else by itself. What each said of itself stands in facts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

from muniment import __version__
from muniment.errors import FetchError
from muniment.ingest.decode import MAX_BYTES
from muniment.ingest.http import StoredResponse, parse_content_type
from muniment.ingest.importing.digests import Stated, parse_digest
from muniment.ingest.importing.ours import Said, said_of
from muniment.ingest.importing.records import Damage, Found
from muniment.ingest.stored import MAX_HEAD, read_head, read_stored
from muniment.ingest.urls import page_of
from muniment.model import Declared, Imported, Original

_WHOLE = 24 << 20  # bytes of a response that is read at once
_MANY = 90  # records kept with one capture
_PRIMARY = ("response", "resource", "revisit", "arc")
_BESIDE = ("request", "metadata")
_READABLE = {
    "text/html", "application/xhtml+xml", "text/plain", "text/markdown", "application/pdf", "application/msword",
    "application/rtf", "text/rtf", "application/epub+zip", "application/vnd.oasis.opendocument.text",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}  # fmt: skip
_UNSAID = ("application/octet-stream", "binary/octet-stream", "application/unknown", "unknown/unknown", "no-type")
_SCHEMES = ("http", "https", "ftp", "file")
_MARKUP = re.compile(rb"\s*+(?:(?><!--.{0,2000}?-->)\s*+)*+<(?:!doctype\s+html|html|head|body)\b|\s*%PDF-", re.I | re.S)
_STATUS = re.compile(rb"HTTP/[0-9]\.[0-9] ([0-9]{3})")
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?)?\s*(Z|[+-]\d\d:?\d\d)?")


class Source(NamedTuple):
    """Where records come from: the file as the user called it, its SHA-256 in hex, and the file within it."""

    name: str
    digest: str
    inside: str = ""


def captures(records: Iterable[Found | Damage], source: Source) -> Iterator[Imported | Damage]:
    """What is kept, in the order of the file; a damage comes before the records that are still waiting for others."""
    group: list[Found] = []
    for record in records:
        if isinstance(record, Damage):
            yield record
        elif group and not _belongs(record, group):
            yield from _kept(group, source)
            group = [record]
        else:
            group.append(record)
    yield from _kept(group, source)


def _belongs(record: Found, group: Sequence[Found]) -> bool:
    if record.is_inside or any(one.is_inside for one in group):
        return False
    if len(group) >= _MANY or (record.type in _PRIMARY and any(one.type in _PRIMARY for one in group)):
        return False
    if record.type not in (*_PRIMARY, *_BESIDE) or not all(one.type in (*_PRIMARY, *_BESIDE) for one in group):
        return False
    ids = {one.first("warc-record-id") for one in group} - {None, ""}
    named = {name for one in group for name in one.all("warc-concurrent-to")}
    return bool(ids & set(record.all("warc-concurrent-to"))) or record.first("warc-record-id") in named


def _kept(group: Sequence[Found], source: Source) -> Iterator[Imported]:
    primary = next((record for record in group if record.type in _PRIMARY), None)
    if primary is None or primary.is_inside:
        yield from (_record(record, source) for record in group)
        return
    others = [record for record in group if record is not primary]
    yield _capture(primary, others, source)


def original_of(record: Found) -> Original:
    kind = "arc" if record.type.startswith("arc") else record.type
    if record.is_inside:
        kind = "inside"  # no replay software is to take it for a response
    return Original(kind, record.head, record.block, record.digest, record.first("warc-record-id"))


def _record(record: Found, source: Source) -> Imported:
    """What is no capture of its own."""
    media, _ = parse_content_type(record.first("content-type"))
    uri = _address(record)
    return Imported(
        "record", original_of(record), uri, _date(record), media_type=media, facts=_facts(record, source, None),
        address=record.first("warc-ip-address"),
    )  # fmt: skip


def _capture(record: Found, others: Sequence[Found], source: Source) -> Imported:
    uri = _address(record)
    if uri is None:
        return _record(record, source)
    media, charset = parse_content_type(record.first("content-type"))
    said = said_of(others)
    if record.type == "resource":
        charset = "utf-8" if uri.startswith("urn:dom:") else (said and said.first("charset")) or charset
    stated = parse_digest(record.first("warc-payload-digest") or "")
    response, body, payload, raw = None, None, "", b""
    if record.type == "revisit":
        response = _head_of(record)
    elif record.type != "resource" and record.block.start(5).upper() == b"HTTP/":
        response, raw, payload, stated = _read_response(record, stated)
    if record.type != "revisit" and response is None:
        raw = record.block.start(MAX_BYTES + 1)
        payload, stated = _digests(record, 0, None, stated)
    if response is not None:
        media, charset = response.media_type, response.charset
    status = response.status if response is not None else None
    if record.type != "revisit" and _may_be_article(uri, status, media, raw, said):
        body = raw
    refers = (record.first("warc-refers-to"), stated.text if stated else None,
              record.first("warc-refers-to-target-uri") or uri)  # fmt: skip
    return Imported(
        "revisit" if record.type == "revisit" else "capture",
        original_of(record),
        uri,
        _date(record),
        tuple(_record(other, source) for other in others),
        media,
        payload,
        _shown_status(record),
        charset,
        response.content_encoding if response is not None else None,
        record.first("warc-ip-address"),
        body,
        refers if record.type == "revisit" else (None, None, None),
        (*_facts(record, source, stated), *(said.lines if said else ())),
        said.declared if said else Declared(),
    )


def _shown_status(record: Found) -> int | None:
    """The status as the leaf has it, and whoever compares it with the record: three digits in their place."""
    over_http = (record.first("content-type") or "").startswith("application/http") or record.type == "arc"
    found = _STATUS.match(record.block.start(12)) if over_http and record.type != "resource" else None
    return int(found[1]) if found else None


def _head_of(record: Found) -> StoredResponse | None:
    try:
        return read_head(record.block.start(MAX_HEAD))[0]
    except FetchError:
        return None


def _read_response(record: Found, stated: Stated | None) -> tuple[StoredResponse | None, bytes, str, Stated | None]:
    """The response, its entity (of a very long one the beginning), the payload's digest, whether the stated holds."""
    try:
        if record.block.size > _WHOLE:
            response, begins = read_head(record.block.start(MAX_HEAD))
            payload, stated = _digests(record, begins, None, stated)
            return response, record.block.start(begins + MAX_BYTES + 1)[begins:], payload, stated
        block = record.block.start(record.block.size)
        response = read_stored(block)
        begins = read_head(block)[1] if response.transfer_coded else len(block) - len(response.body)
        payload, stated = _digests(record, max(begins, 0), response.body, stated)
        return response, response.body, payload, stated
    except FetchError:
        return None, b"", "", stated


def _digests(record: Found, begins: int, entity: bytes | None, stated: Stated | None) -> tuple[str, Stated | None]:
    """SHA-256 of the payload in hex, and the stated digest with whether it holds: of the entity, or of all that follows
    the head, for writers differ in whether the chunks belong to it."""
    wanted = [hashlib.sha256(), *([stated.hasher()] if stated else [])]
    skip = begins
    for chunk in record.block.chunks():
        piece = chunk[skip:] if skip else chunk
        skip = max(0, skip - len(chunk))
        for one in wanted:
            one.update(piece)
    found = [one.digest() for one in wanted]
    payload = found[0].hex()
    if entity is not None:
        payload = hashlib.sha256(entity).hexdigest()
        if stated:
            hasher = stated.hasher()
            hasher.update(entity)
            found.append(hasher.digest())
    return payload, stated.told(*found[1:]) if stated else None


def _may_be_article(uri: str, status: int | None, media: str, body: bytes, said: Said | None) -> bool:
    """HTML, PDF, text and the like that was asked for and came, or a page as a browser had it; robots.txt is for
    machines. Of an archive's export, what was an article there."""
    scheme = page_of(uri).lower().partition(":")[0]
    if scheme not in (*_SCHEMES, *(("ni",) if said else ())) or not body:
        return False
    if status is not None and not 200 <= status < 300:
        return False
    if said is not None and (said.is_own or not said.is_article(media)):
        return said.is_article(media)
    if uri.partition("?")[0].endswith("/robots.txt"):
        return False
    return media in _READABLE or (media in _UNSAID and _MARKUP.match(body[:4096]) is not None)


def _address(record: Found) -> str | None:
    """The address with what a URI may not hold percent-encoded, and without the brackets that some writers put on."""
    text = (record.first("warc-target-uri") or "").strip()
    if text.startswith("<") and text.endswith(">"):
        text = text[1:-1]
    return quote(text[:8192], safe="%/:?#[]@!$&'()*+,;=~-._") or None


def _date(record: Found) -> datetime | None:
    """WARC-Date in UTC; None where it cannot be read."""
    found = _DATE.match(record.first("warc-date") or "")
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    text = f"{year}-{month}-{day}T{hour or '00'}:{minute or '00'}:{second or '00'}{(fraction or '')[:7]}"
    try:
        return datetime.fromisoformat(text + ("+00:00" if zone in (None, "Z") else zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _facts(record: Found, source: Source, payload: Stated | None) -> tuple[tuple[str, str], ...]:
    """Where it comes from, and what was stated of it."""
    facts = [
        ("importedFrom", source.name),
        ("importedFile", f"sha256:{source.digest}"),
        ("importedOffset", str(record.place)),
        ("importedRecord", f"sha256:{record.digest}"),
        ("importedType", record.type or "none"),
    ]
    facts += [("importedRecordId", value[:500]) for value in record.all("warc-record-id")[:1]]
    facts += [("importedDate", value[:100]) for value in record.all("warc-date")[:1]]
    facts += [("importedBlockDigest", str(held)) for held in record.held]
    if payload is None and (said := parse_digest(record.first("warc-payload-digest") or "")):
        payload = said
    facts += [("importedPayloadDigest", str(payload))] if payload else []
    facts += [("importedDoubt", record.doubt)] if record.doubt else []
    return (*facts, ("client", f"muniment/{__version__}"))
