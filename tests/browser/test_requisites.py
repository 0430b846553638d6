"""What a page needs to be shown, fetched without a browser."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from scripted_site import Site

from muniment.ingest import requisites
from muniment.ingest.fetch import Fetcher
from muniment.ingest.policy import FetchPolicy
from muniment.ingest.requisites import MAX_REQUISITES, RequisiteFetcher, needed
from muniment.model import Attempt, Capture
from tests.conftest import download


def fetcher(site: Site) -> RequisiteFetcher:
    where = {"site.example": f"127.0.0.1:{site.server_address[1]}"}
    return RequisiteFetcher(Fetcher(FetchPolicy(allow_private=True, resolve=where, retries=0)))


def test_pictures_styles_and_scripts_come_with_a_page(site: Site) -> None:
    fetched = fetcher(site).fetch(site.url + "/go")
    assert isinstance(fetched.outcome, Capture) and fetched.outcome.uri == site.url + "/"
    assert [one.uri for one in fetched.redirects] == [site.url + "/go"]
    paths = [one.uri.removeprefix(site.url) for one in fetched.requisites]
    assert paths == [
        "/in/s.css", "/in/a.png", "/big.png", "/back.png", "/app.js", "/in/more.css", "/bg.png", "/in/bg2.png",
    ]  # fmt: skip
    assert all(isinstance(one, Capture) for one in fetched.requisites)
    assert "/commented.png" not in site.asked


def test_what_cannot_be_had_is_an_attempt_and_the_rest_comes(site: Site) -> None:
    assert isinstance(fetcher(site).fetch(site.url + "/nothing").outcome, Attempt)
    assert fetcher(site).fetch(site.url + "/app.js").requisites == ()


@pytest.mark.parametrize(
    ("page", "found"),
    [
        (b'<img src="//cdn.example/a%20b.png?x=1&amp;y=2">', ["http://cdn.example/a%20b.png?x=1&y=2"]),
        (b"<img srcset='/a,b.jpg 1x,/c.jpg 2x'>", ["http://example.org/a,b.jpg", "http://example.org/c.jpg"]),
        (b"<link rel='SHORTCUT ICON' href=/f.ico><link rel=canonical href=/page>", ["http://example.org/f.ico"]),
        (b'<video poster=/p.jpg src="/v.mp4"><source src=/v.webm></video>',
         ["http://example.org/p.jpg", "http://example.org/v.mp4", "http://example.org/v.webm"]),
        (b"<style>@import \"/x.css\"; a{background:url( /y.png )}</style>",
         ["http://example.org/x.css", "http://example.org/y.png"]),
        (b"<p style='background:url(&quot;/q.png&quot;)'>", ["http://example.org/q.png"]),
        (b"<svg><image xlink:href='/i.svg'/><use href='#here'/></svg>", ["http://example.org/i.svg"]),
        (b"<img src='javascript:alert(1)'><img src=data:x><script src='file:///etc/passwd'></script>", []),
    ],
)  # fmt: skip
def test_addresses_are_found_where_they_stand(page: bytes, found: list[str]) -> None:
    assert list(needed(download("http://example.org/dir/", b"<html><body>" + page))) == found


def test_hostile_pages_take_no_time() -> None:
    begun = time.monotonic()
    for page in (b"<img " * 200_000, b"<style>" * 100_000, b"<img src='" + b"a" * 3_000_000, b"url(" * 500_000,
                 b"<!--" * 300_000, b"<link " + b"rel=" * 300_000, b"<p style='" * 100_000):  # fmt: skip
        list(needed(download("http://example.org/", b"<html>" + page)))
    assert time.monotonic() - begun < 60  # quadratic patterns take hours


def test_a_page_of_many_pictures_gives_so_many(site: Site) -> None:
    class Page(Fetcher):
        def fetch(self, url, held=None):
            fetched = super().fetch(url, held)
            if not url.endswith("/many"):
                return fetched
            body = b"<html>" + b"".join(b"<img src=/%d.png>" % i for i in range(MAX_REQUISITES + 50))
            return replace(fetched, outcome=download(site.url + "/many", body))

    where = {"site.example": f"127.0.0.1:{site.server_address[1]}"}
    page = RequisiteFetcher(Page(FetchPolicy(allow_private=True, resolve=where, retries=0)))
    *pictures, rest = page.fetch(site.url + "/many").requisites
    assert len(pictures) == MAX_REQUISITES and all(isinstance(one, Capture) for one in pictures)
    assert isinstance(rest, Attempt) and rest.reason == "page-limit" and "this and 49 more" in rest.detail


def test_servers_that_take_long_are_not_waited_for_without_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requisites, "MAX_SECONDS", 0.0)
    (rest,) = fetcher(site).fetch(site.url + "/").requisites
    assert isinstance(rest, Attempt) and rest.reason == "page-limit" and rest.uri == site.url + "/in/s.css"
