"""What a run would fetch, and what robots.txt says of it; nothing is stored."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from muniment.archive.archive import Archive
from muniment.discovering.plan import Plan, Scope, found_in, is_known, is_main, read_job, starts_of, usual_sitemap
from muniment.errors import FetchError
from muniment.frontier import Wanted
from muniment.model import Attempt

if TYPE_CHECKING:
    from muniment.ingest.clean.workers import Workers
    from muniment.ingest.fetch import Fetcher

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be done with one address. `robots` is "allowed", "forbidden" or "unknown", and `detail` says why.
    `known` pages are asked whether they changed, or passed over where they were looked at lately (not `due`)."""

    url: str
    listing: bool
    robots: Literal["allowed", "forbidden", "unknown"]
    crawl_delay: float = 0.0
    detail: str = ""
    known: bool = False
    due: bool = True
    title: str = ""
    published: str = ""


def preview(archive: Archive, plan: Plan, fetcher: Fetcher, workers: Workers) -> Iterator[Preview]:
    """What a run would fetch, in order. Listings are fetched, for they have to be read; of a crawl, the start pages."""
    scope, seen, shown = Scope(plan), set[str](), 0
    queue = deque(starts_of(plan))
    while queue:
        wanted = queue.popleft()
        if wanted.key in seen:
            continue
        seen.add(wanted.key)
        if not wanted.listing:
            if plan.limit is not None and shown >= plan.limit:
                return
            shown += 1
        row = _preview(archive, plan, fetcher, wanted)
        yield row
        is_start = plan.command == "crawl" and wanted.depth == 0
        refused = row.robots == "forbidden" and fetcher.policy.respect_robots
        if not refused and (wanted.listing or is_start):
            more, pages = _named(fetcher, workers, scope, plan, wanted)
            queue.extendleft(reversed(more))
            queue.extend(pages)


def _named(
    fetcher: Fetcher, workers: Workers, scope: Scope, plan: Plan, wanted: Wanted
) -> tuple[list[Wanted], list[Wanted]]:
    """The listings and the pages that a document names."""
    outcome = fetcher.fetch(wanted.url).outcome
    if isinstance(outcome, Attempt):
        _log.warning("%s: %s", wanted.url, outcome.detail)
        usual = usual_sitemap(wanted) if wanted.url.endswith("/robots.txt") else None
        return ([usual] if usual else []), []
    crawled = plan.command == "crawl"
    job = read_job(outcome.uri, outcome.body, outcome.media_type, outcome.charset, outcome.content_encoding, crawled)
    listing = workers.read(job).result()
    if listing.problem:
        _log.warning("%s: %s", outcome.uri, listing.problem)
    found, depth = found_in(outcome.uri, listing), wanted.depth + 1
    more = [] if crawled else [entry for entry in listing.more if listing.kind != "page" or is_main(entry)]
    listings = [w for entry in more if (w := scope.listing(entry, depth))]
    if listing.kind == "robots" and not more and (usual := usual_sitemap(wanted)):
        listings.append(usual)
    return listings, [w for entry in listing.entries if (w := scope.page(entry, found, depth))]


def _preview(archive: Archive, plan: Plan, fetcher: Fetcher, wanted: Wanted) -> Preview:
    said = dict(reversed(wanted.said))
    title = said.get("feed-title") or said.get("sitemap-title") or ""
    published = said.get("feed-published") or said.get("sitemap-published") or ""
    look = archive.catalog.last_look(wanted.key)
    due = not is_known(plan, wanted, look, datetime.now(UTC))
    verdict: Literal["allowed", "forbidden", "unknown"] = "allowed"
    delay, detail = 0.0, ""
    try:
        delay = fetcher.robots(wanted.url)
    except FetchError as e:
        verdict, detail = ("forbidden" if e.reason == "robots" else "unknown"), str(e)
    return Preview(wanted.url, wanted.listing, verdict, delay, detail, look is not None, due, title, published)
