"""DOCX to paragraphs: mammoth makes HTML of the styles, lists, tables and notes, and leaves deletions out."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping

from muniment.ingest.decode import NoText
from muniment.ingest.documents.blocks import Block, blocks_of_html, first_heading, text_of
from muniment.ingest.documents.document import Document, iso_time, one_line, people, plausible_date, plausible_title
from muniment.ingest.documents.package import Package

_STYLES = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => h2:fresh\ncomment-reference => "
_CORE = "docProps/core.xml"
_FIELDS = ("title", "creator", "created", "modified", "lastModifiedBy", "language", "subject")
_BACK = re.compile(r'<a href="#(?:foot|end)note-ref-[^"]*">[^<]*</a>')  # the arrow back from a note


def read_docx(data: bytes) -> Document:
    """The document's text in reading order, notes at the end. Raises NoText."""
    package = Package(data, "DOCX")
    if not any(name.endswith("document.xml") or name.startswith("word/") for name in package.names):
        raise NoText("broken: DOCX, it holds no document")
    package.refuse_entities()
    said = _core(package)
    blocks = blocks_of_html(_html(data), rows=True) or _all_text(package)
    stored = plausible_title(said.get("docx:title", ""))
    title, origin = (stored, "docx:title") if stored else (first_heading(blocks), "docx:heading")
    authors = people([said.get("docx:creator", "")])
    return Document(
        text=text_of(blocks),
        title=title,
        title_origin=origin if title else "",
        authors=authors,
        authors_origin="docx:creator" if authors else "",
        published=plausible_date(said.get("docx:created", "")),
        published_origin="docx:created",
        language=said.get("docx:language"),
        said=said,
        decoding="docx",
    )


def _html(data: bytes) -> str:
    import mammoth
    from mammoth.images import img_element

    drop = img_element(lambda image: {})  # pictures are neither opened nor fetched
    try:
        result = mammoth.convert_to_html(io.BytesIO(data), style_map=_STYLES, convert_image=drop)
    except (MemoryError, RecursionError):
        raise
    except Exception as e:
        raise NoText(f"broken: DOCX, {type(e).__name__}: {one_line(str(e))[:120]}") from e
    return _BACK.sub("", result.value)


def _all_text(package: Package) -> list[Block]:
    """Every run of text, a paragraph a block: for what mammoth passes over (ruby, forms, alternative content)."""
    names = [name for name in package.names if name.endswith("document.xml")]
    root = package.xml(min(names, key=lambda name: (name != "word/document.xml", name), default=""))
    found: list[Block] = []
    for paragraph in root.iter() if root is not None else ():
        if str(paragraph.tag).endswith("}p"):
            text = "".join(run.text or "" for run in paragraph.iter() if str(run.tag).endswith("main}t"))
            if line := one_line(text):
                found.append(Block(line))
    return found


def _core(package: Package) -> Mapping[str, str]:
    """What the document states of itself (Dublin Core and Office's own), names as in the file."""
    try:
        root = package.xml(_CORE)
    except NoText:
        return {}  # the text is there all the same
    said = {}
    for element in root if root is not None else ():
        name = str(element.tag).rpartition("}")[2]
        value = one_line(element.text)
        if name in _FIELDS and value:
            said[f"docx:{name}"] = iso_time(value) or value if name in ("created", "modified") else value
    return said
