"""Frames over a pipe, and an Article as JSON and back."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from types import MappingProxyType

from muniment.model import Article, Dropped, Published


def write_frame(fd: int, payload: bytes) -> None:
    """Writes a length and the payload; raises BrokenPipeError where nobody reads."""
    rest = memoryview(len(payload).to_bytes(8, "big") + payload)
    while rest:
        rest = rest[os.write(fd, rest) :]


def read_frame(fd: int) -> bytes:
    """The next frame's payload; raises EOFError where the pipe ended."""
    return read_exactly(fd, frame_size(fd))


def frame_size(fd: int) -> int:
    """The length of the next frame's payload, which follows it."""
    return int.from_bytes(read_exactly(fd, 8), "big")


def read_exactly(fd: int, size: int) -> bytes:
    """That many bytes; raises EOFError where the pipe ends before."""
    chunks, left = [], size
    while left:
        chunk = os.read(fd, min(left, 1 << 20))
        if not chunk:
            raise EOFError
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def article_bytes(article: Article) -> bytes:
    """The article as JSON, for `article_from`."""
    fields = {name: getattr(article, name) for name in Article.__slots__}
    for name in ("published", "updated"):
        fields[name] = fields[name] and asdict(fields[name])
    fields["dropped"] = [(d.text, d.reason) for d in article.dropped]
    fields["settings"], fields["said"] = dict(article.settings), dict(article.said)
    return json.dumps(fields).encode()


def article_from(payload: bytes) -> Article:
    """The article of `article_bytes`."""
    fields = json.loads(payload)
    for name in ("published", "updated"):
        fields[name] = fields[name] and Published(**fields[name])
    fields["dropped"] = tuple(Dropped(text, reason) for text, reason in fields["dropped"])
    for name in ("authors", "captions", "flags"):
        fields[name] = tuple(fields[name])
    fields["settings"] = MappingProxyType(fields["settings"])
    return Article(**fields)
