"""One suite for every engine."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import index_examples as examples
import index_oracle as oracle
import pytest

from muniment.errors import IndexBehind, Locked, QueryError, UsageError
from muniment.index import analysis, engine
from muniment.index.engine import Document, Engine, open_engine
from muniment.index.engines.whoosh import WhooshEngine
from muniment.index.query import (
    And,
    AnyOf,
    Everything,
    Near,
    Not,
    Nothing,
    Or,
    Phrase,
    Prefix,
    Range,
    Term,
    Wildcard,
    word_matcher,
)
from muniment.search.language import parse

ENGINES = ("tantivy", "whoosh")


@pytest.fixture(params=ENGINES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def index(name: str, tmp_path: Path) -> Iterator[Engine]:
    with open_engine(name, tmp_path / "index", create=True) as opened:
        yield opened


def numbers(index: Engine, tree: engine.query.Query) -> list[int]:
    return [number for number, _ in index.numbers(tree)]


def plain(number: int, text: str = "word", **fields: object) -> Document:
    given = {"article": f"key-{number}", "latest": True, "title": "", "captured": examples.START, **fields}
    return Document(number=number, text=text, **given)


def test_letters_and_their_spellings_are_one_in_articles_of_their_language(index: Engine) -> None:
    texts = (("de", "Hans Müller"), ("de", "Hans Mueller"), ("en", "Hans Müller"), ("da", "Søren fra Århus"))
    index.add(plain(n, text, language=language) for n, (language, text) in enumerate(texts))
    index.commit(1)
    for asked in ("Mueller", '"Hans Mueller"', "exact:mueller", 'near:"mueller hans"', '"hans mueller"~3'):
        assert numbers(index, parse(asked)) == [0, 1], asked
    for asked in ("Muell*", "muel?er", "*ueller", "muellr~", "text:muellr~"):
        assert numbers(index, parse(asked)) == [0, 1], asked
    for asked in (
        "Müller",
        '"Hans Müller"',
        'near:"müller hans"',
        "Müll*",
        "mü*er",
        "m?ller OR müll?r",
        "müler~",
        "MÜLR~2",
    ):
        assert numbers(index, parse(asked)) == [0, 1, 2], asked
    for asked in (
        "aarh*",
        "århu*",
        "aar?us",
        "søre~",
        "aarhu~",
        "Aarhs~",
        '"soeren fra aarhus"',
        '"søren fra aarhus"',
        "Århus",
    ):
        assert numbers(index, parse(asked)) == [3], asked


def test_a_name_with_a_crossed_d_is_found_as_others_write_it(index: Engine) -> None:
    texts = (
        ("sr", "Novak Đoković"),
        ("hr", "Novak Đoković"),
        ("en", "Novak Djokovic"),
        ("en", "Dokovic, an adjective"),
    )
    index.add(plain(n, text, language=language) for n, (language, text) in enumerate(texts))
    index.commit(1)
    for asked in ("Djokovic", '"novak djokovic"', "Djokov*", "djokovc~"):
        assert numbers(index, parse(asked)) == [0, 1, 2], asked
    for asked in ("Đoković", "Đokov*"):
        assert numbers(index, parse(asked)) == [0, 1, 2, 3], asked
    assert numbers(index, parse("adjective")) == [3]


def test_sorts_put_undated_articles_last_and_break_ties_by_number(index: Engine) -> None:
    dates = {1: None, 2: "2019", 3: "2019-05-30", 4: "2021-01", 5: "2019-01-01", 6: None}
    index.add(plain(n, published=date, captured=examples.START.replace(day=n % 3 + 1)) for n, date in dates.items())
    index.commit(1)

    def order(sort: engine.Sort) -> list[int]:
        return [hit.number for hit in index.search(Term("text", "word"), sort=sort).hits]

    assert order("newest") == [4, 3, 5, 2, 6, 1]
    assert order("oldest") == [2, 5, 3, 4, 1, 6]
    assert order("captured") == [5, 2, 4, 1, 6, 3]


def test_a_search_without_words_lists_the_newest_first(index: Engine) -> None:
    index.add([plain(1, published="2021", source="a"), plain(2, published="2022", source="a")])
    index.commit(1)
    assert [hit.number for hit in index.search(Term("source", "a")).hits] == [2, 1]


def test_relevance_prefers_the_title_and_the_rarer_word(index: Engine) -> None:
    index.add(plain(n, "common filler words here", title="plain title", language="en") for n in range(10))
    index.add([plain(20, "common rare words here", title="plain title", language="en")])
    index.add([plain(21, "common rare words here", title="rare title", language="en")])
    index.commit(1)
    found = index.search(Or((Term("words", "rare"), Term("words", "filler"))), limit=3)
    assert [hit.number for hit in found.hits[:2]] == [21, 20]
    assert found.hits[0].score > found.hits[1].score > found.hits[2].score > 0


def test_pages_join_without_gap_or_overlap(index: Engine) -> None:
    index.add(examples.documents(50, seed=3))
    index.commit(1)
    whole = index.search(Everything(), limit=50, sort="captured")
    pages = [index.search(Everything(), limit=7, offset=start, sort="captured").hits for start in range(0, 50, 7)]
    assert [hit for page in pages for hit in page] == list(whole.hits)
    assert len({hit.number for hit in whole.hits}) == whole.total == 50


@pytest.mark.parametrize("sort", ["relevance", "newest", "oldest", "captured"])
def test_a_stream_gives_every_hit_in_the_order_of_the_pages(
    index: Engine, sort: engine.Sort, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "tantivy" in type(index).__module__:
        monkeypatch.setattr("muniment.index.engines.tantivy.FEW", 7)
        monkeypatch.setattr("muniment.index.engines.tantivy.PAGE", 11)
    documents = examples.documents(150, seed=4)
    for start in range(0, 150, 40):  # several segments
        index.add(documents[start : start + 40])
        index.commit(start)
    for tree in (Term("words", "café"), Or((Term("words", "run"), Everything())), Term("source", "le cafe"), Nothing()):
        whole = index.search(tree, limit=150, sort=sort)
        assert list(index.stream(tree, sort=sort)) == list(whole.hits)
        assert numbers(index, tree) == sorted(hit.number for hit in whole.hits)
    assert len(list(index.stream(Everything(), sort=sort))) == 150


def test_a_stream_is_of_one_commit(index: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    if "tantivy" in type(index).__module__:
        monkeypatch.setattr("muniment.index.engines.tantivy.FEW", 3)
        monkeypatch.setattr("muniment.index.engines.tantivy.PAGE", 3)
    index.add(plain(n) for n in range(20))
    index.commit(1)
    streams = [index.stream(Term("text", "word"), sort=sort) for sort in ("relevance", "newest")]
    seen = [[next(stream).number] for stream in streams]
    index.remove(range(0, 20, 2))
    index.add(plain(n) for n in range(20, 30))
    index.commit(2)
    index.refresh()
    for so_far, stream in zip(seen, streams, strict=True):
        so_far += [hit.number for hit in stream]
        assert sorted(so_far) == list(range(20))


def test_a_limit_of_nothing_still_counts(index: Engine) -> None:
    index.add([plain(1), plain(2)])
    index.commit(1)
    found = index.search(Term("text", "word"), limit=0)
    assert (found.total, found.hits) == (2, ())


def test_adding_a_number_again_replaces_its_document(index: Engine) -> None:
    index.add([plain(1, "old"), plain(1, "older"), plain(2)])
    index.commit(1)
    index.add([plain(1, "new")])
    index.add([plain(1, "newest")])
    index.commit(2)
    assert numbers(index, Term("text", "newest")) == [1]
    for gone in ("old", "older", "new"):
        assert numbers(index, Phrase("text", (gone,))) == []
    assert index.count() == 2


def test_an_older_description_never_replaces_a_newer_one(index: Engine) -> None:
    index.add([plain(1, "third", version=3), plain(1, "second", version=2), plain(2, "any")])
    index.commit(1)
    index.add([plain(1, "first", version=1), plain(2, "any")])
    index.commit(2)
    assert numbers(index, Phrase("text", ("third",))) == [1]
    assert index.count() == 2
    index.add([plain(1, "fourth", version=4), plain(1, "first", version=1)])
    index.commit(3)
    index.add([plain(1, "anew", version=4)])
    index.commit(4)
    assert numbers(index, Phrase("text", ("anew",))) == [1]
    assert index.count() == 2
    index.remove([1])
    index.add([plain(1, "back", version=1)])
    index.commit(5)
    assert numbers(index, Phrase("text", ("back",))) == [1]


def test_the_same_documents_in_any_order_give_the_same_index(index: Engine) -> None:
    rng = random.Random(11)
    described = [plain(n, f"word{version}", version=version) for n in range(30) for version in range(5)]
    for size in (40, 150, 7, 150):
        index.add(rng.sample(described, size))
        index.commit(size)
    assert numbers(index, Term("text", "word4")) == numbers(index, Everything()) == list(range(30))


@pytest.mark.parametrize("far", [3, 2**31, 2**63 - 1, 2**64, 10**30])
def test_a_page_of_any_size_past_any_end_costs_nothing(index: Engine, far: int) -> None:
    index.add([plain(1), plain(2)])
    index.commit(1)
    for sort in ("relevance", "newest"):
        assert len(index.search(Term("text", "word"), limit=far, sort=sort).hits) == 2
        for limit in (0, 1, far):
            past = index.search(Term("text", "word"), limit=limit, offset=far, sort=sort)
            assert (past.total, past.hits) == (2, ())


def test_nothing_is_seen_before_the_commit_and_closing_gives_it_up(name: str, tmp_path: Path) -> None:
    with open_engine(name, tmp_path, create=True) as index:
        index.add([plain(1)])
        index.commit(5)
        index.add([plain(2)])
        assert numbers(index, Everything()) == [1]
    with open_engine(name, tmp_path) as index:
        assert numbers(index, Everything()) == [1]
        assert index.state().log_size == 5
        index.commit(6)
        assert numbers(index, Everything()) == [1]


def test_a_reader_keeps_its_commit_until_it_refreshes(name: str, tmp_path: Path) -> None:
    with open_engine(name, tmp_path, create=True) as writer, open_engine(name, tmp_path) as reader:
        writer.add([plain(1)])
        writer.commit(1)
        assert reader.count() == 0
        reader.refresh()
        assert (reader.count(), reader.state().log_size) == (1, 1)
        for n in range(2, 6):
            writer.add([plain(n)])
            writer.commit(n)
        assert numbers(reader, Everything()) == [1]


def test_a_second_writer_is_told_that_the_index_is_locked(name: str, tmp_path: Path) -> None:
    with open_engine(name, tmp_path, create=True) as one, open_engine(name, tmp_path) as other:
        one.add([plain(1)])
        with pytest.raises(Locked, match="another process writes"):
            other.add([plain(2)])
        one.commit(1)
        other.add([plain(2)])
        other.commit(2)
        assert other.count() == 2


def test_the_state_says_how_far_and_with_what_the_index_was_built(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_engine(name, tmp_path, create=True) as index:
        assert (index.state().log_size, index.state().current) == (0, True)
        index.add([plain(1)])
        index.commit(17)
        state = index.state()
        assert (state.log_size, state.analysis, state.current) == (17, analysis.VERSION, True)
        assert state.engine.startswith(name)
    monkeypatch.setattr(analysis, "VERSION", "another")
    with open_engine(name, tmp_path) as index:
        assert not index.state().current


def test_an_index_without_a_state_is_not_current(name: str, tmp_path: Path) -> None:
    with open_engine(name, tmp_path, create=True) as index:
        index.commit(3)
    (tmp_path / "state").write_text("")
    with open_engine(name, tmp_path) as index:
        assert (index.state().log_size, index.state().current) == (0, False)


def test_a_missing_index_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(IndexBehind, match="reindex"):
        open_engine(name, tmp_path / "none")


def test_creating_where_an_index_is_opens_it(name: str, tmp_path: Path) -> None:
    for number in (1, 2):
        with open_engine(name, tmp_path, create=True) as index:
            index.add([plain(number)])
            index.commit(number)
            assert index.count() == number


def test_unknown_engines_and_facets_are_refused(index: Engine, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no engine 'lucene'"):
        open_engine("lucene", tmp_path)
    with pytest.raises(UsageError, match="no facet 'colour'"):
        index.search(Everything(), facets=["colour"])


def test_words_of_any_length_and_many_values_are_found(index: Engine) -> None:
    long = "x" * 100_000
    index.add([plain(1, f"{long} after"), plain(2, "")])
    index.add(plain(n) for n in range(3, 3000))
    index.commit(1)
    cut = analysis.query_words(long)[0]
    assert numbers(index, Term("text", cut)) == numbers(index, Prefix("text", "xxx")) == [1]
    assert numbers(index, Phrase("text", (cut, "after"))) == [1]
    assert len(numbers(index, AnyOf("number", tuple(range(1, 5000, 2))))) == 1500
    assert len(numbers(index, And((Range("number", 10, 20), Not(Term("text", "absent")))))) == 11


def test_a_whoosh_index_made_elsewhere_is_not_opened(tmp_path: Path) -> None:
    with open_engine("whoosh", tmp_path / "made", create=True) as index:
        index.commit(1)
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in (tmp_path / "made").iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    with pytest.raises(IndexBehind):
        open_engine("whoosh", copy)
    (tmp_path / "made").rename(tmp_path / "moved")
    open_engine("whoosh", tmp_path / "moved").close()


def test_a_pattern_that_no_automaton_holds_is_a_wrong_query(tmp_path: Path) -> None:
    with open_engine("tantivy", tmp_path, create=True) as index, pytest.raises(QueryError, match="too complex"):
        index.search(Wildcard("text", "*" + "?" * 400 + "a"))


def test_patterns_as_complex_as_the_language_allows_find_the_same(index: Engine) -> None:
    words = {"d" * 64: 1, "dx" * 30: 2, "東" * 12: 3, "मम" * 20: 4}
    index.add(plain(number, word) for word, number in words.items())
    index.commit(1)
    for pattern in ("d*" * 6, "*" + "?" * 5 + "d" * 27, "म?" * 5 + "*", "म" + "??" * 2 + "*", "d*?x" * 3):
        tree = parse(pattern)
        fits = word_matcher(Wildcard("text", pattern))
        assert numbers(index, tree) == sorted(number for word, number in words.items() if fits(analysis.words(word)[0]))


def test_more_words_than_a_distance_has_places_are_found_nowhere_and_at_once(index: Engine) -> None:
    """Their orders are too many to go through, which once took hours."""
    index.add([plain(1, "a b c d e f g h i j k l m n")])
    index.commit(1)
    assert numbers(index, Near("text", tuple("abcdefghijklmn"), 10)) == []
    assert numbers(index, Near("text", tuple("abc"), 2)) == [1]


def test_words_at_a_distance_are_the_same_whichever_way_they_are_looked_for(index: Engine) -> None:
    """Many words and wide distances: spelled out, from the engine's places, or looked for in the texts."""
    rng = random.Random(11)
    documents = [
        Document(
            number=n,
            article=f"a{n}",
            latest=True,
            title=" ".join(rng.choices("abcxyz", k=rng.randrange(5))),
            text=" ".join(rng.choices("abcdexyzuvw", k=rng.randrange(60))),
            captured=examples.START,
        )
        for n in range(150)
    ]
    analysed = {d.number: oracle.analysed(d) for d in documents}
    index.add(documents)
    index.commit(1)
    some = 0
    looked = 0

    def texts(number: int) -> dict[str, str]:
        nonlocal looked
        looked += 1
        return {"title": documents[number].title, "text": documents[number].text}

    index.texts = texts
    for _ in range(40):
        words = tuple(rng.choices("abcdex", k=rng.randrange(2, 6)))
        wide = rng.choice((2, 5, 9, 15, 40, 1000))
        field = rng.choice(("words", "text", "title"))
        leaf: engine.query.Query = rng.choice((Phrase(field, words, wide), Near(field, words, wide)))
        for tree in (leaf, And((Not(leaf), Phrase("text", ("y",)))), Or((leaf, Phrase("title", ("z",))))):
            expected = oracle.matching(tree, list(analysed.values()), [""])
            assert numbers(index, tree) == sorted(expected), tree
            assert index.search(tree, limit=3).total == len(expected)
        some += 0 < len(expected) < len(documents)
    assert some > 10
    assert looked > 30 or isinstance(index, WhooshEngine)


def test_words_too_far_apart_to_be_looked_for_are_a_wrong_query(tmp_path: Path) -> None:
    with open_engine("tantivy", tmp_path, create=True) as index:
        index.add([plain(1, "a b c d e")])
        index.commit(1)
        assert numbers(index, Near("text", ("c", "a", "b"), 5)) == [1]
        with pytest.raises(QueryError, match="1 articles have these words near one another, too many"):
            numbers(index, Phrase("text", ("a", "b", "c", "d", "e"), 50))
