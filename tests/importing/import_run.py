"""Adding files in process."""

from __future__ import annotations

import atexit
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from muniment.adding import Added, AddOptions, clean_items, gather
from muniment.archive.archive import Archive
from muniment.archive.config import read_config
from muniment.archive.verify import Verification
from muniment.archive.verify.finding import Request
from muniment.ingest.clean.workers import Workers
from muniment.ingest.upload import Target
from muniment.storing import Batch


class Imported(NamedTuple):
    root: Path
    file: Path
    added: list[Added]


def no_fetcher() -> object:
    raise AssertionError("an import fetches nothing")


_kept: list[Workers] = []


def workers() -> Workers:
    """Those that are warm already."""
    if not _kept:
        _kept.append(Workers(1))
        atexit.register(_kept[0].close)
    return _kept[0]


def run(root: Path, *paths: Path) -> list[Added]:
    """As `pipeline.add`, with workers that are warm already."""
    targets = [Target(str(path), path=path) for path in paths]
    with Archive(root) as archive, archive.writer() as writer, ThreadPoolExecutor(1) as threads:
        batch, done = Batch(archive, writer), list[Added]()
        items = gather(targets, no_fetcher, AddOptions(), threads)  # type: ignore[arg-type]
        for item in clean_items(items, writer, workers()):
            if item is not None:
                batch.store(item)
            if item is None or batch.is_due():
                done += batch.commit()
        done += batch.commit()
        batch.close()
        return done


def findings(root: Path) -> list[str]:
    return [f"{found.finding}: {found.detail}" for found in Verification(root, read_config(root), Request()).run()]
