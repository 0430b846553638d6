"""What tantivy says of a score, by word."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import tantivy

from muniment.index import query
from muniment.index.engine import Weight

_TERM = re.compile(r'^Term=Term\(.*?type=Str, (".*")\)$')
Compiled = Callable[[str, query.Leaf], list[tantivy.Query]]


def weighed(searcher: tantivy.Searcher, one: tantivy.Query, leaf: query.Leaf, compiled: Compiled) -> list[Weight]:
    """The weights of a leaf in the document that `one` finds; `compiled` gives its queries in a field."""
    found = searcher.search(one, 1).hits
    if not found:
        return []
    weights: list[Weight] = []
    for field in query.fields_of(leaf):
        boost = query.TITLE_BOOST if field == "title" else 1.0
        for part in compiled(field, leaf):
            try:
                said = json.loads(part.explain(searcher, found[0][1]).to_json())
            except ValueError:  # it does not match
                continue
            weights += _weights(said, field, _form(leaf), boost)
    return weights if isinstance(leaf, query.Term) else _as_one(weights)


def _as_one(weights: list[Weight]) -> list[Weight]:
    """The ways in which words at a distance may stand, as one weight a field."""
    found: dict[tuple[str, str | None], Weight] = {}
    for weight in weights:
        key = weight.field, weight.form
        before = found.get(key)
        found[key] = weight if before is None else before._replace(score=before.score + weight.score, frequency=None)
    return list(found.values())


def _weights(said: dict[str, Any], field: str, form: str | None, boost: float) -> Iterator[Weight]:
    """One weight a word; a node that is no sum of words is one itself."""
    if said["description"].startswith("BooleanClause"):
        for detail in said["details"]:
            yield from _weights(detail, field, form, boost)
        return
    inner = said
    while "TermQuery" not in inner["description"] and len(inner.get("details", ())) == 1:
        inner = inner["details"][0]
    named = next((m[1] for line in inner.get("context", ()) if (m := _TERM.match(line))), None)
    values = dict(_values(inner))
    frequency, idf = values.get("freq,"), values.get("idf,") or values.get("idf")
    word = str(json.loads(named)) if named else form
    yield Weight(field, word, frequency, idf, boost, said["value"] * boost)


def _values(node: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for detail in node.get("details", ()):
        yield detail["description"].split(" ")[0], detail["value"]
        yield from _values(detail)


def _form(leaf: query.Leaf) -> str | None:
    match leaf:
        case query.Phrase(_, words) | query.Near(_, words):
            return " ".join(words)
        case query.Term(_, word):
            return word
    return None
