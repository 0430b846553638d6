"""C2SP signed notes (https://c2sp.org/signed-note) and cosignatures (https://c2sp.org/tlog-cosignature).

    example.org/archive
    14
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — example.org/archive WQVnEWm0…

The text ends in a newline; a blank line parts it from the signature lines. A verifier key ("vkey") is
`<name>+<key id in hex>+<base64 of the algorithm byte and the public key>`.

| algorithm | signs | public key | signature after the key id |
| --- | --- | --- | --- |
| 1 Ed25519 | the text | 32 bytes | 64 bytes |
| 4 Ed25519, cosignature | `cosignature/v1`, the time, the text | 32 | 8 of time, 64 |
| 6 ML-DSA-44, cosignature | `subtree/v1`: name, time, origin, size, root | 1312 | 8 of time, 2420 |
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

ED25519 = 1
ED25519_COSIGNATURE = 4
MLDSA44_COSIGNATURE = 6
_KEY_LENGTHS = {ED25519: 32, ED25519_COSIGNATURE: 32, MLDSA44_COSIGNATURE: 1312}
_MAX_SIGNATURES = 100
_SIGNATURE = "— "
_NAME = re.compile(r"[^\s+]+\Z")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A named public key; `identity` is the four bytes that a signature line starts with."""

    name: str
    identity: bytes
    algorithm: int
    key: bytes


class Signed(NamedTuple):
    """A signature that holds: whose, and the time that a cosignature states (it may state none)."""

    key: VerifierKey
    time: datetime | None


def is_key_name(name: str) -> bool:
    """Key names hold no white space and no plus sign, and are not empty."""
    return bool(_NAME.match(name))


def key_identity(name: str, algorithm: int, key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + bytes([algorithm]) + key).digest()[:4]


def format_vkey(name: str, key: bytes, algorithm: int = ED25519) -> str:
    """The vkey of a public key: 32 bytes, of ML-DSA-44 1312."""
    identity = key_identity(name, algorithm, key)
    return f"{name}+{identity.hex()}+{base64.b64encode(bytes([algorithm]) + key).decode()}"


def parse_vkey(text: str) -> VerifierKey:
    """Raises ValueError where the text is no vkey, its key id does not belong to its key, or its type is not known."""
    name, _, rest = text.strip().partition("+")
    identity, _, encoded = rest.partition("+")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as e:
        raise ValueError(f"not a verifier key: {text!r}") from e
    if not is_key_name(name) or len(key) < 2 or key_identity(name, key[0], key[1:]).hex() != identity:
        raise ValueError(f"not a verifier key: {text!r}")
    if key[0] not in _KEY_LENGTHS:
        raise ValueError(f"the verifier key of {name} is of type {key[0]}; 1, 4 and 6 are known")
    if len(key) != 1 + _KEY_LENGTHS[key[0]]:
        raise ValueError(f"not a verifier key: {text!r}: {len(key) - 1} bytes of key")
    return VerifierKey(name, bytes.fromhex(identity), key[0], key[1:])


def sign_note(text: str, name: str, key: bytes, sign: Callable[[bytes], bytes]) -> str:
    """The note over `text` (which ends in a newline). `key` is the public key that belongs to `sign`."""
    if not text.endswith("\n") or "\n\n" in text:
        raise ValueError("a note's text ends in a newline and holds no blank line")
    return f"{text}\n{_signature_line(name, ED25519, key, sign(text.encode()))}"


def cosign_ed25519(text: str, name: str, key: bytes, sign: Callable[[bytes], bytes], time: int) -> str:
    """A cosignature's line, to stand below a note over `text`; `time` in seconds of the epoch."""
    signature = sign(_cosigned_text(text, time))
    return _signature_line(name, ED25519_COSIGNATURE, key, struct.pack(">Q", time) + signature)


def cosign_mldsa(text: str, name: str, key: bytes, sign: Callable[[bytes], bytes], time: int) -> str:
    """The line of an ML-DSA-44 cosignature of a checkpoint; a `time` of 0 makes no statement about time."""
    signature = sign(_cosigned_subtree(text, name, time))
    return _signature_line(name, MLDSA44_COSIGNATURE, key, struct.pack(">Q", time) + signature)


