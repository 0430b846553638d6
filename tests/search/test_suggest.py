"""What may have been meant by a query that finds nothing, and what scores are made of; on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from muniment.errors import QueryError
from muniment.index.engine import Document, Engine, open_engine
from muniment.search import scores
from muniment.search.language import parse
from muniment.search.suggest import suggestions

TEXTS = {
    "en": "The engineer measured the flood behind the reservoir. Engineers returned when the water level rose.",
    "fa": "دانشجویان در تهران کتابخانه را دیدند",
    "ru": "Инженер измерил наводнение",
    "fr": "L'élection du maire a été reportée",
    "el": "Ο μηχανικός μέτρησε την πλημμύρα",
    "zh": "记者在水库大坝附近采访了工程师和渔民。",
    "ja": "東京都の水道局は貯水池の水位を発表した。",
    "th": "น้ำท่วมหมู่บ้านริมแม่น้ำเมื่อวานนี้",
}


@pytest.fixture(params=("tantivy", "whoosh"), scope="module")
def index(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine(request.param, tmp_path_factory.mktemp("index"), create=True) as opened:
        opened.add(
            Document(
                number=n, article=str(n), latest=True, title="Flood news" if n in (1, 3) else "", text=text * (n + 1),
                captured=datetime(2026, 1, 1, tzinfo=UTC), language=language, source="Tidewater Courier", tags=("water",),
                authors=("Merin Kaine", "Flo Pellow"),
            )
            for n, (language, text) in enumerate(TEXTS.items())
        )  # fmt: skip
        opened.commit(1)
        yield opened


def proposed(index: Engine, text: str) -> list[str]:
    def found(query: str) -> int:
        try:
            return index.search(parse(query), limit=0).total
        except QueryError:
            return 0

    return suggestions(index, text, found)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("enginere", "engineer"),
        ("fload", "flood"),
        ("reservior", "reservoir"),
        ("resarvior -dam", "reservoir -dam"),
        ("title:flod", "title:flood"),
        ('"the engeneer measured"', '"the engineer measured"'),
        ('near:"engineer fllod"', 'near:"engineer flood"'),
        ("waterlevel", "water level"),
        ("engineer orr flood fload", None),
        ("zebra or flood", "zebra OR flood"),
        ("كتابخنه", "كتابخانه"),
        ("наводнеие", "наводнение"),
        ("πλημμυτα", "πλημμυρα"),
        ("électon", "election"),
        ("flood source:tidewater", 'flood source:"tidewater courier"'),
        ("tag:watre", "tag:water"),
        ("author:pelow flood", "author:pellow flood"),
        ('author:"merin kaide"', 'author:"merin kaine"'),
        ("author:(merin pellwo)", "author:(merin pellow)"),
        ("工呈师", "工程师"),
        ("水库大霸", "水库大坝"),
        ("水库的大坝", "水库大坝"),
        ("采了", "采访了"),
        ("库水大坝", "水库大坝"),
        ("渔民工程师", "渔民 工程师"),
        ('flood OR "水道居は"', 'flood OR "水道局は"'),
        ("貯水值", "貯水池"),
        ("text:貯水值 flod", None),
        ("หมูบ้าน", "หมู่บ้าน"),
    ],
)
def test_a_misspelt_query_gets_a_proposal_that_finds_something(index: Engine, typed: str, meant: str | None) -> None:
    assert proposed(index, typed)[:1] == ([meant] if meant else [])


@pytest.mark.parametrize(
    "typed",
    [
        "xqzwv",
        "ab",
        "12345",
        "flo*",
        "fload~",
        "水曜",
        "采民",
        "渔程师民",
        "霸*",
        "text:霸大",
        "source:nowhere",
        "published:2010",
    ],
)
def test_where_nothing_is_like_it_nothing_is_proposed(index: Engine, typed: str) -> None:
    assert proposed(index, typed) == []


def test_of_a_text_in_place_of_a_query_the_first_words_are_looked_at(index: Engine) -> None:
    assert proposed(index, "reservior " * 2_000) == []
    assert proposed(index, " OR ".join(["fload"] * 14))[:1] == [" OR ".join(["flood"] * 12 + ["fload"] * 2)]


@pytest.mark.parametrize(
    "text",
    ["flood", "flood engineer", '"the flood" OR reservoir', "eng* flood", "(absent water) OR title:flood",
     'near:"engineer flood reservoir"~12 water', "floot~ maire"],
)  # fmt: skip
def test_the_parts_of_a_score_sum_to_it(index: Engine, text: str) -> None:
    tree = parse(text)
    hits = index.search(tree).hits
    assert hits or text == "floot~ maire"
    for hit in hits:
        parts = scores.parts(index, tree, hit.number, hit.score)
        assert sum(part.score for part in parts) == pytest.approx(hit.score, rel=1e-3)
        assert all(part.field for part in parts), parts
        assert list(scores.told(parts))
        *same, rest = scores.parts(index, tree, hit.number, 2 * hit.score, "published lately")
        assert same == parts and list(scores.told([rest])) == [f"{rest.score:.3f}  published lately"]


def test_a_word_tells_what_it_is_looked_for_as_and_how_many_articles_have_it(index: Engine) -> None:
    found = scores.forms(index, parse('engineers "flood" absent author:x'))
    assert ("engineers", "text", "engin/en", 1) in [tuple(form) for form in found]
    assert ("flood", "title", "flood", 2) in [tuple(form) for form in found]
    assert [form.articles for form in found if form.word in ("absent", "x")] == [0, 0, 0]


def test_a_weight_tells_how_often_and_how_rare(index: Engine) -> None:
    (weight,) = index.weights(parse("text:reservoir"), 0)
    assert (weight.field, weight.form, weight.frequency, weight.boost) == ("text", "reservoir/en", 1.0, 1.0)
    assert weight.idf is not None and weight.idf > 0
    assert index.weights(parse("text:reservoir"), 1) == []


def test_a_proposal_that_nobody_would_read_is_none(index: Engine) -> None:
    assert proposed(index, "fload " + "water " * 20) == ["flood " + "water " * 20]
    assert proposed(index, "fload " + "water " * 40) == []


def test_persian_is_answered_in_the_letters_that_it_was_typed_with(index: Engine) -> None:
    assert proposed(index, "کتابخانع")[0] == "کتابخانه"
    assert proposed(index, "كتابخانع")[0] == "كتابخانه"
