"""Facets, and hits on a terminal: widths, bars, sparklines, text of both directions."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cli_console import Console
from test_cli_terminal import COLOUR, on_terminal

from muniment.archive.archive import create
from muniment.cli import counts, terminal
from muniment.index.facets import Counts, Facet, with_empty
from tests.conftest import NOW

PAPERS = [
    ("The Herald", "2019-03-01", "en", "The harbour wall broke in the storm."),
    ("The Herald", "2021-05-30", "en", "The harbour was closed for a week."),
    ("The Herald", "2021", "en", "A harbour without ships."),
    ("خبرگزاری مهر", "2021-07-02", "fa", "دیوار بندر شکست؛ harbour می‌گویند."),
    ("朝日新聞デジタル", "2023-01-09", "ja", "港 harbour の壁が壊れた。"),
    ("A paper whose name is as long as the names of some papers are", None, "en", "On the harbour."),
    ("Small", "2021-05-01", "en", "The mill, not the dock."),
]


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Console:
    base = tmp_path_factory.mktemp("counts")
    console = Console(create(base / "archive", "test.example/log", NOW).root, base)
    lines = [
        {"text": f"{text} Number {number}.", "title": f"Paper {number}", "source": source, "published": published, "language": language,
         "authors": [f"Ann {number}", "Bob"], "tags": ["sea"] * (number % 2)}
        for number, (source, published, language, text) in enumerate(PAPERS)
    ]  # fmt: skip
    (base / "list").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    console("add", "--from", "list")
    return console


def told(console: Console, *arguments: str, **env: str) -> list[str]:
    out, _ = on_terminal(console, "search", *arguments, **env)
    return COLOUR.sub(b"", out).decode().replace("\r\n", "\n").split("\n")


def test_json_tells_values_others_unknown_and_months_that_are_not_known(papers: Console) -> None:
    facets = papers("search", "harbour", "--facet", "source:1,month,author", "--facet-limit", 2, "--json").json()[
        "facets"
    ]
    assert facets["source"] == {
        "values": [{"value": "The Herald", "count": 3}], "more": {"values": 3, "count": 3}, "unknown": 0,
    }  # fmt: skip
    months = facets["month"]
    assert months["values"][0] == {"value": "2019-03", "count": 1} and months["values"][-1]["value"] == "2023-01"
    assert len(months["values"]) == 47 and months["values"][1] == {"value": "2019-04", "count": 0}
    assert (months["month_unknown"], months["unknown"]) == ([{"value": "2021", "count": 1}], 1)
    assert facets["author"]["values"] == [{"value": "Bob", "count": 6}, {"value": "Ann 0", "count": 1}]
    assert facets["author"]["more"] == {"values": 5, "count": 5}


def test_a_filter_leaves_the_other_values_of_its_facet_and_narrows_the_rest(papers: Console) -> None:
    for filters in (
        ["--source", "the herald"],
        ['source:"The Herald"'],
        ["--not-source", "Small", "--source", "The Herald"],
    ):
        found = papers("search", "harbour", *filters, "--facet", "source,language", "--json").json()
        assert found["total"] == 3
        assert [value["count"] for value in found["facets"]["source"]["values"]] == [3, 1, 1, 1]
        assert found["facets"]["language"]["values"] == [{"value": "en", "count": 3}]
    found = papers("search", "harbour", "--not-source", "The Herald", "--not-author", "Ann 4", "--json").json()
    assert found["total"] == 2
    assert papers(
        "search", "--author", "bob", "--not-tag", "sea", "--kind", "upload", "--not-language", "fa", "--ids"
    ).lines
    assert papers("search", "harbour", "--not-kind", "upload", code=1).out == ""


def test_a_pipe_gets_a_line_for_each_facet(papers: Console) -> None:
    lines = papers("search", "harbour", "--limit", 0, "--facet", "source:1,month,tag").lines
    assert lines == [
        "",
        "source    The Herald 3, and 3 more (3)",
        "month     2019-03 1, 2021-05 1, 2021-07 1, 2023-01 1, 2021 (month unknown) 1, unknown 1",
        "tag       sea 3, unknown 3",
    ]
    assert papers("search", "harbour", "--limit", 0, "--facet", "year:2").lines == [
        "", "year      2023 1, and 2 earlier (4), unknown 1",
    ]  # fmt: skip


def test_where_a_filter_leaves_nothing_its_facet_still_tells_the_other_values(papers: Console) -> None:
    for options in ([], ["--all"]):
        done = papers("search", "mill", "--source", "The Herald", "--facet", "source,language", *options, code=1)
        assert done.lines == ["", "source    Small 1", "language  unknown 0"]
        assert papers("search", "absent", "--facet", "source", *options, code=1).out == ""


@pytest.mark.parametrize("columns", [24, 40, 80, 200])
def test_a_terminal_gets_aligned_counts_with_bars_in_any_width(papers: Console, columns: int) -> None:
    lines = told(papers, "harbour", "--limit", "9", "--facet", "source,year,month,author", COLUMNS=str(columns))
    assert all(terminal.width(line) <= max(columns, len("harbour")) for line in lines), max(lines, key=terminal.width)
    rows = [line for line in lines if re.search(r"(Herald|مهر|朝日|whose| name).*\d", line)][-4:]
    ends = {terminal.width(re.match(r".*?\d(?=  [▁-█▉-▏]|$)", row)[0]) for row in rows if "Paper " not in row}  # type: ignore[index]
    assert len(ends) == 1, rows
    assert any("█" in row for row in rows)
    assert any(re.search(r"2019 [▁-█]·[▁-█]·[▁-█] 2023", line) for line in lines)
    assert any(re.search(r"2019-03 [▁-█·]{4,47} 2023-01", line) for line in lines)
    whole = " ".join(" ".join(lines).split())
    assert "month unknown: 1; unknown: 1" in whole


def test_colours_are_off_where_nobody_wants_them_and_bars_stay(papers: Console) -> None:
    out, _ = on_terminal(papers, "search", "harbour", NO_COLOR="1")
    assert not COLOUR.search(out) and "█".encode() in out


def test_a_terminal_without_such_signs_gets_others(papers: Console) -> None:
    out, _ = on_terminal(
        papers, "search", "harbour", "--facet", "tag,year", "--limit", "0", PYTHONIOENCODING="ascii:replace"
    )
    assert b"###" in out and re.search(rb"2019\S* \S*9\.9\.9|2019\S* \S*[1-9.]{5}", out)


def test_text_from_right_to_left_is_isolated_and_keeps_its_joiners(papers: Console) -> None:
    lines = told(papers, "harbour", "--language", "fa", COLUMNS="60")
    (passage,) = (line for line in lines if "می‌گویند" in line)
    assert passage.strip().startswith("\u2067") and passage.endswith("\u2069")
    (source,) = (line for line in lines if "خبرگزاری" in line and line.startswith("  "))
    assert "\u2067خبرگزاری مهر\u2069" in source
    assert all(line.count("\u2067") + line.count("\u2066") == line.count("\u2069") for line in lines)
    assert "\u2067" not in papers("search", "harbour", "--language", "fa").out, "a pipe gets the text as it is"


def test_the_width_of_a_text_is_that_of_its_letters() -> None:
    for text, columns in (("abc", 3), ("é", 1), ("e\u0301", 1), ("می‌خواهد", 7), ("朝日", 4), ("ｱ", 1), ("한국", 4), ("\u1112\u1161\u11ab", 2),
                          ("🗞", 1), ("😀", 2), ("\u2067خبر\u2069", 3), ("", 0)):  # fmt: skip
        assert terminal.width(text) == columns, text


def test_a_text_is_cut_and_wrapped_to_columns() -> None:
    assert (
        terminal.cut("朝日新聞", 8) == "朝日新聞"
        and terminal.cut("朝日新聞", 7) == "朝日新…"
        and terminal.cut("abcdef", 4) == "abc…"
    )
    text = "The mass grave was found 東京都の大学で by the police, averyveryverylongwordthatisnotbroken at last. "
    for most in range(4, 60):
        lines = ["".join(piece for piece, _ in line) for line in terminal.wrapped([(text, False)], most)]
        assert all(0 < terminal.width(line) <= most for line in lines)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    runs = terminal.wrapped([("aaa ", False), ("bb", True), ("b cc", False)], 4)
    assert runs == [[("aaa", False)], [("bb", True), ("b", False)], [("cc", False)]]
    assert terminal.wrapped([], 10) == [] and terminal.wrapped([("   ", True)], 10) == []


def test_a_histogram_of_any_length_fits_and_keeps_its_sum() -> None:
    many = Counts(tuple(Facet(f"{1000 + n}", n % 7) for n in range(900)))
    (line, *rest) = counts._sparkline("year", many, 70)
    assert terminal.width(COLOUR.sub(b"", line.encode()).decode()) <= 70
    assert "a column is 15 years" in " ".join(rest) + line


def test_a_histogram_marks_the_gaps_that_it_leaves_out() -> None:
    found = with_empty("year", Counts(tuple(Facet(str(year), 2) for year in (1650, 1900, 1903, 2000))))
    lines = [COLOUR.sub(b"", line.encode()).decode() for line in counts._sparkline("year", found, 200)]
    assert lines == [f"1650 █…█··█{'·' * 96}█ 2000  … is over a century without any; most in 1650: 2"]
    (line, *rest) = [COLOUR.sub(b"", line.encode()).decode() for line in counts._sparkline("year", found, 40)]
    assert re.fullmatch(r"1650 ▄…[▁-█·]+ 2000", line) and terminal.width(line) <= 40
    assert "… is over a century without any" in " ".join(rest)
    many = with_empty("year", Counts(tuple(Facet(f"{year:04}", 1) for year in range(1, 9000, 150))))
    assert all(
        terminal.width(COLOUR.sub(b"", line.encode()).decode()) <= 40 for line in counts._sparkline("year", many, 40)
    )


def test_of_the_months_before_those_that_have_articles_are_counted(papers: Console) -> None:
    assert papers("search", "harbour", "--facet", "month:3", "--limit", 0).lines[1] == (
        "month     2023-01 1, 2021 (month unknown) 1, and 3 earlier (3), unknown 1"
    )
    month = papers("search", "harbour", "--facet", "month:3", "--json").json()["facets"]["month"]
    assert month["more"] == {"values": 3, "count": 3} and [value["count"] for value in month["values"]] == [0, 0, 1]


def test_a_limit_that_is_none_is_refused(papers: Console) -> None:
    for wrong in ("source:", "source:x", "source:0", "source:-1", "source:1:2"):
        assert "how many to show" in papers("search", "harbour", "--facet", wrong, code=2).err
    assert "did you mean 'source'" in papers("search", "harbour", "--facet", "sourse", code=2).err
    assert papers("search", "harbour", "--facet", "source:99999999999999999999", "--limit", 0).lines


def test_the_output_for_people_holds_what_the_json_holds(papers: Console, tmp_path: Path) -> None:
    hits = papers("search", "harbour", "--json").json()["hits"]
    shown = "\n".join(told(papers, "harbour", COLUMNS="100"))
    for hit in hits:
        assert f"#{hit['snapshot']}" in shown and hit["title"] in shown and hit["source"] in shown