def _signature_line(name: str, algorithm: int, key: bytes, signature: bytes) -> str:
    return f"{_SIGNATURE}{name} {base64.b64encode(key_identity(name, algorithm, key) + signature).decode()}\n"


def _cosigned_text(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def _cosigned_subtree(text: str, name: str, time: int) -> bytes:
    """tlog-cosignature's `cosigned_message`. Raises ValueError where the text is no checkpoint."""
    origin, size, root, *_extensions = [*text.split("\n"), "", "", ""]
    try:
        end, tree = int(size), base64.b64decode(root, validate=True)
        if str(end) != size or not 0 <= end < 1 << 64 or len(tree) != 32:
            raise ValueError(size)
        names = [bytes([len(one.encode())]) + one.encode() for one in (name, origin) if one]
        return b"subtree/v1\n\x00" + names[0] + struct.pack(">Q", time) + names[1] + struct.pack(">QQ", 0, end) + tree
    except (ValueError, IndexError) as e:
        raise ValueError("only a checkpoint can be cosigned with ML-DSA-44") from e


def split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The text, and each signature as (key name, bytes). Raises ValueError where the note is malformed."""
    text, blank, tail = note.rpartition("\n\n")
    if not blank or not tail.endswith("\n") or _CONTROL.search(note):
        raise ValueError("not a signed note")
    if tail.count("\n") > _MAX_SIGNATURES:
        raise ValueError(f"more than {_MAX_SIGNATURES} signatures")
    signatures = []
    for line in tail[:-1].split("\n"):
        name, _, encoded = line.removeprefix(_SIGNATURE).partition(" ")
        try:
            signature = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as e:
            raise ValueError(f"malformed signature line {line!r}") from e
        if not line.startswith(_SIGNATURE) or not is_key_name(name) or len(signature) < 5:
            raise ValueError(f"malformed signature line {line!r}")
        signatures.append((name, signature))
    return text + "\n", signatures


def check_note(note: str, keys: Sequence[VerifierKey]) -> str:
    """The text of a note that at least one of `keys` signed. Raises ValueError: malformed, unsigned, or signed wrongly.

    Signatures of unknown keys are passed over; a wrong signature of a known key refuses the note.
    """
    if not signers_of(note, keys):
        raise ValueError("no signature of a known key")
    return split_note(note)[0]


def signers_of(note: str, keys: Sequence[VerifierKey]) -> list[Signed]:
    """Which of `keys` signed or cosigned a note, in the order of its lines. Raises ValueError: malformed, or a wrong
    signature of a known key."""
    text, signatures = split_note(note)
    known = {(key.name, key.identity): key for key in keys}
    found = []
    for name, signature in signatures:
        key = known.get((name, signature[:4]))
        if key is not None:
            found.append(Signed(key, _check_signature(text, key, signature[4:])))
    return found


def _check_signature(text: str, key: VerifierKey, signature: bytes) -> datetime | None:
    """The time of a signature that holds, where it states one. Raises ValueError where it does not hold."""
    from cryptography.exceptions import InvalidSignature

    time: int | None = None
    message = text.encode()
    if key.algorithm != ED25519:
        if len(signature) < 8:
            raise ValueError(f"the signature of {key.name} is cut short")
        time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
        mldsa = key.algorithm == MLDSA44_COSIGNATURE
        message = _cosigned_subtree(text, key.name, time) if mldsa else _cosigned_text(text, time)
    try:
        if key.algorithm == MLDSA44_COSIGNATURE:
            _verify_mldsa(key.key, signature, message)
        else:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

            Ed25519PublicKey.from_public_bytes(key.key).verify(signature, message)
        return datetime.fromtimestamp(time, UTC) if time else None
    except InvalidSignature:
        raise ValueError(f"the signature of {key.name} does not belong to this text") from None
    except (OverflowError, OSError) as e:
        raise ValueError(f"the signature of {key.name} states a time that is none") from e


def _verify_mldsa(key: bytes, signature: bytes, message: bytes) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

        MLDSA44PublicKey.from_public_bytes(key).verify(signature, message)
    except (ImportError, UnsupportedAlgorithm) as e:
        raise ValueError("this machine's `cryptography` cannot check ML-DSA-44: install a newer one") from e
