"""Bytes to an article, purely: no clock, no network, no file; the same job always gives the same Article.

`clean` is the one entry. What the adder declared wins over what the page says; the page's own declarations win over
what its text suggests. Run it inside `workers.Workers`, which puts limits around it: pages can be hostile.

`Article.problem` is None, or why the text is empty: the slugs of `ingest.decode` and `ingest.documents`, and

    no-text                 the page holds no running text; of documents with a reason ("no-text: scanned, 12 pages")
    extraction-timeout      the page took longer than the limit (workers)
    extraction-memory       the page took more memory than the limit (workers)
    extraction-crashed      the extractor failed on the page (workers)

`Dropped.reason` is one of: no-independent-vote, banner-date, date-line, breadcrumb, repeated-headline, caption, byline,
share-line, boilerplate, comment, above-text, below-text, page-line, beyond-limit.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

from muniment.ingest.clean.fingerprint import RULES, fingerprint
from muniment.ingest.clean.hints import take_hints
from muniment.ingest.clean.job import CleanJob, Findings
from muniment.ingest.decode import NoText, Page, read
from muniment.model import Article, Declared, Dropped, Precision, Published

__all__ = ["CleanJob", "clean", "failed"]

# What was meant by control characters 80 to 9F: they are left by texts that were decoded as Latin-1 once too often, and
# browsers show them so (https://encoding.spec.whatwg.org/#windows-1252). 85 is a line's end where Latin-1 is meant.
_MEANT = {i: c for i in range(0x80, 0xA0) if i != 0x85 and (c := bytes([i]).decode("cp1252", "ignore"))}
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


def clean(job: CleanJob) -> Article:
    """The article in the job's bytes; its text is empty, and `problem` says why, where there is none."""
    try:
        page = read(job.payload, job.media_type, job.charset, job.content_encoding, job.file_name)
        found = _find(page, job)
    except NoText as e:
        return failed(job, str(e))
    if job.hints is not None:
        found = take_hints(found, job.hints, job.captured_at.date())
    article = _article(_declare(found, job), page, job.declared)
    if article.canonical:
        article = replace(article, canonical_key=_other_key(article.canonical, job.uri))
    if job.recognised:  # the same bytes alone do not give this article
        settings = {**article.settings, "recognised by": job.recogniser}
        return replace(article, extractor=f"muniment-ocr/{RULES}", settings=settings)
    return article


def failed(job: CleanJob, problem: str) -> Article:
    """The article of a job that gave no text: what was declared, and the problem."""
    found = _declare(Findings(), job)
    return replace(_article(found, Page("", "text", ""), job.declared), problem=problem)


def _find(page: Page, job: CleanJob) -> Findings:
    if page.kind == "html":
        from muniment.ingest.clean.html import clean_html
        from muniment.ingest.documents.singlefile import saved_page

        if (saved := saved_page(page.text)) is None:
            return clean_html(page.text, job)
        said = {"saved:by": saved.by, "saved:from": saved.url, "saved:at": saved.at}
        if saved.url and not job.uri.startswith("http"):
            job = replace(job, uri=saved.url)
        return replace(clean_html(page.text, job), said={name: value for name, value in said.items() if value})
    if page.kind != "text":
        from muniment.ingest.clean.document import clean_document
        from muniment.ingest.clean.text import paragraphs
        from muniment.ingest.documents import open_document

        document = open_document(page.kind, page.data, page.text)
        if job.recognised:
            text = "\n".join(paragraphs(job.recognised))
            document = replace(document, text=text, problem=None, decoding=f"recognised by {job.recogniser}")
        return clean_document(document, job)
    from muniment.ingest.clean.text import clean_text

    return clean_text(page.text, job)


def _declare(found: Findings, job: CleanJob) -> Findings:
    """The findings with declared fields in their place, origin "declared"."""
    declared, origins = job.declared, dict(found.origins)
    changes: dict[str, object] = {}
    if declared.title:
        changes["title"] = declared.title
    if declared.authors:
        changes["authors"] = declared.authors
    if declared.published:
        date = declared.published  # checked where it was declared: 2021, 2021-05 or 2021-05-30
        precision: Precision = "year" if len(date) == 4 else "month" if len(date) == 7 else "day"
        changes["published"] = Published(date, precision, "declared")
    origins.update(dict.fromkeys(changes, "declared"))
    return replace(found, origins=origins, **changes)  # type: ignore[arg-type]  # fields of the article by name


def _article(found: Findings, page: Page, declared: Declared) -> Article:
    """The findings in stored form: NFC, without control characters or empty lines, and the language named."""
    text = _tidy(found.text)
    origins = dict(found.origins)
    language: str | None = declared.language
    if language:
        origins["language"] = "declared"
    elif text:
        from muniment.ingest.clean.language import identify

        language, origins["language"] = identify(text, found.language)
    extractor, settings = fingerprint(page.kind)
    return Article(
        title=_tidy(found.title).replace("\n", " "),
        text=text,
        authors=tuple(_tidy(name) for name in found.authors),
        published=found.published,
        language=language,
        captions=tuple(_tidy(caption) for caption in found.captions),
        dropped=tuple(Dropped(_tidy(d.text), d.reason) for d in found.dropped),
        origins={field: origin for field, origin in sorted(origins.items()) if origin},
        decoding=page.decoding,
        extractor=extractor,
        settings=settings,
        said={name: _tidy(value) for name, value in sorted(found.said.items())},
        problem=None if text else found.problem or "no-text",
        confidence=found.confidence if text else None,
        updated=found.updated,
        canonical=found.canonical,
        flags=found.flags,
    )


def _other_key(canonical: str, uri: str) -> str | None:
    """The identity of the address that a page names as its own, where that is not the one that it was captured at. A
    file that was handed in is no word of the site's."""
    from muniment.ingest.urls import article_key

    key = article_key(canonical)
    return key if uri.startswith("http") and key != article_key(uri) else None


def _tidy(text: str) -> str:
    """NFC, storable as UTF-8 and as XML, no white space at line ends, no empty lines."""
    text = unicodedata.normalize("NFC", _UNSTORABLE.sub("", text.translate(_MEANT)))
    return "\n".join(line for line in map(str.strip, text.split("\n")) if line)
