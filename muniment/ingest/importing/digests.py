"""Digests as other programs state them, and whether they hold.

parse_digest("sha1:VZ6J…")   base32, hex or base64; the algorithm in any case, `SHA-1` too
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Any, Literal

_KNOWN = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")


@dataclass(frozen=True, slots=True)
class Stated:
    """A digest as it was stated, without white space; `expected` None where it cannot be read."""

    text: str
    algorithm: str
    expected: bytes | None
    holds: Literal["holds", "differs", "cannot be checked"] = "cannot be checked"

    def hasher(self) -> Any:
        """What computes such a digest; anything, where nothing can be said of it."""
        return hashlib.new(self.algorithm if self.expected is not None else "sha256", usedforsecurity=False)

    def told(self, *found: bytes) -> Stated:
        """The same, with what is known now: it holds where it is one of these."""
        if self.expected is None:
            return self
        return Stated(self.text, self.algorithm, self.expected, "holds" if self.expected in found else "differs")

    def __str__(self) -> str:
        return f"{self.text} {self.holds}"


def parse_digest(value: str) -> Stated | None:
    """None for an empty value."""
    text = "".join(value.split())[:200]
    if not text:
        return None
    name, _, digits = text.partition(":")
    algorithm = name.lower().replace("-", "")
    expected = (
        _decoded(digits, hashlib.new(algorithm, usedforsecurity=False).digest_size) if algorithm in _KNOWN else None
    )
    return Stated(text, algorithm, expected)


def _decoded(digits: str, size: int) -> bytes | None:
    try:
        if len(digits) == 2 * size:
            return bytes.fromhex(digits)
        bare = digits.rstrip("=")
        if len(bare) == (8 * size + 4) // 5:
            return base64.b32decode(bare.upper() + "=" * (-len(bare) % 8))
        if len(bare) == (8 * size + 5) // 6:
            return base64.b64decode(bare.translate(str.maketrans("-_", "+/")) + "=" * (-len(bare) % 4), validate=True)
    except (ValueError, binascii.Error):
        pass
    return None
