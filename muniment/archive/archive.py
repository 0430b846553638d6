"""An archive, as the rest of the program sees it: create, open, read, and a `Writer` to append.

Reading takes no lock. What readers see is the catalog's state, which is never ahead of a commit; `Archive.lag` says
how many committed leaves it does not hold yet (a writer is at work, or the archive lies on a read-only disk).
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from muniment.archive.catalog import Catalog
from muniment.archive.tables.layout import Progress
from muniment.errors import IntegrityError, Locked, NoArchive, StorageError, UsageError
from muniment.formats.tile import WIDTH, format_tail_path, format_tile_path
from muniment.regular import open_regular

if TYPE_CHECKING:
    from datetime import datetime

    from muniment.archive.config import Config
    from muniment.archive.keys import Ask, Signer
    from muniment.archive.segments import Placement
    from muniment.archive.writer import Writer
    from muniment.formats.leaf import Leaf
    from muniment.formats.warc import StoredRecord
    from muniment.model import Article, Snapshot


class Created(NamedTuple):
    """What `create` made, to be told to the person who must back the key up."""

    root: Path
    origin: str
    vkeys: str
    key_path: Path


def create(
    root: Path, origin: str | None, now: datetime, *, passphrase: str | None = None, post_quantum: bool = False
) -> Created:
    """Make an archive and its key pair in an empty or new folder."""
    import re
    import secrets

    from muniment.archive import config, keys
    from muniment.archive.commit import format_frame
    from muniment.durable import AppendFile, replace
    from muniment.formats.note import is_key_name
    from muniment.formats.tlog import EMPTY_ROOT

    root = root.absolute()
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UsageError(f"{root} is not an empty folder: name a new one")
    if origin is not None and not (is_key_name(origin) and origin.isprintable() and not set(origin) & {'"', "\\"}):
        raise UsageError(
            f"{origin!r} cannot be an origin: use one word without quotes, backslashes or a plus sign, such as"
            " example.org/archive"
        )
    if origin is None:
        name = re.sub(r"[^a-z0-9.-]+", "-", root.name.lower()).strip("-") or "archive"
        origin = f"localhost/{name}-{secrets.token_hex(4)}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        signer = keys.create_signer(origin, passphrase=passphrase, post_quantum=post_quantum)
        (root / "log").mkdir()
    except OSError as e:
        raise StorageError(f"cannot make an archive in {root}: {e.strerror}") from e
    note = signer.sign_checkpoint(0, EMPTY_ROOT)
    for stream in ("warc", "derived"):
        (root / stream).mkdir(exist_ok=True)
    commits = AppendFile(root / "log" / "commits")
    commits.append(format_frame(0, {}, note))
    commits.sync()
    commits.close()
    replace(root / "log" / "checkpoint", note.encode())
    created = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    replace(root / config.FILE, config.format_config(origin, signer.vkeys, created))
    return Created(root, origin, signer.vkeys, keys.key_path(signer.vkeys))


def rebuild(root: Path, *, wait: float = 0.0) -> None:
    """Make catalog and tiles anew from the WARC files and the log. Raises Locked, IntegrityError."""
    from muniment.archive import catch_up, recovery
    from muniment.archive.config import read_config
    from muniment.durable import Lock

    config = read_config(root)
    lock = Lock(root / "lock", wait)
    try:
        recovery.refuse_strange(root)
        committed = recovery.read_sound(root, config)
        recovery.cut_tails(root, committed)
        catch_up.rebuild(root, committed)
    finally:
        lock.release()


class Archive:
    """An archive opened for reading. Raises NoArchive, or IntegrityError where the log is damaged.

    Where there is no catalog yet and a writer is at work, Locked after `wait` seconds.
    """

    def __init__(self, root: Path, *, wait: float = 0.0):
        self.root = root
        self._wait = wait
        self.ask_passphrase: Ask | None = None
        self.lag = self._lagging_articles = 0
        if not (root / "archive.toml").is_file():
            raise NoArchive(f"no archive in {root}: make one with `muniment init {root}`")
        self.catalog = self._open_catalog()
        self.progress: Progress = self.catalog.progress()

    @cached_property
    def config(self) -> Config:
        from muniment.archive.config import read_config

        return read_config(self.root)

    def close(self) -> None:
        self.catalog.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_catalog(self) -> Catalog:
        """The catalog in step with the log, brought there where it is not and no writer is at it."""
        catalog = None
        try:
            catalog = Catalog(self.root / "catalog.sqlite")
            if _is_whole(self.root / "log" / "commits", catalog.progress()):
                return catalog
        except sqlite3.DatabaseError:
            if catalog is not None:
                catalog.close()
            catalog = None
        return self._catch_up(catalog)

    def _catch_up(self, catalog: Catalog | None) -> Catalog:
        import logging

        from muniment.archive import catch_up, recovery
        from muniment.durable import Lock

        try:
            recovery.refuse_strange(self.root)
            lock = Lock(self.root / "lock", self._wait if catalog is None else 0.0)
        except (Locked, StorageError):
            if catalog is None:
                raise
            self._measure_lag(catalog)
            return catalog
        try:
            if catalog is not None:
                catalog.close()
            catalog = catch_up.open_catalog(self.root)
            try:
                taken = catch_up.catch_up(self.root, catalog, recovery.read_sound(self.root, self.config, catalog))
            except BaseException:
                catalog.close()
                raise
            logging.getLogger(__name__).info("the catalog caught up with %d leaves of the log", taken)
            return catalog
        finally:
            lock.release()

    def _measure_lag(self, catalog: Catalog) -> None:
        """Count what is committed and not catalogued, so that a search can say what it does not see."""
        from muniment.archive import recovery
        from muniment.archive.log import read_leaves
        from muniment.formats.leaf import is_type

        since = catalog.progress()
        committed = recovery.read_sound(self.root, self.config, catalog)
        self.lag = committed.checkpoint.size - since.size
        try:
            entries = read_leaves(self.root / "log", since.size, committed.checkpoint.size)
            self._lagging_articles = sum(is_type(entry.leaf, "derivation") for entry in entries)
        except (OSError, ValueError) as e:
            raise IntegrityError(f"log/tile/entries is damaged after leaf #{since.size}: {e}") from e

    # ---- reading

    @property
    def articles(self) -> int:
        """How many articles the log holds, catalogued or not."""
        return self.progress.articles + self._lagging_articles

    @property
    def size(self) -> int:
        """How many leaves the log holds."""
        return self.progress.size + self.lag

    def writer(self, signer: Signer | None = None, *, wait: float = 0.0) -> Writer:
        """The writer, recovered and ready. Raises Locked, IntegrityError, UsageError (no private key here)."""
        from muniment.archive.writer import Writer

        writer = Writer(self.root, self.config, signer, ask=self.ask_passphrase, wait=wait)
        self.config = writer.config
        return writer

    def refresh(self) -> None:
        """See what was committed since the archive was opened."""
        self.progress = self.catalog.progress()
        self.lag = self._lagging_articles = 0

    def snapshot(self, number: int) -> Snapshot:
        """Raises UsageError where the number is no snapshot's."""
        found = self.catalog.snapshot(number)
        if found is None:
            what = "names a leaf that is no snapshot" if 0 <= number < self.size else "is not in the log"
            raise UsageError(f"#{number} {what}: `muniment search` and `muniment history` show the numbers")
        return found

    def raw_records(self, number: int) -> list[bytes]:
        """The uncompressed WARC records of a leaf, whole. Raises IntegrityError where one is not what was logged."""
        digests = self.leaf(number).records
        placements = self.catalog.placements(number)
        if len(digests) != len(placements):
            raise IntegrityError(f"the catalog does not know the records of #{number}: run `muniment rebuild`")
        return [
            self._raw_record(number, part, placement, digest)
            for part, (placement, digest) in enumerate(zip(placements, digests, strict=True))
        ]

    def _raw_record(self, number: int, part: int, placement: Placement, digest: str) -> bytes:
        """A record as it was logged, or the tombstone in its place."""
        from muniment.archive.segments import inflate, read_at

        try:
            with open_regular(self.root / placement.segment) as file:
                record = inflate(read_at(file, placement.offset, placement.length), placement.size)
            found = _sha256(record)
            if found != digest and not self._is_withdrawn(number, part, found, record):
                raise ValueError("the record does not have the digest that its leaf states")
            return record
        except (OSError, ValueError) as e:
            raise IntegrityError(
                f"{placement.segment} is damaged at byte {placement.offset} (#{number}): {e}; run `muniment verify`"
            ) from e

    def _is_withdrawn(self, number: int, part: int, found: str, record: bytes) -> bool:
        from muniment.archive.tombstone import is_tombstone

        return found == self.catalog.tombstone(number, part) and is_tombstone(record)

    def records(self, number: int) -> list[StoredRecord]:
        """The WARC records of a leaf, parsed."""
        from muniment.formats.warc import parse_record

        try:
            return [parse_record(raw) for raw in self.raw_records(number)]
        except ValueError as e:
            raise IntegrityError(f"a record of #{number} is damaged: {e}; run `muniment verify`") from e

    def leaf(self, number: int) -> Leaf:
        """The leaf as it stands in the log."""
        from muniment.formats.leaf import parse_leaf

        try:
            return parse_leaf(self.entry(number))
        except ValueError as e:
            raise IntegrityError(f"log/tile/entries is damaged at leaf #{number}: {e}") from e

    def entry(self, number: int) -> bytes:
        """The very bytes of a leaf. Raises UsageError for a number that is not in the log, IntegrityError."""
        offset = self.catalog.entry(number)
        if offset is None:
            raise UsageError(f"#{number} is not in the log")
        try:
            with self._open_bundle(number // WIDTH) as file:
                file.seek(offset)
                length = int.from_bytes(file.read(2), "big")
                entry = file.read(length)
        except OSError as e:
            raise IntegrityError(f"log/tile/entries cannot be read at leaf #{number}: {e.strerror}") from e
        if not length or len(entry) != length:
            raise IntegrityError(f"log/tile/entries is damaged at leaf #{number}, byte {offset} of its bundle")
        return entry

    def _open_bundle(self, index: int) -> BinaryIO:
        """A writer may give the bundle its published name meanwhile, hence the second look."""
        try:
            return open_regular(self.root / "log" / format_tile_path("entries", index))
        except FileNotFoundError:
            pass
        try:
            return open_regular(self.root / "log" / format_tail_path(index))
        except FileNotFoundError:
            return open_regular(self.root / "log" / format_tile_path("entries", index))

    def text(self, snapshot: Snapshot) -> str:
        """The cleaned text of a snapshot; empty where nothing was derived."""
        if snapshot.derivation is None:
            return ""
        from muniment.formats.warc import parse_record

        number = snapshot.derivation
        raw = self._raw_record(number, 0, self.catalog.placements(number)[0], self.leaf(number).records[0])
        try:
            record = parse_record(raw)
            return record.block.decode("utf-8", "replace") if record.type == "conversion" else ""
        except ValueError as e:
            raise IntegrityError(f"a record of #{number} is damaged: {e}; run `muniment verify`") from e

    def article(self, snapshot: Snapshot) -> Article | None:
        """All that cleaning found, or None where nothing was derived."""
        from muniment.archive.records import read_article

        if snapshot.derivation is None:
            return None
        conversion, metadata = self.records(snapshot.derivation)
        return read_article(conversion, metadata)

    def counts(self) -> Mapping[str, int]:
        """How many leaves of each type the catalog holds."""
        return self.catalog.counts()


def _sha256(content: bytes) -> str:
    """In hex. hashlib loads OpenSSL, which takes longer than the ten texts that a search shows."""
    if "hashlib" not in sys.modules:
        try:
            from _sha256 import sha256  # type: ignore[import-not-found]  # CPython has it, its stubs do not
        except ImportError:  # another Python
            from hashlib import sha256
    else:
        from hashlib import sha256
    return str(sha256(content).hexdigest())


def _is_whole(commits: Path, progress: Progress) -> bool:
    """Whether `log/commits` ends with the very commit that the catalog took in last."""
    try:
        with open_regular(commits) as file:
            if file.seek(0, os.SEEK_END) != progress.commits or not progress.commits:
                return False
            file.seek(progress.commits - 32)
            return file.read() == progress.frame
    except OSError:
        return False
