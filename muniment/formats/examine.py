"""Checks a proof that a stranger brings: the steps of verify.sh, in the same order and with the same numbers.

1. The files are those that SHA256SUMS lists, all of them and no others.
2. The records of each leaf have the digests that it states, in order, and none is left over.
3. Each leaf is in the tree of the checkpoint, which is the same in all proofs.
4. The checkpoint is signed by the key, and the key leaves, where there are any, lead from the keys before to it.
5. Each time stamp is over this very checkpoint, and leads to a root certificate.
6. The records say what the leaf says, lead to one another, and are no later than the time stamp.

A finding does not end the check, and nothing that is missing is passed over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from muniment.formats import evidence
from muniment.formats.agreement import MAX_HEAD, differences, read_head
from muniment.formats.checkpoint import Checkpoint, parse_checkpoint
from muniment.formats.leaf import Leaf, format_leaf, parse_leaf
from muniment.formats.note import VerifierKey, signers_of, split_note
from muniment.formats.page import describe_proof
from muniment.formats.proof import format_proof, parse_proof
from muniment.formats.spki import public_pem
from muniment.formats.succession import MAX_CHANGES, Change, changes_since, check_order, one_vkey, read_change
from muniment.formats.tile import MAX_ENTRY
from muniment.formats.tlog import check_inclusion, leaf_hash
from muniment.formats.warc import format_record_id, parse_record

if TYPE_CHECKING:
    from muniment.formats.timestamp import Stamped

SKEW = timedelta(seconds=60)  # that two clocks may differ
_ANOTHER = "that this version of muniment writes: do not {} it; it may be of another version"


class Finding(NamedTuple):
    """`finding` is a slug: file, record, inclusion, signature, stamp, or content."""

    finding: str
    file: str
    detail: str


class Written(NamedTuple):
    """What `muniment prove` puts into a proof and nobody signs: the SHA-256 (hex) of each verify.sh that some version
    wrote, and the template of each README.html."""

    scripts: Sequence[str]
    pages: Sequence[str]


class _Head(NamedTuple):
    """A record's SHA-256 in hex, the first of each of its headers, the length of its head with the blank line, and the
    first bytes of its block."""

    digest: str
    headers: Mapping[str, str]
    length: int
    block: bytes


@dataclass
class Examination:
    """Checks the files of a proof. `written`: what muniment puts into one. `keys`: one of these has to have signed, or
    to lead to the key that did. `roots`: time stamps have to lead to one of these (PEM); without, to those that came
    with the proof. What was found to hold stands in the other fields; `changes` are those of the keys, the last of
    which brought in `key`, `followed` those that lead from one of `keys` to it, and `unknown` the names of signers
    whose key is not known here."""

    files: evidence.Files
    written: Written
    keys: Sequence[VerifierKey] = ()
    roots: Sequence[bytes] = ()
    checkpoint: Checkpoint | None = None
    key: VerifierKey | None = None
    changes: Sequence[Change] = ()
    followed: Sequence[Change] = ()
    leaves: dict[int, Leaf] = field(default_factory=dict)
    stamps: list[Stamped] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    _heads: dict[tuple[int, int], _Head] = field(default_factory=dict)

    def run(self) -> Iterator[Finding]:
        sound = True
        for step in (
            self._check_files,
            self._check_records,
            self._check_tree,
            self._check_signature,
            self._check_stamps,
            self._check_content,
        ):
            for finding in step():
                sound = sound and finding.file == evidence.SCRIPT
                yield finding
        if sound:  # the page is made of what holds
            yield from self._check_page()

    # ---- 1

    def _check_files(self) -> Iterator[Finding]:
        try:
            sums = self.files.sums()
        except ValueError as e:
            yield Finding("file", evidence.SUMS, str(e))
            sums = {}
        for name in sorted({*sums, *self.files.names, *evidence.FIXED} - {evidence.SUMS}):
            problem = self._file_problem(name, sums.get(name))
            if problem:
                yield Finding("file", name, problem)
            elif name == evidence.SCRIPT and self.files.digest(name) not in self.written.scripts:
                yield Finding("file", name, f"it is not the script {_ANOTHER.format('run')}")

    def _file_problem(self, name: str, expected: str | None) -> str | None:
        if name not in self.files.names:
            return "it is missing"
        if expected is None:
            return "SHA256SUMS does not list it"
        try:
            return None if self.files.digest(name) == expected else "it is not as it was: SHA256SUMS has another digest"
        except ValueError as e:
            return str(e)

    # ---- 2

    def _check_records(self) -> Iterator[Finding]:
        numbers = sorted({found[0] for name in self.files.names if (found := evidence.leaf_of(name))})
        if not numbers:
            yield Finding("record", evidence.leaf_file(0, "leaf.json"), "there is no leaf in this proof")
        for number in numbers:
            name = evidence.leaf_file(number, "leaf.json")
            try:
                leaf = _read_leaf(self.files.read(name))
            except ValueError as e:
                yield Finding("record", name, str(e))
                continue
            self.leaves[number] = leaf
            yield from self._check_digests(number, leaf)

    def _check_digests(self, number: int, leaf: Leaf) -> Iterator[Finding]:
        expected = [evidence.record_name(number, part) for part in range(1, len(leaf.records) + 1)]
        prefix = evidence.leaf_file(number, "record-")
        for name in sorted(name for name in self.files.names if name.startswith(prefix) and name not in expected):
            yield Finding("record", name, f"leaf #{number} states no such record")
        if not expected:
            yield Finding("record", evidence.leaf_file(number, "leaf.json"), "it states no records")
        for part, (name, stated) in enumerate(zip(expected, leaf.records, strict=True), 1):
            try:
                head = self._read_head(name)
            except ValueError as e:
                yield Finding("record", name, str(e))
                continue
            if head.digest != stated:
                yield Finding("record", name, f"it does not have the digest that leaf #{number} states")
            else:
                self._heads[number, part] = head

    def _read_head(self, name: str) -> _Head:
        digest, start = hashlib.sha256(), b""
        for chunk in self.files.chunks(name):
            digest.update(chunk)
            if len(start) < 2 * MAX_HEAD:
                start += chunk[: 2 * MAX_HEAD]
        headers, length = read_head(start)
        return _Head(digest.hexdigest(), headers, length, start[length : length + 12])

    # ---- 3

    def _check_tree(self) -> Iterator[Finding]:
        try:
            note = self.files.read(evidence.CHECKPOINT).decode()
            self.checkpoint = parse_checkpoint(split_note(note)[0])
        except ValueError as e:
            yield Finding("inclusion", evidence.CHECKPOINT, str(e))
            return
        for number in sorted({found[0] for name in self.files.names if (found := evidence.leaf_of(name))}):
            name = evidence.proof_name(number)
            try:
                text = self.files.read(name).decode()
                proof = parse_proof(text)
                if proof.index != number:
                    raise ValueError(f"it is the proof of leaf #{proof.index}")
                if proof.checkpoint != note or proof.extra is not None or format_proof(proof) != text:
                    raise ValueError("it does not hold the checkpoint of the others, or more than it should")
                entry = self.files.read(evidence.leaf_file(number, "leaf.json"))
                root = self.checkpoint.root
                check_inclusion(leaf_hash(entry), number, self.checkpoint.size, proof.path, root)
            except ValueError as e:
                yield Finding("inclusion", name, str(e))

    # ---- 4

    def _check_signature(self) -> Iterator[Finding]:
        try:
            key = one_vkey(self.files.read(evidence.VKEY).decode())
        except ValueError as e:
            yield Finding("signature", evidence.VKEY, str(e))
            return
        try:
            if self.files.read(evidence.PEM) != public_pem(key):
                yield Finding("signature", evidence.PEM, "it is not the key of key.vkey")
        except ValueError as e:
            yield Finding("signature", evidence.PEM, str(e))
        if self.checkpoint is not None:
            yield from self._check_signer(key, self.checkpoint)
            yield from self._check_changes(key, self.checkpoint)
        if self.key is not None:
            known = {key.identity, *(change.before.identity for change in self.changes)}
            note = self.files.read(evidence.CHECKPOINT).decode()
            self.unknown = [name for name, line in split_note(note)[1] if line[:4] not in known]
        if self.keys and key not in self.keys:
            followed = changes_since(self.changes, self.keys)
            breaks = [change.told for change in followed if not change.is_vouched]
            for told in breaks:
                yield Finding("signature", evidence.VKEY, f"no key that you gave leads to it: {told}")
            if not followed:
                yield Finding("signature", evidence.VKEY, "it is none of the keys that you gave")
            elif not breaks:
                self.followed = followed

    def _check_signer(self, key: VerifierKey, checkpoint: Checkpoint) -> Iterator[Finding]:
        try:
            if key.name != checkpoint.origin:
                raise ValueError(f"it is a checkpoint of {checkpoint.origin}, and the key is {key.name}'s")
            note = self.files.read(evidence.CHECKPOINT).decode()
            if not signers_of(note, [key]):
                raise ValueError("the key did not sign it")
            self.key = key
        except ValueError as e:
            yield Finding("signature", evidence.CHECKPOINT, str(e))

    def _check_changes(self, key: VerifierKey, checkpoint: Checkpoint) -> Iterator[Finding]:
        numbers = sorted({number for name in self.files.names if (number := evidence.key_of(name)) is not None})
        name, found = evidence.FIRST_KEY, list[Change]()
        if not numbers and name not in self.files.names:
            return
        try:
            if len(numbers) > MAX_CHANGES:
                raise ValueError(f"more than {MAX_CHANGES} key leaves come after it")
            before = one_vkey(self.files.read(name).decode())
            for number in numbers:
                name, proof = evidence.key_files(number)
                entry = self.files.read(name)
                found.append(read_change(number, _read_leaf(entry), entry, self.files.read(proof).decode(), before))
                before = found[-1].key
            check_order(found, key, checkpoint)
            self.changes = found
        except ValueError as e:
            yield Finding("signature", name, str(e))

    # ---- 5

    def _check_stamps(self) -> Iterator[Finding]:
        for stem in self._stems():
            reply = f"{stem}.tsr"
            try:
                self.stamps.append(self._check_stamp(stem, self.roots))
            except ValueError as e:
                yield Finding("stamp", reply, str(e))

    def _stems(self) -> list[str]:
        return sorted({name.rpartition(".")[0] for name in self.files.names if name.startswith("stamps/")})

    def _check_stamp(self, stem: str, trusted: Sequence[bytes] = ()) -> Stamped:
        from muniment.formats.timestamp import check_reply

        reply, request, pem = (self.files.read(f"{stem}.{kind}") for kind in ("tsr", "tsq", "pem"))
        size = self.checkpoint.size if self.checkpoint else None
        if stem.removeprefix("stamps/").partition(".")[0] != str(size):
            raise ValueError("it is not over this checkpoint")
        roots, others = split_certificates(pem)
        data = self.files.read(evidence.CHECKPOINT)
        return check_reply(reply, data, trusted or roots, request=request, intermediates=others)

    # ---- 6

    def _check_content(self) -> Iterator[Finding]:
        limit = min((stamp.time for stamp in self.stamps), default=None)
        for (number, part), head in self._heads.items():
            name = evidence.record_name(number, part)
            try:
                date = _parse_date(head.headers.get("WARC-Date", ""))
            except ValueError:
                yield Finding("content", name, "it has no date")
                continue
            if limit is not None and date.replace(microsecond=0) > limit + SKEW:
                yield Finding(
                    "content", name, f"it says that it is of {date:%Y-%m-%dT%H:%M:%SZ}, after the time stamp over it"
                )
        for number, leaf in self.leaves.items():
            for problem in self._leaf_problems(number, leaf):
                yield Finding("content", evidence.leaf_file(number, "leaf.json"), problem)

    def _leaf_problems(self, number: int, leaf: Leaf) -> Iterator[str]:
        first = self._heads.get((number, 1))
        headers = first.headers if first else {}
        if first is not None:
            yield from differences(leaf, headers, first.block)
            if headers.get("WARC-Type") == "resource" and self._block_digest(number, first) != leaf.payload:
                yield "its record does not hold the payload that it states"
        if leaf.type in ("revisit", "derivation"):
            other = self.leaves.get(leaf.of) if leaf.of is not None else None
            if other is None:
                yield f"it is about leaf #{leaf.of}, which is not in this proof"
                return
            if headers.get("WARC-Refers-To") != format_record_id(other.id):
                yield f"its record does not refer to that of leaf #{leaf.of}"
            if leaf.type == "revisit" and leaf.payload != other.payload:
                yield f"it has not the payload of leaf #{leaf.of}"
        text = evidence.leaf_file(number, "text.txt")
        if leaf.type == "derivation":
            yield from self._text_problems(number, text)
        elif text in self.files.names:
            yield f"{text} belongs to no cleaned text"

    def _block_digest(self, number: int, head: _Head) -> str:
        """The SHA-256 of the block of a leaf's first record, which may be large."""
        length = head.headers.get("Content-Length", "")
        left = int(length) if length.isascii() and length.isdigit() and len(length) < 19 else 0
        skip, digest = head.length, hashlib.sha256()
        for chunk in self.files.chunks(evidence.record_name(number, 1)):
            piece = chunk[skip : skip + left]
            skip = max(0, skip - len(chunk))
            left -= len(piece)
            digest.update(piece)
        return digest.hexdigest()

    def _text_problems(self, number: int, text: str) -> Iterator[str]:
        try:
            if parse_record(self.files.read(evidence.record_name(number, 1))).block != self.files.read(text):
                yield f"{text} is not the text of its record"
        except ValueError as e:
            yield f"{text}: {e}"

    # ---- nobody signs the page

    def _check_page(self) -> Iterator[Finding]:
        if self.key is None:
            return
        try:
            page = self.files.read(evidence.README).decode()
            note = self.files.read(evidence.CHECKPOINT).decode()
            stamps = [self._check_stamp(stem) for stem in self._stems()]
            if any(
                page == describe_proof(template, self.leaves, self._metadata, note, self.key, stamps, self.changes)
                for template in self.written.pages
            ):
                return
        except ValueError:
            pass
        yield Finding("file", evidence.README, f"it is not the page {_ANOTHER.format('believe')}")

    def _metadata(self, number: int) -> bytes:
        return self.files.read(evidence.record_name(number, len(self.leaves[number].records)))


