"""C2SP tlog-proof: that an entry is in a log, as a text file (https://c2sp.org/tlog-proof).

    c2sp.org/tlog-proof@v1
    index 73894
    gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
    B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=

    example.org/archive
    109482
    sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=

    — example.org/archive WQVnEWm0…

The hashes are the RFC 6962 inclusion path from the leaf's sibling upwards; the signed checkpoint follows verbatim.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

MAGIC = "c2sp.org/tlog-proof@v1"
_MAX_PATH = 64
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})\Z")


@dataclass(frozen=True, slots=True)
class Proof:
    """`checkpoint` is the signed note; `extra` is opaque and vouched for by nobody."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None


def format_proof(proof: Proof) -> str:
    lines = [MAGIC]
    if proof.extra is not None:
        lines.append(f"extra {base64.b64encode(proof.extra).decode()}")
    lines += [f"index {proof.index}", *(base64.b64encode(one).decode() for one in proof.path)]
    return "\n".join(lines) + "\n\n" + proof.checkpoint


def parse_proof(text: str) -> Proof:
    """Reads what `format_proof` writes and nothing else. Raises ValueError; nothing is checked but the form."""
    head, blank, checkpoint = text.partition("\n\n")
    magic, *lines = head.split("\n")
    if magic != MAGIC or not blank or not lines:
        raise ValueError("not a tlog-proof")
    extra = _decode(lines.pop(0).removeprefix("extra ")) if lines[0].startswith("extra ") else None
    index = _INDEX.match(lines.pop(0)) if lines else None
    if index is None:
        raise ValueError("not a tlog-proof: it gives no index")
    path = tuple(_decode(line) for line in lines)
    if len(path) > _MAX_PATH or any(len(one) != 32 for one in path):
        raise ValueError("not a tlog-proof: its path is malformed")
    return Proof(int(index[1]), path, checkpoint, extra)


def _decode(text: str) -> bytes:
    """Base64 as we write it: no bits and no characters that mean nothing."""
    decoded = base64.b64decode(text, validate=True)
    if base64.b64encode(decoded).decode() != text:
        raise ValueError("not a tlog-proof: base64 with bits that mean nothing")
    return decoded
