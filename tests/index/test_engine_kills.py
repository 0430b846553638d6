"""A writer killed at any moment leaves the last commit, and its work can be done again."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import whoosh.index

from muniment.index.engine import open_engine
from muniment.index.query import Everything

# Commits groups of ten documents for as long as it lives, and says so after each.
WRITER = """
import sys
from datetime import datetime, timezone
from pathlib import Path
from muniment.index.engine import Document, open_engine

with open_engine(sys.argv[1], Path(sys.argv[2])) as index:
    done = index.state().log_size
    print("ready", flush=True)
    while True:
        now = datetime.now(timezone.utc)
        numbers = range(max(0, done - 5), done + 10)  # some of them again
        index.add(Document(n, f"key-{n}", True, f"title {n}", "some text " * 200, now) for n in numbers)
        done += 10
        index.commit(done)
        print(done, flush=True)
"""


@pytest.mark.parametrize("name", ["tantivy", "whoosh"])
def test_kills_at_random_moments_lose_nothing_that_was_committed(name: str, tmp_path: Path) -> None:
    open_engine(name, tmp_path, create=True).close()
    rng = random.Random(5)
    acknowledged = 0
    for run in range(12):
        after = rng.uniform(0.0, 0.25)
        acknowledged = max(acknowledged, run_and_kill(name, tmp_path, after, waits=run % 4 == 0))
        with open_engine(name, tmp_path) as index:
            size = index.state().log_size
            assert size >= acknowledged
            held = [number for number, _ in index.numbers(Everything())]
            # One group more, where the kill fell between the commit and what it says of itself.
            assert held in (list(range(size)), list(range(size + 10)))
            assert index.search(Everything()).total == index.count() == len(held)
    assert acknowledged > 0
    with open_engine(name, tmp_path) as index:
        index.commit(size)
    assert left_over(tmp_path) == []


def left_over(path: Path) -> list[str]:
    """Files that belong to no segment: what killed writers began, and no commit names."""
    if (path / "meta.json").exists():
        meta = json.loads((path / "meta.json").read_text())
        segments = {segment["segment_id"].replace("-", "") for segment in meta["segments"]}
    else:
        segments = {segment.segment_id() for segment in whoosh.index.open_dir(str(path))._segments()}
    files = [
        file.name for file in path.iterdir() if len(file.suffix) > 3 and file.name[0] != "." and "toc" not in file.name
    ]
    return [name for name in files if name != "meta.json" and not any(segment in name for segment in segments)]


def run_and_kill(name: str, path: Path, after: float, *, waits: bool) -> int:
    """The highest number that the writer said; one that `waits` is killed after its first, however busy the machine."""
    command = [sys.executable, "-c", WRITER, name, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        said = [int(writer.stdout.readline())] if waits else []
        timer = threading.Timer(after, writer.kill)
        timer.start()
        said += [int(line) for line in writer.stdout]
        timer.cancel()
    return max(said, default=0)
