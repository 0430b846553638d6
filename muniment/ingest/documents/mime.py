"""Letters taken apart (RFC 5322, RFC 2045 to 2049), in time that grows with their bytes and no faster.

The standard library's parser asks of each line whether it ends any of the parts around it, and recurses; this one looks
for a part's own boundary in its own bytes, down to MAX_DEPTH, and reads headers up to MAX_VALUE characters. What is
malformed is taken as plainly as it can be: a part without an end ends where the letter does.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from typing import cast

from muniment.ingest.decode import decode

MAX_DEPTH, MAX_PARTS = 20, 2_000
MAX_FIELDS, MAX_VALUE = 1_000, 8_192
# Of a field with parameters, which are taken apart in time that grows by the square: characters, and parameters.
_MAX_PARAMETERS = 2_000, 40
_BLANK = re.compile(rb"(?:^|\n)[ \t]*\r?\n")
_FIELD = re.compile(r"([!-9;-~]+)[ \t]*:[ \t]*(.*)", re.S)
_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
_UU_BEGIN = re.compile(rb"(?m)^begin [0-7]{3,4} .*\r?\n")


@dataclass(slots=True)
class Part:
    """One part of a letter. `number` counts as IMAP does ("1.2"); `start` and `end` bound its body in the letter."""

    number: str
    header: Message
    data: bytes = field(repr=False)
    start: int
    end: int
    parts: list[Part] = field(default_factory=list)
    default_type: str = "text/plain"
    has_more: bool = False  # than MAX_PARTS in all of the letter, which are not taken apart

    @property
    def media_type(self) -> str:
        """type/subtype in lower case; of what names none, or nonsense, text/plain."""
        value = str(self.header.get("Content-Type", "")).partition(";")[0].strip().lower()
        return value if re.fullmatch(r"[\w.+-]+/[\w.+-]+", value, re.A) else self.default_type

    @property
    def is_attachment(self) -> bool:
        return str(self.header.get("Content-Disposition", "")).strip().lower().startswith("attachment")

    @property
    def file_name(self) -> str:
        """The name that the sender gave it, on one line; a name and no path."""
        try:
            name = self.header.get_filename("") or ""
        except (ValueError, LookupError, TypeError):  # a broken RFC 2231 parameter
            name = ""
        return " ".join(re.split(r"[\\/]", decoded_words(name[:1000]))[-1].split())[:200]

    def parameter(self, name: str) -> str:
        """A parameter of Content-Type; empty where there is none."""
        try:
            value = self.header.get_param(name, "")
        except (ValueError, LookupError, TypeError):
            return ""
        return str(value[2] if isinstance(value, tuple) else value or "")

    def text_of(self, name: str) -> str:
        """A header field as text on one line; empty where there is none."""
        return " ".join(decoded_words(str(self.header.get(name, ""))).split())

    def body(self) -> bytes:
        """The body without its transfer coding."""
        return _decoded(self.data[self.start : self.end], str(self.header.get("Content-Transfer-Encoding", "")))

    def text(self) -> str:
        """The body as text, in the charset named where the bytes bear it out."""
        content = self.body()
        charset = self.parameter("charset") or None
        return decode(content, charset, is_html=self.media_type == "text/html")[0] if content else ""


def parse(data: bytes) -> Part:
    """The letter with its parts."""
    counter = iter(range(MAX_PARTS))
    return _parse(data, 0, len(data), "", "text/plain", 0, counter)


def is_whole(part: Part) -> bool:
    """Whether all parts of the letter were taken apart."""
    return not part.has_more and all(map(is_whole, part.parts))


def leaves(part: Part) -> Iterator[Part]:
    """The parts that hold no others, in order."""
    if not part.parts:
        yield part
    for inner in part.parts:
        yield from leaves(inner)


def _parse(data: bytes, start: int, end: int, number: str, default: str, depth: int, counter: Iterator[int]) -> Part:
    header, body = _header(data, start, end)
    part = Part(number, header, data, body, end, default_type=default)
    boundary = part.parameter("boundary").strip()
    if not part.media_type.startswith("multipart/") or not boundary or depth >= MAX_DEPTH:
        return part
    inner = "message/rfc822" if part.media_type == "multipart/digest" else "text/plain"
    for n, (first, last) in enumerate(_between(data, body, end, boundary), 1):
        if next(counter, None) is None:
            part.has_more = True
            break
        name = f"{number}.{n}" if number else str(n)
        part.parts.append(_parse(data, first, last, name, inner, depth + 1, counter))
    return part


def _between(data: bytes, start: int, end: int, boundary: str) -> Iterator[tuple[int, int]]:
    """[start, end) of each part between the boundary lines."""
    mark = re.escape(boundary.encode("utf-8", "surrogateescape"))
    line = re.compile(rb"(?:^|(?<=\n))--" + mark + rb"(--)?[ \t]*(?:\r?\n|\Z)")
    first = None
    for m in line.finditer(data, start, end):
        if first is not None:
            yield first, max(first, _before_break(data, m.start()))
        first = m.end()
        if m[1]:
            return
    if first is not None and first < end:
        yield first, end


def _before_break(data: bytes, at: int) -> int:
    """Where the line break before a boundary, which belongs to it, begins."""
    if data[at - 2 : at] == b"\r\n":
        return at - 2
    return at - 1 if data[at - 1 : at] == b"\n" else at


def _header(data: bytes, start: int, end: int) -> tuple[Message, int]:
    """The header fields, and where the body starts. Lines that are no fields are passed over."""
    m = _BLANK.search(data, start, end)
    stop, body = (m.start() + 1, m.end()) if m and m.start() > start else (start, m.end()) if m else (end, end)
    if m is None and b":" not in data[start : start + 200].partition(b"\n")[0]:
        stop, body = start, start  # no header at all
    header = Message()
    fields: list[str] = []
    for raw in data[start:stop].splitlines()[: 20 * MAX_FIELDS]:
        line = _as_text(raw)
        if line[:1] in (" ", "\t") and fields:
            if len(fields[-1]) < MAX_VALUE:
                fields[-1] += "\n" + line
        elif len(fields) < MAX_FIELDS:
            fields.append(line[:MAX_VALUE])
    for text in fields:
        if found := _FIELD.fullmatch(text[: 2 * MAX_VALUE]):
            header[found[1]] = _shortened(found[2]) if found[1].lower().startswith("content-") else found[2]
    return header, body


def _shortened(value: str) -> str:
    length, count = _MAX_PARAMETERS
    return ";".join(value[:length].split(";", count)[:count])


def _as_text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def decoded_words(value: str) -> str:
    """A header's value with its encoded words (RFC 2047) read; what cannot be read stays as it is."""
    if "=?" not in value:
        return value
    try:
        pieces = decode_header(value)
    except (HeaderParseError, ValueError, LookupError):
        return value
    text = ""
    for piece, charset in cast("list[tuple[bytes | str, str | None]]", pieces):
        if isinstance(piece, str):
            text += piece
        elif charset is None or charset == "unknown-8bit":
            text += piece.decode("raw-unicode-escape", "replace") if piece.isascii() else _as_text(piece)
        else:
            text += decode(piece, charset.partition("*")[0], is_html=False)[0] if piece else ""
    return text or value


def _decoded(content: bytes, coding: str) -> bytes:
    name = coding.split(";")[0].strip().strip("\"'").lower()
    if name == "base64":
        letters = content.translate(None, _NOT_BASE64)
        if len(letters) % 4 == 1:
            letters = letters[:-1]
        return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
    if name in ("quoted-printable", "quoted printable", "qp"):
        return binascii.a2b_qp(content)
    if name in ("x-uuencode", "uuencode", "uue", "x-uue"):
        return _uudecoded(content)
    return content


def _uudecoded(content: bytes) -> bytes:
    begin = _UU_BEGIN.search(content)
    out = []
    for line in content[begin.end() :].splitlines() if begin else ():
        if line.strip() == b"end":
            break
        try:
            out.append(binascii.a2b_uu(line))
        except binascii.Error:
            try:  # some encoders leave out what pads the last group
                out.append(binascii.a2b_uu(line[: (((line[0] - 32) & 63) * 4 + 5) // 3]))
            except (binascii.Error, IndexError):
                continue
    return b"".join(out)
