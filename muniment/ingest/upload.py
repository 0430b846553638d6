"""Files, folders, standard input and lists: what a person hands over, as targets and as captures.

An upload keeps its bytes under the address that it was declared to come from, else `file:///…`, else (standard input,
inline text) `ni:///sha-256;…`, which names the bytes themselves (RFC 6920).
"""

from __future__ import annotations

import base64
import errno
import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from muniment import __version__
from muniment.errors import UploadError, UsageError
from muniment.model import Capture, Declared, Digest, sha256

MAX_UPLOAD = 128 << 20  # bytes of a file
MAX_LINE = 32 << 20  # bytes of a line of a list; inline text comes in one
OUTSIDE = "outside"  # the reason that a link is not followed
_SHOWN = 400  # characters of a target that is too long to be a path or an address
_URL = re.compile(r"https?:", re.I)
_USER_INFO = re.compile(r"(https?:[/\\]*)[^/\\?#]*@", re.I)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.I)
_PUBLISHED = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?\Z")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
_MEDIA_TYPES = {
    ".html": "text/html", ".htm": "text/html", ".xhtml": "application/xhtml+xml", ".mhtml": "multipart/related",
    ".txt": "text/plain", ".text": "text/plain", ".md": "text/markdown", ".pdf": "application/pdf",
    ".json": "application/json", ".xml": "application/xml", ".eml": "message/rfc822", ".mht": "multipart/related",
    ".rtf": "application/rtf", ".markdown": "text/markdown", ".gz": "application/gzip",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".odt": "application/vnd.oasis.opendocument.text", ".epub": "application/epub+zip", ".zip": "application/zip",
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp",
}  # fmt: skip
_UNSTORABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_BYTE = re.compile("[\udc80-\udcff]")  # a byte that is no UTF-8, as Python has it in arguments (PEP 383)
_LIST_FIELDS = {"target", "text", "url", "title", "published", "source", "language", "authors", "tags"}


class _Outside(OSError):
    """A link in a folder leads to a file elsewhere."""


@dataclass(frozen=True, slots=True)
class Target:
    """One item to add: a `url` to fetch, a `path` to read, or `content` handed over. `name` is how the user called it.

    `facts` are what a listing that named it said of it. `problem` says why the item cannot be added, and `reason` is
    the slug for it; it fails when its turn comes, so that the rest of a batch goes on.
    """

    name: str
    url: str | None = None
    path: Path | None = None
    content: bytes | None = None
    declared: Declared = field(default_factory=Declared)
    problem: str | None = None
    reason: str = "bad-target"
    facts: tuple[tuple[str, str], ...] = ()


def expand(names: Iterable[str], declared: Declared, standard_input: BinaryIO, max_size: int) -> Iterator[Target]:
    """The targets that these names mean: URLs, files, folders (every file below, in order), `-` for standard input.

    Of standard input one byte more than `max_size` is read: enough to refuse it.
    """
    for name in names:
        if name == "-":
            yield Target(name, content=standard_input.read(max_size + 1), declared=declared)
        else:
            yield from _expand_one(name, declared)


def _expand_one(name: str, declared: Declared) -> Iterator[Target]:
    from muniment.ingest.urls import MAX_URL

    shown = printable(name if len(name) <= _SHOWN else name[:_SHOWN] + "…")
    if _URL.match(name) and len(name) > MAX_URL:
        yield Target(shown, problem=f"an address has {MAX_URL:,} characters at most", reason="bad-url")
    elif _USER_INFO.match(name):
        yield Target(
            printable(_without_password(name)[:_SHOWN]),
            problem="this address holds a user name or password before an @; give it without",
            reason="bad-url",
        )
    elif _URL.match(name):
        twice = declared.url is not None and declared.url != name
        problem = "an address to fetch, and another one declared: `url` is for uploads" if twice else None
        yield Target(
            shown, url=_BYTE.sub(lambda c: f"%{ord(c[0]) - 0xDC00:02X}", name), declared=declared, problem=problem
        )
    elif os.path.isdir(name):  # noqa: PTH112 - says no, where pathlib raises: a name may be too long for any file
        yield from _expand_folder(shown, Path(name), declared)
    elif os.path.lexists(name):
        yield Target(shown, path=Path(name), declared=declared)
    elif _SCHEME.match(name):
        yield Target(shown, problem="only http:// and https:// addresses can be fetched", reason="bad-url")
    else:
        yield Target(shown, problem="there is no such file; a web address starts with https:// or http://")


