"""Files, folders, standard input and lists: what a person hands over, as targets and as captures.

An upload keeps its bytes under the address that it was declared to come from, else `file:///…`, else (standard input,
inline text) `ni:///sha-256;…`, which names the bytes themselves (RFC 6920).
"""

from __future__ import annotations

import base64
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from muniment.errors import UploadError, UsageError
from muniment.model import Capture, Declared, Digest, sha256

MAX_LINE = 32 << 20
_URL = re.compile(r"https?:", re.I)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.I)
_PUBLISHED = re.compile(r"\d{4}(-\d\d(-\d\d)?)?\Z")
_MEDIA_TYPES = {
    ".html": "text/html", ".htm": "text/html", ".xhtml": "application/xhtml+xml", ".mhtml": "multipart/related",
    ".txt": "text/plain", ".text": "text/plain", ".md": "text/markdown", ".pdf": "application/pdf",
    ".json": "application/json", ".xml": "application/xml", ".eml": "message/rfc822", ".gz": "application/gzip",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".odt": "application/vnd.oasis.opendocument.text", ".epub": "application/epub+zip", ".zip": "application/zip",
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp",
}  # fmt: skip
_LIST_FIELDS = {"target", "text", "url", "title", "published", "source", "language", "authors", "tags"}


@dataclass(frozen=True, slots=True)
class Target:
    """One item to add: a `url` to fetch, a `path` to read, or `content` handed over. `name` is how the user called it.

    `problem` says why the item cannot be added; it fails when its turn comes, so that the rest of a batch goes on.
    """

    name: str
    url: str | None = None
    path: Path | None = None
    content: bytes | None = None
    declared: Declared = field(default_factory=Declared)
    problem: str | None = None


def expand(names: Iterable[str], declared: Declared, standard_input: BinaryIO) -> Iterator[Target]:
    """The targets that these names mean: URLs, files, folders (every file below, in order), `-` for standard input."""
    for name in names:
        if name == "-":
            yield Target(name, content=standard_input.read(), declared=declared)
        else:
            yield from _expand_one(name, declared)


def _expand_one(name: str, declared: Declared) -> Iterator[Target]:
    shown = printable(name)
    if _URL.match(name):
        yield Target(shown, url=name, declared=declared)
        return
    path = Path(name)
    if path.is_dir():
        yield from (Target(printable(str(file)), path=file, declared=declared) for file in files_below(path))
    elif os.path.lexists(path):
        yield Target(shown, path=path, declared=declared)
    elif _SCHEME.match(name):
        yield Target(shown, problem="only http:// and https:// addresses can be fetched")
    else:
        yield Target(shown, problem="there is no such file; a web address starts with https:// or http://")


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below a folder, in order of name. Hidden files and folders are passed over, links not followed."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(parent, name)


def read_list(lines: Iterable[bytes], standard_input: BinaryIO, declared: Declared) -> Iterator[Target]:
    """The targets of a list: one a line, or JSON objects with `target` or `text` and declared metadata.

    Empty lines and lines that start with `#` are passed over. A line that cannot be read is a target with a problem.
    """
    for number, raw in enumerate(lines, 1):
        line = raw.strip().removeprefix(b"\xef\xbb\xbf")
        if not line or line.startswith(b"#"):
            continue
        if line.startswith(b"{"):
            try:
                yield from _list_object(json.loads(line), declared, number)
            except (ValueError, RecursionError) as e:
                yield Target(f"line {number}", problem=f"line {number}: {e}")
        else:
            yield from expand([os.fsdecode(line)], declared, standard_input)


def _list_object(fields: Any, declared: Declared, number: int) -> Iterator[Target]:
    if unknown := sorted(set(fields) - _LIST_FIELDS):
        raise ValueError(f"unknown field {unknown[0]!r}; known are {', '.join(sorted(_LIST_FIELDS))}")
    said = _read_declared(fields, declared)
    target, text = fields.get("target"), fields.get("text")
    if isinstance(text, str) and target is None:
        name = said.url or said.title or f"line {number}"
        yield Target(printable(name), content=text.encode("utf-8", "replace"), declared=said)
    elif isinstance(target, str) and target and text is None:
        yield from _expand_one(target, said)
    else:
        raise ValueError("give either `target` (a URL or a path) or `text`")


