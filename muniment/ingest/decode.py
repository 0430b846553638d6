"""From payload bytes to text: content coding off, kind sniffed, characters decoded, and how.

`read` is the one entry. It raises NoText where there is no text to extract; the exception's message is the
article's `problem`, one of these slugs (some with a detail after a colon):

    empty                           no bytes, or white space only
    too-large                       over MAX_BYTES, what is inlined not counted; a document over MAX_DOCUMENT
    content-bomb                    over MAX_BYTES once inflated
    content-encoding-broken: gzip   nothing could be inflated
    content-encoding-unsupported: zstd
    not-text: looks like PNG        a magic number, or too many control bytes
    unsupported: application/json   text, but neither HTML nor plain text

Decoding order: byte order mark; the HTTP charset; the page's own declaration; UTF-8; then UnicodeDammit's
guess. A declared charset is believed only where the bytes bear it out. Documents (PDF, mail and their like) are told
apart here and left as they are: `ingest.documents` reads them.
"""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

MAX_BYTES = 20_000_000
MAX_DOCUMENT = 64_000_000  # pictures make documents, and pages with everything inlined, large and no slower to read

Kind = Literal["html", "text", "pdf", "docx", "odt", "epub", "mail", "markdown", "rtf"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_MAGIC = (
    (b"\x89PNG\r\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"PK\x03\x04", "ZIP"),
    (b"PK\x05\x06", "ZIP"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"BZh", "bzip2"),
    (b"\x7fELF", "an ELF program"),
    (b"SQLite format 3\x00", "SQLite"),
    (b"OggS", "Ogg"),
    (b"ID3", "MP3"),
    (b"\x1aE\xdf\xa3", "Matroska"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"wOF2", "a font"),
    (b"wOFF", "a font"),
)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Browsers read these labels as their supersets (WHATWG Encoding Standard, section 4.2); so do we.
_SUPERSETS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
_CONTROL = bytes(set(range(32)) - set(b"\t\n\f\r\x1b")) + b"\x7f"
_HTML = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:(?><!--.*?-->)\s*)*+"  # atomic: comments are not tried in every grouping
    rb"<(?:!doctype\s+html|html|head|body|title|meta|script|style|div|table|article|section|main|h1|p|a)\b",
    re.I | re.S,
)
_TAG = re.compile(rb"</(?:p|div|a|span|li|h[1-6]|td|table|body|html)\s*>|<br\s*/?>", re.I)
_XML = re.compile(rb"\s*<(?:\?xml|rss|feed|urlset|svg|sitemapindex)\b", re.I)
_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_MARKDOWN_TYPES = frozenset({"text/markdown", "text/x-markdown"})
_MAIL_TYPES = frozenset(
    {"message/rfc822", "message/news", "message/global", "multipart/related", "application/x-mimearchive"}
)
_OPEN_TYPES = _MARKDOWN_TYPES | {"", "text/plain", "application/octet-stream", "binary/octet-stream"}
_HTML_ROOT = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?<(?:!doctype\s+html|html)\b", re.I)
_HEADER = re.compile(rb"[!-9;-~]+[ \t]*:|[ \t]|>?From ")
_MAIL_FIELD = re.compile(
    rb"(?im)^(from|to|cc|subject|date|sender|message-id|received|return-path|delivered-to|mime-version|content-type)"
    rb"[ \t]*:"
)
_MAIL_ONLY = frozenset({b"message-id", b"received", b"return-path", b"delivered-to", b"mime-version"})
# What a page holds inlined (SingleFile) is no text, and tens of megabytes of it.
_INLINED = re.compile(rb"data:[\w.+/-]{0,80}(?:;[\w.=\"+-]{1,80}){0,4},[A-Za-z0-9+/=%_.~!*:@&$?-]{200,}")
_CENTRAL = frozenset({"cp1250", "iso8859-2", "cp1254", "cp1257", "iso8859-13", "iso8859-4", "mac-latin2"})
_WESTERN = frozenset("àâäáãåæçèéêëìíîïñòóôöõøœùúûüÿßÀÂÄÁÃÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÖÕØŒÙÚÛÜ«»“”‘’„–—…€°©®·¡¿ªº§\xa0")
_NOT_CHARSETS = frozenset({"unicode-escape", "unicode_escape", "raw-unicode-escape", "idna", "utf-7"})
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*<[!?A-Za-z]")  # how no compressed stream begins that can be read
_STEP = 1 << 20  # bytes that brotli gives at a time
_FEW_BROKEN = 0.02  # share of undecodable characters among the non-ASCII ones that a true charset may show