def _without_password(url: str) -> str:
    """An address as it may stand in the log, which is for good and no place for a password."""
    return _USER_INFO.sub(r"\1…@", url, count=1)


def _expand_folder(shown: str, folder: Path, declared: Declared) -> Iterator[Target]:
    if declared.url or declared.title:
        yield Target(shown, problem="a folder holds many items, and an address or a title declares one")
        return
    unreadable: list[OSError] = []
    for file in files_below(folder, unreadable.append):
        yield Target(printable(str(file)), path=file, declared=declared)
    for error in unreadable:
        reason = OUTSIDE if isinstance(error, _Outside) else "bad-target"
        yield Target(printable(error.filename), problem=f"cannot be read: {error.strerror}", reason=reason)


def files_below(folder: Path, unreadable: Callable[[OSError], object]) -> Iterator[Path]:
    """Every file below a folder, in order of name. Hidden files and folders and whole archives are passed over, links
    to folders not followed; `unreadable` is told of the folders that cannot be listed, and of links to files elsewhere:
    a folder from outside could have anything of this machine's archived so, and published."""
    inside = Path(os.path.realpath(folder))
    for parent, folders, files in os.walk(folder, onerror=unreadable):
        if "archive.toml" in files and "log" in folders:
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(parent, name)
            if name.startswith("."):
                continue
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(inside):
                unreadable(
                    _Outside(errno.EPERM, "a link to a file outside of the folder: name that file itself", str(path))
                )
            else:
                yield path


def read_list(lines: BinaryIO, declared: Declared, name: str) -> Iterator[Target]:
    """The targets of a list: one a line, or JSON objects with `target` or `text` and declared metadata.

    Empty lines and lines that start with `#` are passed over. A line that cannot be read is a target with a problem,
    which says where it stands: in the list of this name. One line at a time is in memory.
    """
    for number, raw in enumerate(_lines(lines), 1):
        line = raw.removeprefix(b"\xef\xbb\xbf").strip()
        if not line or line.startswith(b"#"):
            continue
        place = f"{printable(name)} line {number}"
        if number == 1 and raw.startswith((b"\xff\xfe", b"\xfe\xff")):
            yield Target(place, problem="the list is in UTF-16: save it as UTF-8")
            return
        try:
            for target in _list_line(line, declared, place):
                yield target if target.problem is None else replace(target, problem=f"{place}: {target.problem}")
        except (ValueError, RecursionError) as e:
            yield Target(place, problem=str(e))


