"""Which leaves an export takes: the snapshots asked for, and what replay needs besides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from muniment.errors import IntegrityError
from muniment.export.members import Members, snapshot_number

if TYPE_CHECKING:
    from muniment.archive.archive import Archive

_NAMED, _FAR = 50, 5_000
SNAPSHOTS = ("capture", "revisit", "attempt")
_BESIDE = ("record",)  # of imported files
_SAID = ("tag", "note", "source", "collection", "withdrawal")


class Selection(NamedTuple):
    """`snapshots` are what was asked for, `captures` these with the redirects that led there and the captures that
    revisits refer to, `derived` the derivations of `captures` and what was said of them: numbers of leaves, each in the
    log's order."""

    label: str
    snapshots: Sequence[int]
    captures: Sequence[int]
    derived: Sequence[int]


def select_all(archive: Archive) -> Selection:
    """Every snapshot and attempt, what was made of it, and what was said."""
    everything = archive.catalog.numbers(*SNAPSHOTS)
    kept = archive.catalog.numbers(*SNAPSHOTS, *_BESIDE)
    return Selection("the whole archive", everything, kept, archive.catalog.numbers("derivation", *_SAID))


def select(archive: Archive, members: Members, wanted: Iterable[int], label: str | None = None) -> Selection:
    """These snapshots and attempts; a derivation's number stands for its snapshot. Raises UsageError for any other."""
    snapshots = sorted({snapshot_number(archive, number) for number in wanted})
    captures: set[int] = set()
    due = list(snapshots)
    while due:
        number = due.pop()
        if number not in captures:
            captures.add(number)
            due += _needed_by(archive, members, number)
    held = [archive.catalog.snapshot(number) for number in sorted(captures)]
    derived = [snapshot.derivation for snapshot in held if snapshot is not None and snapshot.derivation is not None]
    derived += [act[0] for number in captures for act in archive.catalog.acts(number)]
    return Selection(label or _label(snapshots), snapshots, sorted(captures), sorted(derived))


def _needed_by(archive: Archive, members: Members, number: int) -> list[int]:
    """The capture that a revisit refers to, and the redirect that led to a capture: it was captured just before."""
    leaf = archive.leaf(number)
    needed = [] if leaf.of is None else [leaf.of]
    try:
        via = members.facts(number).get("via")
    except IntegrityError:
        return needed  # the record is damaged: it is named when its turn comes to be written
    if via and (redirect := archive.catalog.newest_before(via[0], number)) is not None:
        needed.append(redirect)
    return needed + _requisites_of(archive, members, number)


def _requisites_of(archive: Archive, members: Members, number: int) -> list[int]:
    """What was captured with a page, right before it, and says that it belongs to it."""
    from muniment.ingest.urls import page_of

    found, page = list[int](), [page_of(archive.leaf(number).uri or "")]
    for before in range(number - 1, max(-1, number - _FAR), -1):
        kind, _ = archive.catalog.kind_of(before) or (None, None)  # unread: damage beside it is no part of the export
        if kind in ("segment", *_BESIDE):  # an attempt of the archive that it was imported from
            continue
        try:
            if kind not in SNAPSHOTS or members.facts(before).get("requisiteOf") != page:
                break
        except IntegrityError:
            continue
        found.append(before)
    return found


def _label(snapshots: Sequence[int]) -> str:
    named = " ".join(f"#{number}" for number in snapshots[:_NAMED])
    return named if len(snapshots) <= _NAMED else f"{named} and {len(snapshots) - _NAMED} more"
