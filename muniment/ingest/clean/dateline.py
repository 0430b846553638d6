"""The date that a reader sees beside the headline, and htmldate's guess held against what the page shows.

What stands in a quotation, or in a link that is the teaser of another page, is that page's date.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from functools import cache, partial
from typing import NamedTuple
from urllib.parse import urlsplit

from lxml.html import HtmlElement

from muniment.ingest.clean import dates
from muniment.model import Published

_LINES_BELOW, _PARAGRAPH = 12, 25  # how far below the headline a date may stand; words of a paragraph
_BESIDE = 30  # lines from the headline
_LONGEST, _LONGEST_SHOWN = 120, 200  # characters of a line that a date is looked for in
_LABEL = 60  # characters of a line that may name a date in words of its own ("Published by Ann on 3 May 2021")
_TEASER = 60  # characters of a link that is more than a date that links to its own page
_PARTS = re.compile(r"\s+[—–|·•/-]\s+")
_HIDDEN = frozenset(("script", "style", "title", "noscript"))


class Line(NamedTuple):
    """A piece of the page's text on one line; the `datetime` of its `time` element; whether it is in the page's own
    words, and not in a quotation or another page's teaser."""

    text: str
    stated: str = ""
    own: bool = True


def lines(tree: HtmlElement, restore: Callable[[str], str] = str) -> Iterator[Line]:
    """The page's pieces of text in order, as `restore` gives them; a heading in pieces is preceded by the whole."""
    others = set[HtmlElement]()
    for element in tree.iter():
        tag = element.tag
        if tag == "blockquote" or (tag == "a" and len(element) and len(_text(element)) > _TEASER):
            others.update(element.iter())
        own = element not in others
        if tag == "h1" and len(element):
            yield Line(restore(_text(element)), "", own)
        if isinstance(tag, str) and tag not in _HIDDEN and element.text and (line := " ".join(element.text.split())):
            yield Line(restore(line), element.get("datetime", "") if tag == "time" else "", own)
        if element.tail and (line := " ".join(element.tail.split())):
            yield Line(restore(line), "", own or element.getparent() not in others)


def _text(element: HtmlElement) -> str:
    return " ".join(str(element.text_content())[:2000].split())


def dateline(page: Iterable[Line], title: str, language: str | None, latest: date) -> Published | None:
    """The date that stands alone in a short line between the headline and the first paragraph; else the one in the
    line right above the headline.

    Further above, a date is the page's clock as often as not, and so is the day of capture.
    """
    since, headline = _LINES_BELOW + 1, title.casefold()
    is_met, above, label, before = False, None, Line(""), Line("")
    for line in page:
        if line.text.casefold() == headline:
            if not is_met:
                is_met, above = True, _alone(label, before, language, latest)
            since = 0
        elif since <= _LINES_BELOW:
            since += _LINES_BELOW // 2 if len(line.text.split()) >= _PARAGRAPH else 1  # a standfirst, but no two
            if since <= _LINES_BELOW and (found := _alone(before, line, language, latest)):
                return found
        label, before = before, line
    return above if above and above.date != latest.isoformat() else None


def _alone(label: Line, line: Line, language: str | None, latest: date) -> Published | None:
    """The date that a line consists of, if it is not that of a change, as the line before it may say."""
    if not line.own or len(line.text) >= _LONGEST or not any(map(str.isdigit, line.text + line.stated)):
        return None
    if _is_of_change(label):
        return None
    for part in _PARTS.split(line.text):
        if dates.is_date_line(part) and not dates.says_updated(part):
            found = dates.parse(part, "dateline", language=language, latest=latest)
            if found is not None:
                return found
    if line.stated and dates.is_date_line(line.text) and not dates.says_updated(line.text + " " + line.stated):
        return dates.parse(line.stated, "dateline", language=language, latest=latest)  # 03/01/2017 is two days
    return None


def _is_of_change(label: Line) -> bool:
    """Whether a line says that the next one is the date of a change."""
    return len(label.text) < _LABEL and not any(map(str.isdigit, label.text)) and dates.says_updated(label.text)


def shown_beside(page: Sequence[Line], title: str, language: str | None, latest: date) -> dict[str, bool]:
    """`shown_days` of the lines around the headline, without the days of changes."""
    return shown_days(
        [
            page[i]
            for i in _beside(page, title)
            if not dates.says_updated(page[i].text) and not (i and _is_of_change(page[i - 1]))
        ],
        language,
        latest,
    )


def _beside(page: Sequence[Line], title: str) -> list[int]:
    """The places of the lines around the headline."""
    headline = title.casefold()
    places = [i for i, line in enumerate(page) if line.text.casefold() == headline]
    return sorted({j for i in places for j in range(max(0, i - _BESIDE), min(len(page), i + _BESIDE))})


def shown_days(page: Sequence[Line], language: str | None, latest: date) -> dict[str, bool]:
    """The days that the page's own short lines name, in order; True where a line names the day and little else, or
    says that it is the day of publication."""
    found = dict[str, bool]()
    for line in page:
        if line.own and len(line.text) < _LONGEST_SHOWN and any(map(str.isdigit, line.text)):
            for day in dates.parse_all(line.text, "", language=language, latest=latest):
                if day.precision == "day":
                    is_label = len(line.text) <= _LABEL or dates.says_published(line.text)
                    found[day.date] = found.get(day.date, False) or is_label
    return found


def guessed(
    tree: HtmlElement, page: Sequence[Line], title: str, url: str, language: str | None, latest: date
) -> Published | None:
    """htmldate's finding, where nothing speaks against it.

    It fills an unknown day with the first of the month (20 of 28 such first of January were wrong), so a first that
    the page nowhere shows is refused; so is the day of capture, for a date in running text that is today's is the
    page's clock. A day that the page shows in no line of its own (a comment's, a script's, a teaser's, one in prose,
    day and month swapped) gives way to the only day that it shows, and is refused where it shows several, and on a
    front page; so is one half of 03/04/2021. Where a day stands beside the headline, be it a change's, one that does
    not is another article's.
    """
    find_date = _pinned_find_date()
    found = find_date(tree, url=url or None, original_date=True, max_date=latest.isoformat())
    if not found or found.endswith("-01-01") or found == latest.isoformat():
        return None
    shown = shown_days(page, language, latest)
    if shown.get(found):
        beside = shown_days([page[i] for i in _beside(page, title)], language, latest)
        is_elsewhere = found not in beside and any(beside.values())
        return None if is_elsewhere else Published(found, "day", "htmldate")
    if not shown:
        is_front = bool(url) and urlsplit(url).path in ("", "/")
        is_doubtful = is_front or found.endswith("-01") or found in _doubtful_days(tree, page)
        return None if is_doubtful else Published(found, "day", "htmldate")
    only, is_label = next(iter(shown.items()))
    if len(shown) > 1 or not is_label:
        return None
    return Published(only, "day", "only-day-shown")


def _doubtful_days(tree: HtmlElement, page: Sequence[Line]) -> set[str]:
    """The days that an ambiguous date of the page may be, in a short line or a declaration."""
    said = [line.text for line in page if len(line.text) < _LONGEST_SHOWN]
    said += [str(e.get("content") or e.get("datetime") or "")[:200] for e in tree.iter("meta", "time")]
    return {day for line in said if any(map(str.isdigit, line)) for day in dates.either(line)}


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
