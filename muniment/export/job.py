"""One export: what it takes, what it has met, and what every format says of where it comes from."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from muniment import __version__
from muniment.errors import IntegrityError

if TYPE_CHECKING:
    from muniment.archive.archive import Archive
    from muniment.export.members import Members
    from muniment.export.selection import Selection
    from muniment.formats.checkpoint import Checkpoint

SOFTWARE = f"muniment/{__version__}"


@dataclass
class Job:
    """What one export works on. `damaged` is filled on the way: why a leaf, by number, was left out."""

    archive: Archive
    members: Members
    selection: Selection
    now: datetime
    progress: Callable[[float], None] = lambda share: None
    damaged: dict[int, str] = field(default_factory=dict)
    records: int = 0
    exported: int = 0

    def __post_init__(self) -> None:
        from muniment.archive.recovery import read_sound

        committed = read_sound(self.archive.root, self.archive.config)
        self.checkpoint: Checkpoint = committed.checkpoint
        self.note: str = committed.last.note

    @property
    def created(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def root_hash(self) -> str:
        return base64.b64encode(self.checkpoint.root).decode()

    @property
    def description(self) -> str:
        return (
            f"Exported by {SOFTWARE} from the archive {self.archive.config.origin}: {self.selection.label}. The log"
            f" then held {self.checkpoint.size} leaves under the root {self.root_hash}."
        )

    def each(self, numbers: Sequence[int], do: Callable[[int], bool]) -> None:
        """`do` for each number; it says whether the number was exported. Damage is noted, and the rest go on."""
        for done, number in enumerate(numbers):
            try:
                self.exported += do(number)
            except IntegrityError as e:
                self.damaged.setdefault(number, str(e))
            self.progress((done + 1) / len(numbers))

    def proof_files(self) -> Iterator[tuple[str, Iterable[bytes]]]:
        """(name, content in pieces) of what ties the export to the log."""
        from muniment.archive.proofs import choose_checkpoint
        from muniment.archive.proving import Tree
        from muniment.formats.proof import Proof, format_proof

        leaves = sorted({*self.selection.captures, *self.selection.derived} - self.damaged.keys())
        commit, stamps = choose_checkpoint(self.archive, leaves[-1] if leaves else 0)
        yield "checkpoint", [commit.note.encode()]
        yield "vkey", [f"{vkey}\n".encode() for vkeys in self.archive.config.vkeys for vkey in vkeys.split(" ")]
        yield from ((name.rpartition("/")[2], [content]) for stamp in stamps for name, content in stamp.files.items())
        yield "leaves.txt", (b"%d %s\n" % (number, self.archive.entry(number)) for number in leaves)
        tree = Tree(self.archive.root / "log", commit.checkpoint)
        for number in leaves:
            path = tuple(tree.prove_inclusion(number, self.archive.entry(number)))
            yield f"{number}.tlog-proof", [format_proof(Proof(number, path, commit.note)).encode()]
