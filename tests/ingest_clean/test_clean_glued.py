"""Flattened pages: which line is the headline, where glued lines come apart, and where the article ends."""

from __future__ import annotations

import pytest
from clean_pages import PARAGRAPHS, job

from muniment.ingest.clean import clean
from muniment.ingest.clean.glued import unglue
from muniment.model import Article

HEADLINE = "Ferry Crews Vote To Stop Work Over Night Shifts"
MENU = ["Sections", "Island Life", "Harbour And Port", "Letters To The Editor", "Our Morning Letter", "Weather"]
OTHERS = ["Herring prices climb for a third week", "Snow closes the pass again", "A new roof for the customs hall"]


def cleaned(*lines: str) -> Article:
    return clean(job("\n".join(lines).encode(), "text/plain"))


def reasons(article: Article) -> dict[str, str]:
    return {d.text: d.reason for d in article.dropped}


def test_the_headline_is_found_above_a_standfirst_and_among_links_to_other_articles() -> None:
    standfirst = "Nine boats stay in port from the first of the month, and nobody knows for how long"
    article = cleaned(
        *MENU, *OTHERS, HEADLINE, standfirst, "By Ann Example", "2 March 2020", *OTHERS[:1], *PARAGRAPHS, HEADLINE
    )
    assert article.title == HEADLINE
    assert article.text.startswith(standfirst) and HEADLINE not in article.text
    assert {reasons(article)[other] for other in OTHERS[1:]} == {"above-text"}


def test_the_name_of_the_site_is_not_the_headline_though_it_is_repeated() -> None:
    article = cleaned("The Harbour Post Online", *MENU, HEADLINE, *PARAGRAPHS, "The Harbour Post Online")
    assert article.title == HEADLINE


def test_the_title_bar_with_the_name_of_the_site_repeats_the_headline() -> None:
    article = cleaned(f"{HEADLINE} - The Harbour Post", *MENU, HEADLINE, *PARAGRAPHS)
    assert (article.title, article.origins["title"]) == (HEADLINE, "text:repeated-headline")
    assert reasons(article)[HEADLINE] == "repeated-headline"


def test_a_breadcrumb_comes_off_a_headline_that_stands_there_once() -> None:
    article = cleaned(*MENU, f"Return to Letters{HEADLINE}", *PARAGRAPHS, *PARAGRAPHS)
    assert article.title == HEADLINE
    assert reasons(article)["Return to Letters"] == "breadcrumb"


@pytest.mark.parametrize("name", ["YouTube", "McDonald", "LinkedIn"])
def test_a_name_with_a_capital_inside_keeps_its_headline_whole(name: str) -> None:
    title = f"Why {name} Pays For Harbour Ferries"
    told = PARAGRAPHS[0].replace("harbour ferries", f"harbour ferries that {name} pays for")
    assert cleaned(title, told, *PARAGRAPHS[1:]).title == title


def test_a_notice_above_the_headline_is_not_the_articles() -> None:
    notice = (
        "We use small files on your device to keep you logged in and to count visits, and so do our partners, whose"
        " names are listed on another page of this site."
    )
    article = cleaned(notice, f"{HEADLINE} - The Post", *MENU, HEADLINE, *PARAGRAPHS)
    assert article.text == "\n".join(PARAGRAPHS)
    assert reasons(article)[notice] == "above-text"


def test_the_comments_of_readers_are_left_out_and_say_so() -> None:
    said = "I took the boat every day for twenty years and never once saw the man who runs the port on board of it."
    article = cleaned(
        HEADLINE, *PARAGRAPHS, *PARAGRAPHS, "2 comments", "Ann Example says:", said, "Reply", "Bo wrote:", said, "Reply"
    )
    assert article.text == "\n".join((*PARAGRAPHS, *PARAGRAPHS))
    assert reasons(article)[said] == "comment"


def test_a_heading_about_comments_inside_the_article_ends_nothing() -> None:
    article = cleaned(HEADLINE, *PARAGRAPHS, "Comments from the crews", *PARAGRAPHS[:2])
    assert article.text == "\n".join((*PARAGRAPHS, "Comments from the crews", *PARAGRAPHS[:2]))


def test_a_list_below_the_prose_of_a_page_is_kept_up_to_the_pages_own_lines() -> None:
    boats = ["Aurora, 1961, in port since Sunday", "Borealis, 1974, in port since Monday"]
    article = cleaned(*MENU, HEADLINE, *PARAGRAPHS, *boats, "Share on Facebook", *OTHERS)
    assert article.text == "\n".join((*PARAGRAPHS, *boats))
    assert {reasons(article)[other] for other in OTHERS} == {"below-text"}


def test_a_page_in_one_line_comes_apart_and_no_character_is_lost() -> None:
    page = "HomeNewsSportWeather" + HEADLINE + "".join(PARAGRAPHS * 2) + "ContactImprintTerms"
    article = cleaned(page)
    assert article.text.split("\n") == [*PARAGRAPHS, *PARAGRAPHS]
    assert {"Home", "News", "Sport"} <= set(reasons(article))
    kept = article.title + article.text + "".join(d.text for d in article.dropped)
    assert sorted("".join(kept.split())) == sorted("".join(page.split()))


def test_lines_of_prose_and_lists_of_names_are_not_cut() -> None:
    names = "Films on YouTube, TikTok and WhatsApp; books by McDonald and LeBlanc; code on GitHub and in JavaScript"
    for line in (*PARAGRAPHS, HEADLINE, names, "see #NoMoreNightShifts and www.HarbourNewsNow.example"):
        assert unglue(line) == [line]


def test_a_huge_line_is_left_as_it_is() -> None:
    line = "HomeNewsSport" * 20_000
    assert unglue(line) == [line]


def test_a_text_with_some_tags_in_it_is_a_text() -> None:
    quoted = '<p class="byline">Ann Example</p><br /><a href="#">a</a><p>b</p><span>c</span>'
    article = cleaned(HEADLINE, *PARAGRAPHS, *PARAGRAPHS, *PARAGRAPHS, *PARAGRAPHS, quoted)
    assert article.origins["text"] == "text:lines"
    assert quoted in article.text


def test_signs_that_were_decoded_once_too_often_are_shown_as_browsers_show_them() -> None:
    article = cleaned(HEADLINE, PARAGRAPHS[0].replace("night shifts", "the crews\x92 night shifts"))
    assert "the crews’ night shifts" in article.text
