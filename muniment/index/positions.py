"""Words at a distance, told from where each stands: which of the places make a phrase, or lie near one another.

Where `places` are given, they are ascending, one list for each word of the query, in the query's order. Pure.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, pairwise

from muniment.index import query

_ALL = query.Everything()
Places = Sequence[Sequence[int]]


def matches(leaf: query.Phrase | query.Near, found: Sequence[str]) -> bool:
    """Whether these words, in their order, hold the phrase or the words near one another."""
    wanted = dict.fromkeys(leaf.words)
    at: dict[str, list[int]] = {word: [] for word in wanted}
    for place, word in enumerate(found):
        if word in at:
            at[word].append(place)
    return holds(leaf, [at[word] for word in leaf.words])


def holds(leaf: query.Phrase | query.Near, places: Places) -> bool:
    """The same, of the places at which each of the words stands."""
    if isinstance(leaf, query.Phrase):
        return next(phrases(places, leaf.slop), None) is not None
    return next(windows(leaf.words, places, leaf.distance), None) is not None


def phrases(places: Places, slop: int) -> Iterator[tuple[int, ...]]:
    """The places of each phrase: one for each first word that begins one; the nearest of what may follow."""
    if not all(places):
        return
    # From the end: which places of a word have a rest of the phrase behind them, and where that goes on.
    following: list[dict[int, int]] = []
    good = list(places[-1])
    for before in reversed(places[:-1]):
        onward: dict[int, int] = {}
        for place in before:
            at = bisect_left(good, place + 1)
            if at < len(good) and good[at] <= place + slop + 1:
                onward[place] = good[at]
        following.append(onward)
        good = list(onward)
    for place in good:
        whole = [place]
        for onward in reversed(following):
            whole.append(onward[whole[-1]])
        yield tuple(whole)


def windows(words: Sequence[str], places: Places, distance: int) -> Iterator[tuple[int, ...]]:
    """The places of the words where they all stand at most `distance` from one another, in any order. A word that is
    named twice has to be there twice."""
    wanted = {word: words.count(word) for word in words}
    if len(wanted) == 1 and len(words) == 1:
        yield from ((place,) for place in places[0])
        return
    at = {word: places[n] for n, word in enumerate(words)}
    everywhere = sorted((place, word) for word in wanted for place in at[word])
    held = dict.fromkeys(wanted, 0)
    lacking, first = len(words), 0
    for last, (place, word) in enumerate(everywhere):
        held[word] += 1
        lacking -= held[word] <= wanted[word]
        while everywhere[first][0] < place - distance:
            gone = everywhere[first][1]
            lacking += held[gone] <= wanted[gone]
            held[gone] -= 1
            first += 1
        if not lacking:
            yield tuple(p for p, _ in everywhere[first : last + 1])


def pairs(leaf: query.Phrase | query.Near) -> list[query.Query]:
    """Conditions on two words each that all hold wherever the leaf does; not the other way round."""
    if isinstance(leaf, query.Near):
        found = dict.fromkeys(tuple(sorted(pair)) for pair in combinations(leaf.words, 2))
        return [query.Near(leaf.field, pair, leaf.distance) for pair in found]
    whole = (len(leaf.words) - 1) * (leaf.slop + 1) - 1
    ends = query.Phrase(leaf.field, (leaf.words[0], leaf.words[-1]), whole)
    return [*(query.Phrase(leaf.field, pair, leaf.slop) for pair in dict.fromkeys(pairwise(leaf.words))), ends]


def settled(
    tree: query.Query,
    settle: Callable[[query.Phrase | query.Near, query.Query], query.Query],
    context: query.Query = _ALL,
) -> query.Query:
    """The tree, with what `settle` gives for each wide leaf; it is told what else holds wherever the leaf matters."""
    match tree:
        case query.And(parts):
            plain = [part for part in parts if not any(map(query.is_wide, query.leaves(part)))]
            inside = query.conjunction((context, *plain))
            return query.And(tuple(part if part in plain else settled(part, settle, inside) for part in parts))
        case query.Or(parts):
            return query.Or(tuple(settled(part, settle, context) for part in parts))
        case query.Not(part):
            return query.Not(settled(part, settle, context))
        case query.Boosted(part, factor):
            return query.Boosted(settled(part, settle, context), factor)
        case query.Phrase() | query.Near() if query.is_wide(tree):
            return settle(tree, context)
        case _:
            return tree
