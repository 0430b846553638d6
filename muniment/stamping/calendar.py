"""OpenTimestamps: a calendar asked to have a checkpoint in a Bitcoin block, and hours later for the way there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Unpack
from urllib.parse import urlsplit

from muniment.archive.archive import Archive
from muniment.archive.authorities import MAX_STAMP, StampFile, parse_stamp_name, slug_of
from muniment.archive.proving import commits_of
from muniment.errors import FetchError, IntegrityError, UsageError
from muniment.formats.ots import Proof, complete, make_proof, read_proof, require
from muniment.regular import open_regular
from muniment.stamping.keeping import free_name, keep, ready
from muniment.stamping.outcome import Granted, Stamping

if TYPE_CHECKING:
    from muniment.archive.commit import Commit
    from muniment.ingest.authority import How


def party_of(url: str) -> str:
    """A calendar's name in the names of files: its host's, which no number ends (free_name adds those)."""
    return slug_of(urlsplit(url).netloc.replace(":", "-port"))


def ask(url: str, commit: Commit, tries: int, how: How) -> Granted | tuple[str, str]:
    """A calendar's promise, or its name and why there is none."""
    from muniment.ingest.authority import ask_calendar, patiently

    note, name = commit.note.encode(), party_of(url)
    try:
        require()
        answer = patiently(lambda: ask_calendar(url, hashlib.sha256(note).digest(), **how), tries=tries)
        proof = make_proof(note, answer)
    except (FetchError, UsageError, ValueError) as e:
        return name, str(e)
    return Granted(name, None, {f"{commit.checkpoint.size}.{name}.ots": proof})


def upgrade(archive: Archive, *, wait: float = 0.0, tries: int = 4, **how: Unpack[How]) -> Stamping:
    """Ask calendars for the blocks that they promised. What is complete is kept beside the promise.

    `failed` names those that did not answer; a calendar that has no block yet is neither there nor in `granted`.
    """
    require()
    granted, failed, leaf, size = list[Granted](), list[tuple[str, str]](), None, None
    waiting = list(promises(archive))
    signer = ready(archive, wait) if waiting else None
    for file in waiting:
        name = f"{file.size}.{file.party}.ots"
        try:
            found = _completed(archive, file, tries, how)
        except (FetchError, ValueError, OSError) as e:
            failed.append((name, str(e)))
            continue
        if found is None:
            continue
        proof, said = found
        held = {name for name, *_ in archive.catalog.stamps()}
        files = {free_name(f"{file.size}.{file.party}", "ots", held.__contains__): proof}
        leaf, size = keep(archive, file.size, files, signer, wait), file.size
        granted.append(Granted(name, None, files, said.blocks))
    return Stamping(size, leaf, granted, failed)


def promises(archive: Archive) -> Iterator[StampFile]:
    """The proofs that were not completed yet."""
    files = [parse_stamp_name(name) for name, *_ in archive.catalog.stamps() if name.endswith(".ots")]
    for file in files:
        later = re.compile(re.escape(file.party) + r"-[0-9]+")
        if not any(other.size == file.size and later.fullmatch(other.party) for other in files):
            yield file


def _completed(archive: Archive, file: StampFile, tries: int, how: How) -> tuple[bytes, Proof] | None:
    """The proof with the way to a block, where its calendar has one now that it had not before."""
    from muniment.ingest.authority import ask_for_block, patiently

    config = archive.config
    commits = commits_of(archive.root / "log", config.origin, file.size, config.keys())
    if not commits:
        raise IntegrityError(f"there is no checkpoint of {file.size} leaves: run `muniment verify`")
    note = commits[-1].note.encode()
    with open_regular(archive.root / "log" / "stamps" / f"{file.size}.{file.party}.ots") as stored:
        proof = stored.read(MAX_STAMP)
    said = read_proof(proof, note)
    if said.blocks:
        return None
    answers = []
    for promise in said.promises:
        answer = patiently(lambda promise=promise: ask_for_block(*promise, **how), tries=tries)  # type: ignore[misc]  # mypy does not follow the default
        if answer is not None:
            answers.append((promise, answer))
    grown = complete(proof, note, answers)
    said = read_proof(grown, note)
    return (grown, said) if said.blocks else None
