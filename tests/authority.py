"""A time stamping authority of our own: real certificates, real RFC 3161 replies, over HTTP on loopback.

    with Authority(tmp_path) as authority:
        reply = ask(authority.url, make_request(data, nonce), allow_private=True)
        check_reply(reply, data, [authority.root_pem])

Replies are made by `openssl ts -reply`, which stamps the present. With `clock` set, the authority lives at that time:
replies are put together here then, so that a certificate can have expired since without anyone having waited for it
(and so that one can be unfit for stamps, with which openssl refuses to work).
"""

from __future__ import annotations

import hashlib
import subprocess
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from asn1crypto import cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

POLICY = "1.3.6.1.4.1.99999.1"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Issuer = tuple[x509.Certificate, Key]

_CONFIG = """
[tsa]
default_tsa = t
[t]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
{certs}
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = {policy}
digests = sha256, sha512
accuracy = secs:1, millisecs:500
clock_precision_digits = {precision}
ordering = no
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = {ess}
"""


def certificate(
    name: str,
    issuer: Issuer | None,
    since: datetime,
    until: datetime,
    *,
    ca: bool = False,
    purposes: Sequence[x509.ObjectIdentifier] = (),
    critical: bool = True,
    rsa_key: bool = False,
    path_length: int | None = None,
    may_issue: bool | None = None,
    country: str | None = None,
    key: Key | None = None,
) -> Issuer:
    """A certificate and its key, signed by `issuer`; without one, by itself.

    `ca` and `path_length` are its basic constraints; `may_issue` (as `ca` without it) says whether its key usage lets it.
    """
    may_issue = ca if may_issue is None else may_issue
    key = key or (rsa.generate_private_key(65537, 2048) if rsa_key else ec.generate_private_key(ec.SECP256R1()))
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if country is not None:  # any text, where the standard has two letters
        names.insert(0, x509.NameAttribute(NameOID.COUNTRY_NAME, country, _validate=False))
    subject = x509.Name(names)
    usage = {
        "digital_signature": not ca, "content_commitment": False, "key_encipherment": False,
        "data_encipherment": False, "key_agreement": False, "key_cert_sign": may_issue, "crl_sign": ca,
        "encipher_only": False, "decipher_only": False,
    }  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
    )
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(purposes)), critical=critical)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(c.public_bytes(Encoding.PEM) for c in certificates)


