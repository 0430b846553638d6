"""A witness of our own, which cosigns checkpoints (C2SP tlog-cosignature)."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from muniment.formats.note import ED25519_COSIGNATURE, cosign_ed25519, format_vkey, parse_vkey, split_note

TIME = 1_700_000_000  # 2023-11-14


class Witness:
    """It cosigns what it is shown."""

    def __init__(self, name: str = "witness.example/w1") -> None:
        self.name, self._key = name, Ed25519PrivateKey.generate()
        self._public = self._key.public_key().public_bytes_raw()
        self.vkey = format_vkey(name, self._public, ED25519_COSIGNATURE)
        self.key = parse_vkey(self.vkey)

    def line(self, note: str, time: int = TIME) -> str:
        return cosign_ed25519(split_note(note)[0], self.name, self._public, self._key.sign, time)
