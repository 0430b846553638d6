"""trafilatura's rules for what is no article, asked once per kind of element instead of once per element.

Most of an extraction is spent in expressions such as `.//*[self::div or self::p][re:test(@class, '…')]`: lxml calls
Python for each `re:test`, several times for every element of a page. All that they ask of an element is its tag and a
few attributes, and the same few hundred combinations come back all over a site. `remember` puts a `Remembered` in the
place of each such expression: the expression itself still decides, on the first element of each combination, and its
answer is kept. Expressions that look around the element (`[1]`, `.//h1`) are left as they are.
"""

from __future__ import annotations

import re
from collections.abc import MutableSequence
from typing import Any

from lxml.etree import XPath, _Element

_MAX_ANSWERS, _MAX_ONCE, _MAX_KEY = (
    2_000,
    500,
    300,
)  # a few hundred combinations come back; the others stand on one page
_LITERAL = re.compile("'[^']*'|\"[^\"]*\"")
_LOCAL = re.compile(
    r"\.//\*(?:\[(?:\s|''|[()|,=]|@[\w-]+|self::\w+|\b(?:or|and|not|contains|translate|starts-with|re:test)\b)+\]\s*)+"
)
_TAGS_FIRST = re.compile(r"\.//\*\[\s*(self::\w+(?:\s+or\s+self::\w+)*)\s*\]\s*\[")
_Key = tuple[Any, tuple[tuple[Any, Any], ...]]  # the tag, and the attributes that the expression asks for
_EXSLT = {"re": "http://exslt.org/regular-expressions"}


class Remembered:
    """An XPath of the form `.//*[…]` that depends on an element's tag and attributes alone; called like the XPath."""

    def __init__(self, path: str):
        bare = _LITERAL.sub("''", path)
        first = _TAGS_FIRST.match(bare)
        self._tags = re.findall(r"self::(\w+)", first[1]) if first else ["*"]
        self._attributes = frozenset(re.findall(r"@([\w-]+)", bare))
        self._asks = XPath("self::*" + path.removeprefix(".//*"), namespaces=_EXSLT)
        self._answers: dict[_Key, bool] = {}  # to what was met twice
        self._once: dict[_Key, bool] = {}

    def __call__(self, tree: _Element) -> list[_Element]:
        """The elements below `tree` that the expression selects, in the order of the document."""
        answers, attributes = self._answers, self._attributes
        selected = []
        for element in tree.iterdescendants(*self._tags):
            # In the page's order, which matters: the string of `@id|@class` is that of the one that comes first.
            key = (element.tag, tuple([item for item in element.items() if item[0] in attributes]))
            answer = answers.get(key)
            if answer is None:
                answer = self._ask(element, key)
            if answer:
                selected.append(element)
        return selected

    def _ask(self, element: _Element, key: _Key) -> bool:
        answer = self._once.pop(key, None)
        if answer is None:
            answer = bool(self._asks(element))
            kept, limit = self._once, _MAX_ONCE
        else:
            kept, limit = self._answers, _MAX_ANSWERS
        if sum(len(value) for _, value in key[1]) <= _MAX_KEY:
            if len(kept) >= limit:
                kept.clear()
            kept[key] = answer
        return answer


def remember(rules: MutableSequence[Any]) -> None:
    """Replace those of the expressions, in place, whose answers can be remembered."""
    for i, rule in enumerate(rules):
        if isinstance(rule, XPath) and _LOCAL.fullmatch(_LITERAL.sub("''", path := rule.path.strip())):
            rules[i] = Remembered(path)
