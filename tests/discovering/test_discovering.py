"""Feeds, sitemaps and crawls on a newspaper of our own: what is captured, what is asked for again, what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from muniment import discovering
from muniment.adding import Added
from muniment.archive.archive import Archive
from muniment.discovering.plan import Plan
from muniment.errors import UsageError
from muniment.formats.warc import parse_fields
from muniment.ingest.clean.workers import Workers
from tests.discovering.newspaper import Newspaper, Page, story
from tests.importing.import_run import run
from tests.importing.record_files import http, record

Discover = Callable[..., list[Added]]


def states(added: list[Added]) -> dict[str, str]:
    """State by path."""
    return {item.target.split("/", 3)[3]: item.reason or item.state for item in added}


def facts(root: Path, number: int) -> dict[str, list[str]]:
    with Archive(root) as archive:
        found: dict[str, list[str]] = {}
        for name, value in parse_fields(archive.records(number)[-1].block):
            found.setdefault(name, []).append(value)
    return found


# ---- feeds


def test_a_feed_and_what_it_names_are_captured_and_what_it_says_is_kept(
    root: Path, paper: Newspaper, discover: Discover
) -> None:
    added = discover("feed", f"{paper.url}/feed.xml")
    assert states(added) == {"feed.xml": "stored"} | {f"story/{n}?utm_source=rss": "stored" for n in (1, 2, 3)}
    assert added[0].problem == "rss 2.0: 3 entries"
    said = facts(root, next(item.snapshot for item in added if "story/2" in item.target))
    assert said["foundIn"] == [f"{paper.url}/feed.xml"]
    assert said["feed-title"] == ["As the feed has it, 2"]
    assert said["feed-published"] == ["Mon, 02 Jun 2026 22:30:00 -0500"]
    assert (said["feed-author"], said["feed-id"], said["feed-category"]) == (["Ada Quill"], ["tag:2"], ["Ferries"])
    with Archive(root) as archive:
        assert archive.articles == 3  # the feed is kept, and is no article
        assert archive.leaf(added[0].snapshot or 0).uri == f"{paper.url}/feed.xml"


def test_what_the_feed_says_stands_where_the_page_is_silent_and_not_where_it_speaks(
    root: Path, paper: Newspaper, discover: Discover
) -> None:
    own = (
        '<script type="application/ld+json">{"@type": "NewsArticle", "headline": "The page\'s own headline",'
        ' "datePublished": "2026-05-30", "author": {"@type": "Person", "name": "Beth Loom"}}</script>'
    )
    paper.pages["/story/1?utm_source=rss"] = Page(story(1, extra=own))
    by_path = {item.target.split("/", 3)[3]: item for item in discover("feed", f"{paper.url}/feed.xml")}
    with Archive(root) as archive:
        first, second = (
            archive.article(archive.snapshot(by_path[f"story/{n}?utm_source=rss"].snapshot or 0)) for n in (1, 2)
        )
    assert first is not None and second is not None
    assert (first.title, first.authors) == ("The page's own headline", ("Beth Loom",))
    assert first.published is not None and (first.published.date, first.published.origin) == (
        "2026-05-30",
        "jsonld:datePublished",
    )
    assert (second.title, second.authors) == ("As the feed has it, 2", ("Ada Quill",))
    assert second.published is not None
    assert (second.published.date, second.published.origin) == ("2026-06-02", "feed:published")
    assert (second.origins["title"], second.origins["authors"]) == ("feed:title", "feed:author")


def test_a_page_that_names_its_feed_leads_to_it(paper: Newspaper, discover: Discover) -> None:
    added = discover("feed", f"{paper.url}/")
    assert list(states(added))[:2] == ["", "feed.xml"]
    assert len(added) == 5


def test_a_document_that_is_no_feed_is_kept_and_fails_with_the_place(
    root: Path, paper: Newspaper, discover: Discover
) -> None:
    paper.pages["/feed.xml"] = Page(b"<?xml version='1.0'?>\n<note>\n<to>x</to></note>", "application/xml")
    (failed,) = discover("feed", f"{paper.url}/feed.xml")
    assert (failed.state, failed.reason) == ("failed", "bad-listing")
    assert "line 2" in (failed.error or "")
    with Archive(root) as archive:
        assert b"<note>" in archive.raw_records(failed.snapshot or 0)[0]


def test_a_feed_that_declares_a_bomb_is_refused_and_kept(paper: Newspaper, discover: Discover) -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><rss><channel><title>&b;</title></channel></rss>'
    paper.pages["/feed.xml"] = Page(bomb, "application/rss+xml")
    (failed,) = discover("feed", f"{paper.url}/feed.xml")
    assert failed.reason == "bad-listing" and "expand without end" in (failed.error or "")


def test_a_cut_feed_gives_what_stands_before_the_cut_and_says_where(
    paper: Newspaper, discover: Discover, caplog: pytest.LogCaptureFixture
) -> None:
    paper.pages["/feed.xml"] = Page(
        paper.feed[: paper.feed.index(b"<item><title>As the feed has it, 3") + 40], "text/xml"
    )
    added = discover("feed", f"{paper.url}/feed.xml")
    assert {f"story/{n}?utm_source=rss" for n in (1, 2)} <= states(added).keys()
    assert "line 1, column" in caplog.text


# ---- asking again


def test_nothing_is_asked_for_twice_within_the_time_unless_the_feed_dates_it_later(
    paper: Newspaper, discover: Discover
) -> None:
    discover("feed", f"{paper.url}/feed.xml")
    paper.asked.clear()
    again = discover("feed", f"{paper.url}/feed.xml")
    assert (paper.paths(), states(again)) == (["/robots.txt", "/feed.xml"], {"feed.xml": "unchanged"})
    future = (datetime.now(UTC) + timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT").encode()
    changed = paper.feed.replace(b"Mon, 02 Jun 2026 22:30:00 -0500", future)
    paper.pages["/feed.xml"] = Page(changed, "application/rss+xml")
    assert set(states(discover("feed", f"{paper.url}/feed.xml"))) == {"feed.xml", "story/2?utm_source=rss"}


def test_what_did_not_change_is_asked_for_with_a_condition_and_costs_no_payload(
    root: Path, paper: Newspaper, discover: Discover
) -> None:
    first = discover("feed", f"{paper.url}/feed.xml")
    paper.asked.clear()
    later = discover("feed", f"{paper.url}/feed.xml", recheck=timedelta(0))
    assert set(states(later).values()) == {"unchanged"}
    conditions = {path: headers.get("if-none-match") for path, headers in paper.asked if path != "/robots.txt"}
    assert conditions == {path: paper.pages[path].etag for path in conditions} and len(conditions) == 4
    numbers = {item.target: item.snapshot for item in first}
    assert {item.target: item.snapshot for item in later} == numbers  # each is told by the capture that it confirms
    with Archive(root) as archive:
        attempts = [archive.leaf(number) for number in archive.catalog.numbers("attempt")]
        assert [leaf.reason for leaf in attempts] == ["http-304"] * 4
        newest = archive.catalog.numbers("attempt")[-1]
        assert b"304 Not Modified" in archive.raw_records(newest)[0]
        uri = archive.leaf(newest).uri or ""
    assert facts(root, newest)["confirms"] == [f"#{numbers[uri]}"]


def test_an_imported_page_was_looked_at_when_it_was_captured_and_not_when_it_was_imported(
    root: Path, tmp_path: Path, paper: Newspaper, discover: Discover
) -> None:
    pages = [f"{paper.url}/story/1", f"{paper.url}/story/2"]
    paper.pages["/list.txt"] = Page("\n".join(pages).encode(), "text/plain")
    dates = (datetime.now(UTC) - timedelta(days=30), datetime.now(UTC) - timedelta(days=2))
    crawl = tmp_path / "crawl.warc"
    crawl.write_bytes(
        b"".join(
            record(
                "response", http(paper.pages[f"/story/{n}"].body, head=b'ETag: "old"\r\n'), page, date=f"{date:%FT%TZ}"
            )
            for n, (page, date) in enumerate(zip(pages, dates, strict=True), 1)
        )
    )
    assert [item.state for item in run(root, crawl)] == ["stored", "stored"]
    discover("sitemap", f"{paper.url}/list.txt")
    assert [(path, headers.get("if-none-match")) for path, headers in paper.asked[2:]] == [
        ("/story/1", None), ("/story/2", '"old"'),
    ]  # fmt: skip


def test_after_a_week_everything_is_asked_for_whole(paper: Newspaper, discover: Discover) -> None:
    discover("feed", f"{paper.url}/feed.xml")
    paper.asked.clear()
    added = discover("feed", f"{paper.url}/feed.xml", now=datetime.now(UTC) + timedelta(days=8))
    assert set(states(added).values()) == {"unchanged"}
    assert not any("if-none-match" in headers for _, headers in paper.asked)
    paper.asked.clear()
    discover("feed", f"{paper.url}/feed.xml", full=True)
    assert len(paper.asked) == 5 and not any("if-none-match" in headers for _, headers in paper.asked)


def test_gone_missing_and_forbidden_pages_are_attempts_and_not_asked_for_again(
    root: Path, paper: Newspaper, discover: Discover
) -> None:
    listed = "".join(f"{paper.url}{path}\n" for path in ("/gone", "/missing", "/members/a"))
    paper.pages["/list.txt"] = Page(listed.encode(), "text/plain")
    paper.pages["/gone"] = Page(b"gone", status=410)
    assert states(discover("sitemap", f"{paper.url}/list.txt")) == {
        "list.txt": "stored", "gone": "http-410", "missing": "http-404", "members/a": "robots",
    }  # fmt: skip
    with Archive(root) as archive:
        reasons = {archive.leaf(number).reason for number in archive.catalog.numbers("attempt")}
    assert reasons == {"http-410", "http-404", "robots"}
    assert states(discover("sitemap", f"{paper.url}/list.txt")) == {"list.txt": "unchanged"}


def test_a_changed_page_is_a_new_version(root: Path, paper: Newspaper, discover: Discover) -> None:
    discover("sitemap", f"{paper.url}/news.xml")
    paper.pages["/story/1"] = Page(story(1, title="A second look at the crossing"))
    (_, page) = discover("sitemap", f"{paper.url}/news.xml", recheck=timedelta(0))
    assert page.state == "stored"
    with Archive(root) as archive:
        assert archive.catalog.version(archive.snapshot(page.snapshot or 0)) == 1  # the same text under another title


# ---- sitemaps


def test_a_site_leads_to_the_sitemaps_that_its_robots_txt_names(
    root: Path, paper: Newspaper, discover: Discover
) -> None:
    added = discover("sitemap", f"{paper.url}/")
    assert states(added) == {
        "robots.txt": "stored", "index.xml": "stored", "news.xml": "stored", "old.xml.gz": "stored", "list.txt": "stored",
        "story/1": "stored", "story/2": "stored", "story/3": "stored", "story/4": "stored", "members/a": "robots",
    }  # fmt: skip
    said = facts(root, next(item.snapshot for item in added if item.target.endswith("story/1")) or 0)
    assert said["sitemap-title"] == ["As the sitemap has it"]
    assert said["sitemap-published"] == ["2026-06-01T20:30:00-05:00"]


def test_a_site_whose_robots_txt_names_none_is_asked_at_the_usual_place(paper: Newspaper, discover: Discover) -> None:
    paper.pages["/sitemap.xml"] = paper.pages["/news.xml"]
    paper.pages["/robots.txt"] = Page(b"User-agent: *\nDisallow:\n", "text/plain")
    assert set(states(discover("sitemap", f"{paper.url}/"))) == {"robots.txt", "sitemap.xml", "story/1"}
    del paper.pages["/robots.txt"]
    assert states(discover("sitemap", f"{paper.url}"))["sitemap.xml"] == "unchanged"


def test_a_crawl_passes_over_pages_that_are_older_by_their_own_date_and_follows_their_links(
    root: Path, paper: Newspaper, discover: Discover
) -> None:
    def dated(number: int, meta: str, links: str = "", **headers: str) -> Page:
        body = story(number, extra=meta).replace(b"</body>", f"{links}</body>".encode())
        return Page(body, headers=headers, tagged=False)

    written = '<meta property="article:published_time" content="{}">'.format
    changed = '<meta property="article:modified_time" content="{}">'.format
    links = "".join(f'<a href="/p/{n}">{n}</a>' for n in (1, 3, 4, 5, 6))
    paper.pages["/p/"] = dated(1, written("2001-01-01"), links)
    paper.pages["/p/1"] = dated(1, written("2019-05-01"), '<a href="/p/2">2</a>')
    paper.pages["/p/2"] = dated(2, written("2026-06-01"))
    paper.pages["/p/3"] = dated(3, written("2019-05-01") + changed("2026-06-02"))
    paper.pages["/p/4"] = dated(4, "", **{"Last-Modified": "Wed, 01 May 2019 10:00:00 GMT"})
    paper.pages["/p/5"] = dated(5, "")
    paper.pages["/p/6"] = dated(6, written("2026"))
    added = discover("crawl", f"{paper.url}/p/", since="2026-03-01", match=(f"{paper.url}/p/*",))
    assert states(added) == {
        "p/": "stored", "p/1": "skipped", "p/2": "stored", "p/3": "stored", "p/4": "skipped", "p/5": "stored",
        "p/6": "stored",
    }  # fmt: skip
    skipped = {item.problem: item.published for item in added if item.state == "skipped"}
    assert skipped == {"dated before 2026-03-01": "2019-05-01", "last modified before 2026-03-01": None}
    with Archive(root) as archive:
        assert archive.articles == 5 and archive.catalog.last_look(added[1].target.partition("//")[2]) is None
    paper.pages["/list.txt"] = Page(f"{paper.url}/p/1\n{paper.url}/p/5\n".encode(), "text/plain")
    found = states(discover("sitemap", f"{paper.url}/list.txt", since="2026", recheck=timedelta(0)))
    assert found == {"list.txt": "stored", "p/1": "skipped", "p/5": "unchanged"}


def test_since_limit_and_patterns_narrow_what_is_asked_for(paper: Newspaper, discover: Discover) -> None:
    site = f"{paper.url}/index.xml"
    found = states(discover("sitemap", site, since="2019-03"))
    assert {path for path in found if path.startswith("story")} == {"story/1", "story/3", "story/4"}
    found = states(discover("sitemap", site, match=("*/story/*",), exclude=("*/3",), full=True))
    assert {path for path in found if not path.endswith(("xml", "gz", "txt"))} == {"story/1", "story/2", "story/4"}
    paper.asked.clear()
    found = states(discover("sitemap", site, limit=2, full=True))
    assert sum(path.startswith("story") for path in found) == 2
    assert "/list.txt" not in paper.paths()  # the sitemaps before it name enough
    with pytest.raises(UsageError, match="is no date"):
        Plan("feed", (site,), since="soon")
    with pytest.raises(UsageError, match="cannot fetch"):
        Plan("feed", ("ftp://x.example/",))


def test_a_listing_that_is_not_wanted_yet_does_not_end_a_run_whose_pages_wait_for_their_turn(
    paper: Newspaper, discover: Discover
) -> None:
    for name in ("a", "b"):
        index = f"<sitemapindex><sitemap><loc>http://{name}.example/{name}.xml</loc></sitemap></sitemapindex>"
        paper.pages[f"/{name}-index.xml"] = Page(index.encode(), "application/xml")
        pages = "".join(f"<url><loc>http://{name}.example/story/{n}</loc></url>" for n in range(1, 6))
        paper.pages[f"/{name}.xml"] = Page(f"<urlset>{pages}</urlset>".encode(), "application/xml")
    starts = ("http://a.example/a-index.xml", "http://b.example/b-index.xml")
    resolved = {f"{name}.example": paper.url.removeprefix("http://") for name in ("a", "b")}
    added = discover("sitemap", *starts, limit=4, policy={"resolve": resolved, "delay": 1.0})
    assert sum("/story/" in item.target for item in added) == 4


def test_a_sitemap_that_names_itself_ends(paper: Newspaper, discover: Discover) -> None:
    loop = f"<sitemapindex><sitemap><loc>{paper.url}/loop.xml</loc></sitemap></sitemapindex>"
    paper.pages["/loop.xml"] = Page(loop.encode(), "application/xml")
    assert states(discover("sitemap", f"{paper.url}/loop.xml")) == {"loop.xml": "stored"}


def test_sitemaps_that_name_ever_more_sitemaps_end(
    paper: Newspaper, discover: Discover, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(discovering, "MOST_LISTINGS", 20)
    for number in range(1, 40):
        named = "".join(f"<sitemap><loc>{paper.url}/{7 * number + i}.xml</loc></sitemap>" for i in range(7))
        paper.pages[f"/{number}.xml"] = Page(f"<sitemapindex>{named}</sitemapindex>".encode(), "application/xml")
    assert len(discover("sitemap", f"{paper.url}/1.xml")) == 20
    assert "a run reads 20 at most" in caplog.text


def test_nothing_is_read_that_names_more_pages_than_can_be_kept(
    paper: Newspaper, discover: Discover, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovering, "MOST_AHEAD", 1)
    added = discover("sitemap", f"{paper.url}/index.xml", limit=100)
    assert states(added)["story/4"] == "stored"  # it was read later
    assert paper.paths().index("/story/1") < paper.paths().index("/old.xml.gz")


# ---- crawls


def test_a_crawl_follows_links_so_deep_and_stays_on_its_host(paper: Newspaper, discover: Discover) -> None:
    added = discover("crawl", f"{paper.url}/", depth=2)
    assert states(added) == {
        "": "stored", "story/1": "stored", "story/5?b=1&utm_medium=x": "stored", "members/a": "robots",
        "story/2": "stored", "story/6": "stored",
    }  # fmt: skip
    assert "/photo.jpg" not in paper.paths()


def test_a_crawl_asks_for_so_many_pages_and_for_those_of_a_pattern(paper: Newspaper, discover: Discover) -> None:
    assert len(discover("crawl", f"{paper.url}/", limit=3)) == 3
    found = states(discover("crawl", f"{paper.url}/", match=("*/story/*",), depth=1, full=True))
    assert set(found) == {"", "story/1", "story/5?b=1&utm_medium=x"}


def test_a_second_crawl_reads_the_links_of_what_did_not_change_from_the_archive(
    paper: Newspaper, discover: Discover
) -> None:
    first = discover("crawl", f"{paper.url}/", depth=3)
    paper.asked.clear()
    second = discover("crawl", f"{paper.url}/", depth=3)
    assert set(states(second)) == set(states(first))
    assert all("if-none-match" in headers for path, headers in paper.asked if path != "/robots.txt")


def test_a_page_that_grows_links_for_ever_ends(paper: Newspaper, discover: Discover) -> None:
    for n in range(1, 40):
        path = "/trap" + "/deeper" * n
        paper.pages[path] = Page(
            f'<html><body><p>x</p><a href="{path.rpartition("/")[2]}/deeper">on</a></body></html>'.encode()
        )
    assert len(discover("crawl", f"{paper.url}/trap/deeper", depth=100)) <= 3


# ---- manners


def test_robots_txt_is_obeyed_in_its_crawl_delay(paper: Newspaper, discover: Discover, waits: list[float]) -> None:
    paper.pages["/robots.txt"] = Page(b"User-agent: *\nCrawl-delay: 10\n", "text/plain")
    discover("feed", f"{paper.url}/feed.xml")
    assert [round(wait, -1) for wait in waits] == [10, 20, 30]  # no wait happens, so each is one further away


def test_no_more_than_one_request_is_under_way_at_a_host(paper: Newspaper, discover: Discover) -> None:
    import threading
    import time

    under_way, most, lock = 0, 0, threading.Lock()

    def slowly() -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.03)
        with lock:
            under_way -= 1

    for path in list(paper.pages):
        paper.pages[path].before = slowly
    discover("crawl", f"{paper.url}/", depth=2)
    assert most == 1


def test_a_host_that_asks_for_an_hour_is_left_alone_and_its_pages_wait_for_the_next_run(
    root: Path, paper: Newspaper, discover: Discover
) -> None:
    busy = Page(b"busy", status=503, headers={"Retry-After": "3600"}, tagged=False)
    normal = {f"/story/{n}?utm_source=rss": Page(story(n)) for n in (1, 2, 3)}
    paper.pages |= normal | {"/story/1?utm_source=rss": busy}
    added = discover("feed", f"{paper.url}/feed.xml")
    assert states(added) == {"feed.xml": "stored", "story/1?utm_source=rss": "http-503"}
    assert len(paper.paths()) == 3  # robots.txt, the feed, and the one page that said so
    paper.pages |= normal
    paper.pages["/feed.xml"] = Page(b"<rss><channel><title>x</title></channel></rss>", "text/xml")
    found = states(discover("feed", f"{paper.url}/feed.xml"))
    assert {"story/2?utm_source=rss", "story/3?utm_source=rss"} <= found.keys()


def test_a_short_retry_after_is_waited_out(paper: Newspaper, discover: Discover, waits: list[float]) -> None:
    served = iter([429, 200])
    page = Page(story(1), headers={"Retry-After": "7"})
    page.before = lambda: setattr(page, "status", next(served))
    paper.pages["/story/1"] = page
    added = discover("sitemap", f"{paper.url}/news.xml", policy={"retries": 1})
    assert (states(added)["story/1"], waits) == ("stored", [7.0])


# ---- interruptions


def test_a_crawl_that_was_interrupted_goes_on_where_it_stood(root: Path, paper: Newspaper, workers: Workers) -> None:
    from muniment import pipeline
    from muniment.adding import AddOptions
    from muniment.ingest.fetch import Fetcher
    from muniment.ingest.policy import FetchPolicy

    plan = Plan("crawl", (f"{paper.url}/",), depth=10)
    with Archive(root) as archive:
        running = pipeline.discover(
            archive, plan, Fetcher(FetchPolicy(allow_private=True)), AddOptions(workers=workers)
        )
        first = [next(running).target, next(running).target]
        running.close()
    with Archive(root) as archive:
        rest = list(
            pipeline.discover(archive, plan, Fetcher(FetchPolicy(allow_private=True)), AddOptions(workers=workers))
        )
    targets = first + [item.target for item in rest]
    assert len(targets) == len(set(targets)) == 9
    asked = [path for path in paper.paths() if path != "/robots.txt"]
    assert len(asked) <= len(set(asked)) + 2  # of those that were under way: one was read, one was fetched


def test_a_damaged_state_is_begun_anew(root: Path, paper: Newspaper, discover: Discover) -> None:
    (root / "discovery.sqlite").write_bytes(b"no database at all" * 100)
    assert len(discover("feed", f"{paper.url}/feed.xml")) == 4


def test_a_crawl_goes_through_pages_at_which_another_part_of_its_run_looked(
    paper: Newspaper, discover: Callable[..., list[Added]]
) -> None:
    """Their links are read, and they are not asked for again."""
    begun = datetime.now(UTC)
    discover("feed", f"{paper.url}/feed.xml", name="job a feed", begun=begun)  # the stories 1, 2 and 3
    before = len(paper.asked)
    added = discover("crawl", f"{paper.url}/", name="job a crawl", begun=begun, depth=5, match=("*/story/*",))
    found = [path for path in paper.paths()[before:] if path != "/robots.txt"]
    stories = [path.partition("?")[0] for path in found]
    assert sorted(stories) == ["/", "/story/4", "/story/5", "/story/5", "/story/6"], "4 is found by way of 1, 2 and 3"
    assert len(added) == 5
