"""Time stamps of RFC 3161: what to ask an authority, and whether what it answered holds. Pure: nothing is asked here.

    request = make_request(data, nonce)       -> TimeStampReq, to be sent as application/timestamp-query
    stamped = check_reply(reply, data, roots) -> who signed, under which root, that `data` existed at which time

`check_reply` goes through these steps, and refuses the reply at the first that fails:

1. The reply is one DER value, grants the stamp, and holds one signature over one TSTInfo (timestamp_reply.py).
2. The stamp is over the SHA-256, SHA-384 or SHA-512 of the data, and has the request's digest, nonce and policy.
3. The signed attributes name the TSTInfo and the signer's certificate by their digests (RFC 5816).
4. That certificate is for time stamping alone, and says so in a critical extension.
5. Every certificate in the reply is the signer's, or issued one that is part of it.
6. The signature over the attributes is the signer's.
7. A chain leads from the signer to a given root, and all of it was valid at the time of the stamp.

What no signature covers and no step looks at is small: the authority's free words beside its status, and certificates
in the reply above those that the chain to the root needs. They decide nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from muniment.formats.chain import (
    check_belonging,
    check_signer,
    find_root,
    one_line,
    parse_certificates,
    readable_name,
)
from muniment.formats.der import check_der
from muniment.formats.timestamp_reply import HASHES, MALFORMED, TimestampReply, parse_timestamp_reply

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MAX_NONCE_BITS = 160

# signatureAlgorithm -> the kind of key, and the hash where the name holds one (else it is digestAlgorithm's)
_SCHEMES = {
    "rsassa_pkcs1v15": ("RSA", None),
    **{f"{name}_rsa": ("RSA", name) for name in HASHES},
    **{f"{name}_ecdsa": ("EC", name) for name in HASHES},
}


class Stamped(NamedTuple):
    """What a checked stamp says: its data existed at `time` (UTC), give or take `accuracy` seconds where that is told.

    `authority` is the signer's readable name, `root` the SHA-256 fingerprint (hex) of the certificate trusted.
    """

    time: datetime
    authority: str
    root: str
    serial: int
    policy: str
    accuracy: float | None


class Claimed(NamedTuple):
    """What a reply says of itself, unchecked, for showing; `certificates` in PEM, the signer's first."""

    time: datetime
    authority: str
    certificates: tuple[bytes, ...]


def make_request(data: bytes, nonce: int) -> bytes:
    """The request (DER TimeStampReq) for a stamp over the SHA-256 of `data`; the answer is to hold its certificate.

    `nonce` is a random number of up to 160 bits that the answer has to repeat. Raises ValueError where it is longer.
    """
    from asn1crypto import tsp

    if not 0 <= nonce < 1 << MAX_NONCE_BITS:
        raise ValueError(f"a nonce has 0 to {MAX_NONCE_BITS} bits, not {nonce.bit_length()}")
    imprint = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": hashlib.sha256(data).digest()}
    request = tsp.TimeStampReq({"version": "v1", "message_imprint": imprint, "nonce": nonce, "cert_req": True})
    return bytes(request.dump())


def check_reply(
    reply: bytes,
    data: bytes,
    roots: Sequence[bytes],
    *,
    request: bytes | None = None,
    intermediates: Sequence[bytes] = (),
) -> Stamped:
    """What `reply` proves of `data`. Raises ValueError with the reason, in one line, where it proves nothing.

    `roots` and `intermediates` are PEM files. Trusted are the certificates in `roots` that name themselves as issuer;
    all others only help to find the way to one of them. Without `request`, no nonce is compared.
    """
    parsed = parse_timestamp_reply(reply)  # step 1
    given = [certificate for pem in roots for certificate in parse_certificates(pem)]
    trusted = [certificate for certificate in given if certificate.issuer == certificate.subject]
    helpers = [*given, *(certificate for pem in intermediates for certificate in parse_certificates(pem))]
    if not trusted:
        raise ValueError("among the roots is no certificate that names itself as its issuer")
    embedded = list(parsed.certificates)
    certificate_asked = _check_asked(parsed, data, request)  # step 2
    signer = _find_signer(parsed, embedded if certificate_asked else [*embedded, *helpers])  # step 3
    check_signer(signer)  # step 4
    check_belonging(signer, embedded)  # step 5
    _check_signature(parsed, signer)  # step 6
    root = find_root(signer, [*embedded, *helpers], trusted, parsed.time)  # step 7
    return Stamped(
        parsed.time, readable_name(signer), _fingerprint(root), parsed.serial, parsed.policy, parsed.accuracy
    )


