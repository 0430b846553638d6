"""trafilatura's rules, remembered: the same elements as the rules themselves, asked once per kind of element."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest
from lxml import html
from lxml.etree import SubElement, XPath, _Element

from bench.pages import make_article, render_page
from muniment.ingest.clean.remembered import _MAX_ANSWERS, _MAX_KEY, _MAX_ONCE, Remembered, remember

EXSLT = {"re": "http://exslt.org/regular-expressions"}
LOCAL = (
    ".//*[self::div or self::p][re:test(@class, 'share|^nav', 'i')]",
    ".//*[@class='reply' or re:test(@id|@style, 'hidden') or @aria-hidden='true']",
    ".//*[contains(translate(@role, 'N', 'n'), 'nav')]",
    ".//*[self::div or self::ol][re:test(@class, 'note')][not(self::ol) or starts-with(@id, 'note')]",
)
AROUND = (
    ".//header",
    ".//*[self::div][@class='post'][1]",
    ".//*[self::div][not(.//h1)]",
    ".//*[contains(., 'text')]",
    ".//*[@class]/p",
    ".//*[string-length(@class) > 3]",
    "(.//*[self::div])",
    ".//cite|.//quote",
)
VALUES = ("share-bar", "nav", "SubNav", "hidden", "reply", "note-1", "true", "", "Navigation", "a 'quoted' value")


def random_tree(seed: int) -> _Element:
    rng = random.Random(seed)
    root = html.Element("body")
    elements = [root]
    for _ in range(200):
        tag = rng.choice(("div", "p", "ol", "span", "header", "o:p"))
        names = rng.sample(("class", "id", "style", "role", "aria-hidden", "title"), rng.randint(0, 3))
        attributes = " ".join(f'{name}="{rng.choice(VALUES)}"' for name in names)
        elements.append(html.fragment_fromstring(f"<{tag} {attributes}>text</{tag}>"))
        rng.choice(elements[:-1]).append(elements[-1])
    root.insert(0, html.HtmlComment("a comment"))
    return root


def expression(path: str) -> XPath:
    return XPath(path, namespaces=EXSLT)


@pytest.mark.parametrize("path", LOCAL)
def test_gives_the_elements_that_the_expression_gives(path: str) -> None:
    rules: list[object] = [expression(path)]
    remember(rules)
    (remembered,) = rules
    assert isinstance(remembered, Remembered)
    selected = 0
    for seed in range(30):
        tree = random_tree(seed)
        expected = expression(path)(tree)
        assert remembered(tree) == expected
        assert remembered(tree[-1]) == expression(path)(tree[-1])
        selected += len(expected)
    assert selected > 30


@pytest.mark.parametrize("path", AROUND)
def test_leaves_an_expression_alone_that_looks_around_the_element(path: str) -> None:
    rule = expression(path)
    rules = [rule]
    remember(rules)
    assert rules == [rule]


def test_what_a_hostile_page_makes_it_remember_is_bounded() -> None:
    remembered = Remembered(".//*[@class='0']")
    tree = html.Element("body")
    for i in range(_MAX_ANSWERS + 10):
        SubElement(tree, "p", {"class": str(i)})
    SubElement(tree, "p", {"class": "x" * (_MAX_KEY + 1)})
    for i in range(_MAX_ANSWERS + 10):  # and each of them again at once
        SubElement(tree, "div", {"class": f"twice {i}"})
        SubElement(tree, "div", {"class": f"twice {i}"})
    assert remembered(tree) == remembered(tree) == [tree[0]]
    assert len(remembered._answers) <= _MAX_ANSWERS and len(remembered._once) <= _MAX_ONCE
    assert all(len(value) <= _MAX_KEY for _, items in remembered._answers for _, value in items)


def test_an_extraction_is_the_same_as_with_trafilaturas_own_rules() -> None:
    """In two processes, for the rules are replaced for good."""
    pages = [render_page(make_article(i)) for i in range(12)]
    script = """if True:
        import sys, json
        from trafilatura import bare_extraction
        from muniment.ingest.clean.html import _parse, _pinned_extractor
        pages = json.load(sys.stdin)
        options = {"favor_precision": True, "include_comments": False, "deduplicate": False}
        if sys.argv[1] == "ours":
            texts = [_pinned_extractor()(_parse(page), **options).text for page in pages]
        else:
            texts = [bare_extraction(page, **options).text for page in pages]
        print(json.dumps(texts))
    """
    outputs = [
        subprocess.run(
            [sys.executable, "-c", script, which], input=json.dumps(pages), capture_output=True, text=True, check=True
        ).stdout
        for which in ("ours", "theirs")
    ]
    ours, theirs = map(json.loads, outputs)
    assert ours == theirs
    assert all(len(text) > 500 for text in ours)
