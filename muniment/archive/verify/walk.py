"""Steps 1 and 2: the commits, the leaves that they sign for, and the keys that may sign.

What later steps need of the log (stamps, withdrawals, tiles) is gathered on the same walk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from muniment.archive.commit import Commit, find_frame, order_problem, parse_frame, scan_frames
from muniment.archive.config import Config
from muniment.archive.log import bundle_path, leaves_in_tiles, read_bundle, relative, tile_hashes
from muniment.archive.recovery import published_size
from muniment.archive.verify.chain import Chain
from muniment.archive.verify.finding import Finding, Request, Tally
from muniment.archive.withdrawal import may_remove, tombstones_of
from muniment.durable import is_held
from muniment.errors import StorageError
from muniment.formats.checkpoint import Checkpoint
from muniment.formats.leaf import Leaf, is_type, parse_leaf
from muniment.formats.tile import WIDTH, TileBuilder, format_tile_path, parse_entries
from muniment.formats.tlog import EMPTY_ROOT
from muniment.regular import open_regular, read_regular, size_of

_sha256 = hashlib.sha256

TIME = slice(7, 34)  # where canonical JSON has `at`, the first of its keys


@dataclass(slots=True)
class Walked:
    """What the walk found: sound commits, committed lengths, and the leaves that later steps ask for; `places` are
    where segments lie that were given other names.

    `spans` holds for each commit its first leaf, the number behind its last, and the earliest and latest `at` in it.
    """

    commits: list[Commit] = field(default_factory=list)
    segments: dict[str, int] = field(default_factory=dict)
    stamps: list[tuple[int, Leaf]] = field(default_factory=list)
    tombstones: dict[tuple[int, int], bytes] = field(default_factory=dict)
    withdrawals: dict[int, int] = field(default_factory=dict)
    acts: list[tuple[int, Leaf]] = field(default_factory=list)
    tiles: dict[str, bytes] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    spans: list[tuple[int, int, bytes, bytes]] = field(default_factory=list)

    def roots(self) -> dict[int, bytes]:
        return {commit.checkpoint.size: commit.checkpoint.root for commit in self.commits}

    def gather(self, number: int, entry: bytes) -> None:
        """Take note of a leaf that later steps ask for."""
        if not (is_type(entry, "stamp") or is_type(entry, "withdrawal")):
            return
        with suppress(ValueError):
            leaf = parse_leaf(entry)
            if leaf.type == "stamp":
                self.stamps.append((number, leaf))
            elif leaf.of is not None:
                self.withdrawals[leaf.of] = number
                stones = {pair: bytes.fromhex(digest) for pair, digest in tombstones_of(leaf).items()}
                self.acts.append((number, leaf))
                self.tombstones.update(stones)

    def since(self, root: Path) -> list[Commit]:
        """The commits that came after those of the walk."""
        newer = self.commits[-1:]
        if not newer:
            return []
        with suppress(OSError), open_regular(root / "log" / "commits") as file:
            file.seek(newer[0].end)
            for commit in scan_frames(file.read(), newer[0].end):
                if order_problem(newer[-1], commit):
                    break
                newer.append(commit)
        return newer[1:]


class Bundles:
    """The leaves of the log, a bundle at a time; the last one read is kept, for many commits share it."""

    def __init__(self, root: Path):
        self._folder = root / "log"
        self._index, self._data, self._leaves = -1, b"", list[bytes]()
        self.overlong: dict[int, int] = {}  # full bundles with more behind their leaves, and where that begins

    def name(self, number: int) -> str:
        return relative(self._folder, bundle_path(self._folder, number // WIDTH))

    def data(self, index: int) -> bytes:
        """The bytes of a bundle; none where it cannot be read."""
        if index != self._index:
            self._index, self._data, self._leaves = index, b"", []
            with suppress(OSError):
                self._data = read_bundle(self._folder, index)
            with suppress(ValueError):
                self._leaves.extend(islice(parse_entries(self._data), WIDTH))
            end = sum(map(len, self._leaves)) + 2 * WIDTH
            if len(self._leaves) == WIDTH and end < len(self._data):
                self.overlong[index] = end
        return self._data

    def leaves(self, index: int) -> Sequence[bytes]:
        """The leaves of a bundle, as far as they can be told apart."""
        self.data(index)
        return self._leaves

    def entries(self, first: int, end: int) -> list[bytes]:
        """The leaves from #first up to #end; no bytes for one that is not there."""
        found = list[bytes]()
        for index in range(first // WIDTH, (end + WIDTH - 1) // WIDTH):
            start, stop = max(first - index * WIDTH, 0), min(end - index * WIDTH, WIDTH)
            leaves = self.leaves(index)[start:stop]
            found += leaves
            found += [b""] * (stop - start - len(leaves))
        return found

    def offset(self, number: int) -> int:
        """Where a leaf stands in its bundle."""
        return sum(2 + len(leaf) for leaf in self.leaves(number // WIDTH)[: number % WIDTH])


class LogWalk:
    """`for finding in run()`, then `walked`."""

    def __init__(self, root: Path, config: Config, request: Request, tally: Tally):
        self._root, self._config, self._request, self._tally = root, config, request, tally
        self._keys = Chain(config, request)
        self.walked = Walked()
        self.bundles = Bundles(root)

    def run(self) -> Iterator[Finding]:
        yield from self._check_commits()
        yield from self._check_leaves()
        yield from check_withdrawals(self.walked, self.bundles)
        yield from self._keys.finish(self.walked.commits)
        self._tally.notices += self._keys.notices

    # ---- 1. commits

    def _check_commits(self) -> Iterator[Finding]:
        name = "log/commits"
        try:
            data = read_regular(self._root / name)
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
        yield from self._missing_bundles()
        for before, commit in self._pairs():
            first = before.checkpoint.size
            leaves = self.bundles.entries(first, commit.checkpoint.size)
            text = b"".join(leaves)
            keys = list[tuple[int, bytes]]()
            if is_type(text, "key"):
                keys = [(number, leaf) for number, leaf in enumerate(leaves, first) if is_type(leaf, "key")]
            yield from self._keys.check(commit, begun, keys)
            begun = commit.end
            if not sound:
                continue
            hashes = [_sha256(b"\x00" + leaf).digest() for leaf in leaves]
            grown = self._grown(tiles, hashes, commit)
            if grown is None:
                known = tile_hashes(self._root / "log", first, commit.checkpoint.size)
                grown = self._grown(tiles, known, commit) if len(known) == len(hashes) else None
                if grown is None:
                    yield self._not_the_root(before, commit)
                    sound = False
                    continue
                yield from self._damaged(first, leaves, hashes, known)
            tiles = grown
            if is_type(text, "stamp") or is_type(text, "withdrawal"):
                for number, leaf in enumerate(leaves, first):
                    self.walked.gather(number, leaf)
            if leaves:
                times = [leaf[TIME] for leaf in leaves]
                self.walked.spans.append((first, commit.checkpoint.size, min(times), max(times)))
        if sound:
            self._note_tiles(tiles.partial())

    def _missing_bundles(self) -> Iterator[Finding]:
        """A bundle that is not there at all."""
        folder, size = self._root / "log", self._tally.log_size
        for index in range((size + WIDTH - 1) // WIDTH):
            if size_of(bundle_path(folder, index)) is None:
                last = min(size, (index + 1) * WIDTH) - 1
                detail = f"the bundle of the leaves #{index * WIDTH} to #{last} is missing"
                yield Finding("file-missing", detail, index * WIDTH, self.bundles.name(index * WIDTH))

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
        self, first: int, leaves: Sequence[bytes], found: Sequence[bytes], known: Sequence[bytes]
    ) -> Iterator[Finding]:
        for number, (leaf, hashed, signed) in enumerate(zip(leaves, found, known, strict=True), first):
            if hashed != signed:
                offset = self.bundles.offset(number)
                what = "the leaf does not have the hash that" if leaf else "the leaf is not there, for which"
                detail = f"{what} the log was signed over"
                yield Finding("leaf-damaged", detail, number, self.bundles.name(number), offset, signed.hex())

    def _grown(self, tiles: TileBuilder, hashes: Sequence[bytes], commit: Commit) -> TileBuilder | None:
        """The tree with these leaves, if it has the root that the commit signed."""
        grown = tiles.copy()
        full = grown.extend(hashes)
        if (grown.edge.size, grown.edge.root()) != (commit.checkpoint.size, commit.checkpoint.root):
            return None
        self._note_tiles(full)
        return grown

    def _note_tiles(self, tiles: Iterable[tuple[int, int, list[bytes]]]) -> None:
        for level, index, hashes in tiles:
            path = format_tile_path(level, index, len(hashes))
            self.walked.tiles[path] = hashlib.sha256(b"".join(hashes)).digest()


def check_withdrawals(walked: Walked, bundles: Bundles) -> Iterator[Finding]:
    """A withdrawal is of a capture, and of what was made of it; what else it names stands as it was logged."""
    for number, leaf in walked.acts:
        for target, part in tombstones_of(leaf):
            try:
                (entry,) = bundles.entries(target, target + 1)
                other = parse_leaf(entry)
                allowed = may_remove(leaf, target, other.type, other.of)
            except ValueError:
                allowed = target == leaf.of
            if not allowed:
                walked.tombstones.pop((target, part), None)
                detail = f"it names record {part} of #{target}, which is no part of #{leaf.of}"
                yield Finding("withdrawal", detail, number, bundles.name(number))


def newer_tombstones(root: Path, walked: Walked) -> dict[tuple[int, int], bytes]:
    """What was withdrawn since the walk."""
    commits = walked.since(root)
    newer = Walked()
    if commits:
        first = walked.commits[-1].checkpoint.size
        for number, entry in enumerate(Bundles(root).entries(first, commits[-1].checkpoint.size), first):
            newer.gather(number, entry)
        list(check_withdrawals(newer, Bundles(root)))
    return newer.tombstones


def writer_at_work(root: Path) -> bool:
    """Whether somebody holds the lock; where it cannot be told, nobody does."""
    try:
        return is_held(root / "lock")
    except StorageError:
        return False
