"""A page as it stands in the browser: its document, a picture and a PDF of it, each within bounds of time and size.

A page may be made to keep a browser for ever: by loops, by functions of its own in the place of the language's, by a
height of miles. So what we ask of it runs beside its scripts, in a world of its own (CDP's isolated world), and whoever
asks waits for so long and no longer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from typing import Any, NamedTuple, TypeVar

from muniment.model import Truncation

_log = logging.getLogger(__name__)
T = TypeVar("T")

QUIET = 10.0  # seconds to wait for the network to fall silent
_ANSWER, _PRINT = 20.0, 40.0  # seconds to wait for what we ask of a page, and for its PDF
_MAX_DOM = 20_000_000  # characters
_MAX_WIDTH, _MAX_HEIGHT, _MAX_PAGES = 2_560, 16_000, 500  # of a picture, in pixels; of a PDF
_PAGE_HEIGHT = 400  # pixels that a page of a PDF takes at least
# Pictures that wait until they are scrolled to, in steps of the window.
_SCROLL = """(async () => {
  const end = Date.now() + %d;
  for (let at = 0; at < Math.min(document.documentElement.scrollHeight, 60000) && Date.now() < end; at += innerHeight) {
    scrollTo(0, at); await new Promise(done => setTimeout(done, 60));
  }
  scrollTo(0, 0);
})()"""
_DOCUMENT = """(() => {
  const root = document.documentElement, head = document.doctype;
  const whole = (head ? new XMLSerializer().serializeToString(head) : '') + (root ? root.outerHTML : '');
  return [whole.slice(0, %d), whole.length];
})()"""
_SIZE = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"


class View(NamedTuple):
    """A picture, a PDF or the document: `kind` as its address has it, and whether it is less than the whole."""

    kind: str
    media_type: str
    content: bytes
    truncated: Truncation | None = None


async def within(seconds: float, work: Awaitable[T]) -> T:
    """What comes of the work. Raises TimeoutError, in words, where nothing does in time."""
    try:
        return await asyncio.wait_for(work, seconds)
    except TimeoutError:
        raise TimeoutError(f"the browser did not answer for {seconds:.0f} seconds") from None


async def settle(page: Any) -> None:
    """Wait until the network is silent, scroll through the page, and wait again; a page that never is silent is taken
    as it is."""
    from playwright.async_api import Error

    end = time.monotonic() + 2 * QUIET
    for scrolls in (False, True):
        try:
            if scrolls:
                await _asked(page, _SCROLL % (QUIET * 1000))
            left = min(QUIET, end - time.monotonic())
            waited = page.wait_for_load_state("networkidle", timeout=max(left, 0.5) * 1000)
            await within(QUIET + 5, waited)
        except (Error, TimeoutError) as e:
            _log.info("%s: %s", page.url, one_line(e))


async def views(page: Any) -> tuple[list[View], dict[str, str]]:
    """The document, then a picture and a PDF of the page, and why there is none of a kind; nothing without a
    document."""
    from playwright.async_api import Error

    made: list[View] = []
    lacking: dict[str, str] = {}
    for kind, make in (("dom", _document), ("fullPage", _picture), ("pdf", _pdf)):
        try:
            made.append(await make(page))
        except (Error, TimeoutError) as e:
            lacking[kind] = one_line(e)
            if not made or isinstance(e, TimeoutError):  # it is stuck, and would be so for the others
                break
    return made, lacking


async def _document(page: Any) -> View:
    text, size = await _asked(page, _DOCUMENT % _MAX_DOM)
    return View("dom", "text/html", text.encode("utf-8", "replace"), "length" if size > _MAX_DOM else None)


async def _picture(page: Any) -> View:
    width, height = await _asked(page, _SIZE)
    clip = None
    if width > _MAX_WIDTH or height > _MAX_HEIGHT:
        clip = {"x": 0, "y": 0, "width": min(width, _MAX_WIDTH), "height": min(height, _MAX_HEIGHT)}
    taken = page.screenshot(full_page=True, animations="disabled", clip=clip, timeout=_ANSWER * 1000)
    return View("fullPage", "image/png", await within(_ANSWER + 5, taken), "length" if clip else None)


async def _pdf(page: Any) -> View:
    _, height = await _asked(page, _SIZE)
    if height > _MAX_PAGES * _PAGE_HEIGHT:
        raise TimeoutError(f"the page is {height:,} pixels high")
    return View("pdf", "application/pdf", await within(_PRINT, page.pdf(print_background=True)))


async def _asked(page: Any, expression: str) -> Any:
    """The value of an expression, in a world in which the page's scripts have changed nothing."""
    from playwright.async_api import Error

    async def ask() -> Any:
        session = await page.context.new_cdp_session(page)
        tree = await session.send("Page.getFrameTree")
        world = await session.send("Page.createIsolatedWorld", {"frameId": tree["frameTree"]["frame"]["id"]})
        wanted = {"expression": expression, "contextId": world["executionContextId"]}
        said = await session.send("Runtime.evaluate", {**wanted, "awaitPromise": True, "returnByValue": True})
        await session.detach()
        if "exceptionDetails" in said:
            raise Error(str(said["exceptionDetails"].get("text")))
        return said["result"].get("value")

    return await within(_ANSWER, ask())


def one_line(error: Exception) -> str:
    return " ".join(str(error).split("Call log:")[0].split())[:300]
