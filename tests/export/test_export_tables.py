"""Export to JSONL and CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

from exporting import MOVED, STORY, Filled, run

from muniment.export.tables import COLUMNS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
FIELDS = PAGE.partition("## JSONL\n")[2].partition("## CSV\n")[0]


def rows(filled: Filled, *arguments: str | int) -> list[dict[str, object]]:
    done = run("export", "--format", "jsonl", "-o", "-", *arguments, archive=filled.root)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_snapshot_and_attempt_is_a_line_in_the_order_of_the_log(filled: Filled) -> None:
    assert [row["snapshot"] for row in rows(filled)] == sorted(filled.named.values())


def test_every_line_has_every_field_and_the_page_explains_each(filled: Filled) -> None:
    fields = {tuple(row) for row in rows(filled)}
    assert {frozenset(found) for found in fields} == {frozenset(next(iter(fields)))}
    named = re.findall(r"^\| `([a-z_]+)`", FIELDS, re.M)
    assert sorted(named) == sorted(next(iter(fields)))


def test_a_line_says_what_show_says(filled: Filled) -> None:
    number = filled.named["story"]
    shown = json.loads(run("show", "--json", number, archive=filled.root).stdout)
    assert shown.pop("also_in") == []  # which depends on what else is in the archive
    assert [row for row in rows(filled, number) if row["snapshot"] == number] == [shown]
    assert shown["article"]["text"].startswith("=The keeper: the text.")
    assert shown["facts"]["via"] == [MOVED]
    assert "tls-certificate" not in shown["facts"]
    assert shown["version"] == 1


def test_a_selection_has_its_own_lines_and_none_of_what_replay_needs(filled: Filled) -> None:
    (row,) = rows(filled, filled.named["story again"])
    assert (row["type"], row["of"], row["uri"], row["version"]) == ("revisit", filled.named["story"], STORY, None)


def test_an_attempt_says_why_it_gave_nothing(filled: Filled) -> None:
    (row,) = rows(filled, filled.named["gone"])
    assert (row["type"], row["reason"], row["status"], row["article"]) == ("attempt", "http-404", 404, None)
    assert row["key"] == "gone"


def test_the_csv_is_that_of_rfc_4180_and_no_cell_is_a_formula(filled: Filled) -> None:
    content = run("export", "--format", "csv", "-o", "-", archive=filled.root).stdout.decode()
    assert content.count("\r\n") == content.count("\n") == len(filled.named) + 1
    table = list(csv.DictReader(io.StringIO(content, newline="")))
    assert tuple(table[0]) == COLUMNS
    story = next(row for row in table if row["snapshot"] == str(filled.named["story"]))
    assert story["title"] == "'=The keeper"
    assert story["authors"] == "Ann; Bo"
    assert story["of"] == ""
    for name in COLUMNS:
        assert f"`{name}`" in PAGE
