"""Pages loaded in a real browser: what it gets is kept as it crossed the wire, and it gets nowhere else."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from scripted_site import PICTURE, SENTENCE, Site
from warcio.archiveiterator import ArchiveIterator

from muniment.adding import AddOptions
from muniment.archive.archive import Archive, create
from muniment.errors import UsageError
from muniment.export.members import Members
from muniment.export.selection import select
from muniment.ingest.browser import BrowserFetcher, find_browser
from muniment.ingest.fetch import Fetcher
from muniment.ingest.policy import FetchPolicy
from muniment.ingest.upload import Target
from muniment.model import Attempt, Capture, Fetched
from muniment.pipeline import add
from tests.conftest import NOW
from tests.export.exporting import run as export

pytestmark = pytest.mark.usefixtures("chromium")


def policy(site: Site, **fields: object) -> FetchPolicy:
    """site.example is the local server; every other address is guarded as always."""
    port = site.server_address[1]
    where = {"site.example": f"127.0.0.1:{port}", "private.example": "127.0.0.1"}
    return FetchPolicy(**{"resolve": where, "total_timeout": 60.0, "retries": 0, **fields})  # type: ignore[arg-type]


class Guarded(Fetcher):
    """Private addresses are let through for the local site alone, so that the guard is at work for all others."""

    def __init__(self, site: Site, **fields: object):
        super().__init__(policy(site, **fields))
        self._open = Fetcher(policy(site, allow_private=True, **fields))

    def relay(self, url, exchange, facts):
        at_home = url.startswith("http://site.example")
        return self._open.relay(url, exchange, facts) if at_home else super().relay(url, exchange, facts)

    def visit(self, url):
        return self._open.visit(url)


def load(site: Site, *paths: str) -> list[Fetched]:
    fetcher = Guarded(site)
    with closing(BrowserFetcher(fetcher, policy(site))) as browser:
        return [browser.fetch(site.url + path) for path in paths]


def test_a_page_is_kept_as_it_came_and_cleaned_as_it_is_shown(site: Site) -> None:
    page, missing, forbidden, document = load(site, "/go", "/nothing", "/private", "/report.pdf")
    dom = page.outcome
    assert isinstance(dom, Capture)
    assert (dom.uri, dom.kind, dom.media_type) == (f"urn:dom:{site.url}/", "resource", "text/html")
    shown = dom.body.decode()
    assert SENTENCE in shown and 'data-said="who"' in shown
    assert shown.count(" refused") == 3, "an address that is not public was let through"
    kept = {(one.uri.removeprefix(site.url), type(one)): one for one in page.requisites}
    assert {path for path, kind in kept if kind is Capture and path.startswith("/")} == {
        "/", "/go", "/app.js", "/api", "/text", "/in/s.css", "/in/more.css", "/in/a.png", "/back.png", "/bg.png",
        "/in/bg2.png",
    }  # fmt: skip
    refused = [one for one in page.requisites if isinstance(one, Attempt)]
    assert {one.reason for one in refused} >= {"address"}
    assert {one.uri for one in refused if one.reason == "address"} == {
        "http://private.example/", "http://169.254.169.254/latest", "https://[::1]/",
    }  # fmt: skip
    text, go, api = (kept[path, Capture] for path in ("/text", "/go", "/api"))
    assert isinstance(text, Capture) and isinstance(go, Capture) and isinstance(api, Capture)
    assert text.content_encoding == "gzip" and text.block.startswith(b"HTTP/1.0 200 OK\r\n")
    assert (go.status, go.location) == (302, f"{site.url}/")
    assert ("method", "POST") in api.facts and api.request is not None and api.request.endswith(b"\r\n\r\nwho")
    views = {one.uri.partition(":http")[0]: one for one in page.requisites if one.uri.startswith("urn:")}
    picture, pdf = views["urn:fullPage"], views["urn:pdf"]
    assert isinstance(picture, Capture) and picture.body.startswith(b"\x89PNG") and len(picture.body) > len(PICTURE)
    assert isinstance(pdf, Capture) and pdf.body.startswith(b"%PDF-")

    assert isinstance(missing.outcome, Attempt) and missing.outcome.reason == "http-404"
    assert missing.outcome.capture is not None and missing.outcome.capture.body == b"gone"
    assert isinstance(forbidden.outcome, Attempt) and forbidden.outcome.reason == "robots"
    assert "/private" not in site.asked
    assert isinstance(document.outcome, Capture) and document.outcome.body.startswith(b"%PDF-1.4 no more")


def test_the_archive_holds_page_and_requisites_and_exports_them_together(site: Site, tmp_path: Path) -> None:
    root = create(tmp_path / "archive", "test.example/log", NOW).root
    fetcher = Guarded(site)
    targets = [Target(site.url + "/", url=site.url + "/")]
    with Archive(root) as archive, closing(BrowserFetcher(fetcher, policy(site))) as browser:
        (first,) = add(archive, targets, lambda: browser, AddOptions(processes=1))
        (again,) = add(archive, targets, lambda: browser, AddOptions(processes=1))
        assert (first.state, first.title, first.url) == ("stored", "Crane falls in the harbour", f"{site.url}/")
        assert first.source == "site.example"
        assert again.snapshot is not None and first.snapshot is not None
        snapshot = archive.snapshot(first.snapshot)
        assert (snapshot.url, snapshot.uri) == (f"{site.url}/", f"urn:dom:{site.url}/")
        with closing(Members(archive)) as members:
            chosen = select(archive, members, [first.snapshot])
            leaves = [archive.leaf(number) for number in chosen.captures]
            facts = [members.facts(number) for number in chosen.captures]
        uris = {(leaf.uri or "").removeprefix(site.url) for leaf in leaves}
        assert uris >= {"/", "/app.js", "/api", "/in/a.png", f"urn:dom:{site.url}/", f"urn:pdf:{site.url}/"}
        assert all(fact["requisiteOf"] == [f"{site.url}/"] for fact in facts[:-1]) and "requisiteOf" not in facts[-1]
        kinds = [archive.leaf(number).type for number in range(archive.size)]
        assert kinds.count("revisit") >= 9, "what was the same the second time costs no storage"
    exported = tmp_path / "page.warc.gz"
    export("export", "--format", "warc", "-o", exported, archive=root)
    other = create(tmp_path / "other", "other.example/log", NOW).root
    for where, new in ((root, 0), (other, 1)):
        with Archive(where) as archive:
            done = list(add(archive, [Target("x", path=exported)], lambda: browser, AddOptions(processes=1)))
            assert [(one.title, one.url) for one in done if one.state == "stored"] == [(first.title, first.url)] * new
    with Archive(root) as archive, Archive(other) as copy:
        (made,) = copy.catalog.derived()
        one, same = archive.snapshot(first.snapshot), copy.snapshot(made[0])
        assert (same.uri, same.key, same.captured_at) == (one.uri, one.key, one.captured_at)
        assert copy.article(same) == archive.article(one) and copy.articles == archive.articles == 1
        with closing(Members(copy)) as members:
            whole = [leaf for leaf in leaves if leaf.type != "attempt" or leaf.status]
            assert len(select(copy, members, [same.number]).captures) == len(whole) > 10, "it belongs together still"
    seen = 0
    for path in root.glob("warc/*/*"):
        with path.open("rb") as file:
            for record in ArchiveIterator(file, check_digests="raise"):
                record.content_stream().read()
                seen += 1
    assert seen > 40


def test_what_had_not_come_when_the_page_was_left_is_named_and_what_was_over_the_limits(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muniment.ingest.rendering.QUIET", 0.3)
    monkeypatch.setattr("muniment.ingest.browser.MAX_EXCHANGES", 3)
    (page,) = load(site, "/slow")
    assert isinstance(page.outcome, Capture) and page.outcome.uri == f"urn:dom:{site.url}/slow"
    told = {one.uri.removeprefix(site.url): one.reason for one in page.requisites if isinstance(one, Attempt)}
    assert told.pop("/never") == "incomplete"
    assert "page-limit" in told.values() and len(site.asked) <= 1 + 3, "robots.txt, and three of the page"


def test_pages_that_wait_are_not_loaded_once_the_browser_is_closed(site: Site) -> None:
    browser = BrowserFetcher(Guarded(site, per_host=9), policy(site))
    with ThreadPoolExecutor(4) as threads:
        loads = [threads.submit(browser.fetch, f"{site.url}/slow?{n}") for n in range(4)]
        while not any("/slow" in path for path in site.asked):
            time.sleep(0.01)
        site.left.set()
        browser.close()
        reasons = [one.reason for load in loads if isinstance(one := load.result().outcome, Attempt)]
    assert set(reasons) == {"browser"} and len(reasons) >= 3 and sum("/slow" in path for path in site.asked) == 1


def test_what_is_lacking_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no program 'no-such-browser'"):
        find_browser("no-such-browser")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match=r"none of chromium.*install Chromium"):
        find_browser()


def test_a_browser_that_does_not_start_is_an_attempt(site: Site) -> None:
    broken = policy(site, browser="/bin/false")
    with closing(BrowserFetcher(Guarded(site), broken)) as browser:
        outcome = browser.fetch(site.url + "/").outcome
    assert isinstance(outcome, Attempt) and outcome.reason == "browser"
    json.dumps(outcome.detail)
