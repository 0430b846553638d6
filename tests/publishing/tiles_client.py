"""A program that reads a tiled log over HTTP, written from the C2SP texts alone: tlog-tiles, tlog-checkpoint, signed-note.

It shares no line with muniment, so that the two can disagree. It trusts the public key and nothing else: tiles,
entries and proofs count once they lead to the root of a checkpoint that the key signed.
"""

from __future__ import annotations

import base64
import hashlib
import urllib.error
import urllib.request
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Head(NamedTuple):
    """A signed checkpoint: the number of entries, and the root over them."""

    size: int
    root: bytes


class Refused(Exception):
    """What the server sent is not what the specification says, or is not what was signed."""


def leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def split(count: int) -> int:
    """RFC 6962 section 2.1: the largest power of two that is smaller than `count`."""
    k = 1
    while 2 * k < count:
        k *= 2
    return k


def tree_head(hashes: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, MTH."""
    if not hashes:
        return hashlib.sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    k = split(len(hashes))
    return node(tree_head(hashes[:k]), tree_head(hashes[k:]))


def tile_name(level: str, index: int, width: int) -> str:
    """tlog-tiles, "Merkle Tree": <L>/<N>[.p/<W>]."""
    digits = str(index)
    digits = "0" * (-len(digits) % 3) + digits
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    path = "/".join(["x" + group for group in groups[:-1]] + groups[-1:])
    return f"tile/{level}/{path}" + ("" if width == 256 else f".p/{width}")


class Client:
    """Reads the log at `prefix`, whose checkpoints `vkey` signs."""

    def __init__(self, prefix: str, vkey: str):
        self.prefix = prefix
        self.fetched: list[str] = []
        self.name, identity, key = vkey.split("+", 2)
        self.identity = bytes.fromhex(identity)
        self.key = base64.b64decode(key)

    def get(self, path: str) -> bytes | None:
        self.fetched.append(path)
        try:
            with urllib.request.urlopen(f"{self.prefix}/{path}", timeout=30) as response:
                return bytes(response.read())
        except urllib.error.HTTPError as e:
            e.close()
            if e.code == 404:
                return None
            raise

    def head(self) -> Head:
        note = self.get("checkpoint")
        if note is None:
            raise Refused("no checkpoint")
        return self.opened(note)

    def opened(self, note: bytes) -> Head:
        """signed-note and tlog-checkpoint: what a checkpoint says, if our key signed it."""
        text, blank, signatures = note.partition(b"\n\n")
        text += b"\n"
        if not blank or not signatures.endswith(b"\n"):
            raise Refused("not a signed note")
        if self.key[0] != 1 or hashlib.sha256(self.name.encode() + b"\n" + self.key).digest()[:4] != self.identity:
            raise Refused("not an Ed25519 verifier key")
        ours = []
        for line in signatures.decode().removesuffix("\n").split("\n"):
            dash, name, blob = line.split(" ")
            decoded = base64.b64decode(blob, validate=True)
            if dash == "—" and name == self.name and decoded[:4] == self.identity:
                ours.append(decoded[4:])
        if not ours:
            raise Refused("our key did not sign")
        for signature in ours:
            Ed25519PublicKey.from_public_bytes(self.key[1:]).verify(signature, text)
        origin, size, root, *extensions = text.decode().removesuffix("\n").split("\n")
        if origin != self.name or size != str(int(size)) or int(size) < 0 or "" in extensions:
            raise Refused("not a checkpoint of this log")
        return Head(int(size), base64.b64decode(root, validate=True))

    def resource(self, level: str, index: int, width: int) -> bytes:
        """A tile of this width; where the partial one is gone, the full one."""
        found = self.get(tile_name(level, index, width))
        if found is None and width < 256:
            found = self.get(tile_name(level, index, 256))
        if found is None:
            raise Refused(f"{tile_name(level, index, width)} is not there")
        return found

    def tile(self, level: int, index: int, size: int) -> list[bytes]:
        """The hashes that a tree of `size` entries has in this tile."""
        width = min(256, size // 256**level - 256 * index)
        content = self.resource(str(level), index, width)
        if len(content) not in (32 * width, 32 * 256):
            raise Refused(f"tile {level}/{index} is {len(content)} bytes long, for {width} hashes")
        return [content[32 * i : 32 * i + 32] for i in range(width)]

    def bundle(self, index: int, size: int) -> list[bytes]:
        """The entries that a tree of `size` entries has in this bundle."""
        width = min(256, size - 256 * index)
        content, entries, place = self.resource("entries", index, width), list[bytes](), 0
        while place < len(content):
            length = int.from_bytes(content[place : place + 2], "big")
            entries.append(content[place + 2 : place + 2 + length])
            place += 2 + length
        if place != len(content) or len(entries) not in (width, 256):
            raise Refused(f"bundle {index} holds {len(entries)} entries, not {width}")
        return entries[:width]

    def entries(self, head: Head) -> list[bytes]:
        """Every entry; they have the root that was signed."""
        found = [entry for index in range(-(-head.size // 256)) for entry in self.bundle(index, head.size)]
        if tree_head([leaf(entry) for entry in found]) != head.root:
            raise Refused("the entries do not have the root")
        return found

    def hashes(self, head: Head) -> list[bytes]:
        """The hash of every entry, from the tiles of all levels; they have the root that was signed."""
        below: list[bytes] = []
        level = 0
        while head.size // 256**level:
            count = head.size // 256**level
            here = [one for index in range(-(-count // 256)) for one in self.tile(level, index, head.size)]
            if level and here != [tree_head(below[256 * i : 256 * i + 256]) for i in range(count)]:
                raise Refused(f"level {level} does not belong to the level below")
            if not level:
                leaves = here
            below, level = here, level + 1
        if not head.size:
            leaves = []
        if tree_head(leaves) != head.root:
            raise Refused("the tiles do not have the root")
        return leaves

    def subtree(self, start: int, end: int, size: int) -> bytes:
        """MTH(D[start:end]), as RFC 6962 splits a tree of `size` entries, from as few tiles as it takes."""
        count = end - start
        if count & (count - 1):
            middle = start + split(count)
            return node(self.subtree(start, middle, size), self.subtree(middle, end, size))
        level = 0
        while 256 ** (level + 1) <= count and start % 256 ** (level + 1) == 0:
            level += 1
        first, last = start // 256**level, end // 256**level
        return tree_head(self.tile(level, first // 256, size)[first % 256 : first % 256 + last - first])

    def check_inclusion(self, number: int, entry: bytes, head: Head) -> None:
        """The way from the entry to the signed root, over the neighbours on the way (RFC 6962 section 2.1.1)."""

        def way(start: int, end: int) -> bytes:
            if end - start == 1:
                return leaf(entry)
            middle = start + split(end - start)
            if number < middle:
                return node(way(start, middle), self.subtree(middle, end, head.size))
            return node(self.subtree(start, middle, head.size), way(middle, end))

        if way(0, head.size) != head.root:
            raise Refused(f"entry {number} is not in the tree of {head.size}")

    def check_consistency(self, old: Head, new: Head) -> None:
        """That the new tree begins with the old one: one set of hashes has to give both roots (section 2.1.2)."""
        shared: list[bytes] = []

        def way(start: int, end: int) -> bytes:
            if end <= old.size:
                shared.append(self.subtree(start, end, new.size))
                return shared[-1]
            if start >= old.size:
                return self.subtree(start, end, new.size)
            middle = start + split(end - start)
            left = way(start, middle)
            return node(left, way(middle, end))

        if way(0, new.size) != new.root:
            raise Refused(f"the tiles do not have the root of {new.size}")
        root = shared.pop()
        while shared:
            root = node(shared.pop(), root)
        if root != old.root:
            raise Refused(f"the tree of {new.size} does not continue that of {old.size}")
