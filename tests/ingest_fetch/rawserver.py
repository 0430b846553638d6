"""A server that answers with literal bytes, so that a test can compare what was sent with what was kept.

    with RawServer({"/": response(b"hello")}) as server:
        fetch(f"http://127.0.0.1:{server.port}/")

A reply is bytes (sent, then the connection closes), a function that is given the socket and does as it likes, or a list
of either, one for each request to that path (the last one again for all later ones).
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

Talk = Callable[[socket.socket], object]
Reply = bytes | Talk | Sequence[bytes | Talk]

NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def response(body: bytes = b"", *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """A well-formed response with its length."""
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def redirect(location: bytes, status: bytes = b"302 Found") -> bytes:
    return response(b"over there", b"Location: " + location, status=status)


class RawServer:
    """Serves `replies` by path on a loopback port; `requests` holds each request's bytes in order of arrival."""

    def __init__(
        self, replies: Mapping[str, Reply], *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        self.replies = dict(replies)
        self.requests: list[bytes] = []
        self.released = threading.Event()
        self._tls = tls
        self._asked: dict[str, int] = {}
        self._listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def paths(self) -> list[str]:
        return [request.split()[1].decode("ascii") for request in list(self.requests)]

    def hang(self, connection: socket.socket) -> None:
        """A reply that never comes: holds the connection until the server ends."""
        self.released.wait(30)

    def __enter__(self) -> RawServer:
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.released.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with connection:
            try:
                secured = self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
                with secured:
                    self._answer(secured)
            except OSError:
                return  # the client hung up, which is what many of these tests are about

    def _answer(self, connection: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            data = connection.recv(65536)
            if not data:
                return
            request += data
        self.requests.append(request)
        path = request.split()[1].decode("ascii")
        turn = self._asked.get(path, 0)
        self._asked[path] = turn + 1
        reply = self.replies.get(path, NOT_FOUND)
        if isinstance(reply, Sequence) and not isinstance(reply, bytes):
            reply = reply[min(turn, len(reply) - 1)]
        if isinstance(reply, bytes):
            connection.sendall(reply)
        else:
            reply(connection)
        if connection.fileno() == -1:
            return
        if isinstance(connection, ssl.SSLSocket):
            connection.unwrap()
        else:
            connection.shutdown(socket.SHUT_WR)
