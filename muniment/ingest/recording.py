"""The proxy on loopback through which a browser loads a page, so that each exchange is kept as it crossed the wire.

The browser speaks to us, and we speak to the servers: over the guarded transport, with the servers' certificates
checked here and kept. To the browser we answer for every host with one certificate, whose key it was started to accept
(`--ignore-certificate-errors-spki-list`); the key never leaves this process.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h11
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from muniment.errors import FetchError
from muniment.ingest.http import Exchange
from muniment.model import Attempt, Capture

_log = logging.getLogger(__name__)

_IDLE, _RECEIVE = 60.0, 64 * 1024
_MAX_REQUEST = 16 << 20
_TOLD = 200  # requests over the limits that are named
# What concerns one connection only, and what the servers are asked for in our own way.
_OURS = {b"connection", b"proxy-connection", b"proxy-authorization", b"keep-alive", b"accept-encoding", b"te"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the browser makes it; `headers` in order, without those that concern one connection."""

    method: str
    url: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Identity:
    """The certificate that stands for every host, and the SHA-256 of its key as Chromium wants it."""

    def __init__(self) -> None:
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "muniment, recording")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=7))
            .sign(key, hashes.SHA256())
        )
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.digest = base64.b64encode(hashlib.sha256(public).digest()).decode()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "identity.pem"
            path.touch(0o600)
            private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
            self.context.load_cert_chain(path)


@dataclass(slots=True)
class Recorded:
    """What one page load gave, in the order in which it was asked for. What is still on its way is an attempt
    ("incomplete"), as is what came over the limits ("page-limit"); `refused` counts these."""

    outcomes: list[Capture | Attempt] = field(default_factory=list)
    refused: int = 0


class RecordingProxy:
    """One page's proxy: `with RecordingProxy(...) as proxy`, then `proxy.port` and `proxy.recorded`.

    `relay` sends a request on, and gives what came; it is called from many threads. At most `count` exchanges of `size`
    bytes in all are let through.
    """

    def __init__(self, relay: Callable[[Asked], Capture | Attempt], identity: Identity, *, count: int, size: int):
        self._relay, self._identity, self._count, self._size = relay, identity, count, size
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listening.getsockname()[1]
        self._lock, self._open = threading.Lock(), set[socket.socket]()
        self._slots: list[Capture | Attempt] = []
        self._sent, self._taken, self._refused = 0, 0, 0
        self._closed = False

    def __enter__(self) -> RecordingProxy:
        threading.Thread(target=self._accept, name="recording", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        self._listening.close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def recorded(self) -> Recorded:
        """What came so far."""
        with self._lock:
            return Recorded(list(self._slots), self._refused)

    def _accept(self) -> None:
        while not self._closed:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)
        held = connection
        try:
            held.settimeout(_IDLE)
            origin, asked = "", _read_request(held)
            if asked is not None and asked[0].method == b"CONNECT":
                origin = "https://" + _authority(asked[0].target.decode("ascii"))
                held.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                held = self._identity.context.wrap_socket(held, server_side=True)
                asked = _read_request(held)
            if asked is not None:
                held.sendall(self._answer(_asked(origin, *asked)))
        except (h11.ProtocolError, ValueError) as e:
            _log.warning("a request of the page cannot be read, and is not made: %s", e)
        except OSError:
            pass  # the browser gave up: what was asked for is recorded
        finally:
            with self._lock:
                self._open.discard(connection)
            held.close()
            connection.close()

    def _answer(self, asked: Asked) -> bytes:
        """What came; no bytes where nothing whole did, so that a page is not told of a reply that there never was."""
        now = datetime.now(UTC)
        with self._lock:
            if self._closed:
                return b""
            if self._sent >= self._count or self._taken >= self._size:
                self._refused += 1
                if self._refused <= _TOLD:
                    detail = f"the page asked for over {self._count:,} things, or {self._size >> 20} MiB"
                    self._slots.append(Attempt(asked.url, now, "page-limit", detail))
                return b""
            self._sent += 1
            place = len(self._slots)
            self._slots.append(Attempt(asked.url, now, "incomplete", "the page was left before this came"))
        outcome = self._relay(asked)
        capture = outcome.capture if isinstance(outcome, Attempt) else outcome
        with self._lock:
            self._slots[place] = outcome
            self._taken += len(capture.block) if capture else 0
        if capture is None or capture.status is None or capture.truncated:
            return b""
        return capture.block


class Budget:
    """How many bytes all replies of one page may still have, those on their way among them: a page asks for many things
    at once, each of which may be as large as is allowed."""

    def __init__(self, size: int):
        self._left, self._size, self._lock = size, size, threading.Lock()

    def take(self, count: int) -> None:
        """Raises FetchError("too-large")."""
        with self._lock:
            if count > self._left:
                raise FetchError("too-large", f"what the page asks for does not fit in {self._size:,} bytes")
            self._left -= count


class Counted(Exchange):
    """An exchange on a budget."""

    def __init__(self, budget: Budget, asked: Asked, headers: Iterable[tuple[str, str]]):
        self._budget = budget
        body = asked.body or (b"" if asked.method == "POST" else None)
        super().__init__(asked.target, headers, body, asked.method)

    def keep(self, data: bytes) -> None:
        self._budget.take(len(data))
        super().keep(data)


def _read_request(connection: socket.socket) -> tuple[h11.Request, bytes] | None:
    """The next request with its body; None where the connection ends before."""
    reader, request, body = h11.Connection(h11.SERVER, max_incomplete_event_size=256 * 1024), None, bytearray()
    while True:
        event = reader.next_event()
        if event is h11.NEED_DATA:
            if reader.they_are_waiting_for_100_continue:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            reader.receive_data(connection.recv(_RECEIVE))
        elif isinstance(event, h11.Request):
            request = event
            if event.method == b"CONNECT":
                return event, b""
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > _MAX_REQUEST:
                raise ValueError("a request of that size")
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            return request, bytes(body)
        else:
            return None


def _asked(origin: str, request: h11.Request, body: bytes) -> Asked:
    """`origin` is empty for a request to the proxy itself, which names the whole address."""
    target = request.target.decode("ascii")
    if not origin:
        scheme, _, rest = target.partition("://")
        if scheme.lower() != "http":
            raise ValueError("no address to fetch")
        authority, slash, path = rest.partition("/")
        origin, target = f"http://{authority}", (slash or "/") + path
    headers = tuple(
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in request.headers.raw_items()
        if name.lower() not in _OURS
    )
    return Asked(request.method.decode("ascii"), origin + target, target, headers, body)


def _authority(target: str) -> str:
    return target.removesuffix(":443")
