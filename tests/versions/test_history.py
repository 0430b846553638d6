"""`history` and `diff`: what changed when, over real captures; and `removed:` in search."""

from __future__ import annotations

import sqlite3
import sys
import zlib
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))

from cli_console import Console

from muniment import pipeline
from muniment.archive.archive import Archive
from muniment.model import Article, Attempt, Published
from muniment.removed import MANY
from tests.conftest import NOW, download

URL = "https://example.org/a"
PROSE = "The dam was unsafe, and {} homes were lost. The authority said nothing of it until the autumn came."
LINES = ["The mayor asked for an inquiry into it.", "Read also: the list of homes", "Nobody was warned on the day."]


class Paper:
    """One address of an archive, whose pages are written by the test."""

    def __init__(self, root: Path):
        self.root = root
        self.count = 0

    def put(self, text: str, *, title: str = "The dam", date: str | None = None, problem: str | None = None) -> int:
        self.count += 1
        published = Published(date, "day", "test") if date else None
        article = Article(title, text, published=published, language="en", extractor="t/1", problem=problem)
        with Archive(self.root) as archive, archive.writer() as writer:
            capture = download(URL, b"<p>%d" % self.count)
            added = writer.add_capture(capture, [("articleKey", "k"), ("articleUrl", URL)])
            writer.add_article(article, added.number, URL)
            writer.commit()
            return added.number

    def gone(self, reason: str = "http-404") -> int:
        with Archive(self.root) as archive, archive.writer() as writer:
            number = writer.add_attempt(Attempt(URL, NOW, reason, "it is gone"), [("articleKey", "k")])
            writer.commit()
            return number

    def history(self, *options: str, code: int = 0) -> list[dict]:
        return Console(self.root, self.root.parent)("history", "1", *options, "--json", code=code).rows()


@pytest.fixture
def paper(root: Path) -> Paper:
    return Paper(root)


def text(number: str = "forty", *lines: str) -> str:
    return "\n".join([PROSE.format(number), *(lines or LINES)])


def found(root: Path, query: str, **options) -> list[int]:
    with Archive(root) as archive:
        return [hit.snapshot.number for hit in pipeline.find(archive, pipeline.Search(query, **options)).hits]


def test_the_history_tells_what_changed_when_and_each_text_is_a_version(paper: Paper) -> None:
    paper.put(text())
    paper.put(text("some"), date="2021-05-30")
    paper.put(text("some"), title="The dam held", date="2021-05-30")
    paper.put(text())
    paper.gone()
    rows = paper.history()
    assert [(row["event"], row["version"], row["changed"]) for row in rows] == [
        ("version", 1, []),
        ("version", 2, ["text", "date"]),
        ("again", 2, ["title"]),
        ("again", 1, ["text", "title", "date"]),
        ("gone", None, []),
    ]
    assert (rows[1]["words_removed"], rows[1]["words_added"], rows[1]["minor"]) == (1, 1, False)
    lines = Console(paper.root, paper.root.parent)("history", "1")
    assert "version 2  The dam  [text: 1 word removed, 1 word added; date: 2021-05-30]" in lines.out
    assert "gone: HTTP 404" in lines.out
    assert lines.err == "2 versions; gone since\n"


def test_a_minor_change_is_counted_and_shown_when_asked_for(paper: Paper) -> None:
    paper.put(text())
    paper.put(text("forty", LINES[0], "Read also: the list of all homes", LINES[2]))
    paper.put(text("ten", LINES[0], "Read also: the list of all homes", LINES[2]))
    assert [row["version"] for row in paper.history()] == [1, 3]
    every = paper.history("--all")
    assert [(row["version"], row["minor"]) for row in every] == [(1, False), (2, True), (3, False)]
    told = Console(paper.root, paper.root.parent)("history", "1")
    assert told.err == "3 versions; 1 minor change not shown: --all\n"


@pytest.mark.parametrize("engine", ["tantivy", "whoosh"])
def test_a_refetch_that_gave_no_text_hides_no_good_version(paper: Paper, engine: str) -> None:
    first = paper.put(text())
    with Archive(paper.root) as archive:
        pipeline.reindex(archive, engine, lambda reached: None)
    second = paper.put(text("some"))
    empty = paper.put("", title="Sign in", problem="no-text")
    paper.gone("http-500")
    assert found(paper.root, "homes") == [second]
    assert found(paper.root, "forty") == [first]
    assert found(paper.root, "title:sign") == [empty], "what was captured can still be found by its own words"
    assert sorted(found(paper.root, "removed:forty")) == [second]
    rows = paper.history()
    assert [(row["event"], row["version"]) for row in rows] == [
        ("version", 1), ("version", 2), ("no-text", None), ("failed", None),
    ]  # fmt: skip
    done = Console(paper.root, paper.root.parent)("diff", "1", "--json").json()
    assert (done["a"]["snapshot"], done["b"]["snapshot"]) == (first, second)
    third = paper.put(text("no"))
    assert found(paper.root, "homes") == [third]


