"""Finding the records of the log in files that no catalog describes, or that were changed behind its back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from muniment.archive.segments import STREAMS, Placement, scan_members
from muniment.formats.leaf import Leaf

_Row = tuple[int, int, Placement]


def stream_of(leaf: Leaf) -> str:
    """The stream that holds a leaf's records."""
    return leaf.stream or ("warc" if leaf.type in ("capture", "revisit", "attempt") else "derived")


def locate_records(
    root: Path,
    segments: Mapping[str, int],
    leaves: Iterable[tuple[int, Leaf | None]],
    tombstones: Mapping[tuple[int, int], bytes],
) -> Iterator[_Row]:
    """(leaf, part, placement) of every record found, in the order of the log.

    Members are matched with the digests that the leaves state, in order. A member that matches none stands for the
    record that is due next, so that the check names that one; records passed over are left out, and are missing.
    `tombstones` are what may stand in place of a record, by leaf and part.
    """
    due: dict[str, list[tuple[int, int, str]]] = {stream: [] for stream in STREAMS}
    for number, leaf in leaves:
        if leaf is not None:
            due[stream_of(leaf)] += [(number, part, digest) for part, digest in enumerate(leaf.records)]
    rows = [row for stream in STREAMS for row in _match(root, stream, segments, due[stream], tombstones)]
    return iter(sorted(rows, key=lambda row: row[:2]))


def _match(
    root: Path,
    stream: str,
    segments: Mapping[str, int],
    due: list[tuple[int, int, str]],
    tombstones: Mapping[tuple[int, int], bytes],
) -> Iterator[_Row]:
    order = {digest: i for i, (_, _, digest) in enumerate(due)}
    if tombstones:
        order |= {tombstones[row[:2]].hex(): i for i, row in enumerate(due) if row[:2] in tombstones}
    at = 0
    for placement, digest in _members(root, stream, segments):
        found = order.get(digest, -1)
        if found >= at:
            at = found
        elif found >= 0 or at >= len(due):
            continue  # a record out of its order, or past the last: the one that is due stays due
        yield due[at][0], due[at][1], placement
        at += 1


def _members(root: Path, stream: str, segments: Mapping[str, int]) -> Iterator[tuple[Placement, str]]:
    for name in sorted(path for path in segments if path.startswith(stream + "/")):
        path = root / name
        if not path.is_file():
            continue
        with path.open("rb") as file:
            for member in scan_members(file, 0, min(segments[name], path.stat().st_size)):
                size = -1 if member.problem else len(member.record)
                placement = Placement(name, member.offset, member.length, size, member.digest)
                yield placement, "" if member.problem else hashlib.sha256(member.record).hexdigest()
