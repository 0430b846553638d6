"""The floors of bench/extraction.py: they rise and never fall, and belong to the pages that they were measured on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import determinism, extraction
from bench.gold import Case, Corpus
from bench.scoring import f1, shingle_f1


@pytest.fixture
def floors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(extraction, "FLOORS", tmp_path / "floors.json")
    return tmp_path / "floors.json"


def page(tmp_path: Path, root: str = '<html lang="fa-IR">') -> Case:
    path = tmp_path / "a.html"
    text = "<p>Nothing that happens to extraordinary passengers is remembered afterwards.</p>" * 9
    path.write_text(f"<!doctype html>{root}<head><style>p.something {{}}</style></head><body>{text}</body></html>")
    return Case("a", path, url="https://h.example/a")


def test_marks_are_put_into_the_words_of_a_page_and_counted_in_its_article(tmp_path: Path) -> None:
    kept, there = determinism.marks([page(tmp_path)])
    assert kept == there > 0
    marked = determinism._marked(page(tmp_path).page.decode())
    assert "p.something" in marked and any(f"extr{mark}aordinary" in marked for mark in determinism.MARKS)


@pytest.mark.parametrize(("root", "expected"), [('<html lang="fa-IR">', "fa"), ("<html class=x lang=de>", "de"), ("<html>", "unnamed")])  # fmt: skip
def test_the_language_of_a_page_is_its_root_elements(tmp_path: Path, root: str, expected: str) -> None:
    assert extraction._language(page(tmp_path, root)) == expected


def corpus(body: str = "one two three") -> Corpus:
    return Corpus("ours", (Case("a", None, body, text="<p>one two three</p>"),))


def test_a_figure_under_its_floor_fails_and_a_floor_never_falls(floors: Path) -> None:
    assert extraction.held(corpus(), {"body": 0.91239}, pin=True)
    assert extraction.held(corpus(), {"body": 0.9123}, pin=False)
    assert not extraction.held(corpus(), {"body": 0.9}, pin=True)
    assert json.loads(floors.read_text())["ours"]["floors"] == {"body": 0.9123}
    assert not extraction.held(corpus(), {}, pin=False)
    assert extraction.held(corpus(), {"body": 0.95}, pin=True)
    assert json.loads(floors.read_text())["ours"]["floors"] == {"body": 0.95}


def test_floors_of_other_pages_are_refused(floors: Path) -> None:
    assert extraction.held(corpus(), {"body": 0.5}, pin=True)
    assert not extraction.held(corpus("another gold text"), {"body": 1.0}, pin=True)
    assert corpus().digest != corpus("another gold text").digest


def test_the_scores_are_what_they_say() -> None:
    assert f1("one two three four", "One two three four", 1) == 1.0
    assert f1("one two", "one three", 1) == 0.5
    assert f1("", "", 4) == 1.0 and f1("one", "", 4) == 0.0
    assert shingle_f1([("a b c d e", "a b c d e"), ("x", "")]) == 0.5
