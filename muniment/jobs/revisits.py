"""Which articles are to be looked at again, and when: pure, from what the log says of them.

An article that was found changed is looked at again after `least`, then after as long again as it has stood unchanged:
6 hours, 12, 24, 48, up to `most`. So an edit is found within that window, and one article costs about ten looks in its
first two months and six a year from then on. One that was published long before it was captured begins where its age
puts it. What is gone is asked for more and more rarely, up to `RAREST`, and never given up.
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
    if article.changed <= article.first and article.published:  # never seen to change: its age counts
        changed = min(changed, _day(article.published))
    quiet = min(max(last - changed, revisit.least), revisit.most)
    if not article.gone:
        return quiet
    rarer = min(revisit.least.total_seconds() * 4 ** min(article.gone, 10), RAREST.total_seconds())
    return min(max(quiet, timedelta(seconds=rarer)), RAREST)


def due(articles: Iterable[Looked], revisit: Revisit, now: datetime) -> list[Wanted]:
    """Those that are due, the latest first, within the budget."""
    wanted = sorted(_late(articles, revisit, now), key=lambda one: (-one.lateness, one.key))
    return wanted[: revisit.budget]


def _late(articles: Iterable[Looked], revisit: Revisit, now: datetime) -> Iterator[Wanted]:
    for article in articles:
        length = window(article, revisit)
        at = datetime.fromisoformat(article.last) + length
        if at <= now:
            yield Wanted(article.key, at, (now - at) / length)


def _day(published: str) -> datetime:
    """The first moment of what a date says: 2021, 2021-05, 2021-05-30."""
    year, month, day = (*published[:10].split("-"), "1", "1")[:3]
    return datetime(int(year), int(month), int(day), tzinfo=UTC)
