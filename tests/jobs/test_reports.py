"""What a report says of folders, stamps and the log, of runs that were made."""

from __future__ import annotations

import os
from pathlib import Path

from muniment.archive.archive import Archive
from muniment.archive.config import read_config
from muniment.formats.checkpoint import parse_checkpoint
from muniment.formats.note import split_note
from muniment.jobs import keeping
from muniment.jobs.report import Source, summary
from tests.authority import Authority
from tests.conftest import fill
from tests.discovering.newspaper import Newspaper
from tests.jobs.conftest import BEGIN, DAY, RunJob
from tests.stamping.stamped_archive import configure


def test_bytes_of_a_folder_are_those_of_its_files(run: RunJob, root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    letter = "From a@b.example Mon Jan  5 10:00:00 2026\nFrom: a@b.example\nSubject: {0}\n\nThe {0} letter.\n\n"
    for name, text in (
        ("a.txt", "A note about the dam. " * 9),
        ("b.mbox", letter.format("1st") + letter.format("2nd")),
    ):
        (folder / name).write_text(text)
        os.utime(folder / name, (1, 1))
    text = f'folders = ["{folder}"]\n'
    (source,) = run(text).sources.values()
    assert (source.new, source.bytes) == (3, sum(path.stat().st_size for path in folder.iterdir()))
    (source,) = run(text, BEGIN + DAY).sources.values()
    assert (source.tried, source.bytes) == (0, 0)


def test_a_report_holds_the_signed_checkpoint_of_the_log_that_it_left(
    paper: Newspaper, run: RunJob, root: Path
) -> None:
    report = run(f'urls = ["{paper.url}/story/1"]\n')
    (kept,) = keeping.reports(root, "job", 1)
    assert kept.checkpoint == report.checkpoint == (root / "log" / "checkpoint").read_text()
    text, _ = split_note(report.checkpoint)
    checkpoint = parse_checkpoint(text)
    assert checkpoint.origin == read_config(root).origin
    with Archive(root) as archive:
        assert checkpoint.size == report.log_size == archive.size
        assert checkpoint.root == archive.progress.root


def test_a_stamp_that_its_authority_refused_is_a_failure(
    paper: Newspaper, run: RunJob, root: Path, tmp_path: Path
) -> None:
    fill(root, 1)
    with Authority(tmp_path / "tsa") as authority:
        configure(root, ("tsa-0", f"{paper.url}/nowhere", authority.root_pem))
        refused = run("stamp = true\n")
        assert (refused.state, refused.stamped) == ("failed", [])
        assert refused.errors[0].startswith("stamp: tsa-0: ")
        configure(root, authority, ("tsa-1", f"{paper.url}/nowhere", authority.root_pem))
        partly = run("stamp = true\n", BEGIN + DAY)
        assert (partly.state, partly.stamped) == ("partial", ["stamped by tsa-0"])
        configure(root, authority)
        idle = run("stamp = true\n", BEGIN + 2 * DAY)
        assert (idle.state, idle.stamped) == ("done", ["nothing new to stamp"])


def test_a_line_with_reasons_and_no_example_ends_with_the_reasons(run: RunJob) -> None:
    report = run("verify = 1\n")
    report.source("url", "https://busy.example/").tried = 1
    report.sources["url https://busy.example/"] = Source("https://busy.example/", "url", tried=1, blocked=1)
    report.sources["url https://busy.example/"].reasons = {"retry-after": 1}
    assert "    1 retry-after" in summary(report)
    report.state = "failed"
    assert keeping.past_of(report).error == "https://busy.example/: 1 retry-after"