class Authority:
    """An authority with a root, an intermediate authority where asked for, and a certificate for time stamping.

    `since` and `until` bound that certificate (the root: ten years around it). `whole_chain` puts every certificate into
    the replies, in the order in which `openssl ts` writes them. `self_signed`: the certificate is its own root.
    `purposes` and `critical` are its extended key usage. `ess` is the digest that names the certificate (sha1 as older
    ones do, and sha256). `precision` digits stand behind the seconds.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "Test TSA",
        since: datetime | None = None,
        until: datetime | None = None,
        clock: datetime | None = None,
        intermediate: bool = False,
        intermediate_ca: bool = True,
        whole_chain: bool = False,
        self_signed: bool = False,
        rsa_key: bool = False,
        purposes: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.TIME_STAMPING,),
        critical: bool = True,
        ess: str = "sha256",
        precision: int = 0,
    ) -> None:
        self.folder, self.clock = folder, clock
        folder.mkdir(parents=True, exist_ok=True)
        since = since or datetime.now(UTC) - timedelta(days=1)
        until = until or since + timedelta(days=365)
        decade = timedelta(days=3650)
        self.root = certificate(f"{name} Root", None, since - decade, until + decade, ca=True)
        issuer, between = self.root, []
        if intermediate:
            issuer = certificate(f"{name} CA", self.root, since - decade, until + decade, ca=intermediate_ca)
            between = [issuer[0]]
        self.signer, self.key = certificate(
            name, None if self_signed else issuer, since, until, purposes=purposes, critical=critical, rsa_key=rsa_key
        )
        if self_signed:
            self.root = (self.signer, self.key)
        self.root_pem = pem(self.root[0])
        self.chain_pem = pem(*between, self.root[0])
        self.embedded = [self.signer, *between, self.root[0]] if whole_chain else [self.signer]
        self.requests: list[bytes] = []
        self._failures: list[tuple[int, str | None]] = []
        self._lock = threading.Lock()
        self._write(ess, precision)

    def fail_next(self, times: int, status: int, retry_after: str | None = None) -> None:
        """The next requests are answered with this status alone."""
        self._failures += [(status, retry_after)] * times

    def reply(self, request: bytes) -> bytes:
        """The TimeStampResp to a TimeStampReq."""
        if self.clock is not None:
            return self.sign(request, self.clock)
        with self._lock:
            (self.folder / "request").write_bytes(request)
            command = ["openssl", "ts", "-reply", "-config", "ts.cnf", "-queryfile", "request", "-out", "reply"]
            subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
            return (self.folder / "reply").read_bytes()

    def sign(self, request: bytes, at: datetime, *, drop: Sequence[str] = (), **fields: Any) -> bytes:
        """A reply as of another time. `drop` leaves signed attributes out; `fields` replace ones of the TSTInfo."""
        asked = tsp.TimeStampReq.load(request)
        info = tsp.TSTInfo(
            {
                "version": "v1",
                "policy": POLICY,
                "message_imprint": asked["message_imprint"],
                "serial_number": 4711,
                "gen_time": at,
                "nonce": asked["nonce"],
                **fields,
            }
        ).dump()
        named = {"certs": [{"cert_hash": self.signer.fingerprint(hashes.SHA256())}]}
        values = {
            "content_type": "tst_info",
            "message_digest": hashlib.sha256(info).digest(),
            "signing_certificate_v2": named,
        }
        attributes = cms.CMSAttributes(
            [{"type": name, "values": [value]} for name, value in values.items() if name not in drop]
        )
        ours = asn1_x509.Certificate.load(self.signer.public_bytes(Encoding.DER))
        assert isinstance(self.key, ec.EllipticCurvePrivateKey)
        signer = {
            "version": "v1",
            "sid": cms.SignerIdentifier(
                "issuer_and_serial_number", {"issuer": ours.issuer, "serial_number": ours.serial_number}
            ),
            "digest_algorithm": {"algorithm": "sha256"},
            "signed_attrs": attributes,
            "signature_algorithm": {"algorithm": "sha256_ecdsa"},
            "signature": self.key.sign(attributes.dump(), ec.ECDSA(hashes.SHA256())),
        }
        signed = cms.SignedData(
            {
                "version": "v3",
                "digest_algorithms": [{"algorithm": "sha256"}],
                "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(info)},
                "certificates": [asn1_x509.Certificate.load(c.public_bytes(Encoding.DER)) for c in self.embedded],
                "signer_infos": [signer],
            }
        )
        token = {"content_type": "signed_data", "content": signed}
        return bytes(tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token}).dump())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/tsa"

    def __enter__(self) -> Authority:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _write(self, ess: str, precision: int) -> None:
        (self.folder / "tsa.pem").write_bytes(pem(self.signer))
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.folder / "tsa.key").write_bytes(key)
        (self.folder / "serial").write_text("01\n")
        (self.folder / "certs.pem").write_bytes(pem(*self.embedded[1:]))
        certs = f"certs = {self.folder}/certs.pem" if len(self.embedded) > 1 else ""
        config = _CONFIG.format(folder=self.folder, certs=certs, policy=POLICY, ess=ess, precision=precision)
        (self.folder / "ts.cnf").write_text(config)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                authority.requests.append(body)
                if authority._failures:
                    status, retry_after = authority._failures.pop(0)
                    self.send_response(status)
                    if retry_after is not None:
                        self.send_header("Retry-After", retry_after)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                reply = authority.reply(body)
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler
