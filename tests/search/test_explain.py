"""How a query is told back to people."""

from __future__ import annotations

from datetime import date

import pytest

from muniment.search.explain import explained
from muniment.search.language import parse
from muniment.search.results import Filters, filtered


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("dam", ["word dam in title or text"]),
        ("dam author:ray", ["all of", "  word dam in title or text", "  word ray in author"]),
        ('text:"a b"~3', ['phrase "a b" in text, up to 3 places from one to the next']),
        ('"a b" OR -title:c', ["any of", '  phrase "a b" in title or text', "  not", "    word c in title"]),
        ("gov* wom?n", ["all of", "  word like gov* in title or text", "  word like wom?n in title or text"]),
        ("tehran~ a~2", ["all of", "  word like tehran, up to 1 letter wrong, in title or text",
                         "  word like a, up to 2 letters wrong, in title or text"]),
        ("source:ex* site:example.org", ["all of", "  source like ex*", "  site is example.org"]),
        ("is:withdrawn tag:leak", ["all of", "  is withdrawn", "  tag is leak"]),
        ("source:* author:*", ["all of", "  source known", "  anything in author"]),
        ("2019", ["word 2019 in title or text"]),
        ("published:2019", ["published 2019-01-01 to 2019-12-31"]),
        ("dam 2019..2021 x", ["all of", "  word dam in title or text", "  published 2019-01-01 to 2021-12-31",
                              "  word x in title or text"]),
        ("before:2020", ["published before 2020-01-01"]),
        ("after:2020", ["published after 2020-12-31"]),
        ("2019..", ["published 2019-01-01 or later"]),
        ("..2019", ["published 2019-12-31 or earlier"]),
        ("published:{2019 TO 2020}", ["all of", "  published after 2019-12-31", "  published before 2020-01-01"]),
        ("published:*", ["published: date known"]),
        ("captured:yesterday", ["captured 2026-11-21 to 2026-11-21"]),
        ("captured:..2025", ["captured any day to 2025-12-31"]),
        ("title:[a TO m}", ["word from a to m (without it) in title"]),
    ],
)  # fmt: skip
def test_a_query_is_told_in_words(text: str, lines: list[str]) -> None:
    assert list(explained(parse(text, today=date(2026, 11, 22)))) == lines


def test_filters_are_told_too() -> None:
    tree = filtered(parse("dam"), Filters(source=("A", "B"), language=("en-GB",), since="2019"))
    assert list(explained(tree)) == [
        "all of", "  word dam in title or text", "  source is a or b", "  language is en", "  published 2019-01-01 or later",
    ]  # fmt: skip