def read_reply(reply: bytes) -> Claimed:
    """What a reply says of itself, trusting nothing. Raises ValueError where it is none, or grants no stamp."""
    parsed = parse_timestamp_reply(reply)
    signer = _named_signer(parsed)
    return Claimed(parsed.time, readable_name(signer) if signer else "not named in the reply", _pems(parsed))


def certificates_of(reply: bytes) -> tuple[bytes, ...]:
    """The certificates in a reply, each as PEM, the signer's first, unchecked. Raises ValueError as read_reply does."""
    return _pems(parse_timestamp_reply(reply))


def _check_asked(parsed: TimestampReply, data: bytes, request: bytes | None) -> bool:
    """Step 2. Returns whether the request asked for the signer's certificate, which has to be in the reply then."""
    name, digest = parsed.imprint
    if name not in HASHES:
        raise ValueError(f"the stamp is over a digest that is not supported: {one_line(name)}")
    if digest != hashlib.new(name, data).digest():
        raise ValueError(f"the stamp is over other data: {name} {digest.hex()}")
    if request is None:
        return False
    from asn1crypto import tsp

    try:
        check_der(request)
        asked = tsp.TimeStampReq.load(request, strict=True)
        imprint, policy = asked["message_imprint"], asked["req_policy"]
        wanted = (imprint["hash_algorithm"]["algorithm"].native, imprint["hashed_message"].native)
        nonce, certificates = asked["nonce"].native, bool(asked["cert_req"].native)
        policy_wanted = None if policy.native is None else policy.dotted
    except MALFORMED as e:
        raise ValueError("the request is no TimeStampReq that can be read") from e
    if wanted != parsed.imprint:
        raise ValueError("the stamp answers another request: its digest is not the one asked for")
    if nonce != parsed.nonce:
        raise ValueError("the stamp answers another request: its nonce is not the one asked for")
    if policy_wanted not in (None, parsed.policy):
        raise ValueError(f"the stamp is under the policy {parsed.policy}, not under {policy_wanted} as asked for")
    return certificates


def _find_signer(parsed: TimestampReply, certificates: Sequence[Certificate]) -> Certificate:
    """Step 3. The certificate that the signed attributes name, and the signature too."""
    if parsed.content_digest != _digest(parsed.digest, parsed.info):
        raise ValueError("the stamp was altered: its digest is not the signed one")
    from cryptography.hazmat.primitives.serialization import Encoding

    for certificate in certificates:
        der = certificate.public_bytes(Encoding.DER)
        if all(hashlib.new(name, der).digest() == digest for name, digest in parsed.names):
            if _sender(certificate) != parsed.sender:
                raise ValueError("the signature names two certificates as its signer's")
            return certificate
    raise ValueError("the certificate that signed the stamp is missing from the reply")


def _check_signature(parsed: TimestampReply, signer: Certificate) -> None:
    """Step 6."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    kind, name = _SCHEMES.get(parsed.scheme, ("", None))
    algorithm = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}[name or parsed.digest]
    try:
        key = signer.public_key()
        if kind == "RSA" and isinstance(key, rsa.RSAPublicKey):
            key.verify(parsed.signature, parsed.attributes, padding.PKCS1v15(), algorithm)
        elif kind == "EC" and isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(parsed.signature, parsed.attributes, ec.ECDSA(algorithm))
        else:
            raise ValueError(f"the stamp is signed with what is not supported: {one_line(parsed.scheme)}")
    except InvalidSignature:
        raise ValueError(f"the signature of {readable_name(signer)} does not belong to this stamp") from None
    except UnsupportedAlgorithm as e:
        raise ValueError(f"the stamp is signed with what is not supported: {one_line(str(e))}") from e


def _digest(name: str, data: bytes) -> bytes:
    if name not in HASHES:
        raise ValueError(f"the stamp is signed with a digest that is not supported: {one_line(name)}")
    return hashlib.new(name, data).digest()


def _sender(certificate: Certificate) -> tuple[bytes, int]:
    return certificate.issuer.public_bytes(), certificate.serial_number


def _named_signer(parsed: TimestampReply) -> Certificate | None:
    return next((c for c in parsed.certificates if _sender(c) == parsed.sender), None)


def _pems(parsed: TimestampReply) -> tuple[bytes, ...]:
    from cryptography.hazmat.primitives.serialization import Encoding

    signer = _named_signer(parsed)
    ordered = sorted(parsed.certificates, key=lambda certificate: certificate != signer)
    return tuple(certificate.public_bytes(Encoding.PEM) for certificate in ordered)


def _fingerprint(certificate: Certificate) -> str:
    from cryptography.hazmat.primitives import hashes

    return certificate.fingerprint(hashes.SHA256()).hex()
