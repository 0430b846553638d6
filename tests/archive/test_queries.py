"""What an archive costs that grows for years: no article may cost a walk through all that is held."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muniment import pipeline
from muniment.adding import AddOptions
from muniment.archive.archive import Archive
from muniment.ingest.clean.workers import Workers
from muniment.ingest.upload import Target


def page(number: int) -> bytes:
    text = f"The lock keeper of basin {number} opened the gate at dawn, and the barges of grain went down to the sea. "
    return f"<html><body><article><h1>Basin {number}</h1><p>{text * 5}</p></article></body></html>".encode()


def test_no_statement_of_adding_goes_through_all_leaves(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: set[str] = set()
    real: Callable[..., sqlite3.Connection] = sqlite3.connect

    def connect(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        db = real(*args, **kwargs)
        db.set_trace_callback(lambda statement: said.add(statement) if "leaf" in statement else None)
        return db

    monkeypatch.setattr(sqlite3, "connect", connect)
    with Workers(1) as workers, Archive(root) as archive:
        for body in (page(1), page(2), page(1)):
            (tmp_path / "a.html").write_bytes(body)
            target = Target("a", path=tmp_path / "a.html")
            list(pipeline.add(archive, [target], lambda: pytest.fail("a file"), AddOptions(workers=workers)))
    monkeypatch.undo()
    asked = [statement for statement in said if statement.startswith("select")]
    assert any("tombstone" in statement for statement in asked), "the statements were seen"
    with real(root / "catalog.sqlite") as db:
        for statement in asked:
            plan = [row[3] for row in db.execute(f"explain query plan {statement}")]
            assert not [step for step in plan if step in ("SCAN leaf", "SCAN l", "SCAN o", "SCAN article")], statement
    db.close()
