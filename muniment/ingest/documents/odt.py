"""ODT to paragraphs: content.xml read in order, deleted text left out, notes where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from muniment.ingest.decode import NoText
from muniment.ingest.documents.blocks import Block, first_heading, text_of
from muniment.ingest.documents.document import (
    Document,
    iso_time,
    one_line,
    people,
    plausible_date,
    plausible_title,
    words,
)
from muniment.ingest.documents.package import Package

_LEFT_OUT = words(
    """tracked-changes annotation forms sequence-decls variable-decls user-field-decls note-citation desc title
    table-of-content-source bibliography-source alphabetical-index-source illustration-index-source script object-ole
    image event-listeners soft-page-break-before ruby-text"""
)
_PARAGRAPHS = frozenset({"p", "h"})
_FIELDS = words("title creator initial-creator creation-date date language subject")
_MAX_SPACES = 100


def read_odt(data: bytes) -> Document:
    """The document's text. Raises NoText."""
    package = Package(data, "ODT")
    manifest = package.read("META-INF/manifest.xml")
    if manifest is not None and b"encryption-data" in manifest:
        raise NoText("encrypted: ODT")
    root = package.xml("content.xml")
    if root is None:
        raise NoText("broken: ODT, it holds no content.xml")
    blocks = _blocks(root)
    said = _meta(package)
    stored = plausible_title(said.get("odt:title", ""))
    title, origin = (stored, "odt:title") if stored else (first_heading(blocks), "odt:heading")
    creator = next((name for name in ("odt:initial-creator", "odt:creator") if people([said.get(name, "")])), "")
    return Document(
        text=text_of(blocks),
        title=title,
        title_origin=origin if title else "",
        authors=people([said.get(creator, "")]),
        authors_origin=creator,
        published=plausible_date(said.get("odt:creation-date", "")),
        published_origin="odt:creation-date",
        language=said.get("odt:language"),
        said=said,
        decoding="odt",
    )


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _attribute(element: Element, name: str) -> str:
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")


def _blocks(root: Element) -> list[Block]:
    """The paragraphs in order. One that stands within another (a note, a text box) follows it."""
    body = next((e for e in root.iter() if _name(e) == "body"), root)
    found: list[Block] = []
    for event, element in _walk(body):
        if event == "paragraph":
            pieces: list[str] = []
            inner = list(_inline(element, pieces))
            level = int(_attribute(element, "outline-level") or 1) if _name(element) == "h" else 0
            if text := " ".join("".join(pieces).split(" ")).strip():
                found.extend(Block(line.strip(), level) for line in text.split("\n") if line.strip())
            for nested in inner:
                found.extend(_blocks(nested))
    return found


def _walk(body: Element) -> Iterator[tuple[str, Element]]:
    """Outermost paragraphs below an element, without recursion."""
    stack = [iter(body)]
    while stack:
        element = next(stack[-1], None)
        if element is None:
            stack.pop()
        elif _name(element) in _PARAGRAPHS:
            yield "paragraph", element
        elif _name(element) not in _LEFT_OUT:
            stack.append(iter(element))


def _inline(paragraph: Element, pieces: list[str]) -> Iterator[Element]:
    """Appends a paragraph's own text to the pieces; yields what holds paragraphs within it."""
    if paragraph.text:
        pieces.append(paragraph.text)
    stack = [(paragraph, iter(paragraph))]
    while stack:
        parent, children = stack[-1]
        element = next(children, None)
        if element is None:
            stack.pop()
            if stack and parent.tail:
                pieces.append(parent.tail)
            continue
        name = _name(element)
        if name in ("note", "text-box", "table", "list"):
            holder = next((e for e in element if _name(e) == "note-body"), element)
            yield holder
        elif name in ("tab", "line-break", "s"):
            count = _attribute(element, "c")
            spaces = min(int(count), _MAX_SPACES) if count.isdigit() else 1
            pieces.append({"tab": "\t", "line-break": "\n"}.get(name, " " * spaces))
        elif name not in _LEFT_OUT:
            if element.text:
                pieces.append(element.text)
            stack.append((element, iter(element)))
            continue
        if element.tail:
            pieces.append(element.tail)


def _meta(package: Package) -> dict[str, str]:
    try:
        root = package.xml("meta.xml")
    except NoText:
        return {}
    said = {}
    for element in root.iter() if root is not None else ():
        name, value = _name(element), one_line(element.text)
        if name in _FIELDS and value:
            said[f"odt:{name}"] = iso_time(value) or value if name in ("creation-date", "date") else value
    return said
