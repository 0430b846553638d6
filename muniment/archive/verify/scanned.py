"""The records where no catalog says where they lie: all members of each stream, matched with all that the leaves name.

What no catalog states cannot be checked: the gzip headers, and how a record was packed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from muniment.archive.segments import STREAMS, stream_of
from muniment.archive.verify.diagnosis import Due, Found, Owner, explain, members_of
from muniment.archive.verify.finding import Finding, Tally
from muniment.archive.verify.part import disagreements
from muniment.archive.verify.walk import Bundles, Walked
from muniment.formats.agreement import plainly_agree
from muniment.formats.leaf import parse_leaf


class ScanCheck:
    """`for finding in run()`; counts go into the tally."""

    def __init__(self, root: Path, walked: Walked, bundles: Bundles, tally: Tally, owner: Owner):
        self._root, self._walked, self._bundles, self._tally, self._owner = root, walked, bundles, tally, owner
        self._firsts = dict[bytes, tuple[int, bytes]]()
        self._differ = list[Finding]()

    def run(self) -> Iterator[Finding]:
        due = self._due()
        for stream in STREAMS:
            wanted = due[stream]
            digests = {one.digest for one in wanted} | {one.original for one in wanted if one.original}
            found = list(self._members(stream, digests))
            self._tally.records += sum(not one.problem for one in found)
            self._tally.size += sum(one.size for one in found)
            first = next((path for path in sorted(self._walked.segments) if path.startswith(stream)), stream)
            yield from explain(first, wanted, found, self._owner)
        yield from self._differ

    def _due(self) -> dict[str, list[Due]]:
        due: dict[str, list[Due]] = {stream: [] for stream in STREAMS}
        for number, entry in enumerate(self._bundles.entries(0, self._tally.log_size)):
            with suppress(ValueError):  # step 2 has named a leaf that cannot be read
                leaf = parse_leaf(entry)
                self._tally.snapshots += leaf.type in ("capture", "revisit")
                for part, digest in enumerate(map(bytes.fromhex, leaf.records)):
                    tombstone = self._walked.tombstones.get((number, part))
                    if not part and not tombstone:
                        self._firsts[digest] = (number, entry)
                    original = digest if tombstone else None
                    due[stream_of(leaf)].append(Due(number, part, tombstone or digest, original=original))
        return due

    def _members(self, stream: str, due: set[bytes]) -> Iterator[Found]:
        tombstones = set(self._walked.tombstones.values())
        for name in sorted(path for path in self._walked.segments if path.startswith(stream + "/")):
            path = self._root / self._walked.places.get(name, name)
            with suppress(OSError):  # step 5 tells of a file that is missing
                yield from members_of(
                    path, name, 0, self._walked.segments[name], due, tombstones, partial(self._look, name)
                )

    def _look(self, segment: str, digest: bytes, record: bytes, offset: int) -> None:
        number, entry = self._firsts.get(digest, (0, b""))
        if entry and not plainly_agree(entry, record):
            self._differ += disagreements(number, entry, record, segment, offset)
