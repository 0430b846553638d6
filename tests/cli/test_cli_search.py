"""`muniment search`, `reindex` and `rebuild`. (What queries mean is tested in tests/search, beside the language.)"""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_console import Console, Stock

from muniment.archive.archive import Archive
from muniment.index import generations

HIT = {"snapshot", "score", "title", "url", "source", "published", "published_precision", "captured", "language",
       "authors", "tags", "confidence", "flags", "snippet", "marks", "versions", "also_in"}  # fmt: skip


def test_a_search_shows_number_date_source_title_and_the_passage(stock: Stock) -> None:
    done = stock.console("search", "Dunmore")
    number = stock.number("papers/one.html")
    assert done.lines[0] == f"#{number}  2021-05-30  source unknown  Dunmore  (also in 1 source)"
    assert "council of Dunmore" in done.lines[1]
    assert done.err.startswith("1 article matched; the index holds 13 of 13 article versions; ")


def test_search_json_is_as_documented(stock: Stock) -> None:
    found = stock.console("search", "harbour wall", "--json").json()
    assert found.keys() == {"query", "total", "articles", "indexed", "log_size", "took_ms", "hits", "facets"}
    assert (found["query"], found["articles"], found["indexed"]) == ("harbour wall", 13, 13)
    assert found["total"] >= 3
    assert all(hit.keys() == HIT for hit in found["hits"])
    declared = next(hit for hit in found["hits"] if hit["title"] == "As declared")
    assert (declared["published"], declared["published_precision"]) == ("2009-03", "month")
    assert "<mark>harbour</mark>" in declared["snippet"]
    with Archive(stock.console.archive) as archive:
        text = archive.text(archive.snapshot(declared["snapshot"]))
    assert [text[a:b] for a, b in declared["marks"]] == re.findall("<mark>(.*?)</mark>", declared["snippet"])
    assert found["facets"].keys() == {"source", "year"}
    source = found["facets"]["source"]
    assert source.keys() == {"values", "more", "unknown"} and source["more"] == {"values": 0, "count": 0}
    assert {"value": "The Herald", "count": 1} in source["values"]


def test_ids_urls_and_csv_hold_the_same_hits_in_the_same_order(stock: Stock) -> None:
    query = ("search", "harbour", "--all")
    hits = stock.console(*query, "--json").json()["hits"]
    assert [int(line) for line in stock.console(*query, "--ids").lines] == [hit["snapshot"] for hit in hits]
    urls = stock.console(*query, "--urls").lines
    assert len(urls) == len(hits)
    assert "https://herald.example/a" in urls
    rows = list(csv.DictReader(io.StringIO(stock.console(*query, "--csv").out)))
    assert [int(row["snapshot"]) for row in rows] == [hit["snapshot"] for hit in hits]
    assert [row["title"] for row in rows] == [hit["title"] for hit in hits]


def test_limit_offset_and_all_page_through_every_hit(stock: Stock) -> None:
    query = ("search", "the", "--ids", "--sort", "newest")
    everything = stock.console(*query, "--all").lines
    assert len(everything) > 4
    paged = [stock.console(*query, "--limit", 2, "--offset", start).lines for start in (0, 2, 4)]
    assert [*paged[0], *paged[1], *paged[2]] == everything[:6]
    assert stock.console(*query, "--limit", 0).lines == []
    past = stock.console("search", "the", "--offset", 1000, "--json").json()
    assert (past["total"], past["hits"]) == (len(everything), [])


def test_a_search_without_hits_ends_with_one_and_is_not_an_error(stock: Stock) -> None:
    done = stock.console("search", "zeppelin", code=1)
    assert (done.out, done.err) == ("", "nothing matched; the index holds 13 of 13 article versions\n")
    assert stock.console("search", "zeppelin", "--json", code=1).json()["total"] == 0
    assert stock.console("search", "zeppelin", "-q", code=1).err == ""


