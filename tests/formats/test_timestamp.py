"""RFC 3161: requests, the replies of an authority of our own, and every way in which a reply does not hold."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from muniment.formats.timestamp import Stamped, certificates_of, check_reply, make_request, read_reply
from muniment.formats.timestamp_reply import MAX_REPLY
from tests.authority import POLICY, Authority, certificate, pem

DATA = b"test.example/log\n5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\xe2\x80\x94 test.example/log AAAA\n"
NONCE = 0x1234567890ABCDEF
REQUEST = make_request(DATA, NONCE)
SINCE, UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
THEN = datetime(2020, 6, 1, 12, tzinfo=UTC)
FUTURE = datetime.now(UTC) + timedelta(days=3650)

Make = Callable[..., Authority]


@pytest.fixture
def old(tmp_path: Path) -> Make:
    """Makes authorities of 2020, whose certificates have long expired."""
    made: list[Authority] = []

    def make(**options: Any) -> Authority:
        folder = tmp_path / f"authority-{len(made)}"
        made.append(Authority(folder, **{"since": SINCE, "until": UNTIL, "clock": THEN, **options}))
        return made[-1]

    return make


def check(authority: Authority, reply: bytes, **options: Any) -> Stamped:
    return check_reply(reply, DATA, [authority.root_pem], request=REQUEST, **options)


def changed(reply: bytes, change: Callable[[Any, Any, Any], object]) -> bytes:
    """The reply after a change that is given the response, its SignedData and its SignerInfo."""
    response = tsp.TimeStampResp.load(reply)
    signed = response["time_stamp_token"]["content"]
    change(response, signed, signed["signer_infos"][0])
    return bytes(response.dump())


def openssl(folder: Path, authority: Authority, reply: bytes) -> str:
    """What `openssl ts -verify` says as of the stamp's time."""
    files = {"data": DATA, "reply": reply, "root.pem": authority.root_pem, "chain.pem": authority.chain_pem}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    at = str(int(read_reply(reply).time.timestamp()))
    command = ["openssl", "ts", "-verify", "-data", "data", "-in", "reply", "-CAfile", "root.pem"]
    command += ["-untrusted", "chain.pem", "-attime", at]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True).stdout.strip()


def test_importing_the_module_costs_nothing() -> None:
    code = (
        "import sys, muniment.formats.timestamp; print([m for m in ('asn1crypto', 'cryptography') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_openssl_reads_a_request(tmp_path: Path) -> None:
    (tmp_path / "request").write_bytes(REQUEST)
    command = ["openssl", "ts", "-query", "-in", "request", "-text"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout
    assert "Hash Algorithm: sha256" in shown and "Nonce: 0x1234567890ABCDEF" in shown
    assert "Certificate required: yes" in shown and "Policy OID: unspecified" in shown


@pytest.mark.parametrize("nonce", [-1, 1 << 160])
def test_a_nonce_out_of_range_is_refused(nonce: int) -> None:
    with pytest.raises(ValueError, match="nonce"):
        make_request(DATA, nonce)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"intermediate": True, "whole_chain": True},
        {"rsa_key": True, "ess": "sha1"},
        {"ess": "sha512"},
        {"self_signed": True},
        {"precision": 6},
    ],
)
def test_a_reply_of_openssl_holds(options: dict[str, Any], tmp_path: Path) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    authority = Authority(tmp_path, **options)
    reply = authority.reply(REQUEST)
    stamped = check(authority, reply)
    assert before < stamped.time <= datetime.now(UTC)
    assert stamped == (
        stamped.time, "Test TSA", authority.root[0].fingerprint(hashes.SHA256()).hex(), 2, POLICY, 1.5
    )  # fmt: skip
    assert "precision" in options or stamped.time.microsecond == 0
    assert openssl(tmp_path, authority, reply) == "Verification: OK"


def test_a_reply_of_another_time_holds_after_its_certificates_expired(old: Make, tmp_path: Path) -> None:
    authority = old()
    reply = authority.reply(REQUEST)
    assert authority.signer.not_valid_after_utc < datetime.now(UTC)
    assert check(authority, reply).time == THEN
    assert openssl(tmp_path, authority, reply) == "Verification: OK"


@pytest.mark.parametrize("at", [SINCE - timedelta(seconds=1), UNTIL + timedelta(seconds=1), FUTURE])
def test_a_stamp_outside_its_certificates_time_is_refused(at: datetime, old: Make) -> None:
    authority = old(clock=at)
    with pytest.raises(ValueError, match=r"was not valid at .*, but from 2020-01-01 00:00:00 to 2021-01-01 00:00:00"):
        check(authority, authority.reply(REQUEST))


