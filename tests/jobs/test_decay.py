"""What is gone, was never to be had, or does not change is asked for more and more rarely, whatever names it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from muniment.ingest.clean.workers import Workers
from muniment.ingest.fetch import Fetcher
from muniment.ingest.policy import FetchPolicy
from muniment.jobs import due, keeping
from muniment.jobs.report import Report
from muniment.jobs.running import World
from tests.discovering.newspaper import STORIES, Newspaper, Page, story

BEGIN = datetime(2026, 2, 1, 12, tzinfo=UTC)
HOURS = 6
Weeks = Callable[..., list[Report]]


@pytest.fixture
def go(root: Path, workers: Workers, paper: Newspaper) -> Weeks:
    """Runs a job of these lines every six hours, from one day up to another; gives the reports."""

    def go(text: str, until: int, since: int = 0) -> list[Report]:
        head = 'schedule = "every 6 hours"\nallow_private = true\nlimits = { delay = 0, free = 0 }\n'
        keeping.write(root, "job", head + text)
        reports = []
        for hours in range(24 * since, 24 * until, HOURS):
            now = BEGIN + timedelta(hours=hours)

            def fetcher(policy: FetchPolicy, now: datetime = now) -> Fetcher:
                return Fetcher(policy, clock=lambda: now, sleep=lambda seconds: None)

            world = World(lambda now=now: now, fetcher, workers, 1)  # type: ignore[misc]  # mypy cannot type defaults of a lambda
            (outcome,) = due.run_due(root, world, ["job"])
            assert outcome.report is not None, outcome.error
            reports.append(outcome.report)
        return reports

    return go


def feed_of(paper: Newspaper, *paths: str) -> Page:
    items = "".join(f"<item><link>{paper.url}{path}</link></item>" for path in paths)
    return Page(f"<rss version='2.0'><channel><title>x</title>{items}</channel></rss>".encode(), "text/xml")


@pytest.mark.parametrize(("status", "way"), [(404, "urls"), (404, "feeds"), (403, "feeds"), (410, "crawls")])
def test_what_was_never_to_be_had_is_asked_for_more_and_more_rarely(
    go: Weeks, paper: Newspaper, status: int, way: str
) -> None:
    paper.pages["/no"] = Page(b"no", status=status, tagged=False)
    paper.pages["/list.xml"] = feed_of(paper, "/no", "/story/3")
    paper.pages["/front"] = Page(b"<html><title>Front</title><body><a href='/no'>x</a></body></html>")
    named = {"urls": "/no", "feeds": "/list.xml", "crawls": "/front"}[way]
    reports = go(f'{way} = ["{paper.url}{named}"]\n', 24)
    asked = paper.paths().count("/no")
    assert asked == {"urls": 5}.get(way, 4), "at 0, 1, 5, 21 days; what a job names, once a week at least"
    failed = sum(report.total("failed") + report.total("blocked") for report in reports)
    assert failed == (len(reports) if way == "urls" else asked), "what a job names is missing until it is there"


def test_what_was_never_to_be_had_is_not_given_up_when_nothing_names_it_any_more(go: Weeks, paper: Newspaper) -> None:
    paper.pages["/late"] = Page(b"no", status=404, tagged=False)
    paper.pages["/list.xml"] = feed_of(paper, "/late", "/story/3")
    job = f'feeds = ["{paper.url}/list.xml"]\n'
    go(job, 2)
    paper.pages["/list.xml"] = feed_of(paper, "/story/3")
    paper.pages["/late"] = Page(story(12))
    reports = go(job, 6, 2)
    assert [(key, one.new) for report in reports for key, one in report.sources.items() if one.new] == [
        ("revisit 127.0.0.1", 1)
    ]


def test_a_site_that_does_not_change_is_asked_by_the_articles_own_clocks_and_within_the_budget(
    go: Weeks, paper: Newspaper
) -> None:
    links = "".join(f"<a href='/story/{n}'>x</a>" for n in range(1, STORIES + 1))
    paper.pages["/front"] = Page(f"<html><title>Front</title><body>{links}</body></html>".encode())
    job = f'crawls = ["{paper.url}/front"]\n'
    first = go(job, 10)[0]
    assert first.total("new") == 1 + STORIES
    looks = paper.paths().count("/story/5") - 1
    assert looks == 6, "after 6, 12, 24, 48, 96, 192 hours"
    assert paper.paths().count("/front") == 40, "where it begins, it looks each time"
    paper.asked.clear()
    for report in go(job.replace("\n", "\nrevisit = { budget = 3 }\n"), 60, 30):
        assert sum(one.tried for one in report.sources.values()) <= 1 + 3
    assert {path for path in paper.paths() if path.startswith("/story/")} >= {
        f"/story/{n}" for n in range(1, STORIES + 1)
    }


def test_a_page_that_a_feed_had_before_the_list_has_its_row(go: Weeks, paper: Newspaper) -> None:
    paper.pages["/no"] = Page(b"no", status=404, tagged=False)
    paper.pages["/list.xml"] = feed_of(paper, "/story/3", "/no")
    urls = ", ".join(f'"{paper.url}{path}"' for path in ("/story/3", "/no"))
    (report,) = go(f'feeds = ["{paper.url}/list.xml"]\nurls = [{urls}]\n', 1)[:1]
    assert paper.paths()[:5] == ["/robots.txt", "/list.xml", "/story/3", "/no", "/robots.txt"], "then the next run"
    held, gone = (report.sources[f"url {paper.url}{path}"] for path in ("/story/3", "/no"))
    assert (held.tried, held.unchanged, gone.tried, gone.reasons) == (1, 1, 1, {"http-404": 1})


def test_a_list_that_cannot_be_read_keeps_no_page_from_being_asked_for(go: Weeks, paper: Newspaper) -> None:
    (report, *_) = go(f'urls = ["{paper.url}/story/3"]\nlists = ["nowhere.txt"]\n', 1)
    assert report.total("new") == 1 and report.state == "partial"
    assert report.sources["list nowhere.txt"].reasons == {"no-list": 1}
