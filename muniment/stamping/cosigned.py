"""Checkpoints that other parties held or cosigned, compared with this log; new cosignatures are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from muniment.archive.archive import Archive
from muniment.archive.authorities import read_settings, slug_of
from muniment.archive.proving import commits_of
from muniment.errors import IntegrityError, UsageError
from muniment.formats.checkpoint import parse_checkpoint
from muniment.formats.note import Signed, VerifierKey, signers_of, split_note
from muniment.stamping.keeping import every_commit, free_name, keep, ready

if TYPE_CHECKING:
    from muniment.archive.commit import Commit


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a checkpoint: its leaves, the witnesses whose cosignatures were kept, and the leaf that names them
    (None where nothing new was kept)."""

    size: int
    witnesses: Sequence[Signed]
    leaf: int | None


def import_checkpoint(archive: Archive, note: str, keys: Sequence[VerifierKey] = (), *, wait: float = 0.0) -> Imported:
    """Compare a checkpoint of this log that another party held, and keep the cosignatures that it gained.

    A note of nothing but signature lines, as a witness returns them, is taken for the checkpoint that they fit.
    Cosignatures count by the keys in archive.toml and by `keys`. Raises UsageError where it is none of this log's, or
    cosigned by a key that is not known; IntegrityError where the log's key signed another history.
    """
    witnesses = [*read_settings(archive.config.stamp).witnesses, *keys]
    note = _completed(archive, note, witnesses)
    commit, ours = _compared(archive, note)
    try:
        signers = [signed for signed in signers_of(note, witnesses) if signed.key not in ours]
    except ValueError as e:
        raise UsageError(f"the cosignature does not hold: {e}") from e
    known = {(key.name, key.identity) for key in (*ours, *(signed.key for signed in signers))}
    strangers = [name for name, signature in split_note(note)[1] if (name, signature[:4]) not in known]
    if not signers and strangers:
        raise UsageError(
            f"the key of {strangers[0]}, which signed this checkpoint, is not known: name it with --key, or as one of"
            " `witnesses` under [stamp] in archive.toml"
        )
    size = commit.checkpoint.size
    leaf = _keep_note(archive, size, note.encode(), signers, wait) if signers else None
    return Imported(size, signers, leaf)


def _compared(archive: Archive, note: str) -> tuple[Commit, list[VerifierKey]]:
    """The commit that a note is a checkpoint of, and this log's keys."""
    config = archive.config
    ours = config.keys()
    try:
        checkpoint = parse_checkpoint(split_note(note)[0])
        signed = signers_of(note, ours)
    except ValueError as e:
        raise UsageError(f"it is no checkpoint of this log: {e}") from e
    if checkpoint.origin != config.origin:
        raise UsageError(f"it is a checkpoint of {checkpoint.origin!r}, and this archive is {config.origin}")
    if not signed:
        raise UsageError("it is signed by no key of this log: anybody could have written it")
    for commit in commits_of(archive.root / "log", config.origin, checkpoint.size, ours):
        if commit.checkpoint.root == checkpoint.root:
            return commit, ours
    raise IntegrityError(
        f"this log's key signed a checkpoint of {checkpoint.size} leaves that is not in this log of {archive.size}:"
        " somebody holds another history of it. Keep that checkpoint, and compare with other copies"
    )


def _completed(archive: Archive, note: str, witnesses: Sequence[VerifierKey]) -> str:
    """A whole note: signature lines alone are put below the checkpoint that they are for."""
    if not note.startswith("— "):
        return note
    for commit in every_commit(archive):
        try:
            if signers_of(whole := commit.note + note, witnesses) and split_note(whole):
                return whole
        except ValueError:
            continue
    raise UsageError("these signatures are for no checkpoint of this log, or by no witness that is known (--key)")


def _keep_note(archive: Archive, size: int, note: bytes, signers: Sequence[Signed], wait: float) -> int | None:
    """Keep the note under the first witness's name, unless these very bytes are kept."""
    digest = hashlib.sha256(note).hexdigest()
    held = {name: found for name, _, _, found, _ in archive.catalog.stamps()}
    if digest in held.values():
        return None
    name = free_name(f"{size}.{slug_of(signers[0].key.name)}", "note", held.__contains__)
    return keep(archive, size, {name: note}, ready(archive, wait), wait)
