"""A web server for tests, on loopback: it notes what is posted to it and asked of it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


class Hook:
    """Answers with `status`; `posted` has each answer's status with the JSON that came."""

    def __init__(self) -> None:
        self.status = 200
        self.posted: list[tuple[int, dict[str, Any]]] = []
        self.paths: list[str] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hook.paths.append(self.path)
                self._answer()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.posted.append((hook.status, json.loads(body)))
                self._answer()

            def _answer(self) -> None:
                self.send_response(hook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def take_paths(self) -> list[str]:
        """What was asked for since this was called last."""
        taken, self.paths = self.paths, []
        return taken

    def __enter__(self) -> Hook:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
