"""Collects what a stranger needs to check some leaves, and writes it as a zip (formats/evidence.py, docs/format.md).

With a snapshot go the capture that holds its bytes, where it is a revisit, and the newest derivation. All leaves share
one checkpoint: the earliest one with a time stamp that covers them all, else the newest. With that go the key leaves
below it, which lead from older keys to the one that signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from muniment.archive.authorities import MAX_STAMP, parse_stamp_name
from muniment.archive.commit import Commit
from muniment.archive.proving import Tree, commits_of, newest_commit
from muniment.archive.validity import changes_up_to, validity
from muniment.errors import IntegrityError, UsageError
from muniment.formats import evidence
from muniment.formats.examine import Written, split_certificates
from muniment.formats.leaf import Leaf, parse_leaf
from muniment.formats.note import ED25519, VerifierKey, format_vkey, signers_of
from muniment.formats.page import describe_proof
from muniment.formats.proof import Proof, format_proof
from muniment.formats.spki import public_pem
from muniment.formats.warc import parse_record
from muniment.regular import open_regular

if TYPE_CHECKING:
    from muniment.archive.archive import Archive
    from muniment.formats.timestamp import Stamped

MAX_LEAVES = 4000  # in one proof, which zip and reader have to hold
_FILES = Path(__file__).parent / "proof_files"
# Of each verify.sh of an earlier release, the SHA-256: it stays known when the script changes.
_RELEASED: tuple[str, ...] = ()
_KINDS = ("tsq", "tsr", "pem")


class Stamp(NamedTuple):
    """A time stamp that holds: its files below `stamps/`, by name, and what it says."""

    files: dict[str, bytes]
    said: Stamped


class Made(NamedTuple):
    """What a proof holds: the numbers of its leaves, and the leaves of the checkpoint that it rests on."""

    numbers: Sequence[int]
    size: int
    key: VerifierKey
    stamps: Sequence[Stamped]


def written() -> Written:
    """What this version puts into each proof, for `muniment check` to compare."""
    page = (_FILES / evidence.README).read_text(encoding="utf-8")
    return Written((script_digest(), *_RELEASED), (page,))


def script_digest() -> str:
    """The SHA-256 of verify.sh, in hex: worth publishing outside of the proofs."""
    return hashlib.sha256((_FILES / evidence.SCRIPT).read_bytes()).hexdigest()


def write_proof(archive: Archive, numbers: Sequence[int], target: BinaryIO) -> Made:
    """Write the proof of these leaves. Raises UsageError, IntegrityError: nothing is given out that does not hold."""
    wanted = leaves_about(archive, numbers)
    if len(wanted) > MAX_LEAVES:
        raise UsageError(f"{len(wanted)} leaves are more than the {MAX_LEAVES} of one proof: ask for fewer at a time")
    commit, stamps = choose_checkpoint(archive, max(wanted))
    key = _signer(archive, commit)
    changes, key_files = changes_up_to(archive, commit.checkpoint.size)
    if changes and changes[-1].key != key:  # for `verify` to find
        changes, key_files = [], {}
    tree = Tree(archive.root / "log", commit.checkpoint)
    entries = {number: archive.entry(number) for number in wanted}
    said = [stamp.said for stamp in stamps]
    leaves = {number: parse_leaf(entry) for number, entry in entries.items()}
    page = describe_proof(
        (_FILES / evidence.README).read_text(encoding="utf-8"),
        leaves,
        lambda number: _records(archive, number, leaves[number])[-1],
        commit.note,
        key,
        said,
        changes,
    )
    with evidence.Writer(target) as writer:
        writer.add(evidence.README, page.encode())
        writer.add(evidence.SCRIPT, (_FILES / evidence.SCRIPT).read_bytes())
        writer.add(evidence.CHECKPOINT, commit.note.encode())
        writer.add(evidence.VKEY, f"{format_vkey(key.name, key.key)}\n".encode())
        writer.add(evidence.PEM, public_pem(key))
        for files in (key_files, *(stamp.files for stamp in stamps)):
            for name, content in files.items():
                writer.add(name, content)
        for number, entry in entries.items():
            path = tuple(tree.prove_inclusion(number, entry))
            writer.add(evidence.leaf_file(number, "leaf.json"), entry)
            writer.add(evidence.proof_name(number), format_proof(Proof(number, path, commit.note)).encode())
            records = _records(archive, number, leaves[number])
            for part, record in enumerate(records, 1):
                writer.add(evidence.record_name(number, part), record)
            if leaves[number].type == "derivation":
                writer.add(evidence.leaf_file(number, "text.txt"), parse_record(records[0]).block)
    return Made(wanted, commit.checkpoint.size, key, said)


def _records(archive: Archive, number: int, leaf: Leaf) -> list[bytes]:
    """The records of a leaf as they were logged. Raises UsageError where there are none, or others in their place."""
    if not leaf.records:
        raise UsageError(f"#{number} is a {leaf.type} leaf, which has no records to prove: name a snapshot")
    records = archive.raw_records(number)
    if any(hashlib.sha256(record).hexdigest() != digest for record, digest in zip(records, leaf.records, strict=True)):
        raise UsageError(
            f"#{number} was withdrawn: what it held is gone and cannot be proved any more; a proof made before holds"
        )
    return records


def leaves_about(archive: Archive, numbers: Iterable[int]) -> list[int]:
    """The leaves asked for, and those that they are about or that were made of them, in order of number."""
    found: set[int] = set()
    waiting = list(numbers)
    while waiting:
        number = waiting.pop()
        if number in found:
            continue
        found.add(number)
        leaf = archive.leaf(number)
        if leaf.of is not None and leaf.type != "withdrawal":  # of which nothing is left
            waiting.append(leaf.of)
        if leaf.type == "capture":
            derivation = archive.snapshot(number).derivation
            waiting += [] if derivation is None else [derivation]
    return sorted(found)


def choose_checkpoint(archive: Archive, last: int) -> tuple[Commit, list[Stamp]]:
    """The earliest commit with a time stamp that holds all leaves up to #last, with its stamps; else the newest."""
    log, config = archive.root / "log", archive.config
    keys = config.keys()
    doubtful = [held.vkeys for held in validity(archive) if held.trusted_to is not None and held.trusted_to <= last]
    for size, replies in _stamped(archive, last).items():
        for commit in commits_of(log, config.origin, size, keys):
            stamps = list(_stamps_over(archive, commit, replies))
            if stamps and not any(_vkey(_signer(archive, commit)) in vkeys.split(" ") for vkeys in doubtful):
                return commit, stamps
    return newest_commit(log, keys), []