@pytest.mark.parametrize("engine", ["tantivy", "whoosh"])
def test_words_that_were_removed_are_found_on_the_newest_version(paper: Paper, engine: str) -> None:
    paper.put(text("forty"))
    with Archive(paper.root) as archive:
        pipeline.reindex(archive, engine, lambda reached: None)
    second = paper.put(text("some"))
    assert found(paper.root, "removed:forty") == [second]
    third = paper.put(text("few").replace("unsafe", "safe"), title="The dam held")
    for query in (
        "removed:forty",
        "removed:some",
        "removed:unsafe",
        "removed:unsaf*",
        "removed:forti~1",
        'removed:"some"',
    ):
        assert found(paper.root, query) == [third], query
        assert found(paper.root, query, versions=True) == [third], query
    for query in ("removed:homes", "removed:home", "removed:dam", "removed:few", "removed:nothing"):
        assert found(paper.root, query) == [], query
    back = paper.put(text("forty"))
    assert found(paper.root, "removed:forty") == []
    assert found(paper.root, "removed:few") == [back]
    with Archive(paper.root) as archive:
        pipeline.reindex(archive, engine, lambda reached: None)
        (hit,) = pipeline.find(archive, pipeline.Search("removed:few")).hits
    assert (hit.snapshot.number, hit.passage_of) == (back, third)
    assert hit.snippet and ("few", True) in hit.snippet.pieces


def test_phrases_of_removed_words_are_refused_with_a_remedy(paper: Paper) -> None:
    first = paper.put(text("forty"))
    paper.put(text("some"))
    console = Console(paper.root, paper.root.parent)
    told = console("search", 'removed:"forty homes"', code=2)
    assert "write removed:forty removed:homes" in told.err
    assert found(paper.root, '"forty homes"') == [first]


# ---- diff


def test_diff_by_words_is_plain_in_a_pipe(paper: Paper) -> None:
    paper.put(text())
    paper.put(text("some", LINES[2], *LINES[:2]), title="The dam held", date="2021-05-30")
    console = Console(paper.root, paper.root.parent)
    done = console("diff", "1")
    assert "and [-forty-] {+some+} homes were lost" in done.out
    assert "(moved here from below) Nobody was warned on the day." in done.out
    assert "[-The dam-] {+The dam held+}" in done.out
    assert "published  {+2021-05-30+}\n" in done.out
    assert "1 word removed, 1 added; 1 paragraph moved; title, published changed" in done.err
    assert "… 2 paragraphs the same …" in done.out
    assert LINES[0] not in done.out and LINES[0] in console("diff", "1", "--all").out


def test_diff_as_json_names_both_sides_and_every_piece(paper: Paper) -> None:
    one, two = paper.put(text()), paper.put(text("some"))
    console = Console(paper.root, paper.root.parent)
    made = console("diff", two, one, "--json").json()
    assert (made["a"]["snapshot"], made["b"]["snapshot"]) == (two, one)
    assert (made["words_removed"], made["words_added"], made["differs"]) == (1, 1, True)
    (changed,) = made["paragraphs"]
    assert (
        changed["change"] == "changed" and ["-", "some "] in changed["pieces"] and ["+", "forty "] in changed["pieces"]
    )


def test_where_nothing_differs_diff_ends_with_1(paper: Paper) -> None:
    one = paper.put(text())
    console = Console(paper.root, paper.root.parent)
    assert "but one version" in console("diff", "1", code=1).err
    assert "nothing differs" in console("diff", one, one, code=1).err
    assert console("diff", one, one, "--json", code=1).json()["differs"] is False
    paper.gone()
    assert "is not in the log" in console("diff", one, "99", code=2).err
    assert "no article was captured" in console("diff", one, "https://nowhere.example/", code=2).err


def test_a_damaged_text_is_named_and_the_rest_of_the_history_told(paper: Paper) -> None:
    paper.put(text())
    second = paper.put(text("some"))
    paper.put(text("few"))
    with Archive(paper.root) as archive:
        derivation = archive.snapshot(second).derivation
        assert derivation is not None
        place = archive.catalog.placements(derivation)[0]
    path = paper.root / place.segment
    data = bytearray(path.read_bytes())
    data[place.offset + place.length // 2] ^= 1
    path.write_bytes(data)
    rows = paper.history()
    assert [row["version"] for row in rows] == [1, 2, 3]
    assert "damaged" in rows[1]["damage"] and "damaged" in rows[2]["damage"]
    Console(paper.root, paper.root.parent)("diff", "1", code=10)


class Counting(Archive):
    """An archive that counts how many texts are read."""

    reads = 0

    def text(self, snapshot):
        self.reads += 1
        return super().text(snapshot)


def test_a_version_more_costs_few_readings_however_many_there_are(paper: Paper) -> None:
    def word(number: int) -> str:
        return "gone" + "abcdefghijklmnopqrstuvwxyz"[number % 26] * (number // 26 + 3)

    def indexed() -> int:
        with Counting(paper.root) as archive:
            pipeline.index_new(archive)
            return archive.reads

    for number in range(MANY + 4):
        newest = paper.put(text(word(number)))
        indexed()
    newest = paper.put(text(word(99)))
    assert indexed() <= 4, "the new one, the one before it, and that one's words"
    for number in (0, 5, MANY + 3):
        assert found(paper.root, f"removed:{word(number)}") == [newest]
    assert found(paper.root, f"removed:{word(99)}") == []
    with Archive(paper.root) as archive, archive.writer() as writer:
        first = archive.catalog.versions("k")[0][0]
        writer.withdraw(first, "a court")
    assert found(paper.root, f"removed:{word(0)}") == [], "nothing is left of what was withdrawn"
    assert found(paper.root, f"removed:{word(5)}") == [newest]
    assert word(0).encode() not in b"".join(
        zlib.decompress(words) for (words,) in sqlite3.connect(paper.root / "index" / "stories.sqlite").execute(
            "select words from vocabulary")
    )  # fmt: skip
