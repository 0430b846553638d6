"""Is everything still there, and is it what was signed? Yields findings and goes on.

1. `log/commits`: every frame whole, every length at least the one before                                (walk.py)
2. the leaves give the root that each commit signed, by the key in force; checkpoints that the caller brings are
   among the commits                                                                                      (walk.py)
3. the records                                                                                         (records.py)
4. stamps: their files as logged, their signatures by whom the archive or the caller trusts, dates between  (held.py)
5. bytes and files that no commit covers; the published tiles; `log/checkpoint`                             (here)
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from muniment.archive.config import Config
from muniment.archive.log import bundle_path, bundles_from, leaves_in_tiles, relative
from muniment.archive.recovery import published_size, segment_files
from muniment.archive.verify.finding import Anchor, Finding, Request, Tally
from muniment.archive.verify.held import HeldCheck
from muniment.archive.verify.records import RecordCheck
from muniment.archive.verify.walk import LogWalk, check_tiles
from muniment.durable import Lock
from muniment.errors import Locked, StorageError
from muniment.formats.checkpoint import parse_checkpoint
from muniment.formats.note import check_note
from muniment.formats.tile import WIDTH

__all__ = ["Anchor", "Finding", "Request", "Tally", "Verification"]
_INTERRUPTED = "an interrupted add leaves such, and the next one sets them aside"


class Verification:
    """One run: `for finding in run()`, then `tally`."""

    def __init__(self, root: Path, config: Config, request: Request):
        self._root, self._config, self._request = root, config, request
        self.tally = Tally()
        self._walk = LogWalk(root, config, request, self.tally)
        self._walked = self._walk.walked
        self._held = HeldCheck(root, config, request, self._walked, self._walk.bundles, self.tally)

    def run(self) -> Iterator[Finding]:
        records = RecordCheck(self._root, self._request, self._walked, self._walk.bundles, self.tally)
        for step in (self._walk.run, self._check_checkpoints, records.run, self._held.run, self._check_cover):
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

    def _check_cover(self) -> Iterator[Finding]:
        if not self._walked.commits:
            return
        try:
            lock = Lock(self._root / "lock")
        except (Locked, StorageError):
            return  # a writer is at work, or nothing can be written here: tails say nothing
        lock.release()
        last = self._walked.commits[-1]
        lengths = {**self._walked.segments, **self._tail(), "log/commits": last.end}
        for name, length in lengths.items():
            path = self._root / name
            size = path.stat().st_size if path.is_file() else 0
            if size > length:
                detail = f"{size - length} bytes that no commit covers: {_INTERRUPTED}"
                yield Finding("uncommitted", detail, file=name, offset=length, expected=str(length))
            elif size < length:
                detail = f"{length - size} committed bytes are missing at the end"
                yield Finding("cut", detail, file=name, offset=size, expected=str(length))
        yield from self._check_names(lengths)
        for name, size in (
            ("log/checkpoint", published_size(self._root, self._config.keys())),
            ("log/tile", leaves_in_tiles(self._root / "log")),
        ):
            if size > last.checkpoint.size:
                detail = f"{name} was made for {size} leaves, and the commits hold {last.checkpoint.size}"
                yield Finding("cut", detail, file="log/commits", expected=str(size))
        yield from check_tiles(self._root, self._walked.tiles)
        if not self._has_grown():
            yield from self._held.unknown_files()

    def _has_grown(self) -> bool:
        """Whether a writer came and went since the commits were read."""
        return (self._root / "log" / "commits").stat().st_size > self._walked.commits[-1].end

    def _tail(self) -> dict[str, int]:
        last, log = self._walked.commits[-1], self._root / "log"
        if not last.tail:
            return {}
        return {relative(log, bundle_path(log, last.checkpoint.size // WIDTH)): last.tail}

    def _check_names(self, lengths: dict[str, int]) -> Iterator[Finding]:
        log, size = self._root / "log", self._walked.commits[-1].checkpoint.size
        surplus = bundles_from(log, (size + WIDTH - 1) // WIDTH)
        for path in (*segment_files(self._root), *surplus):
            name = path.relative_to(self._root).as_posix()
            if name not in lengths:
                yield Finding("unknown-file", f"no commit names this file: {_INTERRUPTED}", file=name)
