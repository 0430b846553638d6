"""Which articles are to be looked at again, and when: pure, from what the log says of them.

An article that was found changed is looked at again after `least`, then after as long again as it has stood unchanged:
6 hours, 12, 24, 48, up to `most`. So an edit is found within that window, and one article costs about ten looks in its
first two months and six a year from then on. One that was published long before it was captured begins where its age
puts it. What is gone, or was never to be had, is asked for more and more rarely, up to `RAREST`, and never given up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from muniment.archive.tables.looks import Looked
from muniment.jobs.job import Revisit

RAREST = timedelta(days=180)


class Wanted(NamedTuple):
    """An article that is due: `lateness` is in windows, so that all are late alike where the budget is short."""

    key: str
    due: datetime
    lateness: float


def window(article: Looked, revisit: Revisit) -> timedelta:
    """How long after the last look the next one is due."""
    last, changed = (datetime.fromisoformat(text) for text in (article.last, article.changed))
    published = article.published
    if published and published < article.first and article.changed <= article.first:  # never seen to change
        changed = min(changed, _end_of(published))
    quiet = min(max(last - changed, revisit.least), revisit.most)
    if not article.gone:
        return quiet
    rarer = min(revisit.least.total_seconds() * 4 ** min(article.gone, 10), RAREST.total_seconds())
    return min(max(quiet, timedelta(seconds=rarer)), RAREST)


def due(articles: Iterable[Looked], revisit: Revisit, now: datetime) -> list[Wanted]:
    """Those that are due, the latest first, within the budget."""
    wanted = sorted(_late(articles, revisit, now), key=lambda one: (-one.lateness, one.key))
    return wanted[: revisit.budget]


def rests(article: Looked, revisit: Revisit, now: datetime, most: timedelta = RAREST) -> bool:
    """Whether it is gone, or was never to be had, and is not to be asked for yet, though something names it."""
    length = min(window(article, revisit), most)
    return bool(article.gone) and now < datetime.fromisoformat(article.last) + length


def _late(articles: Iterable[Looked], revisit: Revisit, now: datetime) -> Iterator[Wanted]:
    for article in articles:
        length = window(article, revisit)
        at = datetime.fromisoformat(article.last) + length
        if at <= now:
            yield Wanted(article.key, at, (now - at) / length)


def _end_of(published: str) -> datetime:
    """The end of what a date says, 2021, 2021-05, 2021-05-30: of an article of today nobody knows how old it is."""
    year, month, day = (*map(int, published[:10].split("-")), 0, 0)[:3]
    if day:
        return datetime(year, month, day, tzinfo=UTC) + timedelta(days=1)
    return datetime(year + (month in (0, 12)), month % 12 + 1 if month else 1, 1, tzinfo=UTC)
