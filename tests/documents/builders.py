"""Small documents of our own making: PDF, DOCX, ODT, EPUB and letters, built byte by byte."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from xml.sax.saxutils import escape

from muniment.ingest.clean import CleanJob, clean
from muniment.model import Article
from tests.ingest_clean.clean_pages import CAPTURED, PARAGRAPHS

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_PAD = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")


def read(data: bytes, media_type: str = "application/octet-stream", name: str = "") -> Article:
    """The article that cleaning makes of a document."""
    return clean(CleanJob(data, media_type, CAPTURED, file_name=name))


# ---- PDF


def pdf(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalog."""
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer <</Size %d /Root 1 0 R %s>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)
    return bytes(out)


def stream(content: bytes, head: bytes = b"") -> bytes:
    return b"<<%s /Length %d>>\nstream\n%s\nendstream" % (head, len(content), content)


def text_pdf(pages: Sequence[Sequence[tuple[float, float, float, str]]], info: Mapping[str, str] = {}) -> bytes:
    """Pages of lines, each (x, y, size, text) in Helvetica."""
    contents = []
    for lines in pages:
        shown = [b"BT /F1 %.2f Tf %.2f %.2f Td (%s) Tj ET" % (size, x, y, _string(text)) for x, y, size, text in lines]
        contents.append(stream(b"\n".join(shown)))
    return _paged(contents, b"<</Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding>>", info)


def _string(text: str) -> bytes:
    return text.encode("cp1252").replace(b"\\", rb"\\").replace(b"(", rb"\(").replace(b")", rb"\)")


def _paged(contents: Sequence[bytes], font: bytes, info: Mapping[str, str], more: Sequence[bytes] = ()) -> bytes:
    count = len(contents)
    kids = b" ".join(b"%d 0 R" % (4 + 2 * n) for n in range(count))
    objects = [b"<</Type /Catalog /Pages 2 0 R>>", b"<</Type /Pages /Count %d /Kids [%s]>>" % (count, kids), font]
    for n, content in enumerate(contents):
        objects.append(
            b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R"
            b" /Resources <</Font <</F1 3 0 R>>>>>>" % (5 + 2 * n)
        )
        objects.append(content)
    objects += more
    objects.append(b"<<%s>>" % b" ".join(b"/%s %s" % (k.encode(), _utf16(v)) for k, v in info.items()))
    return pdf(objects, b"/Info %d 0 R" % len(objects))


def _utf16(text: str) -> bytes:
    return b"<" + (b"\xfe\xff" + text.encode("utf-16-be")).hex().encode() + b">"


def wide_pdf(lines: Sequence[str]) -> bytes:
    """A page of lines in a font whose glyphs are numbered and mapped to letters, drawn in the order given."""
    letters = sorted({c for line in lines for c in line})
    codes = {c: n for n, c in enumerate(letters, 1)}
    mapping = "\n".join(f"<{codes[c]:04x}> <{c.encode('utf-16-be').hex()}>" for c in letters)
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Own def /CMapType 2 def\n"
        f"1 begincodespacerange <0000> <ffff> endcodespacerange\n{len(letters)} beginbfchar\n{mapping}\nendbfchar\n"
        "endcmap end end"
    ).encode()
    shown = [
        b"BT /F1 14 Tf 1 0 0 1 100 %d Tm <%s> Tj ET" % (700 - 20 * n, "".join(f"{codes[c]:04x}" for c in line).encode())
        for n, line in enumerate(lines)
    ]
    font = b"<</Type /Font /Subtype /Type0 /BaseFont /Own /Encoding /Identity-H /DescendantFonts [6 0 R] /ToUnicode 7 0 R>>"
    below = b"<</Type /Font /Subtype /CIDFontType2 /BaseFont /Own /DW 600 /CIDSystemInfo <</Registry (Adobe) /Ordering (Identity) /Supplement 0>> /FontDescriptor 8 0 R>>"
    descriptor = b"<</Type /FontDescriptor /FontName /Own /Flags 4 /FontBBox [0 0 600 700] /ItalicAngle 0 /Ascent 700 /Descent 0 /CapHeight 700 /StemV 80>>"
    return _paged([stream(b"\n".join(shown))], font, {}, [below, stream(cmap), descriptor])


def scanned_pdf(pages: int, rows: Sequence[bytes] = (b"\xf0\xf0", b"\x0f\x0f") * 8, width: int = 16) -> bytes:
    """Pages that are one black and white picture each."""
    head = b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 1 /Filter /FlateDecode"
    picture = stream(zlib.compress(b"".join(rows)), head % (width, len(rows)))
    shown = stream(b"q 540 0 0 720 36 36 cm /I Do Q")
    kids = b" ".join(b"%d 0 R" % (5 + n) for n in range(pages))
    page = b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources <</XObject <</I 3 0 R>>>>>>"
    tree = b"<</Type /Pages /Count %d /Kids [%s]>>" % (pages, kids)
    return pdf([b"<</Type /Catalog /Pages 2 0 R>>", tree, picture, shown, *[page] * pages])


