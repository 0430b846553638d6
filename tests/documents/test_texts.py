"""Markdown, RTF, and pages saved in one file with everything inlined."""

from __future__ import annotations

import base64
import time

import pytest

from muniment.ingest.decode import MAX_BYTES, MAX_DOCUMENT
from muniment.ingest.documents.singlefile import saved_page
from tests.documents.builders import read
from tests.ingest_clean.clean_pages import HEADLINE, PARAGRAPHS, article_html, html_page

MARKDOWN = """---
title: "Ferry crews: the vote"
authors:
  - Ann Example
  - Bo Example
date: 2021-05-31T23:30:00+04:30
nested:
  deeper: x
---
# Another heading

The *crews* of [nine ferries](https://harbour.example) **voted**, می‌خواهم\\.

* first
* second

| Boat | Votes |
| --- | --- |
| One | 12 |

```
kept   as typed
```
"""


def test_markdown_loses_its_markup_and_keeps_its_text() -> None:
    article = read(MARKDOWN.encode(), "text/markdown", "a.md")
    assert article.text.split("\n") == [
        "Another heading", "The crews of nine ferries voted, می‌خواهم.", "first", "second", "Boat\tVotes", "One\t12",
        "kept   as typed",
    ]  # fmt: skip
    assert (article.title, article.authors) == ("Ferry crews: the vote", ("Ann Example", "Bo Example"))
    assert article.published is not None
    assert (article.published.date, article.published.origin) == ("2021-05-31", "markdown:date")


def test_a_heading_is_the_title_of_a_markdown_without_a_head() -> None:
    article = read(b"# The vote\n\nIt was close.\n\n<script>x</script>", "text/plain", "a.markdown")
    assert (article.title, article.text, article.extractor) == ("The vote", "It was close.", "muniment-markdown/3")
    assert read(html_page(article_html()), "text/html", "a.md").extractor == "muniment-html/3"


def test_hostile_markdown_takes_no_time() -> None:
    begun = time.process_time()
    for data in (b"[" * 3_000, b"> " * 1_000, b"*a_" * 2_000, b"- " * 1_000, b"---\n" + b"title: [" * 50_000):
        read(data, "text/markdown", "a.md")
    assert time.process_time() - begun < 5


RTF = rb"""{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0 Arial;}{\f1\fcharset204 Arial Cyr;}{\f2\fcharset178 Arial Arabic;}}
{\info{\title Ferry \'93vote\'94}{\author Ann Example}{\creatim\yr2021\mo5\dy31\hr23}{\*\company X}}
{\header Not this}{\pict 89504e47}{\*\unknown nor this}
\pard {\f1 \'cf\'f0\'e8\'e2\'e5\'f2}, caf\'e9 \u8212? dash\par
{\uc2\u1605 \'3f\'3f\u1740\'3f\'3f}\zwnj{\f2 \'ce}{\field{\*\fldinst HYPERLINK x}{\fldrslt linked}} \{braces\}\par
\u-10179?\u-8704?\v hidden\v0\cell next\row
}"""


def test_rtf_gives_its_text_in_the_code_pages_of_its_fonts() -> None:
    article = read(RTF, "application/rtf", "a.rtf")
    assert article.text.split("\n") == ["Привет, café — dash", "می\u200cخlinked {braces}", "😀\tnext"]
    assert (article.title, article.authors) == ("Ferry “vote”", ("Ann Example",))
    assert article.published is not None and article.published.date == "2021-05-31"


@pytest.mark.parametrize(
    "data",
    [rb"{\rtf1 " + b"{" * 100_000, rb"{\rtf1\bin99999999 x", rb"{\rtf1 \u9999999999? \'zz \uc-5 }}}}}", rb"{\rtf1 \fcharset9 \f-1 \'80",
     rb"{\rtf1" + rb"\u65 " * 100_000],
)  # fmt: skip
def test_malformed_rtf_gives_text_or_a_named_problem(data: bytes) -> None:
    begun = time.process_time()
    article = read(data)
    assert article.text or article.problem == "no-text"
    assert time.process_time() - begun < 3


SAVED = (
    "<!--\n Page saved with SingleFile \n url: https://harbour.example/2021/05/30/vote \n"
    " saved date: Mon Jan 03 2022 10:37:56 GMT+0100 (Central European Standard Time)\n-->"
)


def single_file(inlined: int) -> bytes:
    picture = base64.b64encode(bytes(range(256)) * (inlined // 256)).decode()
    head = f'<style>body {{background: url("data:image/png;base64,{picture}")}}</style>'
    page = html_page(article_html() + f'<img src="data:image/jpeg;base64,{picture}">', head).decode()
    return page.replace('<html lang="en">', f'<html lang="en">{SAVED}').encode()


def test_a_saved_page_says_where_from_and_when() -> None:
    saved = saved_page(single_file(256).decode())
    assert saved == ("SingleFile", "https://harbour.example/2021/05/30/vote", "2022-01-03T10:37:56+01:00")
    article = read(single_file(256), "text/html", "a.html")
    assert article.said["saved:from"] == "https://harbour.example/2021/05/30/vote"
    assert article.said["saved:at"] == "2022-01-03T10:37:56+01:00"
    assert article.published is not None and article.published.origin == "url"
    assert saved_page("<!-- saved from url=(0025)https://harbour.example/a -->\n<html>") == (
        "browser", "https://harbour.example/a", "",
    )  # fmt: skip
    assert saved_page("<html><!-- a comment --></html>") is None


def test_what_is_inlined_neither_slows_nor_spoils_cleaning() -> None:
    page = single_file(12_000_000)
    assert MAX_BYTES < len(page) < MAX_DOCUMENT
    begun = time.process_time()
    article = read(page, "text/html", "a.html")
    assert time.process_time() - begun < 4
    assert (article.title, article.text) == (HEADLINE, "\n".join(PARAGRAPHS))
