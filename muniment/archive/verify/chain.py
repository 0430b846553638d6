"""Which keys may sign the commits of a log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from muniment.archive.commit import Commit
from muniment.archive.config import Config, parse_keys
from muniment.archive.verify.finding import Finding, Request
from muniment.formats.leaf import Leaf, parse_leaf
from muniment.formats.note import VerifierKey, signers_of


class Chain:
    """Which keys may sign, commit by commit: the archive's first, then each that a key leaf brought in.

    A rotation is signed by the key before it too, and so vouched for. A key that came without (the old one was lost)
    counts only where the archive's holder, or the caller, names it; so does one that came from a key which somebody else
    may have had by then.
    """

    def __init__(self, config: Config, request: Request):
        self._sets = [*config.key_sets(), *config.in_force()[1:]]
        self._brought = list(request.keys)
        self._force = self._sets[0]
        self._vouched = self._is_named(self._force)
        self.notices: list[str] = []

    def _is_named(self, keys: Sequence[VerifierKey]) -> bool:
        """Whether whoever asks trusts these keys: all algorithms count that they named a key of."""
        if not self._brought:
            return any(set(keys) == set(named) for named in self._sets)
        named = [key for key in keys if key in self._brought]
        return bool(named) and {key.algorithm for key in self._brought} <= {key.algorithm for key in named}

    def check(self, commit: Commit, position: int, entries: Sequence[tuple[int, bytes]]) -> Iterator[Finding]:
        """The findings for a commit that holds these key leaves, by their numbers."""
        leaves = [(number, keys, leaf) for number, entry in entries for keys, leaf in _key_leaf(entry)]
        before = self._force
        if leaves:
            self._force = leaves[-1][1]
        signed, problem = set[VerifierKey](), None
        for key in dict.fromkeys((*before, *self._force)):
            try:
                signed |= {signer.key for signer in signers_of(commit.note, [key])}
            except ValueError as e:
                problem = e
        what = f"the checkpoint of {commit.checkpoint.size} leaves"
        missing = [key for key in self._force if key not in signed]
        if problem is not None:
            yield self._finding(f"{what}: {problem}", position)
        elif missing:
            yield self._finding(f"{what} is not signed by the key in force", position, missing[0].identity.hex())
        if leaves:
            self._note_rotation(all(key in signed for key in before), leaves[-1][0], leaves[-1][2])

    def _note_rotation(self, handed_over: bool, number: int, leaf: Leaf) -> None:
        stolen = leaf.size is not None and leaf.size <= number
        self._vouched = self._is_named(self._force) or (handed_over and not stolen and self._vouched)
        how = "with the earlier key's signature" if handed_over else "without the earlier key's signature"
        why = f": {leaf.reason}" if leaf.reason else ""
        self.notices.append(f"another key signs from #{number} on, {how}{why}")
        if leaf.size is not None and leaf.size < number:
            self.notices.append(
                f"somebody else may have had the earlier key:"
                f" #{leaf.size} to #{number - 1} rest on outside anchors alone"
            )

    def finish(self, commits: Sequence[Commit]) -> Iterator[Finding]:
        if commits and not self._vouched:
            detail = "the newest checkpoint is signed by a key that "
            detail += "you did not bring" if self._brought else "archive.toml does not name"
            trusted = self._brought or [key for keys in self._sets for key in keys]
            yield self._finding(detail, 0, " or ".join(sorted(key.identity.hex() for key in trusted)))

    @staticmethod
    def _finding(detail: str, position: int, expected: str | None = None) -> Finding:
        return Finding("signature", detail, file="log/commits", offset=position, expected=expected)


def _key_leaf(entry: bytes) -> Iterator[tuple[list[VerifierKey], Leaf]]:
    """The keys that a leaf brings in, where it is one that does."""
    with suppress(ValueError):
        leaf = parse_leaf(entry)
        if leaf.type == "key":
            yield parse_keys(leaf.key or ""), leaf
