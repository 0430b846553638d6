"""Pages and texts of our own writing for the cleaning tests."""

from __future__ import annotations

from datetime import UTC, datetime

from muniment.ingest.clean import CleanJob
from muniment.model import Declared

CAPTURED = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)

PARAGRAPHS = (
    "The crews of all nine harbour ferries voted on Sunday to stop work from the first of the month, after talks with"
    " the port over night shifts ended without a result for the third time this year.",
    "A spokesman for the port said that the offer on the table was the best in a decade, and that the boats to the"
    " outer islands would sail under an emergency timetable until both sides met again.",
    "On the quays, shopkeepers reckoned with a hard winter: two of every three visitors arrive by boat, and the road"
    " over the pass is closed by snow for weeks at a time.",
)

HEADLINE = "Ferry Crews Vote To Strike, Citing Harbour’s Broken Promises"

MESSY = f"""Monday, March 2, 2020
HomeHarbour News NowIsland Life{HEADLINE}

{HEADLINE}

{PARAGRAPHS[0]}

VIDEO: How the vote went, minute by minute

{PARAGRAPHS[1]}

Crews wait for the count in the old customs hall - February 2020

Share on Facebook

{PARAGRAPHS[2]}
"""


def html_page(body: str, head: str = "", lang: str = "en") -> bytes:
    """A page of ours with menu, article and footer around the given body."""
    return (
        f'<!DOCTYPE html><html lang="{lang}"><head><meta charset="utf-8">{head}</head><body>'
        '<nav><a href="/">Home</a> <a href="/news">News</a> <a href="/sport">Sport</a></nav>'
        f"<main><article>{body}</article></main><footer><p>Imprint and contact</p></footer></body></html>"
    ).encode()


def article_html(*paragraphs: str, title: str = HEADLINE) -> str:
    return f"<h1>{title}</h1>" + "".join(f"<p>{p}</p>" for p in paragraphs or PARAGRAPHS)


def job(
    payload: bytes,
    media_type: str = "text/html",
    *,
    charset: str | None = None,
    content_encoding: str | None = None,
    uri: str = "https://harbour.example/a",
    declared: Declared | None = None,
    file_name: str | None = None,
) -> CleanJob:
    return CleanJob(
        payload=payload,
        media_type=media_type,
        captured_at=CAPTURED,
        uri=uri,
        charset=charset,
        content_encoding=content_encoding,
        declared=declared or Declared(),
        file_name=file_name,
    )


def unsure_page() -> bytes:
    """A page whose running text extractors do not agree on: as much prose beside the article as in it."""
    letters = "".join(
        f"<div><p>Reader Aba{i} of Zolm{i} writes that the ferry to Zolm{i} was late on day {i} and nobody said why.</p></div>"
        for i in range(14)
    )
    return html_page(
        f"<h1>{HEADLINE}</h1><p>{PARAGRAPHS[0]}</p><ul><li>Another story</li></ul>{letters}<p>{PARAGRAPHS[1]}</p>"
    )
