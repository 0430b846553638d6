"""What a page says of itself: its own address, when it was changed, who wrote it; and pages that stand in an article's place."""

from __future__ import annotations

import json

import pytest
from clean_pages import HEADLINE, PARAGRAPHS, article_html, html_page, job

from muniment.ingest.clean import clean

URL = "https://www.harbour.example/2020/03/ferry?utm_source=mail"


def canonical_of(head: str, uri: str = URL) -> str | None:
    return clean(job(html_page(article_html(), head), uri=uri)).canonical


@pytest.mark.parametrize(
    ("head", "uri", "expected"),
    [
        ('<link rel="canonical" href="https://www.harbour.example/2020/03/ferry">', URL, "https://www.harbour.example/2020/03/ferry"),
        ('<link rel="canonical" href="/2020/03/ferry#top">', URL, "https://www.harbour.example/2020/03/ferry"),
        ('<meta property="og:url" content="https://harbour.example/f">', URL, "https://harbour.example/f"),
        ('<link rel="canonical" href="https://www.harbour.example/f">', "https://amp.harbour.example/f.amp", "https://www.harbour.example/f"),
        ('<link rel="canonical" href="https://harbour.example/f">', "https://m.harbour.example/f?print=1", "https://harbour.example/f"),
        ('<link rel="canonical" href="https://www.harbour.example/">', URL, None),
        ('<link rel="canonical" href="https://wire.example/f">', URL, None),
        ('<link rel="canonical" href="/news/">', "https://www.harbour.example/news/2020/03/ferry", None),
        ('<link rel="canonical" href="/f">', "https://www.harbour.example/f/amp", "https://www.harbour.example/f"),
        ('<link rel="canonical" href="/f">', "https://www.harbour.example/f/page/2", "https://www.harbour.example/f"),
        ('<link rel="canonical" href="/2020/03/f">', "https://www.harbour.example/2020/03/f/all", "https://www.harbour.example/2020/03/f"),
        ('<link rel="canonical" href="javascript:alert(1)">', URL, None),
        ('<link rel="canonical" href="http://[half">', URL, None),
        ('<link rel="canonical" href="http://a:b@www.harbour.example/f">', URL, None),
        ('<link rel="canonical" href="https://www.harbour.example/f">', "", "https://www.harbour.example/f"),
        ("", URL, None),
    ],
)  # fmt: skip
def test_the_address_that_a_page_names_is_believed_where_it_is_plausible(
    head: str, uri: str, expected: str | None
) -> None:
    assert canonical_of(head, uri) == expected


def test_the_front_pages_canonical_is_skipped_for_the_next() -> None:
    head = '<link rel="canonical" href="/"><meta property="og:url" content="https://www.harbour.example/2020/03/ferry">'
    assert canonical_of(head) == "https://www.harbour.example/2020/03/ferry"


def test_an_update_is_told_from_the_publication_with_its_time_and_zone() -> None:
    ld = {"@type": "NewsArticle", "headline": HEADLINE, "datePublished": "2020-03-02T08:00:00+01:00",
          "dateModified": "2020-03-02T19:30:00+01:00"}  # fmt: skip
    article = clean(job(html_page(article_html(), f'<script type="application/ld+json">{json.dumps(ld)}</script>')))
    assert article.published and article.updated
    assert (article.published.date, article.published.stated) == ("2020-03-02", "2020-03-02T08:00:00+01:00")
    assert (article.updated.stated, article.updated.origin) == ("2020-03-02T19:30:00+01:00", "jsonld:dateModified")


@pytest.mark.parametrize("modified", ["2020-03-02T08:00:00+01:00", "2020-03-01", "2031-01-01", "soon"])
def test_what_is_no_later_date_is_no_update(modified: str) -> None:
    head = '<meta property="article:published_time" content="2020-03-02T08:00:00+01:00">'
    head += f'<meta property="article:modified_time" content="{modified}">'
    assert clean(job(html_page(article_html(), head))).updated is None


def test_a_date_shown_the_day_before_the_one_in_utc_is_the_publishers() -> None:
    head = '<meta property="article:published_time" content="2020-03-03T02:11:00Z">'
    body = article_html("March 2, 2020", *PARAGRAPHS)
    published = clean(job(html_page(body, head))).published
    assert published and (published.date, published.origin) == ("2020-03-02", "dateline")
    assert published.stated == "2020-03-03T02:11:00+00:00"


