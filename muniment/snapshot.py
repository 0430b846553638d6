"""The value that a search hands out, apart from model.py so that a search need not build the others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NewType

Digest = NewType("Digest", str)
Precision = Literal["day", "month", "year"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One capture in the archive: `number` is its leaf's index in the log, for good.

    `url` is the declared or fetched address (None for an upload that declares none); `key` the identity under
    which versions of one article stand together, those of its twins too. The article's fields are None or empty where
    nothing was derived (a redirect, an image). `derivation` is the number of the newest derivation's leaf, `withdrawn`
    that of the leaf by which the bytes were removed. `confidence` is how far the extractors of the text agree, from 0
    to 1; `flags` name what keeps it from being the whole article.
    """

    number: int
    type: Literal["capture", "revisit"]
    uri: str
    key: str
    captured_at: datetime
    payload: Digest
    media_type: str
    status: int | None
    url: str | None
    derivation: int | None
    title: str | None = None
    source: str | None = None
    published: str | None = None
    precision: Precision | None = None
    language: str | None = None
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    problem: str | None = None
    collections: tuple[str, ...] = ()
    withdrawn: int | None = None
    confidence: float | None = None
    flags: tuple[str, ...] = ()
