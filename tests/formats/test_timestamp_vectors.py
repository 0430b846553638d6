"""Replies of other authorities and test suites, where they are at hand: MUNIMENT_DATA names their folder.

The suites of rfc3161-client, sigstore-python and auto-archiver: DigiCert, IdenTrust, Sigstore's staging and local ones.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest
from cryptography import x509

from muniment.formats.timestamp import certificates_of, check_reply, read_reply
from tests.authority import pem

HELLO = b"hello"
ARCHIVED = b"4b7b4e39f12b8c725e6e603e6d4422500316df94211070682ef10260ff5759ef"  # what auto-archiver has stamped
CLIENT, ARCHIVER, SIGSTORE = "rfc3161-client", "auto-archiver/timestamping", "sigstore-python/tsa"
STAGING, LOCAL, MOCK = f"{CLIENT}/sigstage/ts_chain.pem", f"{CLIENT}/test_tsa/ts_chain.pem", f"{CLIENT}/sigstore.mock"
LOCAL_2024, BROWSERS = f"{SIGSTORE}/ca.json", "certifi"
COSTA_RICA = f"{ARCHIVER}/self_signed.tsr"
BARE = f"{ARCHIVER}/timestamp_token_http-timestamp-identrust-com"

# reply, its data, its roots, the signer
HOLDS = [
    (f"{CLIENT}/sigstage/response-sha256.tsr", HELLO, STAGING, "sigstore-tsa"),
    (f"{CLIENT}/sigstage/response-sha384.tsr", HELLO, STAGING, "sigstore-tsa"),
    (f"{CLIENT}/sigstage/response-sha512.tsr", HELLO, STAGING, "sigstore-tsa"),
    # without the signer's certificate, which stands in the file of roots
    (f"{CLIENT}/sigstage/response-no-embedded-cert.tsr", HELLO, STAGING, "sigstore-tsa"),
    (f"{SIGSTORE}/issue1482-timestamp-with-no-cert", f"{SIGSTORE}/issue1482-message", STAGING, "sigstore-tsa"),
    # expired today, valid when it stamped
    (f"{MOCK}/response-expired.tsr", f"{MOCK}/payload", f"{MOCK}/ts_chain.pem", "tsa signing"),
    (f"{CLIENT}/test_tsa/response.tsr", HELLO, LOCAL, "Test TSA Timestamping"),
    (f"{CLIENT}/test_tsa/other_response.tsr", HELLO, LOCAL_2024, "Test TSA Timestamping"),
    # certificates in an order that is not DER's
    (f"{CLIENT}/identrust/issue-104.tsr", HELLO, f"{CLIENT}/identrust/ts_chain.pem", "TrustID Timestamp Authority"),
    (f"{ARCHIVER}/rfc3161-client-issue-104.tsr", HELLO, BROWSERS, "TrustID Timestamp Authority"),
    (f"{ARCHIVER}/valid_timestamp.tsr", ARCHIVED, BROWSERS, "TrustID Timestamp Authority"),
    (f"{ARCHIVER}/digicert.tsr", ARCHIVED, BROWSERS, "DigiCert Timestamp 2024"),
]
# reply, its data, roots, request, the reason
REFUSED = [
    (f"{CLIENT}/sigstage/response-invalid-signature.tsr", HELLO, STAGING, None, "does not belong to this stamp"),
    # openssl says OK to this one
    (
        f"{CLIENT}/test_tsa/response-injected-certs.tsr",
        HELLO,
        LOCAL,
        None,
        "does not belong to its signer: Spoofed TSA",
    ),
    (f"{CLIENT}/test_tsa/response.tsr", HELLO, LOCAL, "other_request.der", "its nonce is not the one"),
    (f"{CLIENT}/test_tsa/response.tsr", b"hellO", LOCAL, None, "over other data"),
    (f"{CLIENT}/test_tsa/other_response.tsr", HELLO, LOCAL, None, "no chain from Test TSA Timestamping"),
    (f"{CLIENT}/sigstage/response-no-embedded-cert.tsr", HELLO, LOCAL, None, "is missing from the reply"),
    (f"{SIGSTORE}/issue1482-timestamp-with-no-cert", f"{SIGSTORE}/issue1482-message", LOCAL, None, "is missing"),
    # its root is in no list at hand: nobody here can say whether it is good
    (COSTA_RICA, ARCHIVED, BROWSERS, None, "no chain from TSA SINPE v3"),
    # a TimeStampToken without the TimeStampResp around it
    (BARE, ARCHIVED, BROWSERS, None, "no TimeStampResp"),
]
BUNDLES = {  # file -> how many of its stamps are over its signature
    "bundle.txt.sigstore": (1, 2),
    "bundle.txt.late_timestamp.sigstore": (1, 1),
    "bundle.duplicate.sigstore": (0, 3),
    "bundle.many_timestamp.sigstore": (0, 33),
}


@pytest.fixture(scope="module")
def folder() -> Path:
    data = os.environ.get("MUNIMENT_DATA")
    if not data:
        pytest.skip("MUNIMENT_DATA does not name the folder of test vectors")
    return Path(data) / "proofs" / "rfc3161"


def roots_of(folder: Path, name: str) -> bytes:
    if name == BROWSERS:
        return Path(certifi.where()).read_bytes()
    content = (folder / name).read_bytes()
    if name.endswith(".json"):
        chain = json.loads(content)["certChain"]["certificates"]
        ders = [base64.b64decode(certificate["rawBytes"]) for certificate in chain]
        return pem(*map(x509.load_der_x509_certificate, ders))
    return content if b"BEGIN" in content else pem(x509.load_der_x509_certificate(content))


def bytes_of(folder: Path, data: bytes | str) -> bytes:
    return data if isinstance(data, bytes) else (folder / data).read_bytes()


@pytest.mark.parametrize(("reply", "data", "roots", "name"), HOLDS)
def test_a_valid_reply_holds(reply: str, data: bytes | str, roots: str, name: str, folder: Path) -> None:
    content, given = (folder / reply).read_bytes(), roots_of(folder, roots)
    stamped = check_reply(content, bytes_of(folder, data), [given])
    assert stamped.authority == name and read_reply(content).time == stamped.time
    with pytest.raises(ValueError, match="over other data"):
        check_reply(content, b"other data", [given])


@pytest.mark.parametrize(("reply", "data", "roots", "request_name", "reason"), REFUSED)
def test_a_reply_that_proves_nothing_is_refused(
    reply: str, data: bytes | str, roots: str, request_name: str | None, reason: str, folder: Path
) -> None:
    file = folder / reply
    request = (file.parent / request_name).read_bytes() if request_name else None
    with pytest.raises(ValueError, match=reason):
        check_reply(file.read_bytes(), bytes_of(folder, data), [roots_of(folder, roots)], request=request)


def test_the_request_of_a_reply_is_recognised(folder: Path) -> None:
    local = folder / CLIENT / "test_tsa"
    reply, request = (local / "response.tsr").read_bytes(), (local / "request.der").read_bytes()
    assert check_reply(reply, HELLO, [roots_of(folder, LOCAL)], request=request)


def test_a_reply_without_a_known_root_is_sound_but_for_that(folder: Path) -> None:
    """All that can be said of the Costa Rican one: with the root left out, every step before it passes."""
    content = (folder / COSTA_RICA).read_bytes()
    assert read_reply(content).authority == "TSA SINPE v3" and len(certificates_of(content)) == 1


def stamps(folder: Path, name: str) -> Iterator[tuple[bytes, bytes]]:
    bundle = json.loads((folder / SIGSTORE / name).read_bytes())
    signature = base64.b64decode(bundle["messageSignature"]["signature"])
    for stamp in bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]:
        yield base64.b64decode(stamp["signedTimestamp"]), signature


@pytest.mark.parametrize("name", BUNDLES)
def test_the_stamps_of_a_sigstore_bundle(name: str, folder: Path) -> None:
    """Some of the bundles carry stamps over other data (all of them over "hello"), as their suite means them to."""
    given = [roots_of(folder, LOCAL_2024), roots_of(folder, STAGING)]
    valid = total = 0
    for reply, signature in stamps(folder, name):
        total += 1
        try:
            check_reply(reply, signature, given)
            valid += 1
        except ValueError as e:
            assert "over other data" in str(e)
            assert check_reply(reply, HELLO, given)
    assert (valid, total) == BUNDLES[name]


def test_every_reply_of_the_folder_is_judged(folder: Path) -> None:
    named = {row[0] for row in [*HOLDS, *REFUSED]}
    found = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.suffix == ".tsr"}
    assert found <= named
