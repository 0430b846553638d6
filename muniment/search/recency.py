"""Relevance with newer articles raised: the score times a factor that falls with the age of the publication.

A factor and not a bonus, so that it weighs the same whatever is asked for; in steps, so that any engine can do it with
conditions that it has.
"""

from __future__ import annotations

from datetime import date, timedelta

from muniment.index import query
from muniment.search import dates

FACTORS = ((7, 2.0), (31, 1.75), (365, 1.5), (5 * 365, 1.25))  # published in the last so many days, or dated later


def raised(tree: query.Query, today: date) -> query.Query:
    """The tree, matching the same, with the score of what was published lately times FACTORS.

    An article that is dated by its month or year alone counts from that one's first day; an undated one is not raised.
    """
    classes: list[query.Query] = []
    newer: int | None = None
    for days, factor in FACTORS:
        since = dates.number(today - timedelta(days))
        within = query.Range("first_day", since, newer, True, False)
        classes.append(query.Boosted(query.conjunction((tree, within)), factor))
        newer = since
    return query.Or((*classes, query.conjunction((tree, query.Not(query.Range("first_day", newer))))))
