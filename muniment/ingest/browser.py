"""Pages that need a browser: loaded in Chromium, each exchange of the load kept, and cleaned as they then stand.

START HERE: `BrowserFetcher(Fetcher(policy), policy).fetch(url)`, the same call as a Fetcher's. It gives the rendered
page as a `resource` at `urn:dom:URL`, and as requisites every exchange as it crossed the wire (`recording.py`), a
picture of the page (`urn:fullPage:URL`) and a PDF of it (`urn:pdf:URL`). All that the browser asks for goes through our
guarded transport; it has no other way to a network.

Needs the extra `muniment[browser]` (Playwright) and a Chromium or Chrome of the system's.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from muniment import __version__
from muniment.errors import UsageError
from muniment.ingest.http import Exchange
from muniment.ingest.urls import normalise_target, rendered_uri
from muniment.model import Attempt, Capture, Fetched, sha256

if TYPE_CHECKING:
    from muniment.ingest.fetch import Fetcher
    from muniment.ingest.http import Held
    from muniment.ingest.policy import FetchPolicy
    from muniment.ingest.recording import Asked, Identity, RecordingProxy

_log = logging.getLogger(__name__)

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAX_EXCHANGES, MAX_BYTES = 2_000, 256 << 20  # of one page
_QUIET, _MAX_DOM = 10.0, 20_000_000  # seconds to wait for the network to fall silent; bytes
_VIEW = {"width": 1280, "height": 1024}
_FLAGS = (
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-quic", "--disable-gpu", "--disable-features=Translate,OptimizationHints,MediaRouter",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
)  # fmt: skip
_PAGES = {"text/html", "application/xhtml+xml"}
_NOWHERE = "http://127.0.0.1:9"  # the discard port: what is no page's has no way out
# Pictures that wait until they are scrolled to, in steps of the window.
_SCROLL = """async () => {
  for (let at = 0; at < Math.min(document.documentElement.scrollHeight, 60000); at += innerHeight) {
    scrollTo(0, at); await new Promise(done => setTimeout(done, 60));
  }
  scrollTo(0, 0);
}"""


def find_browser(path: str = "") -> str:
    """The browser to start: the one named, else the system's. Raises UsageError: there is none, or no Playwright."""
    from importlib.util import find_spec

    if find_spec("playwright") is None:
        raise UsageError("--browser needs Playwright: pip install 'muniment[browser]'")
    found = shutil.which(path) if path else next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        wanted = f"no program {path!r}" if path else f"none of {', '.join(NAMES)} is installed"
        raise UsageError(
            f"--browser: {wanted}: install Chromium, or name it as `browser` under [fetch] in archive.toml"
        )
    return found