@pytest.mark.parametrize(
    "query",
    ['"unbalanced', "(dam", "dam)", "((((", "[2019 TO", "published:[", "title:", "after:soon", "before:2021-13",
     "nosuchfield:x AND", "dam AND", "OR", "*", "~~", '"a b"~x', "site:"],
)  # fmt: skip
def test_a_query_is_answered_or_refused_with_its_place_and_never_breaks(stock: Stock, query: str) -> None:
    ran = stock.console.spawn("search", query)
    out, err = ran.communicate(timeout=60)
    assert ran.returncode in (0, 1, 2)
    assert b"internal error" not in err and b"Traceback" not in err
    if ran.returncode == 2:
        assert out == b""
        assert err.startswith(b"muniment: ")


def test_unbalanced_quotes_point_at_the_place(stock: Stock) -> None:
    done = stock.console("search", 'dam "never closed', code=2)
    assert done.err.splitlines()[1:] == ['  dam "never closed', "      ^"]


def test_facets_are_over_everything_that_matches_and_filters_narrow(stock: Stock) -> None:
    found = stock.console("search", "harbour", "--limit", 1, "--facet", "tag,language", "--json").json()
    assert {"value": "sea", "count": 1} in found["facets"]["tag"]["values"]
    languages = found["facets"]["language"]
    assert sum(facet["count"] for facet in languages["values"]) + languages["unknown"] == found["total"]
    assert stock.console("search", "harbour", "--tag", "sea", "--ids").lines == [str(stock.number("declared.html"))]
    assert stock.console("search", "harbour", "--source", "The Herald", "--since", "2009", "--until", "2009-03")
    stock.console("search", "harbour", "--source", "The Herald", "--since", "2010", code=1)
    assert "facet" in stock.console("search", "harbour", "--facet", "colour", code=2).err
    assert "nonsense" in stock.console("search", "harbour", "--since", "nonsense", code=2).err


def test_a_word_with_a_minus_excludes_and_options_still_work(stock: Stock) -> None:
    every = stock.console("search", "harbour", "--ids").lines
    number = str(stock.number("papers/one.html"))
    assert stock.console("search", "harbour", "-Dunmore", "--ids").lines == [n for n in every if n != number]
    assert stock.console("search", "-q", "harbour", "--ids", "--", "-Dunmore").lines == [
        n for n in every if n != number
    ]
    assert "'-5'" in stock.console("search", "x", "--limit", "-5", code=2).err
    stock.console("search", "harbour", "--tag", "-sea", code=1)


def test_explain_tells_on_stderr_how_the_query_was_read(stock: Stock) -> None:
    done = stock.console("search", "harbour", "-zeppelin", "--explain")
    assert done.err.splitlines()[:4] == [
        "all of", "  word harbour in title or text", "  not", "    word zeppelin in title or text",
    ]  # fmt: skip


def test_explain_leaves_out_the_spellings_of_languages_that_the_archive_has_not(stock: Stock) -> None:
    for asked, told in (
        ('near:"haarbour goer"', "haarbour goer within 10 places"),
        ('"goer soer"', 'phrase "goer soer"'),
    ):
        (line, *_) = stock.console("search", asked, "--explain", code=1).err.splitlines()
        assert line.startswith(told), line


def test_explain_tells_with_all_what_the_words_were_looked_for_as(stock: Stock) -> None:
    of_few, of_all = (stock.console("search", "harbour", "--explain", "--ids", *how) for how in ([], ["--all"]))
    words = [line for line in of_few.err.splitlines() if line.startswith("harbour as ")]
    assert words and words == [line for line in of_all.err.splitlines() if line.startswith("harbour as ")]


def test_without_words_everything_that_passes_the_filters_is_listed(stock: Stock) -> None:
    done = stock.console("search", "--language", "en", "--all", "--json").json()
    assert done["total"] == len(done["hits"]) > 8
    dates = [hit["published"] or "" for hit in done["hits"]]
    assert dates == sorted(dates, reverse=True)
    assert stock.console("search", "--source", "The Herald", "--ids").lines == [str(stock.number("declared.html"))]
    assert stock.console("search", " ", "--tag", "sea", "--ids").lines == [str(stock.number("declared.html"))]


def test_without_words_and_filters_there_is_one_line_that_says_what_to_do(stock: Stock) -> None:
    for words in ([], [""], [" \t"]):
        (line,) = stock.console("search", *words, code=2).err.splitlines()
        assert "give words" in line and "filter" in line
    assert "'' is no date" in stock.console("search", "--since", "", code=2).err


