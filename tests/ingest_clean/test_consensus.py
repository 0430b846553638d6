"""The text that several extractors agree on: how far they agree, and what only one kept."""

from __future__ import annotations

import pytest
from clean_pages import PARAGRAPHS, article_html, html_page, job, unsure_page

from muniment.ingest.clean import clean
from muniment.ingest.clean.consensus import View, _central, _completed, _lacks_prose, _lines, similarity
from muniment.ingest.clean.readable import readable
from muniment.model import Article

TEASER = "A teaser of another story that stands here so that readers go on to read what the paper has of the same kind."


def test_a_plain_article_is_agreed_on_and_says_so() -> None:
    article = clean(job(html_page(article_html())))
    assert article.text == "\n".join(PARAGRAPHS)
    assert article.confidence is not None and article.confidence > 0.9
    assert article.origins["text"] == "trafilatura"


def test_a_page_of_one_opinion_has_less_confidence_and_one_without_text_has_none() -> None:
    sure, unsure = clean(job(html_page(article_html()))), clean(job(unsure_page()))
    assert sure.confidence is not None and unsure.confidence is not None
    assert unsure.confidence < sure.confidence
    assert clean(job(b"<html><body></body></html>")).confidence is None
    assert clean(job("\n".join(PARAGRAPHS).encode(), "text/plain")).confidence is None


def test_a_line_that_no_other_extractor_kept_is_dropped_with_the_reason() -> None:
    shared = View("\n".join(PARAGRAPHS))
    agreed = _central({"precision": View("\n".join((*PARAGRAPHS, TEASER))), "resiliparse": shared, "own": shared})
    assert agreed.text == "\n".join(PARAGRAPHS)
    assert [(d.text, d.reason) for d in agreed.dropped] == [(TEASER, "no-independent-vote")]


def test_a_line_that_three_others_kept_is_put_in_its_place() -> None:
    whole = "\n".join(PARAGRAPHS)
    lacking = "\n".join((PARAGRAPHS[0], PARAGRAPHS[2]))
    views = {name: View(whole) for name in ("default", "own", "readability", "justext")}
    agreed = _central({"precision": View(lacking), "resiliparse": View(lacking), **views})
    assert agreed.text.split("\n") == list(PARAGRAPHS)


LOST = (
    ("The port paid for nine boats, and the island for two of them, the clerk said.", True, True),  # prose
    ("http://harbour.example/2020/03/talks-between-the-port-and-crews", True, True),  # our own opinion has it too
    ("http://harbour.example/2020/03/talks-between-the-port-and-crews", False, False),
    ("NINE BOATS LIE IDLE IN THE HARBOUR AS THE TALKS END.", True, False),  # a teaser
)


@pytest.mark.parametrize(("line", "is_own", "expected"), LOST)
def test_a_line_that_precision_lost_between_others_is_put_back(line: str, is_own: bool, expected: bool) -> None:
    whole = View("\n".join((PARAGRAPHS[0], line, PARAGRAPHS[1], TEASER)))
    own = View(line if is_own else "")
    found = _completed(_lines(View("\n".join(PARAGRAPHS[:2]))), whole, whole, lambda: own)
    assert [text for text, _ in found] == [PARAGRAPHS[0], *([line] if expected else []), PARAGRAPHS[1]]


def test_another_extractor_is_asked_only_where_prose_is_lost_between_lines() -> None:
    first, kept = View("\n".join(PARAGRAPHS[:2])), _lines(View("\n".join(PARAGRAPHS[:2])))
    assert _lacks_prose(kept, first, View("\n".join((PARAGRAPHS[0], TEASER, PARAGRAPHS[1]))))
    assert not _lacks_prose(kept, first, View("\n".join((*PARAGRAPHS[:2], TEASER))))
    assert not _lacks_prose(kept, first, View("\n".join((PARAGRAPHS[0], "Share this", PARAGRAPHS[1]))))


def test_a_short_line_of_chrome_is_dropped_with_the_reason() -> None:
    page = html_page(article_html(PARAGRAPHS[0], PARAGRAPHS[1], "Read more: the other story", PARAGRAPHS[2]))
    article = clean(job(page))
    assert "Read more" not in article.text
    assert ("Read more: the other story", "boilerplate") in [(d.text, d.reason) for d in article.dropped]


def test_similarity_is_one_for_the_same_and_none_for_nothing() -> None:
    one = View(PARAGRAPHS[0])
    assert similarity(one, View(PARAGRAPHS[0].upper())) == 1.0
    assert similarity(one, View("")) == similarity(View(""), View("")) == 0.0
    assert 0 < similarity(one, View(" ".join(PARAGRAPHS))) < 1


def test_words_of_a_script_without_spaces_are_compared_one_by_one() -> None:
    assert len(View("東京で会議が開かれた").words) == 10
    assert View("東京で会議が開かれた").holds(View("会議が開か").words) == pytest.approx(
        0.8
    )  # short, so it counts less


@pytest.mark.parametrize("wrap", ["<div id=sidebar>{}</div>", "<form>{}</form>", "<div class=comment>{}</div>", "{}"])
def test_our_own_opinion_finds_the_prose_wherever_a_template_puts_it(wrap: str) -> None:
    from lxml.html import document_fromstring

    tree = document_fromstring(html_page(wrap.format(article_html())))
    assert all(paragraph in readable(tree) for paragraph in PARAGRAPHS)


def test_an_article_in_pieces_between_advertisements_is_found_whole() -> None:
    from lxml.html import document_fromstring

    pieces = "".join(f'<section class="c{i}"><p>{p}</p></section><div>Ad</div>' for i, p in enumerate(PARAGRAPHS))
    assert all(paragraph in readable(document_fromstring(html_page(pieces))) for paragraph in PARAGRAPHS)


MARKS = "\u200c\u200d\u200e\u200f\u061c\u2067\u2069"


@pytest.mark.parametrize("page", [article_html, lambda *p: unsure_page().decode() + "".join(f"<p>{x}</p>" for x in p)])
def test_marks_that_extractors_drop_are_kept(page) -> None:  # type: ignore[no-untyped-def]
    lines = [
        f"A line{mark}with the mark {mark}number {i} kept, in a sentence of some length {i}."
        for i, mark in enumerate(MARKS * 15)
    ]
    article = clean(job(html_page(page(*lines[:100]))))
    for mark in MARKS:
        assert article.text.count(mark) == sum(line.count(mark) for line in lines[:100] if line in article.text)
    assert sum(line in article.text for line in lines[:100]) >= 99 or page is not article_html


def test_a_hostile_tree_costs_no_more_than_its_size() -> None:
    """A thousand nested elements, and ten thousand siblings with attributes that are regular expressions' worst."""
    nested = "<div>" * 1_000 + PARAGRAPHS[0] + "</div>" * 1_000
    wide = "".join(f'<div class="{"a" * 200}{i}"><a href="#">x</a></div>' for i in range(500))
    for body in (nested, wide):
        found = clean(job(html_page(body)))
        assert isinstance(found, Article)


def test_an_extractor_that_fails_on_a_page_has_no_opinion_and_the_others_are_heard() -> None:
    """readability takes the root of this page away, and asks what lay around it."""
    page = b'<div class="fb-save" \n><a href="https://social.example/harbour">The harbour</a></blockquote></div>'
    article = clean(job(page + b'\n<div class="fb-share-button" \n</div>'))
    assert (article.text, article.problem) == ("The harbour", None)
