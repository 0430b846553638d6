"""Documents to text: a module a kind, bytes in, a Document out, no I/O.

    pdf.py        text in lines, rebuilt to paragraphs; scanned pages named as such
    docx.py       by way of HTML (mammoth)
    odt.py epub.py   ZIP and XML
    mail.py       letters (RFC 5322) and saved pages (MHTML); mime.py takes the parts apart
    markdown.py rtf.py
    package.py    the ZIP around three of them: bombs, encryption and strange names are refused
    blocks.py     HTML without page chrome -> paragraphs

Run it inside the limited workers, as all cleaning: documents can be hostile. What cannot be read raises NoText, whose
message is the article's `problem`:

    encrypted: PDF                 it asks for a password (also ODT, EPUB, ZIP, an Office file)
    broken: PDF, <why>             it cannot be read as what it is
    content-bomb: <member>         a member of a package is far larger than its bytes
    unsafe-archive: <why>          a package with names that leave it, or members that overlap
    no-text: scanned, 12 pages     pictures of pages, and no text (see `add --ocr`)
"""

from __future__ import annotations

from muniment.ingest.decode import Kind, NoText
from muniment.ingest.documents.document import Document

__all__ = ["Document", "open_document"]


def open_document(kind: Kind, data: bytes, text: str = "") -> Document:
    """What the document holds and says of itself; `text` is its decoded text where it is text. Raises NoText."""
    if kind == "pdf":
        from muniment.ingest.documents.pdf import read_pdf as read
    elif kind == "docx":
        from muniment.ingest.documents.docx import read_docx as read
    elif kind == "odt":
        from muniment.ingest.documents.odt import read_odt as read
    elif kind == "epub":
        from muniment.ingest.documents.epub import read_epub as read
    elif kind == "mail":
        from muniment.ingest.documents.mail import read_mail as read
    elif kind == "rtf":
        from muniment.ingest.documents.rtf import read_rtf as read
    elif kind == "markdown":
        from muniment.ingest.documents.markdown import read_markdown

        return read_markdown(text)
    else:
        raise NoText(f"unsupported: {kind}")
    return read(data)
