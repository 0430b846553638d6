"""A proof as a zip: what is in it, writing it, and reading one that a stranger brings.

    README.html                       what this is, and how to check it
    verify.sh                         checks it with a shell, coreutils, xxd and openssl
    SHA256SUMS                        every other file, as sha256sum writes and reads it
    checkpoint                        the signed checkpoint, a C2SP note
    key.vkey  key.pem                 the public key that signed it
    leaves/20/leaf.json               a leaf, its exact bytes
    leaves/20/20.tlog-proof           that it is in the checkpoint's tree
    leaves/20/record-1.warc           its records, uncompressed, in order
    leaves/21/text.txt                of a derivation: the cleaned text
    stamps/24.name.tsq .tsr .pem      a time stamp over the checkpoint: request, reply, certificates
    keys/first.vkey keys/9.json ...   which keys came before, where there were any (succession.py)

Nothing is compressed and no time is written into the zip, so that the same proof is the same file.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, BinaryIO

README, SCRIPT, SUMS, CHECKPOINT, VKEY, PEM = (
    "README.html",
    "verify.sh",
    "SHA256SUMS",
    "checkpoint",
    "key.vkey",
    "key.pem",
)
FIRST_KEY = "keys/first.vkey"
FIXED = (README, SCRIPT, CHECKPOINT, VKEY, PEM)
MAX_FILES = 20_000
MAX_SIZE = 4 << 30  # of all files, uncompressed
MAX_SMALL = 1 << 26  # of a file that has to be read whole
_MAX_DIRECTORY = 4 << 20
_NUMBER = "(0|[1-9][0-9]{0,17})"
_LEAF = re.compile(rf"leaves/{_NUMBER}/(leaf\.json|text\.txt|record-[1-9][0-9]?\.warc|{_NUMBER}\.tlog-proof)")
_STAMP = re.compile(rf"stamps/{_NUMBER}\.[A-Za-z0-9_-][A-Za-z0-9._-]*\.(tsq|tsr|pem)")
_KEY = re.compile(rf"keys/{_NUMBER}\.(json|tlog-proof)")
_FOLDER = re.compile(r"(leaves|stamps|keys)/([0-9]+/)?")
_SUM = re.compile(r"([0-9a-f]{64})  ([!-~]+)")
_END = b"PK\x05\x06"
_DAMAGE = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OverflowError,
    struct.error,
    zlib.error,
    KeyError,
)


def leaf_file(number: int, name: str) -> str:
    return f"leaves/{number}/{name}"


def proof_name(number: int) -> str:
    return leaf_file(number, f"{number}.tlog-proof")


def record_name(number: int, part: int) -> str:
    """The file of a record; `part` counts from 1."""
    return leaf_file(number, f"record-{part}.warc")


def key_files(number: int) -> tuple[str, str]:
    """The files of a key leaf: its bytes, and its proof."""
    return f"keys/{number}.json", f"keys/{number}.tlog-proof"


def key_of(name: str) -> int | None:
    """The number of the key leaf that a file belongs to, or None where it is no key leaf's."""
    match = _KEY.fullmatch(name)
    return None if match is None else int(match[1])


def leaf_of(name: str) -> tuple[int, str] | None:
    """The leaf that a file belongs to and what it is there, or None where it is no leaf's."""
    match = _LEAF.fullmatch(name)
    if match is None or (match[3] and match[3] != match[1]):
        return None
    return int(match[1]), "proof" if match[3] else match[2]


def is_name(name: str) -> bool:
    """Whether a proof may hold a file of this name. None of them leads out of its folder."""
    return (
        name in FIXED
        or name in (SUMS, FIRST_KEY)
        or key_of(name) is not None
        or leaf_of(name) is not None
        or (bool(_STAMP.fullmatch(name)) and ".." not in name)
    )


