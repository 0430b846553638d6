"""Cells of texts that strangers wrote."""

from __future__ import annotations

import csv
import io

import pytest

from muniment.formats.spreadsheet import safe_cell

TEXTS = ["=A1", "+1", "-1", "@x", "\tx", "\r=x", "x;=HYPERLINK(A1)", "x; =A1", 'x;"=A1', "x\t+A1", "x\r\n-A1", "x;;@A1",
         "=a;=b;=c", ' "=A1', "-1;-2"]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_cell_begins_a_formula_whatever_separates_cells(text: str, separator: str) -> None:
    written = io.StringIO()
    csv.writer(written).writerow([safe_cell(text), safe_cell(text)])
    for row in csv.reader(written.getvalue().splitlines(), delimiter=separator):
        for cell in row:
            assert not cell.lstrip(' "').startswith(("=", "+", "-", "@")), cell


@pytest.mark.parametrize("text", ["", "A page", "Ann; Bo", "a - b; c = d", "1-2", "mail@example.org", "x;y"])
def test_what_begins_no_formula_is_left_alone(text: str) -> None:
    assert safe_cell(text) == text
