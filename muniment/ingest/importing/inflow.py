"""The bytes of a file as a stream, plain or through gzip members, that knows where in the file it stands.

Where a gzip member is broken the stream ends, with `problem`; `resync` finds the next place where a record begins,
behind the damage. Not more than some megabytes are ever held.
"""

from __future__ import annotations

import os
import re
import zlib as _stdlib_zlib
from collections import deque
from collections.abc import Iterator
from types import ModuleType
from typing import Any, BinaryIO, NamedTuple


def _inflate_module() -> ModuleType:
    try:
        from isal import isal_zlib
    except ImportError:  # no wheel for this machine
        return _stdlib_zlib
    module: ModuleType = isal_zlib
    return module


_zlib = _inflate_module()
_ERRORS = (_zlib.error, _stdlib_zlib.error)
_GZIP = 31  # window bits: deflate in a gzip frame
_MAGIC = b"\x1f\x8b"
_READ, _PIECE, _WINDOW = 1 << 16, 1 << 18, 1 << 20
_MAX_JUNK = 64 << 20  # inflated bytes in which a record is looked for, before the rest of a member is passed over
_LOOK = 512  # bytes in which a record begins to be recognised
_WHOLE = 1 << 20
_SILENT = 1 << 14  # bytes of a member that give none: its header may be a name without an end
_MAX_TRIED = 5_000  # places that look like gzip members, in all of a file
_CUT = "the gzip member is cut short"


class Place(NamedTuple):
    """A byte of the file, or of what a gzip member that begins there holds."""

    offset: int
    inside: int = 0

    def __str__(self) -> str:
        return f"{self.offset}+{self.inside}" if self.inside else str(self.offset)