@pytest.mark.parametrize("at", [SINCE, UNTIL])
def test_a_stamp_at_the_bounds_of_its_certificates_time_holds(at: datetime, old: Make) -> None:
    authority = old(clock=at)
    assert check(authority, authority.reply(REQUEST)).time == at


def test_a_root_that_was_not_valid_then_is_refused(old: Make) -> None:
    authority = old()
    root, key = authority.root
    late, _ = certificate("Test TSA Root", None, UNTIL, FUTURE, ca=True, key=key)
    assert late.subject == root.subject
    with pytest.raises(ValueError, match="no chain from Test TSA to a given root holds at 2020-06-01"):
        check_reply(authority.reply(REQUEST), DATA, [pem(late)])


def test_intermediates_may_come_from_outside_the_reply(old: Make) -> None:
    authority = old(intermediate=True)
    reply = authority.reply(REQUEST)
    with pytest.raises(ValueError, match="no chain from Test TSA"):
        check(authority, reply)
    assert check(authority, reply, intermediates=[authority.chain_pem])
    assert check_reply(reply, DATA, [authority.chain_pem]).root == authority.root[0].fingerprint(hashes.SHA256()).hex()


def test_only_roots_are_trusted(old: Make) -> None:
    authority, stranger = old(intermediate=True, whole_chain=True), old()
    reply = authority.reply(REQUEST)
    with pytest.raises(ValueError, match="no chain"):
        check_reply(reply, DATA, [stranger.root_pem])
    with pytest.raises(ValueError, match="no chain"):
        check_reply(reply, DATA, [stranger.root_pem], intermediates=[authority.chain_pem])
    with pytest.raises(ValueError, match="no certificate that names itself"):
        check_reply(reply, DATA, [pem(authority.signer, authority.embedded[1])])
    with pytest.raises(ValueError, match="no certificate that names itself"):
        check_reply(reply, DATA, [])
    with pytest.raises(ValueError, match="no certificates in PEM"):
        check_reply(reply, DATA, [b"not a certificate"])
    both = check_reply(reply, DATA, [stranger.root_pem + authority.root_pem])
    assert both.root == authority.root[0].fingerprint(hashes.SHA256()).hex()


def test_a_certificate_that_may_not_issue_issues_nothing(old: Make, tmp_path: Path) -> None:
    authority = old(intermediate=True, whole_chain=True, intermediate_ca=False)
    reply = authority.reply(REQUEST)
    with pytest.raises(ValueError, match="no chain"):
        check(authority, reply)
    assert openssl(tmp_path, authority, reply) == "Verification: FAILED"


@pytest.mark.parametrize(
    "options",
    [
        {"purposes": []},
        {"purposes": [ExtendedKeyUsageOID.CODE_SIGNING]},
        {"purposes": [ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING]},
        {"purposes": [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]},
        {"critical": False},
    ],
)
def test_a_certificate_that_is_not_for_time_stamping_alone_is_refused(
    options: dict[str, Any], old: Make, tmp_path: Path
) -> None:
    authority = old(**options)
    reply = authority.reply(REQUEST)
    with pytest.raises(ValueError, match="is not one for time stamping"):
        check(authority, reply)
    assert openssl(tmp_path, authority, reply) == "Verification: FAILED"


def test_a_self_signed_certificate_for_time_stamping_is_a_root(old: Make) -> None:
    authority = old(self_signed=True)
    assert check(authority, authority.reply(REQUEST)).root == authority.signer.fingerprint(hashes.SHA256()).hex()
    with pytest.raises(ValueError, match="no chain"):
        check(old(self_signed=True), authority.reply(REQUEST))


def test_other_data_another_nonce_or_policy_is_refused(old: Make) -> None:
    authority = old()
    roots = [authority.root_pem]
    reply = authority.reply(REQUEST)
    with pytest.raises(ValueError, match="over other data"):
        check_reply(reply, DATA + b"\n", roots)
    with pytest.raises(ValueError, match="its nonce is not the one"):
        check_reply(reply, DATA, roots, request=make_request(DATA, NONCE + 1))
    with pytest.raises(ValueError, match="its digest is not the one"):
        check_reply(reply, DATA, roots, request=make_request(b"other", NONCE))
    with pytest.raises(ValueError, match="its nonce is not the one"):
        check_reply(authority.sign(REQUEST, THEN, nonce=None), DATA, roots, request=REQUEST)
    asked = tsp.TimeStampReq.load(REQUEST)
    asked["req_policy"] = "1.2.3.4"
    with pytest.raises(ValueError, match=r"not under 1\.2\.3\.4 as asked"):
        check_reply(reply, DATA, roots, request=asked.dump())
    with pytest.raises(ValueError, match="the request is no TimeStampReq"):
        check_reply(reply, DATA, roots, request=REQUEST + b"\x00")
    assert check_reply(reply, DATA, roots)


