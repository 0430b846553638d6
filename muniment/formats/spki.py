"""An Ed25519 public key as openssl reads it: SubjectPublicKeyInfo (RFC 8410)."""

from __future__ import annotations

import base64
import hashlib

from muniment.formats.note import VerifierKey

_SPKI = bytes.fromhex("302a300506032b6570032100")  # what stands before the key in DER


def public_der(key: VerifierKey) -> bytes:
    """An Ed25519 key as SubjectPublicKeyInfo; the SHA-256 of it is the key's fingerprint."""
    return _SPKI + key.key


def public_pem(key: VerifierKey) -> bytes:
    return b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(public_der(key)) + b"\n-----END PUBLIC KEY-----\n"


def fingerprint(key: VerifierKey) -> str:
    return hashlib.sha256(public_der(key)).hexdigest()
