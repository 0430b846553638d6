"""Step 4: what parties outside vouch for. The files in `log/stamps/` as logged, then whether they hold, and by whom.

Trusted are the certificates and witnesses that the caller brings, else those that `[stamp]` in archive.toml names. A
stamp that holds by a certificate which nobody named says nothing to whoever did not choose that authority: it is told
in a notice, and is no anchor. What was valid at the time of the stamp stays valid.

Leaves state their own time. By the stamps around them it lies between two times that the archive did not choose.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

from muniment.archive.authorities import (
    MAX_STAMP,
    StampFile,
    StampSettings,
    parse_stamp_name,
    read_ca,
    read_settings,
)
from muniment.archive.config import Config
from muniment.archive.verify.finding import Anchor, Finding, Request, Tally
from muniment.archive.verify.walk import TIME, Bundles, Walked
from muniment.errors import UsageError
from muniment.formats.checkpoint import Checkpoint, parse_checkpoint
from muniment.formats.leaf import Leaf
from muniment.formats.note import signers_of, split_note
from muniment.formats.warc import format_date
from muniment.regular import open_regular

_FOLDER = "log/stamps"
# A leaf is made before the commit that is stamped, by a clock that may be a little off.
_AHEAD, _BEHIND = timedelta(minutes=5), timedelta(hours=1)


class HeldCheck:
    """`for finding in run()`; anchors and notices go into the tally."""

    def __init__(
        self, root: Path, config: Config, request: Request, walked: Walked, bundles: Bundles, tally: Tally
    ) -> None:
        self._root, self._config, self._request = root, config, request
        self._walked, self._bundles, self._tally = walked, bundles, tally
        self._unnamed: dict[tuple[str, str], list[tuple[str, datetime]]] = {}  # by authority and root

    def run(self) -> Iterator[Finding]:
        if not self._walked.stamps:
            return
        self._commits = {commit.checkpoint.size: commit for commit in self._walked.commits}
        self._settings = self._read_settings()
        self._roots = list(self._request.roots) or self._configured_roots()
        for number, leaf in self._walked.stamps:
            yield from self._check_leaf(number, leaf)
        self._tally.notices += self._told_of_unnamed()
        yield from self._check_dates()

    def _read_settings(self) -> StampSettings:
        try:
            return read_settings(self._config.stamp)
        except UsageError as e:
            self._tally.notices.append(f"{e}; so nobody is trusted but whom you name")
            return StampSettings()

    def _configured_roots(self) -> list[bytes]:
        found = []
        for authority in self._settings.authorities:
            try:
                found.append(read_ca(self._root, authority))
            except UsageError as e:
                self._tally.notices.append(str(e))
        return found

    # ---- files

    def _check_leaf(self, number: int, leaf: Leaf) -> Iterator[Finding]:
        """The files of one leaf. Raises nothing: what the leaf names may be anything."""
        sound: dict[StampFile, bytes] = {}
        for name, digest in sorted((leaf.files or {}).items()):
            where = f"{_FOLDER}/{name}"
            try:
                file = parse_stamp_name(name)
                if file.size != leaf.size:
                    raise ValueError(f"{name} is not for the checkpoint of {leaf.size} leaves")
            except ValueError as e:
                yield Finding("stamp-invalid", str(e), number, _FOLDER)
                continue
            try:
                content = _read(self._root / where)
            except OSError as e:
                detail = f"it was kept, and cannot be read: {e.strerror}"
                yield Finding("stamp-missing", detail, number, where, expected=digest)
                continue
            if hashlib.sha256(content).hexdigest() != digest:
                detail = "it is not the file that was kept, though it may be a stamp itself"
                yield Finding("stamp-damaged", detail, number, where, expected=digest)
                continue
            sound[file] = content
        for file, content in sound.items():
            yield from self._check_file(number, file, content, sound)

    def _check_file(
        self, number: int, file: StampFile, content: bytes, others: dict[StampFile, bytes]
    ) -> Iterator[Finding]:
        name = f"{_FOLDER}/{file.size}.{file.party}.{file.kind}"
        commit = self._commits.get(file.size)
        try:
            if commit is None:
                raise ValueError(f"no commit of {file.size} leaves is in this log")
            if file.kind == "tsr":
                request, pem = (others.get(file._replace(kind=kind)) for kind in ("tsq", "pem"))
                self._check_reply(name, file.size, content, commit.note.encode(), request, pem)
            elif file.kind == "note":
                self._check_cosigned(name, content, commit.checkpoint)
            elif file.kind == "ots":
                self._check_ots(name, content, commit.note.encode())
        except ValueError as e:
            yield Finding("stamp-invalid", str(e), number, name)

    def _check_reply(
        self, name: str, size: int, reply: bytes, note: bytes, request: bytes | None, pem: bytes | None
    ) -> None:
        """Raises ValueError where the reply proves nothing by any certificate."""
        from muniment.formats.timestamp import check_reply

        kept = [pem] if pem else []
        failure = None
        if self._roots:
            try:
                said = check_reply(reply, note, self._roots, request=request, intermediates=kept)
                self._tally.anchors.append(Anchor(size, said.authority, _iso(said.time)))
                return
            except ValueError as e:
                failure = e
        if not kept:
            raise failure or ValueError("no certificate is kept with it, and none is named to check it by")
        said = check_reply(reply, note, kept, request=request)
        self._unnamed.setdefault((said.authority, said.root), []).append((name, said.time))

    def _told_of_unnamed(self) -> Iterator[str]:
        """One notice for each root that nobody named, however many stamps lead to it."""
        for (authority, root), stamps in self._unnamed.items():
            name, newest = max(reversed(stamps), key=lambda stamp: stamp[1])
            what = f"{name} is a stamp of {_iso(newest)} by {authority}"
            if len(stamps) > 1:
                what = f"{len(stamps)} stamps are by {authority}, the newest {name} of {_iso(newest)}"
            yield (
                f"{what}, whose root certificate, SHA-256 {root}, nobody named: compare it with what the authority"
                " publishes, and name it with --ca"
            )

    def _check_cosigned(self, name: str, content: bytes, checkpoint: Checkpoint) -> None:
        note = content.decode()
        if parse_checkpoint(split_note(note)[0]) != checkpoint:
            raise ValueError("it is another checkpoint than the one in this log")
        log_keys = self._config.keys()
        ours = {key.identity for key in log_keys}
        witnesses = list(self._request.witnesses) or list(self._settings.witnesses)
        signers = [signed for signed in signers_of(note, witnesses) if signed.key.identity not in ours]
        for key, time in signers:
            self._tally.anchors.append(Anchor(checkpoint.size, key.name, _iso(time) if time else None))
        if not signers:
            names = sorted({signer for signer, line in split_note(note)[1] if line[:4] not in ours})
            self._tally.notices.append(
                f"{name} is signed by {', '.join(names) or 'nobody else'}, whose key nobody named: name it with"
                " --witness"
            )

    def _check_ots(self, name: str, content: bytes, note: bytes) -> None:
        """Whether a block is Bitcoin's only a node can tell, so this gives notices and no anchor."""
        from muniment.formats.ots import is_available, read_proof

        by_hand = f"`ots verify -d {hashlib.sha256(note).hexdigest()} {name}` checks it against a Bitcoin node"
        if not is_available():
            self._tally.notices.append(f"{name} was not read: install muniment[opentimestamps]; {by_hand}")
            return
        said = read_proof(content, note)
        if said.blocks:
            blocks = ", ".join(map(str, said.blocks))
            self._tally.notices.append(f"{name} claims Bitcoin block {blocks}, unverified here: {by_hand}")
        elif not self._is_completed(name):
            self._tally.notices.append(f"{name} is a promise, and in no block yet: `muniment stamp --upgrade` asks")

    def _is_completed(self, name: str) -> bool:
        later = re.compile(re.escape(Path(name).stem) + r"-[0-9]+\.ots")
        return any(later.fullmatch(other) for _, leaf in self._walked.stamps for other in leaf.files or {})

    def unknown_files(self) -> Iterator[Finding]:
        """Files that no leaf names, where all leaves could be read. To be asked while no writer is at work."""
        spans = self._walked.spans
        if (spans[-1][1] if spans else 0) != self._tally.log_size:
            return
        named = {name for _, leaf in self._walked.stamps for name in leaf.files or {}}
        for path in stamp_files(self._root):
            if path.name not in named:
                detail = "no leaf names this file: an interrupted stamp leaves such, and the next writer sets it aside"
                yield Finding("unknown-file", detail, file=f"{_FOLDER}/{path.name}")

    # ---- dates

    def _check_dates(self) -> Iterator[Finding]:
        stamps = sorted((a.size, datetime.fromisoformat(a.time)) for a in self._tally.anchors if a.time)
        if not stamps:
            return
        sizes, times = [size for size, _ in stamps], [time for _, time in stamps]
        newest = list(accumulate(times, max))  # of the stamps up to this one
        oldest = list(accumulate(reversed(times), min))[::-1]  # of the stamps from this one on
        for first, end, earliest, latest in self._walked.spans:
            # Stamps are over whole commits, so all leaves of one have the same stamps before and after them.
            before, after = bisect_right(sizes, first), bisect_left(sizes, end)
            lower = format_date(newest[before - 1] - _BEHIND).encode() if before else b""
            upper = format_date(oldest[after] + _AHEAD).encode() if after < len(sizes) else b"\xff"
            if earliest < lower or latest > upper:
                yield from self._misdated(first, end, lower, upper)

    def _misdated(self, first: int, end: int, lower: bytes, upper: bytes) -> Iterator[Finding]:
        for number, leaf in enumerate(self._bundles.entries(first, end), first):
            at = leaf[TIME]
            if at < lower and leaf:
                detail = f"it states {at.decode('ascii', 'replace')}, and the log was stamped before it came"
                yield Finding("date", detail, number, expected=f"{lower.decode()} or later")
            elif at > upper:
                detail = f"it states {at.decode('ascii', 'replace')}, and was stamped before that"
                yield Finding("date", detail, number, expected=f"{upper.decode()} or earlier")


def stamp_files(root: Path) -> Sequence[Path]:
    """What lies in `log/stamps/`, in order of names."""
    try:
        return sorted((root / _FOLDER).iterdir())
    except OSError:
        return ()


def _read(path: Path) -> bytes:
    """Raises OSError; a file over the limit gives bytes that no leaf names."""
    with open_regular(path) as file:
        return file.read(MAX_STAMP + 1)


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
