"""Fetchers for these tests: private addresses allowed, no robots.txt, no retries, short times, no real waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from muniment.ingest.fetch import Fetcher
from muniment.ingest.policy import FetchPolicy

QUICK: dict[str, Any] = {
    "allow_private": True,
    "respect_robots": False,
    "retries": 0,
    "connect_timeout": 5.0,
    "first_byte_timeout": 5.0,
    "total_timeout": 10.0,
}


@pytest.fixture
def waits() -> list[float]:
    """Every wait that a fetcher asked for, in seconds; none of them happens."""
    return []


@pytest.fixture
def make_fetcher(waits: list[float]) -> Callable[..., Fetcher]:
    """Builds a Fetcher from policy fields; `ssl_context`, `lookup`, `dial`, `clock` go to the Fetcher itself."""

    def make(**fields: Any) -> Fetcher:
        own = {name: fields.pop(name) for name in ("ssl_context", "lookup", "dial", "clock") if name in fields}
        return Fetcher(FetchPolicy(**{**QUICK, **fields}), sleep=waits.append, **own)

    return make