def test_a_page_that_moved_shows_the_day_of_the_article() -> None:
    head = '<meta property="article:published_time" content="2024-07-01T10:00:00Z">'
    published = clean(job(html_page(article_html("March 2, 2020", *PARAGRAPHS), head))).published
    assert published and published.date == "2020-03-02"


@pytest.mark.parametrize(
    ("byline", "expected"),
    [
        ('<div class="byline">By <a href="/ann">Ann Example</a></div>', ("Ann Example",)),
        ('<span class="article-author">Written by Ann Example and Bo Sample</span>', ("Ann Example", "Bo Sample")),
        ('<p class="author">Ann Example | 2 March 2020</p>', ("Ann Example",)),
        ('<p class="author-box">Read more articles</p>', ()),
        ('<div class="author">' + "She writes about ferries and much else. " * 9 + "</div>", ()),
    ],
)
def test_the_byline_that_readers_see_is_taken_where_nothing_is_declared(byline: str, expected: tuple[str, ...]) -> None:
    article = clean(job(html_page(f"<h1>{HEADLINE}</h1>{byline}" + "".join(f"<p>{p}</p>" for p in PARAGRAPHS))))
    assert article.authors == expected


def test_a_degree_belongs_to_its_bearer() -> None:
    head = '<meta name="author" content="Ann Example, MD, Ph.D.">'
    assert clean(job(html_page(article_html(), head))).authors == ("Ann Example, MD, Ph.D.",)


LOCKED = '<script type="application/ld+json">{"@type": "NewsArticle", "headline": "x", "isAccessibleForFree": "False"}</script>'


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (html_page(article_html(), LOCKED), ("paywall",)),
        (html_page(article_html(PARAGRAPHS[0], "Subscribe to continue reading this article.")), ("paywall",)),
        (html_page(article_html(PARAGRAPHS[0], "Cet article est réservé aux abonnés.")), ("paywall",)),
        (html_page(article_html(*(f"{i}. {p}" for i in range(6) for p in PARAGRAPHS), "Subscribe to keep reading."), ""), ()),
        (html_page(article_html("We use cookies on this site. Our partners store and/or access information on a device"
                                " for personalised ads.", "Accept all, or manage consent. You can change the cookie"
                                " settings at any time.", title="Before you go on")), ("cookie-wall",)),
        (html_page(article_html("The page you requested could not be found.", title="404: Page not found")), ("soft-404",)),
        (html_page(article_html("Die Seite wurde nicht gefunden.", title="Seite nicht gefunden")), ("soft-404",)),
        (html_page(article_html("We and our partners use cookies to store and access information. Accept all to go on.",
                                title="Before you continue")), ("cookie-wall",)),
        (html_page(article_html("Wir verwenden Cookies. Alle akzeptieren, oder Ihre Einwilligung verwalten.",
                                title="Ihre Privatsphäre")), ("cookie-wall",)),
        (html_page(article_html("We can't find the page you were looking for.", title="Oops!")), ("soft-404",)),
        (html_page(article_html("Maybe try a search?", title="That page can't be found.")), ("soft-404",)),
        (html_page(article_html("The search ended on Monday.", title="Ferry's mate not found")), ()),
        (html_page(article_html("The mate was not found, said the harbour.", title="404 boats searched for the mate")), ()),
        (html_page(article_html(PARAGRAPHS[0], "The harbour may not ask for consent before it sells tickets.",
                                title="Court rules on cookies")), ()),
        (html_page(article_html(*PARAGRAPHS, *PARAGRAPHS, title="Lost ferry not found after a week")), ()),
        (html_page(article_html()), ()),
    ],
)  # fmt: skip
def test_a_page_in_an_articles_place_is_flagged(page: bytes, expected: tuple[str, ...]) -> None:
    assert clean(job(page)).flags == expected


def test_the_identity_of_another_address_is_told_but_not_for_a_file() -> None:
    head = '<link rel="canonical" href="https://www.harbour.example/f?utm_source=x">'
    amp = job(html_page(article_html(), head), uri="https://amp.harbour.example/f")
    assert clean(amp).canonical_key == "harbour.example/f"
    assert clean(job(html_page(article_html(), head), uri="http://harbour.example/f/")).canonical_key is None
    saved = clean(job(html_page(article_html(), head), uri="file:///f.html"))
    assert saved.canonical is not None and saved.canonical_key is None
