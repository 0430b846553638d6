"""Which key signed from which leaf on, and what shows it. Apart from rotation.py, so that a proof need not import the
writer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from muniment.errors import IntegrityError
from muniment.formats import evidence

if TYPE_CHECKING:
    from muniment.archive.archive import Archive
    from muniment.formats.succession import Change


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


def changes_up_to(archive: Archive, size: int) -> tuple[list[Change], dict[str, bytes]]:
    """How the key of a checkpoint of `size` leaves came after those before, and the files of a proof that show it.

    The newest changes, as many as a proof may hold. One that cannot be shown is left out with all before it.
    """
    from itertools import pairwise

    from muniment.archive.config import parse_keys
    from muniment.archive.proving import Tree, commits_back
    from muniment.formats.leaf import parse_leaf
    from muniment.formats.note import format_vkey
    from muniment.formats.proof import Proof, format_proof
    from muniment.formats.succession import MAX_CHANGES, read_change

    held = [(before, after.first) for before, after in pairwise(validity(archive)) if after.first < size]
    if not held:
        return [], {}
    log, config = archive.root / "log", archive.config
    newest = held[-MAX_CHANGES:][::-1]
    commits = commits_back(log, config.origin, [number + 1 for _, number in newest], config.keys())
    changes: list[Change] = []
    files: dict[str, bytes] = {}
    for before, number in newest:
        try:
            commit, entry = next(commits), archive.entry(number)
            path = tuple(Tree(log, commit.checkpoint).prove_inclusion(number, entry))
            proof = format_proof(Proof(number, path, commit.note))
            change = read_change(number, parse_leaf(entry), entry, proof, parse_keys(before.vkeys)[0])
        except (ValueError, IntegrityError) as e:
            import logging

            logging.getLogger(__name__).warning("the keys before #%d are left out: %s", number, e)
            break
        changes.insert(0, change)
        files |= dict(zip(evidence.key_files(number), (entry, proof.encode()), strict=True))
        files[evidence.FIRST_KEY] = f"{format_vkey(change.before.name, change.before.key)}\n".encode()
    return changes, files
