"""Where a passage may begin and end: at sentences where they are near, else at words, never inside a letter."""

from __future__ import annotations

import re
from unicodedata import category

_END = re.compile(
    r"""[.!?…؟۔।]['"’”»)\]]*\s+"""  # a stop and a space
    r"""|[。！？｡][」』”）]*\s*"""  # which need none
    r"|\n{2,}"
)
# What ends with a point and is no end; one letter before it is a person's initial, or one of several of a name.
_ABBREVIATIONS = (
    " mr mrs ms dr prof st gen sen rep gov lt col capt sgt maj cmdr hon rev jr sr vs no nos inc ltd co corp dept est "
    "fig vol pp art al approx jan feb mar apr jun jul aug sep sept oct nov dec mt ft eg ie cf ca bzw usw nr str abs bd "
    "hr frau mme mlle mm ste av bld tel ext env sra sres dra ing lic núm pág op cit ibid "
)
_WORD_BEFORE = re.compile(r"[^\W\d_]+$")


def is_end(text: str, stop: re.Match[str]) -> bool:
    """Whether a sentence ends here, as far as a point after a short word can tell."""
    if stop[0][0] != ".":
        return True
    following = text[stop.end() : stop.end() + 1]
    if following.islower():
        return False
    word = _WORD_BEFORE.search(text, max(0, stop.start() - 12), stop.start())
    return word is None or not (len(word[0]) == 1 or f" {word[0].lower()} " in _ABBREVIATIONS)


def beginning(text: str, earliest: int, latest: int) -> int:
    """The start of the sentence that goes on at `latest`, of a word where that lies before `earliest`."""
    if earliest <= 0:
        earliest = 0
    last = -1
    low = max(0, earliest - 1)
    for stop in _END.finditer(text, low, latest):
        if stop.end() >= earliest and is_end(text, stop):
            last = stop.end()
    if last >= 0:
        return last
    if earliest == 0:
        return 0
    space = _next_space(text, earliest - 1, latest)
    return space + 1 if space >= 0 else _whole(text, earliest)


def ending(text: str, soonest: int, wanted: int, latest: int) -> int:
    """The end of a sentence from `soonest` on: the last before `wanted`, or the next before `latest`; or of a word."""
    if latest >= len(text):
        return len(text)
    found = -1
    for stop in _END.finditer(text, soonest, latest):
        end = stop.start() + len(stop[0].rstrip())
        if end > soonest and is_end(text, stop):
            if end > wanted and found >= 0:
                break
            found = end
            if end > wanted:
                break
    if found >= 0:
        return found
    space = max(text.rfind(" ", soonest, wanted), text.rfind("\n", soonest, wanted))
    return space if space > soonest else _whole(text, wanted)


def _next_space(text: str, start: int, end: int) -> int:
    return min((at for at in (text.find(" ", start, end), text.find("\n", start, end)) if at >= 0), default=-1)


def _whole(text: str, place: int) -> int:
    """The place, or the next one that is not between a letter and its marks or joiners."""
    for at in range(place, min(place + 16, len(text))):
        if category(text[at])[0] != "M" and text[at] not in "\u200c\u200d" and text[at - 1] != "\u200d":
            return at
    return min(place, len(text))
