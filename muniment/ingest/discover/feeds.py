"""Feeds: RSS 0.9x, 1.0 and 2.0, Atom 0.3 and 1.0, CDF, JSON Feed, OPML lists of them. Pure: text in, a Listing out.

Of several places that say the same, the one that says it best is taken: `published` before `dc:date` before `updated`,
a link before a permanent `guid`. What is said is kept as it was said, as one line without markup.
"""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from muniment.ingest.discover.listing import MAX_ENTRIES, MAX_SAID, Entry, Listing
from muniment.ingest.discover.xml import Elements, local_name, text_of

if TYPE_CHECKING:
    from lxml.etree import _Element

_XML = "{http://www.w3.org/XML/1998/namespace}"
# Namespaces by what they say, whatever version of them; those of media and players speak of pictures and shows.
_SPACES = (("purl.org/dc/", "dc"), ("search.yahoo.com/mrss", "media"), ("itunes.com", "itunes"),
           ("feedburner", "feedburner"), ("google.com/schemas/play-podcasts", "googleplay"))  # fmt: skip
_TAG = re.compile(r"<[/!?A-Za-z][^<>]*>")
_MAIL_AND_NAME = re.compile(r"[^\s@()]+@[^\s()]+\s*\(([^()]+)\)")
_MAIL = re.compile(r"^(?:mailto:)?[^\s@]+@[^\s@]+$")
_NO_ADDRESS = re.compile(r"[<>\"\t\r\n\f\v]")
_WEB = re.compile(r"https?:", re.I)
_WITH_HOST = re.compile(r"https?://[^/?#\s]", re.I)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_FEED_TYPES = frozenset({"application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml"})
_ITEMS = ("item", "entry")
_CONTENT = "modules/content"  # its items are parts of an article
_MAX_MANY = 50  # authors or categories of one entry


def is_feed(root: _Element) -> bool:
    return local_name(root) in ("rss", "rdf", "feed", "channel")


def read_feed(elements: Elements, base: str) -> Listing:
    """The listing of an RSS or Atom document, whose `Elements` were asked for item and entry."""
    entries: list[Entry] = []
    base = urljoin_safe(base, _attribute(elements.root, "base")) or base  # CDF
    for element in elements:
        name = local_name(element)
        if name in _ITEMS and len(entries) < MAX_ENTRIES and _CONTENT not in str(element.tag):
            entries.append(_entry(element, _base_of(element, base)))
            element.clear()
    root = elements.root
    head = next((e for e in root.iter() if local_name(e) == "channel"), root)
    fields = _fields(head)
    title, language = _line(_first(fields, "title", "dc:title")), _first(fields, "language", "dc:language")
    return Listing(
        "feed",
        _dialect(root),
        title,
        (language or root.get(f"{_XML}lang") or "").strip()[:35],
        tuple(entry for entry in entries if entry.url),
        tuple(Entry(link) for link in _next_pages(head, base)),
        elements.problem or _without_address(entries) or (None if entries else no_entries(root)),
    )


def no_entries(root: _Element) -> str:
    """What is said of a document that is sound and empty."""
    return f"line {root.sourceline or 1}: it holds no entry"


def _without_address(entries: list[Entry]) -> str | None:
    lacking = [number for number, entry in enumerate(entries, 1) if not entry.url]
    return f"{len(lacking)} of {len(entries)} entries name no address, entry {lacking[0]} first" if lacking else None


def _dialect(root: _Element) -> str:
    match local_name(root):
        case "channel" if root.tag == "CHANNEL":
            return "cdf"
        case "rss" | "channel":
            return f"rss {root.get('version', '')}"[:20].strip()
        case "rdf":
            return "rss 1.0"
    return "atom"


def _entry(item: _Element, base: str) -> Entry:
    fields = _fields(item)
    identity = _line(_first(fields, "guid", "id", "dc:identifier")) or item.get(_about(item), "")
    return Entry(
        url=_link(item, fields, base),
        title=_line(_first(fields, "title", "dc:title", "media:title", "itunes:title")),
        published=_line(_first(fields, "published", "pubdate", "issued", "dc:issued", "dc:created", "dc:date", "date")),
        updated=_line(_first(fields, "updated", "modified", "dc:modified") or _attribute(item, "lastmod")),
        authors=_authors(fields),
        id=identity[:MAX_SAID],
        categories=_categories(fields),
        language=_line(_first(fields, "dc:language", "language") or item.get(f"{_XML}lang") or "")[:35],
    )


