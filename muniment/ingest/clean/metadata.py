"""Title, authors and date of publication as the page declares them, each with where it was found.

One pass over the tree collects every declaration; then each field takes the first good one in the order of its
trust: JSON-LD, meta tags, microdata, visible elements. Nothing is guessed from running text here.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, cast
from urllib.parse import urlsplit

from lxml.etree import XPath
from lxml.html import HtmlElement

from muniment.ingest.clean import dates
from muniment.model import Published

_TAGS = ("meta", "link", "script", "title", "h1", "h2", "time", "figcaption")
_ATTRIBUTES = XPath("//*[@itemprop]|//a[@rel]")  # walking the tree by tag is ten times as fast as XPath by tag


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_ARTICLE = re.compile(r"(?:Article|Posting|Report|Review|Recipe|Column)$")
_DATE_KEYS = _words(
    "article:published_time article:published og:published_time og:article:published_time datepublished"
    " parsely-pub-date sailthru.date pubdate publishdate publish-date publish_date publication_date published_at"
    " cxenseparse:recs:publishtime article.published originalpublicationdate article_date_original"
    " citation_publication_date citation_online_date rnews:datepublished"
)
_CHANGE_KEYS = _words(
    "article:modified_time article:modified og:updated_time og:article:modified_time datemodified last-modified"
    " lastmod modified_date dcterms.modified dc.date.modified parsely-modified-date"
)
_WEAK_DATE_KEYS = _words(
    "dc.date.issued dcterms.issued dcterms.created dc.date.created dc.date dcterms.date date article.created"
)
_AUTHOR_KEYS = _words(
    "article:author_name parsely-author sailthru.author dc.creator dcterms.creator citation_author"
    " cxenseparse:author byl author article:author og:article:author"
)
_NO_AUTHOR = re.compile(
    r"^(?:https?:|www\.|[@/])|^\d+$|^(?:admin|staff|editor|redaktion|redaction|unknown|none|null|author|by|von|news|team)$"
    r"|\.(?:com|de|net|org)$",
    re.I,
)
_BY = re.compile(
    r"^(?:(?:written|posted|reported|words|story|article|text)?\s*by|written|author|authors|von|por|par|da|di|av|af|от|autor|auteur|автор"
    r"|نویسنده|بقلم)(?::\s*|\s+)",
    re.I,
)
_AND = re.compile(r"\s*(?:[,;|/&]|\b(?:and|und|et|e|و|y)\b)\s+")
_BYLINES = XPath(
    "//*[(contains(@class, 'author') or contains(@class, 'byline') or contains(@class, 'Author')"
    " or contains(@class, 'Byline') or contains(@data-testid, 'author') or contains(@data-testid, 'byline'))"
    " and not(self::script or self::img or self::svg or self::body or self::html)]"
)
_FEW_BYLINES, _FEW_PIECES, _LONGEST_BYLINE = 12, 30, 160
_NO_NAME = re.compile(
    r"\b(?:author|read|more|posts?|articles?|follow|team|staff|min|editor|about|the|view|all)\b", re.I
)
_BYLINE_TAIL = re.compile(
    r"\s+[|•·–—]\s*|\s+(?:on|updated|published|posted|am|um|le)\s+|\s*\d|,\s*(?:updated|published)", re.I
)
_NAME = re.compile(r"^[^\W\d_a-zß-öø-ÿа-я][\w.'’-]*(?:\s+[\w.'’(-][\w.'’)-]*){1,4}(?:,.*)?$")
_DEGREE = re.compile(r"(?:[A-Z][A-Za-z]{0,3}\.?){1,3}[A-Z®.]+|Ph\.?\s?D\.?|[JS]r\.?|[A-Z]{2,6}®?|R\.?N\.?|Esq\.?")
_TITLE_TAIL = re.compile(r"^(.{10,}\S)\s+(?:[|–—»·]|::|-)\s+(.{1,60})$", re.S)
_TITLE_HEAD = re.compile(r"^(.{2,60}?)\s+([|–—»·]|::|-)\s+(.{8,})$", re.S)
_URL_DATE = re.compile(r"/((?:19|20)\d\d)[/-]?([01]\d)[/-]?([0-3]\d)(?=[/_-]|$)")
_LAST_COMMA = re.compile(r",(\s*[}\]])")
_MOVED = 7  # days that the date of a move to another system is later than the article's, at least
_WORD = re.compile(r"\w+")


@dataclass(slots=True)
class Declarations:
    """Everything a page says of itself, in document order."""

    metas: dict[str, list[str]] = field(default_factory=dict)
    linked: list[dict[str, Any]] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)
    subheadings: list[str] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    dated: list[str] = field(default_factory=list)
    authors: list[str] = field(default_factory=list)
    headlines: list[str] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    links: dict[str, list[str]] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    language: str | None = None

    def meta(self, *keys: str) -> str:
        """The first non-empty value of the first key that has one."""
        return next((one_line(v) for k in keys for v in self.metas.get(k, ()) if v.strip()), "")

    @property
    def article(self) -> dict[str, Any]:
        """The JSON-LD node of the article itself; empty where there is none."""
        nodes = [n for n in self.linked if any(_ARTICLE.search(t) for t in _types(n))]
        return next((n for n in nodes if n.get("headline") and n.get("datePublished")), nodes[0] if nodes else {})


def collect(tree: HtmlElement) -> Declarations:
    """All declarations of the tree, each kind in document order."""
    page = Declarations()
    for element in tree.iter(*_TAGS):
        _collect_tag(page, element)
    for element in cast("list[HtmlElement]", _ATTRIBUTES(tree)):
        _collect_microdata(page, element)
    page.language = tree.get("lang") or tree.get("xml:lang") or page.meta("content-language", "og:locale") or None
    return page


def _collect_tag(page: Declarations, element: HtmlElement) -> None:
    tag, get = element.tag, element.get
    if tag == "meta":
        key = get("property") or get("name") or get("itemprop") or get("http-equiv")
        if key and (content := get("content")):
            page.metas.setdefault(key.strip().lower(), []).append(content)
    elif tag == "link":
        if href := get("href"):
            for rel in get("rel", "").lower().split():
                page.links.setdefault(rel, []).append(href)
    elif tag == "script":
        if "ld+json" in get("type", "").lower():
            page.linked.extend(_nodes(_load(element.text or ""), 0))
    elif tag == "time":
        if value := get("datetime") or _text(element):
            (page.times if get("pubdate") is None else page.dated).append(value)
    else:
        places = {"title": page.titles, "h1": page.headings, "h2": page.subheadings, "figcaption": page.captions}
        places[str(tag)].append(_text(element))


def _collect_microdata(page: Declarations, element: HtmlElement) -> None:
    role = element.get("itemprop")
    if role == "datePublished":
        page.dated.append(element.get("datetime") or element.get("content") or _text(element))
    elif role == "dateModified":
        page.changed.append(element.get("datetime") or element.get("content") or _text(element))
    elif role == "author" or (role is None and "author" in element.get("rel", "").split()):
        page.authors.append(element.get("content") or _text(element))
    elif role == "headline":
        page.headlines.append(_text(element))


def _text(element: HtmlElement) -> str:
    return one_line(str(element.text_content())[:2000])


def _load(script: str) -> Any:
    """The script's JSON, with the slips that publishers make forgiven; None where it is none."""
    start, stop = min(script.find(c) % (len(script) + 1) for c in "{["), max(map(script.rfind, "}]"))
    text = script[start : stop + 1]
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        pass
    try:
        return json.loads(_LAST_COMMA.sub(r"\1", text), strict=False)
    except (ValueError, RecursionError):
        return None


