"""Cleaning once more, to see that the texts are what the recorded extractor makes of the captured bytes.

    recorded: bytes + what was declared + extractor and its settings  ->  article
    here:     the same bytes, the same declarations, the same extractor  ->  has to be the same, byte for byte

Where another extractor is installed than the recorded one nothing can be said, and nothing is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from muniment.archive.archive import Archive
from muniment.archive.verify.finding import Finding
from muniment.errors import FetchError, IntegrityError
from muniment.ingest.clean import CleanJob
from muniment.ingest.clean.fingerprint import fingerprint
from muniment.ingest.clean.workers import Workers
from muniment.ingest.decode import KINDS
from muniment.model import Article
from muniment.remaking import clean_job

_FIELDS = ("text", "title", "authors", "published", "updated", "language", "captions", "dropped", "decoding", "said",
           "problem", "confidence", "canonical", "canonical_key", "flags")  # fmt: skip
BY_LIMITS = ("extraction-timeout", "extraction-memory", "extraction-crashed")


@dataclass(slots=True)
class Rederived:
    """How many were compared; why others were not, and how many; withdrawn ones are not counted."""

    compared: int = 0
    others: Counter[str] = field(default_factory=Counter)


class _Known(NamedTuple):
    derivation: int
    article: Article


def rederive(
    archive: Archive,
    told: Rederived,
    *,
    numbers: Sequence[int] = (),
    processes: int | None = None,
    progress: Callable[[int, int, int], None] = lambda done, total, read: None,
) -> Iterator[Finding]:
    """The derivations (those among `numbers`, where there are any) that come out otherwise; counts go into `told`."""
    wanted = [n for n in archive.catalog.numbers("derivation") if not numbers or n in numbers]
    done = 0
    with Workers(processes) as workers:
        for known, article in workers.map(_jobs(archive, wanted, told)):
            done += 1
            progress(done, len(wanted), len(known.article.text))
            if article.problem in BY_LIMITS or known.article.problem in BY_LIMITS:
                told.others["cleaning ran into its limits"] += 1
                continue
            told.compared += 1
            if different := differences(known.article, article):
                placement = archive.catalog.placements(known.derivation)[0]
                detail = f"cleaning the same bytes with the same extractor gives another {', '.join(different)}"
                yield Finding("rederived-other", detail, known.derivation, placement.segment, placement.offset)


def differences(recorded: Article, fresh: Article) -> list[str]:
    """The names of the fields that differ. What was declared with the same bytes earlier still holds, and is known to
    the archive alone."""
    kept = {
        name for name, origin in recorded.origins.items()
        if origin == "declared" and fresh.origins.get(name) != "declared"
    }  # fmt: skip
    return [name for name in _FIELDS if name not in kept and getattr(recorded, name) != getattr(fresh, name)]


def _jobs(archive: Archive, wanted: Sequence[int], told: Rederived) -> Iterator[tuple[_Known, CleanJob]]:
    for number in wanted:
        try:
            found = _job(archive, number, told)
        except (IntegrityError, FetchError, ValueError, KeyError):
            told.others["a record that is damaged"] += 1  # which the steps before have told
            continue
        if found is not None:
            yield found


def _job(archive: Archive, number: int, told: Rederived) -> tuple[_Known, CleanJob] | None:
    from muniment.archive.records import read_article

    catalog, of = archive.catalog, archive.leaf(number).of
    if of is None or catalog.tombstone(number, 0) or catalog.tombstone(of, 0):
        return None
    conversion, metadata = archive.records(number)
    article = read_article(conversion, metadata)
    if other := _other_extractor(article):
        told.others[other] += 1
        return None
    return _Known(number, article), clean_job(archive, of, number)


def _other_extractor(article: Article) -> str | None:
    """Why the installed extractor is not the recorded one; None where it is."""
    kind = article.extractor.removeprefix("muniment-").partition("/")[0]
    if kind not in KINDS:
        return f"made by {article.extractor or 'an unknown extractor'}, which is not here"
    extractor, settings = fingerprint(kind)
    if extractor != article.extractor:
        return f"made by {article.extractor}, here is {extractor}"
    names = sorted({*settings, *article.settings})
    other = [name for name in names if settings.get(name) != article.settings.get(name)]
    if not other:
        return None
    made = ", ".join(f"{name} {article.settings.get(name, '-')}" for name in other)
    return f"made by {made}, here is {', '.join(settings.get(name, '-') for name in other)}"