@pytest.mark.parametrize("name", ["content_type", "message_digest", "signing_certificate_v2"])
def test_each_signed_attribute_is_needed(name: str, old: Make) -> None:
    authority = old()
    with pytest.raises(ValueError, match="the signature does not name"):
        check(authority, authority.sign(REQUEST, THEN, drop=[name]))


def test_a_certificate_of_the_same_name_and_number_does_not_pass_for_the_signers(old: Make) -> None:
    authority = old()
    reply = authority.reply(REQUEST)
    twin, _ = certificate(
        "Test TSA", authority.root, SINCE, UNTIL, purposes=[ExtendedKeyUsageOID.TIME_STAMPING], key=authority.key
    )
    authority.embedded = [twin]
    with pytest.raises(ValueError, match="the certificate that signed the stamp is missing"):
        check(authority, authority.reply(REQUEST))
    authority.embedded = [twin, authority.signer]
    with pytest.raises(ValueError, match="does not belong to its signer"):
        check(authority, authority.reply(REQUEST))
    authority.embedded = []
    bare = authority.reply(REQUEST)
    with pytest.raises(ValueError, match="the certificate that signed the stamp is missing"):
        check(authority, bare, intermediates=[pem(authority.signer)])  # the request asked for it
    assert check_reply(bare, DATA, [authority.root_pem], intermediates=[pem(authority.signer)])
    assert check(authority, reply)


def test_a_certificate_slipped_into_a_reply_is_refused(old: Make, tmp_path: Path) -> None:
    authority, stranger = old(intermediate=True, whole_chain=True), old(name="Stranger")
    reply = authority.reply(REQUEST)
    for injected in (stranger.signer, stranger.root[0]):
        authority.embedded.append(injected)
        slipped = authority.reply(REQUEST)
        with pytest.raises(ValueError, match="does not belong to its signer: Stranger"):
            check(authority, slipped)
        assert openssl(tmp_path, authority, slipped) == "Verification: OK"  # which openssl lets by
        authority.embedded.pop()
    assert check(authority, reply)


def test_a_reply_with_endless_certificates_is_refused(old: Make) -> None:
    authority = old()
    authority.embedded = [authority.signer] * 13
    with pytest.raises(ValueError, match="holds 13 certificates, more than 12"):
        check(authority, authority.reply(REQUEST))


@pytest.mark.parametrize("status", ["granted_with_mods", "rejection", "waiting", "revocation_warning"])
def test_only_what_is_granted_counts(status: str, old: Make) -> None:
    authority = old()

    def refuse(response: Any, _signed: Any, _signer: Any) -> None:
        response["status"]["status"] = status

    with pytest.raises(ValueError, match=f"did not grant the stamp: {status}"):
        check(authority, changed(authority.reply(REQUEST), refuse))


def test_a_rejection_says_why() -> None:
    words = {"status": "rejection", "status_string": ["not\n today\x1b[1m"], "fail_info": {"bad_alg"}}
    status = tsp.PKIStatusInfo(words).dump()
    reply = b"\x30" + bytes([len(status)]) + status
    with pytest.raises(ValueError) as refused:
        read_reply(reply)
    assert str(refused.value) == "the authority did not grant the stamp: rejection (bad_alg; not today [1m)"
    granted = b"\x30\x05\x30\x03\x02\x01\x00"
    with pytest.raises(ValueError, match="grants the stamp and sends none"):
        read_reply(granted)


def test_openssl_refuses_a_request_and_its_words_are_told(tmp_path: Path) -> None:
    asked = tsp.TimeStampReq.load(REQUEST)
    asked["req_policy"] = "1.2.3.4"
    with pytest.raises(ValueError, match=r"did not grant the stamp: rejection .*unaccepted_policy"):
        read_reply(Authority(tmp_path).reply(asked.dump()))


def unsigned_attribute(_response: Any, _signed: Any, signer: Any) -> None:
    signer["unsigned_attrs"] = cms.CMSAttributes([{"type": "1.2.3.4", "values": [core.Any(core.Null())]}])


def second_signer(_response: Any, signed: Any, signer: Any) -> None:
    signed["signer_infos"] = [signer, signer.copy()]


