"""Pages that would keep a browser for ever, take all memory or pass for another article: each load ends, and says how."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from scripted_site import SENTENCE, Handler, Site

from muniment.ingest import browser, rendering
from muniment.ingest.browser import BrowserFetcher
from muniment.ingest.fetch import Fetcher
from muniment.ingest.policy import FetchPolicy
from muniment.ingest.scratch import Scratch
from muniment.model import Attempt, Capture, Fetched

TEXT = f"<html><head><title>Harbour</title></head><body><article><h1>Harbour</h1><p>{SENTENCE * 6}</p></article>"
PAGES = {
    "/tricks": "<script>setTimeout = () => 0; Promise = null; Date.now = () => 0; onbeforeunload = e => e.preventDefault();"
               "onload = () => setInterval(() => { alert(1); confirm(2); prompt(3) }, 100);"
               "for (let i = 0; i < 40; i++) open('/child?' + i);"
               "fetch('/other').then(() => history.pushState(0, '', '/other'))</script><iframe src='/other'></iframe>",
    "/loop": "<script>onload = () => setInterval(() => { for (;;); }, 20)</script>",
    "/print": "<script>onbeforeprint = () => { for (;;); }</script>",
    "/vast": "<div style='height: 900000px; width: 9000px'>x</div>"
             "<script>for (let i = 0; i < 300; i++) document.body.append('<p>' + 'x'.repeat(9000))</script>",
    "/greedy": "".join(f"<img src='/stream?{i}'>" for i in range(6)),
}  # fmt: skip


class Hostile(Handler):
    def do_GET(self) -> None:
        if self.path.startswith("/stream"):
            self.send_response(200)
            self.end_headers()
            for _ in range(40):
                self.wfile.write(bytes(100_000))
            return
        if (more := PAGES.get(self.path)) is None:
            return super().do_GET()
        self.server.asked.append(self.path)
        self._send((TEXT + more).encode())


@pytest.fixture(scope="module")
def loads(chromium: str) -> Iterator[dict[str, Fetched]]:
    """What each of the pages gave, one after another in one browser."""
    server = Site(("127.0.0.1", 0), Hostile)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    where = {"site.example": f"127.0.0.1:{server.server_address[1]}"}
    policy = FetchPolicy(resolve=where, allow_private=True, respect_robots=False, total_timeout=10.0, retries=0)
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in ((rendering, "_ANSWER", 4.0), (rendering, "_PRINT", 2.0), (rendering, "QUIET", 0.5),
                                    (rendering, "_MAX_DOM", 1_000_000), (rendering, "_MAX_HEIGHT", 2_000), (browser, "MAX_BYTES", 6_000_000)):  # fmt: skip
            patch.setattr(module, name, value)
        with closing(BrowserFetcher(Fetcher(policy), policy)) as fetcher:
            yield {path: fetcher.fetch(server.url + path) for path in PAGES}
    server.shutdown()
    server.server_close()


def kinds(fetched: Fetched) -> list[str]:
    """What was made of the page, and what could not be."""
    made = [fetched.outcome, *fetched.requisites]
    named = [(one.uri.partition(":http")[0].removeprefix("urn:"), isinstance(one, Attempt)) for one in made]
    return [f"no {name}" if failed else name for name, failed in named if "/" not in name]


def test_a_page_that_changes_the_language_and_asks_questions_is_taken_all_the_same(loads: dict[str, Fetched]) -> None:
    assert kinds(loads["/tricks"]) == ["dom", "fullPage", "pdf"]


def test_of_a_page_that_never_answers_the_bytes_are_kept_and_what_lacks_is_said(loads: dict[str, Fetched]) -> None:
    stuck = loads["/loop"]
    assert isinstance(stuck.outcome, Capture) and stuck.outcome.kind == "response" and kinds(stuck)[-1] == "no dom"
    assert kinds(loads["/print"]) == ["dom", "fullPage", "no pdf"]
    lacking = next(one for one in loads["/print"].requisites if isinstance(one, Attempt))
    assert lacking.reason == "browser" and "did not answer" in lacking.detail


def test_what_a_page_opens_is_not_loaded(loads: dict[str, Fetched]) -> None:
    assert not [one for one in loads["/tricks"].requisites if "/child" in one.uri]


def test_an_address_that_a_script_writes_into_the_bar_is_not_the_address_of_the_page(loads: dict[str, Fetched]) -> None:
    page = loads["/tricks"].outcome
    assert isinstance(page, Capture) and page.uri.endswith("/tricks")
    assert dict(page.facts)["shownAs"].endswith("/other")


def test_of_what_is_too_large_a_part_is_taken_and_marked(loads: dict[str, Fetched]) -> None:
    page = loads["/vast"].outcome
    assert isinstance(page, Capture) and len(page.body) == 1_000_000 and page.truncated == "length"
    picture = next(one for one in loads["/vast"].requisites if one.uri.startswith("urn:fullPage"))
    assert isinstance(picture, Capture) and picture.truncated == "length"
    assert kinds(loads["/vast"]) == ["dom", "fullPage", "no pdf"]


def test_all_that_a_page_asks_for_at_once_fits_into_one_limit(loads: dict[str, Fetched]) -> None:
    streams = [one for one in loads["/greedy"].requisites if "/stream" in one.uri]
    captures = [one.capture if isinstance(one, Attempt) else one for one in streams]
    assert sum(len(one.block) for one in captures if one) <= 6_000_000
    assert "too-large" in [one.reason for one in streams if isinstance(one, Attempt)]


def test_what_a_killed_run_left_lying_goes_with_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = "from muniment.ingest.scratch import Scratch; s = Scratch(); print(s.path, flush=True); input()"
    killed = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert killed.stdout is not None
    left = Path(killed.stdout.readline().strip())
    (left / "profile").mkdir()
    (tmp_path / "muniment-browser-of-somebody").mkdir()
    with closing(Scratch()) as beside:
        assert left.is_dir() and beside.path.is_dir()
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    with closing(Scratch()) as after:
        assert not left.exists() and (tmp_path / "muniment-browser-of-somebody").is_dir()
    assert not after.path.exists()


def test_a_load_is_broken_off_when_the_browser_is_closed(chromium: str) -> None:
    server = Site(("127.0.0.1", 0), Hostile)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    where = {"site.example": f"127.0.0.1:{server.server_address[1]}"}
    policy = FetchPolicy(resolve=where, allow_private=True, respect_robots=False, retries=0)
    fetcher = BrowserFetcher(Fetcher(policy), policy)
    got: list[Fetched] = []
    load = threading.Thread(target=lambda: got.append(fetcher.fetch(server.url + "/loop")))
    load.start()
    while "/loop" not in server.asked and load.is_alive():
        time.sleep(0.05)
    begun = time.monotonic()
    fetcher.close()
    load.join(20)
    assert time.monotonic() - begun < 20 and isinstance(got[0].outcome, Attempt)
    server.shutdown()
    server.server_close()
