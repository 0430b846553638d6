"""Which articles tell the same story, nearly word for word: what the file of stories finds, as articles and sources."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from muniment.archive.archive import Archive
from muniment.index.stories import open_stories
from muniment.snapshot import Snapshot


class Twin(NamedTuple):
    """Another article of the same story; `likeness` is the share of its runs of three words that both have, 0 to 1."""

    snapshot: Snapshot
    likeness: float


def also_in(archive: Archive, snapshots: Sequence[Snapshot]) -> dict[int, tuple[str, ...]]:
    """By number, the other sources in which the story of a snapshot stands; those without one are left out."""
    stories = open_stories(archive.root / "index")
    if stories is None or not snapshots:
        return {}
    try:
        story_of = stories.stories_of([snapshot.number for snapshot in snapshots])
        members = stories.members(set(story_of.values()))
    finally:
        stories.close()
    held = {number: archive.catalog.snapshots(listed) for number, listed in members.items()}
    found: dict[int, tuple[str, ...]] = {}
    for snapshot in snapshots:
        others = held.get(story_of.get(snapshot.number, -1), ())
        by_article = {other.key: other.source for other in others if other.key != snapshot.key}  # the last of each
        if sources := {source for source in by_article.values() if source} - {snapshot.source}:
            found[snapshot.number] = tuple(sorted(sources))
    return found


def twins(archive: Archive, snapshot: Snapshot) -> list[Twin]:
    """The other articles of a snapshot's story, each by the capture of it that is most alike, the most alike first."""
    stories = open_stories(archive.root / "index")
    if stories is None:
        return []
    try:
        story = stories.stories_of([snapshot.number]).get(snapshot.number)
        members = stories.members([story])[story] if story is not None else []
        likeness = stories.likeness(snapshot.number, members)
    finally:
        stories.close()
    best: dict[str, Twin] = {}
    for other in archive.catalog.snapshots([number for number in members if number != snapshot.number]):
        twin = Twin(other, likeness.get(other.number, 0.0))
        if other.key != snapshot.key and (other.key not in best or twin.likeness > best[other.key].likeness):
            best[other.key] = twin
    return sorted(best.values(), key=lambda twin: (-twin.likeness, twin.snapshot.number))


def stories_of(archive: Archive) -> Callable[[Collection[int]], Mapping[int, int]]:
    """Tells the story of each of some snapshots that has one."""

    def tell(numbers: Collection[int]) -> Mapping[int, int]:
        stories = open_stories(archive.root / "index")
        if stories is None:
            return {}
        try:
            return stories.stories_of(numbers)
        finally:
            stories.close()

    return tell
