"""Steps 1 and 2: the commits, the leaves that they sign for, and the keys that may sign.

What later steps need of the log (stamps, withdrawals, tiles) is gathered on the same walk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from muniment.archive.commit import Commit, find_frame, order_problem, parse_frame
from muniment.archive.config import Config
from muniment.archive.log import bundle_path, leaves_in_tiles, read_bundle, relative, tile_hashes
from muniment.archive.recovery import published_size
from muniment.archive.verify.finding import Finding, Request, Tally
from muniment.formats.checkpoint import Checkpoint
from muniment.formats.leaf import Leaf, is_type, parse_leaf
from muniment.formats.note import VerifierKey, parse_vkey, signers_of
from muniment.formats.tile import WIDTH, TileBuilder, format_tile_path, parse_entries
from muniment.formats.tlog import EMPTY_ROOT, leaf_hash

TIME = slice(7, 34)  # where canonical JSON has `at`, the first of its keys


@dataclass(slots=True)
class Walked:
    """What the walk found: sound commits, committed lengths, and the leaves that later steps ask for.

    `spans` holds for each commit its first leaf, the number behind its last, and the earliest and latest `at` in it.
    """

    commits: list[Commit] = field(default_factory=list)
    segments: dict[str, int] = field(default_factory=dict)
    stamps: list[tuple[int, Leaf]] = field(default_factory=list)
    tombstones: dict[tuple[int, int], bytes] = field(default_factory=dict)
    withdrawals: dict[int, int] = field(default_factory=dict)
    tiles: dict[str, bytes] = field(default_factory=dict)
    spans: list[tuple[int, int, bytes, bytes]] = field(default_factory=list)

    def roots(self) -> dict[int, bytes]:
        return {commit.checkpoint.size: commit.checkpoint.root for commit in self.commits}


class Bundles:
    """The leaves of the log, a bundle at a time; the last one read is kept, for many commits share it."""

    def __init__(self, root: Path):
        self._folder = root / "log"
        self._index, self._leaves = -1, list[tuple[int, bytes]]()
        self.surplus = 0

    def name(self, number: int) -> str:
        return relative(self._folder, bundle_path(self._folder, number // WIDTH))

    def leaves(self, index: int) -> Sequence[tuple[int, bytes]]:
        """(offset, leaf) of a bundle, as far as they can be told apart."""
        if index != self._index:
            found, offset = list[tuple[int, bytes]](), 0
            with suppress(OSError, ValueError):
                for leaf in parse_entries(read_bundle(self._folder, index)):
                    found.append((offset, leaf))
                    offset += 2 + len(leaf)
            self._index, self._leaves = index, found
        return self._leaves

    def between(self, first: int, end: int) -> Iterator[tuple[int, int, bytes]]:
        """(number, offset, leaf) from #first up to #end; of what cannot be told, the offset 0 and no bytes."""
        for index in range(first // WIDTH, (end + WIDTH - 1) // WIDTH):
            leaves = self.leaves(index)
            for number in range(max(first, index * WIDTH), min(end, (index + 1) * WIDTH)):
                at = number % WIDTH
                offset, leaf = leaves[at] if at < len(leaves) else (0, b"")
                yield number, offset, leaf


class LogWalk:
    """`for finding in run()`, then `walked`."""

    def __init__(self, root: Path, config: Config, request: Request, tally: Tally):
        self._root, self._config, self._request, self._tally = root, config, request, tally
        self._keys = _Chain(config, request)
        self.walked = Walked()
        self.bundles = Bundles(root)

    def run(self) -> Iterator[Finding]:
        yield from self._check_commits()
        yield from self._check_leaves()
        yield from self._keys.finish(self.walked.commits)
        self._tally.notices += self._keys.notices

    # ---- 1. commits

    def _check_commits(self) -> Iterator[Finding]:
        name = "log/commits"
        try:
            data = (self._root / name).read_bytes()
        except OSError as e:
            yield Finding("file-missing", f"cannot be read: {e.strerror}", file=name)
            return
        position = 0
        while position < len(data):
            commit = parse_frame(data, position)
            if commit is None:
                later = find_frame(data, position + 1)
                if later is None and self._is_unfinished():
                    return
                yield Finding("commit-damaged", "no whole commit stands here", file=name, offset=position)
                if later is None:
                    return
                position = later
                continue
            yield from self._check_commit(commit, position)
            position = commit.end
        if not self.walked.commits:
            yield Finding("commit-damaged", "the log holds no commit", file=name, offset=0)

    def _check_commit(self, commit: Commit, position: int) -> Iterator[Finding]:
        def finding(slug: str, detail: str, expected: str | None = None) -> Finding:
            return Finding(slug, detail, file="log/commits", offset=position, expected=expected)

        walked = self.walked
        before = walked.commits[-1] if walked.commits else None
        shorter = [path for path, length in commit.segments.items() if length < walked.segments.get(path, 0)]
        if commit.checkpoint.origin != self._config.origin:
            yield finding("origin", f"signed for {commit.checkpoint.origin}", self._config.origin)
        problem = order_problem(before, commit)
        if problem or shorter:
            yield finding("commit-order", problem or f"the commit makes {shorter[0]} shorter")
        if problem:
            return  # its numbers mean nothing
        walked.commits.append(commit)
        walked.segments.update(commit.segments)
        self._tally.log_size, self._tally.root = commit.checkpoint.size, commit.checkpoint.root

    def _is_unfinished(self) -> bool:
        """Whether what stands behind the last whole commit may be one that was never finished, or is being written."""
        commits = self.walked.commits
        newest = commits[-1].checkpoint.size if commits else -1
        return max(published_size(self._root, self._config.keys()), leaves_in_tiles(self._root / "log")) <= newest

    # ---- 2. the leaves

    def _check_leaves(self) -> Iterator[Finding]:
        tiles, sound = TileBuilder(), True
        begun = 0
        for before, commit in self._pairs():
            leaves = list(self.bundles.between(before.checkpoint.size, commit.checkpoint.size))
            keys = [(number, leaf) for number, _, leaf in leaves if is_type(leaf, "key")]
            yield from self._keys.check(commit, begun, keys)
            begun = commit.end
            if not sound:
                continue
            hashes = [leaf_hash(leaf) for _, _, leaf in leaves]
            grown = self._grown(tiles, hashes, commit)
            if grown is None:
                known = tile_hashes(self._root / "log", before.checkpoint.size, commit.checkpoint.size)
                grown = self._grown(tiles, known, commit) if len(known) == len(hashes) else None
                if grown is None:
                    yield self._not_the_root(before, commit)
                    sound = False
                    continue
                yield from self._damaged(leaves, hashes, known)
            tiles = grown
            for number, _, leaf in leaves:
                self._gather(number, leaf)
            if leaves:
                times = [leaf[TIME] for _, _, leaf in leaves]
                self.walked.spans.append((leaves[0][0], leaves[-1][0] + 1, min(times), max(times)))
        if sound:
            self._note_tiles(tiles.partial())

    def _pairs(self) -> Iterator[tuple[Commit, Commit]]:
        before = Commit(0, {}, Checkpoint(self._config.origin, 0, EMPTY_ROOT), "")
        for commit in self.walked.commits:
            yield before, commit
            before = commit

    def _not_the_root(self, before: Commit, commit: Commit) -> Finding:
        first, last = before.checkpoint.size, commit.checkpoint.size - 1
        return Finding(
            "root-mismatch",
            f"the leaves #{first} to #{last} do not give the root that was signed; those after them cannot be checked",
            file=self.bundles.name(first),
            offset=before.tail,
            expected=commit.checkpoint.root.hex(),
        )

    def _damaged(
        self, leaves: Sequence[tuple[int, int, bytes]], found: Sequence[bytes], known: Sequence[bytes]
    ) -> Iterator[Finding]:
        for (number, offset, leaf), hashed, signed in zip(leaves, found, known, strict=True):
            if hashed != signed:
                what = "the leaf does not have the hash that" if leaf else "the leaf is not there, for which"
                detail = f"{what} the log was signed over"
                yield Finding("leaf-damaged", detail, number, self.bundles.name(number), offset, signed.hex())

    def _grown(self, tiles: TileBuilder, hashes: Sequence[bytes], commit: Commit) -> TileBuilder | None:
        """The tree with these leaves, if it has the root that the commit signed."""
        grown, full = tiles.copy(), list[tuple[int, int, list[bytes]]]()
        for digest in hashes:
            full += grown.append(digest)
        if (grown.edge.size, grown.edge.root()) != (commit.checkpoint.size, commit.checkpoint.root):
            return None
        self._note_tiles(full)
        return grown

    def _note_tiles(self, tiles: Iterable[tuple[int, int, list[bytes]]]) -> None:
        for level, index, hashes in tiles:
            path = format_tile_path(level, index, len(hashes))
            self.walked.tiles[path] = hashlib.sha256(b"".join(hashes)).digest()

    def _gather(self, number: int, entry: bytes) -> None:
        if not (is_type(entry, "stamp") or is_type(entry, "withdrawal")):
            return
        with suppress(ValueError):
            leaf = parse_leaf(entry)
            if leaf.type == "stamp":
                self.walked.stamps.append((number, leaf))
            elif leaf.of is not None:
                self.walked.withdrawals[leaf.of] = number
                self.walked.tombstones.update(tombstones_of(leaf))


def tombstones_of(leaf: Leaf) -> dict[tuple[int, int], bytes]:
    """The digests of what stands in place of records, by (leaf, part). ValueError where a name is none."""
    found = {}
    for name, digest in (leaf.tombstones or {}).items():
        number, _, part = name.partition(".")
        found[int(number), int(part)] = bytes.fromhex(digest)
    return found


class _Chain:
    """Which keys may sign, commit by commit: the archive's first, then each that a key leaf brought in.

    A rotation is signed by the key before it too, and so vouched for. A key that came without (the old one was lost)
    counts only where the archive's holder, or the caller, names it.
    """

    def __init__(self, config: Config, request: Request):
        self._sets = config.key_sets()
        self._trusted = {key.identity for key in request.keys or config.keys()}
        named = config.keys()
        self._known = {key.identity: key for key in named}
        self._force: Sequence[VerifierKey] = self._sets[0]
        self._vouched = any(key.identity in self._trusted for key in self._force)
        self._brought = bool(request.keys)
        self.notices: list[str] = []

    def check(self, commit: Commit, position: int, entries: Sequence[tuple[int, bytes]]) -> Iterator[Finding]:
        """The findings for a commit that holds these key leaves, by their numbers."""
        leaves = [(number, parse_leaf(entry)) for number, entry in entries if _is_leaf(entry)]
        before = self._force
        for _, leaf in leaves:
            with suppress(ValueError):
                self._force = [parse_vkey(vkey) for vkey in (leaf.key or "").split(" ")]
                self._known.update((key.identity, key) for key in self._force)
        rotated = self._force is not before
        try:
            signers = {signed.key.identity for signed in signers_of(commit.note, list(self._known.values()))}
        except ValueError as e:
            yield self._finding(f"the checkpoint of {commit.checkpoint.size} leaves: {e}", position)
            return
        missing = [key for key in self._force if key.identity not in signers]
        if missing:
            detail = f"the checkpoint of {commit.checkpoint.size} leaves is not signed by the key in force"
            yield self._finding(detail, position, missing[0].identity.hex())
        if rotated:
            self._note_rotation(before, signers, *leaves[-1])

    def _note_rotation(self, before: Sequence[VerifierKey], signers: set[bytes], number: int, leaf: Leaf) -> None:
        named = any(key.identity in self._trusted for key in self._force)
        handed_over = all(old.identity in signers for old in before)
        self._vouched = named or (handed_over and self._vouched)
        how = "with the earlier key's signature" if handed_over else "without the earlier key's signature"
        why = f": {leaf.reason}" if leaf.reason else ""
        self.notices.append(f"another key signs from #{number} on, {how}{why}")
        if leaf.size is not None and leaf.size < number:
            self.notices.append(
                f"somebody else may have had the earlier key:"
                f" #{leaf.size} to #{number - 1} rest on outside anchors alone"
            )

    def finish(self, commits: Sequence[Commit]) -> Iterator[Finding]:
        if commits and not self._vouched:
            detail = "the newest checkpoint is signed by a key that "
            detail += "you did not bring" if self._brought else "archive.toml does not name"
            yield self._finding(detail, 0, " or ".join(sorted(identity.hex() for identity in self._trusted)))

    @staticmethod
    def _finding(detail: str, position: int, expected: str | None = None) -> Finding:
        return Finding("signature", detail, file="log/commits", offset=position, expected=expected)


def _is_leaf(entry: bytes) -> bool:
    with suppress(ValueError):
        return parse_leaf(entry).type == "key"
    return False


def check_tiles(root: Path, tiles: Mapping[str, bytes]) -> Iterator[Finding]:
    """The published hash tiles, against what the leaves give. No writer may be at work."""
    for name, digest in tiles.items():
        try:
            found = hashlib.sha256((root / "log" / name).read_bytes()).digest()
        except OSError:
            found = b""
        if found != digest:
            detail = "the hash tile is not what the leaves give" if found else "the hash tile is missing"
            yield Finding("tile-damaged", detail, file=f"log/{name}", expected=digest.hex())
