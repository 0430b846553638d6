"""An engine that writes again and again: what it merges is listed, and what was changed under it is not taken for sound."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import index_examples as examples
import pytest

from muniment.errors import IndexBehind, StorageError
from muniment.index import generations
from muniment.index.engine import Document, open_engine
from muniment.index.query import Everything, Term


def listed(path: Path) -> set[str]:
    return {line.split(" ")[0] for line in (path / "sound").read_text().splitlines()}


def test_many_small_commits_of_one_engine_are_merged_and_every_file_is_listed(tmp_path: Path) -> None:
    documents = examples.documents(60, 1)
    with open_engine("tantivy", tmp_path, create=True) as index:
        for n, document in enumerate(documents, 1):
            index.add([document])
            index.commit(n)
            assert index.count() == n
        index.add(documents[:3])
    segments = {s["segment_id"].replace("-", "") for s in json.loads((tmp_path / "meta.json").read_text())["segments"]}
    assert len(segments) <= 12
    files = {file.name for file in tmp_path.iterdir() if file.name.partition(".")[0] in segments}
    assert files == listed(tmp_path)
    with open_engine("tantivy", tmp_path) as index:
        assert [n for n, _ in index.numbers(Everything())] == [document.number for document in documents]


def test_who_asks_for_the_lock_before_a_build_gets_a_writer_for_many(tmp_path: Path) -> None:
    documents = examples.documents(100, 1)
    with open_engine("tantivy", tmp_path, create=True) as index:
        index.add(())
        assert index._many  # type: ignore[attr-defined]  # tantivy's own
        index.add(documents)
        index.commit(1)
        index.add(documents[:1])
        assert not index._many  # type: ignore[attr-defined]  # tantivy's own
        assert index.count() == len(documents)


def test_many_documents_after_few_in_one_commit(tmp_path: Path) -> None:
    documents = examples.documents(200, 1)
    with open_engine("tantivy", tmp_path, create=True) as index:
        index.add(documents[:1])
        index.add(documents[:150])
        index.commit(1)
        assert index.count() == 150
        index.add(documents[100:])
        index.add(documents[100:])
        assert index.count() == 150
        index.commit(2)
        assert index.count() == 200


@pytest.mark.parametrize("name", ["tantivy", "whoosh"])
def test_a_file_that_was_changed_under_a_writer_is_not_listed_as_sound(name: str, tmp_path: Path) -> None:
    rng = random.Random(2)
    with open_engine(name, tmp_path, create=True) as index:
        index.add(examples.documents(80, 1))
        index.commit(1)
        index.add([Document(900, "late", True, "", "lately", examples.START)])
        file = max((tmp_path / file for file in listed(tmp_path)), key=lambda file: file.stat().st_size)
        content = file.read_bytes()
        at = rng.randrange(len(content))
        with file.open("r+b") as opened:
            opened.write(content[:at] + bytes([content[at] ^ 8]))
        with pytest.raises(IndexBehind, match="muniment reindex"):
            index.commit(2)
            with open_engine(name, tmp_path) as again:
                again.search(Term("text", "lately"))


def test_a_full_disk_is_told_at_whatever_step_it_fills_up(mount: Callable[[str], Path]) -> None:
    small_disk, (document,), told = mount("2m"), examples.documents(1, 1), list[bool]()
    for room in range(0, 100, 4):
        filler = small_disk / "filler"
        filler.write_bytes(bytes((os.statvfs(small_disk).f_bavail - room // 4) * os.statvfs(small_disk).f_frsize))
        try:
            with generations.create(small_disk / "index") as index:
                index.add([document])
                index.commit(1)
                told.append(False)
        except StorageError:
            told.append(True)
        filler.unlink()
        generations.remove(small_disk / "index")
    subprocess.run(["umount", "--lazy", small_disk], check=True)  # threads of tantivy's hold it for a moment yet
    assert told[0] and not told[-1]
