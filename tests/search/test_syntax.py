"""Query text to the tree of its syntax, and how little that imports."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time

import pytest

from muniment.search import language, syntax
from muniment.search.words import Refusal


def shown(node: syntax.Node) -> str:
    """The tree as brackets, with the sign of each group first."""
    if isinstance(node, syntax.NoneOf):
        return f"(- {shown(node.part)})"
    if isinstance(node, (syntax.AllOf, syntax.OneOf)):
        sign = "&" if isinstance(node, syntax.AllOf) else "|"
        return f"({sign} {' '.join(map(shown, node.parts))})"
    field = f"{node.field}:" if node.field else ""
    if isinstance(node, syntax.Phrase):
        return f'{field}"{node.text}"{node.reach or ""}'
    if isinstance(node, syntax.Range):
        return f"{field}{'{' if node.without_low else '['}{node.low} {node.high}{'}' if node.without_high else ']'}"
    if isinstance(node, syntax.Fuzzy):
        return f"{field}{node.text}~{node.distance}"
    return f"{field}{'/' if isinstance(node, syntax.Pattern) else ''}{node.text}"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", "(& )"),
        ("a b", "(& a b)"),
        ("a OR b c", "(& (| a b) c)"),
        ("a AND b OR c AND d", "(& (| (& a b) (& c d)))"),
        ("a OR b OR c", "(& (| a b c))"),
        ("NOT a OR -b", "(& (| (- a) (- b)))"),
        ("a NOT (b OR c)", "(& a (- (& (| b c))))"),
        ("title:(a text:b) c", "(& (& title:a text:b) c)"),
        ('"a b"~3 "c"', '(& "a b"3 "c")'),
        ('"a b"? c', '(& "a b" c)'),
        ("a*b ?c d~ e~2", "(& /a*b /?c d~1 e~2)"),
        ("[a TO b} {'a to' to]", "(& [a b} {a to None])"),
        ("-2019..2021 a -2019.. (-..2020)", "(& (- [2019 2021]) a (- [2019 None]) (& (- [None 2020])))"),
        ('"a b"~۱۰ c~۲', '(& "a b"10 c~2)'),
        ("2019..2021 ..2020 title:x", "(& [2019 2021] [None 2020] title:x)"),
        ("http://x.org/a*b?c=[d] e", "(& http://x.org/a*b?c=[d] e)"),
        ("AT&T it's 3.14 -1 a-b", "(& AT&T it's 3.14 (- 1) a-b)"),
        ("ANDROID ORacle NOTE x AND y", "(& ANDROID ORacle NOTE (& x y))"),
    ],
)
def test_a_query_becomes_a_tree(text: str, tree: str) -> None:
    assert shown(syntax.read(text, language.FIELDS)) == tree


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (" AND a", 1, "AND needs something before it"),
        ("( AND a)", 2, "AND needs something before it"),
        ("a OR", 2, "OR needs something after it"),
        ("a (b AND ) c", 5, "AND needs something after it"),
        ("a AND )", 6, "closes nothing"),
        ("((a)", 0, "is not closed"),
        ("a ()", 2, "nothing in these brackets"),
        ("NOT -a", 4, "two NOT in a row"),
        ("title: a", 0, "needs a value right after the colon"),
        ("title:text:a", 6, "title: and text: in a row"),
        ("title:(exact:a)", 7, 'exact: looks in title and text, and not in title: alone; write title:"word"'),
        ('text:(near:"a b")', 6, "near: looks in title and text"),
        ("-NOT a", 1, "- and NOT in a row"),
        ("[a TO b TO c]", 0, "a range has two ends"),
        ("a~two", 1, "one or two letters may differ"),
        ('"a b"~' + "9" * 4500, 15, "put a space here"),
        ("a~" + "9" * 4500, 1, "one or two letters may differ"),
        ('"a b"~0', 5, "so many places apart at most"),
        ("a*~", 2, "~ must follow a word or a phrase"),
        ("a~~", 2, "~ must follow a word or a phrase"),
        ("a~3", 1, "one or two letters may differ"),
        ("a~b", 1, "one or two letters may differ"),
        ('a*"b"', 2, "put a space here"),
        ("[a TO b]c", 8, "put a space here"),
        ("title:a?-AND [x", 13, "brackets like these are for ranges"),
    ],
)
def test_what_cannot_be_read_is_refused_where_it_stands(text: str, place: int, message: str) -> None:
    with pytest.raises(Refusal, match=message) as refused:
        syntax.read(text, language.FIELDS)
    assert refused.value.place == place


@pytest.mark.parametrize("piece", ["(", '"', "[", "[ to ", "{a ", "a to ", "a:", "~", "*", "..1", "-", "http://", "' "])
def test_no_query_takes_long_to_read(piece: str) -> None:
    text = piece * (language.MAX_LENGTH // len(piece))
    begun = time.process_time()
    with contextlib.suppress(Refusal):
        syntax.read(text, language.FIELDS)
    assert time.process_time() - begun < 1  # about 0.02 s; Whoosh's expression for ranges took 39


@pytest.mark.parametrize(
    "text", ['(a "b)', "a) (b", "a ))", '"', 'a b"', ")", "(a b", '"a b', "a b) c", "(a (b", 'title:"a']
)
def test_what_is_proposed_can_be_read(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        syntax.read(text, language.FIELDS)
    _, _, proposal = refused.value.message.partition("did you mean ")
    if proposal:
        assert syntax.read(proposal.removesuffix(" ?"), language.FIELDS).parts
    assert bool(proposal) == (text in ("(a b", '"a b', "a b) c", "(a (b", 'title:"a'))


def test_a_query_is_read_without_whoosh() -> None:
    code = (
        "import sys; from muniment.search import language; language.parse('\"a b\"~2 OR (c* -d~) 2019..2021');"
        "print(*[m for m in sys.modules if m.startswith('whoosh')])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.split() == []
