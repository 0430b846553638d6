"""Certificates of time stamping authorities: reading them, and the way from a signer to a root (RFC 5280).

What counts is the time of the stamp, not today: a certificate that expired later keeps its old stamps valid, one that
was not valid then never had any.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, Name
    from cryptography.x509.verification import ExtensionPolicy, Policy

# Real chains have two to four certificates. With the bounds, what an answer can cost to check is bounded too.
MAX_CERTIFICATES = 12
_MAX_DEPTH = 6
_MAX_NAME = 100


def parse_certificates(pem: bytes) -> list[Certificate]:
    """The certificates of a PEM file, of which there is at least one. Raises ValueError."""
    from cryptography import x509

    try:
        with _quiet():
            certificates = x509.load_pem_x509_certificates(pem)
    except (ValueError, x509.InvalidVersion) as e:
        raise ValueError(f"no certificates in PEM: {one_line(str(e))}") from e
    with _quiet():
        return [_whole(certificate) for certificate in certificates]


def parse_certificate(der: bytes) -> Certificate:
    """One certificate in DER. Raises ValueError."""
    from cryptography import x509

    try:
        with _quiet():
            certificate = _whole(x509.load_der_x509_certificate(der))
    except x509.InvalidVersion as e:
        raise ValueError(f"a certificate of an unknown version: {e}") from e
    # The signature ends the certificate, after the count of bits to pass over: not covered by itself, and always 0.
    if not der.endswith(b"\0" + certificate.signature):
        raise ValueError("a certificate whose signature is no whole number of bytes")
    return certificate


@contextmanager
def _quiet() -> Iterator[None]:
    """The library warns of roots with odd serial numbers or names, which is no news to whoever checks a stamp."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _whole(certificate: Certificate) -> Certificate:
    """The same one, after reading what the library reads only when asked, so that nothing fails later."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        certificate.subject, certificate.issuer, certificate.extensions, certificate.public_key()
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as e:
        raise ValueError(f"a certificate that cannot be read: {one_line(str(e))}") from e
    return certificate


class NoChain(ValueError):
    """No chain leads from a signer to a root that is trusted."""


def readable_name(certificate: Certificate) -> str:
    """Whom a certificate was issued to, in one line: common name, else organisation, else the whole name."""
    return _readable(certificate.subject)


def _readable(name: Name) -> str:
    from cryptography.x509.oid import NameOID

    for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in name.get_attributes_for_oid(oid):
            if shown := one_line(str(attribute.value)):
                return shown
    return one_line(name.rfc4514_string()) or "without a name"


def one_line(text: str) -> str:
    """Text from outside as it may be shown: printable, in one line, of at most 100 characters."""
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return shown if len(shown) <= _MAX_NAME else shown[: _MAX_NAME - 1] + "…"


def check_signer(signer: Certificate) -> None:
    """Raises ValueError where a certificate is not one for time stamping alone (RFC 3161 section 2.3)."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    name = readable_name(signer)
    try:
        purposes = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        raise ValueError(f"the certificate of {name} is not one for time stamping") from None
    if not purposes.critical or list(purposes.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise ValueError(f"the certificate of {name} is not one for time stamping alone, marked critical")
    try:
        usage = signer.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not usage.digital_signature and not usage.content_commitment:
        raise ValueError(f"the key of {name} may not sign stamps: its key usage leaves signatures out")


def check_belonging(signer: Certificate, embedded: Iterable[Certificate]) -> None:
    """Raises ValueError for a certificate among `embedded` that issued neither the signer's nor one that did.

    No signature covers the list of certificates in an answer, so anything could be slipped in there.
    """
    linked = [signer]
    rest = [certificate for certificate in embedded if certificate != signer]
    for child in linked:  # grows as it goes
        parents = [certificate for certificate in rest if _is_issuer(certificate, child)]
        linked += parents
        rest = [certificate for certificate in rest if certificate not in parents]
    if rest:
        raise ValueError(f"the reply holds a certificate that does not belong to its signer: {readable_name(rest[0])}")


def find_root(
    signer: Certificate, others: Sequence[Certificate], roots: Sequence[Certificate], at: datetime
) -> Certificate:
    """The one of `roots` that a chain from `signer` ends in, every certificate of it valid `at` that time (aware UTC).

    `others` may stand between and are not trusted. Names, signatures, constraints and depth are checked as RFC 5280
    asks. Raises NoChain where there is none, ValueError where the signer's certificate was not valid.
    """
    from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

    if not _is_valid(signer, at):
        since, until = signer.not_valid_before_utc, signer.not_valid_after_utc
        raise ValueError(
            f"the certificate of {readable_name(signer)} was not valid at {at:%Y-%m-%d %H:%M:%S}, but from "
            f"{since:%Y-%m-%d %H:%M:%S} to {until:%Y-%m-%d %H:%M:%S}"
        )
    trusted = [root for root in roots if _is_valid(root, at)]
    if signer in trusted and _is_issuer(signer, signer):
        return signer
    failure = NoChain(
        f"no chain from {readable_name(signer)} to a given root holds at {at:%Y-%m-%d %H:%M:%S}; its certificate is by "
        + _readable(signer.issuer)
    )
    if not trusted:
        raise failure
    # One certificate for each key and issuer: many of one key would make many ways to try.
    between = {(c.subject, c.issuer, _key_of(c)): c for c in others if _is_valid(c, at) and c != signer}
    policy = PolicyBuilder().store(Store(trusted)).time(at).max_chain_depth(_MAX_DEPTH)
    authorities, signers = _policies()
    verifier = policy.extension_policies(ca_policy=authorities, ee_policy=signers).build_client_verifier()
    try:
        chain = verifier.verify(signer, list(between.values())).chain
    except (VerificationError, ValueError) as e:
        raise failure from e
    if chain[-1] not in trusted or len(chain) < 2:
        raise failure
    return chain[-1]


def _policies() -> tuple[ExtensionPolicy, ExtensionPolicy]:
    """What certificates that issue, and ones that sign stamps, must hold; the defaults are for web servers."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID
    from cryptography.x509.verification import Criticality, ExtensionPolicy

    def may_issue(_: Policy, certificate: Certificate, constraints: x509.BasicConstraints) -> None:
        if not constraints.ca:
            raise ValueError(f"{readable_name(certificate)} may not issue certificates")

    def may_sign_certificates(_: Policy, certificate: Certificate, usage: x509.KeyUsage | None) -> None:
        if usage is not None and not usage.key_cert_sign:
            raise ValueError(f"{readable_name(certificate)} may not sign certificates")

    def is_for_stamps(_: Policy, certificate: Certificate, purposes: x509.ExtendedKeyUsage | None) -> None:
        allowed = {ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
        if purposes is not None and not allowed.intersection(purposes):
            raise ValueError(f"{readable_name(certificate)} may not issue certificates for time stamping")

    either = Criticality.AGNOSTIC
    authorities = (
        ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, either, may_issue)
        .may_be_present(x509.KeyUsage, either, may_sign_certificates)
        .may_be_present(x509.ExtendedKeyUsage, either, is_for_stamps)
    )
    return authorities, ExtensionPolicy.permit_all()  # check_signer has looked at the signer


def _is_valid(certificate: Certificate, at: datetime) -> bool:
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def _is_issuer(issuer: Certificate, certificate: Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _key_of(certificate: Certificate) -> Any:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
