"""TLS: verified by default, and its certificates kept as evidence."""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from socket import socket

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from rawserver import RawServer, redirect, response

from muniment.ingest.fetch import Fetcher
from muniment.model import Attempt, Capture

Make = Callable[..., Fetcher]


def certificate(
    name: str, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None, *, expired: bool = False
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A certificate for `name` and 127.0.0.1, signed by `issuer`; without one, an authority that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    end = datetime.now(UTC) + timedelta(days=-1 if expired else 30)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=60))
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(usage(authority=issuer is None), critical=True)
    )
    if issuer:
        names = [x509.DNSName(name), x509.IPAddress(IPv4Address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer[1].public_key())
        builder = builder.add_extension(authority, critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def usage(*, authority: bool) -> x509.KeyUsage:
    names = (
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(
        digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **dict.fromkeys(names, False)
    )


def server_context(
    leaf: tuple[x509.Certificate, ec.EllipticCurvePrivateKey], chain: list[x509.Certificate], folder: Path
) -> ssl.SSLContext:
    pem = folder / "chain.pem"
    pem.write_bytes(
        b"".join(c.public_bytes(serialization.Encoding.PEM) for c in (leaf[0], *chain))
        + leaf[1].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


class World:
    """An authority, a server's certificate that it signed, and a client that trusts it."""

    def __init__(self, folder: Path, *, expired: bool = False) -> None:
        authority = certificate("Test Authority", None)
        leaf = certificate("news.example", authority, expired=expired)
        self.chain = [leaf[0], authority[0]]
        self.server = server_context(leaf, [authority[0]], folder)
        pem = authority[0].public_bytes(serialization.Encoding.PEM).decode("ascii")
        self.client = ssl.create_default_context(cadata=pem)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_chain_the_peer_sent_is_kept_in_its_order(world: World, make_fetcher: Make) -> None:
    with RawServer({"/": response(b"page")}, tls=world.server) as server:
        got = make_fetcher(ssl_context=world.client).fetch(f"{server.url}/").outcome
    assert isinstance(got, Capture)
    assert (got.block, got.request) == (response(b"page"), server.requests[0])
    kept = [base64.b64decode(value) for name, value in got.facts if name == "tls-certificate"]
    assert kept == [c.public_bytes(serialization.Encoding.DER) for c in world.chain]
    assert dict(got.facts)["tls-version"].startswith("TLSv1.")
    assert dict(got.facts)["tls-cipher"]


def test_a_host_name_is_checked_and_sent_while_the_address_is_the_checked_one(world: World, make_fetcher: Make) -> None:
    asked: list[str] = []
    world.server.sni_callback = lambda connection, name, context: asked.append(name)
    with RawServer({"/": response(b"page")}, tls=world.server) as server:
        overrides = dict.fromkeys(("news.example", "other.example"), f"127.0.0.1:{server.port}")
        fetcher = make_fetcher(ssl_context=world.client, resolve=overrides)
        assert isinstance(fetcher.fetch("https://news.example/").outcome, Capture)
        wrong = fetcher.fetch("https://other.example/").outcome
    assert isinstance(wrong, Attempt)
    assert (wrong.reason, asked) == ("tls", ["news.example", "other.example"])
    assert "other.example" in wrong.detail


def test_a_certificate_of_an_unknown_authority_is_refused_and_nothing_sent(world: World, make_fetcher: Make) -> None:
    with RawServer({"/": response(b"page")}, tls=world.server) as server:
        outcome = make_fetcher(retries=2).fetch(f"{server.url}/").outcome
    assert isinstance(outcome, Attempt)
    assert (outcome.reason, outcome.capture, server.requests) == ("tls", None, [])


def test_an_expired_certificate_is_refused(tmp_path: Path, make_fetcher: Make) -> None:
    world = World(tmp_path, expired=True)
    with RawServer({"/": response(b"page")}, tls=world.server) as server:
        outcome = make_fetcher(ssl_context=world.client).fetch(f"{server.url}/").outcome
    assert isinstance(outcome, Attempt)
    assert outcome.reason == "tls"
    assert "expired" in outcome.detail


def test_plain_http_where_tls_is_expected_is_a_tls_failure(world: World, make_fetcher: Make) -> None:
    def plain(connection: socket) -> None:
        connection.sendall(response(b"page"))

    with RawServer({"/": plain}) as server:
        # What the client sends is no request, so the server answers nothing and the handshake never ends well.
        outcome = (
            make_fetcher(ssl_context=world.client, connect_timeout=0.5)
            .fetch(f"https://127.0.0.1:{server.port}/")
            .outcome
        )
    assert isinstance(outcome, Attempt)
    assert outcome.reason in ("tls", "timeout", "cut")
    assert outcome.capture is None


def test_a_redirect_from_http_to_https_keeps_both_hops(world: World, make_fetcher: Make) -> None:
    with (
        RawServer({"/story": response(b"page")}, tls=world.server) as secure,
        RawServer({"/": redirect(f"{secure.url}/story".encode())}) as plain,
    ):
        fetched = make_fetcher(ssl_context=world.client).fetch(plain.url)
    assert isinstance(fetched.outcome, Capture)
    assert "tls-version" not in dict(fetched.redirects[0].facts)
    assert "tls-version" in dict(fetched.outcome.facts)


@pytest.mark.parametrize("framed", [True, False])
def test_a_connection_that_ends_without_close_notify_is_noted(framed: bool, world: World, make_fetcher: Make) -> None:
    sent = response(b"page") if framed else b"HTTP/1.1 200 OK\r\n\r\npage"

    def rude(connection: socket) -> None:
        connection.sendall(sent)
        connection.close()

    with RawServer({"/": rude}, tls=world.server) as server:
        got = make_fetcher(ssl_context=world.client).fetch(f"{server.url}/").outcome
    assert isinstance(got, Capture)
    assert got.body == b"page"
    assert ("tls-close" in dict(got.facts)) is not framed


def test_a_large_response_over_tls_is_kept_exactly(world: World, make_fetcher: Make) -> None:
    sent = response(hashlib.shake_128(b"muniment").digest(3_000_000))
    with RawServer({"/": sent}, tls=world.server) as server:
        got = make_fetcher(ssl_context=world.client).fetch(f"{server.url}/").outcome
    assert isinstance(got, Capture)
    assert got.block == sent
