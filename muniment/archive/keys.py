"""The archive's key pair. The private key lies outside the archive, as PKCS #8 PEM with mode 0600.

Ed25519, which `openssl pkey -in FILE` reads; behind it in the same file, where it was asked for, an ML-DSA-44 key, of
which the signatures a quantum computer does not forge. With a passphrase both are encrypted (PBES2). The folder is
`$XDG_CONFIG_HOME/muniment/keys/`, else `~/.config/muniment/keys/`.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Container
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muniment.durable import replace
from muniment.errors import UsageError
from muniment.formats.checkpoint import Checkpoint, format_checkpoint
from muniment.formats.note import MLDSA44_COSIGNATURE, cosign_mldsa, format_vkey, parse_vkey, sign_note

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

PASSPHRASE, PASSPHRASE_FILE = "MUNIMENT_PASSPHRASE", "MUNIMENT_PASSPHRASE_FILE"
_PEM = re.compile(rb"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----\n?", re.DOTALL)
Ask = Callable[[str], str]


def key_folder() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "muniment" / "keys"


def key_path(vkeys: str) -> Path:
    """Where the private key that belongs to these verifier keys lies."""
    key = parse_vkey(vkeys.partition(" ")[0])
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", key.name)
    return key_folder() / f"{name}+{key.identity.hex()}.pem"


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs checkpoints under the archive's origin."""

    origin: str
    key: Ed25519PrivateKey
    mldsa: MLDSA44PrivateKey | None = None

    @property
    def vkeys(self) -> str:
        """The verifier keys, as `archive.toml` has them."""
        first = format_vkey(self.origin, self.key.public_key().public_bytes_raw())
        if self.mldsa is None:
            return first
        return f"{first} {format_vkey(self.origin, self.mldsa.public_key().public_bytes_raw(), MLDSA44_COSIGNATURE)}"

    def sign_checkpoint(self, size: int, root: bytes, *, handing_over: Signer | None = None) -> str:
        """The signed note over a checkpoint of this size and root; with the earlier key's signature in front, where
        that key hands over to this one."""
        text = format_checkpoint(Checkpoint(self.origin, size, root))
        lines = [*(handing_over.signatures(text) if handing_over else ()), *self.signatures(text)]
        return f"{text}\n{''.join(lines)}"

    def signatures(self, text: str) -> list[str]:
        """The signature lines over a note's text."""
        note = sign_note(text, self.origin, self.key.public_key().public_bytes_raw(), self.key.sign)
        lines = [note.removeprefix(f"{text}\n")]
        if self.mldsa is not None:
            public = self.mldsa.public_key().public_bytes_raw()
            lines.append(cosign_mldsa(text, self.origin, public, self.mldsa.sign, int(time.time())))
        return lines


def create_signer(
    origin: str, *, passphrase: str | None = None, post_quantum: bool = False, taken: Container[bytes] = ()
) -> Signer:
    """A new key pair, of none of the key ids that are `taken`; the private key is on the disk when this returns. Raises
    UsageError where `cryptography` has no ML-DSA."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    mldsa = None
    if post_quantum:
        from cryptography.exceptions import UnsupportedAlgorithm

        try:
            from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

            mldsa = MLDSA44PrivateKey.generate()
        except (ImportError, UnsupportedAlgorithm):
            raise UsageError(
                "this machine's `cryptography` has no ML-DSA-44: install a newer one, or leave --post-quantum out"
            ) from None
    while True:
        signer = Signer(origin, Ed25519PrivateKey.generate(), mldsa)
        if parse_vkey(signer.vkeys.partition(" ")[0]).identity not in taken:
            break
    store_signer(signer, passphrase)
    return signer


def store_signer(signer: Signer, passphrase: str | None) -> None:
    """Write the private key to its place, encrypted where there is a passphrase."""
    from cryptography.hazmat.primitives import serialization

    how: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        how = serialization.BestAvailableEncryption(passphrase.encode())
    pem = b"".join(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
        for key in (signer.key, signer.mldsa)
        if key is not None
    )
    path = key_path(signer.vkeys)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace(path, pem, mode=0o600)


def is_encrypted(vkeys: str) -> bool:
    """Whether the private key for these verifier keys lies here, with a passphrase."""
    try:
        return b"ENCRYPTED" in key_path(vkeys).read_bytes()
    except OSError:
        return False


def load_signer(vkeys: str, ask: Ask | None = None) -> Signer:
    """The private key for these verifier keys. `ask` is called with a prompt where a passphrase is needed and the
    environment names none. Raises UsageError where the key is missing, unreadable or another one."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = key_path(vkeys)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(
            f"the archive's private key is not at {path}: put your backup of it there (only writing needs it); where it"
            " is lost for good, see `muniment key rotate --lost`"
        ) from None
    except OSError as e:
        raise UsageError(f"cannot read the private key {path}: {e.strerror}") from e
    passphrase = _passphrase(path, ask) if b"ENCRYPTED" in content else None
    loaded = [_load(pem, path, passphrase) for pem in _PEM.findall(content)] or [_load(content, path, passphrase)]
    first, *more = loaded
    if not isinstance(first, Ed25519PrivateKey):
        raise UsageError(f"{path} holds no Ed25519 key: put the archive's own key there")
    signer = Signer(parse_vkey(vkeys.partition(" ")[0]).name, first, more[0] if more else None)
    if signer.vkeys != vkeys:
        raise UsageError(f"{path} holds another archive's key: put the key of {vkeys} there")
    if path.stat().st_mode & 0o077:
        import logging

        logging.getLogger(__name__).warning("others may read the private key %s: chmod 600 it", path)
    return signer


def _load(pem: bytes, path: Path, passphrase: str | None) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(pem, password=passphrase.encode() if passphrase else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as e:  # their texts speak to programmers
        if passphrase is not None:
            raise UsageError(f"the passphrase does not open {path}") from e
        raise UsageError(f"{path} holds no private key (PEM): put your backup of the key there") from e


def _passphrase(path: Path, ask: Ask | None) -> str:
    """From the environment, or from the person at the terminal."""
    if given := os.environ.get(PASSPHRASE):
        return given
    if file := os.environ.get(PASSPHRASE_FILE):
        try:
            return Path(file).read_text(encoding="utf-8").rstrip("\n")
        except (OSError, ValueError) as e:
            raise UsageError(f"cannot read the passphrase in {file} ({PASSPHRASE_FILE}): {e}") from e
    if ask is None:
        raise UsageError(f"the private key {path} is encrypted: set {PASSPHRASE_FILE} to a file with its passphrase")
    return ask(f"Passphrase of {path}")
