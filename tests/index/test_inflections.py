"""Inflected forms that are one stem: pairs of words as written, by language, and some that must stay apart."""

from __future__ import annotations

import pytest

from muniment.index import analysis, stemming
from muniment.search.language import parse
from muniment.search.snippets import snippet

ARABIC = """
مدرسة=المدرسة مدرسة=والمدرسة مدرسة=بالمدرسة مدرسة=للمدرسة مدينة=المدينة مدينة=فالمدينة
مدينة=وبالمدينة مدينة=وللمدينة مدينة=كالمدينة حكومة=الحكومة حكومة=والحكومة وزير=الوزير وزير=والوزير
وزير=للوزير سد=السد سد=والسد سد=بالسد سد=للسد صحيفة=والصحيفة جريدة=والجريدة جريدة=بالجريدة
سيارة=سيارات سيارة=السيارات سيارة=والسيارات معلم=المعلم معلم=معلمون معلم=معلمين معلم=المعلمين
معلم=والمعلمون معلمة=المعلمات مهندس=المهندسون مهندس=للمهندسين انتخاب=الانتخابات شركة=الشركات
سنة=السنة سنة=والسنة لجنة=اللجنة لجنة=واللجنة محكمة=المحكمة محكمة=بالمحكمة وزارة=الوزارة
وزارة=والوزارة رئيس=الرئيس رئيس=والرئيس نهر=النهر نهر=بالنهر ماء=الماء ماء=والماء قرية=القرية
قرية=فالقرية التزام=الالتزام ألماني=الألماني إعلام=الإعلام إعلام=والإعلام مستشفى=المستشفى
مستشفى=بالمستشفى أمن=الأمن أمن=والأمن كتاب=كتابه كتاب=كتابها كتاب=كتابهم كتاب=كتابنا مدرسة=مدرسته
مدرسة=مدرستها مدرسة=مدرستنا حكومة=حكومتها صحفي=الصحفيين صحفي=الصحفيون صحفي=صحفيين عامل=العاملين
موظف=الموظفين موظف=والموظفين ولد=الولد ولد=والولد بيت=البيت بيت=بالبيت حرب=الحرب حرب=والحرب
"""
PERSIAN = """
کارگر=کارگران زن=زنان مرد=مردان کودک=کودکان پدر=پدران مادر=مادران برادر=برادران دختر=دختران
پسر=پسران جوان=جوانان مهندس=مهندسان معلم=معلمان وزیر=وزیران استاد=استادان پزشک=پزشکان
نویسنده=نویسندگان نماینده=نمایندگان راننده=رانندگان کشته=کشتگان خبرنگار=خبرنگاران دانشجو=دانشجویان
دانشمند=دانشمندان هنرمند=هنرمندان کارمند=کارمندان شهروند=شهروندان کشاورز=کشاورزان بازیگر=بازیگران
همکار=همکاران کارشناس=کارشناسان داور=داوران نگهبان=نگهبانان سرمایهدار=سرمایهداران زندانی=زندانیان
ایرانی=ایرانیان سد=سدها سد=سدهای شهر=شهرها شهر=شهرهای کتاب=کتاب‌ها کتاب=کتاب‌های کتاب=کتابهایشان
خانه=خانه‌ها خانه=خانه‌های روزنامه=روزنامه‌ها روزنامه=روزنامه‌هایی دولت=دولت‌ها انتخاب=انتخابات
مشکل=مشکلات بزرگ=بزرگ‌تر بزرگ=بزرگترین کوچک=کوچک‌ترین دیگر=دیگران رودخانه=رودخانه‌ها پل=پل‌ها
پل=پل‌های چاه=چاه‌ها آب=آب‌ها روستا=روستاها روستا=روستاهای گزارش=گزارش‌ها پرونده=پرونده‌ها
قربانی=قربانیان زمین=زمین‌های
"""
# The one looks like an inflected form of the other and is none.
ARABIC_APART = "والدين=دين والده=ده الله=له بالغ=غ بالون=ون ألم=ما والد=الد"
PERSIAN_APART = """
استان=است پایان=پای باران=بار میزان=میز زمان=زم جریان=جر تنها=تن دوران=دور نگران=نگر ایران=ایر تهران=تهر بازار=باز
"""


def pairs(listed: str) -> list[tuple[str, str]]:
    return [(one, other) for one, _, other in (pair.partition("=") for pair in listed.split())]


def stem(word: str, language: str) -> str:
    return " ".join(stemming.stems(analysis.words(word), language))


def test_the_lists_are_long_enough_to_show_something() -> None:
    assert len(pairs(ARABIC)) >= 40 and len(pairs(PERSIAN)) >= 40


@pytest.mark.parametrize(("language", "listed"), [("ar", ARABIC), ("fa", PERSIAN)])
def test_regular_forms_of_a_word_have_one_stem(language: str, listed: str) -> None:
    apart = [pair for pair in pairs(listed) if stem(pair[0], language) != stem(pair[1], language)]
    assert not apart


@pytest.mark.parametrize(("language", "listed"), [("ar", ARABIC_APART), ("fa", PERSIAN_APART)])
def test_words_that_only_look_like_forms_of_one_keep_their_stems(language: str, listed: str) -> None:
    together = [pair for pair in pairs(listed) if stem(pair[0], language) == stem(pair[1], language)]
    assert not together


@pytest.mark.parametrize(("language", "listed"), [("ar", ARABIC), ("fa", PERSIAN)])
def test_a_form_is_marked_where_another_is_asked_for(language: str, listed: str) -> None:
    unmarked = []
    for pair in pairs(listed):
        for asked, written in (pair, pair[::-1]):
            pieces = snippet(f"... {written}. ...", parse(asked), language).pieces
            if not any(match for _, match in pieces):
                unmarked.append((asked, written))
    assert not unmarked
