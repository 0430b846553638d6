"""Pages that need a browser: loaded in Chromium, each exchange of the load kept, and cleaned as they then stand.

START HERE: `BrowserFetcher(Fetcher(policy), policy).fetch(url)`, the same call as a Fetcher's. It gives the rendered
page as a `resource` at `urn:dom:URL`, and as requisites every exchange as it crossed the wire (`recording.py`), a
picture of the page (`urn:fullPage:URL`) and a PDF of it (`urn:pdf:URL`). All that the browser asks for goes through our
guarded transport; it has no other way to a network.

Needs the extra `muniment[browser]` (Playwright) and a Chromium or Chrome of the system's.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from muniment import __version__
from muniment.errors import UsageError
from muniment.ingest.rendering import View, one_line, settle, views, within
from muniment.ingest.scratch import Scratch
from muniment.ingest.urls import normalise_target, rendered_uri
from muniment.model import Attempt, Capture, Fetched, sha256

if TYPE_CHECKING:
    from muniment.ingest.fetch import Fetcher
    from muniment.ingest.http import Held
    from muniment.ingest.policy import FetchPolicy
    from muniment.ingest.recording import Asked, Budget, Identity, RecordingProxy

_log = logging.getLogger(__name__)

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAX_EXCHANGES, MAX_BYTES = 2_000, 128 << 20  # of one page; bytes are held two or three times
_STARTING, _ENDING = 60.0, 10.0  # seconds
_VIEW = {"width": 1280, "height": 1024}
_FLAGS = (
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-quic", "--disable-gpu", "--disable-features=Translate,OptimizationHints,MediaRouter",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
)  # fmt: skip
_PAGES = {"text/html", "application/xhtml+xml"}
_NOWHERE = "http://127.0.0.1:9"  # the discard port: what is no page's has no way out


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
        self._loop = asyncio.new_event_loop()  # of that thread
        self._under_way: asyncio.Task[Fetched] | None = None
        self._playwright: Any = None
        self._browser: Any = None
        self._folder: Scratch | None = None
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
        """Ends the browser, and a load that is under way; pages that wait for their turn are not loaded."""
        self._closed = True
        loop, load = self._loop, self._under_way
        if load is not None:
            loop.call_soon_threadsafe(load.cancel)
        self._thread.submit(self._end).result()
        self._thread.shutdown()

    def _end(self) -> None:
        self._loop.run_until_complete(self._stop())
        self._loop.close()

    async def _stop(self) -> None:
        """A browser that does not end by itself ends with Playwright's own process, which it is tied to."""
        from playwright.async_api import Error

        browser, playwright, folder = self._browser, self._playwright, self._folder
        self._browser = self._playwright = self._folder = None
        for end in (*([browser.close] if browser else []), *([playwright.stop] if playwright else [])):
            try:
                await within(_ENDING, end())
            except (Error, TimeoutError) as e:
                _log.info("the browser: %s", one_line(e))
        if folder is not None:
            folder.close()

    async def _start(self) -> None:
        from playwright.async_api import async_playwright

        from muniment.ingest.recording import Identity

        self._identity = Identity()
        self._folder = Scratch()
        with self._folder.lived_in():
            self._playwright = await within(_STARTING, async_playwright().start())
        launched = self._playwright.chromium.launch(
            executable_path=self._path,
            headless=True,
            chromium_sandbox=os.geteuid() != 0,  # it refuses to have one as root
            args=[*_FLAGS, f"--ignore-certificate-errors-spki-list={self._identity.digest}"],
            ignore_default_args=["--disable-popup-blocking"],
            proxy={"server": _NOWHERE, "bypass": "<-loopback>"},
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
        )
        self._browser = await within(_STARTING, launched)

    def _load(self, url: str) -> Fetched:
        self._under_way = self._loop.create_task(self._loading(url))
        try:
            return self._loop.run_until_complete(self._under_way)
        except asyncio.CancelledError:
            return Fetched((), Attempt(url, datetime.now(UTC), "browser", "the load was broken off"))
        finally:
            self._under_way = None

    async def _loading(self, url: str) -> Fetched:
        from playwright.async_api import Error

        from muniment.ingest.recording import Budget, RecordingProxy

        if self._closed:
            return Fetched((), Attempt(url, datetime.now(UTC), "browser", "the browser was closed before"))
        try:
            if self._browser is None or not self._browser.is_connected():
                await self._stop()
                await self._start()
            assert self._identity is not None
            relay = partial(self._relay, Budget(MAX_BYTES))
            with RecordingProxy(relay, self._identity, count=MAX_EXCHANGES, size=MAX_BYTES) as proxy:
                context = await self._context(proxy)
                try:
                    return await self._loaded(url, context, proxy)
                finally:
                    await self._leave(context)
        except (Error, TimeoutError) as e:
            await self._stop()
            return Fetched((), Attempt(url, datetime.now(UTC), "browser", one_line(e)))

    async def _leave(self, context: Any) -> None:
        """Its pages end with it, whatever they are at; where they do not, the browser does."""
        from playwright.async_api import Error

        try:
            await within(_ENDING, context.close())
        except (Error, TimeoutError) as e:
            _log.info("the browser: %s", one_line(e))
            await self._stop()

    async def _context(self, proxy: RecordingProxy) -> Any:
        made = self._browser.new_context(
            proxy={"server": f"http://127.0.0.1:{proxy.port}", "bypass": "<-loopback>"},
            service_workers="block",
            accept_downloads=False,
            user_agent=f"{await self._agent()} {self._policy.user_agent}",
            viewport=_VIEW,
        )
        context = await within(_STARTING, made)
        context.set_default_timeout(self._policy.first_byte_timeout * 1000)
        return context

    async def _agent(self) -> str:
        """What this browser calls itself; without a word that it has no window, at which many sites show nothing."""
        page = await within(_STARTING, self._browser.new_page())
        try:
            said = await within(_STARTING, page.evaluate("navigator.userAgent"))
            return str(said).replace("HeadlessChrome", "Chrome")
        finally:
            await within(_ENDING, page.close())

    def _relay(self, budget: Budget, asked: Asked) -> Capture | Attempt:
        from muniment.ingest.recording import Counted

        facts = [("loaded-by", f"Chromium {self._browser.version}")]
        if asked.method != "GET":
            facts.append(("method", asked.method))
        headers = [*asked.headers, ("Accept-Encoding", "gzip"), ("Connection", "close")]
        return self._fetcher.relay(asked.url, Counted(budget, asked, headers), tuple(facts))

    # ---- one page

    async def _loaded(self, url: str, context: Any, proxy: RecordingProxy) -> Fetched:
        from playwright.async_api import Error

        started, problem = datetime.now(UTC), None
        seconds = self._policy.total_timeout
        page = await within(_STARTING, context.new_page())
        shown = _Shown(page)
        context.on("page", lambda other: asyncio.ensure_future(_close(other)))  # what the page opens is not the page
        try:
            await within(seconds + _ENDING, page.goto(url, wait_until="load", timeout=seconds * 1000))
            await settle(page)
        except (Error, TimeoutError) as e:
            problem = one_line(e)
        final = normalise_target(shown.address) if shown.address.startswith("http") else url
        outcomes = proxy.recorded().outcomes
        main = _main(outcomes, final) or _main(outcomes, url)
        is_page = isinstance(main, Capture) and main.location is None and main.media_type in _PAGES
        made, lacking = await views(page) if problem is None and is_page else ([], {"dom": problem or "no page came"})
        outcomes = proxy.recorded().outcomes  # some come late
        missing = [Attempt(rendered_uri(kind, final), started, "browser", why) for kind, why in lacking.items()]
        for one in missing if is_page else ():
            _log.warning("%s: %s", one.uri, one.detail)
        if not made:  # a document of another kind, or why there is none
            beside = [one for one in outcomes if one is not main] + (missing if is_page else [])
            failed = Attempt(url, started, "browser", problem or "no page came")
            return Fetched((), main or failed, tuple(beside))
        if refused := proxy.recorded().refused:
            _log.warning("%s: %d requests of the page were over the limits, and are not kept", url, refused)
        rendered = [self._resource(final, page.url, view, started) for view in made]
        return Fetched((), rendered[0], (*outcomes, *rendered[1:], *missing))

    def _resource(self, url: str, bar: str, view: View, at: datetime) -> Capture:
        facts = [("client", f"muniment/{__version__} Chromium/{self._browser.version}")]
        facts.append(("viewport", f"{_VIEW['width']}x{_VIEW['height']}"))
        if bar.partition("#")[0] != url:
            facts.append(("shownAs", bar[:8192]))  # a script may write there what it likes
        charset = "utf-8" if view.media_type == "text/html" else None
        uri, content = rendered_uri(view.kind, url), view.content
        return Capture(
            uri, at, "resource", content, content, sha256(content), view.media_type, charset,
            truncated=view.truncated, facts=tuple(facts),
        )  # fmt: skip


class _Shown:
    """The address of the document that a page shows: one that was asked for as such, and not what a script put into
    the address bar (`history.pushState`), which may be another article's."""

    def __init__(self, page: Any):
        self._page, self._came = page, set[str]()
        self.address = ""
        page.on("response", self._note_response)
        page.on("framenavigated", self._note_document)

    def _note_response(self, response: Any) -> None:
        from playwright.async_api import Error

        try:
            is_document = response.request.is_navigation_request() and response.frame == self._page.main_frame
        except Error:  # of a frame that is gone
            is_document = False
        if is_document:
            self._came.add(response.url.partition("#")[0])

    def _note_document(self, frame: Any) -> None:
        address = frame.url.partition("#")[0]
        if frame == self._page.main_frame and address in self._came:
            self.address = address


async def _close(page: Any) -> None:
    from playwright.async_api import Error

    with suppress(Error, TimeoutError):
        await within(_ENDING, page.close())


def _main(outcomes: list[Capture | Attempt], url: str) -> Capture | Attempt | None:
    """What the page's own address gave, when it was asked for first."""
    came = (one for one in outcomes if isinstance(one, Capture) or one.reason != "incomplete")
    return next((one for one in came if one.uri == url), None)
