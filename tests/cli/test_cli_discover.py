"""`muniment feed`, `sitemap` and `crawl` as commands: what they print, their exit codes, and a kill."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_console import Console

from tests.discovering.newspaper import Newspaper, Page, story

QUICK = ("--allow-private", "--delay", "0")


@pytest.fixture
def paper() -> Iterator[Newspaper]:
    with Newspaper() as running:
        yield running


def test_a_feed_is_added_line_by_line(console: Console, paper: Newspaper) -> None:
    done = console("feed", f"{paper.url}/feed.xml", *QUICK, "--tag", "sea", "--source", "The Sound")
    assert done.lines[0].endswith("(rss 2.0: 3 entries)") and len(done.lines) == 4
    assert done.err == "4 stored\n"
    assert len(console("search", "tag:sea", "--source", "The Sound", "--ids").lines) == 3
    rows = console("feed", f"{paper.url}/feed.xml", *QUICK, "--json", "--recheck", "0").rows()
    assert {row["state"] for row in rows} == {"unchanged"}
    assert console("verify", "--json").rows()[-1]["findings"] == 0
    console("rebuild", "--quiet")  # what the catalog knows of 304s comes from the log alone


def test_a_dry_run_shows_each_address_with_its_verdict_and_stores_nothing(console: Console, paper: Newspaper) -> None:
    paper.pages["/robots.txt"].body += b"Crawl-delay: 3\n"
    done = console("sitemap", f"{paper.url}/list.txt", "--dry-run", *QUICK, "--json")
    assert [(row["target"].rpartition("/")[2], row["robots"], row["listing"]) for row in done.rows()] == [
        ("list.txt", "allowed", True), ("4", "allowed", False), ("a", "forbidden", False),
    ]  # fmt: skip
    assert done.rows()[1]["crawl_delay"] == 3
    assert done.err == "1 page would be asked for; robots.txt forbids 1\n"
    lines = console("feed", f"{paper.url}/feed.xml", "--dry-run", *QUICK).lines
    assert lines[1].startswith("would fetch http") and re.search(r" 20\d\d-\d\d-\d\d As the feed has it, 1$", lines[1])
    assert len(console("crawl", f"{paper.url}/", "--dry-run", *QUICK, "--limit", "2").lines) == 2
    status = console("status", "--json").json()
    assert "/story/4" not in paper.paths() and status["articles"] == 0


def test_a_dry_run_tells_a_host_that_gives_no_robots_from_one_that_forbids(console: Console, paper: Newspaper) -> None:
    items = "".join(f"<item><link>http://127.0.0.1:9/{n}</link></item>" for n in range(2))
    paper.pages["/far.xml"] = Page(f"<rss version='2.0'><channel>{items}</channel></rss>".encode(), "text/xml")
    done = console("feed", f"{paper.url}/far.xml", "--dry-run", *QUICK)
    assert done.err == "0 pages would be asked for; robots.txt forbids 0, and could not be asked for 2\n"


def test_a_dry_run_passes_over_what_a_run_would_pass_over(console: Console, paper: Newspaper) -> None:
    feed = (f"{paper.url}/feed.xml", *QUICK)
    console("feed", *feed)
    verbs = [("would read", "would read"), *[("pass over", "would ask")] * 3]
    dry, again = console("feed", *feed, "--dry-run"), console("feed", *feed, "--dry-run", "--recheck", "0")
    for line, other, (verb, other_verb) in zip(dry.lines, again.lines, verbs, strict=True):
        assert line.startswith(f"{verb} http") and other.startswith(f"{other_verb} http")
    assert (
        dry.err
        == "0 pages would be asked for, 3 looked at lately and passed over (see --recheck); robots.txt forbids 0\n"
    )
    assert again.err == "3 pages would be asked for; robots.txt forbids 0\n"
    assert len(console("feed", *feed).lines) == 1
    assert [row["due"] for row in console("feed", *feed, "--dry-run", "--json").rows()] == [True, False, False, False]


def test_a_listing_can_be_shown_and_a_page_that_names_one_goes_by_its_title(console: Console, paper: Newspaper) -> None:
    paper.pages["/p"] = Page(
        story(1, title="Named", extra="<link rel=alternate type=application/rss+xml href=/feed.xml>")
    )
    console("add", f"{paper.url}/p", "--allow-private")
    (line, *_) = console("feed", f"{paper.url}/p", *QUICK, "--limit", "1").lines
    assert "unchanged" in line and line.endswith(" Named")
    assert b"<rss" in console("show", f"{paper.url}/feed.xml", "--raw").raw


def test_a_page_that_is_too_old_is_told_and_is_no_failure(console: Console, paper: Newspaper) -> None:
    old = '<meta property="article:published_time" content="2001-01-01">'
    paper.pages["/list.txt"] = Page(f"{paper.url}/o\n".encode(), "text/plain")
    paper.pages["/o"] = Page(story(1, title="Old", extra=old))
    lines = console("sitemap", f"{paper.url}/list.txt", "--since", "2026", *QUICK).lines
    assert lines[1] == "skipped - 2001-01-01 Old (dated before 2026)"
    assert "leave out --requisites" in console("feed", paper.url, "--browser", "--requisites", *QUICK, code=2).err


def test_exit_codes_tell_what_failed(console: Console, paper: Newspaper) -> None:
    console("feed", f"{paper.url}/nosuch.xml", *QUICK, code=13)
    paper.pages["/feed.xml"] = Page(b"<note/>", "text/xml")
    done = console("feed", f"{paper.url}/feed.xml", *QUICK, code=3)
    assert "its root <note> is of no feed" in done.err
    assert "is no date" in console("feed", paper.url, "--since", "soon", code=2).err
    assert "http://" in console("crawl", "ftp://x.example/", code=2).err
    console("sitemap", code=2)


def test_a_crawl_that_was_killed_goes_on_and_doubles_nothing(
    console: Console, paper: Newspaper, tmp_path: Path
) -> None:
    links = "".join(f'<a href="/s/{n}">x</a>' for n in range(60))
    paper.pages["/s"] = Page(f"<html><body>{links}</body></html>".encode())
    paper.pages |= {f"/s/{n}": Page(story(n), before=lambda: time.sleep(0.02)) for n in range(60)}
    running = console.spawn(
        "crawl", f"{paper.url}/s", *QUICK, "--json", start_new_session=True, stderr=subprocess.DEVNULL
    )
    assert running.stdout is not None
    told = [running.stdout.readline() for _ in range(8)]
    os.killpg(running.pid, signal.SIGKILL)
    told += [line for line in running.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]
    running.communicate()
    before = {json.loads(line)["target"] for line in told}
    assert 8 <= len(before) < 61
    done = console("crawl", f"{paper.url}/s", *QUICK, "--json")
    assert "an interrupted run goes on" in done.err
    after = {row["target"] for row in done.rows()}
    assert len(before | after) == 61 and len(before & after) <= 1  # the line that was on its way when it was killed
    stored = [row for row in done.rows() if row["state"] == "stored"]
    assert len(paper.asked) <= 61 + 2 + 20  # robots.txt twice, and what was not committed when it was killed
    assert console("status", "--json").json()["articles"] == len(
        {row["snapshot"] for row in stored} | {json.loads(line)["snapshot"] for line in told}
    )
    assert console("verify", "--json").rows()[-1]["findings"] == 0
