"""HTML that holds nothing but a document, as its paragraphs: nothing is chrome, and nothing is left out."""

from __future__ import annotations

from typing import NamedTuple

from lxml import etree, html
from lxml.html import HtmlElement

from muniment.ingest.documents.document import words

_BLOCKS = words(
    """address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure footer form
    h1 h2 h3 h4 h5 h6 header hr html legend li main nav ol p pre section summary table tbody tfoot thead title tr ul"""
)
_CELLS = frozenset({"td", "th"})
_WITHIN = (_BLOCKS - {"tr", "table"}) | {"br"}  # what ends no line within a cell
_HIDDEN = words("""script style template noscript head svg math-annotation object iframe select""")
_HEADINGS = {f"h{n}": n for n in range(1, 7)}


class Block(NamedTuple):
    """A paragraph, or a heading of that level (0: none)."""

    text: str
    level: int = 0


def text_of(blocks: list[Block]) -> str:
    """The paragraphs, one a line."""
    return "\n".join(block.text for block in blocks)


def first_heading(blocks: list[Block]) -> str:
    """The first heading of the highest level among the first 50 paragraphs."""
    headings = [block for block in blocks[:50] if block.level]
    return min(headings, key=lambda block: block.level).text if headings else ""


def parse_html(source: str) -> HtmlElement | None:
    """The tree of an HTML page; None where there is none in it."""
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=False)
    try:
        return html.document_fromstring(source.encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None


def blocks_of_html(source: str, *, rows: bool = False) -> list[Block]:
    """All visible text, a block a paragraph. With `rows` a table's row is one block, its cells separated by tabs: for
    documents, whose tables are tables and no layout."""
    tree = parse_html(source)
    return [] if tree is None else _blocks_of(tree, rows)


def _blocks_of(tree: HtmlElement, rows: bool) -> list[Block]:
    found = _Collector(rows)
    hidden = 0
    for event, element in etree.iterwalk(tree, events=("start", "end")):
        tag = element.tag if isinstance(element.tag, str) else ""
        name = tag.rpartition("}")[2].lower()
        if event == "start":
            hidden += name in _HIDDEN
            if not hidden:
                found.start(name)
                found.add(element.text)
        else:
            if not hidden:
                found.end(name)
            hidden -= name in _HIDDEN
            if not hidden:
                found.add(element.tail)
    found.end("p")
    return found.blocks


class _Collector:
    """Text as it comes, cut into blocks where one begins or ends."""

    def __init__(self, rows: bool) -> None:
        self.blocks: list[Block] = []
        self._rows = rows
        self._pieces: list[str] = []
        self._level = self._verbatim = self._cells = 0

    def start(self, tag: str) -> None:
        self._cells += tag in _CELLS
        if self._rows and self._cells and tag in _WITHIN:
            self._pieces.append(" ")
        elif tag in _BLOCKS:
            self._cut()
            self._level = _HEADINGS.get(tag, self._level)
            self._verbatim += tag == "pre"
        elif tag in _CELLS:
            self._pieces.append("\t")
        elif tag == "br":
            self._cut()

    def end(self, tag: str) -> None:
        self._cells -= tag in _CELLS
        if self._rows and self._cells and tag in _WITHIN:
            self._pieces.append(" ")
        elif tag in _BLOCKS:
            self._cut()
            self._level = 0 if tag in _HEADINGS else self._level
            self._verbatim -= tag == "pre"

    def add(self, text: str | None) -> None:
        if text:
            self._pieces.append(text if self._verbatim else text.replace("\t", " "))

    def _cut(self) -> None:
        joined, self._pieces = "".join(self._pieces), []
        if self._verbatim:
            lines = joined.split("\n")
        else:
            lines = ["\t".join(" ".join(cell.split()) for cell in joined.split("\t")).strip("\t")]
        self.blocks.extend(Block(line.rstrip(), self._level) for line in lines if line.strip())