def other_sender(_response: Any, _signed: Any, signer: Any) -> None:
    sender = {"issuer": signer["sid"].chosen["issuer"], "serial_number": 1}
    signer["sid"] = cms.SignerIdentifier("issuer_and_serial_number", sender)


def other_digest(_response: Any, signed: Any, _signer: Any) -> None:
    signed["digest_algorithms"] = [{"algorithm": "sha512"}]


def more_digests(_response: Any, signed: Any, _signer: Any) -> None:
    signed["digest_algorithms"] = [{"algorithm": "sha256"}, {"algorithm": "sha512"}]


def version(_response: Any, signed: Any, _signer: Any) -> None:
    signed["version"] = "v1"


def failure(response: Any, _signed: Any, _signer: Any) -> None:
    response["status"]["fail_info"] = {"bad_alg"}


def rsa(_response: Any, _signed: Any, signer: Any) -> None:
    signer["signature_algorithm"] = {"algorithm": "sha256_rsa"}


def other_hash(_response: Any, _signed: Any, signer: Any) -> None:
    signer["signature_algorithm"] = {"algorithm": "sha384_ecdsa"}


def parameters(_response: Any, _signed: Any, signer: Any) -> None:
    signer["signature_algorithm"]["parameters"] = core.Any(core.Integer(1))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (unsigned_attribute, "no signature covers"),
        (second_signer, "2 signatures, not one"),
        (other_sender, "names two certificates"),
        (other_digest, "other digests"),
        (more_digests, "other digests"),
        (version, "no TSTInfo"),
        (failure, "names a failure"),
        (rsa, "not supported"),
        (other_hash, "does not belong to this stamp"),
        (parameters, "parameters"),
    ],
)
def test_what_no_signature_covers_has_to_be_as_it_should(
    change: Callable[[Any, Any, Any], object], reason: str, old: Make
) -> None:
    authority = old()
    reply = authority.reply(REQUEST)
    assert changed(reply, lambda *_: None) == reply
    with pytest.raises(ValueError, match=reason):
        check(authority, changed(reply, change))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"version": 2}, "version"),
        ({"accuracy": {"millis": 1000}}, "accuracy"),
        ({"accuracy": {"seconds": 1 << 70}}, "accuracy"),
        ({"serial_number": 1 << 600}, "too long"),
        ({"nonce": 1 << 600}, "too long"),
        ({"gen_time": core.GeneralizedTime(contents=b"20200601120000")}, "time is not written"),
        ({"gen_time": core.GeneralizedTime(contents=b"20200601120000.50Z")}, "time is not written"),
        ({"gen_time": core.GeneralizedTime(contents=b"20200601120000+0100")}, "time is not written"),
        ({"gen_time": core.GeneralizedTime(contents=b"20201301120000Z")}, "no TimeStampResp"),
        (
            {"extensions": [{"extn_id": "1.2.3.4", "critical": True, "extn_value": b"\x05\x00"}]},
            "a critical extension that is not known: 1.2.3.4",
        ),
    ],
)
def test_a_stamp_that_says_what_it_may_not_is_refused(fields: dict[str, Any], reason: str, old: Make) -> None:
    authority = old()
    with pytest.raises(ValueError, match=reason):
        check(authority, authority.sign(REQUEST, THEN, **fields))


def test_time_and_accuracy_are_read_to_the_microsecond(old: Make) -> None:
    authority = old()
    accuracy = {"seconds": 2, "millis": 3, "micros": 4}
    time = core.GeneralizedTime(contents=b"20200601120000.123456789Z")
    stamped = check(authority, authority.sign(REQUEST, THEN, accuracy=accuracy, gen_time=time, serial_number=-5))
    assert stamped.time == THEN.replace(microsecond=123456)
    assert stamped.accuracy == pytest.approx(2.003004) and stamped.serial == -5


def test_a_reply_shows_its_certificates_the_signers_first(old: Make) -> None:
    authority = old(intermediate=True, whole_chain=True)
    claimed = read_reply(authority.reply(REQUEST))
    assert claimed[:2] == (THEN, "Test TSA")
    assert claimed.certificates == certificates_of(authority.reply(REQUEST))
    assert claimed.certificates[0] == pem(authority.signer)
    assert sorted(claimed.certificates) == sorted(map(pem, authority.embedded))
    authority.embedded = []
    assert read_reply(authority.reply(REQUEST)) == (THEN, "not named in the reply", ())


