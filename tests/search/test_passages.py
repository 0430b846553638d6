"""Which passage of a text is shown, where it begins and ends, and what it costs."""

from __future__ import annotations

import codecs
import random
import time

import pytest

from muniment.index import analysis, query
from muniment.search import alphabets, places, sentences
from muniment.search.language import parse
from muniment.search.snippets import Snippet, snippet

FILLER = "Nothing of note happened that day. "
WORDS = {
    "en": "government governments governed run running river rivers U.S. C++ 2019 it's don't iran’s café dam reed_bed",
    "fr": "élection élections l'eau courant cœur naïve œuvre gouverner “ouvrage” garçon Ærø",
    "de": "Straße Strassen Häuser Haus größer Übung läuft",
    "cs": "žluťoučký kůň řeka řeky Čech",
    "vi": "người Việt đường phố nước",
    "tr": "İstanbul ırmak şehir ağaç Işık",
    "ru": "Ёлка мой правительства река реки й",
    "el": "Αθήνα κυβέρνηση ποτάμι ποτάμια",
    "fa": "دولت می‌خواهد می خواهد کتاب‌ها کتاب ها كتابها دانش‌آموز ایران إيران ۲۰۱۹ کتـــاب كِتاب نمی‌رود 2019 رود",
    "ar": "الكتاب كتاب مدرسة والمدارس ٢٠١٩ مؤسسة مَدرَسة للمدرسة",
    "he": "ממשלה סֵפֶר ספר נהר",
    "hi": "हिन्दी में नदी २०१९",
    "ja": "東京都 大学 水 コンピュータ",
    "th": "สวัสดี แม่น้ำ",
}


def text_of(passage: Snippet) -> str:
    return passage.text.removeprefix("… ").removesuffix(" …")


def marked(text: str, asked: str | query.Query, language: str | None = "en") -> list[str]:
    tree = parse(asked) if isinstance(asked, str) else asked
    return [piece for piece, match in snippet(text, tree, language).pieces if match]


@pytest.mark.parametrize("language", list(WORDS))
def test_whatever_matches_in_a_text_is_found_and_marked(language: str) -> None:
    rng = random.Random(language)
    listed = WORDS[language].split()
    count = 0
    for number in range(150):
        around = [word for other in ("en", language) for word in WORDS[other].split()]
        middle = [rng.choice(listed + around) for _ in range(rng.randrange(1, 8))]
        text = FILLER * rng.randrange(40) + " ".join(middle) + ". " + FILLER * rng.randrange(40)
        folded = [word for word in analysis.words(" ".join(middle)) if "هاها" not in word]  # which nobody writes
        if not folded:
            continue
        word = rng.choice(folded)
        near = rng.sample(folded, min(2, len(folded)))
        leaves: list[query.Leaf] = [
            query.Term("text", word),
            query.Phrase("text", (word,)),
            query.Prefix("text", word[: rng.randrange(1, len(word) + 1)]),
            query.Fuzzy("text", word, 1) if len(word) > 2 else query.Term("text", word),
            query.Near("text", tuple(near), 40),
            query.Phrase("text", tuple(folded[: 1 + number % 3]), number % 2 * 6),
        ]
        for leaf in leaves:
            if isinstance(leaf, query.Fuzzy) and analysis.is_spaceless(word):
                continue
            shown = snippet(text, leaf, language)
            assert any(match for _, match in shown.pieces), (leaf, middle)
            assert [text[a:b].replace("\n", " ") for a, b in shown.matches] == [t for t, match in shown.pieces if match]
            count += 1
    assert count > 600


def test_a_rare_word_counts_more_than_a_common_one_and_two_more_than_one() -> None:
    common = "The water rose again. " * 30
    text = common + FILLER * 20 + "Then the archivist left the town. " + FILLER * 20 + common
    assert set(marked(text, "water OR archivist OR town")) == {"archivist", "town"}
    assert marked(text, "water OR archivist") == ["archivist"]
    near = "water " + FILLER * 5 + "town. " + FILLER * 30 + "The town has no water. "
    assert set(marked(near, "water town")) == {"town", "water"}


def test_of_equal_passages_the_earlier_is_shown() -> None:
    text = FILLER * 10 + "First flood here. " + FILLER * 200 + "Second flood there. " + FILLER
    assert "First flood" in snippet(text, parse("flood"), "en").text


