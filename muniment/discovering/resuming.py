"""What came of a page in a run that was cut off: as it was kept with the frontier, or else as the log has it.

A page is settled in the frontier just after its commit. One that was asked for, and not settled when the run was cut
off, may be in the log all the same: then it is not asked for again, and counted by what the log says of it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from muniment.adding import Added
from muniment.errors import FetchError, IntegrityError
from muniment.ingest.http import parse_response
from muniment.ingest.urls import article_key, follow

if TYPE_CHECKING:
    from muniment.archive.archive import Archive
    from muniment.archive.tables.looks import Look
    from muniment.frontier import Wanted

_FIELDS = ("target", "state", "snapshot", "url", "error", "reason", "start", "size", "seconds", "listing",
           "not_modified")  # fmt: skip
_REDIRECTS = 20


def as_text(added: Added) -> str:
    """What is needed to count it once more."""
    return json.dumps({name: value for name in _FIELDS if (value := getattr(added, name))})


def from_text(text: str) -> Added:
    return Added(**json.loads(text))


def found_again(archive: Archive, wanted: Wanted, own: Sequence[range]) -> Added | None:
    """What became of an address that was asked for, by the run's `own` leaves; else by what others looked at meanwhile,
    to whom it counts as new or changed. None where nobody did."""
    key, size = article_key(wanted.url), 0
    for _ in range(_REDIRECTS):
        looks = (archive.catalog.look_within(key, leaves) for leaves in (*own, range(own[-1].start, sys.maxsize)))
        if (look := next(filter(None, looks), None)) is None:
            return None
        size += sum(len(record.block) for record in archive.records(look.number) if record.type == "response")
        location = _location(archive, look.number) if 300 <= (look.status or 0) < 400 else None
        if location is None:
            added = _added(archive, wanted, key, look, size)
            is_own = any(look.number in leaves for leaves in own)
            return added if is_own or added.state != "stored" else replace(added, state="unchanged")
        key = article_key(location)
    return None


def _added(archive: Archive, wanted: Wanted, key: str, look: Look, size: int) -> Added:
    added = Added(wanted.url, "stored", look.number, wanted.url, start=wanted.start, size=size, listing=wanted.listing)
    if look.type == "revisit":
        return replace(added, state="unchanged", snapshot=look.of)
    if look.type == "attempt" and look.reason == "http-304":
        held = archive.catalog.newest_of(key)
        return replace(added, state="unchanged", snapshot=held and held.number, not_modified=True)
    if look.type == "attempt":
        return replace(added, state="failed", snapshot=None, error=look.reason, reason=look.reason)
    return added


def _location(archive: Archive, number: int) -> str | None:
    """Where a capture leads on to."""
    try:
        response = parse_response(archive.records(number)[0].block)
        return follow(archive.leaf(number).uri or "", response.location) if response.location else None
    except (FetchError, IntegrityError):
        return None
