"""What happened to an article, oldest first, and what each time changed of it. Pure: texts are read by the caller.

Each different text is a version, counted from 1. A capture is compared with the newest one before it that gave a text,
so that a page that gave none, or an error, is told as that, and what came before it still stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from muniment.errors import IntegrityError
from muniment.versions.difference import Difference, compare, count_words
from muniment.versions.minor import is_minor

if TYPE_CHECKING:
    from muniment.formats.leaf import Leaf
    from muniment.snapshot import Snapshot

GONE = ("http-404", "http-410")


@dataclass(frozen=True, slots=True)
class Event:
    """One capture, revisit or failed attempt under an article's identity.

    `kind` is what it comes to:

        version       a text that was not seen before: number `version`
        again         the text of the earlier version `version`, in other bytes or after another one
        unchanged     the same bytes as `leaf.of`, or nothing modified, as the server said (304)
        no-text       a page that gave no text (`snapshot.problem`): a version before it still stands
        redirected    leads to `location`
        gone          the page was removed: 404 or 410
        failed        any other attempt that gave nothing
        withdrawn     removed from this archive
        other         a capture of which no article was made
        rederived     no event of the article: a text was made anew of the capture `leaf.of` (versions/rederived.py)

    `changed` names what differs from the text before: "text", "title", "date", "authors"; `removed`, `added` and
    `moved` count words and paragraphs. `minor` is as versions/minor.py has it. `damage` says why a text cannot be read.
    """

    kind: str
    number: int
    leaf: Leaf
    snapshot: Snapshot | None = None
    version: int | None = None
    changed: tuple[str, ...] = ()
    removed: int = 0
    added: int = 0
    moved: int = 0
    minor: bool = False
    location: str | None = None
    damage: str | None = None


class _Last:
    """The newest text so far."""

    def __init__(self, snapshot: Snapshot, digest: bytes):
        self.snapshot, self.digest = snapshot, digest


def timeline(
    events: Iterable[tuple[Snapshot | None, Leaf, int]],
    digests: dict[int, bytes],
    read: Callable[[Snapshot], str],
    location: Callable[[Leaf, int], str | None],
) -> Iterator[Event]:
    """The events of `Catalog.history`. `digests` are the SHA-256 of the texts by snapshot, of those that have one;
    `read` gives a text or raises IntegrityError; `location` says where a redirect leads."""
    known: dict[bytes, int] = {}
    last: _Last | None = None
    for snapshot, leaf, number in events:
        digest = digests.get(number)
        if snapshot is None or digest is None:
            yield _without_text(snapshot, leaf, number, location)
            continue
        kind = "again" if digest in known else "version"
        version = known.setdefault(digest, len(known) + 1)
        yield _with_text(kind, version, snapshot, digest, leaf, last, read)
        last = _Last(snapshot, digest)


def _without_text(
    snapshot: Snapshot | None, leaf: Leaf, number: int, location: Callable[[Leaf, int], str | None]
) -> Event:
    if leaf.reason == "http-304":
        return Event("unchanged", number, leaf)
    if leaf.type == "attempt":
        return Event("gone" if leaf.reason in GONE else "failed", number, leaf)
    if leaf.type == "revisit":
        return Event("unchanged", number, leaf, snapshot)
    if snapshot is not None and snapshot.withdrawn is not None:
        return Event("withdrawn", number, leaf, snapshot)
    if (where := location(leaf, number)) is not None:
        return Event("redirected", number, leaf, snapshot, location=where)
    derived = snapshot is not None and snapshot.derivation is not None
    return Event("no-text" if derived else "other", number, leaf, snapshot)


def _with_text(
    kind: str, version: int, snapshot: Snapshot, digest: bytes, leaf: Leaf, last: _Last | None,
    read: Callable[[Snapshot], str],
) -> Event:  # fmt: skip
    if last is None:
        return Event(kind, snapshot.number, leaf, snapshot, version)
    difference: Difference | None = None
    changed = list(fields_changed(last.snapshot, snapshot))
    words, damage = 0, None
    if digest != last.digest:
        changed.insert(0, "text")
        try:
            old, new = read(last.snapshot), read(snapshot)
            difference, words = compare(old, new), max(count_words(old), count_words(new))
        except IntegrityError as e:
            damage = str(e)
    if difference is None:
        return Event(kind, snapshot.number, leaf, snapshot, version, tuple(changed), damage=damage)
    minor = "title" not in changed and "date" not in changed and is_minor(difference, words)
    return Event(
        kind, snapshot.number, leaf, snapshot, version, tuple(changed), difference.removed, difference.added,
        difference.moved, minor,
    )  # fmt: skip


def fields_changed(old: Snapshot, new: Snapshot) -> Iterator[str]:
    """What besides the text is said otherwise of an article: "title", "date", "authors"."""
    if (old.title or "") != (new.title or ""):
        yield "title"
    if old.published != new.published:
        yield "date"
    if old.authors != new.authors:
        yield "authors"
