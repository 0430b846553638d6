"""What a feed or a sitemap said of a page, as hints for cleaning: ranked below what the page declares of itself, above
what would have to be guessed.

The hints travel as facts of the capture (`feed-title: …`), so that cleaning it again finds them as they were.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from muniment.ingest.clean import dates
from muniment.ingest.clean.job import Findings, Hints

_KINDS = ("feed", "sitemap")
# Where a page says a thing itself, or shows it as its heading; anything else is a guess.
_OWN = ("declared", "jsonld", "meta", "microdata", "rdfa", "h1")


def hints_of(facts: Iterable[tuple[str, str]]) -> Hints | None:
    """The hints among a capture's facts; None where nobody said anything of it."""
    said: dict[str, list[str]] = {}
    for name, value in facts:
        said.setdefault(name, []).append(value)
    for kind in _KINDS:
        title, published, authors, language = (
            said.get(f"{kind}-{name}", []) for name in ("title", "published", "author", "language")
        )
        if title or published or authors:
            first = [next(iter(values), "") for values in (title, published, language)]
            return Hints(kind, first[0], first[1], tuple(authors), first[2])
    return None


def take_hints(found: Findings, hints: Hints, latest: date) -> Findings:
    """The findings, with hints in the place of what is missing or was guessed; `latest` is the day of the capture."""
    origins, changes = dict(found.origins), dict[str, object]()
    if hints.title and not _is_own(origins.get("title")):
        changes["title"] = hints.title
        origins["title"] = f"{hints.origin}:title"
    if hints.authors and not _is_own(origins.get("authors")):
        changes["authors"] = hints.authors
        origins["authors"] = f"{hints.origin}:author"
    if hints.published and not (found.published and _is_own(found.published.origin)):
        published = dates.parse(_iso(hints.published), f"{hints.origin}:published", latest=latest)
        if published is not None:
            changes["published"], origins["published"] = published, published.origin
    if hints.language and not found.language:
        changes["language"] = hints.language
    return replace(found, origins=origins, **changes)  # type: ignore[arg-type]  # each is of its field's type


def _is_own(origin: str | None) -> bool:
    return bool(origin) and str(origin).partition(":")[0] in _OWN


def _iso(written: str) -> str:
    from muniment.ingest.discover.dates import iso_of

    return iso_of(written) or written
