"""What a document holds, and what it says of itself: a frozen value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from muniment.model import Dropped

_NAME_BREAK = re.compile(r"\s*[;|]\s*|\s+(?:and|und|et|y|و)\s+|,\s+(?=\S+\s)")
_NO_AUTHOR = re.compile(
    r"(?i)^(?:(?:unknown|user|admin|administrator|author|default|owner|root|microsoft(?: office)? user"
    r"|windows user)?\d*"
    r"|.*[\\/].*)$"
)
_MADE_UP = r"untitled|print|(?:document|presentation|slide|title|page)[ _]?\d*"
_PROGRAM = re.compile(rf"(?i)^(?:microsoft\s+(?:word|powerpoint|excel)|{_MADE_UP})\s*(?:-\s*|$)")
_FILE = re.compile(r"(?i)^\S*\.(?:docx?|dotx?|odt|rtf|txt|pdf|indd|qxd|pmd|dvi|ps|tex|cdr|ai|xlsx?|pptx?|html?|wpd)$")
_NO_DATES = frozenset({"1601-01-01", "1900-01-01", "1904-01-01", "1970-01-01", "1979-12-31", "1980-01-01"})


@dataclass(frozen=True, slots=True)
class Document:
    """`text` holds a paragraph a line. `page` is HTML that has to be cleaned like any page of the Web, saved from
    `url`; `text` is then all that is seen of it. `published` is an ISO date or time, most often that of the making.

    `title_origin` and the others name where each came from ("pdf:Title"); `said` keeps what the document states of
    itself as it states it, as evidence ({"pdf:ModDate": "2021-05-30T10:00:00+02:00"}). `problem` says why there is no
    text. `decoding` tells how the text was read.
    """

    text: str = ""
    page: str = ""
    url: str = ""
    title: str = ""
    title_origin: str = ""
    authors: tuple[str, ...] = ()
    authors_origin: str = ""
    published: str = ""
    published_origin: str = ""
    language: str | None = None
    said: Mapping[str, str] = field(default_factory=dict)
    dropped: tuple[Dropped, ...] = ()
    decoding: str = ""
    problem: str | None = None


def words(text: str) -> frozenset[str]:
    """The words of a list."""
    return frozenset(text.split())


def one_line(value: str | None) -> str:
    """The value on one line; empty where there is none."""
    return " ".join((value or "").replace("\0", "").split())[:1000]


def plausible_title(value: str) -> str:
    """A title as a program stored it; empty where it is a file's or a program's name ("Microsoft Word - x.doc")."""
    title = _PROGRAM.sub("", one_line(value))
    return "" if len(title) < 3 or _FILE.match(title) else title


def people(values: Iterable[str]) -> tuple[str, ...]:
    """The names in the values, without the names of nobody ("user", "admin")."""
    names = (name.strip(" ,;") for value in values for name in _NAME_BREAK.split(one_line(value)))
    return tuple(dict.fromkeys(n for n in names if 2 < len(n) <= 100 and not _NO_AUTHOR.match(n)))[:50]


def plausible_date(stated: str) -> str:
    """An ISO time as stated; empty for the dates of clocks that were never set."""
    return "" if stated[:10] in _NO_DATES else stated


def iso_time(value: str) -> str:
    """An ISO 8601 date or time in its normal spelling, with the zone as stated; empty where it is none."""
    text = value.strip()
    if re.fullmatch(r"\d{4}(-\d{2})?", text):
        return text
    try:
        moment = datetime.fromisoformat(text[:35])
    except ValueError:
        return text[:10] if re.match(r"\d{4}-\d{2}-\d{2}", text) else ""
    return text[:10] if len(text) <= 10 else moment.isoformat(timespec="seconds")


def zoned(moment: datetime, offset_minutes: int) -> datetime:
    """The moment with that offset from UTC; unchanged where no zone has it."""
    if abs(offset_minutes) >= 24 * 60:
        return moment
    return moment.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
