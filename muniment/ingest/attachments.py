"""What is within a capture (attachments, letters, the files of an MHTML page), as captures of their own.

Each keeps its bytes without the transfer coding, under the address that names them (`ni:`), so that one attachment of
many letters is kept once; its facts say which part of what it is. What a saved page says of its saving becomes
facts too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from muniment import __version__
from muniment.ingest.decode import is_mail
from muniment.ingest.opening import Opened
from muniment.ingest.upload import content_uri, media_type_of, printable
from muniment.model import Attempt, Capture, Declared, sha256

MAX_NESTED = 8  # letters in letters
NO_ARTICLE = (  # what is attached and no text
    "image/", "audio/", "video/", "font/", "text/css", "text/javascript", "application/javascript",
    "message/delivery-status", "message/disposition-notification",
    "application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature",
)  # fmt: skip
_UNTOLD = ("", "application/octet-stream", "application/x-octet-stream", "binary/octet-stream")


def with_saving(capture: Capture) -> Capture:
    """The capture with what a saved page (MHTML, SingleFile) says of its saving among its facts."""
    facts = _saving(capture)
    return replace(capture, facts=(*capture.facts, *facts)) if facts else capture


def _saving(capture: Capture) -> list[tuple[str, str]]:
    from muniment.ingest.documents.singlefile import HEAD, saved_page

    if is_letter(capture):
        from muniment.ingest.documents.mail import is_saved_page, saved_from, sent_at
        from muniment.ingest.documents.mime import parse

        root = parse(capture.body.lstrip(b"\r\n"))
        if not is_saved_page(root):
            return []
        facts = [("savedBy", root.text_of("From")[:200]), ("savedFrom", saved_from(root)), ("savedAt", sent_at(root))]
    else:
        saved = saved_page(capture.body[:HEAD].decode("utf-8", "replace"))
        facts = [("savedBy", saved.by), ("savedFrom", saved.url), ("savedAt", saved.at)] if saved else []
    return [(name, printable(value)) for name, value in facts if value]


def is_letter(capture: Capture) -> bool:
    """Whether a capture is a letter or an MHTML page, by its bytes; what it is called counts for little."""
    if capture.content_encoding or capture.truncated:
        return False
    name = dict(capture.facts).get("fileName", "").lower()
    named = capture.media_type in ("message/rfc822", "multipart/related") or name.endswith((".eml", ".mht", ".mhtml"))
    return is_mail(capture.body[:16384], named=named)


def within(name: str, capture: Capture, declared: Declared, depth: int = 0) -> Iterator[Opened]:
    """The attachments of a letter, and those of letters attached to it; nothing for any other capture."""
    if not is_letter(capture):
        return
    from muniment.ingest.documents.mail import open_letter
    from muniment.ingest.documents.mime import MAX_PARTS, is_whole, parse

    common = Declared(source=declared.source, tags=declared.tags)
    root = parse(capture.body.lstrip(b"\r\n"))
    if not is_whole(root):
        detail = f"over {MAX_PARTS:,} parts: those behind are kept within the letter, and are no captures of their own"
        yield Opened(name, Attempt(capture.uri, capture.captured_at, "too-many-parts", detail), common)
    for part in open_letter(root).attached:
        shown = f"{name}: {printable(part.file_name) or f'part {part.number or 1}'}"
        content = part.body()
        if not content:
            continue
        inner = _capture(capture, part.media_type, part.file_name, content, _charset(part.parameter("charset")))
        place = [("partNumber", part.number or "1")]
        place += [(fact, printable(part.text_of(field))[:2000]) for fact, field in _FIELDS if part.text_of(field)]
        inner = replace(inner, facts=(*inner.facts, *place))
        if depth >= MAX_NESTED and is_letter(inner):
            detail = f"{shown}: letters within letters, more than {MAX_NESTED} deep; the letter around them is kept"
            yield Opened(shown, Attempt(inner.uri, capture.captured_at, "too-deep", detail), common)
            continue
        yield Opened(shown, inner, common, is_article=not inner.media_type.startswith(NO_ARTICLE))
        yield from within(shown, inner, common, depth + 1)


_FIELDS = (("contentId", "Content-ID"), ("contentLocation", "Content-Location"))


def _charset(name: str) -> str | None:
    return name[:40] if name and name.isascii() and name.isprintable() else None


def _capture(parent: Capture, media_type: str, file_name: str, content: bytes, charset: str | None) -> Capture:
    payload = sha256(content)
    facts = [("fileName", printable(file_name))] if file_name else []
    facts += [("charset", charset)] if charset else []
    facts += [("partOf", parent.uri), ("partOf-digest", parent.payload), ("client", f"muniment/{__version__}")]
    return Capture(
        uri=content_uri(payload),
        captured_at=parent.captured_at,
        kind="resource",
        block=content,
        body=content,
        payload=payload,
        media_type=media_type_of(file_name, content) if media_type in _UNTOLD else media_type,
        charset=charset,
        facts=tuple(facts),
    )
