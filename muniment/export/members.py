"""Records on their way out: compared with their leaves first, then copied as the gzip members that they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from muniment.archive.segments import Placement, digest_member, inflate
from muniment.archive.tombstone import is_tombstone
from muniment.errors import IntegrityError, StorageError, UsageError
from muniment.regular import open_descriptor

if TYPE_CHECKING:
    from muniment.archive.archive import Archive
    from muniment.formats.leaf import Leaf
    from muniment.formats.warc import StoredRecord

_CHUNK = 1 << 18
_OPEN_FILES = 16
_HELD = 16 << 20  # a metadata record that is larger is none of ours


class Members:
    """Reads an archive's gzip members in pieces."""

    def __init__(self, archive: Archive):
        self._archive = archive
        self._files: dict[str, int] = {}
        self._last: tuple[int, Leaf, list[Placement]] | None = None

    def __enter__(self) -> Members:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()

    def leaf(self, number: int) -> tuple[Leaf, list[Placement]]:
        """A leaf and where its records lie. Raises IntegrityError where the catalog says other things than the log."""
        if self._last is not None and self._last[0] == number:  # asked for several times in a row
            return self._last[1:]
        leaf, placements = self._archive.leaf(number), self._archive.catalog.placements(number)
        if len(leaf.records) != len(placements) or not placements:
            raise IntegrityError(f"the catalog does not know the records of #{number}: run `muniment rebuild`")
        self._last = number, leaf, placements
        return leaf, placements

    def check(self, number: int) -> tuple[Leaf, list[Placement]]:
        """The same, every record compared with the digest that the leaf states. Raises IntegrityError."""
        leaf, placements = self.leaf(number)
        for part in range(len(placements)):
            self._check(number, part)
        return leaf, placements

    def _check(self, number: int, part: int) -> None:
        """A record, or the tombstone in its place."""
        leaf, placements = self.leaf(number)
        placement = placements[part]
        try:
            member, record = digest_member(self._chunks(placement), placement.size)
            withdrawn = record != leaf.records[part] and record == self._archive.catalog.tombstone(number, part)
            if withdrawn and not is_tombstone(inflate(b"".join(self._chunks(placement)), placement.size)):
                raise ValueError("what stands in place of a withdrawn record says more than that")
            if record != leaf.records[part] and not withdrawn:
                raise ValueError("the record does not have the digest that its leaf states")
            if member != placement.member:
                raise ValueError("the gzip member is not the one that was written")
        except (OSError, ValueError) as e:
            raise _damage(number, placement, e) from e

    def copy(self, number: int, placement: Placement, write: Callable[[bytes], object]) -> None:
        """Writes a member that was checked. Raises StorageError where it has changed since: what is written by then is
        wrong, and the whole export has to stop."""
        import hashlib

        digest = hashlib.sha256()
        for chunk in self._chunks(placement):
            digest.update(chunk)
            write(chunk)
        if digest.digest() != placement.member:
            raise StorageError(f"{placement.segment} changed while #{number} was read: run `muniment verify`")

    def metadata(self, number: int) -> StoredRecord:
        """The last record of a leaf, which says how the capture came about. Raises IntegrityError."""
        from muniment.archive.segments import inflate
        from muniment.formats.warc import parse_record

        _, placements = self.leaf(number)
        placement = placements[-1]
        try:
            if max(placement.size, placement.length) > _HELD:
                raise ValueError("too large for a metadata record")
            self._check(number, len(placements) - 1)
            return parse_record(inflate(b"".join(self._chunks(placement)), placement.size))
        except (OSError, ValueError) as e:
            raise _damage(number, placement, e) from e

    def facts(self, number: int) -> dict[str, list[str]]:
        """The lines of a capture's metadata record, by name; the certificates are left out. Raises IntegrityError."""
        from muniment.formats.warc import parse_fields

        facts: dict[str, list[str]] = {}
        for name, value in parse_fields(self.metadata(number).block):
            if name != "tls-certificate":
                facts.setdefault(name, []).append(value)
        return facts

    def _chunks(self, placement: Placement) -> Iterator[bytes]:
        position, end = placement.offset, placement.offset + placement.length
        while chunk := os.pread(self._open(placement.segment), min(_CHUNK, end - position), position):
            position += len(chunk)
            yield chunk

    def _open(self, segment: str) -> int:
        if segment not in self._files:
            if len(self._files) >= _OPEN_FILES:
                self.close()
            self._files[segment] = open_descriptor(self._archive.root / segment, os.O_RDONLY)
        return self._files[segment]


def snapshot_number(archive: Archive, number: int) -> int:
    """The number itself where it is a snapshot's or an attempt's, its snapshot's where it is a derivation's."""
    snapshot = archive.catalog.snapshot(number)
    if snapshot is not None:
        return snapshot.number
    if archive.leaf(number).type != "attempt":
        raise UsageError(
            f"#{number} names a leaf that is no snapshot: `muniment search` and `history` show the numbers"
        )
    return number


def _damage(number: int, placement: Placement, error: Exception) -> IntegrityError:
    return IntegrityError(
        f"{placement.segment} is damaged at byte {placement.offset} (#{number}): {error}; run `muniment verify`"
    )
