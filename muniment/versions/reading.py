"""The text of one version of an article, out of the archive, and the two that a difference is between."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from muniment.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    from muniment.archive.archive import Archive
    from muniment.model import Article


class Reading(NamedTuple):
    """What cleaning made of a snapshot: the newest derivation of it, or an earlier one."""

    snapshot: int
    derivation: int
    at: str
    article: Article


def read(archive: Archive, number: int) -> Reading:
    """The reading of a snapshot; of a revisit, that of the capture that it refers to; of a derivation, that one.

    Raises UsageError where there is none, IntegrityError where it is damaged.
    """
    leaf = archive.leaf(number)
    if leaf.type == "derivation":
        return read_derivation(archive, leaf.of or 0, number)
    if leaf.type == "revisit":
        return read(archive, leaf.of or 0)
    snapshot = archive.snapshot(number)
    if snapshot.withdrawn is not None:
        raise UsageError(f"#{number} was withdrawn by #{snapshot.withdrawn}")
    if snapshot.derivation is None:
        raise UsageError(f"#{number} is no article: `muniment history {number}` shows what it is")
    return read_derivation(archive, number, snapshot.derivation)


def read_derivation(archive: Archive, number: int, derivation: int) -> Reading:
    """The reading of a snapshot that one of its derivations is. Raises UsageError where it is none of them."""
    from muniment.archive.records import read_article

    made = archive.catalog.made_of(number)
    if derivation not in made:
        known = ", ".join(f"#{other}" for other in made) or "none"
        raise UsageError(f"#{derivation} is no derivation of #{number}: there is {known}")
    if archive.catalog.withdrawn_by(derivation) is not None:
        raise UsageError(f"#{derivation} was withdrawn")
    conversion, metadata = archive.records(derivation)
    try:
        return Reading(number, derivation, archive.leaf(number).date, read_article(conversion, metadata))
    except (ValueError, KeyError) as e:
        raise IntegrityError(f"a record of #{derivation} is damaged: {e}; run `muniment verify`") from e


def last_two(archive: Archive, key: str) -> tuple[int, int] | None:
    """The snapshots of the newest text of an article and of the newest before it that is another one; None where
    there is but one text."""
    versions = archive.catalog.versions(key)
    before = next((number for number, _, digest in reversed(versions) if digest != versions[-1][2]), None)
    return None if before is None else (before, versions[-1][0])