class NoText(Exception):
    """There is no text in these bytes; the message is the article's `problem`."""


@dataclass(frozen=True, slots=True)
class Page:
    """Decoded text, what it is, and how it was decoded ("http-header:utf-8", "meta:cp1251", "gzip, utf-8")."""

    text: str
    kind: Kind
    decoding: str
    data: bytes = b""  # of a document, which has no text yet


def read(
    payload: bytes, media_type: str, charset: str | None, content_encoding: str | None, file_name: str | None
) -> Page:
    """The payload as a Page; raises NoText."""
    if len(payload) > MAX_DOCUMENT:
        raise NoText("too-large")
    data, coding = inflate(payload, content_encoding)
    if not data.strip(b"\0 \t\r\n\f"):
        raise NoText("empty")
    kind = sniff(data, media_type, file_name)
    if kind not in ("html", "text", "markdown"):
        return Page("", kind, coding, data)
    if kind == "html" and b"data:" in data:
        data = _INLINED.sub(b"data:,", data)
    if len(data) > MAX_BYTES:
        raise NoText("too-large")
    text, method = decode(data, charset, is_html=kind == "html")
    return Page(text, kind, f"{coding}, {method}" if coding else method)


def inflate(payload: bytes, content_encoding: str | None, limit: int = MAX_BYTES) -> tuple[bytes, str]:
    """The payload without its content codings, and what was done ("gzip", "gzip cut short", ""); raises NoText.

    A coding that the bytes do not bear out is skipped: servers name gzip over plain bodies. `limit` is in bytes.
    """
    notes = []
    for coding in reversed([c.strip().lower() for c in (content_encoding or "").split(",")]):
        if coding in ("", "identity"):
            continue
        if coding not in ("gzip", "x-gzip", "deflate", "br"):
            raise NoText(f"content-encoding-unsupported: {coding[:20]}")
        if coding in ("gzip", "x-gzip") and not payload.startswith(b"\x1f\x8b"):
            notes.append(f"{coding} named but not applied")
            continue
        plain, (inflated, whole) = payload, (_unbrotli if coding == "br" else _inflate_one)(payload, coding, limit)
        if not whole and _MARKUP.match(plain):  # archives keep bodies with the coding off, and its header on
            notes.append(f"{coding} named but not applied")
            continue
        if not inflated and plain and not whole:
            raise NoText(f"content-encoding-broken: {coding}")
        payload = inflated
        notes.append(coding if whole else f"{coding} cut short")
    return payload, ", ".join(notes)


def _unbrotli(payload: bytes, coding: str, limit: int) -> tuple[bytes, bool]:
    """As `_inflate_one`, for brotli."""
    import brotli

    stream, out, rest = brotli.Decompressor(), bytearray(), payload
    try:
        while not stream.is_finished():
            piece = stream.process(rest, output_buffer_limit=_STEP)
            rest, out = b"", out + piece
            if len(out) > limit:
                raise NoText("content-bomb")
            if not piece and stream.can_accept_more_data():
                break
        return bytes(out), stream.is_finished()
    except brotli.error:
        return bytes(out), False


def _inflate_one(payload: bytes, coding: str, limit: int) -> tuple[bytes, bool]:
    """The inflated bytes, and whether the stream came to its end; members of a gzip file are joined."""
    if coding == "deflate":  # RFC 9110 means zlib; some servers send raw deflate
        zlib_head = len(payload) > 1 and payload[0] & 15 == 8 and int.from_bytes(payload[:2], "big") % 31 == 0
        window = 15 if zlib_head else -15
    else:
        window = 31
    out, rest, whole = bytearray(), payload, False
    while rest:
        stream = zlib.decompressobj(window)
        try:
            out += stream.decompress(rest, limit + 1 - len(out))
        except zlib.error:
            whole = bool(out) and whole  # junk after a complete member is no loss
            break
        if len(out) > limit:
            raise NoText("content-bomb")
        whole, rest = stream.eof, stream.unused_data.lstrip(b"\0")
        if not stream.eof or window != 31:
            break
    return bytes(out), whole


