"""An index as it lives: a thousand small runs, readers all the while, and a new schema.

`MUNIMENT_RUNS` says how many runs (60 in `make test`; the whole is 1,000).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from muniment import pipeline
from muniment.archive.archive import Archive
from muniment.index import generations
from muniment.index.engine import Document, open_engine
from muniment.index.query import Everything
from muniment.model import Article
from tests.conftest import fill, upload

RUNS = int(os.environ.get("MUNIMENT_RUNS", "60"))
MOST_SEGMENTS = 12

# Searches for as long as its standard input is open; what goes wrong ends it with a traceback.
READER = """
import select, sys
from pathlib import Path
from muniment import pipeline
from muniment.archive.archive import Archive

searches = least = 0
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    with Archive(Path(sys.argv[1])) as archive:
        results = pipeline.find(archive, pipeline.Search("article", limit=3, facets=("source", "year")))
    assert results.total >= least, (results.total, least)
    assert len(results.hits) == min(3, results.total)
    least, searches = results.total, searches + 1
print(searches, least)
"""


def document(number: int) -> Document:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Document(number, f"key-{number}", True, f"Title {number}", f"Some words of article {number}.", at)


def orphans(folder: Path) -> list[str]:
    """Files of the index that belong to none of its segments."""
    if (folder / "meta.json").exists():
        meta = json.loads((folder / "meta.json").read_text())
        segments = {segment["segment_id"].replace("-", "") for segment in meta["segments"]}
    else:
        from whoosh import index

        segments = {segment.segment_id() for segment in index.open_dir(str(folder))._segments()}
    assert len(segments) <= MOST_SEGMENTS
    own = ("state", "sound", "meta.json", "muniment-whoosh")
    files = [file.name for file in folder.iterdir() if not file.name.startswith(".") and file.name not in own]
    lost = [name for name in files if not any(segment in name for segment in segments)]
    return [name for name in lost if "LOCK" not in name and not name.endswith(".toc")] + [
        name for name in files if name.endswith(".toc")
    ][1:]


@pytest.mark.parametrize("name", ["tantivy", "whoosh"])
def test_small_runs_leave_few_segments_and_no_orphans(name: str, tmp_path: Path) -> None:
    most = 0
    for run in range(RUNS):
        with open_engine(name, tmp_path, create=True) as index:
            index.add([document(run), document(max(0, run - 3))])
            index.commit(run + 1)
        most = max(most, len(list(tmp_path.iterdir())))
        if run % 7 == 0 or run == RUNS - 1:
            assert orphans(tmp_path) == []
    assert most <= 6 * MOST_SEGMENTS + 8
    with open_engine(name, tmp_path) as index:
        assert [number for number, _ in index.numbers(Everything())] == list(range(RUNS))


def test_a_reader_never_fails_while_another_process_writes_and_swaps(root: Path) -> None:
    fill(root, 5)
    with Archive(root) as archive:
        pipeline.index_new(archive)
    command = [sys.executable, "-c", READER, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"ready\n"
        for run in range(RUNS // 2):
            with Archive(root) as archive, archive.writer(wait=20) as writer:
                added = writer.add_capture(upload(f"late {run}", b"late %d" % run), [("articleKey", f"late {run}")])
                writer.add_article(Article("Late", f"An article, number {run}."), added.number, f"file:///{run}")
                writer.commit()
            with Archive(root) as archive:
                pipeline.find(archive, pipeline.Search("article"))
                if run % 6 == 5:
                    pipeline.reindex(archive, None, lambda reached: None, wait=20)
        out, err = reader.communicate(b"stop")
        assert err.decode() == ""
        assert reader.returncode == 0
    searches, total = map(int, out.split())
    assert searches >= 3 and total <= 5 + RUNS // 2
    with Archive(root) as archive:
        assert pipeline.find(archive, pipeline.Search("article")).total == 5 + RUNS // 2
    folder = root / "index" / str(generations.current(root / "index"))
    assert orphans(folder) == []
    generations.remove_old(root / "index")  # as every writer does: what the reader had open at the last swap
    assert [path for path in (root / "index").iterdir() if path.is_dir()] == [folder]
