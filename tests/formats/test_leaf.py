"""The leaves of the log, read in full and in part."""

from __future__ import annotations

import random
import uuid

import pytest

from muniment.formats.leaf import Leaf, format_leaf, parse_leaf, records_of


def test_the_records_of_a_leaf_are_found_without_parsing_it() -> None:
    chosen = random.Random(20261122)
    hostile = ['","', '"records":["', "\\", '"]', '"type":"capture"', "é\n", '\\"records\\":[\\"']
    for kind in ("capture", "revisit", "derivation", "attempt"):
        for _ in range(50):
            digests = tuple(f"{chosen.getrandbits(256):064x}" for _ in range(chosen.randint(1, 4)))
            uri = "".join(chosen.choices(hostile, k=4))
            entry = format_leaf(
                Leaf(kind, str(uuid.UUID(int=chosen.getrandbits(128))), "at", digests, uri=uri, reason=uri)
            )
            leaf = parse_leaf(entry)
            assert records_of(entry) == (
                leaf.type in ("capture", "revisit"),
                [bytes.fromhex(digest) for digest in digests],
            )
            assert leaf.records == digests
    for damaged in (b"", b"{}", b'{"records":["aa"', b'{"records":["aaaaa"]}'):
        with pytest.raises(ValueError):
            records_of(damaged)
