"""Mailboxes (mbox, RFC 4155): one letter after another, however large the file; only the letter at hand is in memory.

A letter begins behind a line `From …` that follows an empty one. Its bytes are kept as they stand in the file, with the
`>` that some programs put before such lines in its text; that is taken off when it is read.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO, NamedTuple

from muniment import __version__
from muniment.errors import UploadError
from muniment.ingest.decode import is_mail
from muniment.ingest.opening import Opened
from muniment.ingest.upload import Target, content_uri, file_uri, printable
from muniment.model import Attempt, Capture, Declared, sha256

_PIECE = 1 << 20  # bytes of a line that are read at a time
_ENVELOPE = re.compile(rb"From [^\r\n]{0,1000}\r?\n")
_STRICT = re.compile(rb"From (?:\S.*\d{1,2}:\d\d|- |\S+@\S+\s*$)")


class _Letter(NamedTuple):
    """A letter, the line before it, and where it begins in the file; `content` is None where it is over the limit."""

    number: int
    offset: int
    size: int
    envelope: bytes
    content: bytes | None


def is_mailbox(head: bytes, name: str) -> bool:
    """Whether the head of a file (a few kilobytes) is a mailbox's; one named .eml is a letter."""
    line = _ENVELOPE.match(head)
    return line is not None and not name.lower().endswith(".eml") and is_mail(head[line.end() :], named=True)


def read_mailbox(target: Target, now: datetime, max_size: int) -> Iterator[Opened]:
    """Each letter as a capture, or an attempt where it is over `max_size` bytes. Raises UploadError."""
    from muniment.ingest.attachments import within

    said = target.declared
    if said.url or said.title or said.published or said.authors:
        raise UploadError(
            "bad-target", "a mailbox holds many letters, and an address, a title, a date or an author declares one"
        )
    common = Declared(source=said.source, language=said.language, tags=said.tags)
    try:
        with _opened(target) as file:
            length = file.seek(0, io.SEEK_END)
            file.seek(0)
            for letter in _letters(file, max_size):
                read = (letter.offset + letter.size, length)
                shown = f"{target.name} #{letter.number}"
                if letter.content is None:
                    detail = (
                        f"letter {letter.number} at byte {letter.offset}: {letter.size} bytes; the limit is {max_size}"
                    )
                    yield Opened(shown, Attempt(_uri(target), now, "too-large", detail), common, read=read)
                    continue
                capture = _capture(target, letter, letter.content, now)
                yield Opened(shown, capture, common, read=read)
                yield from within(shown, capture, common)
    except OSError as e:
        raise UploadError("unreadable", f"cannot be read: {e.strerror}") from e


def _opened(target: Target) -> BinaryIO:
    if target.content is not None:
        return io.BytesIO(target.content)
    assert target.path is not None
    return target.path.open("rb")


def _uri(target: Target) -> str:
    return file_uri(target.path) if target.path is not None else content_uri(sha256(target.content or b""))


def _letters(file: BinaryIO, max_size: int) -> Iterator[_Letter]:
    """The letters in order. Of one that is too large no more than the limit is kept in memory."""
    envelope = file.readline(_PIECE)
    pattern = _STRICT if _STRICT.match(envelope) else re.compile(rb"From ")
    number, offset, size = 1, len(envelope), 0
    kept = bytearray()
    blank, at_start = False, True
    while True:
        line = file.readline(_PIECE)
        begins = at_start and blank and pattern.match(line) is not None
        if begins or not line:
            yield _Letter(number, offset, size, envelope, None if size > max_size else _without_last_break(kept))
            if not line:
                return
            number, offset, size, envelope, kept = number + 1, offset + size + len(line), 0, line, bytearray()
            blank, at_start = False, line.endswith(b"\n")
            continue
        size += len(line)
        if size <= max_size:
            kept += line
        else:
            kept.clear()
        blank = at_start and line in (b"\n", b"\r\n")
        at_start = line.endswith(b"\n")


def _without_last_break(letter: bytearray) -> bytes:
    """The letter without the empty line that parts it from the next."""
    ends = 4 if letter.endswith(b"\r\n\r\n") else 2 if letter.endswith(b"\n\n") else 0
    return bytes(letter[: len(letter) - ends // 2] if ends else letter)


def _capture(target: Target, letter: _Letter, content: bytes, now: datetime) -> Capture:
    payload = sha256(content)
    envelope = printable(letter.envelope.decode("utf-8", "replace").strip())
    return Capture(
        uri=content_uri(payload),
        captured_at=now,
        kind="resource",
        block=content,
        body=content,
        payload=payload,
        media_type="message/rfc822",
        facts=(
            ("partOf", _uri(target)),
            ("partNumber", str(letter.number)),
            ("partOffset", str(letter.offset)),
            ("envelope", envelope),
            ("client", f"muniment/{__version__}"),
        ),
    )