class Inflow:
    """Reads from a seekable file. `problem` says why the stream ended before the file did, and `broken_at` where."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._length = file.seek(0, os.SEEK_END)
        file.seek(0)
        self.is_gzip = file.read(2) == _MAGIC
        self._tried = self._rewound = 0
        self._over = False
        self.seek(Place(0))

    @property
    def is_cut(self) -> bool:
        """Whether the stream ended because the file does, within a gzip member: all that follows is that member's."""
        return self.problem == _CUT

    @property
    def remaining(self) -> int | None:
        """How many bytes the stream still has; None where only inflating would tell."""
        return None if self.is_gzip else self._length - self._base - self.at

    def rewind(self, place: Place, by: int) -> bool:
        """Go back to a place, this many bytes before the present one; no more often than reading the file twice takes,
        or a file made for it would be read for ever: a gzip member is inflated from its beginning each time."""
        if self._rewound > self._length + _MAX_JUNK:
            return False
        self._rewound += by + place.inside
        self.seek(place)
        return True

    def seek(self, place: Place) -> None:
        """Go on from a place that was told."""
        self.problem: str | None = None
        self.broken_at = 0
        self._buffer, self._position = b"", 0
        self._end = 0  # of the buffer, counted from the seek in uncompressed bytes
        self._raw, self._raw_end = b"", place.offset
        self._inflater: Any = None
        self._members: deque[tuple[int, int]] = deque()
        self._base = place.offset
        self._file.seek(place.offset)
        if place.inside:
            for _ in self.pieces(place.inside):
                pass

    # ---- where

    @property
    def at(self) -> int:
        """Uncompressed bytes since the last seek."""
        return self._end - len(self._buffer) + self._position

    @property
    def taken(self) -> int:
        """Bytes of the file that were used so far, or will be soon."""
        return self._raw_end - len(self._raw)

    @property
    def share(self) -> float:
        """How much of the file was used, from 0 to 1."""
        used = self.taken if self.is_gzip else self._base + self.at
        return min(1.0, used / max(self._length, 1))

    def place(self, at: int | None = None) -> Place:
        """Where in the file a byte of the stream is, not before the last one that was forgotten."""
        at = self.at if at is None else at
        if not self.is_gzip:
            return Place(self._base + at)
        begun, offset = next(((b, o) for b, o in reversed(self._members) if b <= at), (at, self.taken))
        return Place(offset, at - begun)

    def forget(self) -> None:
        """No place before the present one will be asked for."""
        while len(self._members) > 1 and self._members[1][0] <= self.at:
            self._members.popleft()

    # ---- what

    def peek(self, count: int) -> bytes:
        """The next `count` bytes, or what there is; they are not consumed."""
        while len(self._buffer) - self._position < count and self._fill():
            pass
        return self._buffer[self._position : self._position + count]

    def pieces(self, count: int) -> Iterator[bytes]:
        """The next `count` bytes in pieces, or fewer where the stream ends."""
        while count and (self._position < len(self._buffer) or self._fill()):
            piece = self._buffer[self._position : self._position + count]
            self._position += len(piece)
            count -= len(piece)
            yield piece

    def line(self, limit: int) -> bytes:
        """The next line with its end, of at most `limit` bytes; none at the stream's end."""
        found, searched = -1, 0
        while found < 0 and searched < limit:
            found = self._buffer.find(b"\n", self._position + searched, self._position + limit)
            if found < 0:
                searched = len(self._buffer) - self._position
                if searched < limit and not self._fill():
                    break
        end = found + 1 if found >= 0 else min(len(self._buffer), self._position + limit)
        line = self._buffer[self._position : end]
        self._position = end
        return line

    def skip(self, characters: bytes) -> None:
        """Pass over these bytes, as many as there are."""
        while self.peek(1) and self._buffer[self._position] in characters:
            rest = self._buffer[self._position :]
            self._position += len(rest) - len(rest.lstrip(characters))

    def _fill(self) -> bool:
        """More bytes in the buffer; False at the end."""
        if self.problem is not None or self._over:
            return False
        data = self._inflated() if self.is_gzip else self._file.read(_READ)
        if data:
            self._buffer = self._buffer[self._position :] + data
            self._position = 0
            self._end += len(data)
        return bool(data)

    def _inflated(self) -> bytes:
        while True:
            if not self._raw:
                self._raw = self._file.read(_READ)
                self._raw_end += len(self._raw)
            if self._inflater is None and not self._begin_member():
                return b""
            if not self._raw:
                return self._break(_CUT)
            try:
                data: bytes = self._inflater.decompress(self._raw, _PIECE)
            except _ERRORS as e:
                return self._salvaged(f"the gzip member is damaged ({e})")
            if self._inflater.eof:
                self._raw, self._inflater = self._inflater.unused_data, None
            else:
                self._raw = self._inflater.unconsumed_tail
            if data:
                return data

    def _begin_member(self) -> bool:
        while self._raw[:1] == b"\0":  # files are padded with them
            self._raw = self._raw.lstrip(b"\0") or self._more()
        if 0 < len(self._raw) < 2:
            self._raw += self._more()
        if not self._raw:
            return False
        if not self._raw.startswith(_MAGIC):
            self._break("no gzip member begins here")
            self.broken_at = self.taken
            return False
        self._members.append((self._end, self.taken))
        self._inflater = _zlib.decompressobj(_GZIP)
        return True

    def _more(self) -> bytes:
        data = self._file.read(_READ)
        self._raw_end += len(data)
        return data

    def _break(self, problem: str) -> bytes:
        self.problem = problem
        self.broken_at = self._members[-1][1] if self._members else self.taken
        return b""

    def _salvaged(self, problem: str) -> bytes:
        """What the broken member holds before its damage: the inflater gave none of the last piece."""
        self._break(problem)
        begun, offset = self._members[-1]
        keep = self._end - begun
        inflater, done, out = _stdlib_zlib.decompressobj(_GZIP), 0, b""
        until = self.taken
        self._file.seek(offset)
        rest = self._raw_end - offset
        try:
            while rest > 0 and not inflater.eof:
                step = min(rest, _READ) if offset + _READ < until else 1
                raw = self._file.read(step)
                offset, rest = offset + len(raw), rest - step
                while piece := inflater.decompress(raw, _PIECE):
                    if done + len(piece) > keep:
                        out += piece[max(0, keep - done) :]
                    done += len(piece)
                    raw = inflater.unconsumed_tail
                if len(out) > _WINDOW:
                    break
        except _ERRORS:
            pass
        return out

    # ---- behind damage

    def abandon(self, problem: str) -> None:
        """Read no more of what stands here: `resync` looks for the next gzip member."""
        self._buffer, self._position = b"", 0
        self._break(problem)
        self.broken_at = self.taken

    def resync(self, start: re.Pattern[bytes]) -> bool:
        """Go to the next place where `start` matches at the beginning of a line or a member; False where none is, and
        then the stream is over."""
        junk = self.at
        while True:
            if (found := self._find(start)) is not None:
                self._position = found
                return True
            self._position = max(self._position, len(self._buffer) - _LOOK)
            if self.is_gzip and self.at - junk > _MAX_JUNK:
                self._break("nothing that it holds is a record")
                self.broken_at = self.taken
            if not self._fill():
                if self.problem is None or not self._next_member(start):
                    self._position, self.problem = len(self._buffer), None
                    self._over = True
                    return False
                junk = self.at

    def _find(self, start: re.Pattern[bytes]) -> int | None:
        begun = self._end - len(self._buffer)
        places = [b - begun for b, _ in self._members if b - begun >= self._position and b > 0]
        found = next((p for p in places if start.match(self._buffer, p)), None)
        at = self._buffer.find(b"\n", self._position)
        while at >= 0 and (found is None or at < found):
            if start.match(self._buffer, at + 1):
                return at + 1
            at = self._buffer.find(b"\n", at + 1)
        if found is None and self.at == 0 and start.match(self._buffer, self._position):
            return self._position  # where a seek led
        return found

    def _next_member(self, start: re.Pattern[bytes]) -> bool:
        """Go to the next gzip member that begins with a record, or is whole."""
        position = self.broken_at + 1
        while self._tried < _MAX_TRIED:
            self._file.seek(position)
            window = self._file.read(_WINDOW)
            if len(window) < 18:
                return False
            found = window.find(_MAGIC + b"\x08")
            while found >= 0 and self._tried < _MAX_TRIED:
                self._tried += 1
                if self._is_member(position + found, start):
                    self.seek(Place(position + found))
                    return True
                found = window.find(_MAGIC + b"\x08", found + 1)
            position += len(window) - 2
        return False

    def _is_member(self, offset: int, start: re.Pattern[bytes]) -> bool:
        self._file.seek(offset)
        inflater = _stdlib_zlib.decompressobj(_GZIP)
        begin, size = b"", 0
        try:
            # In small steps at first: of a piece in which the damage lies, zlib gives nothing at all.
            while not inflater.eof and size < _WHOLE:
                raw = self._file.read(16 if size < 64 and self._file.tell() - offset < 1024 else 1 << 12)
                if not raw:
                    break
                while (piece := inflater.decompress(raw, _READ)) and size < _WHOLE:
                    begin, size = (begin + piece)[:_LOOK], size + len(piece)
                    raw = inflater.unconsumed_tail
                if start.match(begin) or (not size and self._file.tell() - offset > _SILENT):
                    return bool(begin)
        except _ERRORS:
            return bool(start.match(begin))
        return inflater.eof and size > 0
