"""What goes into cleaning, and what passes between its steps: frozen values, nothing heavy imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from muniment.model import Declared, Dropped, Published


@dataclass(frozen=True, slots=True)
class Hints:
    """What a listing said of a page. `origin` is its kind ("feed", "sitemap"); `published` is as it was written."""

    origin: str
    title: str = ""
    published: str = ""
    authors: tuple[str, ...] = ()
    language: str = ""


@dataclass(frozen=True, slots=True)
class CleanJob:
    """One capture to clean. `payload` is the entity with its content coding still on; `captured_at` is aware UTC.

    `recognised` is the text that `recogniser` (for the record) read from the pictures of a scanned document.
    """

    payload: bytes
    media_type: str
    captured_at: datetime
    uri: str = ""
    charset: str | None = None
    content_encoding: str | None = None
    declared: Declared = field(default_factory=Declared)
    file_name: str | None = None
    hints: Hints | None = None
    recognised: str = ""
    recogniser: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a cleaner found in a page, before declared fields win over it.

    `origins` names where each field came from; `confidence` is how far the extractors of the text agree, None where
    there was but one. `language` is the page's own claim, a hint and no more. `said` is what a document states of
    itself; `problem` says why there is no text, where that is known.
    """

    title: str = ""
    text: str = ""
    authors: tuple[str, ...] = ()
    published: Published | None = None
    language: str | None = None
    captions: tuple[str, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None
    confidence: float | None = None
    updated: Published | None = None
    canonical: str | None = None
    flags: tuple[str, ...] = ()
