"""RTF to paragraphs (striprtf), and what its `info` group says."""

from __future__ import annotations

import re

from muniment.ingest.decode import NoText
from muniment.ingest.documents.document import Document, one_line, people, plausible_date, plausible_title

_INFO = re.compile(r"\{\\(title|author|operator|subject)\b ?((?:[^{}\\]|\\.|\{[^{}]*\}){1,2000})\}", re.S)
_TIME = re.compile(r"\{\\(creatim|revtim)((?:\\(?:yr|mo|dy|hr|min|sec)\d{1,4}){3,6})\s*\}")
_UNIT = re.compile(r"\\(yr|mo|dy|hr|min|sec)(\d+)")
_HEAD = 200_000  # characters in which the info group stands
_BINARY = re.compile(rb"\\bin(\d{1,9}) ?")
_HEX = re.compile(rb"(?:[0-9a-fA-F]{2}\s*){500,}")


def read_rtf(data: bytes) -> Document:
    """The document's text. Raises NoText."""
    from striprtf.striprtf import rtf_to_text

    source = _without_pictures(data).decode("latin-1")
    try:
        text = rtf_to_text(source, encoding="cp1252", errors="replace")
        said = _info(source)
    except (MemoryError, RecursionError):
        raise
    except Exception as e:  # noqa: BLE001 - written for well-formed files: IndexError, ValueError, LookupError …
        raise NoText(f"broken: RTF, {type(e).__name__}: {one_line(str(e))[:120]}") from e
    title, authors = plausible_title(said.get("rtf:title", "")), people([said.get("rtf:author", "")])
    return Document(
        text="\n".join(" ".join(line.replace("|", "\t").split(" ")) if line.endswith("|") else line for line in text.split("\n")),
        title=title,
        title_origin="rtf:title" if title else "",
        authors=authors,
        authors_origin="rtf:author" if authors else "",
        published=plausible_date(said.get("rtf:creatim", "")),
        published_origin="rtf:creatim",
        said=said,
        decoding="rtf",
    )


def _without_pictures(data: bytes) -> bytes:
    """Without binary runs (`\\bin`), whose bytes may look like anything, and without the hex of pictures."""
    kept, at = [], 0
    for m in _BINARY.finditer(data):
        if m.start() >= at:
            kept.append(data[at : m.start()])
            at = m.end() + int(m[1])
    kept.append(data[at:])
    return _HEX.sub(b"", b"".join(kept))


def _info(source: str) -> dict[str, str]:
    from striprtf.striprtf import rtf_to_text

    head = source[:_HEAD]
    page = re.search(r"\\ansicpg(\d+)", head)
    wrapped = "{\\rtf1\\ansi" + (page[0] if page else "") + " %s}"
    said = {}
    for m in _INFO.finditer(head):
        if value := one_line(rtf_to_text(wrapped % m[2], encoding="cp1252", errors="replace")):
            said.setdefault(f"rtf:{m[1]}", value)
    for m in _TIME.finditer(head):
        units = {name: int(value) for name, value in _UNIT.findall(m[2])}
        year, month, day = (units.get(name, 0) for name in ("yr", "mo", "dy"))
        if year and 1 <= month <= 12 and 1 <= day <= 31:
            said.setdefault(f"rtf:{m[1]}", f"{year:04}-{month:02}-{day:02}")
    return said