def test_names_are_shown_in_one_printable_line(old: Make) -> None:
    authority = old(name="Evil\x1b[2J TSA\n" + "x" * 40)
    assert read_reply(authority.reply(REQUEST)).authority == "Evil [2J TSA " + "x" * 40


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"<html>503</html>",
        b"\x30\x00",
        b"\x30\x03\x02\x01\x00",
        b"\x04\x02hi",
        b"\x30\x80\x00\x00",
        b"\x30" * 5000,
        b"\x00" * (MAX_REPLY + 1),
        REQUEST,
    ],
)
def test_what_is_no_reply_is_refused_in_one_line(junk: bytes) -> None:
    with pytest.raises(ValueError, match=r"^the (reply|authority)[^\n]+$"):
        read_reply(junk)


def test_bytes_hidden_in_a_reply_are_refused(old: Make) -> None:
    """Behind the end, behind the token, and inside the explicit tags around each content."""
    authority = old()
    reply = authority.reply(REQUEST)
    hidden = b"\x04\x06hidden"
    outer = tsp.TimeStampResp.load(reply)
    status, token = outer["status"].dump(), outer["time_stamp_token"]
    kind, signed = token["content_type"].dump(), token["content"]
    inner = signed["encap_content_info"]
    smuggled = [
        reply + hidden,
        sequence(outer.contents + hidden),
        sequence(status + sequence(token.contents + hidden)),
        sequence(status + sequence(kind + wrap(0xA0, signed.untag().dump() + hidden))),
        sequence(
            status
            + sequence(
                kind
                + wrap(
                    0xA0,
                    sequence(
                        signed["version"].dump()
                        + signed["digest_algorithms"].dump()
                        + sequence(inner["content_type"].dump() + wrap(0xA0, inner["content"].untag().dump() + hidden))
                        + signed["certificates"].dump()
                        + signed["signer_infos"].dump()
                    ),
                )
            )
        ),
    ]
    for altered in smuggled:
        assert hidden in altered
        with pytest.raises(ValueError, match=r"is not DER|no TimeStampResp"):
            check(authority, altered)


def wrap(tag: int, content: bytes) -> bytes:
    return bytes([tag, 0x82]) + len(content).to_bytes(2) + content


def sequence(content: bytes) -> bytes:
    return wrap(0x30, content)


def flips(authority: Authority, reply: bytes, mask: int) -> list[int]:
    """The offsets of the bytes that can be changed and the reply still holds."""
    found = []
    for offset in range(len(reply)):
        altered = bytearray(reply)
        altered[offset] ^= mask
        try:
            check(authority, bytes(altered))
        except ValueError as e:
            assert "\n" not in str(e)
        else:
            found.append(offset)
    return found


@pytest.mark.parametrize("mask", [0x01, 0x20, 0xFF])
def test_no_byte_of_a_reply_can_be_changed(mask: int, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    assert flips(authority, authority.reply(REQUEST), mask) == []


def test_only_an_embedded_root_and_free_words_can_be_changed(old: Make) -> None:
    """The two parts that are unsigned by design: the root that counts is the one that was given, and words decide nothing."""
    authority = old(intermediate=True, whole_chain=True)
    words = b"granted, and welcome"

    def say(response: Any, _signed: Any, _signer: Any) -> None:
        response["status"]["status_string"] = [words.decode()]

    reply = changed(authority.reply(REQUEST), say)
    root = authority.root[0].public_bytes(Encoding.DER)
    free = {*range(reply.index(words), reply.index(words) + len(words))}
    embedded = {*range(reply.index(root), reply.index(root) + len(root))}
    key = asn1_x509.Certificate.load(root).public_key.dump()
    changeable = set(flips(authority, reply, 0x01))
    assert free < changeable and changeable & embedded and changeable <= free | embedded
    at = reply.index(key, min(embedded))
    assert not changeable & {*range(at, at + len(key))}  # a root of another key issued nothing here


def test_a_certificate_that_is_no_v3_does_not_break_the_reader(old: Make) -> None:
    authority = old()
    reply = authority.reply(REQUEST)
    der = authority.signer.public_bytes(Encoding.DER)
    at = reply.index(der) + der.index(b"\xa0\x03\x02\x01\x02") + 4
    with pytest.raises(ValueError, match="no TimeStampResp"):
        read_reply(reply[:at] + b"\x07" + reply[at + 1 :])
    with pytest.raises(ValueError, match="no certificates in PEM"):
        check(authority, reply, intermediates=[pem(authority.signer).replace(b"\n", b"\n*", 1)])
    assert isinstance(authority.signer, x509.Certificate)
