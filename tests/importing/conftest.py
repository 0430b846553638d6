"""An archive into which a small crawl was imported, made once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from import_run import Imported, run
from record_files import crawl, members

from muniment.archive.archive import create
from tests.conftest import NOW


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imported]:
    base = tmp_path_factory.mktemp("crawled")
    path = base / "crawl.warc.gz"
    path.write_bytes(members(crawl()))
    root = create(base / "archive", "test.example/log", NOW).root
    yield Imported(root, path, run(root, path))


@pytest.fixture
def add(root: Path, tmp_path: Path) -> Callable[..., list[tuple[str, int | None, str | None]]]:
    """Writes files and adds them to an archive of the test's own: (state, number, reason) of each item."""

    def do(**files: bytes) -> list[tuple[str, int | None, str | None]]:
        paths = []
        for name, content in files.items():
            paths.append(tmp_path / name.replace("_", "."))
            paths[-1].write_bytes(content)
        return [(added.state, added.snapshot, added.reason) for added in run(root, *paths)]

    return do
