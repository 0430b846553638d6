"""The date beside the headline, and when it wins over what the page declares or htmldate guesses."""

from __future__ import annotations

import json

import pytest
from clean_pages import HEADLINE, PARAGRAPHS, article_html, html_page, job

from muniment.ingest.clean import clean

TEXT = "".join(f"<p>{p}</p>" for p in PARAGRAPHS)
H1 = f"<h1>{HEADLINE}</h1>"
FAR = "<p>And more of it.</p>" * 30
CARD = '<a href="/b"><h3>Another story that readers of this one go on to, or so it is hoped</h3><time datetime="{0}">{0}</time></a>'


def found(body: str, head: str = "", uri: str = "https://harbour.example/a") -> tuple[str, str] | None:
    published = clean(job(html_page(body, head), uri=uri)).published
    return (published.date, published.origin) if published else None


def declared(published: str, modified: str = "") -> str:
    ld = {"@type": "NewsArticle", "headline": HEADLINE, "datePublished": published, "dateModified": modified}
    return f'<script type="application/ld+json">{json.dumps(ld)}</script>'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (H1 + "<p>Written: 2020-03-02 15:03:30</p>" + TEXT, ("2020-03-02", "dateline")),
        (f"<h1>{HEADLINE} <span>Subscribers</span></h1><p>2 March 2020</p>" + TEXT, ("2020-03-02", "dateline")),
        (H1 + '<time datetime="2020-01-03">03/01/2020</time>' + TEXT + '<time datetime="2020-05-05">5 May</time>', ("2020-01-03", "dateline")),
        ("<p>2 March 2020</p>" + H1 + TEXT, ("2020-03-02", "dateline")),
        (H1 + "<p>Publié le 2 mars 2020 à 10h30</p>" + TEXT, ("2020-03-02", "dateline")),
        (H1 + "<span>Published</span> <span>2 March 2020</span><span>Updated</span><span>9 May 2021</span>" + TEXT, ("2020-03-02", "dateline")),
        (H1 + "<blockquote><p>1 May 2019</p></blockquote>" + TEXT + "<p>2 March 2020</p>", ("2020-03-02", "only-day-shown")),
        (H1 + TEXT + f"<p>The tunnel is closed from the twenty-fourth of April until 2 October 2017, {PARAGRAPHS[2][:60]}</p>", None),
        (H1 + "<p>Updated 2 March 2020</p>" + TEXT + CARD.format("2020-05-05") + FAR + "<p>5 May 2020</p>", None),
    ],
)  # fmt: skip
def test_a_date_that_readers_see_is_the_articles_where_nothing_speaks_against_it(
    body: str, expected: tuple[str, str] | None
) -> None:
    assert found(body) == expected


@pytest.mark.parametrize(
    ("head", "shown", "expected"),
    [
        # a teaser's day in the head of the article: the declared day is shown there too
        (declared("2022-08-14T15:40:00+02:00"), "<p>14/08/2021</p><p>Faith and more</p><p>14 August 2022, 15:40</p>", "2022-08-14"),
        # no zone makes the day before of an afternoon in UTC
        (declared("2020-03-03T14:36:00Z"), "<p>2 March 2020</p>", "2020-03-03"),
        # declared is the last change, to the second
        (declared("2020-03-20T14:36:00Z", "2020-03-20T14:36:00Z"), "<p>19 March 2020</p>", "2020-03-19"),
        (declared("2020-03-20T14:36:00Z", "2020-03-21T14:36:00Z"), "<p>19 March 2020</p>", "2020-03-20"),
        # what is shown later than it was published is a change's
        (declared("2020-03-02T08:00:00Z", "2020-05-01T08:00:00Z"), "<p>1 May 2020</p>", "2020-03-02"),
    ],
)  # fmt: skip
def test_the_day_shown_wins_only_where_the_declared_one_is_explained(head: str, shown: str, expected: str) -> None:
    published = found(H1 + shown + TEXT, head)
    assert published and published[0] == expected


@pytest.mark.parametrize("path", ["2017/7/12", "2017/07/12"])
def test_the_day_in_an_address_is_older_than_the_move_to_another_system(path: str) -> None:
    page = article_html()
    assert found(page, declared("2019-06-17T18:28:00Z"), f"https://h.example/{path}/a") == ("2017-07-12", "url")
    assert found(page, declared("2017-07-13T08:28:00Z"), f"https://h.example/{path}/a") == (
        "2017-07-13",
        "jsonld:datePublished",
    )


@pytest.mark.parametrize(
    "comment",
    [
        '<a href="/c"><p>One reader writes at some length that the ferries were late again</p><time datetime="2019-09-22" pubdate>x</time></a>',
        '<div class="comment-list"><time datetime="2019-09-22" itemprop="datePublished">x</time></div>',
        '<div itemscope itemtype="https://schema.org/Comment"><meta itemprop="datePublished" content="2019-09-22"></div>',
    ],
)
def test_the_date_of_a_comment_is_not_the_articles(comment: str) -> None:
    published = found(H1 + "<p>28 June 2019</p>" + TEXT + comment)
    assert published == ("2019-06-28", "dateline")


def test_a_first_of_the_month_that_the_page_nowhere_shows_is_refused() -> None:
    url = "https://harbour.example/2018/08/ferry.html"
    assert found(article_html(), f'<link rel="canonical" href="{url}">', url) is None
    assert found(article_html() + "<p>1 August 2018</p>", "", url) is not None


def test_a_guess_that_a_front_page_does_not_show_is_refused() -> None:
    counter = '<abbr title="9 Apr 2003, 0:00:00">16 years ago</abbr>'
    assert found(article_html() + counter, "", "https://harbour.example/") is None
