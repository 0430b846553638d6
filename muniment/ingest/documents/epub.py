"""EPUB to paragraphs: the chapters in the order of the spine."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from muniment.ingest.decode import NoText, decode
from muniment.ingest.documents.blocks import Block, blocks_of_html, first_heading, text_of
from muniment.ingest.documents.document import Document, iso_time, one_line, people, plausible_date
from muniment.ingest.documents.package import Package

MAX_TEXT = 20_000_000  # characters of a book; long ones have two million
_PAGES = ("application/xhtml+xml", "text/html", "text/x-oeb1-document", "application/xml")
_FIELDS = ("title", "creator", "date", "language", "publisher", "identifier", "modified")
_EVENTS = ("publication", "original-publication", "", "creation")
_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")


def read_epub(data: bytes) -> Document:
    """The book's text. Raises NoText."""
    package = Package(data, "EPUB")
    _refuse_encrypted(package)
    path = _package_path(package)
    opf = package.xml(path)
    if opf is None:
        raise NoText("broken: EPUB, its container names no package that is there")
    said, creators, published = _metadata(opf)
    blocks: list[Block] = []
    size = 0
    for name in _spine(opf, path):
        if (chapter := package.read(name)) is None:
            continue
        text, _ = decode(chapter, None, is_html=True)
        blocks.extend(blocks_of_html(text, rows=True))
        size += len(text)
        if size > MAX_TEXT:
            raise NoText("too-large: the text of the EPUB")
    stored = said.get("epub:title", "")
    title, origin = (stored, "epub:title") if stored else (first_heading(blocks), "epub:heading")
    authors = people(creators)
    return Document(
        text=text_of(blocks),
        title=title,
        title_origin=origin if title else "",
        authors=authors,
        authors_origin="epub:creator" if authors else "",
        published=plausible_date(published),
        published_origin="epub:date",
        language=said.get("epub:language"),
        said=said,
        decoding="epub",
    )


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _refuse_encrypted(package: Package) -> None:
    """Fonts may be scrambled; a chapter that is cannot be read."""
    encryption = package.xml("META-INF/encryption.xml")
    for element in encryption.iter() if encryption is not None else ():
        if _name(element) == "EncryptionMethod" and element.get("Algorithm", "") not in _FONTS:
            raise NoText("encrypted: EPUB")


def _package_path(package: Package) -> str:
    container = package.xml("META-INF/container.xml")
    for element in container.iter() if container is not None else ():
        if _name(element) == "rootfile" and element.get("full-path"):
            return element.get("full-path", "")
    return next((name for name in sorted(package.names) if name.endswith(".opf")), "")


def _metadata(opf: Element) -> tuple[dict[str, str], list[str], str]:
    """(what the book says of itself, its authors, its date of publication)."""
    said: dict[str, str] = {}
    creators: list[str] = []
    dates: dict[str, str] = {}
    for element in opf.iter():
        name, value = _name(element), one_line(element.text)
        if name == "meta" and element.get("property") == "dcterms:modified":
            name = "modified"
        if name not in _FIELDS or not value:
            continue
        if name == "creator" and _role(element) in ("", "aut"):
            creators.append(value)
        if name == "date":
            dates.setdefault(_event(element), iso_time(value))
        said.setdefault(f"epub:{name}", value)
    return said, creators, next((dates[event] for event in _EVENTS if dates.get(event)), "")


def _role(element: Element) -> str:
    return next((v for k, v in element.attrib.items() if k.rpartition("}")[2] == "role"), "")


def _event(element: Element) -> str:
    return next((v for k, v in element.attrib.items() if k.rpartition("}")[2] == "event"), "")


def _spine(opf: Element, path: str) -> Iterator[str]:
    """The names of the chapters in reading order, each once; the table of contents is no chapter."""
    folder = posixpath.dirname(path)
    items = {e.get("id"): e for e in opf.iter() if _name(e) == "item"}
    seen = set()
    for reference in opf.iter():
        item = items.get(reference.get("idref")) if _name(reference) == "itemref" else None
        if (
            item is None
            or item.get("media-type", _PAGES[0]) not in _PAGES
            or "nav" in item.get("properties", "").split()
        ):
            continue
        href = unquote(item.get("href", "")).partition("#")[0]
        name = posixpath.normpath(posixpath.join(folder, href))
        if href and name not in seen:
            seen.add(name)
            yield name
