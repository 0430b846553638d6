"""Collects what a stranger needs to check some leaves, and writes it as a zip (formats/evidence.py, docs/format.md).

With a snapshot go the capture that holds its bytes, where it is a revisit, and the newest derivation. All leaves share
one checkpoint: the earliest one with a time stamp that covers them all, else the newest.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from muniment.archive.commit import Commit
from muniment.archive.proving import Tree, commits_of, newest_commit
from muniment.errors import IntegrityError, UsageError
from muniment.formats import evidence
from muniment.formats.examine import fingerprint, public_pem, split_certificates
from muniment.formats.leaf import Leaf, parse_leaf
from muniment.formats.note import ED25519, VerifierKey, format_vkey, signers_of
from muniment.formats.proof import Proof, format_proof
from muniment.formats.warc import parse_record
from muniment.regular import read_regular

if TYPE_CHECKING:
    from muniment.archive.archive import Archive
    from muniment.formats.timestamp import Stamped

MAX_LEAVES = 4000  # in one proof, which zip and reader have to hold
_FILES = Path(__file__).parent / "proof_files"
_REPLY = re.compile(r"(0|[1-9][0-9]{0,17})\.([A-Za-z0-9_-][A-Za-z0-9._-]*)\.tsr")
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


def write_proof(archive: Archive, numbers: Sequence[int], target: BinaryIO) -> Made:
    """Write the proof of these leaves. Raises UsageError, IntegrityError: nothing is given out that does not hold."""
    wanted = leaves_about(archive, numbers)
    if len(wanted) > MAX_LEAVES:
        raise UsageError(f"{len(wanted)} leaves are more than the {MAX_LEAVES} of one proof: ask for fewer at a time")
    commit, stamps = _choose_checkpoint(archive, max(wanted))
    key = _signer(archive, commit)
    tree = Tree(archive.root / "log", commit.checkpoint)
    entries = {number: archive.entry(number) for number in wanted}
    said = [stamp.said for stamp in stamps]
    page = _describe(archive, {number: parse_leaf(entry) for number, entry in entries.items()}, commit, key, said)
    with evidence.Writer(target) as writer:
        writer.add(evidence.README, page.encode())
        writer.add(evidence.SCRIPT, (_FILES / evidence.SCRIPT).read_bytes())
        writer.add(evidence.CHECKPOINT, commit.note.encode())
        writer.add(evidence.VKEY, f"{format_vkey(key.name, key.key)}\n".encode())
        writer.add(evidence.PEM, public_pem(key))
        for stamp in stamps:
            for name, content in stamp.files.items():
                writer.add(name, content)
        for number, entry in entries.items():
            path = tuple(tree.prove_inclusion(number, entry))
            writer.add(evidence.leaf_file(number, "leaf.json"), entry)
            writer.add(evidence.proof_name(number), format_proof(Proof(number, path, commit.note)).encode())
            records = _records(archive, number, parse_leaf(entry))
            for part, record in enumerate(records, 1):
                writer.add(evidence.record_name(number, part), record)
            if parse_leaf(entry).type == "derivation":
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


def _choose_checkpoint(archive: Archive, last: int) -> tuple[Commit, list[Stamp]]:
    from muniment.archive.rotation import validity

    log, config = archive.root / "log", archive.config
    keys = config.keys()
    doubtful = [held.vkeys for held in validity(archive) if held.trusted_to is not None and held.trusted_to <= last]
    for size, stems in sorted(_stamped(log / "stamps").items()):
        if size <= last:
            continue
        for commit in commits_of(log, config.origin, size, keys):
            stamps = list(_stamps_over(commit, stems))
            if stamps and not any(_vkey(_signer(archive, commit)) in vkeys.split(" ") for vkeys in doubtful):
                return commit, stamps
    return newest_commit(log, keys), []


def _stamped(folder: Path) -> dict[int, list[Path]]:
    """The replies in `log/stamps`, by the size of the checkpoint."""
    found: dict[int, list[Path]] = {}
    for path in sorted(folder.glob("*.tsr")):
        if match := _REPLY.fullmatch(path.name):
            found.setdefault(int(match[1]), []).append(path)
    return found


def _stamps_over(commit: Commit, replies: Iterable[Path]) -> Iterator[Stamp]:
    """Those of the replies that hold for this commit; the others `verify` complains about."""
    from muniment.formats.timestamp import check_reply

    for path in replies:
        try:
            request, reply, pem = contents = [read_regular(path.with_suffix(f".{kind}")) for kind in _KINDS]
            roots, others = split_certificates(pem)
            said = check_reply(reply, commit.note.encode(), roots, request=request, intermediates=others)
        except (OSError, ValueError) as e:
            import logging

            logging.getLogger(__name__).warning("%s is left out: %s; run `muniment verify`", path.name, e)
            continue
        names = [f"stamps/{path.with_suffix(f'.{kind}').name}" for kind in _KINDS]
        yield Stamp(dict(zip(names, contents, strict=True)), said)


def _signer(archive: Archive, commit: Commit) -> VerifierKey:
    """The newest Ed25519 key that signed this commit."""
    signed = [key for key, _ in signers_of(commit.note, archive.config.keys()) if key.algorithm == ED25519]
    if not signed:
        raise IntegrityError("the checkpoint is signed by no Ed25519 key of archive.toml: run `muniment verify`")
    return signed[-1]


def _lines_from(note: str, key: VerifierKey) -> int:
    """The place of a key's signature line, counted from the end of the note: others may sign too."""
    begin = base64.b64encode(key.identity + b"\0\0").decode()[:5]
    lines = note.splitlines()[::-1]
    return next((i for i, line in enumerate(lines, 1) if line.rpartition(" ")[2].startswith(begin)), 1)


