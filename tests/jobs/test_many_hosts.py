"""Many feeds on many hosts in one run, as the hosts see it: the bench of jobs in small."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

import bench.common
import bench.jobs
from bench.jobs import Size, Visit, faults, manners
from bench.pages import write_pages

SIZE = Size(articles=100, hosts=5, feeds=20)
DELAY = 0.1


def test_a_run_over_many_hosts_is_mannerly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (bench.common, bench.jobs):
        monkeypatch.setattr(module, "WORK", tmp_path)
    monkeypatch.setitem(bench.common.ENVIRONMENT, "XDG_CONFIG_HOME", str(tmp_path / "config"))
    pages = tmp_path / "pages"
    pages.mkdir()
    write_pages(pages, SIZE.articles)
    found, _, broken = bench.jobs.run_job(SIZE, pages, DELAY)
    assert broken == []
    assert found.requests == SIZE.articles + SIZE.feeds + SIZE.hosts  # robots.txt of each
    assert found.first_second == SIZE.hosts


def visits(apart: float, *, lasts: float = 0.01) -> list[Visit]:
    """Each story once, of five hosts."""
    made = []
    for number in range(SIZE.articles):
        at = random.Random(number % SIZE.hosts).random() + number // SIZE.hosts * apart
        made.append(Visit(SIZE.host(number), f"/story/{number}.html", at, at, at + lasts))
    return made


@pytest.mark.parametrize(
    ("seen", "held", "said"),
    [
        (visits(0.2), 100, []),
        (visits(0.2, lasts=0.25), 100, ["2 connections were open to one host at once"]),
        (visits(0.05), 100, ["two requests to a host were 0.050 s apart, and not 0.1"]),
        ([*visits(0.2), visits(0.2)[0]._replace(opened=60, closed=61)], 100, ["1 stories were asked for twice"]),
        (visits(0.2)[1:], 100, ["99 stories were asked for"]),
        (visits(0.2), 99, ["the archive holds 99 articles, and not 100"]),
    ],
)
def test_what_is_broken_is_said(seen: Sequence[Visit], held: int, said: list[str]) -> None:
    assert faults(manners(seen), SIZE, DELAY, held) == said
