"""The SHA-256 of segments in blocks of 128 KiB, so that `verify --fast` hashes stretches and not every member.

A block whose digest is empty, or does not fit, says only that the members in it have to be looked at: a withdrawal
overwrites bytes, and what a crash left may be no longer what was written.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from muniment.regular import open_regular

BLOCK = 1 << 17
UNKNOWN = b""
_PIECE = 1 << 20


class BlockDigests:
    """The digests of a segment's blocks as it grows: `update` with what is appended, `take` at each commit."""

    def __init__(self, path: Path, length: int = 0, known: bytes | None = None):
        """Goes on behind the first `length` bytes of the file; `known` is the digest of the block that has begun.

        Where the bytes that are there do not have it, this block stays unknown: its damage must not be signed off.
        """
        self.path, self.length = path, length
        self._number, self._hash = length // BLOCK, hashlib.sha256()
        self._done = list[tuple[int, bytes]]()
        self._doubtful = False
        if length % BLOCK:
            with open_regular(path) as file:
                file.seek(self._number * BLOCK)
                self._hash.update(file.read(length % BLOCK))
            self._doubtful = self._hash.digest() != known

    def update(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            piece = view[: BLOCK - self.length % BLOCK]
            self._hash.update(piece)
            self.length += len(piece)
            view = view[len(piece) :]
            if not self.length % BLOCK:
                self._done.append((self._number, self._digest()))
                self._number, self._hash, self._doubtful = self._number + 1, hashlib.sha256(), False

    def read_to(self, end: int) -> None:
        """`update` with what the file holds up to there."""
        with open_regular(self.path) as file:
            file.seek(self.length)
            while self.length < end and (data := file.read(min(_PIECE, end - self.length))):
                self.update(data)

    def take(self) -> list[tuple[int, bytes]]:
        """(number, SHA-256) of each block that grew since they were taken last."""
        done, self._done = self._done, []
        return done + ([(self._number, self._digest())] if self.length % BLOCK else [])

    def _digest(self) -> bytes:
        return UNKNOWN if self._doubtful else self._hash.digest()
