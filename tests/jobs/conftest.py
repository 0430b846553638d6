"""A job that is run against a newspaper on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from muniment.adding import Added
from muniment.ingest.clean.workers import Workers
from muniment.ingest.fetch import Fetcher
from muniment.ingest.policy import FetchPolicy
from muniment.jobs import due, keeping
from muniment.jobs.report import Report
from muniment.jobs.running import World
from tests.discovering.newspaper import Newspaper

BEGIN = datetime(2026, 2, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
RunJob = Callable[..., Report]


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(1) as pool:
        yield pool


@pytest.fixture
def paper() -> Iterator[Newspaper]:
    with Newspaper() as running:
        yield running


@pytest.fixture
def told() -> list[Added]:
    return []


@pytest.fixture
def run(root: Path, workers: Workers, told: list[Added]) -> RunJob:
    """Runs a job of these lines at a time; returns its report."""

    def run(text: str, now: datetime = BEGIN, name: str = "job") -> Report:
        limits = "" if "[limits]" in text else "\n[limits]\ndelay = 0\nfree = 0\n"
        keeping.write(root, name, f'schedule = "every day"\nallow_private = true\n{text}{limits}')
        told.clear()

        def fetcher(policy: FetchPolicy) -> Fetcher:
            return Fetcher(policy, clock=lambda: now, sleep=lambda seconds: None)

        world = World(lambda: now, fetcher, workers, 1, told.append)
        (outcome,) = due.run_due(root, world, [name])
        assert outcome.report is not None, outcome.error
        return outcome.report

    return run
