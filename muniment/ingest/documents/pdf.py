"""PDF to paragraphs: PDFium's characters in logical order, its lines joined by where they stand on the page.

PDFium gives a page as lines. A paragraph ends where the gap to the next line, the size of the letters or an indent says
so; words hyphenated at a line's end are joined. Lines that stand at the top or foot of page after page are the page's
and not the text's. Letters that a PDF stores by their shape (fi, Arabic forms) become the letters they stand for; a
zero width non-joiner has no shape, so most PDFs hold none, and nothing is put in its place.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

from muniment.ingest.decode import NoText
from muniment.ingest.documents.document import Document, one_line, people, plausible_date, plausible_title
from muniment.model import Dropped

MAX_PAGES = 2_000
MAX_TEXT = 10_000_000  # characters
_EDGE = 0.1  # of a page's height, at the top and at the foot, where the page's own lines stand
_FEW_PAGES = 3
_MIN_LETTERS = 8  # a page with fewer letters, and a picture, is a scanned one
_FORMS = re.compile("[\ufb00-\ufb06\ufb13-\ufb17\ufb1d-\ufdff\ufe70-\ufefc]")
_HYPHENS = "\x02\ufffe\xad"
_ENDS = tuple('.!?…:;”"»)。！？۔؟؛]')
_ITEM = re.compile(r"(?:[•▪◦‣·●○■–—*-]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s")
_NUMBER = re.compile(
    r"\W*(?:(?:page|seite|p\.|pag\.|página|صفحه|صفحة)\s*)?(?:\d{1,4}|[ivxlc]{1,7})(?:\s*(?:/|of|von|de|sur|از|من)\s*\d{1,4})?\W*",
    re.I,
)
_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?\s*(?:([+-])(\d\d)'?(\d\d)?'?|Z)?")
_FIELDS = ("Title", "Author", "Subject", "Creator", "Producer", "CreationDate", "ModDate")


class _Line(NamedTuple):
    """A line of a page: its text, the edges of its first and last letters, its baseline and size in points, and whether
    it stands near the top or the foot."""

    text: str
    left: float
    right: float
    y: float
    size: float
    is_edge: bool = False


def read_pdf(data: bytes) -> Document:
    """The document's text; its `problem` names scanned pages. Raises NoText where it cannot be opened."""
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as e:
        raise NoText(_why(str(e))) from e
    try:
        stated = {name: one_line(value) for name, value in pdf.get_metadata_dict().items() if name in _FIELDS}
        said = {f"pdf:{name}": value for name, value in stated.items() if value}
        count = len(pdf)
        pages, pictured = _pages(pdf, min(count, MAX_PAGES))
    finally:
        pdf.close()
    for name in {"pdf:CreationDate", "pdf:ModDate"} & said.keys():
        said[name] = _iso(said[name]) or said[name]
    said["pdf:pages"] = str(count)
    pages, dropped = _without_page_lines(pages)
    text = "\n".join(_paragraphs(pages))
    if count > MAX_PAGES:
        dropped += (Dropped(f"pages {MAX_PAGES + 1} to {count}", "beyond-limit"),)
    stored = plausible_title(said.get("pdf:Title", ""))
    title, origin = (stored, "pdf:Title") if stored else (_largest(pages), "pdf:largest-line")
    authors = people([said.get("pdf:Author", "")])
    return Document(
        text=text,
        title=title,
        title_origin=origin if title else "",
        authors=authors,
        authors_origin="pdf:Author" if authors else "",
        published=plausible_date(said.get("pdf:CreationDate", "")),
        published_origin="pdf:CreationDate",
        said=said,
        dropped=dropped,
        decoding="pdfium",
        problem=None if text else _no_text(count, pictured),
    )


def _why(error: str) -> str:
    text = error.lower()
    if "password" in text or "security" in text:
        return "encrypted: PDF"
    return "broken: PDF" + (", no such page" if "page" in text else "")


