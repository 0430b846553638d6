"""`muniment jobs run`: what it tells, and where."""

from __future__ import annotations

import os

import pytest
from cli_console import Console
from prometheus_client.parser import text_string_to_metric_families

from muniment.jobs import keeping


@pytest.fixture
def kept(console: Console) -> Console:
    """An archive with a job that was due many times."""
    folder = console.cwd / "inbox"
    folder.mkdir()
    (folder / "a.txt").write_text("A note about the dam. " * 9)
    os.utime(folder / "a.txt", (1, 1))
    console("jobs", "add", "a", "--folder", folder, "--every", "6 hours")
    assert console.archive is not None
    keeping.keep_state(console.archive, "a", keeping.State(made="2026-01-01T00:00:00Z", due="2026-01-01T00:00:00Z"))
    return console


def test_a_warning_is_told_once(kept: Console) -> None:
    assert kept("jobs", "run", "--due").err.count("due times since") == 1


def test_figures_are_printed_and_the_report_is_told_beside_them(kept: Console) -> None:
    ran = kept("jobs", "run", "a", "--metrics", "-")
    assert "muniment_log_leaves" in {family.name for family in text_string_to_metric_families(ran.out)}
    assert "a: done, run by hand" in ran.err
    assert not (kept.cwd / "-").exists()


@pytest.mark.parametrize(
    "words", [("--metrics", "nowhere/x.prom"), ("--metrics", ""), ("--metrics", "-", "--json")]
)  # fmt: skip
def test_where_figures_cannot_go_is_said_before_anything_is_run(kept: Console, words: tuple[str, ...]) -> None:
    for command in (("run", "--due"), ("status",)):
        assert "--metrics" in kept("jobs", *command, *words, code=2).err
    assert not (kept.cwd / "nowhere").exists()
    assert kept.archive is not None
    assert not keeping.reports(kept.archive, "a", 1)


def test_figures_without_an_end_are_refused(kept: Console) -> None:
    assert "--metrics -" in kept("jobs", "run", "--forever", "--metrics", "-", code=2).err
