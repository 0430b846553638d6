"""Markdown (CommonMark and tables) to paragraphs; a block of `name: value` lines at its head tells of it."""

from __future__ import annotations

import re

from muniment.ingest.documents.blocks import blocks_of_html, first_heading, text_of
from muniment.ingest.documents.document import Document, iso_time, one_line, people

_FRONT = re.compile(r"\ufeff?---[ \t]*\r?\n(.{0,20000}?)\r?\n(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.S)
_FIELD = re.compile(r"(title|date|published|author|authors|language|lang|updated|modified)[ \t]*:[ \t]*(.*)", re.I)
_LIST_ITEM = re.compile(r"[ \t]*-[ \t]+(.+)")


def read_markdown(source: str) -> Document:
    """The text without its markup."""
    from markdown_it import MarkdownIt

    said: dict[str, str] = {}
    if m := _FRONT.match(source):
        said, source = _fields(m[1]), source[m.end() :]
    blocks = blocks_of_html(MarkdownIt("commonmark", {"html": True}).enable("table").render(source), rows=True)
    title, origin = said.get("markdown:title", ""), "markdown:title"
    if not title:
        title, origin = first_heading(blocks), "markdown:heading"
    authors = people(said.get("markdown:authors", said.get("markdown:author", "")).split(", "))
    date = "markdown:published" if "markdown:published" in said else "markdown:date"
    return Document(
        text=text_of(blocks),
        title=title,
        title_origin=origin if title else "",
        authors=authors,
        authors_origin="markdown:author" if authors else "",
        published=iso_time(said.get(date, "")),
        published_origin=date,
        language=said.get("markdown:language", said.get("markdown:lang")),
        said=said,
    )


def _fields(block: str) -> dict[str, str]:
    """The plain fields of a YAML head; anything deeper is passed over."""
    said: dict[str, str] = {}
    name = ""
    for line in block.splitlines():
        if m := _FIELD.fullmatch(line.rstrip()):
            name = f"markdown:{m[1].lower()}"
            value = m[2].strip("[] ") if m[2].startswith("[") else m[2]
            said[name] = (
                ", ".join(one_line(part).strip("\"'") for part in value.split(","))
                if "[" in m[2]
                else one_line(value).strip("\"'")
            )
        elif name and (item := _LIST_ITEM.fullmatch(line.rstrip())):
            said[name] = ", ".join(filter(None, (said[name], one_line(item[1]).strip("\"'"))))
        else:
            name = ""
    return {name: value for name, value in said.items() if value}
