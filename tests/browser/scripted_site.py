"""A site that only a browser can read: its text comes by script, as on many news pages."""

from __future__ import annotations

import base64
import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SENTENCE = "The harbour master said on Tuesday that the crane had been inspected twice before it fell. "
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PAGE = """<html><head><title>Crane falls in the harbour</title><base href="/in/"><link rel="stylesheet" href="s.css">
</head><body><!-- <img src="/commented.png"> --><article><h1>Crane falls in the harbour</h1><div id="x"></div>
<img src="a.png" srcset="a.png 1x, /big.png 2x" alt=""><div style="background: url('/back.png')"></div>
<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" alt=""><script src="/app.js"></script></article></body></html>"""
SCRIPT = """fetch('/api', {method: 'POST', body: 'who'}).then(r => r.json()).then(async said => {
  document.getElementById('x').innerHTML = await (await fetch('/text')).text();
  for (const url of ['http://private.example/', 'http://169.254.169.254/latest', 'https://[::1]/']) {
    try { await fetch(url, {mode: 'no-cors'}); } catch (e) { document.title += ' refused'; }
  }
  document.getElementById('x').dataset.said = said.got; });"""


class Site(ThreadingHTTPServer):
    daemon_threads = True
    asked: list[str]
    left: threading.Event

    @property
    def url(self) -> str:
        return f"http://site.example:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Site

    def log_message(self, *_: object) -> None:
        pass

    def _send(self, body: bytes, kind: str = "text/html; charset=utf-8", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        said = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._send(json.dumps({"got": said}).encode(), "application/json")

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        match self.path:
            case "/":
                self._send(PAGE.encode())
            case "/go":
                self._send(b"", status=302, Location="/")
            case "/app.js":
                self._send(SCRIPT.encode(), "text/javascript")
            case "/text":
                text = f"<p>{SENTENCE * 6}</p>".encode()
                self._send(gzip.compress(text), Content_Encoding="gzip")
            case "/in/s.css":
                self._send(b"@import 'more.css'; body { background: url(/bg.png) }", "text/css")
            case "/in/more.css":
                self._send(b"p { background: url( 'bg2.png' ) }", "text/css")
            case path if path.startswith("/slow"):
                later = "setTimeout(() => { for (let n = 0; n < 4; n++) new Image().src = `/${n}.png` }, 99)"
                self._send(f"<html><body><p>A page.<script>fetch('/never'); {later}</script>".encode())
            case "/never":
                self.server.left.wait(60)
            case "/report.pdf":
                self._send(b"%PDF-1.4 no more than this", "application/pdf")
            case "/robots.txt":
                self._send(b"User-agent: *\nDisallow: /private\n", "text/plain")
            case path if path.endswith(".png") and path != "/in/a.png.png":
                self._send(PICTURE, "image/png")
            case _:
                self._send(b"gone", status=404)
