"""Which keys may sign the commits of a log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from muniment.archive.commit import Commit
from muniment.archive.config import Config
from muniment.archive.verify.finding import Finding, Request
from muniment.formats.leaf import Leaf, parse_leaf
from muniment.formats.note import VerifierKey, parse_vkey, signers_of


class Chain:
    """Which keys may sign, commit by commit: the archive's first, then each that a key leaf brought in.

    A rotation is signed by the key before it too, and so vouched for. A key that came without (the old one was lost)
    counts only where the archive's holder, or the caller, names it.
    """

    def __init__(self, config: Config, request: Request):
        self._sets = config.key_sets()
        self._trusted = {key.identity for key in request.keys or config.keys()}
        named = config.keys()
        self._known = {key.identity: key for key in named}
        self._force: Sequence[VerifierKey] = self._sets[0]
        self._vouched = any(key.identity in self._trusted for key in self._force)
        self._brought = bool(request.keys)
        self.notices: list[str] = []

    def check(self, commit: Commit, position: int, entries: Sequence[tuple[int, bytes]]) -> Iterator[Finding]:
        """The findings for a commit that holds these key leaves, by their numbers."""
        leaves = [(number, parse_leaf(entry)) for number, entry in entries if _is_leaf(entry)]
        before = self._force
        for _, leaf in leaves:
            with suppress(ValueError):
                self._force = [parse_vkey(vkey) for vkey in (leaf.key or "").split(" ")]
                self._known.update((key.identity, key) for key in self._force)
        rotated = self._force is not before
        try:
            signers = {signed.key.identity for signed in signers_of(commit.note, list(self._known.values()))}
        except ValueError as e:
            yield self._finding(f"the checkpoint of {commit.checkpoint.size} leaves: {e}", position)
            return
        missing = [key for key in self._force if key.identity not in signers]
        if missing:
            detail = f"the checkpoint of {commit.checkpoint.size} leaves is not signed by the key in force"
            yield self._finding(detail, position, missing[0].identity.hex())
        if rotated:
            self._note_rotation(before, signers, *leaves[-1])

    def _note_rotation(self, before: Sequence[VerifierKey], signers: set[bytes], number: int, leaf: Leaf) -> None:
        named = any(key.identity in self._trusted for key in self._force)
        handed_over = all(old.identity in signers for old in before)
        self._vouched = named or (handed_over and self._vouched)
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
            yield self._finding(detail, 0, " or ".join(sorted(identity.hex() for identity in self._trusted)))

    @staticmethod
    def _finding(detail: str, position: int, expected: str | None = None) -> Finding:
        return Finding("signature", detail, file="log/commits", offset=position, expected=expected)


def _is_leaf(entry: bytes) -> bool:
    with suppress(ValueError):
        return parse_leaf(entry).type == "key"
    return False
