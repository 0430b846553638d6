"""An authority's answer of RFC 3161, TimeStampResp, from bytes to values, strictly; whether it holds is not asked here.

    TimeStampResp { status: granted, timeStampToken: ContentInfo { SignedData {
        TSTInfo { policy, messageImprint, serialNumber, genTime, accuracy, nonce },
        certificates, SignerInfo { signed attributes, signature } } } }

What no signature covers has one spelling and one content, or the answer is refused: no revocation lists or unsigned
attributes, versions and digests as RFC 5652 has them for one signature over a TSTInfo.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from muniment.formats.chain import MAX_CERTIFICATES, one_line, parse_certificate
from muniment.formats.der import check_der

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MAX_REPLY = 1 << 20  # bytes; usual ones have 1,000 to 8,000
HASHES = ("sha256", "sha384", "sha512")
# What asn1crypto raises for bytes that are not what they should be
MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, NotImplementedError)

_TIME = re.compile(rb"([0-9]{14})(?:\.([0-9]{0,11}[1-9]))?Z")
_MAX_SECONDS = 10**9
_MAX_NUMBER_BITS = 512
_ONCE = ("content_type", "message_digest", "signing_certificate", "signing_certificate_v2")


@dataclass(frozen=True, slots=True)
class TimestampReply:
    """A reply taken apart, not yet checked against anything.

    `imprint` is the hash and digest of the data. `info` is the DER of the TSTInfo, `attributes` that of the signed
    attributes as a SET, `content_digest` the digest of the TSTInfo in them. `names` has the digests of the signer's
    certificate as (hash, digest), `sender` its issuer's DER name and its serial number. `accuracy` is in seconds.
    """

    time: datetime
    imprint: tuple[str, bytes]
    nonce: int | None
    serial: int
    policy: str
    accuracy: float | None
    info: bytes
    attributes: bytes
    content_digest: bytes
    names: tuple[tuple[str, bytes], ...]
    digest: str
    scheme: str
    signature: bytes
    sender: tuple[bytes, int]
    certificates: tuple[Certificate, ...]


def parse_timestamp_reply(reply: bytes) -> TimestampReply:
    """A reply taken apart. Raises ValueError, in one line, where it is malformed or does not grant the stamp."""
    if len(reply) > MAX_REPLY:
        raise ValueError(f"the reply has {len(reply):,} bytes, more than the {MAX_REPLY:,} that are read")
    try:
        check_der(reply)
    except ValueError as e:
        raise ValueError(f"the reply is not DER: {e}") from e
    try:
        return _take_apart(_granted_token(reply))
    except _Refused as e:
        raise ValueError(str(e)) from None
    except MALFORMED as e:
        raise ValueError("the reply is no TimeStampResp that can be read") from e


class _Refused(Exception):
    """A reason of our own, told from what the parser raises."""


def _granted_token(reply: bytes) -> bytes:
    """The ContentInfo of a TimeStampResp whose status is "granted"."""
    from asn1crypto import parser, tsp

    outer = parser.parse(reply, strict=True)
    if outer[:3] != (0, 1, 16):
        raise _Refused("the reply is no TimeStampResp")
    body: bytes = outer[4]
    status = tsp.PKIStatusInfo.load(body)
    said = status.native  # reads all of it, and fails where a part is not what it should be
    code = said["status"]
    if code != "granted":
        words = " ".join(said["status_string"] or [])
        failures = ", ".join(sorted(said["fail_info"] or ()))
        reason = "; ".join(text for text in (failures, one_line(words)) if text)
        raise _Refused(f"the authority did not grant the stamp: {code}" + (f" ({reason})" if reason else ""))
    if said["fail_info"] is not None:
        raise _Refused("the authority grants the stamp and names a failure")
    token = body[len(status.dump()) :]
    if not token:
        raise _Refused("the authority grants the stamp and sends none")
    return token


def _take_apart(token: bytes) -> TimestampReply:
    from asn1crypto import cms

    content = cms.ContentInfo.load(token, strict=True)
    if content["content_type"].native != "signed_data":
        raise _Refused("the stamp is not signed data")
    _check_alone(content)
    signed = content["content"]
    inner, signers = signed["encap_content_info"], signed["signer_infos"]
    if signed["version"].native != "v3" or inner["content_type"].native != "tst_info":
        raise _Refused("what is signed is no TSTInfo")
    _check_alone(inner)
    if len(signers) != 1:
        raise _Refused(f"the stamp has {len(signers)} signatures, not one")
    signer = signers[0]
    digest = _algorithm(signer["digest_algorithm"])
    if [_algorithm(algorithm) for algorithm in signed["digest_algorithms"]] != [digest]:
        raise _Refused("the stamp names other digests than its signature's")
    if signed["crls"].native is not None or signer["unsigned_attrs"].native is not None:
        raise _Refused("the stamp holds attributes or revocation lists that no signature covers")
    if signer["version"].native != "v1" or signer["sid"].name != "issuer_and_serial_number":
        raise _Refused("the signature does not name its certificate by issuer and serial number")
    sender = signer["sid"].chosen
    attributes = _attributes(signer["signed_attrs"])
    return TimestampReply(
        **_stamp(bytes(inner["content"])),
        attributes=b"\x31" + signer["signed_attrs"].dump()[1:],
        content_digest=attributes["message_digest"].native,
        names=_names(attributes),
        digest=digest,
        scheme=_algorithm(signer["signature_algorithm"]),
        signature=signer["signature"].native,
        sender=(sender["issuer"].dump(), sender["serial_number"].native),
        certificates=_certificates(signed["certificates"]),
    )


def _check_alone(content: Any) -> None:
    """The explicit tag around a content holds nothing else, which the parser would pass over."""
    from asn1crypto import parser

    body = content.contents
    kind = parser.parse(body)
    wrapper = parser.parse(body[sum(map(len, kind[3:])) :], strict=True)
    parser.parse(wrapper[4], strict=True)


def _algorithm(algorithm: Any) -> str:
    """The name of a digest or signature algorithm that has no parameters (absent, or NULL)."""
    if algorithm["parameters"].dump() not in (b"", b"\x05\x00"):
        raise _Refused(f"the algorithm {algorithm['algorithm'].native} has parameters, which is not supported")
    return str(algorithm["algorithm"].native)


def _stamp(info: bytes) -> dict[str, Any]:
    """What a TSTInfo says."""
    from asn1crypto import tsp

    check_der(info)
    stamp = tsp.TSTInfo.load(info, strict=True)
    if stamp["version"].native != "v1":
        raise _Refused("the stamp has a version that is not known")
    for extension in stamp["extensions"]:
        if extension["critical"].native:
            raise _Refused(f"the stamp has a critical extension that is not known: {extension['extn_id'].dotted}")
    imprint, serial, nonce = stamp["message_imprint"], stamp["serial_number"].native, stamp["nonce"].native
    if max(serial.bit_length(), (nonce or 0).bit_length()) > _MAX_NUMBER_BITS:
        raise _Refused("the stamp's serial number or nonce is too long")
    return {
        "info": info,
        "time": _time(stamp["gen_time"].contents),
        "imprint": (_algorithm(imprint["hash_algorithm"]), imprint["hashed_message"].native),
        "nonce": nonce,
        "serial": serial,
        "policy": stamp["policy"].dotted,
        "accuracy": _accuracy(stamp["accuracy"].native),
    }


def _time(text: bytes) -> datetime:
    """GeneralizedTime as RFC 3161 section 2.4.2 has it: in UTC, fractions without final zeros (cut to microseconds)."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise _Refused("the stamp's time is not written as RFC 3161 asks")
    whole = datetime.strptime(match[1].decode(), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return whole.replace(microsecond=int((match[2] or b"")[:6].ljust(6, b"0")))


def _accuracy(parts: Mapping[str, int | None] | None) -> float | None:
    if parts is None:
        return None
    seconds, millis, micros = (parts[name] or 0 for name in ("seconds", "millis", "micros"))
    if not (0 <= seconds <= _MAX_SECONDS and 0 <= millis <= 999 and 0 <= micros <= 999):
        raise _Refused("the stamp's accuracy is out of range")
    return seconds + millis / 1e3 + micros / 1e6


def _attributes(attributes: Any) -> dict[str, Any]:
    """The value of each signed attribute; each type and value stands once (RFC 5652 section 5.3)."""
    found: dict[str, Any] = {}
    for attribute in attributes:
        name = attribute["type"].native
        if name in found or (name in _ONCE and len(attribute["values"]) != 1):
            raise _Refused(f"the signature has the attribute {name} twice")
        found[name] = attribute["values"][0] if name in _ONCE else None
    missing = [name for name in ("content_type", "message_digest") if name not in found]
    if missing or found["content_type"].native != "tst_info":
        raise _Refused("the signature does not name the type and digest of what it signs")
    return found


def _names(attributes: Mapping[str, Any]) -> tuple[tuple[str, bytes], ...]:
    """By which digests the signature names its certificate: the first of each list does (RFC 2634 and 5816)."""
    names = []
    if "signing_certificate" in attributes:
        names.append(("sha1", attributes["signing_certificate"]["certs"][0]["cert_hash"].native))
    if "signing_certificate_v2" in attributes:
        first = attributes["signing_certificate_v2"]["certs"][0]
        names.append((_algorithm(first["hash_algorithm"]), first["cert_hash"].native))
    if not names:
        raise _Refused("the signature does not name the certificate of its signer")
    if any(name not in ("sha1", *HASHES) for name, _ in names):
        raise _Refused("the signature names its certificate by a digest that is not supported")
    return tuple(names)


def _certificates(embedded: Any) -> tuple[Certificate, ...]:
    if embedded.native is None:
        return ()
    if len(embedded) > MAX_CERTIFICATES:
        raise _Refused(f"the reply holds {len(embedded)} certificates, more than {MAX_CERTIFICATES}")
    if any(choice.name != "certificate" for choice in embedded):
        raise _Refused("the reply holds certificates of a kind that is not supported")
    return tuple(parse_certificate(choice.chosen.dump()) for choice in embedded)