def _read_declared(fields: dict[str, Any], common: Declared) -> Declared:
    said: dict[str, Any] = {}
    for name in ("url", "title", "published", "source", "language"):
        value = fields.get(name)
        if value is not None and not isinstance(value, str):
            raise ValueError(f"`{name}` is not a string")
        if value:
            said[name] = value
    for name in ("authors", "tags"):
        value = fields.get(name) or []
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
            raise ValueError(f"`{name}` is not a list of strings")
        if values:
            said[name] = tuple(values)
    if common.tags and "tags" in said:
        said["tags"] = tuple(dict.fromkeys(common.tags + said["tags"]))
    if "published" in said:
        said["published"] = check_published(said["published"])
    return replace(common, **said)


def check_published(date: str) -> str:
    """A declared date as `2021`, `2021-05` or `2021-05-30`; an ISO date with a time is cut to its day.

    Raises ValueError where it is none.
    """
    day = date.strip()
    if len(day) > 10 and day[10] in "T ":
        day = day[:10]
    if _PUBLISHED.match(day):
        datetime.fromisoformat((day + "-01-01")[:10])
        return day
    raise ValueError(f"{date!r} is no date of publication: write 2021, 2021-05 or 2021-05-30")


def read_target(target: Target, now: datetime, max_size: int) -> Capture:
    """The capture of a file or of content handed over. Raises UploadError."""
    if target.content is not None:
        content, name = target.content, ""
    else:
        assert target.path is not None
        content, name = _read_file(target.path, max_size), target.path.name
    if len(content) > max_size:
        raise UploadError("too-large", f"{len(content)} bytes; the limit is {max_size} (see --max-size)")
    payload = sha256(content)
    return Capture(
        uri=_upload_uri(target, payload),
        captured_at=now,
        kind="resource",
        block=content,
        body=content,
        payload=payload,
        media_type=media_type_of(name, content),
        facts=(("fileName", printable(name)),) if name else (),
    )


def _read_file(path: Path, max_size: int) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UploadError("not-a-file", "it is neither a file nor a folder")
        if status.st_size > max_size:
            raise UploadError("too-large", f"{status.st_size} bytes; the limit is {max_size} (see --max-size)")
        with path.open("rb") as file:
            return file.read(max_size + 1)
    except OSError as e:
        raise UploadError("unreadable", f"cannot be read: {e.strerror}") from e


def _upload_uri(target: Target, payload: Digest) -> str:
    if target.declared.url:
        from muniment.errors import FetchError
        from muniment.ingest.urls import normalise_target

        try:
            return normalise_target(target.declared.url)
        except FetchError as e:
            raise UploadError(e.reason, f"the declared address: {e}") from e
    if target.path is not None:
        return file_uri(target.path)
    digest = bytes.fromhex(payload.removeprefix("sha256:"))
    return "ni:///sha-256;" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def file_uri(path: Path | str) -> str:
    """The `file://` address of a path; bytes of its name that are no UTF-8 are percent-encoded like the others."""
    return "file://" + quote(os.fsencode(os.path.abspath(path)))  # noqa: PTH100 - takes `..` out, leaves links


def media_type_of(name: str, content: bytes) -> str:
    """What a file is, by its name; without a telling name, by whether its beginning is markup or text."""
    known = _MEDIA_TYPES.get(Path(name).suffix.lower())
    if known:
        return known
    start = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "text/html"
    try:
        content[:4096].decode("utf-8")
    except UnicodeDecodeError as e:
        if e.start < min(len(content), 4096) - 4:
            return "application/octet-stream"
    return "application/octet-stream" if b"\x00" in content[:4096] else "text/plain"


def printable(name: str) -> str:
    """A file name as text that can be shown and logged: bytes that are no UTF-8 appear as \\xNN, controls as spaces."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else " " for c in text)


def declared_of(said: Declared) -> Declared:
    """The declarations of one call, checked. Raises UsageError."""
    if said.published is None:
        return said
    try:
        return replace(said, published=check_published(said.published))
    except ValueError as e:
        raise UsageError(f"--published: {e}") from e
