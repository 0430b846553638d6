"""An OpenTimestamps calendar of our own on loopback, which answers as the protocol says with the library's own bytes."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, PendingAttestation
from opentimestamps.core.op import OpAppend, OpPrepend, OpSHA256
from opentimestamps.core.serialize import BytesSerializationContext
from opentimestamps.core.timestamp import Timestamp


class Calendar:
    """It promises every digest, and knows the block of each once `height` is set. `spoil` changes its answers."""

    def __init__(self) -> None:
        self.height: int | None = None
        self.asked: list[str] = []
        self.spoil = lambda answer: answer
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Calendar:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def promise(self, digest: bytes) -> bytes:
        timestamp = Timestamp(digest)
        committed = timestamp.ops.add(OpAppend(b"nonce")).ops.add(OpSHA256())
        committed.attestations.add(PendingAttestation(self.url))
        return written(timestamp)

    def block(self, commitment: bytes) -> bytes:
        timestamp = Timestamp(commitment)
        top = timestamp.ops.add(OpPrepend(b"other leaves")).ops.add(OpSHA256())
        top.attestations.add(BitcoinBlockHeaderAttestation(self.height or 0))
        return written(timestamp)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        calendar = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                digest = self.rfile.read(int(self.headers["Content-Length"]))
                calendar.asked.append(f"POST {self.path} {digest.hex()}")
                self._answer(200, calendar.promise(digest))

            def do_GET(self) -> None:
                calendar.asked.append(f"GET {self.path}")
                known = calendar.height is not None
                commitment = bytes.fromhex(self.path.rpartition("/")[2])
                self._answer(200 if known else 404, calendar.block(commitment) if known else b"Pending")

            def _answer(self, status: int, content: bytes) -> None:
                content = calendar.spoil(content)
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


def written(timestamp: Timestamp) -> bytes:
    context = BytesSerializationContext()
    timestamp.serialize(context)
    content: bytes = context.getbytes()
    return content
