"""An archive of some articles, captured now, and authorities of our own that vouch for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stamped_archive import put

from tests.authority import Authority


@pytest.fixture
def make_authority(tmp_path: Path) -> Iterator[Callable[..., Authority]]:
    """Starts authorities, and ends them after the test."""
    running: list[Authority] = []

    def make(name: str = "Test TSA", **options: object) -> Authority:
        authority = Authority(tmp_path / f"tsa-{len(running)}", name=name, **options)  # type: ignore[arg-type]
        running.append(authority.__enter__())
        return authority

    yield make
    for authority in running:
        authority.__exit__(None, None, None)


@pytest.fixture
def authority(make_authority: Callable[..., Authority]) -> Authority:
    return make_authority()


@pytest.fixture
def filled(root: Path) -> Path:
    put(root, "a", "b")
    return root
