"""One run of a job against a newspaper on loopback: what is done, and how it is counted."""

from __future__ import annotations

import json
import shutil
import time
from datetime import timedelta
from pathlib import Path

from muniment import pipeline, watching
from muniment.archive.archive import Archive
from muniment.ingest.clean.workers import Workers
from muniment.ingest.fetch import Fetcher
from muniment.jobs import due
from muniment.jobs.report import summary
from muniment.jobs.running import World
from muniment.search.saved import Saved
from tests.discovering.newspaper import Newspaper, Page, story
from tests.jobs.conftest import BEGIN, DAY, RunJob


def test_what_is_new_changed_unchanged_and_not_modified_is_counted_by_source(paper: Newspaper, run: RunJob) -> None:
    text = f'feeds = ["{paper.url}/feed.xml"]\nurls = ["{paper.url}/story/1", "{paper.url}/story/6", "{paper.url}/nowhere"]\n'
    first = run(text)
    feed = first.sources[f"feed {paper.url}/feed.xml"]
    assert (feed.tried, feed.new, feed.unchanged, feed.failed) == (4, 3, 1, 0)
    assert feed.bytes > sum(len(paper.pages[f"/story/{n}"].body) for n in (1, 2, 3))
    assert feed.seconds > 0
    nowhere = first.sources[f"url {paper.url}/nowhere"]
    assert (nowhere.tried, nowhere.failed, nowhere.reasons) == (1, 1, {"http-404": 1})
    assert first.state == "partial" and first.log_size > 0 and first.root
    # What the feed had fetched in this run is not asked for again as a page of the list.
    assert paper.paths().count("/story/1?utm_source=rss") + paper.paths().count("/story/1") == 1

    paper.pages["/story/6"] = Page(story(6, title="Another headline altogether"))
    second = run(text, BEGIN + 2 * DAY)
    page = second.sources[f"url {paper.url}/story/6"]
    assert (page.tried, page.new, page.changed) == (1, 0, 1)
    paper.pages["/story/6"] = Page(paper.pages["/story/6"].body + b"<!-- another advertisement -->")
    third = run(text, BEGIN + 4 * DAY)
    assert third.sources[f"url {paper.url}/story/6"].unchanged == 1
    lines = "\n".join(summary(second))
    assert "not modified" in lines and "such as" in lines


def test_a_feed_that_is_named_as_a_page_too_has_its_row(paper: Newspaper, run: RunJob) -> None:
    report = run(f'feeds = ["{paper.url}/feed.xml"]\nurls = ["{paper.url}/feed.xml"]\n')
    page = report.sources[f"url {paper.url}/feed.xml"]
    assert (page.tried, page.new + page.unchanged, paper.paths().count("/feed.xml")) == (1, 1, 1)


def test_a_list_that_is_a_link_in_a_circle_is_told(root: Path, paper: Newspaper, run: RunJob) -> None:
    (root / "one.txt").symlink_to("two.txt")
    (root / "two.txt").symlink_to("one.txt")
    report = run(f'lists = ["one.txt"]\nurls = ["{paper.url}/story/1"]\n')
    assert report.sources["list one.txt"].reasons == {"no-list": 1}
    assert report.total("new") == 1 and "internal error" not in "".join(report.errors)


def test_a_silent_edit_is_found_by_a_look_of_its_own_and_tightens_the_next(paper: Newspaper, run: RunJob) -> None:
    text = f'feeds = ["{paper.url}/feed.xml"]\n'
    run(text)
    paper.pages["/feed.xml"] = Page(b'<rss version="2.0"><channel><title>empty</title></channel></rss>', "text/xml")
    for address in [path for path in paper.pages if path.startswith("/story/2")]:
        paper.pages[address] = Page(story(2, title="What was said before is not said any more"))
    changed = run(text, BEGIN + DAY)
    revisit = changed.sources["revisit 127.0.0.1"]
    assert (revisit.tried, revisit.changed, revisit.not_modified) == (3, 1, 2)
    soon = run(text, BEGIN + DAY + timedelta(hours=7))
    assert soon.sources["revisit 127.0.0.1"].tried == 1  # the one that changed
    off = run("revisit = false\n" + text, BEGIN + 40 * DAY)
    assert "revisit 127.0.0.1" not in off.sources


def test_a_list_counts_as_one_source_and_tells_what_is_no_address(paper: Newspaper, run: RunJob, root: Path) -> None:
    (root / "sources.txt").write_text(f"# ours\n{paper.url}/story/1\n{paper.url}/story/2\nhttp://\n")
    report = run('lists = ["sources.txt"]\n')
    (source,) = report.sources.values()
    assert (source.kind, source.target, source.tried, source.new, source.failed) == ("list", "sources.txt", 3, 2, 1)
    assert report.state == "partial"
    gone = run('lists = ["nowhere.txt"]\n')
    assert gone.state == "failed" and "cannot read the list nowhere.txt" in gone.errors[0]


