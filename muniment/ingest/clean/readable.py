"""The article of a page by its paragraphs' weight: an opinion that owes nothing to trafilatura's rules.

The scoring is that of arc90's readability: each paragraph gives points to its parent and half as many to its
grandparent, classes and links weigh on an element's points, and the best element, with the siblings that are like
it, is the article. It reads the tree that the other extractors share, and changes nothing in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from lxml.etree import _Element


def _tags(names: str) -> frozenset[str]:
    return frozenset(names.split())


_UNLIKELY = re.compile(
    r"combx|comment|community|disqus|extra|foot|header|menu|remark|rss|shoutbox|sidebar|sponsor|ad-break|agegate"
    r"|pagination|pager|popup|tweet|twitter|breadcrumb|cookie|consent",
    re.I,
)
_MAYBE = re.compile(r"and|article|body|column|main|shadow|content|story|post", re.I)
_POSITIVE = re.compile(r"article|body|content|entry|hentry|main|page|pagination|post|text|blog|story", re.I)
_NEGATIVE = re.compile(
    r"combx|comment|com-|contact|foot|footer|footnote|masthead|media|meta|outbrain|promo|related|scroll|shoutbox"
    r"|sidebar|sponsor|shopping|tags|tool|widget|teaser|newsletter|share|caption",
    re.I,
)
_SKIPPED = _tags(
    "script style template noscript nav aside header footer button select svg iframe head figure video audio"
    " object canvas textarea input label dialog"
)
_BLOCKS = _tags(
    "p div li h1 h2 h3 h4 h5 h6 blockquote pre tr dt dd section article main ul ol table br td th address body"
)
_PARAGRAPHS = frozenset(("p", "pre", "td", "blockquote", "li", "div", "section", "article"))
_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_TAG_POINTS = {"div": 5, "article": 8, "main": 5, "pre": 3, "td": 3, "blockquote": 3, "ul": -3, "ol": -3, "form": -3}
_COMMAS = re.compile("[,،、，;；]")
_SPACELESS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_ENOUGH = 250  # characters; where less is left, too much was pruned
_LINE = re.compile(r"\s+")


class _Node:
    """What is known of one element: its own characters of text and those of its links, with all below it."""

    __slots__ = ("commas", "link", "points", "prose", "text")

    def __init__(self) -> None:
        self.text = self.link = self.commas = self.prose = 0
        self.points: float | None = None


def readable(tree: _Element) -> str:
    """The running text of the page's weightiest element, a block a line; empty where no element has any weight."""
    text = _weigh(tree, prune=True)  # from the root: a broken page has more than one body
    return text if len(text) >= _ENOUGH else max(text, _weigh(tree, prune=False), key=len)


def lines_of(tree: _Element) -> str:
    """All text of a tree, a block a line."""
    lines = [""]
    stack: list[tuple[_Element, bool]] = [(tree, False)]
    while stack:
        element, is_left = stack.pop()
        if element.tag in _BLOCKS or element.tag == "br":
            lines.append("")
        if is_left:
            lines[-1] += (element.tail or "") if element is not tree else ""
        else:
            stack.append((element, True))
            lines[-1] += (element.text or "") if isinstance(element.tag, str) else ""
            stack += [(child, False) for child in reversed(element)]
    return "\n".join(_full(lines))


def _full(lines: Iterable[str]) -> Iterator[str]:
    return (line for line in (_LINE.sub(" ", line).strip() for line in lines) if line)


def _weigh(root: _Element, *, prune: bool) -> str:
    nodes: dict[_Element, _Node] = {}
    order = list(_kept(root, prune))
    for element in reversed(order):  # children before their parents
        _measure(element, nodes)
    for element in order:
        if element.tag in _PARAGRAPHS:
            _give_points(element, nodes)
    scored = [
        (node.points * (1 - node.link / max(1, node.text)), -i, element)
        for i, element in enumerate(order)
        if (node := nodes[element]).points is not None
    ]
    if not scored:
        return ""
    best, _, top = max(scored)
    top = _whole(top, nodes)
    weights = {element: points for points, _, element in scored}
    parent = top.getparent()
    parts = [top] if top is root or parent is None else [e for e in parent if e in nodes]
    lines: list[str] = []
    for part in parts:
        if part is top or _belongs(part, nodes[part], weights.get(part, 0.0), max(10.0, best * 0.2)):
            lines += _lines(part, nodes)
    return "\n".join(_full(lines))


