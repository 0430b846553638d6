"""What muniment wrote beside the records of an imported file: an archive's export, taken into another archive.

The metadata record of a capture says what was declared of it, what a feed said, what its file was called, and whether
it was an article at all. It is the word of whoever made the file, as the records beside it are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from muniment.errors import UsageError
from muniment.ingest.attachments import NO_ARTICLE
from muniment.ingest.importing.records import Found
from muniment.ingest.upload import declared_of, printable
from muniment.model import Declared

_MAX_BLOCK, _MAX_VALUE, _MAX_LINES = 1 << 20, 2000, 1000
_KEPT = ("fileName", "charset", "via", "requisiteOf", "listing", "partOf", "foundIn")
_KEPT_OF = ("feed-", "sitemap-")
_NO_ARTICLES = ("requisiteOf", "listing", "outcome")


class Said(NamedTuple):
    """What is said of one capture: the lines that cleaning and exports go by, and what was declared. `is_own` where
    muniment captured it itself; else it was imported there too, and only its media type tells whether it was an
    article."""

    lines: tuple[tuple[str, str], ...]
    declared: Declared
    is_capture: bool
    is_own: bool

    def is_article(self, media_type: str) -> bool:
        """Whether it was one where it comes from."""
        return self.is_capture and not (self.first("partOf") and media_type.startswith(NO_ARTICLE))

    def first(self, name: str) -> str | None:
        return next((value for other, value in self.lines if other == name), None)


def said_of(companions: Iterable[Found]) -> Said | None:
    """What the metadata records of ours among those beside a capture say; None where none is."""
    lines: list[tuple[str, str]] = []
    is_own = False
    for record in companions:
        if record.type == "metadata" and (record.first("content-type") or "").startswith("application/warc-fields"):
            text = record.block.start(_MAX_BLOCK).decode("utf-8", "replace")
            found = [line.partition(":") for line in text.split("\r\n")]
            if any(name == "client" and value.strip().startswith("muniment/") for name, _, value in found):
                lines += [(name, value.strip()) for name, colon, value in found[:_MAX_LINES] if colon]
                is_own |= all(name != "importedFrom" for name, _, _ in found)
    if not lines:
        return None
    kept = ((n, printable(v)[:_MAX_VALUE]) for n, v in lines if n in _KEPT or n.startswith(_KEPT_OF))
    names = {name for name, _ in lines}
    return Said(tuple(dict.fromkeys(kept)), _declared(lines), names.isdisjoint(_NO_ARTICLES), is_own)


def _declared(lines: Iterable[tuple[str, str]]) -> Declared:
    """The declarations; one that could not have been made is left out."""
    found = Declared()
    for line, value in lines:
        name, value = line.removeprefix("declared-"), value[:_MAX_VALUE]
        try:
            match line:
                case "declared-title" | "declared-published" | "declared-source" | "declared-language":
                    one = declared_of(Declared(**{name: value}))  # type: ignore[arg-type]  # each is a string
                    found = joined(found, one)
                case "declared-author":
                    found = joined(found, declared_of(Declared(authors=(value,))))
                case "declared-tag":
                    found = joined(found, declared_of(Declared(tags=(value,))))
        except UsageError:
            continue
    return found


def joined(first: Declared, second: Declared) -> Declared:
    """Both declarations; where they differ, the first."""
    return Declared(
        first.url or second.url,
        first.title or second.title,
        first.published or second.published,
        first.source or second.source,
        first.language or second.language,
        tuple(dict.fromkeys((*first.authors, *second.authors))),
        tuple(dict.fromkeys((*first.tags, *second.tags))),
    )