def test_what_robots_forbid_is_blocked_and_no_fault(paper: Newspaper, run: RunJob) -> None:
    paper.pages["/robots.txt"] = Page(b"User-agent: *\nDisallow: /story/1\n", "text/plain")
    report = run(f'urls = ["{paper.url}/story/1", "{paper.url}/story/2"]\n')
    blocked = report.sources[f"url {paper.url}/story/1"]
    assert (blocked.blocked, blocked.failed, blocked.reasons) == (1, 0, {"robots": 1})
    assert report.total("new") == 1


def test_a_time_that_is_over_leaves_the_rest_for_the_next_run(paper: Newspaper, run: RunJob) -> None:
    text = f'sitemaps = ["{paper.url}/"]\n[limits]\ndelay = 0\nfree = 0\n'
    paper.pages["/robots.txt"].before = lambda: time.sleep(1.1)
    late = run(text + 'time = "1 second"\n')
    assert late.total("new") == 0 and not [path for path in paper.paths() if path.startswith("/story/")]
    paper.pages["/robots.txt"].before = lambda: None
    assert run(text, BEGIN + DAY).total("new") > 2


def test_a_saved_search_tells_once_what_is_new(paper: Newspaper, run: RunJob, root: Path) -> None:
    with Archive(root) as archive:
        watching.save(archive, Saved("ferry", "ferry"))
    text = f'feeds = ["{paper.url}/feed.xml"]\nsearches = ["ferry"]\n'
    first = run(text)
    assert first.searches == {"ferry": 3} and len([note for note in first.notes if "new for ferry: #" in note]) == 3
    assert run(text, BEGIN + timedelta(minutes=1)).searches == {"ferry": 0}


def test_an_export_and_a_verify_are_done_at_the_end(paper: Newspaper, run: RunJob, root: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".2026-02-01.jsonl.4711.tmp").write_text("of an export that was killed")
    report = run(
        f'urls = ["{paper.url}/story/1"]\nverify = 100\n[export]\npath = "{tmp_path}/out/{{date}}.jsonl"\nformat = "jsonl"\n'
        "[limits]\ndelay = 0\nfree = 0\n"
    )
    (line,) = (tmp_path / "out" / "2026-02-01.jsonl").read_text().splitlines()
    assert json.loads(line)["url"] == f"{paper.url}/story/1"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["2026-02-01.jsonl"]
    assert report.done == ["pages", "verify", "export"] and "0 findings" in report.verified
    record = next((root / "warc").rglob("*.warc.gz"))
    data = bytearray(record.read_bytes())
    data[len(data) // 2] ^= 1
    record.write_bytes(data)
    damaged = run("verify = 100\n", BEGIN + DAY)
    assert damaged.state == "failed" and damaged.findings


def test_what_a_killed_writer_left_is_set_aside_before_a_verify_and_no_alarm(run: RunJob, root: Path) -> None:
    with (root / "log/commits").open("ab") as file:
        file.write(b"half a fr")
    report = run("verify = 100\n")
    assert (report.state, report.findings) == ("done", [])
    assert report.notes == ["an unfinished write was set aside in quarantine/: log/commits"]
    assert [path.read_bytes() for path in (root / "quarantine").iterdir()] == [b"half a fr"]
    assert run("verify = 100\n", BEGIN + DAY).notes == []


def test_an_archive_may_move_between_two_runs(paper: Newspaper, run: RunJob, root: Path, workers: Workers) -> None:
    run(f'feeds = ["{paper.url}/feed.xml"]\n')
    moved = root.parent / "elsewhere"
    shutil.move(root, moved)
    now = BEGIN + DAY
    world = World(lambda: now, lambda policy: Fetcher(policy, sleep=lambda seconds: None), workers, 1)
    (outcome,) = due.run_due(moved, world)
    assert outcome.report is not None and outcome.report.total("new") == 0
    assert outcome.report.due == "2026-02-02T00:00:00Z"
    with Archive(moved) as archive:
        assert pipeline.find(archive, pipeline.Search("ferry")).total == 3


def test_two_runs_in_one_second_look_both(paper: Newspaper, run: RunJob) -> None:
    """What the first had looked at is no look of the second's."""
    text = f'urls = ["{paper.url}/story/4"]\n'
    first = run(text, BEGIN)
    second = run(text, BEGIN + timedelta(milliseconds=400))
    assert [report.total("tried") for report in (first, second)] == [1, 1]