def sniff(data: bytes, media_type: str, file_name: str | None) -> Kind:
    """What the bytes are: HTML, plain text, or a document of a known kind; raises NoText where they are neither."""
    head, name = data[:4096], (file_name or "").lower()
    kind = media_type.partition(";")[0].strip().lower()
    if document := _document(data, kind, name):
        return document
    _refuse_binary(head)
    stripped = head.lstrip(codecs.BOM_UTF8)
    if (kind in _MARKDOWN_TYPES or name.endswith((".md", ".markdown"))) and not _HTML_ROOT.match(stripped):
        return "markdown"
    if _HTML.match(_narrow(stripped)):
        return "html"
    named_html = kind in _HTML_TYPES or name.endswith((".html", ".htm", ".xhtml"))
    if _XML.match(stripped):
        if b"<html" in head.lower():
            return "html"
        raise NoText(f"unsupported: {kind if kind and kind not in _HTML_TYPES | _OPEN_TYPES else 'XML'}")
    if named_html:
        return "html"
    if kind in _OPEN_TYPES:
        return "html" if _is_marked_up(data[:65536]) else "text"
    raise NoText(f"unsupported: {kind[:60]}")


def _is_marked_up(head: bytes) -> bool:
    """Whether elements end in many lines: a text about web pages has some tags too."""
    lines = [line for line in head.split(b"\n") if line.strip()]
    tagged = sum(b"<" in line for line in lines)
    return len(_TAG.findall(head)) >= 5 and tagged * 3 >= len(lines)


def _document(data: bytes, media_type: str, name: str) -> Kind | None:
    """The kind of document that the bytes are, whatever they are called; raises NoText for a ZIP that is none."""
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n\0")
    if start.startswith(b"%PDF-") or (b"%PDF-" in start and (media_type == "application/pdf" or name.endswith(".pdf"))):
        return "pdf"
    if start.startswith(b"{\\rtf"):
        return "rtf"
    if data.startswith(b"PK\x03\x04"):
        from muniment.ingest.documents.package import kind_of

        return kind_of(data)
    named_mail = media_type in _MAIL_TYPES or name.endswith((".eml", ".mht", ".mhtml", ".emlx"))
    return "mail" if is_mail(data[:16384], named=named_mail) else None


def is_mail(head: bytes, *, named: bool = False) -> bool:
    """Whether the bytes begin with the header of a letter (RFC 5322); `named`: they are called one."""
    head = head.lstrip(b"\xef\xbb\xbf\r\n")
    if not named and head.startswith(b"<"):  # markup, as most of what comes is
        return False
    block, *rest = re.split(rb"\r?\n\r?\n", head, maxsplit=1)
    lines = block.splitlines()
    if not rest and len(lines) > 1:
        del lines[-1]  # it may be cut
    strange = sum(not _HEADER.match(line) for line in lines)
    if strange * (2 if named else 4) > len(lines):
        return False
    fields = {m[1].lower() for m in _MAIL_FIELD.finditer(block)}
    return bool(fields) if named else len(fields) >= 3 and (bool(fields & _MAIL_ONLY) or {b"from", b"date"} <= fields)


def _refuse_binary(head: bytes) -> None:
    for magic, name in _MAGIC:
        if head.startswith(magic):
            raise NoText(f"not-text: looks like {name}")
    if head[:4] == b"RIFF" or head[4:8] == b"ftyp":
        raise NoText("not-text: looks like audio, video or an image")
    if head.startswith(tuple(bom for bom, _ in _BOMS)) or _wide(head):
        return
    if len(head) - len(head.translate(None, _CONTROL)) > len(head) * 0.02:
        raise NoText("not-text: looks like binary")


def _wide(head: bytes) -> str | None:
    """UTF-16 without a byte order mark shows as a NUL in every other byte."""
    pairs = len(head) // 2
    if pairs and head[1::2].count(0) > pairs * 0.4 and head[0::2].count(0) < pairs * 0.02:
        return "utf-16-le"
    if pairs and head[0::2].count(0) > pairs * 0.4 and head[1::2].count(0) < pairs * 0.02:
        return "utf-16-be"
    return None


