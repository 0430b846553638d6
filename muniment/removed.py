"""The words that an article had in an earlier version, in its title or its text, and has no more: for `removed:`.

Every earlier text has a part in it, and an article may have hundreds. So from MANY on the words of all of them together
are kept beside the index, with the derivations that they come from, and a new version costs the reading of one text.
They are a cache: where a derivation that took part is none any more (withdrawn, cleaned anew) all are read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from muniment.archive.archive import Archive
from muniment.errors import IntegrityError
from muniment.index import analysis
from muniment.index.engine import article_id

if TYPE_CHECKING:
    from muniment.index.stories import Stories
    from muniment.snapshot import Snapshot

MANY = 8  # different texts


def removed_words(archive: Archive, newest: Snapshot, text: str, stories: Stories | None) -> tuple[str, ...]:
    """Of the version that stands for its article, with its text. Raises sqlite3.Error where `stories` are damaged."""
    earlier: dict[bytes, tuple[int, int]] = {}
    for number, derivation, digest in archive.catalog.versions(newest.key):
        if number == newest.number:
            break  # they come by when they were captured: an import may bring an older one later
        if derivation is not None:
            earlier.setdefault(digest, (derivation, number))
    held = {*analysis.words(newest.title or ""), *analysis.words(text)}
    return tuple(sorted(_words_of(archive, newest.key, dict(earlier.values()), stories) - held))


def _words_of(archive: Archive, key: str, wanted: Mapping[int, int], stories: Stories | None) -> set[str]:
    """All words of these derivations, by the numbers of their snapshots."""
    if stories is None:
        return _read(archive, wanted)[1]
    article = article_id(key)
    kept = stories.vocabulary(article, analysis.VERSION) if len(wanted) >= MANY else None
    if kept is None or not kept[0] <= wanted.keys():
        kept = set[int](), set[str]()
    lacking = {derivation: number for derivation, number in wanted.items() if derivation not in kept[0]}
    read, words = _read(archive, lacking)
    words |= kept[1]
    if len(wanted) < MANY:
        stories.drop_vocabulary(article)
    elif read:
        stories.keep_vocabulary(article, analysis.VERSION, kept[0] | read, words)
    return words


def _read(archive: Archive, wanted: Mapping[int, int]) -> tuple[set[int], set[str]]:
    read, words = set[int](), set[str]()
    for derivation, number in wanted.items():
        snapshot = archive.snapshot(number)
        try:
            words.update(analysis.words(snapshot.title or ""), analysis.words(archive.text(snapshot)))
        except IntegrityError:
            continue  # told when it is indexed itself
        read.add(derivation)
    return read, words


def forget_words(archive: Archive, number: int, stories: Stories) -> None:
    """Of a snapshot that is no article any more: nothing of a text that was withdrawn is to be left."""
    if (key := archive.catalog.key_of(number)) is not None:
        stories.drop_vocabulary(article_id(key))
