"""What a mistyped name may have meant: the most like of the names that there are."""

from __future__ import annotations

from collections.abc import Collection

from muniment.index.query import edit_distance_within


def like(word: str, names: Collection[str]) -> str | None:
    """The name that a word is most like: a letter or two wrong or swapped, or the beginning of one name only."""
    word = word.lower()
    if word in names:
        return word
    for distance in (1, 2) if len(word) > 4 else (1,):
        close = [name for name in names if len(name) > distance + 1 and edit_distance_within(word, name, distance)]
        if close:
            return min(close, key=lambda name: (sorted(name) != sorted(word), name[:1] != word[:1], name))
    swapped = [name for name in names if len(name) > 2 and sorted(name) == sorted(word)]
    begun = [name for name in names if len(word) > 2 and name.startswith(word)]
    return swapped[0] if swapped else begun[0] if len(begun) == 1 else None


def meant(word: str, names: Collection[str], form: str = "{}") -> str:
    """`; did you mean source:?`, or "" where no name is like the word."""
    found = like(word, names)
    return f"; did you mean {form.format(found)}?" if found else ""


_OTHERWISE = {
    "by": "author", "writer": "author", "from": "since", "to": "until", "year": "published", "day": "published",
    "url": "site", "host": "site", "domain": "site", "inurl": "site", "website": "site", "type": "kind",
    "filetype": "kind", "format": "kind", "intitle": "title", "headline": "title", "subject": "title", "body": "text",
    "intext": "text", "content": "text", "label": "tag", "topic": "tag", "category": "tag", "keyword": "tag",
    "publisher": "source", "paper": "source", "crawled": "captured", "archived": "captured", "state": "is",
    "without": "has", "around": "near",
}  # fmt: skip


def field_meant(name: str, fields: Collection[str]) -> str:
    """`; did you mean source:?` for a field by a name that other languages give it, or that is like one; else ""."""
    if name in _OTHERWISE:
        return f"; did you mean {_OTHERWISE[name]}:?"
    return meant(name, fields, "{}:")
