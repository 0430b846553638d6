"""One request over one connection: socket, TLS, and every byte of the reply kept as it came.

Every wait has an end: connecting, each silence, and the exchange as a whole; so has every size.
"""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from muniment.errors import FetchError
from muniment.ingest.address import Endpoint
from muniment.ingest.http import Exchange
from muniment.model import Truncation

if TYPE_CHECKING:
    import ssl

# endpoint, seconds -> a connected socket
Dial = Callable[[Endpoint, float], socket.socket]

_RECEIVE = 64 * 1024
_ADDRESSES_TRIED = 4
# A reply that is no HTTP is still read to its end, as evidence, but not for long.
_DRAIN_SECONDS = 5.0
_DRAIN_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for connecting, for each silence of the server, and for the whole; bytes of the reply."""

    connect: float
    silence: float
    total: float
    size: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one exchange: `failure` is None where a whole response did. `facts` name peer and TLS."""

    exchange: Exchange
    address: str | None
    failure: FetchError | None
    truncated: Truncation | None
    facts: tuple[tuple[str, str], ...]


class _Deadline:
    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self, at_most: float) -> float:
        left = min(at_most, self._end - time.monotonic())
        if left <= 0:
            raise TimeoutError("the time for the whole request is over")
        return left


class _Connection:
    """A socket to a checked address, in TLS where a context is given."""

    def __init__(self, endpoint: Endpoint, connected: socket.socket, deadline: _Deadline) -> None:
        self._socket = connected
        self._deadline = deadline
        ip, port, *_ = endpoint.sockaddr
        self.facts: list[tuple[str, str]] = [("peer", f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}")]
        self._ragged_end: tuple[type[OSError], ...] = ()

    def start_tls(self, context: ssl.SSLContext, host: str, seconds: float) -> None:
        import ssl

        self._socket.settimeout(self._deadline.left(seconds))
        try:
            secured = context.wrap_socket(self._socket, server_hostname=host, suppress_ragged_eofs=False)
        except ssl.SSLCertVerificationError as e:
            raise FetchError("tls", f"the certificate of {host} does not hold: {e.verify_message}") from e
        except ssl.SSLError as e:
            raise FetchError("tls", f"no TLS connection with {host}: {e.reason or e}") from e
        self._socket = secured
        self._ragged_end = (ssl.SSLEOFError,)
        cipher = secured.cipher()
        self.facts += [("tls-version", secured.version() or ""), ("tls-cipher", cipher[0] if cipher else "")]
        self.facts += [("tls-certificate", base64.b64encode(der).decode("ascii")) for der in _peer_chain(secured)]

    def send(self, data: bytes, seconds: float) -> None:
        self._socket.settimeout(self._deadline.left(seconds))
        self._socket.sendall(data)

    def receive(self, silence: float) -> bytes:
        """The next bytes, b"" at the end of the stream."""
        self._socket.settimeout(self._deadline.left(silence))
        try:
            return self._socket.recv(_RECEIVE)
        except self._ragged_end:
            # Many servers end TLS without saying so. HTTP framing tells whether the message is whole; one
            # that only ends with the connection might have been shortened on its way, so the fact is kept.
            self.facts.append(("tls-close", "without close_notify"))
            return b""

    def close(self) -> None:
        self._socket.close()


def dial(endpoint: Endpoint, seconds: float) -> socket.socket:
    """A connected TCP socket. Raises OSError."""
    connecting = socket.socket(endpoint.family, socket.SOCK_STREAM)
    try:
        connecting.settimeout(seconds)
        connecting.connect(endpoint.sockaddr)
    except OSError:
        connecting.close()
        raise
    return connecting


def send_request(
    exchange: Exchange,
    endpoints: Sequence[Endpoint],
    tls: tuple[ssl.SSLContext, str] | None,
    limits: Limits,
    dial: Dial = dial,
) -> Reply:
    """Connects, sends `exchange.request`, and feeds it the reply. Failures are in the Reply.

    `tls` is a context and the host name to check. Reasons: connect, timeout, tls, cut, protocol, too-large.
    """
    deadline = _Deadline(limits.total)
    try:
        endpoint, connected = _connect(endpoints, deadline, limits.connect, dial)
    except FetchError as e:
        return Reply(exchange, None, e, None, ())
    connection = _Connection(endpoint, connected, deadline)
    try:
        failure = _converse(connection, exchange, tls, limits)
        unreadable = failure is not None and failure.reason == "protocol"
        truncated = _drain(connection, exchange, limits) if unreadable else _truncation(failure)
    finally:
        connection.close()
    return Reply(exchange, endpoint.sockaddr[0], failure, truncated, tuple(connection.facts))


def _converse(
    connection: _Connection, exchange: Exchange, tls: tuple[ssl.SSLContext, str] | None, limits: Limits
) -> FetchError | None:
    try:
        if tls is not None:
            connection.start_tls(*tls, limits.connect)
        connection.send(exchange.request, limits.silence)
        _receive(connection, exchange, limits)
    except FetchError as e:
        return e
    except TimeoutError as e:
        return FetchError("timeout", f"no whole answer in time ({e}); {exchange.size:,} bytes had come")
    except OSError as e:
        return FetchError("cut", f"the connection broke: {e.strerror or e}")
    return None


def _receive(connection: _Connection, exchange: Exchange, limits: Limits) -> None:
    while not exchange.done:
        data = connection.receive(limits.silence)
        exchange.feed(data[: limits.size - exchange.size])
        if not exchange.done and max(exchange.size, exchange.announced or 0) >= limits.size:
            raise FetchError("too-large", f"the response does not fit in {limits.size:,} bytes")


def _drain(connection: _Connection, exchange: Exchange, limits: Limits) -> Truncation | None:
    """Keeps what else comes of an unreadable reply; says how it was cut where it did not end by itself."""
    room = min(_DRAIN_BYTES, limits.size - exchange.size)
    patience = _Deadline(_DRAIN_SECONDS)
    try:
        while data := connection.receive(patience.left(limits.silence)):
            exchange.keep(data[:room])
            room -= len(data)
            if room < 0:
                return "length"
    except TimeoutError:
        return "time"
    except OSError:
        return "disconnect"
    return None


def _truncation(failure: FetchError | None) -> Truncation | None:
    match failure.reason if failure else None:
        case "too-large":
            return "length"
        case "timeout":
            return "time"
        case "cut":
            return "disconnect"
    return None


def _connect(
    endpoints: Sequence[Endpoint], deadline: _Deadline, seconds: float, dial: Dial
) -> tuple[Endpoint, socket.socket]:
    """The first of the addresses that answers. Raises FetchError with the last one's error where none does."""
    failure = OSError("no address to connect to")
    for endpoint in endpoints[:_ADDRESSES_TRIED]:
        try:
            return endpoint, dial(endpoint, deadline.left(seconds))
        except OSError as e:
            failure = e
    ip, port, *_ = endpoints[0].sockaddr
    reason = "timeout" if isinstance(failure, TimeoutError) else "connect"
    raise FetchError(reason, f"{ip} port {port} does not answer: {failure.strerror or failure}") from failure


def _peer_chain(secured: ssl.SSLSocket) -> list[bytes]:
    """The certificates that the peer sent, in its order, as DER; the leaf alone where no more is told."""
    if hasattr(secured, "get_unverified_chain"):  # Python 3.13
        return list(secured.get_unverified_chain())
    private = getattr(getattr(secured, "_sslobj", None), "get_unverified_chain", None)
    if private is not None:
        import _ssl

        return [certificate.public_bytes(_ssl.ENCODING_DER) for certificate in private()]
    leaf = secured.getpeercert(binary_form=True)
    return [leaf] if leaf else []
