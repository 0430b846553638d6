"""What became of asking others to vouch for the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from muniment.formats.timestamp import Stamped


class Granted(NamedTuple):
    """What a party gave: its name, what a time stamp says (None of an OpenTimestamps proof), and the files to keep.

    `blocks` are the Bitcoin blocks that a proof claims to lead to; where there are none, it is a promise.
    """

    name: str
    said: Stamped | None
    files: Mapping[str, bytes]
    blocks: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Stamping:
    """What `stamp` did. `size`: leaves of the checkpoint, None where there was nothing new to stamp; `leaf`: the number
    of the leaf that names the files. `failed` holds (name, reason)."""

    size: int | None = None
    leaf: int | None = None
    granted: Sequence[Granted] = ()
    failed: Sequence[tuple[str, str]] = ()
