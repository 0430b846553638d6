"""When a page was published and changed, as it declares it and its address says, with where that was found."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from urllib.parse import urlsplit

from muniment.ingest.clean import dates
from muniment.ingest.clean.metadata import Declarations
from muniment.model import Published

_DATE_KEYS = (
    *("article:published_time", "article:published", "og:published_time", "og:article:published_time"),
    *("datepublished", "parsely-pub-date", "sailthru.date", "pubdate", "publishdate", "publish-date", "publish_date"),
    *("publication_date", "published_at", "cxenseparse:recs:publishtime", "article.published"),
    *("originalpublicationdate", "article_date_original", "citation_publication_date", "citation_online_date"),
    *("rnews:datepublished", "published"),
)
_CHANGE_KEYS = (
    *("article:modified_time", "article:modified", "og:updated_time", "og:article:modified_time", "datemodified"),
    *("last-modified", "lastmod", "modified_date", "dcterms.modified", "dc.date.modified", "parsely-modified-date"),
)
_WEAK_DATE_KEYS = (
    *("dc.date.issued", "dcterms.issued", "dcterms.created", "dc.date.created", "dc.date", "dcterms.date", "date"),
    "article.created",
)
_URL_DATE = re.compile(r"/((?:19|20)\d\d)(?:/(\d\d?)/(\d\d?)|[/-]?([01]\d)[/-]?([0-3]\d))(?=[/_-]|$)")
_MOVED = 7  # days that the date of a move to another system is later than the article's, at least


def published(page: Declarations, url: str, language: str | None, latest: date) -> Published | None:
    """The declared date of publication, most trusted place first; None where nothing declares one."""
    article = page.article
    candidates: list[tuple[object, str]] = [(article.get("datePublished"), "jsonld:datePublished")]
    candidates += [(v, f"meta:{key}") for key in _DATE_KEYS for v in page.metas.get(key, ())]
    candidates += [(v, "microdata:datePublished") for v in page.dated[:2]]
    candidates += [(node.get("datePublished"), "jsonld:datePublished") for node in page.linked if node is not article]
    candidates += [(v, f"meta:{key}") for key in _WEAK_DATE_KEYS for v in page.metas.get(key, ())]
    candidates.append((in_address(url), "url"))
    if len({v[:10] for v in page.times}) == 1:  # several different times are other articles' or comments'
        candidates.append((page.times[0], "time"))
    stated = [*page.times, *page.dated, *(v for k in (*_DATE_KEYS, *_WEAK_DATE_KEYS) for v in page.metas.get(k, ()))]
    for value, origin in candidates:
        if isinstance(value, str) and (
            found := dates.parse(local := _local(value, stated), origin, language=language, latest=latest)
        ):
            return replace(found, stated=_stated(local))
    return None


def updated(page: Declarations, since: Published | None, language: str | None, latest: date) -> Published | None:
    """The declared date of the last change, where it is later than that of publication; None where nothing says so."""
    candidates: list[tuple[object, str]] = [(page.article.get("dateModified"), "jsonld:dateModified")]
    candidates += [(value, f"meta:{key}") for key in _CHANGE_KEYS for value in page.metas.get(key, ())]
    candidates += [(value, "microdata:dateModified") for value in page.changed[:2]]
    stated = [*page.times, *page.changed]
    for value, origin in candidates:
        if isinstance(value, str) and (
            found := dates.parse(local := _local(value, stated), origin, language=language, latest=latest)
        ):
            found = replace(found, stated=_stated(local))
            return found if since is None or _is_later(found, since) else None
    return None


def _is_later(one: Published, other: Published) -> bool:
    """Whether one date is later than the other, to the moment where both give it with a zone."""
    a, b = _moment(one.stated), _moment(other.stated)
    if a and b and a.tzinfo and b.tzinfo:
        return a > b
    return one.date > other.date


def nearer(
    page: Declarations, declared: Published, shown: Published | None, url: str, days: Callable[[], Container[str]]
) -> Published:
    """The declared date, or the one shown under the headline or in the address where that says more.

    `days` gives all days that the page shows beside its headline: a declared one among them stands. A moment declared
    in UTC falls on another day than the reader sees, an evening in New York on the next; a page that moved to a new
    system declares the day of the move, but shows the day of the article, or has it in its address; and one that
    declares the same moment for its publication and its last change may have forgotten the first.
    """
    if len(declared.date) < 10:
        return declared
    better = None
    if shown is not None and len(shown.date) == 10 and (gap := _days(shown, declared)):
        moment = _moment(declared.stated)
        in_utc = moment is not None and moment.utcoffset() == timedelta(0)
        by_zone = in_utc and moment is not None and (moment.hour < 12 if gap == -1 else gap == 1 and moment.hour >= 10)
        if gap <= -_MOVED or by_zone or (gap < 0 and _is_last_change(page, declared)):
            better = replace(shown, stated=declared.stated if gap in (-1, 1) else "")
    if better is None:
        better = dates.parse(in_address(url), "url", latest=date.fromisoformat(declared.date) - timedelta(_MOVED))
    return better if better and declared.date not in days() else declared


def _days(one: Published, other: Published) -> int:
    return (date.fromisoformat(one.date) - date.fromisoformat(other.date)).days


def _is_last_change(page: Declarations, declared: Published) -> bool:
    """Whether the page declares one moment, give or take a minute, for its publication and its last change."""
    published = _moment(declared.stated)
    changes = [page.article.get("dateModified"), *(v for key in _CHANGE_KEYS for v in page.metas.get(key, ()))]
    moments = [found for v in changes if isinstance(v, str) and (found := _moment(v))]
    return published is not None and any(
        bool(other.tzinfo) == bool(published.tzinfo) and abs(other - published) <= timedelta(minutes=1)
        for other in moments
    )


def in_address(url: str) -> str:
    """The day that an address names as a path of year, month and day; empty where it names none."""
    m = _URL_DATE.search(urlsplit(url).path)
    return "-".join(part for part in m.groups() if part) if m else ""


def _local(value: str, stated: Iterable[str]) -> str:
    """A time in UTC as the page states the same moment elsewhere in its publisher's time, or unchanged.

    An evening in New York is the next day in UTC; readers and citations know the article by the former.
    """
    moment = _moment(value)
    if moment is None or moment.utcoffset() != timedelta(0):
        return value
    for other in stated:
        if (local := _moment(other)) is None:
            continue
        if local.tzinfo:
            same = local == moment and bool(local.utcoffset())
        else:  # without a zone, the same minute and second, some quarters of an hour away
            gap = local - moment.replace(tzinfo=None)
            near = timedelta(0) < abs(gap) <= timedelta(hours=14)
            same = bool(local.second) and near and not gap % timedelta(minutes=15)
        if same:
            return other
    return value


def _stated(value: str) -> str:
    """The moment of a declared date in ISO form, with its zone where it has one; empty where it gives no time."""
    moment = _moment(value)
    return moment.isoformat() if moment else ""


def _moment(value: str) -> datetime | None:
    try:
        return datetime.fromisoformat(value.strip()) if len(value) > 15 else None
    except ValueError:
        return None
