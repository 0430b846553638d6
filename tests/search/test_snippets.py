"""The passage that shows why a text matches."""

from __future__ import annotations

import html
import random
from itertools import product

import pytest

from muniment.index import analysis, query
from muniment.search import places, snippets
from muniment.search.language import parse
from muniment.search.snippets import snippet

FILLER = "Nothing of note happened. "
ENGLISH = (
    FILLER * 20
    + "The governments of the U.S. were running naïve cafe\u0301s in Straße near <Tehran>. "
    + "Others died of hunger; a mass\ngrave was found by police. "
    + FILLER * 40
)
PERSIAN = "مقدمه. " * 40 + "دولت می‌خواهد کتاب‌های دانش‌آموزان را و كِتاب ها را بفروشد. " + "پایان متن است. " * 40
JAPANESE = "日本の首都です。" * 30 + "東京大学で学生がコンピュータを使う。" + "終わり。" * 60


def marks(text: str, asked: str, language: str | None) -> list[str]:
    return [piece for piece, match in snippet(text, parse(asked), language).pieces if match]


@pytest.mark.parametrize(
    ("text", "language", "asked", "marked"),
    [
        (ENGLISH, "en", "government", ["governments"]),
        (ENGLISH, "en", "run cafe", ["running", "cafe\u0301s"]),
        (ENGLISH, None, "running run", ["running"]),
        (ENGLISH, "en", "strasse", ["Straße"]),
        (ENGLISH, "en", "US", ["U.S."]),
        (ENGLISH, "en", "dying", ["died"]),
        (ENGLISH, "en", '"mass grave"', ["mass", "grave"]),
        (ENGLISH, "en", '"grave mass"', []),
        (ENGLISH, "en", '"found police"~2', ["found", "police"]),
        (ENGLISH, "en", "gove*", ["governments"]),
        (ENGLISH, "en", "g?ave", ["grave"]),
        (ENGLISH, "en", "*unger", ["hunger"]),
        (ENGLISH, "en", "tehrn~ hungr~2", ["Tehran", "hunger"]),
        (ENGLISH, "en", "hunger -died", ["hunger"]),
        (ENGLISH, "en", "title:tehran hunger", ["hunger"]),
        (ENGLISH, "en", "source:tehran", []),
        ("Über Hans Mueller und Müller", "de", "Muller", ["Mueller", "Müller"]),
        ("Über Hans Mueller und Müller", "de", "Mueller", ["Mueller", "Müller"]),
        ("Über Hans Mueller und Müller", "de", "müll*", ["Mueller", "Müller"]),
        ("Über Hans Mueller und Müller", "de", "muellr~", ["Mueller", "Müller"]),
        ("Über Hans Mueller und Müller", "de", '"hans müller"', ["Hans", "Mueller"]),
        ("Novak Đoković je stigao", "hr", "djokovic", ["Đoković"]),
        ("Novak Djokovic came", "en", "Đoković", ["Djokovic"]),
        ("Hans Müller aus Köln", "de", '"hans mueller" exact:koeln', ["Hans", "Müller", "Köln"]),
        ("Søren boede i Århus og Aarhus", "da", "soeren aarhus", ["Søren", "Århus", "Aarhus"]),
        (PERSIAN, "fa", "می خواهد", ["می‌خواهد"]),
        (PERSIAN, "fa", "كتابها", ["کتاب‌های", "كِتاب ها"]),
        (PERSIAN, "fa", "دانش‌آموزان", ["دانش‌آموزان"]),
        (PERSIAN, "fa", "دانشآموز", ["دانش‌آموزان"]),
        (PERSIAN, "fa", "آموز", ["آموزان"]),
        (JAPANESE, "ja", "大学", ["大学"]),
        (JAPANESE, "ja", "コンピュータ", ["コンピュータ"]),
        (JAPANESE, "ja", "学", ["学", "学"]),
    ],
)
def test_what_matches_is_marked(text: str, language: str | None, asked: str, marked: list[str]) -> None:
    assert marks(text, asked, language) == marked


@pytest.mark.parametrize(
    "spellings",
    [
        ("مسئول", "مسؤول", "مسوول"),
        ("شئون", "شؤون", "شءون"),
        ("رؤوس", "رئوس", "رءوس"),
        ("رئوف", "رؤوف"),
        ("هیئت", "هیأت", "هيات"),
        ("هيئة", "هيأة"),
        ("مسئله", "مسأله", "مساله"),
        ("جرئت", "جرأت", "جرات"),
        ("نشئت", "نشأت"),
        ("سئوال", "سؤال", "سوال"),
        ("قرائت", "قراءت"),
        ("برائت", "براءت"),
    ],
)
def test_a_word_is_marked_on_whichever_seat_its_hamza_is(spellings: tuple[str, ...]) -> None:
    for asked, written in product(spellings, repeat=2):
        for tree in (parse(asked), parse(f'"{asked} پایان"')):
            shown = snippet(f"مقدمه. {written} پایان متن است.", tree, "fa")
            assert written in "".join(piece for piece, match in shown.pieces if match), (asked, written)