def _list_line(line: bytes, declared: Declared, place: str) -> Iterator[Target]:
    """Raises ValueError where the line cannot be read."""
    if len(line) > MAX_LINE:
        raise ValueError(f"a line of a list holds {MAX_LINE} bytes at most")
    if line == b"-":
        raise ValueError("- stands for standard input on the command line only")
    if line.startswith(b"{"):
        yield from _list_object(_parsed(line), declared, place)
    else:
        yield from _expand_one(os.fsdecode(line), declared)


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as e:
        raise ValueError(f"not JSON: {e.msg} at character {e.pos + 1}") from e


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of one that is too long, its first MAX_LINE + 1 bytes."""
    while line := file.readline(MAX_LINE + 1):
        end = line
        while len(line) > MAX_LINE and end and not end.endswith(b"\n"):
            end = file.readline(1 << 16)
        yield line


def _list_object(fields: Any, declared: Declared, place: str) -> Iterator[Target]:
    if unknown := sorted(set(fields) - _LIST_FIELDS):
        raise ValueError(f"unknown field {unknown[0]!r}; known are {', '.join(sorted(_LIST_FIELDS))}")
    said = _read_declared(fields, declared)
    target, text = (_string(fields, name) for name in ("target", "text"))
    if (target is None) == (text is None):
        raise ValueError("give either `target` (a URL or a path) or `text`")
    if text is not None:
        if not text.strip():
            raise ValueError("`text` is empty")
        name = _without_password(said.url or said.title or place)
        yield Target(printable(name), content=text.encode("utf-8", "replace"), declared=said)
    elif target is not None:
        if _UNSTORABLE.search(target):
            raise ValueError("`target` holds a control character or half a surrogate pair")
        yield from _expand_one(target, said)


def _string(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"`{name}` is not a string")
    return value


def _read_declared(fields: dict[str, Any], common: Declared) -> Declared:
    said: dict[str, Any] = {}
    for name in ("url", "title", "published", "source", "language"):
        if text := _string(fields, name):
            said[name] = _storable(text)
    for name in ("authors", "tags"):
        value = fields.get(name) or []
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
            raise ValueError(f"`{name}` is not a list of strings")
        if values:
            said[name] = tuple(map(_storable, values))
    if common.tags and "tags" in said:
        said["tags"] = tuple(dict.fromkeys(common.tags + said["tags"]))
    if "published" in said:
        try:
            said["published"] = check_published(said["published"])
        except ValueError as e:
            raise ValueError(f"published: {e}") from e
    if "language" in said and not _LANGUAGE.fullmatch(said["language"]):
        raise ValueError(f"language: {said['language']!r} is no code of a language: write en, fa or pt-BR (BCP 47)")
    return replace(common, **said)


def _storable(text: str) -> str:
    """A declared value as one line of text that can be stored as UTF-8."""
    return _UNSTORABLE.sub(" ", text).strip()


def check_published(date: str, now: datetime | None = None) -> str:
    """A declared date as `2021`, `2021-05` or `2021-05-30`; an ISO date with a time is cut to its day.

    Raises ValueError where it is none, or lies before the year 1000 or after tomorrow (`now` is the time, for tests).
    """
    day = date.strip()
    if len(day) > 10 and day[10] in "T ":
        day = day[:10]
    if not _PUBLISHED.match(day) or not _is_day((day + "-01-01")[:10]):
        raise ValueError(f"{date!r} is no date of publication: write 2021, 2021-05 or 2021-05-30")
    tomorrow = (now or datetime.now(UTC)) + timedelta(days=1)  # it may be that day already where it was published
    if not "1000" <= day <= tomorrow.date().isoformat()[: len(day)]:
        raise ValueError(f"{date!r} is no date of publication: it lies before the year 1000 or after tomorrow")
    return day


def _is_day(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


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
        facts=(*((("fileName", printable(name)),) if name else ()), ("client", f"muniment/{__version__}")),
    )


def peek(target: Target, size: int = 16384) -> bytes:
    """The beginning of what is uploaded; nothing where it is no file, or cannot be read: reading it says why."""
    if target.content is not None:
        return target.content[:size]
    try:
        if target.path is None or not stat.S_ISREG(target.path.stat().st_mode):
            return b""
        with target.path.open("rb") as file:
            return file.read(size)
    except OSError:
        return b""


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
            raise UploadError("bad-target", f"the declared address: {e}") from e
    if target.path is not None:
        return file_uri(target.path)
    return content_uri(payload)


def content_uri(payload: Digest) -> str:
    """The address that names bytes by their digest (RFC 6920)."""
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
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() or c in "\u200c\u200d" else " " for c in text)


def declared_of(said: Declared) -> Declared:
    """The declarations of one call, checked. Raises UsageError."""
    fields = {name: getattr(said, name) for name in ("url", "title", "published", "source", "language")}
    try:
        return _read_declared({**fields, "authors": list(said.authors), "tags": list(said.tags)}, Declared())
    except ValueError as e:
        raise UsageError(f"--{e}") from e
