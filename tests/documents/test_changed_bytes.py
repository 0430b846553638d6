"""Documents, letters and listings with random changes: each gives something, or the reason by name, and no exception."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime

import pytest

from muniment.errors import UploadError
from muniment.ingest.clean import CleanJob, clean
from muniment.ingest.discover.listing import ReadJob
from muniment.ingest.discover.reading import read_listing
from muniment.ingest.opening import open_target
from muniment.ingest.upload import Target
from muniment.model import Capture
from tests.documents.builders import docx, epub, letter, odt, paragraph, text_pdf

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
PUT_IN = (b"\r\n", b"\0", b"<", b"&", b'"', b"--", b"PK\x01\x02", b"\xff\xff\xff\xff", b"=?utf-8?b?", b"<![CDATA[",
          b"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>", b"From ", b"<div>" * 60, b" " * 300)  # fmt: skip
RSS = b"""<?xml version="1.0"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>F</title>
<item><title>One &amp; &nbsp; two</title><link>/x</link><pubDate>Mon, 01 Jan 2024 10:00:00 GMT</pubDate></item></channel></rss>"""
SITEMAP = b"""<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc>http://a.example/x</loc>
<lastmod>2024-01-01</lastmod></url></urlset>"""
JSON = (
    b'{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1", "url": "/x", "authors": [{"name": "A"}]}]}'
)


def changed(rng: random.Random, content: bytes) -> bytes:
    """With bits flipped, spans taken out, doubled, overwritten or cut off, numbers changed, and tokens put in."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(data))
        end = min(len(data), at + rng.choice((1, 4, 16, 200)))
        match rng.randrange(6):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1 if end - at < len(data):
                del data[at:end]
            case 2:
                data[at:at] = data[at:end] * rng.choice((1, 30))
            case 3:
                data[at:end] = rng.randbytes(end - at)
            case 4:
                data[at:at] = rng.choice(PUT_IN)
            case 5 if at and rng.random() < 0.4:
                del data[at:]
    return bytes(data)


def documents() -> dict[str, bytes]:
    message = letter(subject="Tést")
    message.add_attachment(b"%PDF-1.4 x", maintype="application", subtype="pdf", filename="é.pdf")
    body = b"From ann@x.example Mon Jan  1 10:00:00 2024\n" + bytes(message)
    return {
        "a.docx": docx(paragraph("A paragraph of some words.")), "a.odt": odt("<text:p>Some words.</text:p>"),
        "a.epub": epub({"a.xhtml": "<h1>One</h1><p>Some words.</p>"}), "a.pdf": text_pdf([[(20, 200, 12, "Some words.")]]),
        "a.eml": bytes(message), "a.mbox": body * 2, "a.rtf": rb"{\rtf1\ansi{\info{\title T}}\f0 Some \u233?words\par}",
        "a.md": b"---\ntitle: T\n---\n# Head\n\nSome *words*.\n\n| a |\n|---|\n| 1 |\n",
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_changed_documents_give_something_or_the_reason(seed: int) -> None:
    rng, begun = random.Random(seed), time.process_time()
    for name, content in documents().items():
        for _ in range(12):
            try:
                opened = list(open_target(Target(name, content=changed(rng, content)), NOW, 1 << 26))
            except UploadError:
                continue
            for one in opened:
                if isinstance(one.outcome, Capture) and one.is_article:
                    found = clean(CleanJob(one.outcome.body, one.outcome.media_type, NOW, file_name=name))
                    assert found.text or found.problem
    assert time.process_time() - begun < 20


def test_changed_listings_give_something_or_the_reason() -> None:
    rng = random.Random(9)
    for content in (RSS, SITEMAP, JSON, b"User-agent: *\nDisallow: /a*$\nSitemap: /s.xml\n"):
        for _ in range(60):
            listing = read_listing(
                ReadJob(changed(rng, content), "text/html", "http://a.example/", links=rng.random() < 0.5)
            )
            assert listing.kind