def _vkey(key: VerifierKey) -> str:
    return format_vkey(key.name, key.key)


# ---- the page for people


def _describe(
    archive: Archive, leaves: dict[int, Leaf], commit: Commit, key: VerifierKey, stamps: Sequence[Stamped]
) -> str:
    shown = [number for number, leaf in leaves.items() if leaf.type in ("capture", "revisit", "attempt")] or list(
        leaves
    )
    titles = {number: _title(archive, number, leaves[number]) for number in shown}
    items = "\n".join(_item(number, leaves[number], titles[number], len(shown) > 1) for number in shown)
    template = Template((_FILES / evidence.README).read_text(encoding="utf-8"))
    others = len(set(titles.values())) - 1
    heading = f"{titles[shown[0]]}, and {others} more" if others else titles[shown[0]]
    return template.substitute(
        lines=_lines_from(commit.note, key),
        title=html.escape(heading),
        origin=html.escape(key.name),
        items=items,
        vkey=html.escape(format_vkey(key.name, key.key)),
        argument=html.escape(shlex.quote(format_vkey(key.name, key.key))),
        fingerprint=fingerprint(key),
        size=commit.checkpoint.size,
        root=base64.b64encode(commit.checkpoint.root).decode(),
        number=shown[0],
        **_words_of_stamps(stamps),
    )


def _title(archive: Archive, number: int, leaf: Leaf) -> str:
    snapshot = archive.catalog.snapshot(leaf.of if leaf.type == "revisit" and leaf.of is not None else number)
    return (snapshot.title if snapshot is not None else None) or leaf.uri or f"Entry {number}"


def _item(number: int, leaf: Leaf, title: str, many: bool) -> str:
    words = {
        "capture": "received",
        "revisit": f"received again, the same as entry {leaf.of}",
        "attempt": f"tried, and not received ({leaf.reason})",
    }
    facts = [
        ("Entry", f"{number}: {words.get(leaf.type, leaf.type)}"),
        ("Address", leaf.uri or ""),
        ("Time (the archive's clock)", f"{leaf.at[:10]} {leaf.at[11:19]} UTC"),
        ("SHA-256 of the content", leaf.payload or ""),
    ]
    rows = "".join(
        f"<dt>{name}</dt><dd{' class=hash' if value == leaf.payload else ''}>{html.escape(value)}</dd>"
        for name, value in facts
        if value
    )
    heading = f'<h3 dir="auto">{html.escape(title)}</h3>' if many else ""
    return f"{heading}<dl>{rows}</dl>"


def _words_of_stamps(stamps: Sequence[Stamped]) -> dict[str, str]:
    if not stamps:
        return {
            "proves": "",
            "stamps": "<dt>Time stamp</dt><dd>none</dd>",
            "limits": "When it was received: without a time stamp from outside the times rest on the archive's word.",
            "stamp_step": "",
        }
    rows = "".join(
        f"<dt>Time stamp</dt><dd>{stamp.time:%Y-%m-%d %H:%M:%S} UTC, by {html.escape(stamp.authority)}</dd>"
        f'<dt>SHA-256 of its root certificate</dt><dd class="hash">{stamp.root}</dd>'
        for stamp in stamps
    )
    first = min(stamps, key=lambda stamp: stamp.time)
    existed = f"{first.time:%Y-%m-%d} at {first.time:%H:%M:%S} UTC"
    authority = html.escape(first.authority)
    proves = f"<li>All of this existed on {existed}: {authority}, which is not the archive, says so.</li>"
    step = (
        "<li>The checkpoint existed at the time of the stamp. For each file in <code>stamps/</code> that ends in"
        " <code>.tsr</code>, with the time that the first command shows in place of TIME:\n"
        "<pre>openssl ts -reply -in stamps/NAME.tsr -text\n"
        "openssl ts -verify -data checkpoint -in stamps/NAME.tsr -CAfile stamps/NAME.pem"
        " -untrusted stamps/NAME.pem -attime $(date -u -d 'TIME' +%s)</pre>\n"
        "Compare the root certificate with the one that the authority publishes.</li>"
    )
    limits = "How much earlier than the time stamp it was received: the earlier times rest on the archive's word."
    return {"proves": proves, "stamps": rows, "limits": limits, "stamp_step": step}
