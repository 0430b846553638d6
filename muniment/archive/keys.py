"""The archive's Ed25519 key pair. The private key lies outside the archive, as PKCS #8 PEM with mode 0600.

`openssl pkey -in FILE` reads it. Its folder is `$XDG_CONFIG_HOME/muniment/keys/`, else `~/.config/muniment/keys/`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from muniment.durable import replace
from muniment.errors import UsageError
from muniment.formats.checkpoint import Checkpoint, format_checkpoint
from muniment.formats.note import format_vkey, parse_vkey, sign_note

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def key_folder() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "muniment" / "keys"


def key_path(vkey: str) -> Path:
    """Where the private key that belongs to this verifier key lies."""
    key = parse_vkey(vkey)
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", key.name)
    return key_folder() / f"{name}+{key.identity.hex()}.pem"


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs checkpoints under the archive's origin."""

    origin: str
    key: Ed25519PrivateKey

    @property
    def vkey(self) -> str:
        return format_vkey(self.origin, self.key.public_key().public_bytes_raw())

    def sign_checkpoint(self, size: int, root: bytes) -> str:
        """The signed note over a checkpoint of this size and root."""
        text = format_checkpoint(Checkpoint(self.origin, size, root))
        return sign_note(text, self.origin, self.key.public_key().public_bytes_raw(), self.key.sign)


def create_signer(origin: str) -> Signer:
    """A new key pair; the private key is on the disk when this returns."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    signer = Signer(origin, Ed25519PrivateKey.generate())
    pem = signer.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = key_path(signer.vkey)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace(path, pem, mode=0o600)
    return signer


def load_signer(vkey: str) -> Signer:
    """The private key for this verifier key. Raises UsageError where it is missing, unreadable or another key's."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    path = key_path(vkey)
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        raise UsageError(
            f"the archive's private key is not at {path}: put your backup of it there (only writing needs it)"
        ) from None
    except OSError as e:
        raise UsageError(f"cannot read the private key {path}: {e.strerror}") from e
    except (ValueError, TypeError, UnsupportedAlgorithm) as e:  # their texts speak to programmers
        raise UsageError(f"{path} holds no private key (unencrypted PEM): put your backup of the key there") from e
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{path} holds no Ed25519 key: put the archive's own key there")
    signer = Signer(parse_vkey(vkey).name, key)
    if signer.vkey != vkey:
        raise UsageError(f"{path} holds another archive's key: put the key of {vkey} there")
    if path.stat().st_mode & 0o077:
        import logging

        logging.getLogger(__name__).warning("others may read the private key %s: chmod 600 it", path)
    return signer
