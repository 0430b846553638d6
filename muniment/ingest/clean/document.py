"""Documents to findings: what a document says of itself ranks below what its text says, and nothing is chrome.

A page within a document (MHTML, a letter in HTML) goes through the same cleaning as any page of the Web. A letter has
no chrome that has to go, so where that cleaning leaves out much of it, all that is seen stays.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from muniment.ingest.clean import dates
from muniment.ingest.clean.job import CleanJob, Findings
from muniment.ingest.documents.document import Document, iso_time, plausible_date
from muniment.model import Dropped, Published

_HEAD_LINES = 15  # in which a date line tells the date of the document
_CHANGED = ("pdf:ModDate", "docx:modified", "odt:date", "epub:modified", "rtf:revtim", "markdown:updated",
            "markdown:modified")  # fmt: skip
_A_CHANGE = 120  # seconds
_MOST = 0.5  # share of the words that are seen which cleaning has to keep of a letter


def clean_document(document: Document, job: CleanJob) -> Findings:
    """Everything found in the document, before declarations win over it."""
    if document.page:
        return _as_page(document, job)
    lines = [line for line in document.text.split("\n") if line.strip()]
    dropped = document.dropped
    if lines and document.title and _same(lines[0], document.title) and len(lines) > 1:
        dropped = (*dropped, Dropped(lines.pop(0), "repeated-headline"))
    latest = job.captured_at.date()
    published = _dated_line(lines, document, latest) or _made(document, latest)
    updated = _changed(document, published, latest)
    return Findings(
        title=document.title,
        text="\n".join(lines),
        authors=document.authors,
        published=published,
        updated=updated,
        language=document.language,
        dropped=dropped,
        origins={
            "title": document.title_origin,
            "authors": document.authors_origin,
            "published": published.origin if published else "",
            "updated": updated.origin if updated else "",
            "text": document.decoding if lines else "",
        },
        said=document.said,
        problem=document.problem,
    )


def _as_page(document: Document, job: CleanJob) -> Findings:
    from muniment.ingest.clean.html import clean_html

    page = clean_html(document.page, replace(job, uri=document.url) if document.url else job)
    origins = {**page.origins, "text": f"{document.decoding}, {page.origins.get('text', '')}"}
    text, dropped = page.text, page.dropped
    if not document.url and len(text.split()) < _MOST * len(document.text.split()):
        text, dropped = document.text, ()
        origins["text"] = f"{document.decoding}, all that is seen"
    found = replace(page, text=text, dropped=dropped, said=document.said)
    made = _made(document, job.captured_at.date())
    if document.title and (not document.url or not page.title):  # a letter's subject; a page has its own headline
        found, origins["title"] = replace(found, title=document.title), document.title_origin
    if document.authors:
        found, origins["authors"] = replace(found, authors=document.authors), document.authors_origin
    if made is not None:
        found, origins["published"] = replace(found, published=made), made.origin
    return replace(found, origins=origins)


def _same(line: str, title: str) -> bool:
    return " ".join(line.split()).casefold() == " ".join(title.split()).casefold()


def _dated_line(lines: list[str], document: Document, latest: date) -> Published | None:
    """A line of its own near the head that is a date; a letter's own date is exact already."""
    if document.published_origin.startswith("mail:"):
        return None
    for line in lines[:_HEAD_LINES]:
        if len(line) < 120 and dates.is_date_line(line) and not dates.says_updated(line):
            found = dates.parse(line, "text:date-line", language=document.language, latest=latest)
            if found is not None:
                return found
    return None


def _made(document: Document, latest: date) -> Published | None:
    """The date that the document states, the day as it was where it was made."""
    return _stated(document.published, document.published_origin, latest)


def _changed(document: Document, published: Published | None, latest: date) -> Published | None:
    """When the document was last changed, as it states itself; None where that is when it was made, or before it was
    published. Programs write the one date some seconds after the other."""
    for name in _CHANGED:
        stated = plausible_date(iso_time(document.said.get(name, "")))
        found = _stated(stated, name, latest)
        if found is None or (published is not None and found.date < published.date):
            continue
        made = document.published
        if found.date == made[:10] and (len(stated) <= 10 or len(made) <= 10 or _seconds(made, stated) < _A_CHANGE):
            continue
        return found
    return None


def _stated(stated: str, origin: str, latest: date) -> Published | None:
    """A day, with the moment and its zone where the document gives them."""
    found = dates.parse(stated[:10], origin, latest=latest) if stated else None
    return replace(found, stated=stated) if found is not None and len(stated) > 10 else found


def _seconds(one: str, other: str) -> float:
    """From one time to another; 0 where only one tells its zone."""
    try:
        return abs((datetime.fromisoformat(other) - datetime.fromisoformat(one)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
