"""A source whose pages cannot be had is down, although its feed comes: a paywall, a firewall, a new robots.txt."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from muniment.jobs import health, keeping
from muniment.jobs.report import Report, Source, summary
from tests.discovering.newspaper import Newspaper, Page, story
from tests.jobs.conftest import BEGIN, DAY, RunJob

HOUR = timedelta(hours=1)
REFUSED = Page(b"no", status=403, tagged=False)


def publish(paper: Newspaper, *numbers: int, answer: Page | None = None) -> None:
    """The feed names these stories; those that are new there answer so, or as a story does."""
    items = "".join(f"<item><link>{paper.url}/story/{n}</link></item>" for n in numbers)
    paper.pages["/feed.xml"] = Page(f"<rss version='2.0'><channel>{items}</channel></rss>".encode(), "text/xml")
    for n in numbers:
        if answer is not None or f"/story/{n}" not in paper.pages:
            paper.pages[f"/story/{n}"] = answer or Page(story(n))


def source(report: Report) -> Source:
    return next(one for key, one in report.sources.items() if key.startswith("feed"))


@pytest.mark.parametrize(("status", "reason"), [(403, "http-403"), (404, "http-404")])
def test_a_source_of_which_every_page_is_refused_is_down_from_the_first_run(
    paper: Newspaper, run: RunJob, root: Path, status: int, reason: str
) -> None:
    publish(paper, *range(1, 7), answer=Page(b"no", status=status, tagged=False))
    first = run(f'feeds = ["{paper.url}/feed.xml"]\n')
    assert (source(first).tried, source(first).listings, source(first).is_down) == (7, 1, True)
    assert first.state == "failed"
    row = health.row_of(root, "job", {}, BEGIN)
    assert (row.health, row.sources[0].health) == ("failing", "failing")
    said = f"none of 6 pages could be had: 6 {reason}; such as: {paper.url}/story/"
    assert row.sources[0].error.startswith(said)
    assert row.error.startswith(f"{paper.url}/feed.xml: {said}")
    assert f"    6 {reason}; such as: " in "\n".join(summary(first))
    again = run(f'feeds = ["{paper.url}/feed.xml"]\n', BEGIN + HOUR)
    assert again.state == "failed"  # of the 404 none is asked for within a day, and nothing says that they came


def test_what_robots_forbid_all_of_a_sudden_is_down_until_a_page_comes(paper: Newspaper, run: RunJob) -> None:
    text = f'feeds = ["{paper.url}/feed.xml"]\nrevisit = false\n'
    publish(paper, 1, 2, 3, 4)
    assert run(text).state == "done"
    robots = paper.pages["/robots.txt"]
    paper.pages["/robots.txt"] = Page(b"User-agent: *\nDisallow: /story\n", "text/plain")
    forbidden = run(text, BEGIN + DAY)
    assert (forbidden.state, source(forbidden).reasons) == ("failed", {"robots": 4})
    paper.pages["/robots.txt"] = robots
    assert run(text, BEGIN + 2 * DAY).state == "done"


def test_a_paywall_is_noticed_at_the_third_page_though_the_old_ones_still_come(paper: Newspaper, run: RunJob) -> None:
    text = f'feeds = ["{paper.url}/feed.xml"]\n'
    publish(paper, 1, 2, 3)
    assert run(text).state == "done"
    states = []
    for n in (4, 5, 6):
        paper.pages[f"/story/{n}"] = REFUSED
        publish(paper, *range(1, n + 1))
        states.append(run(text, BEGIN + n * DAY).state)
    assert states == ["done", "done", "failed"]
    quiet = run(text, BEGIN + 6 * DAY + HOUR)  # the three are asked for again, and are still refused
    assert (quiet.state, source(quiet).refused) == ("failed", 3)
    for n in (4, 5, 6):
        paper.pages[f"/story/{n}"] = Page(story(n))
    over = run(text, BEGIN + 7 * DAY)
    assert (over.state, source(over).new > 0, source(over).refused) == ("done", True, 0)


def test_dead_links_that_stay_in_a_feed_are_counted_once(paper: Newspaper, run: RunJob) -> None:
    text = f'feeds = ["{paper.url}/feed.xml"]\n'
    dead = (21, 22, 23, 24)
    publish(paper, *dead, answer=REFUSED)
    publish(paper, 1, *dead)
    assert run(text).state == "done"  # one came
    for days in range(1, 5):
        report = run(text, BEGIN + days * DAY)
        assert not source(report).is_down, days
        alone = run(text, BEGIN + days * DAY + HOUR)  # where the story is not asked for
        assert not source(alone).is_down


def test_hosts_that_ask_to_be_left_alone_are_no_fault_unless_that_lasts(
    paper: Newspaper, run: RunJob, root: Path
) -> None:
    text = f'feeds = ["{paper.url}/feed.xml"]\nrevisit = false\n'
    publish(paper, 1, 2, 3)
    run(text)
    busy = Page(b"later", status=429, headers={"Retry-After": "3600"}, tagged=False)
    publish(paper, 4, 5, 6, 7, answer=busy)
    first = run(text, BEGIN + DAY)
    assert (first.state, source(first).blocked) == ("done", 4)
    assert health.row_of(root, "job", {}, BEGIN + DAY).sources[0].health == "ok"
    for days in (2, 3, 4):
        run(text, BEGIN + days * DAY)
    row = health.row_of(root, "job", {}, BEGIN + 4 * DAY)
    assert row.sources[0].health == "overdue"
    assert "none of 4 pages could be had: " in row.sources[0].error


def test_a_report_from_before_pages_were_told_from_listings_is_read() -> None:
    old = {"target": "x", "kind": "feed", "tried": 3, "new": 2, "failed": 1}
    assert not Source(**old).is_down  # type: ignore[arg-type]


def test_a_list_of_pages_is_down_where_none_of_them_comes(paper: Newspaper, run: RunJob, root: Path) -> None:
    paper.pages["/story/1"] = paper.pages["/story/2"] = REFUSED
    (root / "two.txt").write_text(f"{paper.url}/story/1\n{paper.url}/story/2\n")
    report = run('lists = ["two.txt"]\n')
    assert report.state == "failed"
    past = keeping.past_of(report)
    assert past.error.startswith("two.txt: none of 2 pages could be had: 2 http-403; such as: ")