def encrypted_pdf(password: bytes) -> bytes:
    """A PDF under a user password (standard security handler, revision 2)."""
    owner = _rc4(hashlib.md5(_padded(b"owner")).digest()[:5], _padded(password))
    identity = bytes(16)
    key = hashlib.md5(_padded(password) + owner + struct.pack("<i", -4) + identity).digest()[:5]
    handler = b"<</Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s>>>" % (
        owner.hex().encode(),
        _rc4(key, _PAD).hex().encode(),
    )
    tree = b"<</Type /Pages /Count 1 /Kids [3 0 R]>>"
    page = b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792]>>"
    trailer = b"/Encrypt 4 0 R /ID [<%s> <%s>]" % (identity.hex().encode(), identity.hex().encode())
    return pdf([b"<</Type /Catalog /Pages 2 0 R>>", tree, page, handler], trailer)


def _padded(password: bytes) -> bytes:
    return (password + _PAD)[:32]


def _rc4(key: bytes, data: bytes) -> bytes:
    box, j = list(range(256)), 0
    for i in range(256):
        j = (j + box[i] + key[i % len(key)]) & 255
        box[i], box[j] = box[j], box[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) & 255
        j = (j + box[i]) & 255
        box[i], box[j] = box[j], box[i]
        out.append(byte ^ box[(box[i] + box[j]) & 255])
    return bytes(out)


# ---- packages


def package(members: Mapping[str, str | bytes], *, first: tuple[str, str] | None = None) -> bytes:
    """A ZIP of these members; `first` stands before them, uncompressed (`mimetype`)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        if first:
            archive.writestr(zipfile.ZipInfo(first[0]), first[1])
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)  # always of the same time
    return out.getvalue()


def docx(body: str, core: str = "", more: Mapping[str, str | bytes] = {}) -> bytes:
    """A DOCX with this content of w:body, and these elements in its core properties."""
    types = (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/word/document.xml" ContentType='
        '"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
    )
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Target='
        '"word/document.xml" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/></Relationships>'
    )
    properties = (
        '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"'
        f' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/">{core}</cp:coreProperties>'
    )
    styles = f'<w:styles xmlns:w="{W}"><w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style></w:styles>'
    return package({
        "[Content_Types].xml": types,
        "_rels/.rels": relations,
        "word/document.xml": f'<w:document xmlns:w="{W}"><w:body>{body}</w:body></w:document>',
        "word/styles.xml": styles,
        "word/_rels/document.xml.rels": relations.replace("word/document.xml", "styles.xml").replace("officeDocument\"/>", "styles\"/>"),
        "docProps/core.xml": properties,
        **more,
    })  # fmt: skip


def paragraph(text: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f'<w:p>{properties}<w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>'


def odt(body: str, meta: str = "", more: Mapping[str, str | bytes] = {}) -> bytes:
    """An ODT with this content of office:text, and these elements in its meta.xml."""
    names = (
        'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
        ' xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
        ' xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
        ' xmlns:meta="urn:oasis:names:tc:opendocument:xmlns:meta:1.0" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    )
    return package(
        {
            "content.xml": f"<office:document-content {names}><office:body><office:text>{body}</office:text></office:body>"
            "</office:document-content>",
            "meta.xml": f"<office:document-meta {names}><office:meta>{meta}</office:meta></office:document-meta>",
            "META-INF/manifest.xml": "<manifest/>",
            **more,
        },
        first=("mimetype", "application/vnd.oasis.opendocument.text"),
    )


def epub(chapters: Mapping[str, str], meta: str = "", more: Mapping[str, str | bytes] = {}) -> bytes:
    """An EPUB of these chapters (name: body), in order, below OPS/."""
    items = "".join(
        f'<item id="c{n}" href="{name}" media-type="application/xhtml+xml"/>' for n, name in enumerate(chapters)
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    return package(
        {
            "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="OPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
            "OPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"'
            f' xmlns:opf="http://www.idpf.org/2007/opf"><metadata>{meta}</metadata><manifest>{items}</manifest>'
            f"<spine>{spine}</spine></package>",
            **{
                f"OPS/{name}": '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml">'
                f"<head><title>{name}</title></head><body>{body}</body></html>"
                for name, body in chapters.items()
            },
            **more,
        },
        first=("mimetype", "application/epub+zip"),
    )


# ---- letters


def letter(**fields: str) -> EmailMessage:
    """A letter with a date, people, a subject and a plain body, or other ones (`subject=`, `from_=`, `body=`)."""
    message = EmailMessage()
    message["From"] = fields.get("from_", "Ann Example <ann@harbour.example>")
    message["To"] = "bo@harbour.example"
    message["Date"] = fields.get("date", "Mon, 31 May 2021 23:30:00 +0430")
    message["Subject"] = fields.get("subject", "رأی ناخدایان — the captains’ vote")
    message["Message-ID"] = fields.get("id", "<1@harbour.example>")
    message.set_content(fields.get("body", "\n\n".join(PARAGRAPHS)))
    return message