def _attribute(element: _Element, name: str) -> str:
    """An attribute whose name may be in upper case."""
    return element.get(name) or element.get(name.upper()) or ""


def _fields(item: _Element) -> dict[str, list[_Element]]:
    """The children by name, with `dc:` and the like before it whatever their prefix is."""
    found: dict[str, list[_Element]] = {}
    for child in item:
        if isinstance(child.tag, str):
            found.setdefault(_name(child.tag), []).append(child)
    return found


def _name(tag: str) -> str:
    space, _, local = tag.rpartition("}")
    prefix, _, name = local.rpartition(":")  # an undeclared prefix is a part of the name
    prefix = next((short for part, short in _SPACES if part in space), prefix)
    if prefix in ("atom", "rss", "dcterms"):
        prefix = {"dcterms": "dc"}.get(prefix, "")
    return (f"{prefix}:{name}" if prefix else name).lower()


def _about(item: _Element) -> str:
    return next((str(name) for name in item.attrib if str(name).endswith("}about")), "about")


def _first(fields: dict[str, list[_Element]], *names: str) -> str:
    """The text of the first of these that says something."""
    return next((text for name in names for element in fields.get(name, ()) if (text := text_of(element))), "")


def _link(item: _Element, fields: dict[str, list[_Element]], base: str) -> str:
    """The address of the article, absolute; empty where none is named."""
    candidates = [text_of(element) for element in fields.get("feedburner:origlink", ())]
    links = fields.get("link", [])
    by_kind = {"": [], "alternate": []}  # type: dict[str, list[str]]
    for link in links:
        if href := link.get("href"):
            by_kind.setdefault(link.get("rel", "alternate").rpartition("/")[2].lower(), []).append(
                urljoin_safe(_base_of(link, base), href)
            )
        elif text := text_of(link):
            by_kind[""].append(text)
    guids = [text_of(g) for g in fields.get("guid", ()) if (g.get("ispermalink") or g.get("isPermaLink")) != "false"]
    other = [text_of(element) for element in fields.get("id", ())] + [item.get(_about(item), "")]
    other += [_attribute(element, "href") for element in (item, *fields.get("a", ()))]  # CDF
    candidates += [*by_kind["alternate"], *by_kind[""], *by_kind.get("canonical", []), *guids, *other]
    for candidate in candidates:
        if url := _web_address(candidate, base):
            return url
    return ""


def _web_address(text: str, base: str) -> str:
    """An http or https address, resolved; empty where the text is none."""
    text = html.unescape(text).strip() if "&" in text else text.strip()
    if not text or len(text) > 8192 or _NO_ADDRESS.search(text):
        return ""
    if not _WEB.match(text):
        if _SCHEME.match(text) or text.startswith("@") or " " in text:
            return ""
        text = urljoin_safe(base, text)
    return text if _WITH_HOST.match(text) else ""


def urljoin_safe(base: str, reference: str) -> str:
    """urljoin, empty where one of them cannot be read."""
    try:
        return urljoin(base, reference.strip())
    except ValueError:
        return ""


def _base_of(element: _Element, base: str) -> str:
    """`xml:base` of the element and those around it, seen from the document's address."""
    found: str | None = element.base
    return urljoin_safe(base, found) or base if found else base


def _authors(fields: dict[str, list[_Element]]) -> tuple[str, ...]:
    names: list[str] = []
    for name in ("author", "dc:creator", "creator", "itunes:author", "managingeditor"):
        for element in fields.get(name, ())[:_MAX_MANY]:
            inner = [child for child in element if local_name(child) == "name"]
            names += [_person(text_of(e)) for e in inner] if len(element) else [_person(text_of(element))]
        if any(names):
            break
    return tuple(dict.fromkeys(name for name in names if name))


