"""HTML to findings: one parse, one pass for metadata, a consensus of extractors for the text.

trafilatura drops every Unicode format character, and with it the ZWNJ of Persian, the ZWJ of Indic
scripts and emoji, and the marks of direction: they travel as letters of a script that no page uses (Linear A) and are
put back in everything that comes out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from muniment.ingest.clean import dates, metadata
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
_LINES_BELOW, _PARAGRAPH = 12, 25  # how far below the headline a date may stand; words of a paragraph
_PARTS = re.compile(r"\s+[—–|·•/-]\s+")


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
    title, title_origin = metadata.title(page, urlsplit(job.declared.url or job.uri).hostname or "")
    names, names_origin = metadata.authors(page, tree)
    latest = job.captured_at.date()
    published = metadata.published(page, job.declared.url or job.uri, primary(page.language), latest)
    if job.declared.published is None:
        published = metadata.nearer(published, _dateline(tree, title, primary(page.language), latest))
    if published is None and job.declared.published is None:
        published = _htmldate(tree, job.declared.url or job.uri, primary(page.language), latest)
    updated = metadata.updated(page, published, primary(page.language), latest)
    address, address_origin = canonical(page, job.declared.url or job.uri)
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


def _dateline(tree: HtmlElement, title: str, language: str | None, latest: date) -> Published | None:
    """The date that stands alone in a short line between the headline and the first paragraph, as a reader sees it.

    A date above the headline is the page's clock as often as not.
    """
    since, headline = _LINES_BELOW + 1, title.casefold()
    for line in _visible_lines(tree):
        if line.casefold() == headline:
            since = 0
        elif since <= _LINES_BELOW:
            since += _LINES_BELOW // 2 if len(line.split()) >= _PARAGRAPH else 1  # a standfirst, but no two
            for part in _PARTS.split(_unshield(line)) if since <= _LINES_BELOW and len(line) < 120 else ():
                if dates.is_date_line(part) and not dates.says_updated(part):
                    found = dates.parse(part, "dateline", language=language, latest=latest)
                    if found is not None:
                        return found
    return None


def _visible_lines(tree: HtmlElement) -> Iterator[str]:
    """The page's pieces of text in order, each on one line."""
    for element in tree.iter():
        is_shown = isinstance(element.tag, str) and element.tag not in ("script", "style", "title", "noscript")
        if is_shown and element.text and (line := " ".join(element.text.split())):
            yield line
        if element.tail and (line := " ".join(element.tail.split())):
            yield line


def _htmldate(tree: HtmlElement, url: str, language: str | None, latest: date) -> Published | None:
    """htmldate's finding, held against the days that the page shows its reader.

    It fills an unknown month and day with 1 (20 of 28 such were wrong), so a 1 January is dropped; the day of
    capture is dropped too, for a date in running text that is today's is the page's clock. A day that the page nowhere
    shows (a comment's, a script's, day and month swapped) gives way to the only day that it shows, and is refused
    where it shows several. So is one half of 03/04/2021.
    """
    find_date = _pinned_find_date()
    found = find_date(tree, url=url or None, original_date=True, max_date=latest.isoformat())
    if not found or found.endswith("-01-01") or found == latest.isoformat():
        return None
    shown = dict.fromkeys(_shown_days(tree, language, latest))
    if found not in shown and found in (doubtful := _doubtful_days(tree)):
        shown = {day: None for day in shown if day in doubtful}
    elif found in shown or not shown:
        return Published(found, "day", "htmldate")
    return Published(next(iter(shown)), "day", "only-day-shown") if len(shown) == 1 else None


def _shown_days(tree: HtmlElement, language: str | None, latest: date) -> Iterator[str]:
    """The days that the page's short lines name, in order."""
    for line in _visible_lines(tree):
        if len(line) < 200 and any(map(str.isdigit, line)):
            for day in dates.parse_all(_unshield(line), "", language=language, latest=latest):
                if day.precision == "day":
                    yield day.date


def _doubtful_days(tree: HtmlElement) -> set[str]:
    """The days that an ambiguous date of the page may be, in a short line or a declaration."""
    said = [line for line in _visible_lines(tree) if len(line) < 200]
    said += [str(e.get("content") or e.get("datetime") or "")[:200] for e in tree.iter("meta", "time")]
    return {day for line in said if any(map(str.isdigit, line)) for day in dates.either(_unshield(line))}


@cache
def _pinned_find_date() -> Callable[..., str | None]:
    """htmldate without a clock and without dateparser.

    dateutil fills what a date leaves out from today's, unless told a day. dateparser takes seconds in each process to
    load 200 languages, and guesses at calendars; dates in words are read by our own rules, which come first.
    """
    from htmldate import extractors, find_date

    names = vars(extractors)
    names["_external_date"] = lambda text: None
    names["dateutil_parse"] = partial(names["dateutil_parse"], default=datetime(1, 1, 1))
    return find_date


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
    return text.translate(_UNSHIELD)


def _unshield_findings(found: Findings) -> Findings:
    return replace(
        found,
        title=_unshield(found.title),
        text=_unshield(found.text),
        dropped=tuple(Dropped(_unshield(d.text), d.reason) for d in found.dropped),
        authors=tuple(map(_unshield, found.authors)),
        captions=tuple(map(_unshield, found.captions)),
    )
