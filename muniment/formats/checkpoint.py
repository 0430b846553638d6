"""C2SP tlog-checkpoint: what a signed note says of a log (https://c2sp.org/tlog-checkpoint).

    example.org/archive
    14
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

Origin, number of leaves, and root hash in base64; our own checkpoints have no extension lines.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Checkpoint:
    origin: str
    size: int
    root: bytes


def format_checkpoint(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.origin}\n{checkpoint.size}\n{base64.b64encode(checkpoint.root).decode()}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Reads what `format_checkpoint` writes and nothing else (`05` and `+5` are malformed). Raises ValueError."""
    lines = text.split("\n")
    try:
        checkpoint = Checkpoint(lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True))
    except (IndexError, ValueError, binascii.Error) as e:
        raise ValueError("not a checkpoint") from e
    if (
        checkpoint.size < 0
        or len(checkpoint.root) != 32
        or not checkpoint.origin
        or format_checkpoint(checkpoint) != text
    ):
        raise ValueError("not a checkpoint")
    return checkpoint