def _narrow(head: bytes) -> bytes:
    """The head as ASCII where it is UTF-16, so that tags can be looked for."""
    utf16 = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or _wide(head)
    return head.replace(b"\0", b"").lstrip(b"\xff\xfe") if utf16 else head


def decode(data: bytes, charset: str | None, *, is_html: bool) -> tuple[str, str]:
    """The text of the bytes, and the method: where the charset was found, and its name."""
    for bom, name in _BOMS:
        if data.startswith(bom):
            return data[len(bom) :].decode(name, "replace"), f"bom:{name}"
    if wide := _wide(data[:4096]):
        return data.decode(wide, "replace"), f"nul-pattern:{wide}"
    utf8 = _try(data, "utf-8")
    for origin, name in _declared(data, charset, is_html):
        if name == "utf-8" or (utf8 is not None and _single_byte(name) and not data.isascii()):
            # Valid non-ASCII UTF-8 is no accident, whatever single-byte charset the server names.
            found, name, origin = utf8, "utf-8", origin if name == "utf-8" else f"overrules {origin}:{name}"
        else:
            found = _try(data, name)
        if found is not None:
            return found, f"{origin}:{name}"
    if utf8 is not None:
        return utf8, "valid:utf-8"
    for origin, name in [*_declared(data, charset, is_html), ("mostly-valid", "utf-8")]:
        lenient = data.decode(name, "replace")
        broken = lenient.count("\ufffd")
        non_ascii = len(lenient) - len(lenient.encode("ascii", "ignore"))
        if broken <= 1 + _FEW_BROKEN * non_ascii:
            return lenient, f"{origin}:{name}, {broken} replaced"
    return _guess(data, is_html)


def _declared(data: bytes, charset: str | None, is_html: bool) -> Iterator[tuple[str, str]]:
    """(origin, codec) of each charset that is declared, known to Python and possible, without repetition."""
    from bs4.dammit import EncodingDetector

    in_page = EncodingDetector.find_declared_encoding(data[:65536], is_html=is_html) if is_html else None
    seen = set()
    for origin, label in (("http-header", charset), ("meta", in_page)):
        name = _codec(label)
        # UTF-16 and UTF-32 were ruled out above: no mark, no NULs (and `_codec` refuses them, one byte being none).
        if name and name not in seen:
            seen.add(name)
            yield origin, name


def _codec(label: str | None) -> str | None:
    """Python's name for a charset label, widened to the superset that browsers use; None where unknown."""
    try:
        name = codecs.lookup((label or "").strip(" \t\"'")).name
        codecs.getincrementaldecoder(name)  # "punycode" and other oddities have none
        b"a".decode(name)  # "base64" and "rot13" are codecs, but decode no text
    except (LookupError, ValueError):
        return None
    return None if name in _NOT_CHARSETS else _SUPERSETS.get(name, name)


def _try(data: bytes, name: str) -> str | None:
    try:
        return data.decode(name)
    except UnicodeDecodeError:
        return None


def _single_byte(name: str) -> bool:
    return len(bytes(range(128, 256)).decode(name, "ignore")) > 90


def _reads_western(text: str) -> bool:
    """Whether all letters beyond ASCII are ones that Western European languages write, in small words' places."""
    return all(c in _WESTERN for c in text if c > "\x7f")


def _guess(data: bytes, is_html: bool) -> tuple[str, str]:
    """UnicodeDammit's guess from the bytes alone; the last resort never fails.

    A few accented letters among many plain ones tell one Latin code page from another badly: the Western one, by far
    the most frequent, is tried before the guess is believed.
    """
    from bs4.dammit import UnicodeDammit

    guess = UnicodeDammit(data, is_html=is_html)
    if guess.unicode_markup and guess.original_encoding:
        name = _codec(guess.original_encoding)
        if name in _CENTRAL and (western := _try(data, "cp1252")) is not None and _reads_western(western):
            return western, "guessed:cp1252"
        return guess.unicode_markup, f"guessed:{guess.original_encoding}"
    return data.decode("cp1252", "replace"), "last-resort:cp1252"
