"""WACZ files: the zip looked at before anything of it is read, its record files one after another, its digests.

Refused are names that lead out of the folder, links, entries that overlap or share a name, encryption, and what
inflates to many times its size: a WACZ of a program of good will has none of these. Nothing is unpacked by name.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, BinaryIO, cast

from muniment.errors import UploadError

MAX_ENTRIES = 100_000
MAX_DIRECTORY = 20 << 20  # 200 bytes an entry
_MAX_PACKAGE = 32 << 20
_BOMB, _RATIO = 32 << 20, 200
_RECORDS = (".warc", ".warc.gz", ".arc", ".arc.gz")
_ANY = re.compile(r"\.w?arc(?:\.[a-z0-9]{1,5})?\Z", re.I)
_CHUNK = 1 << 20
_END, _END64 = b"PK\x05\x06", b"PK\x06\x06"
_DAMAGE = (
    zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OverflowError, struct.error, zlib.error, KeyError,
    ValueError, OSError,
)  # fmt: skip


class Package:
    """An open WACZ. Raises UploadError("wacz-refused") where it is a trap, ("wacz-damaged") where it is no zip."""

    def __init__(self, file: BinaryIO):
        self._file = file
        try:
            _check_directory(file)
            self._zip = zipfile.ZipFile(file)
            self._entries = self._zip.infolist()
            _check_entries(self._entries, file)
        except UploadError:
            raise
        except _DAMAGE as e:
            raise UploadError("wacz-damaged", f"the zip cannot be read: {_words(e)}") from e

    def record_files(self) -> list[zipfile.ZipInfo]:
        """The files below `archive/` that hold records, in order of name."""
        found = [e for e in self._entries if e.filename.startswith("archive/") and e.filename.endswith(_RECORDS)]
        return sorted(found, key=lambda entry: entry.filename)

    def passed_over(self) -> list[str]:
        """The names of files that by these hold records and are not read."""
        read = {entry.filename for entry in self.record_files()}
        return [entry.filename for entry in self._entries if _ANY.search(entry.filename) and entry.filename not in read]

    def packages(self) -> list[str]:
        """The names of packages within this one, which are not opened."""
        return [entry.filename for entry in self._entries if entry.filename.endswith(".wacz")]

    @contextmanager
    def open(self, entry: zipfile.ZipInfo) -> Iterator[BinaryIO]:
        """A record file, seekable. Those that are deflated, which WACZ does not want, go through a temporary file."""
        if entry.compress_type == zipfile.ZIP_STORED:
            yield cast(BinaryIO, io.BufferedReader(_Slice(self._file, _start_of(self._file, entry), entry.file_size)))
            return
        with tempfile.TemporaryFile() as spool:
            for chunk in self._chunks(entry):
                spool.write(chunk)
            spool.seek(0)
            yield cast(BinaryIO, spool)

    def problems(self) -> Iterator[str]:
        """What does not fit: files that are not what `datapackage.json` says, and that itself."""
        by_name = {entry.filename: entry for entry in self._entries}
        package = by_name.get("datapackage.json")
        if package is None:
            yield "it holds no datapackage.json"
            return
        try:
            raw = self._small(package)
            resources = list(map(_resource, json.loads(raw)["resources"]))
        except (UploadError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
            yield f"datapackage.json cannot be read: {_words(e)}"
            return
        if (signed := by_name.get("datapackage-digest.json")) is not None:
            yield from self._digest_problems(signed, raw)
        named = set()
        for path, stated, size in resources:
            named.add(path)
            yield from self._resource_problems(by_name.get(path), path, stated, size)
        for entry in self.record_files():
            if entry.filename not in named:
                yield f"datapackage.json does not name {entry.filename}"

    def _digest_problems(self, entry: zipfile.ZipInfo, package: bytes) -> Iterator[str]:
        try:
            stated = str(json.loads(self._small(entry))["hash"])
        except (UploadError, ValueError, KeyError, TypeError, RecursionError) as e:
            yield f"datapackage-digest.json cannot be read: {_words(e)}"
            return
        if stated != f"sha256:{hashlib.sha256(package).hexdigest()}":
            yield "datapackage.json does not have the digest that datapackage-digest.json states"

    def _resource_problems(self, entry: zipfile.ZipInfo | None, path: str, stated: str, size: object) -> Iterator[str]:
        if entry is None:
            yield f"{path[:200]}, which datapackage.json names, is not there"
            return
        named = stated if ":" in stated else f"sha256:{stated}"  # as the first edition had it
        algorithm, _, expected = named.partition(":")
        if algorithm not in ("sha256", "md5", "sha1", "sha512"):
            yield f"{path}: a digest of the kind {algorithm[:20]!r} cannot be checked"
            return
        digest = hashlib.new(algorithm, usedforsecurity=False)
        try:
            for chunk in self._chunks(entry):
                digest.update(chunk)
        except UploadError as e:
            yield f"{path}: {e}"
            return
        if digest.hexdigest() != expected.lower():
            yield f"{path} does not have the digest that datapackage.json states"
        elif isinstance(size, int) and size != entry.file_size:
            yield f"{path} has {entry.file_size} bytes, and datapackage.json states {size}"

    def _small(self, entry: zipfile.ZipInfo) -> bytes:
        if entry.file_size > _MAX_PACKAGE:
            raise UploadError("wacz-damaged", f"{entry.filename} has {entry.file_size} bytes")
        return b"".join(self._chunks(entry))

    def _chunks(self, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        try:
            with self._zip.open(entry) as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
        except _DAMAGE as e:
            raise UploadError("wacz-damaged", f"{entry.filename} cannot be read: {_words(e)}") from e


class _Slice(io.RawIOBase):
    """A stretch of a file, as a file."""

    def __init__(self, file: BinaryIO, start: int, size: int):
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._start + self._at)
        data = self._file.read(min(len(buffer), max(0, self._size - self._at)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def looks_like_wacz(file: BinaryIO) -> bool:
    """Whether a zip holds what a WACZ does."""
    try:
        _check_directory(file)
        names = set(zipfile.ZipFile(file).namelist())
    except (*_DAMAGE, UploadError):
        return False
    return "datapackage.json" in names and any(name.startswith("archive/") for name in names)


def _check_directory(file: BinaryIO) -> None:
    """The zip's directory is read whole, so its size is looked at first."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - (1 << 16) - 22))
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < 22:
        raise UploadError("wacz-damaged", "the zip cannot be read: it has no directory at its end, as if it were cut")
    (length,) = struct.unpack_from("<L", tail, at + 12)
    at64 = tail.rfind(_END64, 0, at)
    if at64 >= 0 and len(tail) - at64 >= 48:  # which counts, whatever the other one says
        (longer,) = struct.unpack_from("<Q", tail, at64 + 40)
        length = longer if length == 0xFFFFFFFF else max(length, longer)
    if length > MAX_DIRECTORY:
        raise UploadError("wacz-refused", f"the directory of the zip has {length} bytes")
    file.seek(0)


