"""Title and authors as the page declares them, each with where it was found.

One pass over the tree collects every declaration; then each field takes the first good one in the order of its
trust: JSON-LD, meta tags, microdata, visible elements. Nothing is guessed from running text here. The dates are
read by `when.py`.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, cast

from lxml.etree import XPath
from lxml.html import HtmlElement

_TAGS = ("meta", "link", "script", "title", "h1", "h2", "time", "figcaption")
_ATTRIBUTES = XPath("//*[@itemprop]|//a[@rel]")  # walking the tree by tag is ten times as fast as XPath by tag


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_ARTICLE = re.compile(r"(?:Article|Posting|Report|Review|Recipe|Column)$")
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
_COMMENT = re.compile(r"(?:^|[\s_/-]|User)comments?(?:$|[\s_-]|list|body)", re.I)
_FEW_ABOVE, _TEASER = 20, 60  # ancestors to look at; characters of a link that is more than its page's date
_LAST_COMMA = re.compile(r",(\s*[}\]])")
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
        if (value := get("datetime") or _text(element)) and not _is_others(element):
            (page.times if get("pubdate") is None else page.dated).append(value)
    else:
        places = {"title": page.titles, "h1": page.headings, "h2": page.subheadings, "figcaption": page.captions}
        places[str(tag)].append(_text(element))


def _collect_microdata(page: Declarations, element: HtmlElement) -> None:
    role = element.get("itemprop")
    if role in ("datePublished", "dateModified") and _is_others(element):
        return
    if role == "datePublished":
        page.dated.append(element.get("datetime") or element.get("content") or _text(element))
    elif role == "dateModified":
        page.changed.append(element.get("datetime") or element.get("content") or _text(element))
    elif role == "author" or (role is None and "author" in element.get("rel", "").split()):
        page.authors.append(element.get("content") or _text(element))
    elif role == "headline":
        page.headlines.append(_text(element))


def _is_others(element: HtmlElement) -> bool:
    """Whether the element stands in a comment, or in a link that is another page's teaser."""
    for above in islice(element.iterancestors(), _FEW_ABOVE):
        if above.tag == "a" and len(_text(above)) > _TEASER:
            return True
        if above.tag in ("article", "main", "body", "html"):  # a page's classes tell whether comments are open
            return (above.get("itemtype") or "").endswith("Comment") or "comment-body" in above.get("class", "")
        if _COMMENT.search(f"{above.get('itemtype', '')} {above.get('class', '')} {above.get('id', '')}"):
            return True
    return False


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