def test_a_page_without_hits_says_so(stock: Stock) -> None:
    for options in (
        ["--limit", 0],
        ["--offset", 99],
        ["--offset", 2**63 - 1, "--limit", 2**63 - 1],
        ["--limit", 0, "--offset", 10**30],
    ):
        done = stock.console("search", "harbour", *options)
        assert " matched, none shown; " in done.err
        assert done.out == ""


def test_options_that_contradict_are_refused(stock: Stock) -> None:
    for options in (
        ["--all", "--limit", 2],
        ["--csv", "--ids"],
        ["--json", "--urls"],
        ["--facet", ""],
        ["--facet", "tag,,year"],
    ):
        assert stock.console("search", "harbour", *options, code=2).out == ""
    assert len(stock.console("search", "harbour", "--all", "--offset", 1, "--ids").lines) > 1


def test_of_a_long_wrong_query_only_what_stands_around_the_place_is_shown(stock: Stock) -> None:
    for before, after in ((2000, 2000), (0, 4000), (4000, 0)):
        text = "a " * (before // 2) + "AND AND" + " b" * (after // 2)
        shown, mark = stock.console("search", text, code=2).err.splitlines()[1:]
        assert len(shown) < 120
        assert shown[mark.index("^") :].startswith("AND")
        assert ("…" in shown[: mark.index("^")], shown.endswith("…")) == (before > 0, after > 0)


def test_nothing_found_in_an_index_that_lacks_articles_is_no_answer(copied: Callable[[], Console]) -> None:
    console = copied()
    assert console.archive is not None
    (console.cwd / "new.txt").write_text(
        "A zeppelin was seen over the harbour on Monday, and nobody knew whose it was."
    )
    console("search", "harbour")
    shutil.copytree(console.archive / "index", console.cwd / "index")
    console("add", "new.txt")
    shutil.rmtree(console.archive / "index")
    shutil.copytree(console.cwd / "index", console.archive / "index")
    with generations.open_current(console.archive / "index") as busy:
        busy.add([])
        assert "holds 13 of 14" in console("search", "zeppelin", code=4).err
        assert console("search", "harbour", "--ids").lines
    assert console("search", "zeppelin", "--ids").lines


# ---- the index missing, damaged, built anew


def test_an_index_that_is_gone_is_made_again_by_the_next_search(copied: Callable[[], Console]) -> None:
    console = copied()
    assert console.archive is not None
    shutil.rmtree(console.archive / "index")
    assert console("search", "Dunmore", "--strict", "--ids").lines


def test_an_index_that_is_damaged_is_an_error_of_its_own_and_reindex_mends_it(copied: Callable[[], Console]) -> None:
    console = copied()
    assert console.archive is not None
    for file in (console.archive / "index").glob("*/*"):
        file.write_bytes(b"junk")
    for options in ([], ["--strict"], ["--json"]):
        done = console("search", "Dunmore", *options, code=4)
        assert done.out == ""
        assert "muniment reindex" in done.err
    assert "reindex" in console("status").out
    console("reindex")
    assert len(console("search", "Dunmore", "--ids").lines) == 1


@pytest.mark.parametrize("engine", ["tantivy", "whoosh"])
def test_a_flipped_byte_in_any_file_of_an_index_is_told_by_whatever_asks_it(
    copied: Callable[[], Console], engine: str
) -> None:
    console = copied()
    assert console.archive is not None
    console("reindex", "--engine", engine)
    console("searches", "save", "sea", "harbour")
    index = next(path for path in (console.archive / "index").iterdir() if path.is_dir())
    asked = [
        ["search", "harbour"],
        ["search", "Dunmoer", "--explain", "--facet", "author,year"],
        ["search", "harbour", "--all", "--json"],
        ["searches", "run", "sea"],
    ]
    files = [line.split(" ")[0] for line in (index / "sound").read_text().splitlines()]
    for n, file in enumerate(files):
        content = (index / file).read_bytes()
        at = len(content) // 2
        (index / file).write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        done = console(*asked[n % len(asked)], code=4)
        assert done.out == "" and done.err.startswith("muniment: ") and done.err.count("\n") == 1
        assert f"is damaged ({file}): run `muniment reindex`" in done.err
        (index / file).write_bytes(content)
    assert console("search", "harbour", "--ids").lines
    (index / files[0]).write_bytes(b"")
    added = console("add", "--title", "Late", "-", stdin=b"A late word of the harbourmaster.")
    assert "stored, but not indexed yet" in added.err and "run `muniment reindex`" in added.err
    console("reindex")
    assert len(console("search", "harbourmaster", "--ids").lines) == 1


def test_reindex_changes_the_engine_and_the_answers_stay(copied: Callable[[], Console]) -> None:
    console = copied()
    before = console("search", "harbour", "--ids", "--sort", "newest").lines
    assert console("reindex", "--engine", "whoosh", "--json").json() == {"indexed": 13, "articles": 13}
    assert console("status", "--json").json()["index"]["engine"] == "whoosh"
    assert console("search", "harbour", "--ids", "--sort", "newest").lines == before
    console("reindex")
    assert console("status", "--json").json()["index"]["engine"] == "whoosh"
    assert "13 of 13" in console("reindex", "--engine", "tantivy").err
    assert console("status", "--json").json()["index"]["engine"] == "tantivy"
    assert console("search", "harbour", "--ids", "--sort", "newest").lines == before


def test_rebuild_restores_all_that_is_derived(copied: Callable[[], Console]) -> None:
    console = copied()
    assert console.archive is not None
    before = console("search", "harbour", "--json", "--sort", "newest").json()["hits"]
    history = console("history", before[0]["snapshot"], "--json").out
    for name in ("catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"):
        (console.archive / name).unlink(missing_ok=True)
    shutil.rmtree(console.archive / "index")
    shutil.rmtree(console.archive / "log" / "tile" / "0", ignore_errors=True)
    built = console("rebuild", "--json").json()
    assert (built["indexed"], built["articles"]) == (13, 13)
    after = console("search", "harbour", "--json", "--sort", "newest").json()["hits"]
    assert [{**hit, "score": 0} for hit in after] == [{**hit, "score": 0} for hit in before]
    assert console("history", before[0]["snapshot"], "--json").out == history
    assert console("verify", "--json").rows()[-1]["findings"] == 0


def test_a_search_by_confidence_tells_that_of_each_hit(stock: Stock) -> None:
    lines = stock.console("search", "confidence:*", "--limit", 1).lines
    assert re.search(r"\(.*confidence [01]\.\d\d\)$", lines[0])
    assert "confidence" not in stock.console("search", "harbour", "--limit", 1).lines[0]


# ---- what is refused, and what may have been meant


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--source", b"\xff"), "--source: '\\udcff' is no text in UTF-8"),
        (("--not-author", b"\xed\xb3\xbf"), "--not-author: "),
        ((b"dam \xff",), "the query: 'dam \\udcff' is no text in UTF-8"),
        (("--language", "english"), "--language: 'english' is no language's code of two or three letters: did you mean en?"),
        (("--not-kind", "pdff", "dam"), "--not-kind: there is no kind 'pdff'; did you mean pdf?"),
        (("--since", "foo"), "--since: 'foo' is no date"),
        (("--until", "2021-13"), "--until: there is no date"),
        (("--since", "2022", "--until", "2021"), "--since: 2022 is after 2021: this range ends before it begins"),
    ],
)  # fmt: skip
def test_an_option_that_nothing_can_match_is_refused_by_its_name(
    stock: Stock, arguments: tuple[str | bytes, ...], said: str
) -> None:
    for command in (("search",), ("search", "--file", "-"), ("searches", "save", "wrong")):
        done = stock.console(*command, *arguments, code=2, stdin=b"ferry\n")
        assert done.err.startswith(f"muniment: {said}") and done.err.count("\n") == 1 and not done.out
    assert not stock.console("searches", "list").out


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("--source", "hearld"), ""),
        (("--source", "the heralt"), "did you mean: --source 'the herald'"),
        (("--source", "Heral", "declared"), "did you mean: --source 'the herald'"),
        (("--tag", "seb", "--source", "the heralt"), "did you mean: --source 'the herald'   --tag sea"),
        (("--tag", "lae", "--any", "declared"), "did you mean: --tag law"),
        (("--author", "Ada Quil"), "did you mean: --author 'ada quill'"),
    ],
)
def test_a_filter_that_nothing_has_gives_a_proposal(stock: Stock, arguments: tuple[str, ...], meant: str) -> None:
    done = stock.console("search", *arguments, code=1)
    assert done.err.partition("\n")[2].rstrip() == meant
    found = stock.console("search", *arguments, "--json", code=1).json()
    assert found.get("suggestions", []) == (meant.removeprefix("did you mean: ").split("   ") if meant else [])


