"""Is everything still there, and is it what was signed? Yields findings and goes on.

1. `log/commits`: every frame whole, every length at least the one before                                (walk.py)
2. the leaves give the root that each commit signed, by the key in force; checkpoints that the caller brings are
   among the commits                                                                                      (walk.py)
3. the records                                                                                         (records.py)
4. stamps: their files as logged, their signatures by whom the archive or the caller trusts, dates between  (held.py)
5. bytes and files that no commit covers; the published tiles; `log/checkpoint`                             (cover.py)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from muniment.archive.config import Config
from muniment.archive.verify.cover import CoverCheck, find_renamed
from muniment.archive.verify.finding import Anchor, Finding, Request, Tally
from muniment.archive.verify.held import HeldCheck
from muniment.archive.verify.part import Part
from muniment.archive.verify.records import RecordCheck
from muniment.archive.verify.walk import LogWalk
from muniment.formats.checkpoint import parse_checkpoint
from muniment.formats.note import check_note

__all__ = ["Anchor", "Finding", "Part", "Request", "Tally", "Verification"]


class Verification:
    """One run: `for finding in run()`, then `tally`; `read` is told of the leaves whose records were looked at."""

    def __init__(self, root: Path, config: Config, request: Request, read: Callable[[Part], None] = lambda part: None):
        self._root, self._config, self._request, self._read = root, config, request, read
        self.tally = Tally()
        self._walk = LogWalk(root, config, request, self.tally)
        self._walked = self._walk.walked
        self._held = HeldCheck(root, config, request, self._walked, self._walk.bundles, self.tally)

    def run(self) -> Iterator[Finding]:
        walked, bundles = self._walked, self._walk.bundles
        records = RecordCheck(self._root, self._request, walked, self.tally, self._read)
        cover = CoverCheck(self._root, self._config, walked, bundles, self.tally, self._held.unknown_files)
        steps: list[Callable[[], Iterator[Finding]]] = [
            self._walk.run,
            self._check_checkpoints,
            lambda: find_renamed(self._root, walked, bundles, self.tally),
            records.run,
            self._held.run,
            cover.run,
        ]
        for step in steps:
            for finding in step():
                self.tally.findings += 1
                yield finding
        self.tally.withdrawn = self._walked.withdrawals
        anchored = max((anchor.size for anchor in self.tally.anchors), default=0)
        stamps = sum(number >= anchored for number, _ in self._walked.stamps)
        self.tally.unanchored = self.tally.log_size - anchored - stamps

    def _check_checkpoints(self) -> Iterator[Finding]:
        roots = self._walked.roots()
        keys = list(self._request.keys) or self._config.keys()
        for name, note in self._request.checkpoints.items():
            try:
                checkpoint = parse_checkpoint(check_note(note, keys))
            except ValueError as e:
                yield Finding("checkpoint", f"the checkpoint that you brought, {name}: {e}")
                continue
            if roots.get(checkpoint.size) != checkpoint.root:
                yield Finding(
                    "rewritten",
                    f"the checkpoint that you brought, {name}, over {checkpoint.size} leaves, is not in this log:"
                    " the log was rewritten or cut since, or it is another one",
                    expected=checkpoint.root.hex(),
                )
            elif checkpoint.size:  # one over an empty log holds nothing in place
                self.tally.anchors.append(Anchor(checkpoint.size, f"the checkpoint that you brought, {name}", None))
