"""C2SP signed notes with Ed25519 (https://c2sp.org/signed-note).

    example.org/archive
    14
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — example.org/archive WQVnEWm0…

The text ends in a newline; a blank line parts it from the signature lines. A verifier key ("vkey") is
`<name>+<key id in hex>+<base64 of the algorithm byte and the public key>`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ED25519 = 1
_SIGNATURE = "— "
_NAME = re.compile(r"[^\s+]+\Z")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A named public key; `identity` is the four bytes that a signature line starts with."""

    name: str
    identity: bytes
    algorithm: int
    key: bytes


def is_key_name(name: str) -> bool:
    """Key names hold no white space and no plus sign, and are not empty."""
    return bool(_NAME.match(name))


def key_identity(name: str, algorithm: int, key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + bytes([algorithm]) + key).digest()[:4]


def format_vkey(name: str, key: bytes) -> str:
    """The vkey of an Ed25519 public key of 32 bytes."""
    identity = key_identity(name, ED25519, key)
    return f"{name}+{identity.hex()}+{base64.b64encode(bytes([ED25519]) + key).decode()}"


def parse_vkey(text: str) -> VerifierKey:
    """Raises ValueError where the text is no vkey or its key id does not belong to its key."""
    name, _, rest = text.strip().partition("+")
    identity, _, encoded = rest.partition("+")
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error as e:
        raise ValueError(f"not a verifier key: {text!r}") from e
    if not is_key_name(name) or len(key) < 2 or key_identity(name, key[0], key[1:]).hex() != identity:
        raise ValueError(f"not a verifier key: {text!r}")
    return VerifierKey(name, bytes.fromhex(identity), key[0], key[1:])


def sign_note(text: str, name: str, key: bytes, sign: Callable[[bytes], bytes]) -> str:
    """The note over `text` (which ends in a newline). `key` is the public key that belongs to `sign`."""
    if not text.endswith("\n") or "\n\n" in text:
        raise ValueError("a note's text ends in a newline and holds no blank line")
    signature = key_identity(name, ED25519, key) + sign(text.encode())
    return f"{text}\n{_SIGNATURE}{name} {base64.b64encode(signature).decode()}\n"


def split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The text, and each signature as (key name, bytes). Raises ValueError where the note is malformed."""
    text, blank, tail = note.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise ValueError("not a signed note")
    signatures = []
    for line in tail[:-1].split("\n"):
        name, _, encoded = line.removeprefix(_SIGNATURE).partition(" ")
        try:
            signature = base64.b64decode(encoded, validate=True)
        except binascii.Error as e:
            raise ValueError(f"malformed signature line {line!r}") from e
        if not line.startswith(_SIGNATURE) or not is_key_name(name) or len(signature) < 5:
            raise ValueError(f"malformed signature line {line!r}")
        signatures.append((name, signature))
    return text + "\n", signatures


def check_note(note: str, keys: Sequence[VerifierKey]) -> str:
    """The text of a note that at least one of `keys` signed. Raises ValueError: malformed, unsigned, or signed wrongly.

    Signatures of unknown keys are passed over; a wrong signature of a known key refuses the note.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    text, signatures = split_note(note)
    known = {(key.name, key.identity): key for key in keys if key.algorithm == ED25519}
    vouched = False
    for name, signature in signatures:
        key = known.get((name, signature[:4]))
        if key is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key.key).verify(signature[4:], text.encode())
        except InvalidSignature:
            raise ValueError(f"the signature of {name} does not belong to this text") from None
        vouched = True
    if not vouched:
        raise ValueError("no signature of a known key")
    return text
