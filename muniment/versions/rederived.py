"""Texts of an article that were made anew of the same bytes: by a newer cleaner, or because more was declared of them.

They are no versions of the article, for what was captured is the same; but what is shown has changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from muniment.errors import IntegrityError, UsageError
from muniment.versions.timeline import Event

if TYPE_CHECKING:
    from muniment.archive.archive import Archive
    from muniment.model import Article


def rederivations(archive: Archive, events: Iterable[Event]) -> Iterator[Event]:
    """One for each derivation but the first of each capture among these events; `leaf.of` is the capture."""
    for event in list(events):
        for before, after in pairwise(archive.catalog.made_of(event.number)):
            yield _rederived(archive, event, before, after)


def count_rederivations(archive: Archive, events: Iterable[Event]) -> int:
    return sum(max(0, len(archive.catalog.made_of(event.number)) - 1) for event in events)


def _rederived(archive: Archive, event: Event, before: int, after: int) -> Event:
    from muniment.versions.difference import compare
    from muniment.versions.reading import read_derivation

    leaf = archive.leaf(after)
    try:
        old, new = (read_derivation(archive, event.number, number).article for number in (before, after))
    except (IntegrityError, UsageError) as e:
        return Event("rederived", after, leaf, event.snapshot, damage=str(e))
    changed = tuple(differing(old, new))
    difference = compare(old.text, new.text) if "text" in changed else None
    counts = (difference.removed, difference.added, difference.moved) if difference else (0, 0, 0)
    return Event("rederived", after, leaf, event.snapshot, None, changed, *counts)


def differing(old: Article, new: Article) -> Iterator[str]:
    """The names of the fields that differ, of those that say something of the article and not of who made it."""
    from muniment.archive.records import describe_article

    if old.text != new.text:
        yield "text"
    before, after = describe_article(old, None, ()), describe_article(new, None, ())
    for name in before:
        if name not in ("extractor", "settings") and before[name] != after[name]:
            yield name
