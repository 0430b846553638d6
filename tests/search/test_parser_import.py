"""The parser is imported without Whoosh's engine, and nobody else's Whoosh is the worse for it."""

from __future__ import annotations

import subprocess
import sys


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_a_parsed_query_needs_none_of_whooshs_engine() -> None:
    loaded = run(
        "import sys; from muniment.search import language; language.parse('\"a b\"~2 OR (c* -d~) 2019..2021');"
        "print(*[m for m in sys.modules if m.startswith('whoosh')])"
    ).split()
    assert set(loaded) == {"whoosh", "whoosh.util", "whoosh.util.text"}


def test_a_whole_whoosh_can_be_imported_before_and_after() -> None:
    parse = "from whoosh.qparser import QueryParser; print(repr(QueryParser('f', None).parse('a b')));"
    ours = "from muniment.search import language; print(language.parse('\"a b\"'));"
    for code in (ours + parse, parse + ours):
        assert "And([Term('f', 'a'), Term('f', 'b')])" in run(code)
        assert "Phrase(" in run(code)