def _read_leaf(entry: bytes) -> Leaf:
    """A leaf that anybody may have written. Raises ValueError."""
    try:
        if len(entry) > MAX_ENTRY:
            raise ValueError(f"a leaf of more than {MAX_ENTRY} bytes")
        leaf = parse_leaf(entry)
        if format_leaf(leaf) != entry:
            raise ValueError("a leaf that is not in its canonical form")
    except (TypeError, AttributeError, RecursionError) as e:
        raise ValueError("not a leaf") from e
    texts = (leaf.type, leaf.at, leaf.uri or "", leaf.media or "", leaf.reason or "", leaf.stream or "")
    numbers = (leaf.of or 0, leaf.status or 0)
    if not all(type(text) is str for text in texts) or not all(type(number) is int for number in numbers):
        raise ValueError("a leaf with a field of another type")
    return leaf


def _parse_date(text: str) -> datetime:
    """A WARC-Date. Raises ValueError."""
    pattern = "%Y-%m-%dT%H:%M:%S.%fZ" if "." in text else "%Y-%m-%dT%H:%M:%SZ"
    return datetime.strptime(text, pattern).replace(tzinfo=UTC)


def split_certificates(pem: bytes) -> tuple[list[bytes], list[bytes]]:
    """The root certificates of a chain, which are issued by themselves, and the others; PEM. Raises ValueError."""
    from cryptography.hazmat.primitives.serialization import Encoding

    from muniment.formats.chain import parse_certificates

    roots, others = list[bytes](), list[bytes]()
    for certificate in parse_certificates(pem):
        of_itself = certificate.issuer == certificate.subject
        (roots if of_itself else others).append(certificate.public_bytes(Encoding.PEM))
    return roots, others
