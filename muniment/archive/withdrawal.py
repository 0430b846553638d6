"""Removing what was captured, where a court or a person's right demands it; the evidence that it was there stays.

The leaf of a withdrawal names the digest of the tombstone that stands for each record from then on; its record says
why, and where each member lay, so that a removal which a kill cut short can be done again. Order: the commit, then the
overwriting (`bury`), then the catalog; whoever finds the catalog behind does the last two anew.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from muniment.archive.catalog import Catalog
from muniment.archive.commit import is_segment_path
from muniment.archive.log import leaf_at
from muniment.archive.segments import Placement, inflate, read_at
from muniment.archive.tombstone import Tombstone, build_tombstone
from muniment.durable import overwrite
from muniment.errors import IntegrityError, UsageError
from muniment.formats.leaf import Leaf
from muniment.formats.warc import parse_record
from muniment.regular import open_regular

if TYPE_CHECKING:
    from muniment.archive.records import Group

KEPT_KEY = "articleKey"  # under which the article is found when the record that says so is gone too


class Burial(NamedTuple):
    """A record that goes, by its leaf and part; where its member lies; and what the tombstone is built from."""

    leaf: int
    part: int
    segment: str
    offset: int
    length: int
    id: str
    at: str
    uri: str | None
    refers_to: str | None

    def tombstone(self) -> Tombstone:
        return build_tombstone(self.id, self.at, self.length, self.uri, self.refers_to)


def may_remove(withdrawal: Leaf, number: int, kind: str | None, of: int | None) -> bool:
    """Whether a withdrawal can concern the records of this leaf: the one that it is of, or what was made of that."""
    return number == withdrawal.of or (of == withdrawal.of and kind in ("derivation", "revisit"))


def tombstones_of(leaf: Leaf) -> dict[tuple[int, int], str]:
    """The digests (hex) of what stands in place of records, by leaf and part. ValueError where a name is none."""
    found = {}
    for name, digest in (leaf.tombstones or {}).items():
        number, _, part = name.partition(".")
        found[int(number), int(part)] = digest
    return found


def plan(
    root: Path,
    catalog: Catalog,
    number: int,
    reason: str,
    at: str,
    new_id: Callable[[], str],
    *,
    entirely: bool = False,
) -> Group:
    """The leaf and record of a withdrawal. Raises UsageError where #number is nothing that can be withdrawn,
    IntegrityError where the catalog does not say where its records are."""
    kind, of = catalog.kind_of(number) or ("", None)
    if kind == "derivation":
        raise UsageError(f"#{number} was made of #{of}: withdraw that")
    if kind == "revisit" and not entirely:
        raise UsageError(
            f"#{number} holds no bytes of its own: withdraw #{of}, the capture that it refers to; its own head and"
            " metadata go with --entirely"
        )
    if kind not in ("capture", "revisit", "attempt", "record", "note"):
        raise UsageError(f"#{number} is {f'a {kind}' if kind else 'not in the log'}: withdraw a capture or a note")
    if (before := catalog.withdrawn_by(number)) is not None:
        raise UsageError(f"#{number} was withdrawn before, by #{before}")
    leaves = [number, *catalog.made_of(number), *(catalog.revisits_of(number) if entirely else ())]
    parts = [(leaf, part) for leaf in leaves for part in range(len(catalog.placements(leaf)))]
    if not entirely:
        parts = [(leaf, part) for leaf, part in parts if leaf != number or not part]
    gone = [pair for pair in parts if catalog.tombstone(*pair) is None]
    burials = [_burial(root, catalog, leaf, part, at, new_id()) for leaf, part in gone]
    content = {
        "reason": reason,
        KEPT_KEY: catalog.address_of(number),
        "removed": [burial._asdict() for burial in burials],
    }
    from muniment.archive.records import Group, act_group

    group = act_group("withdrawal", content, at, new_id, number, None)
    digests = {f"{burial.leaf}.{burial.part}": burial.tombstone().digest for burial in burials}
    return Group(group.leaf._replace(tombstones=digests), group.records, content=content)


def _burial(root: Path, catalog: Catalog, leaf: int, part: int, at: str, identity: str) -> Burial:
    """The catalog is believed nothing here: the bytes at that place have to be what the leaf states."""
    placement = catalog.placements(leaf)[part]
    try:
        record = _record_at(root, placement.segment, placement.offset, placement.length)
        if hashlib.sha256(record).hexdigest() != leaf_at(root / "log", leaf).records[part]:
            raise ValueError("another record lies there")
        headers = parse_record(record).headers
        refers_to = headers["WARC-Record-ID"].removeprefix("<urn:uuid:").removesuffix(">")
    except (OSError, ValueError, KeyError, IndexError) as e:
        raise IntegrityError(
            f"record {part} of #{leaf} cannot be removed at byte {placement.offset} of {placement.segment}: {e}; run"
            " `muniment verify`, restore the file from a copy, or `muniment rebuild`"
        ) from e
    uri = headers.get("WARC-Target-URI")
    place = placement.segment, placement.offset, placement.length
    return Burial(leaf, part, *place, identity, at, uri, refers_to)


def _record_at(root: Path, segment: str, offset: int, length: int) -> bytes:
    """The record in the gzip member at a place. Raises ValueError where no whole member is there, OSError."""
    if not is_segment_path(segment) or offset < 0 or length < 1:
        raise ValueError("that is no place in a segment")
    with open_regular(root / segment) as file:
        return inflate(read_at(file, offset, length))


def burials_of(leaf: Leaf, content: Mapping[str, Any]) -> Sequence[tuple[Burial, Tombstone]]:
    """What a withdrawal that stands in the log removes. Raises ValueError where record and leaf do not agree."""
    try:
        found = [Burial(**removed) for removed in content["removed"]]
        pairs = [(burial, burial.tombstone()) for burial in found]
    except (KeyError, TypeError) as e:
        raise ValueError(f"its record cannot be read: {e}") from e
    if not all(is_segment_path(burial.segment) for burial in found):
        raise ValueError("it names a file that is no segment")
    if {f"{burial.leaf}.{burial.part}": tombstone.digest for burial, tombstone in pairs} != leaf.tombstones:
        raise ValueError("it does not name the tombstones that its leaf does")
    return pairs


def bury(root: Path, leaf: Leaf, content: Mapping[str, Any]) -> list[tuple[int, int, Placement]]:
    """Put the tombstones in place; those that are there stay. Returns where each lies, by leaf and part.

    Nothing is overwritten but the record that the log has there, or what a kill left of its overwriting: a place is
    data that somebody wrote, and a whole record of another leaf is not to go. Raises IntegrityError.
    """
    placed = []
    try:
        burials = burials_of(leaf, content)
    except ValueError as e:  # whoever holds the key wrote it so; verify tells of it, and nothing is removed
        logging.getLogger(__name__).warning("a withdrawal of #%s is not carried out: %s", leaf.of, e)
        return []
    for burial, tombstone in burials:
        if not _is_buried(root, leaf, burial, tombstone):
            overwrite(root / burial.segment, burial.offset, tombstone.member)
        member = hashlib.sha256(tombstone.member).digest()
        placement = Placement(burial.segment, burial.offset, burial.length, tombstone.size, member)
        placed.append((burial.leaf, burial.part, placement))
    return placed


def _is_buried(root: Path, leaf: Leaf, burial: Burial, tombstone: Tombstone) -> bool:
    where = f"byte {burial.offset} of {burial.segment}"
    try:
        target = leaf_at(root / "log", burial.leaf)
        if not may_remove(leaf, burial.leaf, target.type, target.of):
            raise IntegrityError(f"the withdrawal of #{leaf.of} names a record of #{burial.leaf}, no part of it")
        with open_regular(root / burial.segment) as file:
            present = read_at(file, burial.offset, burial.length)
        if present == tombstone.member:
            return True
        if len(present) != burial.length:
            raise IntegrityError(f"no record of #{burial.leaf} lies at {where}")
        digest = target.records[burial.part]
    except (OSError, ValueError, IndexError) as e:
        raise IntegrityError(f"what was withdrawn cannot be removed at {where}: {e}") from e
    with suppress(ValueError):  # a whole member has to be the record's own; a broken one was overwritten in part
        if hashlib.sha256(inflate(present)).hexdigest() != digest:
            raise IntegrityError(f"another record than the withdrawn one of #{burial.leaf} lies at {where}")
    return False
