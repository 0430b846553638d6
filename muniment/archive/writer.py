"""The one writer. Recovery, appending, and the commit order:

1. take the lock; recover (`recovery.py`);
2. append WARC members, sync the files;
3. append leaves, sync;
4. append the frame with the signed checkpoint, sync: THIS IS THE COMMIT; only now may anyone answer "stored";
5. tiles, checkpoint file, catalog: they are caches and catch up at the next open.

After any failed write nothing in memory is trusted: the writer is broken, and the next one recovers.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from muniment.archive import catch_up, originals, records, recovery, withdrawal
from muniment.archive.authorities import parse_stamp_name
from muniment.archive.blocks import BLOCK
from muniment.archive.commit import MAX_LEAVES, format_frame
from muniment.archive.config import Config, read_config
from muniment.archive.keys import Ask, Signer, load_signer
from muniment.archive.log import Log, leaf_at
from muniment.archive.own import own_leaf
from muniment.archive.segments import ROLL_AT, Placement, SegmentWriter
from muniment.archive.settling import settle
from muniment.archive.tables.captures import Held
from muniment.archive.tables.layout import LoggedLeaf, Progress, stated_digest
from muniment.durable import AppendFile, Lock, replace
from muniment.errors import IntegrityError, StorageError, UploadError, UsageError
from muniment.formats.leaf import Leaf, LeafType, format_leaf
from muniment.formats.tile import MAX_ENTRY
from muniment.formats.warc import format_date
from muniment.model import Article, Attempt, Capture, Imported

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Appended:
    """What `add_capture` did: the snapshot's number, and whether the same bytes stood there already."""

    number: int
    unchanged: bool
    original: int


