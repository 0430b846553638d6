"""Signatures of the three types, tlog-proof files, and checkpoints that other programs signed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from muniment.formats.checkpoint import Checkpoint, format_checkpoint
from muniment.formats.note import (
    ED25519_COSIGNATURE,
    MLDSA44_COSIGNATURE,
    check_note,
    cosign_ed25519,
    cosign_mldsa,
    format_vkey,
    parse_vkey,
    sign_note,
    signers_of,
)
from muniment.formats.proof import Proof, format_proof, parse_proof

LOG = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
WITNESS = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
LATTICE = MLDSA44PrivateKey.from_seed_bytes(bytes(range(2, 34)))
LOG_KEY, WITNESS_KEY, LATTICE_KEY = (one.public_key().public_bytes_raw() for one in (LOG, WITNESS, LATTICE))
NAMES = ("test.example/log", "witness.example", "lattice.example")
KEYS = [
    parse_vkey(format_vkey(NAMES[0], LOG_KEY)),
    parse_vkey(format_vkey(NAMES[1], WITNESS_KEY, ED25519_COSIGNATURE)),
    parse_vkey(format_vkey(NAMES[2], LATTICE_KEY, MLDSA44_COSIGNATURE)),
]
TIME = 1_679_315_147
TEXT = format_checkpoint(Checkpoint(NAMES[0], 14, bytes(range(32))))
NOTE = (
    sign_note(TEXT, NAMES[0], LOG_KEY, LOG.sign)
    + cosign_ed25519(TEXT, NAMES[1], WITNESS_KEY, WITNESS.sign, TIME)
    + cosign_mldsa(TEXT, NAMES[2], LATTICE_KEY, LATTICE.sign, TIME)
)


def test_a_note_is_signed_and_cosigned_and_says_by_whom_and_when() -> None:
    when = datetime(2023, 3, 20, 12, 25, 47, tzinfo=UTC)
    assert signers_of(NOTE, KEYS) == list(zip(KEYS, (None, when, when), strict=True))
    for key in KEYS:
        assert check_note(NOTE, [key]) == TEXT
    assert signers_of(NOTE, []) == []


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_signature_of_a_known_key_that_does_not_hold_refuses_the_note(number: int) -> None:
    other = NOTE.replace("\n14\n", "\n15\n")
    with pytest.raises(ValueError, match="does not belong to this text"):
        signers_of(other, [KEYS[number]])
    assert signers_of(other, []) == []


@pytest.mark.parametrize("number", [1, 2])
def test_the_time_of_a_cosignature_cannot_be_changed(number: int) -> None:
    line = NOTE.splitlines(keepends=True)[4 + number]
    sign = cosign_ed25519 if number == 1 else cosign_mldsa
    stolen: list[bytes] = []
    key, real = (WITNESS_KEY, WITNESS.sign) if number == 1 else (LATTICE_KEY, LATTICE.sign)

    def keep(message: bytes) -> bytes:
        stolen.append(real(message))
        return stolen[0]

    sign(TEXT, NAMES[number], key, keep, TIME)
    later = sign(TEXT, NAMES[number], key, lambda message: stolen[0], TIME + 1)
    with pytest.raises(ValueError, match="does not belong"):
        signers_of(NOTE.replace(line, later), KEYS)


def test_a_cosignature_of_ml_dsa_may_state_no_time_and_is_over_a_checkpoint_only() -> None:
    silent = f"{TEXT}\n{cosign_mldsa(TEXT, NAMES[2], LATTICE_KEY, LATTICE.sign, 0)}"
    assert signers_of(silent, KEYS) == [(KEYS[2], None)]
    extended = TEXT + "an extension\n"
    assert signers_of(f"{extended}\n{cosign_mldsa(TEXT, NAMES[2], LATTICE_KEY, LATTICE.sign, 0)}", KEYS)
    for text in ("one line\n", "o\n05\nAAAA\n", f"\n{TEXT}"):
        with pytest.raises(ValueError, match="only a checkpoint"):
            cosign_mldsa(text, NAMES[2], LATTICE_KEY, LATTICE.sign, 0)


def test_a_key_is_known_by_its_name_and_its_id() -> None:
    renamed = NOTE.replace("— witness.example ", "— witness2.example ")
    assert [key.name for key, _ in signers_of(renamed, KEYS)] == [NAMES[0], NAMES[2]]


@pytest.mark.parametrize("algorithm", [2, 3, 5, 255])
def test_a_key_of_an_unknown_type_is_refused(algorithm: int) -> None:
    with pytest.raises(ValueError, match=f"of type {algorithm}; 1, 4 and 6 are known"):
        parse_vkey(format_vkey(NAMES[0], LOG_KEY, algorithm))


@pytest.mark.parametrize(("algorithm", "length"), [(1, 31), (1, 33), (4, 1312), (6, 32), (6, 1311)])
def test_a_key_of_a_wrong_length_is_refused(algorithm: int, length: int) -> None:
    with pytest.raises(ValueError, match="not a verifier key"):
        parse_vkey(format_vkey(NAMES[0], bytes(length), algorithm))


def test_a_note_with_a_control_character_or_a_thousand_signatures_is_refused() -> None:
    with pytest.raises(ValueError, match="not a signed note"):
        signers_of(NOTE.replace("\n14\n", "\n14\t\n"), KEYS)
    with pytest.raises(ValueError, match="signatures"):
        signers_of(NOTE + NOTE.splitlines(keepends=True)[-1] * 1000, KEYS)


PROOF = Proof(73894, (bytes(32), bytes(range(32))), NOTE)


@pytest.mark.parametrize(
    "proof", [PROOF, Proof(0, (), NOTE), Proof(5, (bytes(32),), NOTE, b"extra"), Proof(5, (), NOTE, b"")]
)
def test_a_proof_file_gives_back_what_was_formatted(proof: Proof) -> None:
    assert parse_proof(format_proof(proof)) == proof


GOOD = format_proof(PROOF)


@pytest.mark.parametrize(
    "text",
    ["", GOOD.replace("@v1", "@v2"), GOOD.replace("index 7", "index 07"), GOOD.replace("index 7", "index +7"),
     GOOD.replace("index 73894\n", ""), GOOD.replace("index", "extra !\nindex"), GOOD.replace("=\n\n", "=\n \n", 1),
     GOOD.replace("AAA=\n", "AAB=\n", 1), GOOD.replace("AAA=\n", "AAA\n", 1), GOOD.replace("AAA=\n", "AAA=\r\n", 1),
     GOOD.replace("index", "index 1\nindex"), GOOD.replace("AAAA", "", 1), "c2sp.org/tlog-proof@v1\n\n",
     "c2sp.org/tlog-proof@v1\nextra aa==\n\nx", GOOD.replace("\n\n", "\n" + "A" * 43 + "=\n" * 1, 1).replace("\n\n", "", 1)],
)  # fmt: skip
def test_what_is_no_proof_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_proof(text)


@pytest.fixture(scope="module")
def published() -> Path:
    if "MUNIMENT_DATA" not in os.environ:
        pytest.skip("MUNIMENT_DATA names no folder with the published checkpoints")
    return Path(os.environ["MUNIMENT_DATA"]) / "proofs" / "tlog-tiles"


def test_cosignatures_that_a_published_witness_made_hold(published: Path) -> None:
    """Two static-CT checkpoints, each cosigned by a witness whose key lies beside it."""
    checked = 0
    for folder in sorted((published / "cmd" / "skylight" / "testdata").glob("witness*")):
        keys = [parse_vkey(key) for key in json.loads((folder / "witness.v0.json").read_text())["verifier_keys"]]
        for path in folder.glob("[0-9a-f]*/checkpoint"):
            note = path.read_text()
            ((key, time),) = signers_of(note, keys)
            assert (key, time and time.year) == (keys[0], 2025)
            with pytest.raises(ValueError, match="does not belong"):
                signers_of(note.replace("\n300\n", "\n301\n"), keys)
            checked += 1
    assert checked == 2


def test_checkpoints_and_the_tiles_of_another_program_are_read(published: Path) -> None:
    """tessera's log: its key is not published beside it, so the signatures are not judged, but their form is."""
    from muniment.formats.checkpoint import parse_checkpoint
    from muniment.formats.note import split_note
    from muniment.formats.tile import parse_entries, split_hashes
    from muniment.formats.tlog import Edge, leaf_hash

    folder = published / "tessera" / "testdata" / "log"
    entries = list(parse_entries((folder / "tile" / "entries" / "000.p" / "15").read_bytes()))
    hashes = split_hashes((folder / "tile" / "0" / "000.p" / "15").read_bytes())
    assert list(map(leaf_hash, entries)) == hashes
    sizes = set()
    for path in folder.glob("checkpoint*"):
        text, signatures = split_note(path.read_text())
        checkpoint = parse_checkpoint(text)
        edge = Edge()
        for one in hashes[: checkpoint.size]:
            edge.append(one)
        assert (edge.root(), len(signatures)) == (checkpoint.root, 1)
        sizes.add(checkpoint.size)
    assert len(sizes) > 12


def test_the_checkpoints_in_the_scripts_of_a_witness_are_signed_as_the_scripts_say(published: Path) -> None:
    """litewitness: of the requests in its script the ones answered with 403 carry wrong signatures or another log."""
    script = published / "torchwood" / "cmd" / "litewitness" / "testdata" / "litewitness.txt"
    text = script.read_text()
    key = bytes.fromhex(re.findall(r"add-sigsum-log -key=([0-9a-f]{64})", text)[0])
    blocks = re.findall(r"\nold \d+\n(?:\S+\n)*\n(sigsum\.org\S*\n\d+\n\S+\n\n— .+\n)```\nHTTP (\d+)", text)
    origin = blocks[0][0].split("\n")[0]
    signer = parse_vkey(format_vkey(origin, key))
    outcomes = [(holds(check_note, note, signer), int(status)) for note, status in blocks]
    assert len(outcomes) > 6
    assert all(held == (status != 403) for held, status in outcomes)


def holds(check: Callable[..., str], note: str, key: object) -> bool:
    try:
        check(note, [key])
    except ValueError:
        return False
    return True
