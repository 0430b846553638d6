"""How an extraction is scored against its gold: the corpora's own definitions, and plain word and 4-gram F1."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from statistics import fmean

_WORD = re.compile(r"\w+")
_SPACELESS = "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]"
_TOKEN = re.compile(rf"{_SPACELESS}|(?:(?!{_SPACELESS})\w)+")
_MARKS = re.compile("[\u200b-\u200f\u061c\u202a-\u202e\u2066-\u2069\ufeff\u00ad]")


def words(text: str) -> list[str]:
    """Words in lower case; a character each where a script writes no spaces."""
    return _TOKEN.findall(_MARKS.sub("", text).lower())


def f1(found: str, gold: str, n: int) -> float:
    """F1 over runs of n words, with their counts."""
    a, b = runs(words(found), n), runs(words(gold), n)
    return 2 * (a & b).total() / (a.total() + b.total()) if a and b else float(not a and not b)


def runs(tokens: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    """The runs of n tokens; a shorter text is one run."""
    return Counter(tuple(tokens[i : i + n]) for i in range(max(1, len(tokens) - n + 1)) if tokens)


def shingle_f1(pairs: Sequence[tuple[str, str]]) -> float:
    """The article extraction benchmark's own figure over (found, gold): F1 of mean precision and mean recall of
    4-word shingles, as its evaluate.py has it."""
    precision, recall = [], []
    for found, gold in pairs:
        a, b = runs(_WORD.findall(found), 4), runs(_WORD.findall(gold), 4)
        hits = (a & b).total()
        extra, missed = a.total() - hits, b.total() - hits
        precision.append(hits / (hits + extra) if hits or extra else float(not missed))
        recall.append(hits / (hits + missed) if hits or missed else float(not extra))
    p, r = fmean(precision), fmean(recall)
    return 2 * p * r / (p + r) if p + r else 0.0


def key(text: str) -> str:
    """A title or name for comparing: words in lower case."""
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", _MARKS.sub("", text)).casefold()))


def recalls(found: str, paragraphs: Sequence[str]) -> list[float]:
    """The share of each paragraph's runs of four words that the text holds."""
    held = runs(words(found), 4)
    wanted = [runs(words(paragraph), 4) for paragraph in paragraphs]
    return [(w & held).total() / w.total() if w else 1.0 for w in wanted]
