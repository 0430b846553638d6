"""How one key of a log came after another: the key leaves that a proof holds, for whoever knows only an older key.

    keys/first.vkey        the key before the first of these leaves
    keys/20.json           a key leaf, its exact bytes: it names the key that signs from #20 on
    keys/20.tlog-proof     that it is in the log, with the checkpoint that brought it in

The key before signs that checkpoint as well as the new one, and so vouches for its successor. Where it did not (it was
lost), or where the leaf says that somebody else may have had it by then, nothing leads from it to the next; and then
that it ever was a key of this log is only said.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from muniment.formats.checkpoint import Checkpoint, parse_checkpoint
from muniment.formats.leaf import Leaf
from muniment.formats.note import ED25519, VerifierKey, parse_vkey, signers_of, split_note
from muniment.formats.proof import format_proof, parse_proof
from muniment.formats.tlog import check_inclusion, leaf_hash

MAX_CHANGES = 100  # in one proof, each of which costs two signatures and a path


class Change(NamedTuple):
    """`key` signs from leaf #`number` on, after `before`; `size` is that of the checkpoint that brought it in, and
    `signed` whether the key before signed that too. `since` is the leaf from which on somebody else may have had it."""

    number: int
    before: VerifierKey
    key: VerifierKey
    size: int
    signed: bool
    since: int | None
    reason: str | None

    @property
    def is_vouched(self) -> bool:
        """Whether the key before vouches for this one: its word counts for nothing once another may have had it."""
        return self.signed and (self.since is None or self.since > self.number)

    @property
    def told(self) -> str:
        """How the key took over, in words, with the reason that the leaf states."""
        how = "with" if self.signed else "without"
        told = f"another key signs from #{self.number} on, {how} the earlier key's signature"
        if self.signed and not self.is_vouched:
            told += f", which counts for nothing: somebody else may have had that key since #{self.since}"
        return f"{told}: {self.reason}" if self.reason else told


def one_vkey(line: str) -> VerifierKey:
    """The Ed25519 key of a file with one line. Raises ValueError."""
    key = parse_vkey(line)
    if key.algorithm != ED25519 or line != line.strip() + "\n":
        raise ValueError("not one line with an Ed25519 verifier key")
    return key


def read_change(number: int, leaf: Leaf, entry: bytes, text: str, before: VerifierKey) -> Change:
    """A change of keys, by its leaf (`entry` is its bytes), the text of its tlog-proof, and the key before.

    Raises ValueError where the leaf brings in no key, is not in the checkpoint's tree, the new key did not sign that,
    or a signature does not hold.
    """
    if leaf.type != "key":
        raise ValueError(f"it is no key leaf, but one of type {leaf.type}")
    key = parse_vkey((leaf.key or "").partition(" ")[0])
    if key.algorithm != ED25519:
        raise ValueError("the key that it names is no Ed25519 key")
    proof = parse_proof(text)
    if proof.index != number:
        raise ValueError(f"it is the proof of leaf #{proof.index}")
    if proof.extra is not None or format_proof(proof) != text:
        raise ValueError("its proof holds more than it should")
    checkpoint = parse_checkpoint(split_note(proof.checkpoint)[0])
    if {before.name, key.name} != {checkpoint.origin}:
        raise ValueError(f"its checkpoint is of {checkpoint.origin}, and the keys are not")
    check_inclusion(leaf_hash(entry), number, checkpoint.size, proof.path, checkpoint.root)
    signed = {signer.key for signer in signers_of(proof.checkpoint, (before, key))}
    if key not in signed:
        raise ValueError("the key that it names did not sign the checkpoint that brought it in")
    return Change(number, before, key, checkpoint.size, before in signed, leaf.size, leaf.reason)


def check_order(changes: Sequence[Change], key: VerifierKey, checkpoint: Checkpoint) -> None:
    """Raises ValueError where these changes, in order of number, do not lead up to `key`, which signed `checkpoint`."""
    ids = [change.key.identity for change in changes] + [change.before.identity for change in changes[:1]]
    if len(set(ids)) < len(ids):
        raise ValueError("a key comes twice, or two have the same id")
    for one, other in pairwise(changes):
        if other.number < one.size:
            raise ValueError(
                f"#{other.number} stands in the checkpoint of {one.size} leaves that brought in another key"
            )
    if not changes or changes[-1].key != key:
        raise ValueError("the key leaves do not lead to the key that signed the checkpoint")
    if changes[0].key.name != checkpoint.origin or changes[-1].size > checkpoint.size:
        raise ValueError("the key leaves are not of the log of the checkpoint, or come after it")


def changes_since(changes: Sequence[Change], keys: Sequence[VerifierKey]) -> Sequence[Change]:
    """The changes from the newest of these keys on; none where it is not among those that were followed by another."""
    places = [place for place, change in enumerate(changes) if change.before in keys]
    return changes[places[-1] :] if places else ()
