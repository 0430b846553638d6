"""Which key signed from which leaf on. Apart from rotation.py, so that a proof need not import the writer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from muniment.archive.archive import Archive


class Validity(NamedTuple):
    """A key by the leaves of the log: the first and the last whose commits it signed (None: it is in force).

    `trusted_to` is the first leaf that its signature alone does not vouch for, where another had the key.
    """

    vkeys: str
    first: int
    last: int | None
    reason: str | None
    trusted_to: int | None


def validity(archive: Archive) -> list[Validity]:
    """The keys of the log, oldest first."""
    numbers = archive.catalog.key_changes()
    leaves = [(number, archive.leaf(number)) for number in numbers]
    found = [Validity(archive.config.vkeys[0], 0, None, None, None)]
    for number, leaf in leaves:
        found[-1] = found[-1]._replace(last=number - 1, trusted_to=leaf.size)
        found.append(Validity(leaf.key or "", number, None, leaf.reason, None))
    return found