def _whole(top: _Element, nodes: dict[_Element, _Node]) -> _Element:
    """The element that holds all parts of an article which advertisements cut in pieces: mostly paragraphs, and
    notably more of them than in the weightiest element alone."""
    whole, element = top, top.getparent()
    while element is not None and (node := nodes.get(element)) is not None:
        if node.prose < node.text * 0.75:
            break
        if node.prose > nodes[whole].prose * 1.1:
            whole = element
        element = element.getparent()
    return whole


def _kept(root: _Element, prune: bool) -> Iterator[_Element]:
    """Elements below and with the root in document order, without what is plainly no article; `prune` also leaves
    out what is named like page chrome."""
    stack = [root]
    while stack:
        element = stack.pop()
        yield element
        stack += [child for child in reversed(element) if isinstance(child.tag, str) and not _is_unlikely(child, prune)]


def _is_unlikely(element: _Element, prune: bool) -> bool:
    if element.tag in _SKIPPED or element.get("hidden") is not None or element.get("aria-hidden") == "true":
        return True
    if not prune or element.tag in ("p", "a", "article", "main", "body", "b", "i", "em", "strong", "span", "br"):
        return False
    names = f"{element.get('class', '')} {element.get('id', '')}"
    return len(names) > 1 and bool(_UNLIKELY.search(names)) and not _MAYBE.search(names)


def _measure(element: _Element, nodes: dict[_Element, _Node]) -> None:
    node = nodes[element] = _Node()
    texts = [element.text, *(child.tail for child in element)]
    for text in texts:
        if text:
            text = text.strip()
            node.text += len(text) * 2 if _SPACELESS.search(text) else len(text)
            node.commas += len(_COMMAS.findall(text))
    for child in element:
        below = nodes.get(child)
        if below is not None:
            node.text += below.text
            node.link += below.link
            node.commas += below.commas
            node.prose += below.prose
    if element.tag in ("p", "pre") and node.link < node.text * 0.5:
        node.prose = node.text
    if element.tag == "a":
        node.link = node.text


def _give_points(element: _Element, nodes: dict[_Element, _Node]) -> None:
    node = nodes[element]
    if node.text < 25 or (element.tag not in ("p", "pre") and any(child.tag in _BLOCKS for child in element)):
        return
    points = 1 + node.commas + min(node.text / 100, 3)
    parent = element.getparent()
    for share in (1.0, 0.5):
        if parent is None or parent not in nodes:
            return
        above = nodes[parent]
        if above.points is None:
            above.points = _own_points(parent)
        above.points += points * share
        parent = parent.getparent()


def _own_points(element: _Element) -> float:
    tag: Any = element.tag
    return _TAG_POINTS.get(tag, -5 if tag in _HEADINGS else 0) + _class_points(element)


def _class_points(element: _Element) -> int:
    points = 0
    for names in (element.get("class"), element.get("id")):
        if names:
            points += 25 * bool(_POSITIVE.search(names)) - 25 * bool(_NEGATIVE.search(names))
    return points


def _belongs(element: _Element, node: _Node, points: float, enough: float) -> bool:
    """Whether a sibling of the best element is part of the same article."""
    if points >= enough:
        return True
    density = node.link / max(1, node.text)
    return element.tag == "p" and (density < 0.25 if node.text > 80 else node.text > 0 and density == 0)


def _lines(part: _Element, nodes: dict[_Element, _Node]) -> list[str]:
    """The part's blocks of text; lists and boxes of links, and what has a class of chrome, are left out."""
    lines = [""]
    stack: list[tuple[_Element, bool]] = [(part, False)]
    while stack:
        element, is_left = stack.pop()
        block = element.tag in _BLOCKS
        if is_left:
            if block:
                lines.append("")
            if element is not part and element.tail:
                lines[-1] += element.tail
            continue
        node = nodes.get(element)
        most = node is not None and node.text - node.link > nodes[part].text * 0.4
        if element is not part and (node is None or (not most and _is_box(element, node))):
            if element.tail:
                lines[-1] += (" " if element.tag in _BLOCKS else "") + element.tail
            continue
        if block or element.tag == "br":
            lines.append("")
        stack.append((element, True))
        if element.text:
            lines[-1] += element.text
        stack += [(child, False) for child in reversed(element)]
    return lines


def _is_box(element: _Element, node: _Node) -> bool:
    """A list, table, box or heading inside the article that its links or its classes show to be no part of it."""
    if element.tag in _HEADINGS:
        return node.link > node.text * 0.33 or _class_points(element) < 0
    if element.tag not in ("div", "ul", "ol", "table", "section", "dl"):
        return False
    points = _class_points(element)
    if points < 0:
        return True
    density = node.link / max(1, node.text)
    if node.commas >= 10:
        return False
    return density > (0.5 if points >= 25 else 0.33) or (not node.text)
