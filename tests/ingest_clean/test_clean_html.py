"""HTML: text, metadata with where it came from, marks that extractors lose, and the same result every time."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from clean_pages import CAPTURED, HEADLINE, PARAGRAPHS, article_html, html_page, job

from muniment.ingest.clean import clean
from muniment.ingest.clean.fingerprint import RULES
from muniment.model import Declared

PERSIAN = "کارکنان کشتی‌ها می‌گویند که گفت‌وگو با بندر بی‌نتیجه مانده است و از فردا کار نمی‌کنند. " * 4


def head(ld: object = None, **metas: str) -> str:
    tags = "".join(f'<meta property="{k.replace("_", ":", 1)}" content="{v}">' for k, v in metas.items())
    return tags + (f'<script type="application/ld+json">{json.dumps(ld)}</script>' if ld else "")


def test_a_page_gives_its_article_without_menu_footer_and_headline() -> None:
    article = clean(job(html_page(article_html(), "<title>Ferry Crews Vote To Strike | The Harbour Times</title>")))
    assert article.title == HEADLINE and article.origins["title"] == "h1"
    assert article.text == "\n".join(PARAGRAPHS)
    assert (article.language, article.problem, article.decoding) == ("en", None, "meta:utf-8")
    assert article.origins["text"] == "trafilatura"
    assert article.extractor == f"muniment-html/{RULES}" and article.settings["trafilatura"]


def test_publisher_declarations_come_first_and_name_their_place() -> None:
    ld = {"@type": "NewsArticle", "headline": HEADLINE, "datePublished": "2020-03-02T23:30:00-05:00",
          "author": [{"@type": "Person", "name": "Ann Example"}, {"name": "Bo Sample"}]}  # fmt: skip
    article = clean(job(html_page(article_html(), head(ld, article_published__time="2020-03-05"))))
    assert article.authors == ("Ann Example", "Bo Sample")
    assert article.published is not None
    assert (article.published.date, article.published.origin) == ("2020-03-02", "jsonld:datePublished")
    assert article.origins["authors"] == "jsonld:author"


@pytest.mark.parametrize(
    ("tags", "uri", "expected", "origin"),
    [
        ('<meta property="article:published_time" content="2020-03-02T10:00:00Z">', "", "2020-03-02",
         "meta:article:published_time"),
        ('<meta name="dc.date" content="2020-03">', "", "2020-03", "meta:dc.date"),
        ("", "https://h.example/2020/03/02/ferry", "2020-03-02", "url"),
        ('<meta itemprop="datePublished" content="2020-03-02">', "", "2020-03-02", "meta:datepublished"),
    ],
)  # fmt: skip
def test_dates_are_found_in_other_declared_places(tags: str, uri: str, expected: str, origin: str) -> None:
    found = clean(job(html_page(article_html(), tags), uri=uri)).published
    assert found is not None and (found.date, found.origin) == (expected, origin)


@pytest.mark.parametrize("shown", ["2020-03-02T21:11:03-05:00", "2020-03-02 21:11:03"])
def test_an_evening_in_utc_is_told_by_the_publishers_own_clock(shown: str) -> None:
    ld = {"@type": "NewsArticle", "headline": HEADLINE, "datePublished": "2020-03-03T02:11:03Z"}
    other = '<time datetime="2020-03-01 09:00:41">yesterday</time>'
    page = html_page(f'{other}<time datetime="{shown}">2 March</time>' + article_html(), head(ld))
    found = clean(job(page)).published
    assert found is not None and found.date == "2020-03-02"
    found = clean(job(html_page(other + article_html(), head(ld)))).published
    assert found is not None and found.date == "2020-03-03"


def test_a_broken_json_ld_block_is_forgiven_or_passed_over() -> None:
    for script in (
        '{"@type":"NewsArticle","datePublished":"2020-03-02",}',
        '{"@type": "NewsArticle", "x": "\\ud83d"',
        "<!-- x -->",
    ):
        page = html_page(article_html(), f'<script type="application/ld+json">{script}</script>')
        assert clean(job(page)).text == "\n".join(PARAGRAPHS)


def test_a_lone_surrogate_in_metadata_does_not_reach_the_article() -> None:
    ld = {"@type": "NewsArticle", "headline": "Ferry crews \ud83d vote", "author": "A\ud800nn Example"}
    article = clean(job(html_page("".join(f"<p>{p}</p>" for p in PARAGRAPHS), head(ld))))
    (article.title + "".join(article.authors)).encode()
    assert article.title == "Ferry crews  vote".replace("  ", " ") or article.title.startswith("Ferry crews")


def test_the_day_of_capture_is_never_taken_for_the_publication_date() -> None:
    today = CAPTURED.date()
    shown = f"<div class=date>{today:%A}, {today:%B} {today.day}, {today.year}</div>"
    assert clean(job(html_page(shown + article_html()))).published is None


@pytest.mark.parametrize(
    ("shown", "date"),
    [("03/04/2021", None), ("03/04/21", None), ("03/04/2021</p><p>Posted on 3 April 2021 in Harbour", "2021-04-03")],
)
def test_a_date_that_may_be_two_days_is_not_guessed_at(shown: str, date: str | None) -> None:
    page = html_page(f"<h1>{HEADLINE}</h1><p>{shown}</p>" + "".join(f"<p>{p}</p>" for p in PARAGRAPHS))
    published = clean(job(page)).published
    assert (published.date if published else None) == date
    assert clean(job(html_page(article_html()))).published is None
    future = '<meta property="article:published_time" content="2027-01-05">'
    assert clean(job(html_page(article_html(), future))).published is None


def test_a_jalali_date_is_read_in_a_persian_page_only() -> None:
    tag = '<meta name="article:published_time" content="1405/08/30">'
    persian = clean(job(html_page(article_html(PERSIAN, title="اعتصاب در بندر"), tag, lang="fa-IR"), uri=""))
    assert persian.published is not None and persian.published.date == "2026-11-21"
    assert clean(job(html_page(article_html(), tag), uri="")).published is None


@pytest.mark.parametrize("mark", ["\u200c", "&zwnj;", "&#8204;", "&#x200C;"])
def test_zero_width_non_joiners_survive(mark: str) -> None:
    body = article_html(PERSIAN.replace("\u200c", mark), title=f"کشتی{mark}ها")
    article = clean(job(html_page(body, f'<meta property="og:title" content="کشتی{mark}ها">', lang="fa")))
    assert article.text.count("\u200c") == PERSIAN.count("\u200c")
    assert (article.title, article.language) == ("کشتی\u200cها", "fa")


def test_joiners_and_marks_of_direction_survive() -> None:
    line = "One family \U0001f469\u200d\U0001f467 and \u2067שלום\u2069 and a mark\u200f and an embedding \u202aend\u202c here. "
    article = clean(job(html_page(article_html(line * 6, *PARAGRAPHS))))
    for mark in "\u200d\u2067\u2069\u200f\u202a\u202c":
        assert article.text.count(mark) == 6


def test_captions_are_kept_apart_from_the_running_text() -> None:
    body = (
        article_html(PARAGRAPHS[0], PARAGRAPHS[1])
        + "<figure><img src=a.jpg><figcaption>Crews wait in the hall.</figcaption></figure>"
    )
    article = clean(job(html_page(body)))
    assert article.captions == ("Crews wait in the hall.",)
    assert "Crews wait" not in article.text


def test_a_page_that_the_extractor_finds_nothing_in_falls_back_and_says_so() -> None:
    nested = b"<div>" * 1000 + b"Only this sentence is here." + b"</div>" * 1000
    article = clean(job(nested))
    assert article.text == "Only this sentence is here."
    assert article.origins["text"] == "beautifulsoup:low-confidence"


def test_a_page_without_any_text_says_so() -> None:
    article = clean(job(b"<html><head><title>Gallery</title></head><body><img src=a.jpg></body></html>"))
    assert (article.title, article.text, article.problem) == ("Gallery", "", "no-text")


def test_what_is_no_text_is_an_article_with_the_problem_and_what_was_declared() -> None:
    article = clean(job(b"\x89PNG\r\n", declared=Declared(title="A file", published="2020")))
    assert (article.text, article.problem, article.title) == ("", "not-text: looks like PNG", "A file")
    assert article.published is not None and article.published.precision == "year"


def test_text_is_stored_composed_and_without_control_characters() -> None:
    article = clean(job(html_page(article_html("Cafe\u0301 by the quay\x01, " + PARAGRAPHS[0], *PARAGRAPHS))))
    assert "Café by the quay," in article.text


def test_the_language_claimed_decides_only_between_near_twins() -> None:
    danish = "Færgernes mandskab stemte søndag for at standse arbejdet fra den første i måneden, siger havnen nu. " * 3
    assert clean(job(html_page(article_html(danish, title="Strejke"), lang="da"))).language == "da"
    assert clean(job(html_page(article_html(), lang="fa"))).language == "en"


SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
from clean_pages import *
from muniment.ingest.clean import clean
from muniment.ingest.clean.wire import article_bytes
pages = [html_page(article_html()), MESSY.encode(), html_page("<p>" + PARAGRAPHS[1] + "<p>2 March 2020"), unsure_page()]
order = [int(i) for i in sys.argv[1]]
out = {{i: article_bytes(clean(job(pages[i]))).hex() for i in order}}
print([out[i] for i in sorted(out)])
"""


