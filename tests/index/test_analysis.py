"""Which spellings are one word, and where the words of a text stand."""

from __future__ import annotations

import threading

import index_examples as examples
import pytest

from muniment.index import analysis, stemming

ONE_WORD = [
    ("café", "cafe", "CAFÉ", "cafe\u0301", "ｃａｆé"),
    ("Straße", "STRASSE", "strasse"),
    ("İstanbul", "ISTANBUL", "istanbul", "ıstanbul"),
    ("Ærø", "aero", "ærø"),
    ("Ёлка", "елка"),
    ("می‌خواهم", "می خواهم", "میخواهم", "ميخواهم"),
    ("نمی‌رود", "نمی رود", "نمیرود"),
    ("کتاب‌ها", "کتاب ها", "کتابها", "كتابها"),
    ("گزارش‌ها", "گزارش ها", "گزارشها", "گزارشِ‌ها"),
    ("پل‌های", "پل های", "پلهای"),
    ("می‌گوید", "می گوید", "میگوید"),
    ("بزرگ‌ترین", "بزرگ ترین", "بزرگترین"),
    ("إيران", "ايران", "ایران"),
    ("مدرسة", "مدرسه"),
    ("كِتَاب", "کتـــاب", "كتاب"),
    ("مسئول", "مسؤول", "مسوول", "مسي\u0654ول"),
    ("المسئولية", "المسؤولية"),
    ("شئون", "شؤون"),
    ("رؤوس", "رءوس", "رئوس"),
    ("هیئت", "هیأت", "هيات", "هیات"),
    ("مسئله", "مسأله", "مساله"),
    ("سئوال", "سؤال", "سوال"),
    ("ویدئو", "ویدیو"),
    ("پائیز", "پاییز"),
    ("۱۳۹۹", "١٣٩٩", "1399"),
    ("U.S.", "u.s.", "US"),
    ("Iran's", "Iran’s", "Iran"),
    ("co\u00adoperate", "cooperate"),
    ("\u200fword\u200e", "word"),
]


@pytest.mark.parametrize("spellings", ONE_WORD, ids=lambda spellings: spellings[0])
def test_spellings_of_one_word_are_one_word(spellings: tuple[str, ...]) -> None:
    assert {tuple(analysis.words(spelling)) for spelling in spellings} == {tuple(analysis.words(spellings[0]))}
    assert len(analysis.words(spellings[0])) == 1


def test_a_hamza_parts_words_where_it_is_all_that_does() -> None:
    for one, other in (("شئون", "شیون"), ("سئول", "سؤول"), ("كفاءة", "كفاية"), ("ماء", "ما")):
        assert analysis.words(one) != analysis.words(other)
        assert stemming.stems(analysis.words(one), "fa") != stemming.stems(analysis.words(other), "fa")


def test_an_arabic_word_with_its_hamza_moved_has_the_stem_of_its_plural() -> None:
    for spellings in (("هيئة", "الهيئة", "هيئات", "الهيئات", "هيأة"), ("مسؤول", "المسئولون", "مسؤولين", "المسؤولين")):
        assert len({tuple(stemming.stems(analysis.words(word), "ar")) for word in spellings}) == 1, spellings


def test_a_persian_word_has_one_stem_with_a_last_hamza_and_without() -> None:
    for one, other in (("علماء", "علما"), ("اعضاء", "اعضا"), ("امضاء", "امضا")):
        first, second = (stemming.stems(analysis.words(word), "fa") for word in (one, other))
        assert first == second


@pytest.mark.parametrize(
    ("text", "compounds"),
    [
        ("دانش‌آموزان", ["دانشاموزان"]),
        ("روزنامه‌نگار، و گفت‌وگو.", ["روزنامهنگار", "گفتوگو"]),
        ("برنامه‌ریزی‌های", ["برنامهريزيهاي"]),
        ("می‌خواهم کتاب‌ها بزرگ‌ترین", []),
        ("دانش آموز a\u200cb", []),
        ("plain", []),
        ("ک‌" * 100, ["ك" * 64]),
    ],
)
def test_compounds_are_told_as_one_word_too(text: str, compounds: list[str]) -> None:
    assert analysis.compounds(text) == compounds
    assert [word for word, _, _ in analysis.compound_spans(text)] == compounds
    for word, start, end in analysis.compound_spans(text):
        assert analysis.compounds(text[start:end]) == [word]


