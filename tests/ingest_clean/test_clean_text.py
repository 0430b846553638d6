"""Plain text: what the page left in it is told from the article, and nothing is rewritten."""

from __future__ import annotations

from pathlib import Path

import pytest
from clean_pages import HEADLINE, MESSY, PARAGRAPHS, job

from muniment.ingest.clean import clean
from muniment.model import Article, Declared

SEED = next(iter(sorted((Path(__file__).parents[3] / "shared/seed").glob("*.txt"))), None)


def cleaned(text: str, **kwargs: object) -> Article:
    return clean(job(text.encode(), "text/plain", **kwargs))  # type: ignore[arg-type]


def dropped(article: Article) -> list[tuple[str, str]]:
    return [(d.text, d.reason) for d in article.dropped]


def test_a_flattened_page_gives_its_article_and_names_what_was_left_out() -> None:
    article = cleaned(MESSY)
    assert (article.title, article.origins["title"]) == (HEADLINE, "text:repeated-headline")
    assert article.text == "\n".join(PARAGRAPHS)
    assert article.published is None  # the only day is the visit's
    assert article.language == "en"
    assert article.captions == (
        "VIDEO: How the vote went, minute by minute",
        "Crews wait for the count in the old customs hall - February 2020",
    )
    assert dropped(article) == [
        ("Monday, March 2, 2020", "banner-date"),
        ("Home", "breadcrumb"),
        ("Harbour News Now", "breadcrumb"),
        ("Island Life", "breadcrumb"),
        (HEADLINE, "repeated-headline"),
        ("VIDEO: How the vote went, minute by minute", "caption"),
        ("Crews wait for the count in the old customs hall - February 2020", "caption"),
        ("Share on Facebook", "share-line"),
    ]


def test_every_character_of_the_input_is_kept_somewhere() -> None:
    article = cleaned(MESSY)
    kept = article.title + article.text + "".join(d.text for d in article.dropped)
    assert sorted("".join(kept.split())) == sorted("".join(MESSY.split()))


def test_a_dateline_under_the_headline_is_the_publication_date() -> None:
    article = cleaned(f"{HEADLINE}\nBy Ann Example\n2 March 2020\n" + "\n".join(PARAGRAPHS))
    assert article.published is not None
    assert (article.published.date, article.published.origin) == ("2020-03-02", "text:date-line")
    assert article.authors == ("Ann Example",)
    assert ("By Ann Example", "byline") in dropped(article)


def test_a_date_of_change_is_not_the_publication_date() -> None:
    assert cleaned(f"{HEADLINE}\nLast updated: 2 March 2020\n" + "\n".join(PARAGRAPHS)).published is None


def test_a_labelled_date_above_the_headline_counts() -> None:
    article = cleaned(f"Published: 2 March 2020\n{HEADLINE}\n" + "\n".join(PARAGRAPHS))
    assert article.published is not None and article.published.date == "2020-03-02"


def test_headings_between_paragraphs_stay_as_lines() -> None:
    text = f"{PARAGRAPHS[0]}\nWhat the port says\n{PARAGRAPHS[1]}"
    assert cleaned(text).text == text


def test_related_articles_below_the_text_are_left_out() -> None:
    article = cleaned("\n".join([HEADLINE, *PARAGRAPHS, "Related articles", "Snow on the pass", "Herring prices up"]))
    assert article.text == "\n".join(PARAGRAPHS)
    assert ("Herring prices up", "below-text") in dropped(article)


def test_a_list_below_the_text_belongs_to_it() -> None:
    boats = ["Aurora, built 1961", "Borealis, built 1974", "Corona, built 1988"]
    assert cleaned("\n".join([HEADLINE, *PARAGRAPHS, *boats])).text.endswith("\n".join(boats))


