"""A filled archive, made once, and the judges: other people's software in an environment of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from exporting import Filled, fill

from muniment.archive.archive import create
from tests.conftest import NOW

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    root = create(tmp_path_factory.mktemp("exported") / "archive", "test.example/log", NOW).root
    return Filled(root, fill(root))


@pytest.fixture(scope="session")
def judge() -> Callable[[str], str]:
    """The path of a program of `make .pywb/.installed`: pywb's, wacz, bagit.py."""
    folder = Path(os.environ.get("MUNIMENT_PYWB", ROOT / ".pywb")) / "bin"

    def find(program: str) -> str:
        if not (folder / program).exists():
            pytest.skip(f"{folder / program} is not there: `make .pywb/.installed` brings pywb, wacz and bagit.py")
        return str(folder / program)

    return find
