"""What a run of characters without spaces (Chinese, Japanese, Thai) may have meant, where no article has it.

The index holds such a run as its pairs of characters. Where one of them is nowhere, the run is changed in one place
around it: a character more, less, another, two swapped, or a space, so that all its pairs are somewhere. Whether they
stand side by side is for a search to tell. Another first character is not looked for: pairs are found by their
beginning only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from muniment.index.engine import Engine

LONGEST = 20  # characters: more are a sentence
MANY = 300  # pairs with the same beginning, the most frequent of them
_WHOLE = (("\u0e4d\u0e32", "\u0e33"), ("\u0ecd\u0eb2", "\u0eb3"))  # vowel signs that folding takes apart


def like(engine: Engine, run: str, fields: Sequence[str], most: int) -> list[str]:
    """Runs of which every pair of characters is in the fields, the likeliest first; none where `run` is one of them.

    `run` is folded, and of a script without spaces from end to end.
    """
    if not 1 < len(run) <= LONGEST:
        return []
    pairs = _pairs(run)
    counts = _frequencies(engine, fields, pairs)
    lacking = next((n for n, count in enumerate(counts) if not count), None)
    if lacking is None:
        return []
    changed = list(dict.fromkeys(_changed(engine, fields, run, lacking)))
    wanted = list(dict.fromkeys(pair for _, other in changed for pair in _pairs(other)))
    known = dict(zip(wanted, _frequencies(engine, fields, wanted), strict=True))
    rated = sorted((cost, -min(known[pair] for pair in _pairs(other)), other) for cost, other in changed)
    return [_written(other) for _, rarest, other in rated if rarest][:most]


def _pairs(run: str) -> list[str]:
    return [a + b for part in run.split() for a, b in pairwise(part)]


def _frequencies(engine: Engine, fields: Sequence[str], pairs: Sequence[str]) -> list[int]:
    return [sum(counts) for counts in zip(*(engine.frequencies(field, pairs) for field in fields), strict=True)]


def _changed(engine: Engine, fields: Sequence[str], run: str, at: int) -> Iterator[tuple[int, str]]:
    """The run with one change that leaves the pair at `at` out, and how unlikely that is. Of two characters none is
    left away or another, for that would be a half."""
    for character in _after(engine, fields, run[at]):
        yield 0, run[: at + 1] + character + run[at + 1 :]
    for place in (at - 1, at, at + 1):
        if 0 <= place < len(run) - 1 and run[place] != run[place + 1]:
            yield 0, run[:place] + run[place + 1] + run[place] + run[place + 2 :]
    for place in (at, at + 1) if len(run) > 2 else ():
        for character in _after(engine, fields, run[place - 1]) if place else ():
            yield 0, run[:place] + character + run[place + 1 :]
        yield 1, run[:place] + run[place + 1 :]
    if 0 < at < len(run) - 2:
        yield 2, f"{run[: at + 1]} {run[at + 1 :]}"


def _after(engine: Engine, fields: Sequence[str], character: str) -> list[str]:
    held = (engine.vocabulary(field, character, MANY) for field in fields)
    return list(dict.fromkeys(pair[1] for pairs in held for pair, _ in pairs if len(pair) == 2))


def _written(run: str) -> str:
    for apart, whole in _WHOLE:
        run = run.replace(apart, whole)
    return run