def _check_entries(entries: list[zipfile.ZipInfo], file: BinaryIO) -> None:
    if len(entries) > MAX_ENTRIES:
        raise UploadError("wacz-refused", f"the zip has {len(entries)} entries; the limit is {MAX_ENTRIES}")
    seen, end = set[str](), 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        name = entry.filename
        if problem := _entry_problem(entry) or ("has the name of another one" if name in seen else None):
            raise UploadError("wacz-refused", f"an entry of the zip {problem}: {name[:100]!r}")
        seen.add(name)
        if entry.header_offset < end:
            raise UploadError("wacz-refused", f"an entry of the zip lies over another one: {name[:100]!r}")
        end = _start_of(file, entry) + entry.compress_size


def _entry_problem(entry: zipfile.ZipInfo) -> str | None:
    name = entry.orig_filename
    parts = name.rstrip("/").split("/")
    if (
        name.startswith("/")
        or "\\" in name
        or "\0" in name
        or ":" in parts[0]
        or any(p in ("", ".", "..") for p in parts)
    ):
        return "leads out of its folder"
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if entry.flag_bits & 1:
        return "is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed in another way than deflate"
    if entry.compress_type == zipfile.ZIP_STORED and entry.file_size != entry.compress_size:
        return "states two lengths"
    if entry.file_size > _BOMB and entry.file_size > _RATIO * max(1, entry.compress_size):
        return f"inflates {entry.compress_size} bytes to {entry.file_size}"
    return None


def _start_of(file: IO[bytes], entry: zipfile.ZipInfo) -> int:
    """Where the bytes of an entry begin, as its own header has it."""
    file.seek(entry.header_offset)
    header = file.read(30)
    if len(header) < 30 or not header.startswith(b"PK\x03\x04"):
        raise UploadError("wacz-damaged", f"no entry of the zip begins at byte {entry.header_offset}")
    name, extra = struct.unpack_from("<HH", header, 26)
    return entry.header_offset + 30 + int(name) + int(extra)


def _resource(stated: dict[str, Any]) -> tuple[str, str, object]:
    """Path, digest and length; the first edition of WACZ had the last two in `stats`."""
    facts = stated.get("stats") or stated
    return str(stated["path"]), str(facts["hash"]), facts.get("bytes")


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