def _person(text: str) -> str:
    """A name; of `mail@host (Name)` the name, and nothing of an address alone."""
    line = _line(text)
    if m := _MAIL_AND_NAME.search(line):
        return m[1].strip()
    return "" if _MAIL.match(line) else line[:200]


def _categories(fields: dict[str, list[_Element]]) -> tuple[str, ...]:
    found = [
        _line(element.get("label") or element.get("term") or text_of(element))
        for name in ("category", "dc:subject")
        for element in fields.get(name, ())[:_MAX_MANY]
    ]
    return tuple(dict.fromkeys(name[:200] for name in found if name))


def _line(text: str) -> str:
    """One line of at most 1,000 characters, without markup and entities (which are often escaped twice)."""
    if not text:
        return ""
    text = text[: 10 * MAX_SAID]
    for _ in range(2):
        if "&" in text:
            text = html.unescape(text)
    if "<" in text:
        text = _TAG.sub(" ", text)
    return " ".join(text.split())[:MAX_SAID]


def _next_pages(head: _Element, base: str) -> list[str]:
    """Where a feed goes on (RFC 5005)."""
    links = (child for child in head if local_name(child) == "link" and child.get("rel") == "next")
    return [url for link in links if (url := _web_address(link.get("href", ""), _base_of(link, base)))]


def read_opml(elements: Elements, base: str) -> Listing:
    """The feeds that an OPML list names."""
    more = []
    for element in elements:
        address = next((str(v) for k, v in element.attrib.items() if str(k).lower() == "xmlurl"), "")
        if url := _web_address(address, base):
            more.append(Entry(url, title=_line(element.get("title") or element.get("text") or "")))
    problem = elements.problem or (None if more else "line 1: this OPML list names no feed")
    return Listing("opml", "opml", more=tuple(more[:MAX_ENTRIES]), problem=problem)


def read_json_feed(text: str, base: str) -> Listing:
    """JSON Feed 1 and 1.1 (jsonfeed.org). What is of a wrong type says nothing."""
    try:
        top = json.loads(text)
    except json.JSONDecodeError as e:
        return Listing("feed", "json feed", problem=f"line {e.lineno}, column {e.colno}: {e.msg}")
    except RecursionError:
        return Listing("feed", "json feed", problem="line 1: it is nested too deeply")
    except ValueError as e:  # a number of many thousand digits
        return Listing("feed", "json feed", problem=f"line 1: it cannot be read ({str(e)[:100]})")
    if not isinstance(top, dict) or not isinstance(top.get("items"), list):
        return Listing("feed", "json feed", problem="line 1: JSON, but no JSON Feed: it has no list of items")
    items = [item for item in top["items"] if isinstance(item, dict)][:MAX_ENTRIES]
    entries = [_json_entry(item, base) for item in items]
    next_url = _web_address(_string(top, "next_url"), base)
    return Listing(
        "feed",
        "json feed",
        _line(_string(top, "title")),
        _string(top, "language")[:35],
        tuple(entry for entry in entries if entry.url),
        (Entry(next_url),) if next_url else (),
        _without_address(entries) or (None if entries else "line 1: it holds no entry"),
    )


def _json_entry(item: dict[str, Any], base: str) -> Entry:
    authors, tags = _list(item, "authors") or [item.get("author")], _list(item, "tags")
    identity = item.get("id")
    address = _string(item, "url") or _string(item, "external_url") or _string(item, "id")
    return Entry(
        url=_web_address(address, base),
        title=_line(_string(item, "title")),
        published=_line(_string(item, "date_published")),
        updated=_line(_string(item, "date_modified")),
        authors=tuple(filter(None, (_person(_string(a, "name")) for a in authors[:_MAX_MANY] if isinstance(a, dict)))),
        id=_line(str(identity) if isinstance(identity, str | int) else ""),
        categories=tuple(_line(tag)[:200] for tag in tags[:_MAX_MANY] if isinstance(tag, str)),
        language=_string(item, "language")[:35],
    )


def _list(fields: dict[str, Any], name: str) -> list[Any]:
    value = fields.get(name)
    return value if isinstance(value, list) else []


def _string(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""
