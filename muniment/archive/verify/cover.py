"""Step 5: bytes and files that no commit covers, committed ones that are missing, and the published tiles.

What is missing is told in any case. What is there in excess, and the tiles, say something only while no writer is at
work; where one is, or it cannot be told, a notice says what was not looked at.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from muniment.archive.commit import Commit
from muniment.archive.config import Config
from muniment.archive.log import bundle_path, leaves_in_tiles, relative
from muniment.archive.recovery import read_published, segment_files, strange
from muniment.archive.segments import STREAMS, scan_members
from muniment.archive.verify.finding import Finding, Tally
from muniment.archive.verify.walk import Bundles, Walked
from muniment.durable import is_held, is_temporary
from muniment.errors import StorageError
from muniment.formats.leaf import is_type, records_of
from muniment.formats.tile import HEIGHT, WIDTH, format_tail_path, format_tile_path
from muniment.regular import open_regular, read_regular, size_of

_TRIES, _PATIENCE = 3, 1.0  # seconds
_TILE = re.compile(r"tile/(\d+)/((?:x\d{3}/)*\d{3})(?:\.p/(\d+))?")
_INTERRUPTED = "an interrupted add leaves such, and the next one sets them aside"


def find_renamed(root: Path, walked: Walked, bundles: Bundles, tally: Tally) -> Iterator[Finding]:
    """Segments that are missing, and lie there under another name: told once, and read where they lie."""
    missing = [name for name in walked.segments if size_of(root / name) is None]
    if not missing:
        return
    begun = {record: number for number, entry in enumerate(bundles.entries(0, tally.log_size))
             if is_type(entry, "segment") for record in _records(entry)}  # fmt: skip
    streams = [root / stream for stream in STREAMS if not (root / stream).is_symlink()]
    files = [path for stream in streams for path in sorted(stream.glob("**/*")) if size_of(path) is not None]
    unknown = [path for path in files if path.relative_to(root).as_posix() not in walked.segments]
    for path in unknown:
        with suppress(OSError), open_regular(path) as file:
            for member in scan_members(file, 0, os.fstat(file.fileno()).st_size):
                name = None if member.problem else _own_name(member.record)
                digest = hashlib.sha256(member.record).digest()
                if digest in begun and name in missing and name not in walked.places:
                    lies = path.relative_to(root).as_posix()
                    walked.places[name] = lies
                    detail = f"the file was renamed: it lies at {lies}"
                    yield Finding("renamed", detail, file=name, expected=name)
                break


def _records(entry: bytes) -> list[bytes]:
    with suppress(ValueError):
        return records_of(entry)[1]
    return []


def _is_of(name: str, size: int) -> bool:
    """Whether a log of `size` leaves has the hash tile of this name."""
    found = _TILE.fullmatch(name)
    if found is None:
        return True
    hashes, index = size >> (HEIGHT * int(found[1])), int(found[2].replace("x", "").replace("/", ""))
    return index < hashes // WIDTH if found[3] is None else (index, int(found[3])) == divmod(hashes, WIDTH)


def _own_name(record: bytes) -> str | None:
    """`warc/2026/00000.warc.gz`, where a warcinfo record says that its file is warc-2026-00000.warc.gz."""
    for line in record.partition(b"\r\n\r\n")[0].split(b"\r\n"):
        name, _, value = line.partition(b": ")
        if name == b"WARC-Filename":
            return value.decode("utf-8", "replace").replace("-", "/", 2)
    return None


class CoverCheck:
    """`for finding in run()`, once the commits and the leaves were walked; notices go into the tally. `unknown_stamps`
    is asked while no writer is at work."""

    def __init__(
        self,
        root: Path,
        config: Config,
        walked: Walked,
        bundles: Bundles,
        tally: Tally,
        unknown_stamps: Callable[[], Iterator[Finding]],
    ):
        self._root, self._config, self._walked, self._bundles = root, config, walked, bundles
        self._tally, self._unknown_stamps = tally, unknown_stamps

    def run(self) -> Iterator[Finding]:
        yield from self._strange()
        yield from self._surplus()
        if not self._walked.commits:
            return
        for _ in range(_TRIES):
            why = self._why_not()
            if why:
                break
            findings = self._look()
            if findings is not None:
                yield from findings
                return
        why = why or "writers came and went"
        self._tally.notices.append(
            f"{why}: the hash tiles, and bytes and files that no commit covers, were not looked at; verify again later"
        )
        published = self._published()
        newest = self._newest_commit()
        yield from self._check_missing(*newest)
        yield from self._check_published(newest[0], published)

    def _why_not(self) -> str:
        """What keeps tails and tiles from saying anything; nothing where no writer is at work."""
        try:
            return "another muniment is writing to the archive" if is_held(self._root / "lock", _PATIENCE) else ""
        except StorageError as e:
            return f"whether a writer is at work cannot be told ({e})"

    def _newest_commit(self) -> tuple[Commit, dict[str, int]]:
        """The last commit by now, and all committed lengths: writers may have come since the walk."""
        last, segments = self._walked.commits[-1], dict(self._walked.segments)
        for last in self._walked.since(self._root):
            segments.update(last.segments)
        return last, segments

    def _look(self) -> list[Finding] | None:
        """Everything; None where a writer came meanwhile. What is looked at here changes while one is at work."""
        published = self._published()
        last, segments = self._newest_commit()
        findings = [
            *self._check_excess(last, segments),
            *self._check_missing(last, segments),
            *self._check_published(last, published),
        ]
        if last is self._walked.commits[-1]:
            findings += [*self._check_tiles(last, published[0][1]), *self._unknown_stamps()]
        if self._why_not() or self._newest_commit()[0].end != last.end:
            return None
        if last is not self._walked.commits[-1]:
            self._tally.notices.append(
                "the log grew meanwhile: the hash tiles and the names in log/stamps were not looked at; verify again"
                " later"
            )
        return findings

    def _surplus(self) -> Iterator[Finding]:
        for index, at in sorted(self._bundles.overlong.items()):
            detail = "bytes behind the last leaf of a full bundle"
            yield Finding("uncovered", detail, file=self._bundles.name(index * WIDTH), offset=at)

    def _strange(self) -> Iterator[Finding]:
        """Links, and what is no file: nobody writes to the archive as long as they are there."""
        for name, what in strange(self._root):
            yield Finding("unknown-file", f"it is {what}, and muniment puts none there", file=name)

    def _lengths(self, last: Commit, segments: Mapping[str, int]) -> dict[str, int]:
        return {**segments, **self._tail(last), "log/commits": last.end}

    def _size(self, name: str) -> int | None:
        return size_of(self._root / self._walked.places.get(name, name))

    def _check_missing(self, last: Commit, segments: Mapping[str, int]) -> Iterator[Finding]:
        """What was committed, and is not there: true whoever writes."""
        for name, length in self._lengths(last, segments).items():
            size = self._size(name)
            if size is None:
                if not name.startswith("log/"):  # those of the log were told before
                    yield Finding("file-missing", f"{length} committed bytes are missing", file=name)
            elif size < length:
                detail = f"{length - size} committed bytes are missing at the end"
                yield Finding("cut", detail, file=name, offset=size, expected=str(length))

    def _check_excess(self, last: Commit, segments: Mapping[str, int]) -> Iterator[Finding]:
        lengths = self._lengths(last, segments)
        for name, length in lengths.items():
            size = self._size(name)
            if size is not None and size > length:
                detail = f"{size - length} bytes that no commit covers: {_INTERRUPTED}"
                yield Finding("uncommitted", detail, file=name, offset=length, expected=str(length))
        yield from self._check_names(last, lengths)

    def _published(self) -> list[tuple[str, int | None]]:
        """For how many leaves caches were made (None: not to be read). To be asked before the commits are, which are
        always ahead of both."""
        return [
            ("log/checkpoint", read_published(self._root, self._config.keys())),
            ("log/tile", leaves_in_tiles(self._root / "log")),
        ]

    def _check_published(self, last: Commit, published: list[tuple[str, int | None]]) -> Iterator[Finding]:
        for name, size in published:
            if size is not None and size > last.checkpoint.size:
                detail = f"{name} was made for {size} leaves, and the commits hold {last.checkpoint.size}"
                yield Finding("cut", detail, file="log/commits", expected=str(size))

    def _tail(self, last: Commit) -> dict[str, int]:
        log = self._root / "log"
        if not last.tail:
            return {}
        return {relative(log, bundle_path(log, last.checkpoint.size // WIDTH)): last.tail}

    def _check_names(self, last: Commit, lengths: Mapping[str, int]) -> Iterator[Finding]:
        size = last.checkpoint.size
        known = {*lengths, *self._walked.places.values()}
        for index in range((size + WIDTH - 1) // WIDTH):
            known |= {f"log/{format_tile_path('entries', index)}", f"log/{format_tail_path(index)}"}
        bundles = (path for path in sorted((self._root / "log/tile/entries").glob("**/*")) if size_of(path) is not None)
        for path in (*segment_files(self._root), *bundles):
            name = path.relative_to(self._root).as_posix()
            partial = path.parent.name.endswith(".p") and path.name.isdecimal()
            if path.name == "tail" and size_of(path.parent.with_name(path.parent.name.removesuffix(".p"))) is not None:
                detail = "leaves lie beside the full bundle of the same name, which counts: an older copy put back?"
                yield Finding("unknown-file", detail, file=name)
            elif name not in known and not partial and not is_temporary(path):
                yield Finding("unknown-file", f"no commit names this file: {_INTERRUPTED}", file=name)

    def _check_tiles(self, last: Commit, published: int | None) -> Iterator[Finding]:
        """The published tiles, against what the leaves give. What a writer that was killed after its commit had not
        published yet (`published` leaves were, or nobody knows) is no damage: the next one does it."""
        promised = last.checkpoint.size if published is None else published
        for name, digest in self._walked.tiles.items():
            try:
                found = hashlib.sha256(read_regular(self._root / "log" / name)).digest()
            except OSError:
                found = b""
            if found != digest and (found or _is_of(name, promised)):
                detail = "the hash tile is not what the leaves give" if found else "the hash tile is missing"
                yield Finding("tile-damaged", detail, file=f"log/{name}", expected=digest.hex())
        yield from self._check_earlier(last.checkpoint.size)
        if last.checkpoint.size and published is None:
            detail = "what is published there is missing, or no checkpoint that a key of archive.toml signed"
            yield Finding("tile-damaged", detail, file="log/checkpoint")

    def _check_earlier(self, size: int) -> Iterator[Finding]:
        """The partial tiles of earlier checkpoints begin as the newest one does."""
        for path in sorted((self._root / "log/tile").glob("**/*.p/*")):
            name = path.relative_to(self._root / "log").as_posix()
            if not path.name.isdecimal() or name in self._walked.tiles:
                continue
            whole = self._newest(path, size)
            width = int(path.name) if len(path.name) < 4 else 0
            if whole is None or not 0 < width < WIDTH:
                continue
            begun = whole[: width * 32] if "/entries/" not in f"/{name}" else _first_leaves(whole, width)
            with suppress(OSError):
                if read_regular(path) != begun:
                    detail = "the partial tile does not begin as the newest one does"
                    yield Finding("tile-damaged", detail, file=f"log/{name}")

    def _newest(self, partial: Path, size: int) -> bytes | None:
        """What a partial tile is a part of."""
        full = partial.parent.with_name(partial.parent.name.removesuffix(".p"))
        name = full.relative_to(self._root / "log").as_posix()
        newest = max((tile for tile in self._walked.tiles if tile.startswith(f"{name}.p/")), default=name)
        for path in (full, partial.parent / "tail", self._root / "log" / newest):
            with suppress(OSError):
                return read_regular(path)
        return None


def _first_leaves(bundle: bytes, count: int) -> bytes:
    end = 0
    for _ in range(count):
        end += 2 + int.from_bytes(bundle[end : end + 2], "big")
    return bundle[:end]
