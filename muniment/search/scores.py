"""What a score is made of: the words of the query, in each field that has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from muniment.index import query, stemming
from muniment.index.engine import Engine, Weight


class Form(NamedTuple):
    """A word of the query as a field of the index has it (`flood` or the stem `flood/en`), and in how many articles."""

    word: str
    field: str
    form: str
    articles: int


def forms(engine: Engine, tree: query.Query) -> list[Form]:
    """What the words of a tree are looked for as."""
    found: list[Form] = []
    for leaf in dict.fromkeys(query.leaves(tree)):
        if leaf.field not in (*query.WORD_FIELDS, query.ANY_WORDS):
            continue
        match leaf:
            case query.Term(_, word):
                for field in query.fields_of(leaf):
                    is_stemmed = field in query.STEMMED_FIELDS
                    asked = stemming.stem_forms(word, engine.languages()) if is_stemmed else [word]
                    counts = engine.frequencies(f"{field}_stem" if is_stemmed else field, asked)
                    found += [Form(word, field, form, n) for form, n in zip(asked, counts, strict=True) if n]
                    if not any(counts):
                        found.append(Form(word, field, word, 0))
            case query.Phrase(_, words) | query.Near(_, words):
                for field in query.fields_of(leaf):
                    counts = engine.frequencies(field, words)
                    found += [Form(word, field, word, n) for word, n in zip(words, counts, strict=True)]
    return list(dict.fromkeys(found))


def parts(engine: Engine, tree: query.Query, number: int, score: float, rest_as: str | None = None) -> list[Weight]:
    """What adds up to the score of a hit; what the words do not account for comes last, without a field, and may be
    named."""
    found = list(_parts(engine, tree, number))
    rest = score - sum(weight.score for weight in found)
    if abs(rest) > 0.001 * max(1.0, score):
        found.append(Weight("", rest_as, None, None, 1.0, rest))
    return found


def _parts(engine: Engine, tree: query.Query, number: int) -> Iterator[Weight]:
    match tree:
        case query.And(inner) | query.Or(inner):
            for part in inner:
                if isinstance(tree, query.And) or _is_in(engine, part, number):
                    yield from _parts(engine, part, number)
        case query.Boosted(part, factor):
            for weight in _parts(engine, part, number):
                yield weight._replace(boost=weight.boost * factor, score=weight.score * factor)
        case query.Not() | query.Everything() | query.Nothing():
            return
        case _:
            if tree.field in (*query.WORD_FIELDS, query.ANY_WORDS):
                yield from engine.weights(tree, number)


def _is_in(engine: Engine, tree: query.Query, number: int) -> bool:
    return next(engine.numbers(query.conjunction((tree, query.AnyOf("number", (number,))))), None) is not None


def told(weights: Sequence[Weight]) -> Iterator[str]:
    """The parts as lines: `0.98  flood/en in title, once, idf 0.54, boost 2`."""
    for weight in weights:
        if not weight.field:
            yield f"{weight.score:.3f}  {weight.form or 'other'}"
            continue
        times = weight.frequency
        often = "" if times is None else ", once" if times == 1 else f", {times:g} times"
        rare = "" if weight.idf is None else f", idf {weight.idf:.2f}"
        boost = "" if weight.boost == 1 else f", boost {weight.boost:g}"
        yield f"{weight.score:.3f}  {weight.form or 'words like it'} in {weight.field}{often}{rare}{boost}"
