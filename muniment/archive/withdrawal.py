"""Removing what was captured, where a court or a person's right demands it; the evidence that it was there stays.

The leaf of a withdrawal names the digest of the tombstone that stands for each record from then on; its record says
why, and where each member lay, so that a removal which a kill cut short can be done again. Order: the commit, then the
overwriting (`bury`), then the catalog; whoever finds the catalog behind does the last two anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from muniment.archive.catalog import Catalog
from muniment.archive.records import Group, act_group
from muniment.archive.segments import Placement, inflate, read_at
from muniment.archive.tombstone import Tombstone, build_tombstone
from muniment.durable import overwrite
from muniment.errors import IntegrityError, UsageError
from muniment.formats.leaf import Leaf
from muniment.formats.warc import parse_record

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
    """The leaf and record of a withdrawal. Raises UsageError where #number is nothing that can be withdrawn."""
    kind, of = catalog.kind_of(number) or ("", None)
    if kind == "revisit":
        raise UsageError(f"#{number} holds no bytes of its own: withdraw #{of}, the capture that it refers to")
    if kind == "derivation":
        raise UsageError(f"#{number} was made of #{of}: withdraw that")
    if kind not in ("capture", "attempt", "note"):
        raise UsageError(f"#{number} is {f'a {kind}' if kind else 'not in the log'}: withdraw a capture or a note")
    if (before := catalog.withdrawn_by(number)) is not None:
        raise UsageError(f"#{number} was withdrawn before, by #{before}")
    own = len(catalog.placements(number)) if entirely else 1
    parts = [(number, part) for part in range(own)]
    parts += [(leaf, part) for leaf in catalog.made_of(number) for part in range(len(catalog.placements(leaf)))]
    burials = [_burial(root, catalog, leaf, part, at, new_id()) for leaf, part in parts]
    content = {
        "reason": reason,
        KEPT_KEY: catalog.key_of(number),
        "removed": [burial._asdict() for burial in burials],
    }
    group = act_group("withdrawal", content, at, new_id, number, None)
    digests = {f"{burial.leaf}.{burial.part}": burial.tombstone().digest for burial in burials}
    return Group(group.leaf._replace(tombstones=digests), group.records, content=content)


def _burial(root: Path, catalog: Catalog, leaf: int, part: int, at: str, identity: str) -> Burial:
    placement = catalog.placements(leaf)[part]
    uri = refers_to = None
    try:
        with (root / placement.segment).open("rb") as file:
            headers = parse_record(inflate(read_at(file, placement.offset, placement.length), placement.size)).headers
        uri = headers.get("WARC-Target-URI")
        refers_to = headers["WARC-Record-ID"].removeprefix("<urn:uuid:").removesuffix(">")
    except (OSError, ValueError, KeyError):  # a damaged record has to go all the same
        pass
    return Burial(leaf, part, placement.segment, placement.offset, placement.length, identity, at, uri, refers_to)


def burials_of(leaf: Leaf, content: Mapping[str, Any]) -> Sequence[tuple[Burial, Tombstone]]:
    """What a withdrawal that stands in the log removes. Raises IntegrityError where record and leaf do not agree."""
    try:
        found = [Burial(**removed) for removed in content["removed"]]
        pairs = [(burial, burial.tombstone()) for burial in found]
    except (KeyError, TypeError, ValueError) as e:
        raise IntegrityError(f"the record of a withdrawal cannot be read: {e}") from e
    if {f"{burial.leaf}.{burial.part}": tombstone.digest for burial, tombstone in pairs} != leaf.tombstones:
        raise IntegrityError(f"the withdrawal of #{leaf.of} does not name the tombstones that its leaf does")
    return pairs


def bury(root: Path, leaf: Leaf, content: Mapping[str, Any]) -> list[tuple[int, int, Placement]]:
    """Put the tombstones in place; those that are there stay. Returns where each lies, by leaf and part."""
    placed = []
    for burial, tombstone in burials_of(leaf, content):
        path = root / burial.segment
        try:
            with path.open("rb") as file:
                done = read_at(file, burial.offset, burial.length) == tombstone.member
        except OSError as e:
            raise IntegrityError(f"{burial.segment} cannot be read: {e.strerror}") from e
        if not done:
            overwrite(path, burial.offset, tombstone.member)
        member = hashlib.sha256(tombstone.member).digest()
        placement = Placement(burial.segment, burial.offset, burial.length, tombstone.size, member)
        placed.append((burial.leaf, burial.part, placement))
    return placed
