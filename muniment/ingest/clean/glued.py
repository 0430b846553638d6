"""Lines that an exporter glued together, cut where one piece of the page ended and the next began.

    HomeNewsSportWeatherFerry Crews Vote To StrikeThe crews of all nine ferries voted on Monday …

Nothing is rewritten: the pieces are the line's own characters, in order. Names like YouTube have a capital inside of
their own, so capitals inside a word only count near words that are glued twice over.
"""

from __future__ import annotations

import re
from bisect import bisect
from itertools import pairwise

LOWER, UPPER = "a-zß-öø-ÿа-яё", "A-ZÀ-ÖØ-ÞА-ЯЁ"
_SEAM = re.compile(rf"(?<=[{LOWER}]{{2}})(?=[{UPPER}])|(?<=[{LOWER}][)\]])(?=[{UPPER}])")
_SENTENCE = re.compile(rf"(?<=[{LOWER}0-9)”’\"][.!?…])(?=[“\"‘]?[{UPPER}][{LOWER} ])")
_TOKEN = re.compile(r"\S+")
_ADDRESS = re.compile(r"[#@/_]|\.[a-z]")  # in an account, an address, a function: no menu's words
_NAME = re.compile(  # names that their owners write with a capital inside
    r"YouTube|WhatsApp|WordPress|LinkedIn|TikTok|PayPal|GitHub|MasterCard|FedEx|JavaScript|PowerPoint|ChatGPT|MacBook"
    r"|BuzzFeed|AstraZeneca|ExxonMobil|BlackRock|AccuWeather|SoundCloud"
)
_MOST = 200_000  # letters of a line that is looked at: no article is longer
_LONG = 80  # words of a line that may hold several paragraphs
_FEW = 3  # seams in a line that is glued
_NEAR = 12  # words between two much glued words of one menu
_PROSE = 25  # words: a longer piece is no menu's


def unglue(line: str) -> list[str]:
    """The line's pieces, verbatim and in order; most lines are one."""
    if len(line) > _MOST:
        return [line]
    cuts = {*_menu_seams(line), *_sentence_seams(line)}
    if not cuts:
        return [line]
    ends = [0, *sorted(cuts), len(line)]
    return [piece for a, b in pairwise(ends) if (piece := line[a:b].strip())]


def _sentence_seams(line: str) -> list[int]:
    """Where a sentence ends and the next begins without a space, in a line that holds several paragraphs."""
    if len(line.split(maxsplit=_LONG)) <= _LONG:
        return []
    seams = [m.start() for m in _SENTENCE.finditer(line)]
    return seams if len(seams) >= _FEW else []


def _menu_seams(line: str) -> list[int]:
    """Where words are glued near words that are glued twice over, and behind those up to the first prose."""
    if not _SEAM.search(line):
        return []
    words = [(i, seams) for i, m in enumerate(_TOKEN.finditer(line)) if (seams := _seams(m[0], m.start()))]
    much = [i for i, seams in words if len(seams) >= 2]
    if sum(len(seams) for _, seams in words if len(seams) >= 2) < _FEW:
        return []
    cuts: list[int] = []
    last = -_PROSE  # the word that was cut last
    for i, seams in words:
        at = bisect(much, i)
        if i - last < _PROSE or any(abs(i - m) <= _NEAR for m in much[max(0, at - 1) : at + 1]):
            cuts += seams
            last = i
    return cuts


def _seams(word: str, at: int) -> list[int]:
    if _ADDRESS.search(word):
        return []
    names = [m.span() for m in _NAME.finditer(word)]
    seams = (m.start() for m in _SEAM.finditer(word))
    return [at + seam for seam in seams if not any(a < seam < b for a, b in names)]
