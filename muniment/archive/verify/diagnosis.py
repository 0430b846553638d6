"""Where records are not what they should be: what happened? Removed, swapped, changed, or only packed anew.

Once a check has failed there is time: the members that lie there are inflated and matched with what is due there.
"""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from muniment.archive.segments import scan_members
from muniment.archive.tombstone import is_tombstone
from muniment.archive.verify.finding import Finding
from muniment.regular import open_regular

Owner = Callable[[bytes], tuple[int, int] | None]  # the leaf and part that state this digest
_MANY = 200
_NO_TOMBSTONE = "what stands in place of a withdrawn record says more than that"
_KEPT = 64 << 20  # bytes of records that nobody knows


class Due(NamedTuple):
    """A record that should lie somewhere: its leaf and part, the digest of what is to be there, and, where a catalog
    says so, the place and the SHA-256 of its member. `original` is what was there before it was withdrawn."""

    leaf: int
    part: int
    digest: bytes
    offset: int = -1
    length: int = 0
    member: bytes = b""
    original: bytes | None = None
    problem: str = ""


class Found(NamedTuple):
    """What lies at a place: a gzip member by its SHA-256, and the SHA-256 and length of the record in it; or
    (`problem` set) bytes that are no whole member. `record` is kept where it is not one of those that are due."""

    segment: str
    offset: int
    length: int
    member: bytes
    digest: bytes
    size: int
    problem: str = ""
    record: bytes = b""


def members_of(
    path: Path,
    segment: str,
    start: int,
    end: int,
    due: Container[bytes],
    tombstones: Container[bytes],
    look: Callable[[bytes, bytes, int], None] = lambda digest, record, offset: None,
) -> Iterator[Found]:
    """What lies between two offsets; `tombstones` are the digests of those that say that they are, and `look` is shown
    each whole record with its digest and offset. Raises OSError."""
    kept = 0
    with open_regular(path) as file:
        for one in scan_members(file, start, min(end, os.fstat(file.fileno()).st_size)):
            if one.problem:
                yield Found(segment, one.offset, one.length, b"", b"", 0, one.problem)
                continue
            digest = hashlib.sha256(one.record).digest()
            if digest in tombstones and not is_tombstone(one.record):
                yield Found(segment, one.offset, one.length, b"", b"", 0, _NO_TOMBSTONE)
                continue
            look(digest, one.record, one.offset)
            record = b"" if digest in due or kept > _KEPT else one.record
            kept += len(record)
            yield Found(segment, one.offset, one.length, one.digest, digest, len(one.record), record=record)


def diagnose(root: Path, segment: str, place: str, dues: Sequence[Due], owner: Owner) -> Iterator[Finding]:
    """The findings for records of one segment that are not what a catalog and their leaves say."""
    for due in dues:
        if due.problem:
            yield Finding("digest-mismatch", due.problem, due.leaf, segment, due.offset, due.digest.hex())
    for run in _runs([due for due in dues if not due.problem]):
        start, end = min(due.offset for due in run), max(due.offset + due.length for due in run)
        digests = {due.digest for due in run}
        stones = {due.digest for due in run if due.original}
        try:
            found = list(members_of(root / place, segment, max(start, 0), end, digests, stones))
        except OSError as e:
            detail = f"cannot be read: {e.strerror}"
            yield from (Finding("digest-mismatch", detail, due.leaf, segment, due.offset, due.digest.hex())
                        for due in run)  # fmt: skip
            continue
        findings = list(explain(segment, run, found, owner))
        yield from findings
        if not findings:
            detail = "the record lies elsewhere than the catalog says: run `muniment rebuild`"
            yield from (Finding("catalog-damaged", detail, due.leaf, segment, due.offset) for due in run)


def _runs(dues: Sequence[Due]) -> Iterator[list[Due]]:
    """Those that follow on one another are looked at together: one may lie in another's place."""
    run: list[Due] = []
    for due in sorted(dues, key=lambda due: due.offset):
        if run and due.offset > run[-1].offset + run[-1].length:
            yield run
            run = []
        run.append(due)
    if run:
        yield run


def explain(segment: str, dues: Sequence[Due], found: Sequence[Found], owner: Owner) -> Iterator[Finding]:
    """Match what is due, in order, with what was found, in order; tell what does not fit. `segment` is where they are
    due."""
    place_of = {due.digest: i for i, due in enumerate(dues)}
    place_of |= {due.original: i for i, due in enumerate(dues) if due.original}
    hits = [place_of.get(one.digest, -1) if one.digest else -1 for one in found]
    kept = _longest_rising(hits)
    in_order, placed = set(kept), {hits[at] for at in kept}
    before: int | None = None
    for at, one in enumerate(found):
        if hits[at] < 0:
            continue
        due = dues[hits[at]]
        if at in in_order:
            yield from _packed(due, one)
            before = due.leaf
        elif hits[at] in placed:
            detail = f"a second copy of a record of #{due.leaf}"
            yield Finding("uncovered", detail, file=one.segment, offset=one.offset)
        else:
            placed.add(hits[at])
            where = f"behind that of #{before}" if before is not None else "in front of those before it"
            detail = f"the record of #{due.leaf} lies {where}, which is not the order of the leaves"
            yield Finding("record-order", detail, due.leaf, one.segment, one.offset, due.digest.hex())
    lookups = _Lookups(owner)
    low_due = low_found = 0
    for at in [*kept, len(found)]:
        high = hits[at] if at < len(found) else len(dues)
        lacking = deque(dues[i] for i in range(low_due, high) if i not in placed)
        others = [found[i] for i in range(low_found, at) if hits[i] < 0]
        yield from _between(segment, lacking, others, found[at] if at < len(found) else None, lookups)
        low_due, low_found = high + 1, at + 1


