"""What a query that finds next to nothing may have meant: itself, with words that no article has replaced by such as
some have. Each proposal is tried.

A word is compared with the vocabulary of the index in two ways that stay quick however large that is: every change of
one letter is looked up, and what starts with the same letters is compared by letters. So of mistakes in the first three
letters one is allowed for, behind them two; these only where no word one mistake away is frequent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence

from muniment.index import analysis, query, stemming
from muniment.index.engine import Engine

FEW = 2  # hits: more are an answer
MOST = 3  # proposals
TRIED = 6
LONGEST = 200  # characters of a proposal: a longer one nobody reads
LOOKED = 12  # words of a query that are looked at: who has more of them has pasted a text
MANY = 1_000  # words with the same beginning, the most frequent of them
_SURE = 20  # articles with a word one letter off: words two letters off are not looked for
_RARE = 50  # times as frequent as what was typed is what may be meant, where that is there too
_LETTERS = (
    "abcdefghijklmnopqrstuvwxyz", "ابتثجحخدذرزسشصضطظعغفقكلمنهويپچژگء", "абвгдежзийклмнопрстуфхцчшщъыьэюяіїєґ",
    "αβγδεζηθικλμνξοπρστυφχψωςΐ", "אבגדהוזחטיכלמנסעפצקרשתםןץףך", "աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆ",
)  # fmt: skip
_RUN = re.compile(r"[^\W_]+(?:[\u200c'’][^\W_]+)*")
_VALUE = re.compile(r'(?<![\w.])(source|tag|collection):(?:"([^"]*)"|([^\s()"]+))', re.IGNORECASE)
_VALUES = re.compile(r'(?<![\w.])(?!(?:title|text|author|exact|near|removed):)\w+:(?:"[^"]*"|\S+)')
_AUTHORS = re.compile(r'(?<![\w.])author:(?:"[^"]*"|\([^)]*\)|\S+)', re.IGNORECASE)
# The index holds the letters that Arabic and Persian write otherwise in Arabic's form.
_PERSIAN, _ARABIC, _AS_PERSIAN = re.compile("[کیپچژگ]"), re.compile("[كيىة]"), str.maketrans("كي", "کی")
_FIELD = re.compile(r"[A-Za-z]+:(?=\S)")
_TEXTS = ("text", "title")
_IN_LOWER_CASE = re.compile(r"(?<=\s)(or|and|not)(?=\s)")


def suggestions(engine: Engine, text: str, found: Callable[[str], int]) -> list[str]:
    """Queries that may have been meant, the likeliest first. `found` tells how many articles a query finds, 0 for one
    that is wrong; each that is proposed finds more than the query does."""
    proposed: list[str] = []
    least = found(text)
    for tried, candidate in enumerate(_candidates(engine, text)):
        if tried == TRIED or len(proposed) == MOST:
            break
        if len(candidate) <= LONGEST and candidate not in (text, *proposed) and found(candidate) > least:
            proposed.append(candidate)
    return proposed


def _candidates(engine: Engine, text: str) -> Iterator[str]:
    """The query with each wrong word put right, the best ways first."""
    fixes = [*_fixed_words(engine, text), *_fixed_values(engine, text)]
    if _PERSIAN.search(text) and not _ARABIC.search(text):
        fixes = [(start, end, [word.translate(_AS_PERSIAN) for word in words]) for start, end, words in fixes]
    if fixes:
        yield _replaced(text, [(start, end, words[0]) for start, end, words in fixes])
        for n, (start, end, words) in enumerate(fixes):
            others = [(a, b, best[0]) for i, (a, b, best) in enumerate(fixes) if i != n]
            for word in words[1:]:
                yield _replaced(text, [*others, (start, end, word)])
    if _IN_LOWER_CASE.search(text):
        yield _IN_LOWER_CASE.sub(lambda match: match[0].upper(), text)


def _replaced(text: str, changes: list[tuple[int, int, str]]) -> str:
    for start, end, word in sorted(changes, reverse=True):
        text = text[:start] + word + text[end:]
    return text


def _fixed_words(engine: Engine, text: str) -> Iterator[tuple[int, int, list[str]]]:
    """(start, end, what may be meant) of each run of letters in the query that is a rare word, or none."""
    values = [match.span() for match in _VALUES.finditer(text)]
    authors = [match.span() for match in _AUTHORS.finditer(text)]
    looked = 0
    for start, end in _runs(text):
        if _FIELD.match(text, start) or any(a <= start < b for a, b in values):
            continue
        typed = text[start:end]
        if typed in ("AND", "OR", "NOT", "TO") or text[end : end + 1] in ("*", "?", "~"):
            continue
        looked += 1
        if looked > LOOKED:
            return
        within = ("author",) if any(a <= start < b for a, b in authors) else _TEXTS
        if analysis.is_spaceless(typed):
            from muniment.search import unspaced

            better = unspaced.like(engine, analysis.fold(typed), within, MOST)
        else:
            folded = analysis.query_words(typed)
            better = like(engine, folded[0], within) if len(folded) == 1 else []
        if better:
            yield start, end, better


def _runs(text: str) -> list[tuple[int, int]]:
    """Where what may be a misspelt word stands: runs of letters, and of scripts that write no spaces."""
    unspaced = analysis.runs_without_spaces(text)
    spaced = [match.span() for match in _RUN.finditer(text)]
    return sorted([*unspaced, *(s for s in spaced if not any(a < s[1] and s[0] < b for a, b in unspaced))])


def like(engine: Engine, word: str, fields: Sequence[str] = _TEXTS) -> list[str]:
    """Words of the fields that `word` may be a misspelling of, the likeliest first; none of one that is often there."""
    if len(word) < 3 or word.isdecimal() or analysis.is_spaceless(word):
        return []
    (here,) = _frequencies(engine, fields, [word])
    least = max(1, here * _RARE)
    near = _one_off(word)
    known = {
        other: count for other, count in zip(near, _frequencies(engine, fields, near), strict=True) if count >= least
    }
    letters = set(word)
    if len(word) > 5 and max(known.values(), default=0) < _SURE:
        for field in fields[:1]:
            for other, count in engine.vocabulary(field, word[:3], MANY):
                if count < least:
                    break
                is_like = abs(len(other) - len(word)) < 3 and len(letters.symmetric_difference(other)) < 5
                if is_like and other not in known and query.edit_distance_within(word, other, 2, swaps=True):
                    known[other] = count
    known.pop(word, None)
    rated = sorted(known, key=lambda other: (_rate(word, other, known[other], near), other))
    told: dict[str, str] = {}  # one word of those that find the same
    for other in rated[: MOST * 3]:
        told.setdefault(" ".join(stemming.stem_forms(other, engine.languages())), other)
    return list(told.values())[:MOST] or _parted(engine, fields, word)


def _rate(word: str, other: str, count: int, near: dict[str, None]) -> float:
    """How unlikely it is that `other` was meant: more mistakes, fewer articles, another first letter."""
    return (0 if other in near else 4) + 2 * (word[0] != other[0]) - (sorted(word) == sorted(other)) - math.log(count)


def _one_off(word: str) -> dict[str, None]:
    """Every word one change away: a letter more, less, another, or two swapped."""
    letters = next((script for script in _LETTERS if word[0] in script), "".join(dict.fromkeys(word)))
    cuts = [(word[:n], word[n:]) for n in range(len(word) + 1)]
    found = [a + b[1:] for a, b in cuts if b]
    found += [a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1]
    found += [a + letter + b[1:] for a, b in cuts if b for letter in letters]
    found += [a + letter + b for a, b in cuts for letter in letters]
    return dict.fromkeys(found)


def _frequencies(engine: Engine, fields: Sequence[str], words: Sequence[str] | dict[str, None]) -> list[int]:
    wanted = list(words)
    return [sum(counts) for counts in zip(*(engine.frequencies(field, wanted) for field in fields), strict=True)]


def _parted(engine: Engine, fields: Sequence[str], word: str) -> list[str]:
    """Two words that were written as one."""
    places = range(2, len(word) - 1)
    starts, ends = [word[:n] for n in places], [word[n:] for n in places]
    counts = zip(_frequencies(engine, fields, starts), _frequencies(engine, fields, ends), starts, ends, strict=True)
    rated = sorted(((min(a, b), start, end) for a, b, start, end in counts if a and b), reverse=True)
    return [f"{start} {end}" for _, start, end in rated[:1]]


def _fixed_values(engine: Engine, text: str) -> Iterator[tuple[int, int, list[str]]]:
    for match in _VALUE.finditer(text):
        field, typed = match[1].lower(), match[2] or match[3] or ""
        if "*" in typed or "?" in typed:
            continue
        if found := values_like(engine, field, typed):
            start = match.start() + len(match[1]) + 1
            yield start, match.end(), [f'"{value}"' if re.search(r"[^\w.-]", value) else value for value in found]


def values_like(engine: Engine, field: str, text: str) -> list[str]:
    """Values of a field, of which none is `text`, that may have been meant by it: a letter or two are wrong, or it is a
    part of them. Of an author words of the name."""
    if field == "author":
        return _names_like(engine, text)
    typed = analysis.fold_value(text)
    if not typed or engine.frequencies(field, [typed])[0]:
        return []
    held = [value for value, _ in engine.vocabulary(field, "", MANY * 10) if value]
    named = [value for value in held if typed in value]
    limit = min(2, len(typed) // 3)
    close = [v for v in held if sorted(v) == sorted(typed) or query.edit_distance_within(typed, v, limit)]
    return (close or named)[:MOST]


def _names_like(engine: Engine, text: str) -> list[str]:
    """The name with its first word of which there is none put right."""
    typed = analysis.query_words(text)[:LOOKED]
    for place, word in enumerate(typed):
        if better := like(engine, word, ("author",)):
            return [" ".join([*typed[:place], other, *typed[place + 1 :]]) for other in better]
    return []