def _nodes(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    if depth > 12:
        return
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _nodes(item, depth + 1)


def _types(node: dict[str, Any]) -> list[str]:
    return [str(t).rsplit("/", 1)[-1] for t in _as_list(node.get("@type"))]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def one_line(value: object) -> str:
    """The value as one line of text, entities resolved (twice: publishers escape the escaped)."""
    text = value if isinstance(value, str) else ""
    return " ".join((html.unescape(html.unescape(text)) if "&" in text else text).split())


def title(page: Declarations, host: str = "") -> tuple[str, str]:
    """(title, origin): the visible headline where a declared one confirms it, else the declared one.

    `host` tells the site's own name, which stands around or instead of many a page's title.
    """
    site = page.meta("og:site_name", "application-name")
    linked = one_line(page.article.get("headline"))
    graph = _without_site(page.meta("og:title", "twitter:title"), site, host)
    tag = _without_site(page.titles[0] if page.titles else "", site, host)
    headings = [h for h in page.headings if len(h) > 3]
    declared = [d for d in (graph, linked, tag) if d]
    scored = [(_alike(h, d), -i, h) for i, h in enumerate(headings) for d in declared]
    if scored and max(scored)[0] >= 0.5:
        return max(scored)[2], "h1"
    candidates = (
        (linked if len(linked) > 8 and not linked.endswith(("...", "…")) else "", "jsonld:headline"),
        (graph, "meta:og:title"),
        (page.headlines[0] if page.headlines else "", "microdata:headline"),
        (tag, "title"),
        (headings[0] if headings else "", "h1"),
        (page.subheadings[0] if page.subheadings else "", "h2"),
        (page.titles[0] if page.titles else "", "title"),
    )
    named = ((text, origin) for text, origin in candidates if text and not _is_site(text, site, host))
    return next(named, next(((text, origin) for text, origin in candidates if text), ("", "")))


def _alike(one: str, other: str) -> float:
    """The share of words that two titles have in common (Jaccard)."""
    a, b = set(_WORD.findall(one.lower())), set(_WORD.findall(other.lower()))
    return len(a & b) / max(1, len(a | b))


def _without_site(text: str, site: str, host: str) -> str:
    """A title without the site's name before or behind it; a part of at least two words is left."""
    if m := _TITLE_HEAD.match(text):
        head, mark, tail = m.groups()
        if _is_site(head, site, host) or (mark == "::" and len(head.split()) <= 4 and len(tail.split()) >= 3):
            return tail
    while m := _TITLE_TAIL.match(text):
        head, tail = m[1], m[2]
        if _is_site(tail, site, host) or (len(head.split()) >= 3 and len(tail.split()) <= 5):
            text = head
        else:
            break
    return text


def _is_site(text: str, site: str, host: str) -> bool:
    """Whether the text is the site's name, as it says, or as its host name spells it ("The Sun" of thesun.org)."""
    letters = _letters(text)
    return text.strip().lower() == site.lower() != "" or (
        len(letters) > 3 and letters in map(_letters, host.split("."))
    )


def _letters(text: str) -> str:
    return "".join(_WORD.findall(text.lower())).replace("_", "")


def authors(page: Declarations, tree: HtmlElement) -> tuple[tuple[str, ...], str]:
    """(names, origin) of the first declaration that holds a person's or an agency's name; else of the byline that the
    page shows; else the site itself, where it declares itself the author."""
    article, site = page.article, page.meta("og:site_name").lower()
    linked = _as_list(article.get("author")) or _as_list(article.get("creator"))
    references = {a.get("@id") for a in linked if isinstance(a, dict)} - {None}
    named = [a if isinstance(a, str) else n for a in linked for n in (_names(a) or [""])]
    sources: list[tuple[Iterable[object], str]] = [
        (named, "jsonld:author"),
        ([n for node in page.linked if node.get("@id") in references for n in _names(node)], "jsonld:author"),
        *((page.metas.get(key, ()), f"meta:{key}") for key in _AUTHOR_KEYS),
        (page.authors[:4], "microdata:author"),
    ]
    for values, origin in sources:
        if names := _people(values, site):
            return names, origin
    if names := _byline(tree, site):
        return names, "byline"
    return (names, "jsonld:author") if (names := _people(named, "")) else ((), "")


def _byline(tree: HtmlElement, site: str) -> tuple[str, ...]:
    """The names in the first element that its class calls the author's or the byline, where they read as names."""
    for element in cast("list[HtmlElement]", _BYLINES(tree))[:_FEW_BYLINES]:
        pieces = [one_line(piece) for piece in islice(element.itertext("*", with_tail=True), _FEW_PIECES)]
        if sum(map(len, pieces)) <= _LONGEST_BYLINE:
            for piece in pieces:
                names = _people([_BYLINE_TAIL.split(_BY.sub("", piece), maxsplit=1)[0]], site)
                if names and all(_NAME.match(name) and not _NO_NAME.search(name) for name in names):
                    return names
    return ()


def _names(node: object) -> list[object]:
    return _as_list(node.get("name")) if isinstance(node, dict) else []


def _people(values: Iterable[object], site: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for value in values:
        parts = [name.strip(" ,;|") for name in _AND.split(_BY.sub("", one_line(value)))]
        whole: list[str] = []
        for part in parts:  # "Ann Example, MD, Ph.D." is one person
            if whole and _DEGREE.fullmatch(part):
                whole[-1] += f", {part}"
            else:
                whole.append(part)
        for name in whole:
            if 1 < len(name) < 60 and not _NO_AUTHOR.search(name) and name.lower() != site:
                found[name] = None
    return tuple(found)


def published(page: Declarations, url: str, language: str | None, latest: date) -> Published | None:
    """The declared date of publication, most trusted place first; None where nothing declares one."""
    article = page.article
    candidates: list[tuple[object, str]] = [(article.get("datePublished"), "jsonld:datePublished")]
    candidates += [(v, f"meta:{key}") for key in _DATE_KEYS for v in page.metas.get(key, ())]
    candidates += [(v, "microdata:datePublished") for v in page.dated[:2]]
    candidates += [(node.get("datePublished"), "jsonld:datePublished") for node in page.linked if node is not article]
    candidates += [(v, f"meta:{key}") for key in _WEAK_DATE_KEYS for v in page.metas.get(key, ())]
    if m := _URL_DATE.search(urlsplit(url).path):
        candidates.append(("-".join(m.groups()), "url"))
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


def nearer(declared: Published | None, shown: Published | None) -> Published | None:
    """The declared date, or the one shown under the headline where that says more.

    A moment declared in UTC falls on another day than the reader sees, an evening in New York on the next; and a page
    that moved to a new system declares the day of the move, but shows the day of the article.
    """
    if declared is None or shown is None or not len(declared.date) == len(shown.date) == 10:
        return declared or shown
    gap = (date.fromisoformat(shown.date) - date.fromisoformat(declared.date)).days
    moment = _moment(declared.stated)
    in_utc = moment is not None and moment.utcoffset() == timedelta(0)
    if gap <= -_MOVED or (gap in (-1, 1) and in_utc):
        return replace(shown, stated=declared.stated if gap in (-1, 1) else "")
    return declared


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
