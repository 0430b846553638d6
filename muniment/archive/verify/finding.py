"""What verifying is asked for, and what it tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from muniment.formats.note import VerifierKey
from muniment.formats.tlog import EMPTY_ROOT


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was signed. `finding` is a slug (docs/format.md lists them); offsets are in bytes.

    `expected` is what should be there: a digest in hex, a length, a name.
    """

    finding: str
    detail: str
    snapshot: int | None = None
    file: str | None = None
    offset: int | None = None
    expected: str | None = None


class Anchor(NamedTuple):
    """Somebody outside holds the log in place: all leaves below `size` stood in it at `time` (ISO, UTC)."""

    size: int
    by: str
    time: str | None


@dataclass(slots=True)
class Tally:
    """What was looked at; `size` is in uncompressed bytes.

    `anchors` are what outside parties vouch for, `unanchored` the leaves besides stamps past them, `withdrawn` the
    snapshots whose payload was removed, with the reason's leaf.
    """

    snapshots: int = 0
    records: int = 0
    size: int = 0
    findings: int = 0
    log_size: int = 0
    root: bytes = EMPTY_ROOT
    unanchored: int = 0
    anchors: list[Anchor] = field(default_factory=list)
    withdrawn: dict[int, int] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    @property
    def anchored_up_to(self) -> int | None:
        """The last leaf that an outside party holds in place."""
        return max((anchor.size for anchor in self.anchors), default=0) - 1 if self.anchors else None


@dataclass(frozen=True, slots=True)
class Request:
    """What to verify. `numbers` narrows the check of the records to these leaves, `ranges` to those from a first up to
    an end; `checkpoints` are notes kept outside the archive, by name; `keys` are the ones that the caller trusts,
    `roots` (PEM) the certificates of time stamp authorities, `witnesses` the keys of cosigners, all instead of what the
    archive names. So many `processes` check the records (0: one a processor where it is worth it); `progress` is told
    (leaves done, leaves in all, bytes read since it was told last)."""

    fast: bool = False
    numbers: Sequence[int] = ()
    ranges: Sequence[tuple[int, int]] = ()
    checkpoints: Mapping[str, str] = field(default_factory=dict)
    keys: Sequence[VerifierKey] = ()
    roots: Sequence[bytes] = ()
    witnesses: Sequence[VerifierKey] = ()
    processes: int = 0
    progress: Callable[[int, int, int], None] = field(default=lambda done, total, read: None)
