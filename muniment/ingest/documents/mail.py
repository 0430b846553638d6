"""Letters and saved pages (EML, MHTML) to a Document: what is written in them, from whom, and when.

A letter's text is its HTML part where it has one, else its plain text; of several bodies, all. Attachments are named
here and captured by `ingest.attachments`. In MHTML the page itself is what is read, as any page of the Web.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from email.utils import getaddresses, parsedate_to_datetime
from typing import NamedTuple

from muniment.ingest.decode import NoText
from muniment.ingest.documents.blocks import blocks_of_html, text_of
from muniment.ingest.documents.document import Document, iso_time, one_line
from muniment.ingest.documents.mime import Part, decoded_words, leaves, parse

_BODIES = ("text/html", "text/plain", "text/enriched", "text/x-amp-html")
_ENCRYPTED = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")
_SAVED_BY = re.compile(r"(?i)<?saved by ")
_MBOX_QUOTE = re.compile(r"(?m)^>(>*From )")
_FLOW = re.compile(r"(>*) ?(.*)")
_ZONE_NAME = re.compile(r"\s*\([^)]*\)\s*$")
_SAID = ("From", "Sender", "Reply-To", "To", "Cc", "Date", "Subject", "Message-ID", "In-Reply-To", "List-Id")


class Letter(NamedTuple):
    """The parts of a letter that are read, and those that are attached to it."""

    bodies: list[Part]
    attached: list[Part]


def read_mail(data: bytes) -> Document:
    """What is written in the letter or the saved page. Raises NoText where it is encrypted."""
    root = parse(data.lstrip(b"\r\n"))
    letter = open_letter(root)
    said = {f"mail:{name}": value for name in _SAID if (value := root.text_of(name)[:2000])}
    sent, origin = _sent(root)
    if "mail:Date" in said:
        said["mail:Date"] = sent if origin == "mail:Date" and sent else said["mail:Date"]
    if attached := [part.file_name or f"part {part.number}" for part in letter.attached]:
        said["mail:attachments"] = ", ".join(attached)[:4000]
    page, text = _written(letter.bodies)
    if is_saved_page(root):
        return _saved_page(root, letter, page, text, said, sent)
    problem = None
    if not text and root.media_type in _ENCRYPTED:
        problem = "encrypted: mail"
    elif not text:
        problem = "no-text: a letter with attachments only" if letter.attached else "no-text"
    names, names_origin = _senders(root)
    subject = root.text_of("Subject")[:1000]
    return Document(
        text=text,
        page=page,
        title=subject,
        title_origin="mail:Subject" if subject else "",
        authors=names,
        authors_origin=names_origin,
        published=sent,
        published_origin=origin,
        language=root.text_of("Content-Language")[:20] or None,
        said=said,
        decoding="mail",
        problem=problem,
    )


def open_letter(root: Part) -> Letter:
    """The bodies of a letter, the best of alternatives each, and all other parts that hold anything."""
    bodies = list(_bodies(root))
    if not bodies:
        bodies = [p for p in leaves(root) if p.media_type in _BODIES and not p.is_attachment and not p.file_name][:1]
    read = {id(part) for part in bodies} | {id(part) for part in leaves(root) if _is_other_wording(part)}
    attached = [part for part in leaves(root) if id(part) not in read and part is not root and part.start < part.end]
    if root.media_type.partition("/")[0] not in ("text", "multipart", "message") and root.start < root.end:
        attached = [root]  # the letter is nothing but a file
    return Letter(bodies, attached)


def is_saved_page(root: Part) -> bool:
    """Whether this is a page that a browser saved (RFC 2557) and no letter."""
    if root.media_type not in ("multipart/related", "text/html"):
        return False
    if root.header.get("Snapshot-Content-Location") or _SAVED_BY.match(root.text_of("From")):
        return True
    located = any(part.header.get("Content-Location") for part in leaves(root))
    return located and not root.header.get("To") and not root.header.get("Received")


def saved_from(root: Part) -> str:
    """The address that a saved page says it was saved from; empty where it says none."""
    page = next((part for part in leaves(root) if part.media_type == "text/html"), root)
    for part, name in ((root, "Snapshot-Content-Location"), (page, "Content-Location"), (root, "Content-Location")):
        address = part.text_of(name)
        if address.startswith(("http://", "https://")):
            return address[:8192]
    return ""


def sent_at(root: Part) -> str:
    """When the letter says it was sent, as an ISO time with its zone; empty where it does not."""
    return _sent(root)[0]


def _is_other_wording(part: Part) -> bool:
    return part.media_type in _BODIES and not part.is_attachment and not part.file_name


def _bodies(part: Part) -> Iterator[Part]:
    if not part.parts:
        if _is_other_wording(part) or (not part.number and part.media_type.startswith("text/")):
            yield part
        return
    if part.media_type == "multipart/alternative":
        choices = [list(_bodies(inner)) for inner in part.parts]
        rich = [c for c in choices if any(p.media_type == "text/html" for p in c)]
        plain = [c for c in choices if any(p.media_type == "text/plain" for p in c)]
        for choice in (*rich[-1:], *plain[:1], *[c for c in choices if c]):
            if any(p.body().strip() for p in choice):
                yield from choice
                return
    elif part.media_type == "multipart/related":
        start = part.parameter("start").strip()
        roots = [p for p in part.parts if start and p.header.get("Content-ID", "").strip() == start] or part.parts[:1]
        yield from _bodies(roots[0])
    elif part.media_type == "multipart/encrypted":
        return
    else:
        for inner in part.parts:
            yield from _bodies(inner)


def _written(bodies: list[Part]) -> tuple[str, str]:
    """(the HTML where that is all that there is, the text that is seen)."""
    texts = []
    for part in bodies:
        content = part.text()
        if part.media_type in ("text/html", "text/x-amp-html"):
            texts.append(text_of(blocks_of_html(content)))
        else:
            texts.append(
                _plain(content, part.parameter("format").lower() == "flowed", part.parameter("delsp").lower() == "yes")
            )
    page = bodies[0].text() if len(bodies) == 1 and bodies[0].media_type == "text/html" else ""
    return page, "\n".join(filter(None, texts))


def _plain(content: str, flowed: bool, delsp: bool) -> str:
    """The paragraphs of a plain body: flowed lines joined (RFC 3676), hard-wrapped ones too, quotes as they are."""
    from muniment.ingest.clean.text import paragraphs

    content = _MBOX_QUOTE.sub(r"\1", content)
    if not flowed:
        return "\n".join(paragraphs(content))
    lines: list[str] = []
    open_quote: str | None = None
    for raw in content.splitlines():
        m = _FLOW.fullmatch(raw)
        quote, line = (m[1], m[2]) if m else ("", raw)
        soft = line.endswith(" ") and line != "-- "
        piece = line[:-1] if soft and delsp else line
        if open_quote == quote and lines:
            lines[-1] += piece
        else:
            lines.append(f"{quote} {piece}" if quote else piece)
        open_quote = quote if soft else None
    return "\n".join(line for line in map(str.strip, lines) if line)


def _senders(root: Part) -> tuple[tuple[str, ...], str]:
    """The authors by their names, by their addresses where they give none."""
    for name in ("From", "Sender"):
        value = str(root.header.get(name, ""))[:4000]
        found = []
        for shown, address in getaddresses([value]):
            who = one_line(decoded_words(shown)).strip("'\" ") or one_line(address)
            if who:
                found.append(who[:200])
        if found:
            return tuple(dict.fromkeys(found))[:20], f"mail:{name}"
    return (), ""


def _sent(root: Part) -> tuple[str, str]:
    """(ISO time with its zone, where it stands): the letter's date, else when it was last received."""
    for name in ("Date", "Received"):
        value = root.text_of(name)
        moment = _moment(value.rpartition(";")[2] if name == "Received" else value)
        if moment is not None and moment.year >= 1970:
            return moment.isoformat(timespec="seconds"), f"mail:{name}"
    return "", ""


def _moment(value: str) -> datetime | None:
    text = _ZONE_NAME.sub("", value[:200])
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        pass
    try:
        return datetime.fromisoformat(iso_time(text)) if iso_time(text) else None
    except ValueError:
        return None


def _saved_page(root: Part, letter: Letter, page: str, text: str, said: dict[str, str], sent: str) -> Document:
    """The page in an MHTML file; what it says of the saving is evidence and no date of the article."""
    html = next((part for part in letter.bodies if part.media_type == "text/html"), None)
    if html is None:
        raise NoText("no-text: an MHTML file without a page")
    address = saved_from(root)
    told = {"mhtml:saved-from": address, "mhtml:saved-at": sent, "mhtml:saved-by": said.get("mail:From", "")}
    subject = root.text_of("Subject")[:1000]
    return Document(
        text=text,
        page=page or html.text(),
        url=address,
        title=subject,
        title_origin="mhtml:Subject" if subject else "",
        said={name: value for name, value in told.items() if value},
        decoding="mhtml",
    )