@pytest.mark.parametrize(
    ("text", "asked", "begins", "ends"),
    [
        ("Mr. Hale and Dr. Orr of the U.S. Survey met J. Pellow at No. 5, St. James Street, on the dam.", "dam", "Mr. Hale", None),
        ("It rained. Would it hold?” she asked. The dam held.", "dam", "The dam", None),
        ("آب بالا آمد. آیا سد شکست؟ مردم سد را دیدند.", "مردم", "مردم سد", None),
        ("بارش شروع شد۔ ڈیم ٹوٹ گیا۔", "ڈیم", "ڈیم", None),
        ("川が増水した。ダムが決壊した！町は水に沈んだ。", "決壊", "ダムが", None),
        ("नदी बढ़ी। बांध टूट गया।", "बांध", "बांध", None),
        ("One paragraph without a stop\n\nThe dam broke", "broke", "The dam", None),
        ("The engineer wrote to the council e.g. about the dam and i.e. the gate.", "gate", "The engineer", None),
    ],
)  # fmt: skip
def test_a_passage_begins_with_a_sentence(text: str, asked: str, begins: str, ends: str | None) -> None:
    before = "。" if "。" in text else "." if "." in text else "؟"
    filler = {"。": "何も起こらなかった。" * 30, ".": FILLER * 20}.get(before, "۔ " * 5)
    shown = text_of(snippet(filler + text, parse(asked), None))
    assert begins in shown
    assert shown.startswith(begins) or shown.index(begins) < 180
    at = (filler + text).index(begins)
    assert sentences.beginning(filler + text, at - 5, at + len(begins)) == at


def test_a_passage_ends_with_a_sentence_where_one_ends_in_time() -> None:
    text = (
        FILLER * 10
        + "The dam broke at noon, and the water was in the streets of the lower town by one. It rose. "
        + FILLER * 9
    )
    assert text_of(snippet(text, parse("dam"), "en")).endswith(".")
    long = FILLER + "dam " + "and then another word " * 60
    assert not text_of(snippet(long, parse("dam"), "en")).endswith((" ", "anothe", "wor"))


def test_no_controls_are_shown_and_no_half_of_a_pair_of_direction_marks() -> None:
    text = "The \x1b[31mdam\x00\x9b \u202egnikaerb\u202c \u2067was\u2069 opened\r\nat\u2028noon; می\u200cخواهد \u200eok\u200f."
    shown = snippet(text, parse("dam"), "en").text
    assert shown == "The [31mdam gnikaerb was opened at noon; می\u200cخواهد \u200eok\u200f."


def test_accents_and_joiners_are_not_torn_from_their_letters() -> None:
    text = "e\u0301" * 500 + "\u0645\u06cc\u200c" * 300
    for language in (None, "fa"):
        shown = text_of(snippet(text, query.Everything(), language))
        assert not shown.endswith("e") and text[len(shown)] not in "\u0301\u200c"


def test_a_stretch_that_shows_all_is_enough_and_later_ones_are_looked_at_for_what_was_not_seen() -> None:
    late = FILLER * 30_000 + "The archivist and the dam. " + FILLER
    assert set(marked("A dam. " + late, "archivist dam")) == {"dam"}, "the beginning shows something"
    assert set(marked(late, "archivist dam")) == {"archivist", "dam"}
    assert set(marked("A dam. " + FILLER * 3_000 + "The archivist and the dam. " + late, "archivist dam")) == {
        "archivist",
        "dam",
    }


HOSTILE = {
    "one word": "x" * 1_000_000,
    "no spaces": "dam," * 250_000,
    "one word of Han": "東京" * 300_000,
    "marks": "d" + "\u0301" * 500_000,
    "all matches": "dam " * 250_000,
    "nearly matches": "da dan dame " * 80_000,
    "spaces": " " * 1_000_000 + "dam",
    "stops": "." * 500_000 + "dam" + "." * 500_000,
    "lines": "\n" * 1_000_000 + "dam",
    "initials": "d.a.m." * 150_000,
    "joiners": "د\u200c" * 400_000,
    "apostrophes": "dam's " * 150_000,
    "rare letters": "ǖ" * 400_000 + " dam",
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_texts_take_no_longer_than_others(name: str) -> None:
    text = HOSTILE[name]
    begun = time.process_time()
    for asked in ("dam", '"dam dam"', '"dam gate"~5', "gate OR dam", "d*m", "dams~", "xx*", "東京 OR دد"):
        shown = snippet(text, parse(asked), "en")
        assert len(shown.text) < 300, asked
    assert time.process_time() - begun < 4, "the limit is for a machine that is busy: it takes a tenth of it"


def test_an_alphabet_writes_letters_that_fold_to_one_as_one_byte() -> None:
    for script, text in {
        "latin": "Élan élan ELAN elan",
        "arabic": "کتاب كتاب کتـاب كِتاب",
        "cyrillic": "Ёлка елка",
        "greek": "Αθήνα αθηνα",
    }.items():
        coded, _ = places.Stretch(text).written(script)
        assert len(set(coded.split())) == 1, script
    for script in ("latin", "arabic", "cyrillic", "greek", "18", "11"):
        slots, folding, bytes_of = alphabets.alphabet(script)
        assert len(folding) == 256 and len(set(bytes_of.values())) == len(bytes_of)
        assert folding[codecs.charmap_encode("?", "strict", slots)[0][0]] == alphabets.SPACE


def test_places_are_told_in_the_letters_of_the_text() -> None:
    for text, asked in (
        ("xx so\xadft dam", "dam"),
        ("a\u0301b\u0301c\u0301 dam", "dam"),
        ("کتـــــاب‌های سَدّ و دَم", "دم"),
    ):
        ((at, _),) = places.places(places.Stretch(text), query.Term("text", analysis.words(asked)[0]), None)
        assert analysis.words(text[at:]) == analysis.words(asked)
