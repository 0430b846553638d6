"""HTML to findings: one parse, one pass for metadata, a consensus of extractors for the text.

trafilatura drops every Unicode format character, and with it the ZWNJ of Persian, the ZWJ of Indic
scripts and emoji, and the marks of direction: they travel as letters of a script that no page uses (Linear A) and are
put back in everything that comes out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from dataclasses import replace
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from muniment.ingest.clean import dateline, metadata, when
from muniment.ingest.clean.canonical import canonical
from muniment.ingest.clean.consensus import Agreed, agree
from muniment.ingest.clean.flags import flags
from muniment.ingest.clean.job import CleanJob, Findings
from muniment.ingest.clean.language import primary
from muniment.ingest.clean.remembered import remember
from muniment.model import Dropped, Published

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_MARKS = "\u200c\u200d\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_LETTERS = "".join(chr(0x10600 + i) for i in range(len(_MARKS)))
_UNSHIELD = str.maketrans(_LETTERS, _MARKS)
_ENTITY = re.compile(r"&(?:(zwnj|zwj|lrm|rlm)|#0*(1564|8\d{3})|#[xX]0*(61[cC]|20[0-6][0-9a-fA-F]));")
_NAMED = {"zwnj": "\u200c", "zwj": "\u200d", "lrm": "\u200e", "rlm": "\u200f"}
_BLOCKS = re.compile(
    "^(?:p|div|li|h[1-6]|blockquote|pre|tr|dt|dd|figcaption|section|article|main|header|footer|[uo]l|table|br)$"
)
_CHROME = re.compile("^(?:script|style|template|noscript|nav|aside|form|header|footer|button|select|svg|iframe|head)$")
_MAX_CAPTIONS = 100


def clean_html(source: str, job: CleanJob) -> Findings:
    """Everything that can be found in the page, before declarations win over it."""
    shielded = _shield(source)
    tree = _parse(shielded)
    page = None
    if tree is None:
        findings = Findings()
        agreed = _fallback(shielded)
    else:
        page = metadata.collect(tree)
        findings = _metadata(tree, page, job)
        agreed = agree(tree, shielded, _pinned_extractor())
        if not agreed.text.strip():
            agreed = _fallback(shielded)
    findings = replace(
        findings,
        text=agreed.text,
        dropped=agreed.dropped,
        confidence=agreed.agreement,
        origins={**findings.origins, "text": agreed.origin},
    )
    found = _separate(findings if shielded is source else _unshield_findings(findings))
    left_out = "\n".join(dropped.text for dropped in found.dropped)
    return replace(found, flags=flags(page, found.title, found.text, left_out)) if page else found


def _fallback(source: str) -> Agreed:
    """All visible text outside page chrome, for pages that no extractor finds anything in."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(source, "html.parser")
    for element in soup.find_all(_CHROME):
        element.extract()
    for element in soup.find_all(_BLOCKS):
        element.insert_before("\n")
        element.insert_after("\n")
    lines = (" ".join(line.split()) for line in soup.get_text().split("\n"))
    return Agreed("\n".join(line for line in lines if line), "beautifulsoup:low-confidence", 0.0)


def _parse(source: str) -> HtmlElement | None:
    return _pinned_loader()(source)


@cache
def _pinned_loader() -> Callable[[str], HtmlElement | None]:
    """trafilatura's loader, giving plain elements: lxml.html's lookup of special classes for forms and inputs, which
    nothing here uses, calls Python for each node touched and costs an eighth of the extraction."""
    from lxml.etree import ElementDefaultClassLookup
    from lxml.html import HtmlElement
    from trafilatura import utils

    utils.HTML_PARSER.set_element_class_lookup(ElementDefaultClassLookup(element=HtmlElement))
    return utils.load_html


@cache
def _pinned_extractor() -> Callable[..., Any]:
    """trafilatura's extraction, which takes half the time once its rules are remembered, and gives the same."""
    from trafilatura import bare_extraction, xpaths

    for rules in vars(xpaths).values():
        if isinstance(rules, list):
            remember(rules)
    return bare_extraction


def _metadata(tree: HtmlElement, page: metadata.Declarations, job: CleanJob) -> Findings:
    url = job.declared.url or job.uri
    title, title_origin = metadata.title(page, urlsplit(url).hostname or "")
    names, names_origin = metadata.authors(page, tree)
    latest = job.captured_at.date()
    published = when.published(page, url, primary(page.language), latest)
    if job.declared.published is None:
        published = _shown(tree, page, title, published, url, latest)
    updated = when.updated(page, published, primary(page.language), latest)
    address, address_origin = canonical(page, url)
    origins = {
        "title": title_origin,
        "authors": names_origin,
        "published": published.origin if published else "",
        "updated": updated.origin if updated else "",
        "canonical": address_origin,
    }
    return Findings(
        title=title,
        authors=names,
        published=published,
        updated=updated,
        canonical=address,
        language=page.language,
        captions=tuple(dict.fromkeys(c for c in page.captions if c))[:_MAX_CAPTIONS],
        origins=origins,
    )


def _shown(
    tree: HtmlElement, page: metadata.Declarations, title: str, declared: Published | None, url: str, latest: date
) -> Published | None:
    """The declared date, corrected by the one that readers see, or found there."""
    language = primary(page.language)
    seen = dateline.dateline(dateline.lines(tree, _unshield), title, language, latest)
    if declared is None:
        return seen or dateline.guessed(tree, list(dateline.lines(tree, _unshield)), title, url, language, latest)

    def days() -> Container[str]:
        return dateline.shown_beside(list(dateline.lines(tree, _unshield)), title, language, latest)

    return when.nearer(page, declared, seen, url, days)


def _separate(found: Findings) -> Findings:
    """Captions and the repeated headline out of the running text, each recorded as dropped."""
    captions, lines, dropped = set(found.captions), list[str](), list(found.dropped)
    for line in found.text.split("\n"):
        if line in captions:
            dropped.append(Dropped(line, "caption"))
        elif not lines and found.title and " ".join(line.split()) == found.title:
            dropped.append(Dropped(line, "repeated-headline"))
        else:
            lines.append(line)
    text = "\n".join(lines)
    return replace(found, text=text, dropped=tuple(dropped)) if text.strip() else found


def _shield(source: str) -> str:
    """The source with format marks, and entities that stand for them, as letters; itself where it has none.

    Substring tests first: a regular expression over a whole page costs a third of its extraction.
    """
    if any(letter in source for letter in _LETTERS):
        return source
    if _ENTITY.search(source):
        source = _ENTITY.sub(_from_entity, source)
    for mark, letter in zip(_MARKS, _LETTERS, strict=True):
        if mark in source:
            source = source.replace(mark, letter)
    return source


def _from_entity(m: re.Match[str]) -> str:
    if m[1]:
        return _NAMED[m[1]]
    character = chr(int(m[2]) if m[2] else int(m[3], 16))
    return character if character in _MARKS else m[0]


def _unshield(text: str) -> str:
    return text if text.isascii() else text.translate(_UNSHIELD)


def _unshield_findings(found: Findings) -> Findings:
    return replace(
        found,
        title=_unshield(found.title),
        text=_unshield(found.text),
        dropped=tuple(Dropped(_unshield(d.text), d.reason) for d in found.dropped),
        authors=tuple(map(_unshield, found.authors)),
        captions=tuple(map(_unshield, found.captions)),
    )
