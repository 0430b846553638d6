"""Signed notes, verifier keys, checkpoints and leaves: round trips, refusals, and a published note."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from muniment.formats.checkpoint import Checkpoint, format_checkpoint, parse_checkpoint
from muniment.formats.leaf import Leaf, canonical_json, format_leaf, parse_leaf
from muniment.formats.note import check_note, format_vkey, parse_vkey, sign_note, split_note

# From the documentation of golang.org/x/mod/sumdb/note: a key and a note that it signed.
PETER = parse_vkey("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
PETER_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
VKEY = parse_vkey(format_vkey("test.example/log", PUBLIC))


def test_a_note_that_another_implementation_signed_is_accepted() -> None:
    assert check_note(PETER_NOTE, [PETER]).startswith("If you think")


def test_our_notes_are_accepted_and_every_changed_character_is_refused() -> None:
    text = format_checkpoint(Checkpoint("test.example/log", 14, bytes(32)))
    note = sign_note(text, "test.example/log", PUBLIC, KEY.sign)
    assert check_note(note, [PETER, VKEY]) == text
    for i in range(len(note)):
        changed = note[:i] + chr(ord(note[i]) ^ 1) + note[i + 1 :]
        try:
            accepted = check_note(changed, [VKEY])
        except ValueError:
            continue
        # The last base64 digit before the padding carries bits that mean nothing; decoding must give the same bytes.
        assert accepted == text
        assert split_note(changed)[1] == split_note(note)[1]


def test_a_note_of_unknown_keys_only_is_refused() -> None:
    with pytest.raises(ValueError, match="no signature of a known key"):
        check_note(PETER_NOTE, [VKEY])


@pytest.mark.parametrize(
    "text",
    ["", "PeterNeumann", "PeterNeumann+c74f20a3", "Peter+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
     "Peter Neumann+c74f20a3+ARpc", "PeterNeumann+c74f20a3+not base64!"],
)  # fmt: skip
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a verifier key"):
        parse_vkey(text)


ROOT = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "text",
    ["", "o\n5\n", f"o\n05\n{ROOT}\n", f"o\n+5\n{ROOT}\n", f"o\n5\n{ROOT}", f"\n5\n{ROOT}\n", f"o\n-5\n{ROOT}\n",
     f"o\n5\n{ROOT[:-4]}\n", f"o\n5\n{ROOT}\nextension\n", f"o\n٥\n{ROOT}\n"],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a checkpoint"):
        parse_checkpoint(text)


def test_checkpoints_give_back_what_was_formatted() -> None:
    for size in (0, 1, 255, 10**12):
        checkpoint = Checkpoint("test.example/log", size, bytes([size % 256]) * 32)
        assert parse_checkpoint(format_checkpoint(checkpoint)) == checkpoint


def test_leaves_are_canonical_json_and_give_back_what_was_formatted() -> None:
    leaf = Leaf(
        "capture",
        "00010203-0405-0607-0809-0a0b0c0d0e0f",
        "2026-11-22T08:00:00.000000Z",
        (64 * "0", 64 * "f"),
        uri="https://example.org/كتاب",
        status=200,
    )
    entry = format_leaf(leaf)
    records = f'"records":["{43 * "A"}","{42 * "_"}8"]'
    assert entry.startswith(b'{"at":"2026-11-22T08:00:00.000000Z","id":"AAECAwQFBgcICQoLDA0ODw",' + records.encode())
    assert parse_leaf(entry) == leaf


def test_the_stamps_and_tombstones_of_a_leaf_are_given_back() -> None:
    identity = "00010203-0405-0607-0809-0a0b0c0d0e0f"
    for leaf in (
        Leaf("stamp", identity, "at", size=7, files={"7.a.tsr": 64 * "1", "7.a.tsq": 64 * "2"}),
        Leaf("withdrawal", identity, "at", (64 * "3",), of=3, tombstones={"3.0": 64 * "4"}),
        Leaf("key", identity, "at", key="a+b+c", reason="lost", size=12),
    ):
        assert parse_leaf(format_leaf(leaf)) == leaf


GOOD = b'{"at":"t","id":"AAECAwQFBgcICQoLDA0ODw","records":[],"type":"note"}'


@pytest.mark.parametrize(
    "entry",
    [b"", b"[]", b"{}", b"\xff", b'{"type":"capture"}', b'{"at":1}', b"[" * 60_000, GOOD.replace(b'"t"', b"5"),
     GOOD.replace(b'"note"', b"[]"), GOOD.replace(b'"note"', b'"note","of":-1'), GOOD.replace(b'"note"', b'"note","of":true'),
     GOOD.replace(b'"note"', b'"note","uri":{}'), GOOD.replace(b'"note"', b'"note","tombstones":[]'),
     GOOD.replace(b'"note"', b'"note","files":{"a":"b"}'), GOOD.replace(b'"note"', b'"note","size":1.5'),
     GOOD.replace(b"[]", b"{}"), GOOD.replace(b"[]", b"[5]"), GOOD.replace(b"Dw", b"Dx"), GOOD.replace(b'"note"', b'"note","x":1')],
)  # fmt: skip
def test_what_is_no_leaf_is_refused(entry: bytes) -> None:
    with pytest.raises(ValueError, match="not a leaf"):
        parse_leaf(entry)


def test_a_leaf_of_an_unknown_type_says_that_a_newer_version_wrote_it() -> None:
    entry = canonical_json({"type": "dance", "id": 22 * "A", "at": "t", "records": []})
    with pytest.raises(ValueError, match="newer muniment"):
        parse_leaf(entry)


def test_canonical_json_escapes_as_rfc_8785_says() -> None:
    assert canonical_json({"b": '\u20ac\x0f\n"\\\x7f', "a": [1, None]}) == (
        b'{"a":[1,null],"b":"\xe2\x82\xac\\u000f\\n\\"\\\\\x7f"}'
    )
