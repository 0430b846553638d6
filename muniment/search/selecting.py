"""Multi-select: what a facet counts over, where the query holds a condition on that very facet.

Whoever has chosen one source wants to see how many articles the others have, to choose them too. So a facet is counted
over what the query finds without its own conditions, those that stand at the top level of the query: `dam source:a`,
`dam -source:a`, `dam (source:a OR source:b)`, and filters such as `--source`. For years these are all conditions on the
date of publication; for months each date is widened to whole years, so that the months of the years that were asked for
are seen.
"""

from __future__ import annotations

from collections.abc import Sequence

from muniment.index import query
from muniment.index.facets import FACET_DATES

_DATES = ("first_day", "last_day")


def without_own(tree: query.Query, facet: str) -> query.Query:
    """The tree less its top-level conditions on the facet; the very same tree where it has none."""
    own = _DATES if facet in FACET_DATES else (facet,)
    parts = tree.parts if isinstance(tree, query.And) else (tree,)
    if not any(_is_only_about(part, own) for part in parts):
        return tree
    kept = [part if not _is_only_about(part, own) else _of_whole_years(part, facet) for part in parts]
    return tree if tuple(kept) == tuple(parts) else query.conjunction(kept)


def _is_only_about(part: query.Query, fields: Sequence[str]) -> bool:
    """Whether the part is a condition, and on nothing but these fields."""
    match part:
        case query.And(parts) | query.Or(parts):
            return bool(parts) and all(_is_only_about(inner, fields) for inner in parts)
        case query.Not(inner) | query.Boosted(inner):
            return _is_only_about(inner, fields)
        case query.Everything() | query.Nothing():
            return False
        case _:
            return part.field in fields


def _of_whole_years(part: query.Query, facet: str) -> query.Query:
    """For months, the condition on dates with each date widened to its year; else nothing that would narrow."""
    return _widened(part) if facet == "month" else query.Everything()


def _widened(part: query.Query) -> query.Query:
    if _has_whole_years(part):
        return part
    match part:
        case query.And(parts):
            return query.conjunction(map(_widened, parts))
        case query.Or(parts):
            wide = [_widened(inner) for inner in parts]
            return query.Everything() if query.Everything() in wide else query.disjunction(wide)
        case query.Range(field, low, high):
            first = None if low is None else int(low) // 10_000 * 10_000 + 101
            last = None if high is None else int(high) // 10_000 * 10_000 + 1231
            return query.Range(field, first, last)
        case _:  # what leaves out a part of a year
            return query.Everything()


def _has_whole_years(part: query.Query) -> bool:
    """Whether all dates (YYYYMMDD) are the first day of a year with it, or the last without it, and so at the end."""
    match part:
        case query.And(parts) | query.Or(parts):
            return all(map(_has_whole_years, parts))
        case query.Not(inner):
            return _has_whole_years(inner)
        case query.Range(_, low, high, include_low, include_high):
            begins = low is None or int(low) % 10_000 == (101 if include_low else 1231)
            return begins and (high is None or int(high) % 10_000 == (1231 if include_high else 101))
        case _:
            return False