def _no_text(count: int, pictured: int) -> str:
    pages = "1 page" if count == 1 else f"{count} pages"
    return f"no-text: scanned, {pages}" if pictured else f"no-text: {pages}, none with text or pictures"


def _pages(pdf: Any, count: int) -> tuple[list[list[_Line]], int]:
    """The lines of each page, and how many pages are pictures without text."""
    import pypdfium2
    from pypdfium2 import raw

    pages: list[list[_Line]] = []
    pictured = size = 0
    for number in range(count):
        try:
            page = pdf[number]
        except pypdfium2.PdfiumError:
            pages.append([])  # a page that is named and not there
            continue
        try:
            lines = list(_lines(page, raw))
            letters = sum(len(line.text) for line in lines)
            if letters < _MIN_LETTERS:
                pictured += any(True for _ in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3))
        except pypdfium2.PdfiumError:
            lines, letters = [], 0
        finally:
            page.close()
        pages.append(lines)
        size += letters
        if size > MAX_TEXT:
            raise NoText("too-large: the text of the PDF")
    return pages, pictured


def _lines(page: Any, raw: Any) -> Iterator[_Line]:
    textpage = page.get_textpage()
    _, foot, _, top = page.get_cropbox()
    inner = foot + _EDGE * (top - foot), top - _EDGE * (top - foot)
    try:
        text = textpage.get_text_range()
        at = 0  # in UTF-16 units, which is how PDFium counts
        for line in re.split("(\r\n|[\r\n])", text):
            units = len(line.encode("utf-16-le", "surrogatepass")) // 2
            if line.strip("\0 \t\r\n"):
                left_out = len(line) - len(line.lstrip())
                first, last = at + left_out, at + len(line.rstrip("\0 \t" + _HYPHENS)) - 1
                found = _placed(textpage.raw, raw, _shapes_to_letters(line.strip("\0 \t")), first, max(first, last))
                yield found._replace(is_edge=not inner[0] <= found.y <= inner[1])
            at += units
    finally:
        textpage.close()


def _placed(textpage: Any, raw: Any, text: str, first: int, last: int) -> _Line:
    from ctypes import byref, c_double

    x, y, left, right, bottom, top = (c_double() for _ in range(6))
    index = raw.FPDFText_GetCharIndexFromTextIndex(textpage, first)
    raw.FPDFText_GetCharOrigin(textpage, index, byref(x), byref(y))
    edges = []
    for place in (index, raw.FPDFText_GetCharIndexFromTextIndex(textpage, last)):
        if raw.FPDFText_GetCharBox(textpage, place, byref(left), byref(right), byref(bottom), byref(top)):
            edges += [left.value, right.value]
    size = raw.FPDFText_GetFontSize(textpage, index)
    height = top.value - bottom.value
    if size <= 1.5:  # the size stands in the matrix
        size = max(1.0, height * 1.4)
    return _Line(text, min(edges, default=0.0), max(edges, default=0.0), y.value, size)


def _shapes_to_letters(text: str) -> str:
    return _FORMS.sub(lambda m: unicodedata.normalize("NFKC", m[0]).strip() or m[0], text)


