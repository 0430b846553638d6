"""A newspaper and an archive, and runs on them without waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from muniment import pipeline
from muniment.adding import Added, AddOptions, Fetches
from muniment.archive.archive import Archive
from muniment.discovering.plan import Plan
from muniment.ingest.clean.workers import Workers
from muniment.ingest.fetch import Fetcher
from muniment.ingest.policy import FetchPolicy
from tests.discovering.newspaper import Newspaper


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    """One pool for all runs: it takes a second to start."""
    with Workers(1) as pool:
        yield pool


@pytest.fixture
def paper() -> Iterator[Newspaper]:
    with Newspaper() as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    """Every wait that a fetcher asked for, in seconds; none of them happens."""
    return []


@pytest.fixture
def discover(root: Path, waits: list[float], workers: Workers) -> Callable[..., list[Added]]:
    """Runs a plan: `discover("feed", URL, since=…)`; `policy` are fields of the fetch policy, `now` the time, and
    `pages` makes what fetches pages of what fetches listings."""

    def run(
        command: Any,
        *starts: str,
        restart: bool = False,
        now: datetime | None = None,
        pages: Callable[[Fetcher], Fetches] = lambda fetcher: fetcher,
        **fields: Any,
    ) -> list[Added]:
        policy = {"allow_private": True, "retries": 0, **fields.pop("policy", {})}
        fetcher = Fetcher(FetchPolicy(**policy), sleep=waits.append)
        options = AddOptions(workers=workers, clock=lambda: now or datetime.now(UTC))
        with Archive(root) as archive:
            plan = Plan(command, starts, **fields)
            return list(pipeline.discover(archive, plan, fetcher, options, pages=pages(fetcher), restart=restart))

    return run
