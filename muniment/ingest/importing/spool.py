"""A block: in memory, or in a temporary file where it is long."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator

_IN_MEMORY = 2 << 20
_CHUNK = 1 << 20
_OVERLAP = 1 << 13


class Spool:
    """Written once from its beginning, then read as often as one likes (model.Content)."""

    def __init__(self) -> None:
        self.size = 0
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - goes when nobody holds it any more

    def write(self, piece: bytes) -> None:
        self.size += len(piece)
        self._file.write(piece)

    @property
    def in_memory(self) -> int:
        """Bytes of memory that it takes."""
        return self.size if self.size <= _IN_MEMORY else 0

    def chunks(self) -> Iterator[bytes]:
        position = 0
        while position < self.size:
            self._file.seek(position)
            chunk = self._file.read(_CHUNK)
            position += len(chunk)
            yield chunk

    def start(self, count: int) -> bytes:
        self._file.seek(0)
        return self._file.read(count)

    def find(self, pattern: re.Pattern[bytes]) -> int | None:
        """Where the pattern first begins at a line's beginning, other than the first."""
        position, kept = 0, b""
        for chunk in self.chunks():
            window = kept + chunk
            at = window.find(b"\n")
            while at >= 0:
                if pattern.match(window, at + 1):
                    return position - len(kept) + at + 1
                at = window.find(b"\n", at + 1)
            position += len(chunk)
            kept = window[-_OVERLAP:]
        return None