def _packed(due: Due, found: Found) -> Iterator[Finding]:
    """The record is there. Is it in its old member, and not one that was withdrawn?"""
    if due.original and found.digest == due.original:
        detail = "the record was withdrawn, and its bytes are still there"
        yield Finding("not-withdrawn", detail, due.leaf, found.segment, found.offset, due.digest.hex())
    elif due.member not in (b"", found.member) and (due.offset, due.length) == (found.offset, found.length):
        detail = "the gzip member does not have the SHA-256 that the catalog states; the record in it is as logged"
        yield Finding("digest-mismatch", detail, due.leaf, found.segment, found.offset, due.member.hex())


class _Lookups:
    """Whose a record is that lies where another should, looked up in the whole log only so often."""

    def __init__(self, owner: Owner):
        self._owner, self._left = owner, _MANY

    def owner(self, found: Found) -> tuple[int, int] | None:
        if not found.digest or not self._left:
            return None
        self._left -= 1
        return self._owner(found.digest)


def _between(
    segment: str, lacking: deque[Due], others: Sequence[Found], following: Found | None, lookups: _Lookups
) -> Iterator[Finding]:
    """What lies between two records that are in their place stands for what is due between them."""

    def missing(due: Due, at: Found | None) -> Finding:
        place = (at.segment, at.offset) if at else (segment, due.offset if due.offset >= 0 else None)
        detail = f"record {due.part} of the leaf is in no file; it should stand here"
        return Finding("record-missing", detail, due.leaf, *place, due.digest.hex())

    for one in others:
        while lacking and 0 <= lacking[0].offset < one.offset:
            yield missing(lacking.popleft(), one)
        end = one.offset + one.length
        there = [lacking.popleft()] if lacking and lacking[0].offset < end else []
        while one.problem and lacking and 0 <= lacking[0].offset < end:
            there.append(lacking.popleft())  # damage that reaches over several
        whose = lookups.owner(one)
        if whose is not None:
            detail = f"a record of #{whose[0]} lies here, out of its place"
            yield Finding("record-order", detail, whose[0], one.segment, one.offset, one.digest.hex())
            yield from (missing(due, one) for due in there)
        elif there:
            for due in there:
                detail = one.problem or compare(one.record, one.digest, due.digest)
                offset = one.offset if due is there[0] else due.offset
                yield Finding("digest-mismatch", detail, due.leaf, one.segment, offset, due.digest.hex())
        else:
            detail = f"{one.length} bytes that no leaf covers" if one.problem else "a record that no leaf names"
            yield Finding("uncovered", detail, file=one.segment, offset=one.offset)
    for due in lacking:
        yield missing(due, following)


def compare(record: bytes, found: bytes, digest: bytes) -> str:
    """What changed in a record that inflates and has not the digest that its leaf states: header or block?"""
    said = f"the record has the SHA-256 {found.hex()}, which its leaf does not state"
    head, blank, rest = record.partition(b"\r\n\r\n")
    if not blank or not rest.endswith(b"\r\n\r\n"):
        return said
    block = b"sha256:" + hashlib.sha256(rest[:-4]).hexdigest().encode()
    lines = head.split(b"\r\n")
    stated = [line for line in lines if line.lower().startswith(b"warc-block-digest:")]
    if not stated:
        where = next((i for i, line in enumerate(lines) if line.startswith(b"Content-Type:")), len(lines))
        whole = b"\r\n".join([*lines[:where], b"WARC-Block-Digest: " + block, *lines[where:]]) + blank + rest
        same = hashlib.sha256(whole).digest() == digest
        return f"{said}: its header lacks WARC-Block-Digest" + (", its block is as logged" if same else "")
    if stated[0].partition(b":")[2].strip() == block:
        return f"{said}: its block agrees with its own WARC-Block-Digest, so its header was changed, or both were"
    return f"{said}: its block was changed"


def _longest_rising(values: Sequence[int]) -> list[int]:
    """The positions of a longest rising run of the values that are not negative."""
    tails, ends, before = list[int](), list[int](), dict[int, int]()
    for at, value in enumerate(values):
        if value < 0:
            continue
        length = bisect_left(tails, value)
        before[at] = ends[length - 1] if length else -1
        tails[length : length + 1] = [value]
        ends[length : length + 1] = [at]
    run, at = list[int](), ends[-1] if ends else -1
    while at >= 0:
        run.append(at)
        at = before[at]
    return run[::-1]