@pytest.mark.parametrize(
    ("language", "written", "asked"),
    [
        ("es", "España", "espana"),
        ("es", "año", "ano"),
        ("sv", "Västerås", "vasteras"),
        ("sv", "Luleå", "Luleaa"),
        ("fi", "Hämeenlinna", "hameenlinna"),
        ("et", "Jõhvi", "johvi"),
        ("da", "Ærø", "aero"),
        ("tr", "Diyarbakır", "diyarbakir"),
    ],
)
def test_letters_of_their_own_are_marked_however_they_were_typed(language: str, written: str, asked: str) -> None:
    for one, other in ((written, asked), (asked, written)):
        for tree in (parse(one), parse(f'"{one}"')):
            shown = snippet(f"Xyz {other} xyz.", tree, language)
            assert [piece for piece, match in shown.pieces if match] == [other], (one, other)


def test_the_letters_are_the_originals_and_the_length_is_bounded() -> None:
    for text in (ENGLISH, PERSIAN, JAPANESE):
        flat = text.replace("\n", " ")
        for asked in ("hunger", "می‌خواهد", "大学", "absent", "-x"):
            shown = snippet(text, parse(asked), "en").text.removeprefix("… ").removesuffix(" …")
            assert shown in flat
            assert 60 < len(shown) <= 260


def test_markers_stand_around_matches_and_the_rest_is_escaped() -> None:
    shown = snippet(ENGLISH, parse("tehran"), "en").marked("<mark>", "</mark>", html.escape)
    assert "&lt;<mark>Tehran</mark>&gt;" in shown
    assert shown.startswith("… ") and shown.endswith(" …")


def test_without_a_match_the_opening_is_shown() -> None:
    for tree in (parse("absent"), parse("-absent"), query.Everything()):
        shown = snippet(ENGLISH, tree, "en")
        assert shown.text.startswith("Nothing of note happened.")
        assert not any(match for _, match in shown.pieces)
    assert snippet("", parse("a")).pieces == ()
    assert snippet("Short.", parse("a")).text == "Short."


def test_the_passage_with_the_most_different_words_wins() -> None:
    text = "alpha alpha alpha. " * 20 + "Then alpha met beta. " + "beta beta. " * 30
    assert set(marks(text, "alpha beta", "en")) == {"alpha", "beta"}


def test_a_short_text_is_shown_whole() -> None:
    shown = snippet("One match here.", parse("match"), "en")
    assert shown.pieces == (("One ", False), ("match", True), (" here.", False))


def test_the_title_is_marked_by_what_asks_for_titles() -> None:
    shown = snippet("A title about elections", parse("title:election text:about"), "en", field="title")
    assert shown.marked("[", "]") == "A title about [elections]"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "government governed run running rivers café iran’s U.S. C++ 2019 42 it's Ærø STRAẞE"),
        ("fr", "élection élections l'eau courant gouverner naïve Œuvre"),
        ("fa", "دولت می‌خواهد کتاب‌ها كتابها دانش‌آموز ایران إيران ۲۰۱۹ کتـــاب كِتاب"),
        ("ar", "الكتاب مدرسة والمدارس ٢٠١٩ مؤسسة"),
        ("ru", "Ёлка мой правительства"),
        ("el", "Αθήνα κυβέρνηση"),
        ("hi", "हिन्दी में"),
        ("ja", "東京都 大学 水 コンピュータ"),
        ("ko", "대학교"),
        ("th", "สวัสดี"),
    ],
)
def test_every_word_of_a_text_is_marked_when_asked_for(language: str, words: str) -> None:
    for word in words.split():
        text = FILLER * 12 + word + ". " + FILLER * 12
        assert marks(text, word, language), word


def test_a_long_text_is_searched_to_its_end() -> None:
    text = FILLER * 40_000 + "At last a massacre. " + FILLER
    assert marks(text, "massacres", "en") == ["massacre"]
    assert marks(text, "masacre~", "en") == ["massacre"]
    assert marks("x" * 5_000_000 + " massacre", "massacre", "en") == ["massacre"]


def test_in_plain_text_every_match_is_among_the_places_that_are_looked_at() -> None:
    chosen = random.Random(20261122)
    words = [
        "dam",
        "dams",
        "the",
        "U.S.",
        "u.s",
        "in",
        "for",
        "Inner",
        "dam's",
        "reed_bed",
        "C++",
        "3.5",
        "“dam”",
        "un-dam",
    ]
    asked = ["dam", "the", "us", "in", "for", "inner", "reed", "bed", "c++", "3", "5", "un"]
    matches = 0
    for _ in range(400):
        text = " ".join(chosen.choices(words, k=40)).replace("the", chosen.choice(("the", "the\n", "the,")))
        pair = tuple(chosen.choices(asked, k=2))
        for leaf in (query.Term("text", pair[0]), query.Phrase("text", pair), query.Phrase("text", pair, 1)):
            found_places = places.places(places.Stretch(text), leaf, "en")
            seen = {place for place, _ in found_places}
            if isinstance(leaf, query.Phrase):
                found = [word for word, _, _ in analysis.spans(text)]
                starts = analysis.spans(text)
                true = {starts[n][1] for n in range(len(found)) if found[n] == pair[0]
                        and snippets._phrase_at(pair, leaf.slop, found, n)}  # fmt: skip
            else:
                true = {start for start, _ in snippets._marks(text, 0, len(text), [leaf], "en")}
            missed = true - seen  # but for a phrase that begins inside another
            assert all(any(0 < place - other < 30 for other in seen) for place in missed), (text, leaf, missed)
            assert not missed or isinstance(leaf, query.Phrase), (text, leaf, missed)
            matches += len(true)
    assert matches > 1000