def test_hard_wrapped_lines_become_paragraphs_with_every_word_as_it_was() -> None:
    import textwrap

    wrapped = "\n\n".join("\n".join(textwrap.wrap(p, 72)) for p in PARAGRAPHS)
    assert cleaned(wrapped).text == "\n".join(PARAGRAPHS)


def test_a_text_without_prose_is_kept_whole() -> None:
    poem = "Grey boats at rest\nthe harbour keeps\nits breath till spring"
    article = cleaned(poem)
    assert "\n".join(filter(None, [article.title, article.text])) == poem


def test_persian_text_keeps_its_zero_width_non_joiners() -> None:
    title = "کارکنان کشتی‌ها به اعتصاب رأی دادند"
    body = (
        "کارکنان کشتی‌های بندر روز یکشنبه رأی دادند که از آغاز ماه دست از کار بکشند، زیرا گفت‌وگو با بندر دربارهٔ"
        " نوبت‌های شبانه برای سومین بار بی‌نتیجه ماند و هیچ‌کس راهی تازه پیشنهاد نکرد."
    )
    article = cleaned(
        f"پنجشنبه، ۱ آذر ۱۴۰۵\n{title}\nنویسنده: مینا نمونه\n{body}\nاشتراک گذاری در تلگرام\nبیشتر بخوانید: برف در گردنه"
    )
    assert (article.title, article.text, article.language) == (title, body, "fa")
    assert article.published is None and article.authors == ("مینا نمونه",)
    assert [d.reason for d in article.dropped] == ["banner-date", "byline", "share-line", "boilerplate"]


def test_arabic_and_french_texts_are_told_from_their_chrome() -> None:
    arabic = (
        "صوّت عمّال العبّارات في الميناء يوم الأحد على وقف العمل ابتداء من مطلع الشهر بعد أن انتهت المحادثات مع إدارة"
        " الميناء حول نوبات الليل من دون نتيجة للمرة الثالثة هذا العام."
    )
    article = cleaned(f"عمال العبّارات يصوّتون على الإضراب\n22 تشرين الثاني 2026\n{arabic}\nاقرأ أيضا: ثلوج على الممر")
    assert (article.text, article.language) == (arabic, "ar")
    assert article.published is not None and article.published.date == "2026-11-22"
    french = (
        "Les équipages des neuf bacs du port ont voté dimanche l’arrêt du travail à partir du premier du mois, après"
        " l’échec, pour la troisième fois cette année, des discussions sur les postes de nuit."
    )
    article = cleaned(
        f"Les équipages des bacs votent la grève\nPar Anne Exemple\n{french}\nLire aussi : la neige au col"
    )
    assert (article.text, article.language, article.authors) == (french, "fr", ("Anne Exemple",))


def test_declared_fields_win() -> None:
    declared = Declared(title="Declared", published="1605-05", language="de", authors=("N. N.",))
    article = cleaned(MESSY, declared=declared)
    assert (article.title, article.language, article.authors) == ("Declared", "de", ("N. N.",))
    assert article.published is not None and article.published.date == "1605-05"
    assert {article.origins[f] for f in ("title", "published", "language", "authors")} == {"declared"}


@pytest.mark.skipif(SEED is None, reason="the seed text lies outside the project and is not here")
def test_the_seed_text_is_cleaned_as_agreed() -> None:
    assert SEED is not None
    article = clean(job(SEED.read_bytes(), "text/plain", file_name=SEED.name, uri=""))
    assert article.title == ("To Prevent Recurring Bloodshed In Iran, Demand Accountability for Regime’s Past Crimes")
    assert article.title not in article.text and "HomeIran" not in article.text and "2021\n" not in article.text
    assert len(article.captions) == 2 and not any(caption in article.text for caption in article.captions)
    assert article.captions[0].startswith("VIDEO:") and article.captions[1].endswith("- December 2020")
    assert article.text.startswith("Last September") and article.text.endswith("Iranian regime.")
    assert (article.published, article.language) == (None, "en")
