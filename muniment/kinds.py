"""What kind of thing a snapshot is, by what was stated of it when it was captured.

page         a page of the web
pdf          a PDF
document     another document with pages or parts: of a word processor, an e-book
mail         a letter, or a page kept in one (MHTML)
text         plain text, Markdown
upload       beside one of those: a file or a text that was handed in without an address of the web
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from muniment.snapshot import Snapshot

KINDS = ("page", "pdf", "document", "mail", "text", "upload")
_PDF = {"application/pdf", "application/x-pdf"}
_MAIL = {"message/rfc822", "message/news", "message/global", "multipart/related", "application/x-mimearchive"}
_DOCUMENTS = {
    "application/msword", "application/rtf", "text/rtf", "application/epub+zip",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}  # fmt: skip
_NAMED = {
    ".pdf": "pdf", ".docx": "document", ".odt": "document", ".rtf": "document", ".epub": "document", ".eml": "mail",
    ".emlx": "mail", ".mht": "mail", ".mhtml": "mail", ".txt": "text", ".md": "text", ".markdown": "text",
}  # fmt: skip
_UNTOLD = {"", "application/octet-stream", "binary/octet-stream", "application/zip", "application/x-download"}


def kinds_of(snapshot: Snapshot) -> tuple[str, ...]:
    """The kinds of a snapshot, by its media type; where that says nothing, by the ending of its address."""
    found = _kind(snapshot.media_type.partition(";")[0].strip().lower(), snapshot.url or snapshot.uri)
    return (found, "upload") if snapshot.uri.startswith(("ni:", "file:")) else (found,)


def _kind(media_type: str, address: str) -> str:
    if media_type in _PDF:
        return "pdf"
    if media_type in _MAIL:
        return "mail"
    if media_type in _DOCUMENTS:
        return "document"
    path = address.partition("?")[0].partition("#")[0].lower()
    if media_type in _UNTOLD:
        return next((kind for ending, kind in _NAMED.items() if path.endswith(ending)), "page")
    return "text" if media_type in ("text/plain", "text/markdown", "text/x-markdown") else "page"