def _without_page_lines(pages: list[list[_Line]]) -> tuple[list[list[_Line]], tuple[Dropped, ...]]:
    """The pages without headers, footers and page numbers, and those, each once."""
    filled = sum(bool(page) for page in pages)
    if filled < 2:
        return pages, ()
    seen = Counter(key for page in pages for key in {_key(line.text) for line in page if line.is_edge})
    dropped: dict[str, None] = {}
    kept = []
    for page in pages:
        rest = []
        for line in page:
            repeated = filled >= _FEW_PAGES and seen[_key(line.text)] >= max(_FEW_PAGES, filled // 3)
            if line.is_edge and (_NUMBER.fullmatch(line.text) or repeated):
                dropped[line.text] = None
            else:
                rest.append(line)
        kept.append(rest)
    return kept, tuple(Dropped(text, "page-line") for text in list(dropped)[:1000])


def _key(text: str) -> str:
    return re.sub(r"\d+", "#", " ".join(text.split())).casefold()


def _paragraphs(pages: Sequence[Sequence[_Line]]) -> Iterator[str]:
    text, before = "", None
    for page in pages:
        leading = _leading(page)
        for n, line in enumerate(page):
            joined = before is not None and (_runs_on(text, line) if n == 0 else _continues(before, line, leading))
            if text and not joined:
                yield text
                text = ""
            text = _join(text, line.text)
            before = line
    if text:
        yield text


def _join(text: str, line: str) -> str:
    if not text:
        return line
    if text[-1] in _HYPHENS:
        return text.rstrip(_HYPHENS) + line
    if _is_spaceless(text[-1]) and _is_spaceless(line[0]):
        return text + line
    return f"{text} {line}"


def _is_spaceless(letter: str) -> bool:
    return "\u3000" <= letter <= "\u9fff" or "\uff00" <= letter <= "\uffef"


def _leading(page: Sequence[_Line]) -> float:
    """The usual distance of baselines on the page; 0 where there is none."""
    gaps = [a.y - b.y for a, b in pairwise(page) if 0.5 * a.size < a.y - b.y < 2.5 * a.size]
    return median(gaps) if gaps else 0.0


def _continues(before: _Line, line: _Line, leading: float) -> bool:
    """Whether a line goes on with the paragraph of the line before it on the same page."""
    size, gap = before.size, before.y - line.y
    if abs(line.size - size) > 0.12 * size:
        return False
    if before.text[-1] in _HYPHENS:
        return True
    if abs(gap) < 0.4 * size:  # the same line, cut by a wide space
        return True
    ended = before.text.endswith(_ENDS)
    if gap < 0:  # the next column
        return not ended and line.text[:1].islower()
    if gap > 1.3 * max(leading or 1.3 * size, size) or _ITEM.match(line.text):
        return False
    short = before.right < line.right - 2 * size and before.left > line.left - 6 * size
    if _is_rtl(line.text):
        short, indented = before.left > line.left + 2 * size, before.right > line.right + 0.8 * size
    else:
        indented = line.left > before.left + 0.8 * size
    return not (ended and (short or indented))


def _is_rtl(text: str) -> bool:
    return any(unicodedata.bidirectional(c) in ("R", "AL") for c in text[:20])


def _runs_on(text: str, line: _Line) -> bool:
    """Whether a paragraph goes on over the page's end."""
    return bool(text) and (text[-1] in _HYPHENS or (not text.endswith(_ENDS) and line.text[:1].islower()))


def _largest(pages: Sequence[Sequence[_Line]]) -> str:
    """The headline by its size: the largest letters of the first page, where they stand out."""
    page = next((page for page in pages if page), [])
    if len(page) < 3:
        return ""
    largest = max(line.size for line in page)
    usual = median(line.size for other in pages[:5] for line in other for _ in range(max(1, len(line.text) // 10)))
    lines = [line for line in page if line.size > largest * 0.97]
    if largest < usual * 1.15 or len(lines) > 5:
        return ""
    title = one_line(" ".join(line.text for line in lines))
    return title if 5 <= len(title) <= 300 else ""


def _iso(stated: str) -> str:
    """A PDF date (ISO 32000 7.9.4) as ISO 8601, with its zone; empty where it is none."""
    m = _DATE.match(stated.strip())
    if not m:
        return ""
    year, month, day, hour, minute, second, sign, zone_hours, zone_minutes = m.groups()
    if not month:
        return year
    text = f"{year}-{month}-{day or '01'}"
    if not ("1000" <= year <= "2200" and "01" <= month <= "12" and "01" <= (day or "01") <= "31"):
        return ""
    if hour and hour < "24" and (minute or "00") < "60":
        text += f"T{hour}:{minute or '00'}:{second if second and second < '60' else '00'}"
        if sign:
            text += f"{sign}{zone_hours}:{zone_minutes or '00'}"
        elif "Z" in m[0]:
            text += "+00:00"
    return text
