"""Facets: which values the documents that match have, and how many have each. Engines count, this puts in order.

Values stand the most frequent first, but for those of `year` and `month`, which stand in order of time; a document that
is dated by its year only counts among the `coarse` of the months, and what has no value at all among the `unknown`. A
document with two tags counts for each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from muniment.errors import UsageError

FACETS = ("source", "year", "month", "language", "author", "tag", "kind")
FACET_DATES = ("year", "month")
LONGEST_GAP = {"year": 100, "month": 1200}  # empty years and months in a row that are listed


class Facet(NamedTuple):
    """How many of the documents that match have this value."""

    value: str
    count: int  # type: ignore[assignment]  # in place of tuple.count


_make_facet = Facet._make  # half of the time that the class takes when it is called


class Counts(NamedTuple):
    """One facet over everything that matches; every number is exact.

    `more` says how many values there are beside those listed, and `rest` the sum of their counts; of dates these are
    the ones before. `coarse` is for months: the years of what is dated by the year only.
    """

    values: tuple[Facet, ...]
    more: int = 0
    rest: int = 0
    unknown: int = 0
    coarse: tuple[Facet, ...] = ()

    def cut(self, limit: int) -> Counts:
        """The `limit` most frequent values, of dates given with `newest` the last; the others are counted in `more`."""
        kept, others = self.values[:limit], self.values[limit:]
        return self._replace(values=kept, more=self.more + len(others), rest=self.rest + _sum(others))

    def newest(self, limit: int) -> Counts:
        """The last `limit` of values in order of time; in `more` the empty ones before do not count."""
        place = max(0, len(self.values) - limit)
        kept, others = self.values[place:], self.values[:place]
        more = len([facet for facet in others if facet.count])
        return self._replace(values=kept, more=self.more + more, rest=self.rest + _sum(others))


def counts_of_values(counts: Iterable[tuple[str, int]], limit: int) -> Counts:
    """From (value, count) of all values: the most frequent, equals by value; "" is "none known"."""
    known, unknown = list(counts), 0
    for place, (value, _) in enumerate(known):
        if not value:
            unknown = known.pop(place)[1]
            break
    numbers = [count for _, count in known]
    listed, total = known, sum(numbers)
    if limit < len(known):  # of forty thousand authors, only those that may be listed are put in order
        least = sorted(numbers, reverse=True)[limit - 1] if limit else total + 1
        listed = [entry for entry in known if entry[1] >= least]
    ordered = sorted([(-count, value) for value, count in listed])[:limit]
    values = tuple([_make_facet((value, -negative)) for negative, value in ordered])
    return Counts(values, len(known) - len(values), total - _sum(values), unknown)


def counts_of_dates(counts: Iterable[tuple[int, int]]) -> Counts:
    """From (2021 or 202105 or 202100, count) of all years or months: in order of time; 0 is "none known"."""
    ordered = sorted(counts)
    unknown = ordered.pop(0)[1] if ordered and ordered[0][0] == 0 else 0
    exact, coarse = list[Facet](), list[Facet]()
    for date, count in ordered:
        is_coarse = date >= 10_000 and not date % 100
        (coarse if is_coarse else exact).append(_make_facet((_written(date), count)))
    return Counts(tuple(exact), unknown=unknown, coarse=tuple(coarse))


def with_empty(name: str, counts: Counts) -> Counts:
    """The years or months with those between them in which nothing was published, but for gaps of over a century."""
    listed: list[Facet] = []
    for facet in counts.values:
        if listed:
            last, this = _place(listed[-1].value), _place(facet.value)
            if this - last <= LONGEST_GAP[name]:
                months = name == "month"
                listed += [_make_facet((_at(place, months=months), 0)) for place in range(last + 1, this)]
        listed.append(facet)
    return counts._replace(values=tuple(listed))


def runs(values: Sequence[Facet]) -> list[list[Facet]]:
    """Years or months of `with_empty`, parted where the gaps are that it leaves."""
    found: list[list[Facet]] = []
    last = -1
    for facet in values:
        place = _place(facet.value)
        if found and place == last + 1:
            found[-1].append(facet)
        else:
            found.append([facet])
        last = place
    return found


def check_facets(names: Sequence[str]) -> None:
    """Raises UsageError unless every name is a facet's."""
    for name in names:
        if name not in FACETS:
            raise UsageError(f"there is no facet {name!r}{_proposal(name)}: choose from {', '.join(FACETS)}")


def _proposal(name: str) -> str:
    from difflib import get_close_matches  # 4 ms that a right name has no use for

    near = get_close_matches(name.lower(), FACETS, 1, 0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _sum(facets: Sequence[Facet]) -> int:
    return sum([facet.count for facet in facets])


def _written(date: int) -> str:
    """ "2021" of 2021 and 202100, "2021-05" of 202105."""
    if date < 10_000:
        return f"{date:04}"
    return f"{date // 100:04}-{date % 100:02}" if date % 100 else f"{date // 100:04}"


def _place(value: str) -> int:
    """Years, or months, since the year 0."""
    year, _, month = value.partition("-")
    return int(year) * 12 + int(month) - 1 if month else int(year)


def _at(place: int, *, months: bool) -> str:
    return f"{place // 12:04}-{place % 12 + 1:02}" if months else f"{place:04}"