class BrowserFetcher:
    """Fetches pages as a browser sees them, one at a time; may be shared by threads. `close` ends the browser.

    robots.txt is asked for the page itself, as for any fetch, and not for what belongs to it; the whole load is one
    turn at the page's host.
    """

    def __init__(self, fetcher: Fetcher, policy: FetchPolicy):
        self._path = find_browser(policy.browser)
        self._fetcher, self._policy = fetcher, policy
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="browser")  # Playwright's objects belong to one thread
        self._playwright: Any = None
        self._browser: Any = None
        self._identity: Identity | None = None
        self._closed = False

    def fetch(self, url: str, held: Mapping[str, Held] | None = None) -> Fetched:
        """As Fetcher.fetch; further reasons of attempts: browser (it failed).

        A page is always loaded whole, whatever is held of it: only then is seen what its scripts make of it.
        """
        url = normalise_target(url)
        with self._fetcher.visit(url) as refused:
            if refused is not None:
                return Fetched((), refused)
            return self._thread.submit(self._load, url).result()

    def close(self) -> None:
        """Ends the browser once the page at hand is loaded; those that wait for their turn are not."""
        self._closed = True
        self._thread.submit(self._stop).result()
        self._thread.shutdown()

    def _stop(self) -> None:
        if self._browser is not None:
            self._browser.close()
        if self._playwright is not None:
            self._playwright.stop()
        self._browser = self._playwright = None

    def _start(self) -> None:
        from playwright.sync_api import sync_playwright

        from muniment.ingest.recording import Identity

        self._identity = Identity()
        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(
            executable_path=self._path,
            headless=True,
            chromium_sandbox=os.geteuid() != 0,  # it refuses to have one as root
            args=[*_FLAGS, f"--ignore-certificate-errors-spki-list={self._identity.digest}"],
            proxy={"server": _NOWHERE, "bypass": "<-loopback>"},
        )

    def _load(self, url: str) -> Fetched:
        from playwright.sync_api import Error

        from muniment.ingest.recording import RecordingProxy

        if self._closed:
            return Fetched((), Attempt(url, datetime.now(UTC), "browser", "the browser was closed before"))
        try:
            if self._browser is None or not self._browser.is_connected():
                self._stop()
                self._start()
            assert self._identity is not None
            with RecordingProxy(self._relay, self._identity, count=MAX_EXCHANGES, size=MAX_BYTES) as proxy:
                context = self._context(proxy)
                try:
                    return self._loaded(url, context.new_page(), proxy)
                finally:
                    with suppress(Error):  # what was recorded counts
                        context.close()
        except Error as e:
            return Fetched((), Attempt(url, datetime.now(UTC), "browser", _one_line(e)))

    def _context(self, proxy: RecordingProxy) -> Any:
        agent = f"{self._agent()} {self._policy.user_agent}"
        context = self._browser.new_context(
            proxy={"server": f"http://127.0.0.1:{proxy.port}", "bypass": "<-loopback>"},
            service_workers="block",
            accept_downloads=False,
            user_agent=agent,
            viewport=_VIEW,
        )
        context.set_default_timeout(self._policy.first_byte_timeout * 1000)
        return context

    def _agent(self) -> str:
        """What this browser calls itself; without a word that it has no window, at which many sites show nothing."""
        page = self._browser.new_page()
        try:
            return str(page.evaluate("navigator.userAgent")).replace("HeadlessChrome", "Chrome")
        finally:
            page.close()

    def _relay(self, asked: Asked) -> Capture | Attempt:
        facts = [("loaded-by", f"Chromium {self._browser.version}")]
        if asked.method != "GET":
            facts.append(("method", asked.method))
        headers = [*asked.headers, ("Accept-Encoding", "gzip"), ("Connection", "close")]
        body = asked.body or (b"" if asked.method == "POST" else None)
        return self._fetcher.relay(asked.url, Exchange(asked.target, headers, body, asked.method), tuple(facts))

    # ---- one page

    def _loaded(self, url: str, page: Any, proxy: RecordingProxy) -> Fetched:
        from playwright.sync_api import Error

        started, problem = datetime.now(UTC), None
        try:
            page.goto(url, wait_until="load", timeout=self._policy.total_timeout * 1000)
            _settle(page)
        except Error as e:
            problem = _one_line(e)
        final = normalise_target(page.url) if page.url.startswith("http") else url
        outcomes = proxy.recorded().outcomes
        main = _main(outcomes, final) or _main(outcomes, url)
        is_page = isinstance(main, Capture) and main.location is None and main.media_type in _PAGES
        rendered = self._rendered(final, page, started) if problem is None and is_page else []
        outcomes = proxy.recorded().outcomes  # some come late
        if not rendered:  # a document of another kind, or why there is none
            failed = Attempt(url, started, "browser", problem or "no page came")
            return Fetched((), main or failed, tuple(one for one in outcomes if one is not main))
        if refused := proxy.recorded().refused:
            _log.warning("%s: %d requests of the page were over the limits, and are not kept", url, refused)
        return Fetched((), rendered[0], (*outcomes, *rendered[1:]))

    def _rendered(self, url: str, page: Any, at: datetime) -> list[Capture]:
        """The page as it stands now: its document, then a picture and a PDF of it, where the browser makes them."""
        from playwright.sync_api import Error

        made = []
        kinds: tuple[tuple[str, str, Callable[[], bytes]], ...] = (
            ("dom", "text/html", lambda: page.content().encode("utf-8", "replace")[:_MAX_DOM]),
            ("fullPage", "image/png", lambda: page.screenshot(full_page=True, animations="disabled")),
            ("pdf", "application/pdf", lambda: page.pdf(print_background=True)),
        )
        for kind, media_type, make in kinds:
            try:
                content = make()
            except Error as e:
                _log.warning("%s: no %s of the page: %s", url, kind, _one_line(e))
                if kind == "dom":
                    return []
                continue
            made.append(self._resource(rendered_uri(kind, url), content, media_type, at))
        return made

    def _resource(self, uri: str, content: bytes, media_type: str, at: datetime) -> Capture:
        client = f"muniment/{__version__} Chromium/{self._browser.version}"
        facts = (("client", client), ("viewport", f"{_VIEW['width']}x{_VIEW['height']}"))
        charset = "utf-8" if media_type == "text/html" else None
        return Capture(uri, at, "resource", content, content, sha256(content), media_type, charset, facts=facts)


def _settle(page: Any) -> None:
    """Wait until the network is silent, scroll through the page, and wait again; a page that never is silent is taken
    as it is."""
    from playwright.sync_api import Error

    end = time.monotonic() + 2 * _QUIET
    for step in (lambda: None, lambda: page.evaluate(_SCROLL)):
        left = min(_QUIET, end - time.monotonic())
        try:
            step()
            page.wait_for_load_state("networkidle", timeout=max(left, 0.5) * 1000)
        except Error as e:
            _log.info("%s: %s", page.url, _one_line(e))


def _main(outcomes: list[Capture | Attempt], url: str) -> Capture | Attempt | None:
    """What the page's own address gave, when it was asked for first."""
    came = (one for one in outcomes if isinstance(one, Capture) or one.reason != "incomplete")
    return next((one for one in came if one.uri == url), None)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split("Call log:")[0].split())[:300]