def test_a_wrong_query_is_shown_and_the_place_where_it_is_known(stock: Stock) -> None:
    def shown(query: str) -> list[str]:
        return stock.console("search", query, code=2).err.splitlines()[1:]

    assert shown("is:withdrawn dam") == ["  is:withdrawn dam"]
    assert shown("dam -is:withdrawn") == ["  dam -is:withdrawn", "  " + " " * len("dam -") + "^"]
    assert shown("sea\n(dam") == ["  sea (dam", "  " + " " * len("sea ") + "^"]
    assert shown("is:withdrawn " + "dam " * 200)[0].endswith(" …")


def test_facets_may_be_named_in_several_options(stock: Stock) -> None:
    found = stock.console("search", "harbour", "--json", "--facet", "source:1", "--facet", "year,tag").json()["facets"]
    assert list(found) == ["source", "year", "tag"] and len(found["source"]["values"]) == 1
    for form in ("csv", "ids", "urls", "jsonl"):
        assert (
            f"--{form} holds no facets" in stock.console("search", "harbour", f"--{form}", "--facet", "tag", code=2).err
        )


def test_a_negative_limit_is_told_as_it_was_typed(stock: Stock) -> None:
    assert "'-1' is no whole number, 0 or more" in stock.console("search", "harbour", "--limit", "-1", code=2).err