def test_words_of_a_long_text_are_those_of_its_parts() -> None:
    """However often a word was met before, and whatever stands around it."""
    for text in (*examples.SAMPLES.values(), *(document.text for document in examples.documents(60, seed=4))):
        found = [word for word, _, _ in analysis.spans(text * 3)]
        assert analysis.words(text * 3) == found == analysis.words(text * 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" — … !", []),
        ("l'élection d’aujourd'hui", ["l", "election", "d", "aujourd", "hui"]),
        ("AT&T a.b@example.org", ["at", "t", "a", "b", "example", "org"]),
        ("C++ and C# are not C.", ["c++", "and", "c#", "are", "not", "c"]),
        ("U.S.A. e.g. this; end.", ["usa", "eg", "this", "end"]),
        ("snake_case 3.14", ["snake", "case", "3", "14"]),
        ("دانش‌آموز", ["دانش", "اموز"]),
        ("мой йод", ["мой", "йод"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("東京都", ["東京", "京都", "都"]),
        ("x東京y", ["x", "東京", "京", "y"]),
        ("대학교", ["대학", "학교", "교"]),
        ("سلام\u200cworld", ["سلام", "world"]),
        ("a\u200cb", ["ab"]),
    ],
)
def test_words_of_a_text(text: str, words: list[str]) -> None:
    assert analysis.words(text) == words


def test_a_query_leaves_out_the_last_of_a_run_without_spaces() -> None:
    assert analysis.query_words("東京都") == ["東京", "京都"]
    assert analysis.query_words("水") == ["水"]
    assert analysis.query_words("banana a") == ["banana", "a"]


def test_long_words_are_cut_alike_in_texts_and_in_queries() -> None:
    long = "ab" * 5_000_000
    assert analysis.words(f"x {long} y") == ["x", long[:64], "y"]
    assert analysis.query_words(long) == [long[:64]]


def test_stems_meet_only_within_one_language() -> None:
    assert stemming.stems(["running", "runs"], "en") == stemming.stems(["run", "run"], "en-GB") == ["run/en"] * 2
    assert stemming.stems(["run"], "fr") == ["run/fr"]
    assert stemming.stems(["run"], None) == stemming.stems(["run"], "ja") == ["run"]
    assert stemming.stem_forms("running", ["", "en", "ja"]) == ["running", "run/en"]
    assert stemming.stem_forms("aarhus", ["en", "da"]) == ["aarhus/en", "aarhus/da", "arhus/da"]


def test_accents_and_letter_forms_do_not_change_a_stem() -> None:
    for one, other, language in (("élections", "election", "fr"), ("كتابها", "کتاب", "fa"), ("الكتاب", "کتاب", "ar")):
        first, second = (stemming.stems(analysis.words(text), language) for text in (one, other))
        assert first == second


def test_threads_do_not_share_a_stemmer() -> None:
    words = [f"{stem}{ending}" for stem in ("run", "govern", "elect") for ending in ("s", "ing", "ed", "ings")] * 50
    expected = stemming.stems(words, "en")
    wrong: list[int] = []

    def stem() -> None:
        wrong.extend(n for n in range(200) if stemming.stems(words, "en") != expected)

    threads = [threading.Thread(target=stem) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_spans_are_the_words_with_their_places() -> None:
    texts = [
        *(sample for sample in examples.SAMPLES.values()),
        *(document.text for document in examples.documents(60, seed=9)),
        *(spelling for spellings in ONE_WORD for spelling in spellings),
    ]
    for text in texts:
        found = analysis.spans(text)
        assert [word for word, _, _ in found] == analysis.words(text), text
        for word, start, end in found:
            assert word in analysis.words(text[start:end]), (text, word)


def test_spans_reach_over_accents_and_joints() -> None:
    text = "The cafe\u0301s of کتاب ها, U.S. Straße."
    found = {text[start:end] for _, start, end in analysis.spans(text)}
    assert found == {"The", "cafe\u0301s", "of", "کتاب ها", "U.S.", "Straße"}