def _stamped(archive: Archive, last: int) -> dict[int, list[tuple[str, int]]]:
    """The replies that the log names over checkpoints of more leaves than `last`, by the size of these: their name
    without its ending, and the number of the leaf. A file that no leaf names may be anybody's."""
    found: dict[int, list[tuple[str, int]]] = {}
    for name, number, size, _, _ in archive.catalog.stamps():
        if size > last and name.endswith(".tsr"):
            found.setdefault(size, []).append((name.removesuffix(".tsr"), number))
    return {size: sorted(found[size]) for size in sorted(found)}


def _stamps_over(archive: Archive, commit: Commit, replies: Iterable[tuple[str, int]]) -> Iterator[Stamp]:
    """Those of the replies that are as logged and hold for this commit; the others `verify` complains about."""
    from muniment.formats.timestamp import check_reply

    log = Tree(archive.root / "log", newest_commit(archive.root / "log", archive.config.keys()).checkpoint)
    for stem, number in replies:
        names = [f"{stem}.{kind}" for kind in _KINDS]
        try:
            entry = archive.entry(number)
            log.prove_inclusion(number, entry)
            leaf = parse_leaf(entry)
            request, reply, pem = contents = [_logged(archive, commit.checkpoint.size, name, leaf) for name in names]
            roots, others = split_certificates(pem)
            said = check_reply(reply, commit.note.encode(), roots, request=request, intermediates=others)
        except (OSError, ValueError, IntegrityError) as e:
            import logging

            logging.getLogger(__name__).warning("%s is left out: %s; run `muniment verify`", names[1], e)
            continue
        yield Stamp({f"stamps/{name}": content for name, content in zip(names, contents, strict=True)}, said)


def _logged(archive: Archive, size: int, name: str, leaf: Leaf) -> bytes:
    """A file in `log/stamps/`. Raises OSError, and ValueError where it is not the one that the leaf names."""
    if parse_stamp_name(name).size != size or not evidence.is_name(f"stamps/{name}"):
        raise ValueError(f"{name} is no name of a stamp over {size} leaves")
    with open_regular(archive.root / "log" / "stamps" / name) as file:
        content = file.read(MAX_STAMP + 1)
    if hashlib.sha256(content).hexdigest() != (leaf.files or {}).get(name):
        raise ValueError(f"{name} is not the file that was logged")
    return content


def _signer(archive: Archive, commit: Commit) -> VerifierKey:
    """The newest Ed25519 key that signed this commit."""
    signed = [key for key, _ in signers_of(commit.note, archive.config.keys()) if key.algorithm == ED25519]
    if not signed:
        raise IntegrityError("the checkpoint is signed by no Ed25519 key of archive.toml: run `muniment verify`")
    return signed[-1]


def _vkey(key: VerifierKey) -> str:
    return format_vkey(key.name, key.key)
