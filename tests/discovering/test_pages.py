"""Feeds and crawls that keep what pages need, or load them in a browser: the same path, and the same manners."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from muniment.adding import Added
from muniment.archive.archive import Archive
from muniment.ingest.browser import BrowserFetcher
from muniment.ingest.fetch import Fetcher
from muniment.ingest.requisites import RequisiteFetcher
from tests.discovering.newspaper import Newspaper, Page, story

Discover = Callable[..., list[Added]]
PICTURE = Page(b"\x89PNG\r\n\x1a\n" + bytes(40), "image/png")


def uris(root: Path) -> list[tuple[str, str]]:
    """(type, path or URI) of everything that was captured or tried, in order."""
    with Archive(root) as archive:
        found = [archive.leaf(number) for number in archive.catalog.numbers("capture", "revisit", "attempt")]
    return [(leaf.type, (leaf.uri or "").split("127.0.0.1:")[-1].partition("/")[2]) for leaf in found]


def test_a_feed_gives_what_its_pages_need_too(
    root: Path, paper: Newspaper, discover: Discover, waits: list[float]
) -> None:
    for number in (1, 2, 3):
        extra = f'<link rel="stylesheet" href="/s.css"><img src="/{number}.png"><img src="/members/no.png">'
        paper.pages[f"/story/{number}?utm_source=rss"] = Page(story(number, extra=extra))
        paper.pages[f"/{number}.png"] = PICTURE
    paper.pages["/s.css"] = Page(b"p { background: url(/back.png) }", "text/css")
    paper.pages["/back.png"] = PICTURE
    url = f"{paper.url}/feed.xml"
    added = discover("feed", url, pages=RequisiteFetcher, limit=2, policy={"delay": 1.0})
    assert [item.state for item in added] == ["stored"] * 3 and added[1].url == f"{paper.url}/story/1?utm_source=rss"
    kept = uris(root)
    of_first = [kind for kind in kept if kind[1] in ("s.css", "1.png", "members/no.png", "back.png")]
    assert of_first[:4] == [
        ("capture", "s.css"), ("capture", "1.png"), ("attempt", "members/no.png"), ("capture", "back.png"),
    ]  # fmt: skip
    assert "/members/no.png" not in paper.paths(), "robots.txt holds for what a page needs too"
    asked = [path for path in paper.paths() if path != "/robots.txt"]
    assert len(waits) >= len(asked) - 1 and max(waits) > 0.5, "each of them takes its turn"
    with Archive(root) as archive:
        assert archive.articles == 2
    before = len(paper.asked)
    again = discover("feed", url, pages=RequisiteFetcher, limit=2, recheck=timedelta(0))
    assert {item.state for item in again} == {"unchanged"}
    assert len(paper.asked) == before + 4, "of a page that did not change, nothing else is asked for"


def test_a_crawl_in_a_browser_follows_the_links_that_scripts_make(
    root: Path, paper: Newspaper, discover: Discover, chromium: str, waits: list[float]
) -> None:
    script = b"<script>document.body.innerHTML += '<a href=/story/4>more</a>'</script>"
    paper.pages["/"] = Page(b"<html><head><title>The Sound</title></head><body><p>Front page</p>" + script)
    paper.pages["/members/x"] = Page(story(9))
    made: list[BrowserFetcher] = []

    def pages(fetcher: Fetcher) -> BrowserFetcher:
        made.append(BrowserFetcher(fetcher, fetcher.policy))
        return made[0]

    try:
        added = discover("crawl", f"{paper.url}/", pages=pages, depth=1, policy={"delay": 1.0})
    finally:
        for browser in made:
            browser.close()
    assert [(item.state, item.url) for item in added] == [
        ("stored", f"{paper.url}/"), ("stored", f"{paper.url}/story/4"),
    ]  # fmt: skip
    assert max(waits) > 0.5, "a page load takes its turn"
    kept = uris(root)
    assert ("capture", "story/4") in kept and len(kept) >= 8
    with Archive(root) as archive:
        snapshot = archive.snapshot(added[1].snapshot or 0)
        assert (snapshot.uri, snapshot.title) == (f"urn:dom:{paper.url}/story/4", "The 4th crossing of the season")
        assert archive.articles == 2


def test_a_browser_asks_no_host_that_wants_to_be_left_alone(paper: Newspaper, chromium: str) -> None:
    from muniment.ingest.policy import FetchPolicy
    from muniment.model import Attempt

    fetcher = Fetcher(FetchPolicy(allow_private=True, max_wait=1.0, retries=0))
    paper.pages["/story/1"] = Page(b"later", status=503, headers={"Retry-After": "60"}, tagged=False)
    fetcher.fetch(f"{paper.url}/story/1")
    before = len(paper.asked)
    with closing(BrowserFetcher(fetcher, fetcher.policy)) as browser:
        outcome = browser.fetch(f"{paper.url}/story/2").outcome
    assert isinstance(outcome, Attempt) and outcome.reason == "retry-after" and len(paper.asked) == before