class Writer:
    """Writes a proof's files in the order in which they come, and SHA256SUMS at the end of the `with` block."""

    def __init__(self, target: BinaryIO):
        self._zip = zipfile.ZipFile(target, "w", zipfile.ZIP_STORED)
        self._sums: dict[str, str] = {}

    def add(self, name: str, content: bytes) -> None:
        if not is_name(name) or name in self._sums:
            raise ValueError(f"a proof holds no file {name!r}, or it is there already")
        self._sums[name] = hashlib.sha256(content).hexdigest()
        self._write(name, content)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            lines = [f"{digest}  {name}\n" for name, digest in sorted(self._sums.items())]
            self._write(SUMS, "".join(lines).encode())
        self._zip.close()

    def _write(self, name: str, content: bytes) -> None:
        entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
        entry.create_system = 3
        entry.external_attr = (0o100755 if name == SCRIPT else 0o100644) << 16
        self._zip.writestr(entry, content)


class Files:
    """The files of a proof that a stranger brings. Raises ValueError where the zip is none that we write: no zip,
    names that lead elsewhere, the same name twice, links, encrypted, or more than the limits."""

    def __init__(self, source: BinaryIO):
        _check_end(source)
        try:
            self._zip = zipfile.ZipFile(source)
            entries = self._zip.infolist()
        except (*_DAMAGE, ValueError) as e:
            raise ValueError(f"not a zip that can be read: {e}") from e
        if len(entries) > MAX_FILES or sum(entry.file_size for entry in entries) > MAX_SIZE:
            raise ValueError(f"more than {MAX_FILES} files or {MAX_SIZE >> 30} GiB")
        self.names: set[str] = set()
        for entry in entries:
            if not entry.file_size and _FOLDER.fullmatch(entry.filename):
                continue
            kind = entry.external_attr >> 16 & 0o170000
            if not is_name(entry.filename) or entry.filename in self.names or kind not in (0, 0o100000):
                raise ValueError(f"a proof holds no {entry.filename!r}, or not twice, or it is a link")
            if entry.flag_bits & 1:
                raise ValueError(f"{entry.filename} is encrypted")
            self.names.add(entry.filename)

    def read(self, name: str) -> bytes:
        """A whole file. Raises ValueError: missing, damaged, or over 64 MiB."""
        if name not in self.names:
            raise ValueError(f"{name} is missing")
        if self._zip.getinfo(name).file_size > MAX_SMALL:
            raise ValueError(f"{name} is over {MAX_SMALL >> 20} MiB")
        return b"".join(self.chunks(name))

    def chunks(self, name: str) -> Iterator[bytes]:
        """A file of any size, a megabyte at a time. Raises ValueError."""
        try:
            with self._open(name) as file:
                while chunk := file.read(1 << 20):
                    yield chunk
        except (*_DAMAGE, OSError) as e:
            raise ValueError(f"{name} is damaged in the zip: {e}") from e

    def _open(self, name: str) -> IO[bytes]:
        if name not in self.names:
            raise ValueError(f"{name} is missing")
        return self._zip.open(name)

    def digest(self, name: str) -> str:
        """The SHA-256 of a file, in hex."""
        found = hashlib.sha256()
        for chunk in self.chunks(name):
            found.update(chunk)
        return found.hexdigest()

    def sums(self) -> dict[str, str]:
        """What SHA256SUMS says, by name. Raises ValueError where it is malformed."""
        found: dict[str, str] = {}
        for line in self.read(SUMS).decode("ascii", "replace").removesuffix("\n").split("\n"):
            match = _SUM.fullmatch(line)
            if match is None or match[2] in found:
                raise ValueError(f"{SUMS} is malformed at {line[:100]!r}")
            found[match[2]] = match[1]
        return found


def _check_end(source: BinaryIO) -> None:
    """The zip's directory is read whole, so its size is looked at first (APPNOTE 4.3.16). Raises ValueError."""
    size = source.seek(0, 2)
    source.seek(max(0, size - 42))
    tail = source.read(42)
    end = tail[-22:]
    if len(end) < 22 or end[:4] != _END or end[20:] != b"\0\0":
        raise ValueError("not a zip, or one with a comment behind it")
    count, directory = struct.unpack("<HI", end[10:16])
    if count > MAX_FILES or directory > _MAX_DIRECTORY or tail[:4] == b"PK\x06\x07":
        raise ValueError(f"more than {MAX_FILES} files or {MAX_SIZE >> 30} GiB")
