"""Which line of a plain text is its headline.

A headline is written again on its page (title bar, breadcrumb, share box), uses the words of the article, stands above
it and before the date. No sign alone is enough: menus are repeated too, links to other articles use the same words,
captions stand closer. So each sign has a weight, and the line with the highest sum is the headline. The weights were
fitted on half of a gold corpus, checked on the other half, and rounded: 0.5 more or less changes little.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from muniment.ingest.clean.glued import LOWER, UPPER

_WORD = re.compile(r"[^\W_]+")
_SPACELESS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
_MENU = re.compile(r"[|»›]")
_SEAM = re.compile(rf"(?<=[{LOWER}]{{2}})(?=[{UPPER}](?:[{LOWER}]|\b ))|(?<=[{LOWER}0-9][)\]])(?=[{UPPER}])")
_SURE = 0.1  # by how much a part of a line must be the better headline: names like YouTube have seams too
_LEAST = 3.0  # a lower sum is no headline
_TOP, _FAR = 50, 500  # lines of the file, and on both sides of the first prose, that are looked at
_BEYOND = 30  # lines below the first prose that are still looked at: a notice above the headline may be prose
_KEY = 13  # letters of a line that is not repeated by chance


class Lines(Protocol):
    """What is asked of a line: its text, its number of words, whether it is prose, and what chrome it is, if any."""

    text: str
    words: int
    prose: bool
    chrome: str


class _Page(NamedTuple):
    matter: Counter[str]  # the words of the prose, with how many lines of it hold them
    times: Counter[str]  # every line's key, with how often it stands there
    near: list[tuple[int, str]]  # the keys of the first lines, and of those around the beginning of the prose


def key(text: str) -> str:
    """A line for comparing: its words in lower case."""
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def find(lines: Sequence[Lines], start: int) -> tuple[int, int] | None:
    """The headline's line and where in it the headline begins (a breadcrumb may be glued before it).

    The article's prose begins at line `start`. None where no line reads as a headline.
    """
    keys = [key(line.text) for line in lines]
    page = _Page(
        Counter(word for line in lines if line.prose for word in _matter(line.text)),
        Counter(keys),
        [(i, k) for i, k in enumerate(keys) if i < _TOP or start - _FAR <= i < start + _FAR],
    )
    above, total = 0, sum(line.words for line in lines if line.prose) or 1
    best, found = _LEAST, None
    for i, line in enumerate(lines[: start + _BEYOND]):
        if 2 <= line.words <= 40 and not line.chrome and (i < _TOP or i >= start - _FAR):
            place = _place(lines, i, start) - 1.5 * above / total
            for at in (0, *(m.start() for m in _SEAM.finditer(line.text))):
                score = place + _wording(line.text[at:], page, i, at > 0) - (_SURE if at else 0)
                if score > best:
                    best, found = score, (i, at)
        above += line.words if line.prose else 0
    return found


def _place(lines: Sequence[Lines], i: int, start: int) -> float:
    """What speaks for a line by where it stands."""
    below = {lines[j].chrome for j in range(i + 1, min(len(lines), i + 6))}
    around = lines[max(0, i - 3) : i + 4]
    score = 0.5 * ("byline" in below) + 1.5 * ("date-line" in below)
    score += 1 if 0 < start - i <= 6 else 0
    score -= 1 + min(30, i - start + 1) / 10 if i >= start else 0
    score -= sum(3 <= other.words <= 16 and not other.chrome for other in around) / 7
    return score + (0.5 if i < 3 else 0)


def _wording(text: str, page: _Page, i: int, part: bool) -> float:
    """What speaks for a line (or a part of it) by its words, and by the other lines that hold them."""
    own, words, letters = _matter(text), len(text.split()), key(text)
    if len(letters) < 8:
        return -_LEAST
    hits = sum(min(2, page.matter[word]) for word in own) / 2
    longer = [j for j, other in page.near if j != i and _repeats(other, letters)]
    score = min(hits, 6) / 3 + 3.5 * min(1, hits / 4) * hits / max(1, len(own))
    again = len(letters) >= _KEY and page.times[letters] > (0 if part else 1)
    score += 1.5 if again and hits else 0
    score += 3 if longer else 0
    score += 1 if any(j < 3 for j in longer) else 0
    score += 2 if 4 <= words <= 17 else 0
    score -= 1.5 if words >= 24 else 0
    score -= 2 if text.endswith(".") else 0
    score -= 1.5 if _MENU.search(text) else 0
    return score + (1 if text[0].isdigit() else 0)


def _repeats(other: str, own: str) -> bool:
    """Whether a line is the headline with a breadcrumb before it or a site's name behind."""
    longer = len(own) >= _KEY and len(own) < len(other) < len(own) + 80
    return longer and (other.endswith(own) or other.startswith(f"{own} "))


def _matter(text: str) -> set[str]:
    """What a text is about: how its longer words begin, or pairs of signs where a script writes no spaces."""
    if _SPACELESS.search(text):
        signs = key(text).replace(" ", "")
        return {signs[i : i + 2] for i in range(len(signs) - 1)}
    return {word[:5] for word in key(text).split() if len(word) > 3}