def test_hash_seed_locale_time_zone_and_order_change_nothing() -> None:
    script = SCRIPT.format(folder=os.path.dirname(__file__))  # noqa: PTH120
    seen = {
        subprocess.run(
            [sys.executable, "-c", script, order],
            env={**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": locale, "TZ": zone},
            capture_output=True,
            check=True,
        ).stdout
        for seed, locale, zone, order in (("1", "C", "UTC", "0123"), ("77", "C.UTF-8", "Asia/Tehran", "321013"))
    }
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("head", "below", "title", "date"),
    [
        ("Rights Watchers", "<h2>Nine wells are dry</h2><p>3 May 2019 &mdash; Field office</p>", "Nine wells are dry", "2019-05-03"),
        ("The Valley Post - Nine wells are dry", "<h3>x</h3>", "Nine wells are dry", None),
        ("باز :: نه چاه روستا خشک شد", "<h3>نه چاه روستا خشک شد</h3><div>۲۸ اردیبهشت ۱۴۰۲ | آب</div>", "نه چاه روستا خشک شد", "2023-05-18"),
        ("Nine wells are dry", "<p>Tuesday, 7 July 2020</p><h1>Nine wells are dry</h1><p>October 2018</p>", "Nine wells are dry", "2018-10"),
    ],
)  # fmt: skip
def test_a_title_is_not_the_sites_name_and_a_date_below_the_headline_is_read(head, below, title, date) -> None:
    text = "<p>The wells of nine villages in the valley are dry, and the tanker comes on Mondays only. </p>" * 8
    page = f"<html><head><title>{head}</title></head><body>{below}{text}</body></html>".encode()
    article = clean(job(page, uri="https://www.rightswatchers.example/thevalleypost/1"))
    if "Valley Post" in head:
        article = clean(job(page, uri="https://thevalleypost.example/1"))
    assert article.title == title
    assert (article.published.date if article.published else None) == date


def test_western_text_under_a_wrong_charset_is_read_as_western() -> None:
    sentence = "La crème brûlée à la carte est servie près de la fenêtre où l'été s'achève. "
    page = f"<html><head><meta charset=utf-8></head><body><p>{sentence * 8}</p></body></html>"
    assert "crème brûlée à" in clean(job(page.encode("latin-1"))).text
    czech = "<p>" + "Příliš žluťoučký kůň úpěl ďábelské ódy. " * 20
    assert "žluťoučký" in clean(job(czech.encode("cp1250"))).text
