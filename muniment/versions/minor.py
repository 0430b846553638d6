"""Which changes are minor: a counter of readers, a line of links, a sign. Pure.

Counting words is not enough: "ten" for "forty" is one word. So a change is minor where all of these hold:

* title and date of publication are the same, and no paragraph was moved;
* at most MOST words were removed, and as many added; or one word in SHARE of the longer text, whichever is more;
* none of them stands in a sentence: in a paragraph of LONG words and more, or one that ends as a sentence does. Signs,
  upper and lower case do not count as words that changed.
"""

from __future__ import annotations

from muniment.versions.difference import Difference, Paragraph, count_words

MOST = 5
SHARE = 50
LONG = 12
_ENDS = (".", "!", "?", "…", "؟", "۔", "।", "。", "！", "？", '."', ".”", ".»", ".)")


def is_minor(difference: Difference, words: int) -> bool:
    """Whether the change of a text of so many words (the longer one of the two) is minor."""
    if difference.moved:
        return False
    changed = [p for p in difference.paragraphs if p.change != "same" and _says_otherwise(p)]
    if max(sum(_words(p, op) for p in changed) for op in "-+") > max(MOST, words // SHARE):
        return False
    return not any(_is_sentence(p) for p in changed)


def _side(paragraph: Paragraph, other: str) -> str:
    return "".join(piece.text for piece in paragraph.pieces if piece.op != other)


def _says_otherwise(paragraph: Paragraph) -> bool:
    """Whether the letters and digits differ, whatever their case."""
    old, new = ("".join(c for c in _side(paragraph, op).casefold() if c.isalnum()) for op in "+-")
    return old != new


def _words(paragraph: Paragraph, op: str) -> int:
    return sum(count_words(piece.text) for piece in paragraph.pieces if piece.op == op)


def _is_sentence(paragraph: Paragraph) -> bool:
    sides = [_side(paragraph, op).strip() for op in "+-"]
    return any(side.endswith(_ENDS) or count_words(side) >= LONG for side in sides if side)