def test_hits_in_another_order_than_by_score_have_none(stock: Stock) -> None:
    for sort in ("newest", "oldest", "captured"):
        found = stock.console("search", "harbour", "--sort", sort, "--json").json()
        assert [hit["score"] for hit in found["hits"]] == [None] * found["total"]
        table = list(csv.DictReader(io.StringIO(stock.console("search", "harbour", "--sort", sort, "--csv").out)))
        assert {row["score"] for row in table} == {""}
    assert all(hit["score"] > 0 for hit in stock.console("search", "harbour", "--json").json()["hits"])


def test_csv_holds_no_marks_that_turn_the_line(console: Console, root: Path) -> None:
    line = {
        "text": "The ferry did not sail.",
        "title": "A \u202egnp.exe\u202c \u2066note\u2069 می\u200cرود",
        "authors": ["B\u202d"],
    }
    console("add", "--from", "-", stdin=json.dumps(line).encode())
    (row,) = csv.DictReader(io.StringIO(console("search", "ferry", "--csv").out))
    assert (row["title"], row["authors"]) == ("A gnp.exe note می\u200cرود", "B")
    (row,) = csv.DictReader(io.StringIO(console("search", "--file", "-", stdin=b"ferry").out))
    assert row["title"] == "A gnp.exe note می\u200cرود"


@pytest.mark.parametrize("engine", ["tantivy", "whoosh"])
def test_a_state_file_that_is_cut_or_gone_is_told_as_damage(copied: Callable[[], Console], engine: str) -> None:
    console = copied()
    assert console.archive is not None
    console("reindex", "--engine", engine, "-q")
    state = console.archive / "index" / (generations.current(console.archive / "index") or "") / "state"
    whole = state.read_bytes()
    for left in (b"", whole[:1], whole[:-1], whole[: whole.rindex(b"\n", 0, -1)], None):
        if left is None:
            state.unlink()
        else:
            state.write_bytes(left)
        said = console("search", "harbour", code=4).err
        assert "is damaged (its file `state` is missing or cut): run `muniment reindex`" in said
    console("reindex", "-q")
    console("search", "harbour")