class Writer:
    """Appends to an archive. Everything added is acknowledged by `commit()` and by nothing else."""

    def __init__(
        self,
        root: Path,
        config: Config,
        signer: Signer | None = None,
        *,
        ask: Ask | None = None,
        signs: bool = True,
        wait: float = 0.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        roll_at: int = ROLL_AT,
    ):
        self._root, self._clock, self._roll_at = root, clock, roll_at
        self._signer = signer
        self._handing_over: Signer | None = None
        self._segments: dict[str, SegmentWriter] = {}
        self._dirty: dict[str, SegmentWriter] = {}
        self._pending: list[LoggedLeaf] = []
        self._newest: dict[str, Held] = {}
        self._ids: dict[int, str] = {}
        self._derived: set[int] = set()
        self._originals: dict[str, int] = {}
        self._repeatable: dict[str, Held] = {}
        self._payloads: dict[int, str] = {}
        self._taken: set[str] = set()
        self._broken: str | None = None
        self._lock = Lock(root / "lock", wait)
        try:
            # Whoever held the lock before may have brought another key in.
            self.config = settle(root, read_config(root) if signer is None else config)
            if signs and signer is None:
                self._signer = load_signer(self.config.vkeys[-1], ask)
            self._open(self.config)
        except BaseException:
            self._lock.release()
            raise

    def _open(self, config: Config) -> None:
        recovery.refuse_strange(self._root)
        with ExitStack() as opened:  # what was opened is closed again where the rest cannot be
            self.catalog = opened.enter_context(closing(catch_up.open_catalog(self._root)))
            committed = recovery.read_sound(self._root, config, self.catalog)
            self.recovered = recovery.cut_tails(self._root, committed)
            self._log = opened.enter_context(closing(Log(self._root / "log", committed.checkpoint)))
            self._commits = opened.enter_context(closing(AppendFile(self._root / "log" / "commits")))
            self._lengths = dict(committed.segments)
            catch_up.catch_up(self._root, self.catalog, committed)
            if recovery.published_size(self._root, config.keys()) < committed.checkpoint.size:
                with suppress(StorageError):  # a cache: what could not be published then is when there is room
                    self._log.publish(committed.last.note)
            named = {name for name, *_ in self.catalog.stamps()}
            self.recovered += recovery.set_aside_stamps(self._root, named)
            if self.recovered:
                _log.info("an unfinished write was set aside in quarantine/: %s", ", ".join(self.recovered))
            opened.pop_all()

    # ---- adding

    @property
    def size(self) -> int:
        """How many leaves the log holds, with those not yet committed."""
        return self._log.size

    def add_capture(self, capture: Capture, facts: Sequence[tuple[str, str]] = ()) -> Appended:
        """Append a capture; where the newest one of its article or of its URI holds the same bytes, a revisit of it.

        The article is the one that `facts` name ("articleKey").
        """
        key = dict(facts).get("articleKey")
        original = self._original(capture, key)
        group = records.capture_group(capture, facts, original, _new_id)
        number = self._append("warc", group)
        newest = original or Held(number, group.leaf.id, group.leaf.at, capture.uri, group.leaf.payload or "")
        self._newest[f"uri {capture.uri}"] = self._newest[f"key {key}"] = newest
        self._ids[number] = group.leaf.id
        return Appended(number, original is not None, original.number if original else number)

    def _original(self, capture: Capture, key: str | None) -> Held | None:
        if capture.truncated:
            return None
        of_article = key and (self._newest.get(f"key {key}") or self.catalog.newest_of(key))
        at_uri = self._newest.get(f"uri {capture.uri}") or self.catalog.newest_at(capture.uri)
        payload = capture.payload.removeprefix("sha256:")
        return next((held for held in (of_article, at_uri) if held and held.payload == payload), None)

    def holds(self, capture: Capture, key: str) -> int | None:
        """The number of the newest capture of this article or URI, if it holds these very bytes."""
        original = self._original(capture, key)
        return None if original is None else original.number

    def has_article(self, number: int) -> bool:
        """Whether an article was derived from this capture, here or in an earlier session."""
        held = self.catalog.snapshots([number])
        return number in self._derived or (bool(held) and held[0].derivation is not None)

    def holds_original(self, imported: Imported, key: str | None) -> int | None:
        """The number of the leaf that keeps this very record of an imported file already, or made it; `key` is the
        identity of its address."""
        digest = imported.original.digest
        found = self._originals.get(digest) or self.catalog.of_original(digest)
        if found is None:
            return own_leaf(self.catalog, self._leaf, imported, key, format_date(self._clock()))
        if (kind := self.kind_of(found)) == imported.kind:
            return found
        # A revisit whose original came later is kept as such now.
        return None if (kind, imported.kind) == ("record", "revisit") else found

    def _leaf(self, number: int) -> Leaf:
        try:
            return leaf_at(self._root / "log", number)
        except (OSError, ValueError) as e:
            raise IntegrityError(f"log/tile/entries is damaged at leaf #{number}: {e}") from e

    def kind_of(self, number: int) -> str | None:
        """The type of a leaf, committed or not."""
        pending = next((logged.leaf.type for logged in reversed(self._pending) if logged.number == number), None)
        return pending or (self.catalog.kind_of(number) or (None,))[0]

    def repeated_by(self, imported: Imported) -> Held | None:
        """The capture that an imported revisit repeats, where it is in the archive."""
        identity, stated, uri = imported.refers
        name = (identity or "").removeprefix("<urn:uuid:").removesuffix(">")
        number = self.catalog.imported_as(name) if name else None
        held = self._repeatable.get(name) or (self.catalog.held(number) if number is not None else None)
        if held is not None and not self._is_other(held.number, stated):
            return held
        return self._repeatable.get(stated or "") or (self.catalog.repeated(stated, uri) if stated else None)

    def _is_other(self, number: int, stated: str | None) -> bool:
        """Whether a capture's payload has another digest of this kind: ids are what anybody may claim."""
        known = self._payloads.get(number) or self.catalog.stated_of(number)
        return bool(stated and known and stated != known and _kind(stated) == _kind(known))

    def add_imported(self, imported: Imported, facts: Sequence[tuple[str, str]] = ()) -> int:
        """Append a record of an imported file as it is; returns the number of its leaf.

        A revisit has to have its original here (`repeated_by`).
        """
        of = self.repeated_by(imported) if imported.kind == "revisit" else None
        at = format_date(self._clock())
        group = originals.imported_group(imported, facts, of, at, _new_id, self._is_free)
        number = self._append("warc", group)
        leaf, known = group.leaf, group.facts or {}
        self._originals[imported.original.digest] = number
        self._ids[number] = leaf.id
        self._taken.add(leaf.id)
        if leaf.type == "capture":
            held = Held(number, leaf.id, leaf.date, leaf.uri or "", leaf.payload or "")
            stated = stated_digest(known)
            for name in filter(None, (leaf.id, (imported.original.record_id or "")[10:-1], stated)):
                self._repeatable[name] = held
            if stated:
                self._payloads[number] = stated
        return number

    def _is_free(self, identity: str) -> bool:
        return identity not in self._taken and not self.catalog.has_id(identity)

    def add_attempt(self, attempt: Attempt, facts: Sequence[tuple[str, str]] = ()) -> int:
        """Append what is known of a failed attempt; returns its number. What was found before is not logged again."""
        known = attempt.finding and (self._originals.get(attempt.finding) or self.catalog.of_original(attempt.finding))
        if known:
            return known
        number = self._append("warc", records.attempt_group(attempt, facts, _new_id))
        if attempt.finding:
            self._originals[attempt.finding] = number
        return number

    def add_article(
        self, article: Article, of: int, uri: str, *, source: str | None = None, tags: Sequence[str] = ()
    ) -> int:
        """Append what cleaning made of the capture with the number `of`; returns the derivation's number."""
        self._derived.add(of)
        identity = self._ids.get(of) or self.catalog.id_of(of) or ""
        at = format_date(self._clock())
        return self._append("derived", records.derivation_group(article, of, uri, at, source, tags, identity, _new_id))

    def add_act(self, kind: LeafType, content: Mapping[str, Any], of: int | None = None) -> int:
        """Append what somebody said of the snapshot `of`, or of nothing in particular; returns the leaf's number."""
        subject = None
        if of is not None:
            held = self.catalog.snapshots([of])
            if not held:
                raise UsageError(f"#{of} is no snapshot")
            subject = held[0].uri, self.catalog.id_of(of) or ""
        at = format_date(self._clock())
        return self._append("derived", records.act_group(kind, content, at, _new_id, of, subject))

    def add_key(self, vkeys: str, *, reason: str | None = None, since: int | None = None) -> int:
        """Append that another key signs from here on."""
        leaf = Leaf("key", _new_id(), format_date(self._clock()), key=vkeys, reason=reason, size=since)
        return self._append("derived", records.Group(leaf, ()))

    def hand_over(self, successor: Signer, *, reason: str | None = None, since: int | None = None) -> int:
        """Commit that another key signs from here on, signed by the key so far too where it is at hand.

        Returns the number of the leaf. The caller writes the keys into `archive.toml`, before and after.
        """
        self._handing_over, self._signer = self._signer, successor
        number = self.add_key(successor.vkeys, reason=reason, since=since)
        self.commit()
        return number

    def add_stamp(self, size: int, files: Mapping[str, bytes]) -> int:
        """Keep what a third party returned for the checkpoint of `size` leaves, and append the digests to the log.

        `files` are named `<size>.<name>.<kind>`; they are on the disk before the leaf is, and set aside by the next
        writer where that leaf was never committed.
        """
        self._refuse_if_broken()
        folder = self._root / "log" / "stamps"
        for name in files:
            if parse_stamp_name(name).size != size or (folder / name).exists():
                raise ValueError(f"{name} cannot be kept: it is there already, or is not for {size} leaves")
        for name, content in files.items():
            replace(folder / name, content)
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        leaf = Leaf("stamp", _new_id(), format_date(self._clock()), size=size, files=digests)
        return self._append("derived", records.Group(leaf, ()))

    def withdraw(self, number: int, reason: str, *, entirely: bool = False) -> int:
        """Commit that the payload of a capture and all that was made of it are removed, then remove them.

        Its leaf and digests stay, and a tombstone in place of each record; `entirely` removes request and metadata
        too. A kill after the commit leaves the removal to the next open. Raises UsageError.
        """
        self.commit()
        at = format_date(self._clock())
        group = withdrawal.plan(self._root, self.catalog, number, reason, at, _new_id, entirely=entirely)
        leaf = self._append("derived", group)
        self.commit()
        return leaf

    def _append(self, stream: str, group: records.Group) -> int:
        self._refuse_if_broken()
        if len(self._pending) >= MAX_LEAVES - 1:  # and perhaps a segment's
            self.commit()
        entry = format_leaf(group.leaf)
        if len(entry) > MAX_ENTRY:
            raise UploadError("too-long", f"the address or the reason is too long for the log: {len(entry)} bytes")
        try:
            placements = []
            if group.records:
                writer = self._segment(stream)
                placements = [writer.append(record) for record in group.records]
            return self._queue(group, entry, placements)
        except BaseException as e:
            self._broken = str(e)
            raise

    def _queue(self, group: records.Group, entry: bytes, placements: list[Placement]) -> int:
        offset = self._log.tail
        number = self._log.append(entry)
        logged = LoggedLeaf(number, offset, group.leaf, placements, group.facts, group.content)
        self._pending.append(logged)
        return number

    def _segment(self, stream: str) -> SegmentWriter:
        """The stream's current file, the next one where it is full or of an earlier year."""
        now = self._clock()
        writer = self._segments.get(stream)
        path = writer.path if writer else max((p for p in self._lengths if p.startswith(stream + "/")), default=None)
        if path is not None:
            _, year, name = path.split("/")
            size = writer.file.size if writer else self._lengths[path]
            if size < self._roll_at and int(year) >= now.year:
                writer = writer or SegmentWriter(self._root, path, self.catalog.block(path, size // BLOCK))
                self._segments[stream] = self._dirty[path] = writer
                return writer
            same_year = int(year) >= now.year
            number = int(name.partition(".")[0]) + 1 if same_year else 0
            year_now = max(int(year), now.year)
        else:
            number, year_now = 0, now.year
        if writer is not None and writer.path not in self._dirty:
            writer.file.close()
        writer = SegmentWriter(self._root, f"{stream}/{year_now}/{number:05d}.warc.gz")
        self._segments[stream] = self._dirty[writer.path] = writer
        name = f"{stream}-{year_now}-{number:05d}.warc.gz"
        group = records.segment_group(stream, name, self.config.origin, format_date(now), _new_id)
        self._queue(group, format_leaf(group.leaf), [writer.append(record) for record in group.records])
        return writer

    # ---- the commit

    def commit(self) -> None:
        """Return once everything added is on the disk and signed for."""
        self._refuse_if_broken()
        if not self._pending:
            return
        if self._signer is None:
            raise UsageError("the private key is not at hand, so nothing can be signed")
        try:
            for segment in self._dirty.values():
                segment.file.sync()
            self._log.sync()
            note = self._signer.sign_checkpoint(self._log.size, self._log.root(), handing_over=self._handing_over)
            lengths = {path: segment.file.size for path, segment in self._dirty.items()}
            blocks = [(path, *block) for path, segment in self._dirty.items() for block in segment.blocks.take()]
            frame = format_frame(self._log.tail, lengths, note)
            self._commits.append(frame)
            self._commits.sync()
        except BaseException as e:
            self._broken = str(e)
            raise
        self._lengths.update(lengths)
        pending, self._pending = self._pending, []
        self._forget()
        self._publish(note, frame, pending, lengths, blocks)

    def _forget(self) -> None:
        self._handing_over = None
        for path in list(self._dirty):
            segment = self._dirty.pop(path)
            if self._segments.get(path.partition("/")[0]) is not segment:
                segment.file.close()
        self._newest.clear()
        self._ids.clear()
        self._derived.clear()
        self._originals.clear()
        self._repeatable.clear()
        self._payloads.clear()
        self._taken.clear()

    def _publish(
        self,
        note: str,
        frame: bytes,
        pending: list[LoggedLeaf],
        lengths: dict[str, int],
        blocks: list[tuple[str, int, bytes]],
    ) -> None:
        """Step 5. A failure here loses nothing: the next open catches up, so the writer only stops being used."""
        progress = Progress(self._log.size, self._log.tail, self._commits.size, frame[-32:], root=self._log.root())
        try:
            self._log.publish(note)
            self.catalog.add(pending, lengths, progress, catch_up.bury_all(self._root, pending), blocks)
        except (StorageError, IntegrityError, sqlite3.Error) as e:
            self._broken = str(e)
            _log.warning("committed, but the catalog could not be brought up to date: %s", e)

    def _refuse_if_broken(self) -> None:
        if self._broken is not None:
            raise StorageError(
                f"an earlier write failed ({self._broken}); everything acknowledged is stored, run again to go on"
            )

    def close(self) -> None:
        """Let the lock go. What was added and not committed is cut off by the next writer."""
        for segment in (*self._dirty.values(), *self._segments.values()):
            segment.file.close()
        self._log.close()
        self._commits.close()
        self.catalog.close()
        self._lock.release()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _kind(digest: str) -> tuple[str, int]:
    """The algorithm and the writing of a digest as somebody stated it."""
    return digest.partition(":")[0].lower(), len(digest)


def _new_id() -> str:
    return str(uuid.uuid4())
