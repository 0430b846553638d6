"""What the archive holds of an address, for the server to say whether it still stands (`If-None-Match`)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from muniment.archive.archive import Archive
from muniment.errors import FetchError, IntegrityError, UsageError
from muniment.ingest.http import Held, parse_response
from muniment.ingest.urls import follow

FULL_AFTER = timedelta(days=7)  # a server may say 304 for ever
_NEWEST = 1 << 62  # after every leaf
_REDIRECTS = 5
_ETAG = re.compile(r"[ -~]{1,1000}")


def held_of(archive: Archive, url: str, now: datetime) -> dict[str, Held]:
    """What is held of an address, or of where it led; nothing where that is old enough to ask for all of it."""
    for _ in range(_REDIRECTS):
        number = archive.catalog.newest_before(url, _NEWEST)
        held = None if number is None else _held_at(archive, number, url, now)
        if held is None:
            break
        if held.location is None:
            return {url: held} if held.is_checkable else {}
        url = held.location
    return {}


def _held_at(archive: Archive, number: int, url: str, now: datetime) -> Held | None:
    try:
        leaf = archive.leaf(number)
        if now - datetime.fromisoformat(leaf.date) > FULL_AFTER:
            return None
        original = number if leaf.of is None else leaf.of
        if archive.catalog.withdrawn_by(original) is not None:
            return None
        response = parse_response(archive.records(number)[0].block)
        location = follow(url, response.location) if response.location and 300 <= response.status < 400 else None
    except (IntegrityError, FetchError, UsageError):
        return None
    if location is None and response.status != 200:
        return None
    headers = {name.lower(): value for name, value in response.headers}
    etag, modified = (headers.get(name, "").strip() for name in ("etag", "last-modified"))
    etag, modified = (value if _ETAG.fullmatch(value) else "" for value in (etag, modified))
    return Held(original, archive.catalog.id_of(original) or "", etag, modified, location)
