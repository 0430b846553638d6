"""What to discover, and which of what is found is wanted; pure."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from muniment.errors import FetchError, UsageError
from muniment.frontier import Wanted
from muniment.ingest.discover.dates import is_before, iso_of, moment_of
from muniment.ingest.discover.listing import Entry, Listing, ReadJob
from muniment.ingest.urls import article_key, host_of, normalise_target, origin_of
from muniment.model import Declared

_log = logging.getLogger(__name__)

Command = Literal["feed", "sitemap", "crawl", "pages"]
_MAX_LISTINGS_DEPTH = 5
_URL_DATE = re.compile(r"/((?:19|20)\d\d)[/-]([01]\d)(?:[/-]([0-3]\d))?(?=[/_.-]|$)")


def _never(wanted: Wanted) -> bool:
    return False


def _nothing() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to discover, from the `starts` on. Raises UsageError.

    `since` is an ISO date: what is older is passed over; what has no date is asked for, and its own date counts, if it
    has one. At most `limit` pages are asked
    for. `depth` counts links from the start page, or listings within listings. `match` and `exclude` are patterns with
    `*` for whole addresses, `hosts` the further hosts of a crawl. Pages that were looked at within `recheck` are not
    asked for again unless the listing dates them later; nor are those of which `rests` says so. `full` asks for
    everything, and whole. The starts of `pages` are the pages themselves.

    A run has a `name` where it is not told from others by what it looks for; what was looked at since it was `begun`
    is not asked for again, whatever else is said. Where it is cut off, it goes on when it is called with the same two;
    what it stored by then is among the leaves that are its `own`, the newest first. Nothing more is begun once `over`
    says why.
    """

    command: Command
    starts: tuple[str, ...]
    since: str | None = None
    limit: int | None = None
    depth: int = _MAX_LISTINGS_DEPTH
    match: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    declared: Declared = field(default_factory=Declared)
    recheck: timedelta = timedelta(hours=12)
    full: bool = False
    name: str = ""
    begun: datetime | None = None
    own: tuple[range, ...] = (range(sys.maxsize),)
    rests: Callable[[Wanted], bool] = field(default=_never, compare=False)
    over: Callable[[], str] = field(default=_nothing, compare=False)

    def __post_init__(self) -> None:
        for start in self.starts:
            try:
                normalise_target(start)
            except FetchError as e:
                raise UsageError(str(e)) from e
        if self.since is not None and iso_of(self.since) is None:
            raise UsageError(f"--since: {self.since!r} is no date: write 2026, 2026-11 or 2026-11-22")

    @property
    def key(self) -> str:
        """What tells this run from others: everything that decides what is found."""
        if self.name:
            return self.name
        besides = {
            "recheck": 0,
            "full": False,
            "limit": None,
            "name": "",
            "begun": None,
            "own": None,
            "rests": None,
            "over": None,
        }
        said = {**asdict(self), **besides}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @property
    def token(self) -> str:
        """The run among those of the same key, where it can be cut off and counted all the same."""
        return self.begun.isoformat() if self.begun is not None else ""


class Scope:
    """Which of the addresses that are found are wanted."""

    def __init__(self, plan: Plan):
        self._plan = plan
        self._match, self._exclude = (
            [re.compile(fnmatch.translate(p)) for p in ps] for ps in (plan.match, plan.exclude)
        )
        named = {host_of(normalise_target(start)) for start in plan.starts} | {host.lower() for host in plan.hosts}
        self._hosts = {_bare(host) for host in named}

    def listing(self, entry: Entry, depth: int, start: str = "") -> Wanted | None:
        if depth > self._plan.depth or self._is_old(entry):
            return None
        return wanted_listing(entry.url, depth, start)

    def page(self, entry: Entry, found: Found, depth: int, start: str = "") -> Wanted | None:
        url = _normal(entry.url)
        if url is None or self._is_old(entry):
            return None
        if (self._match and not any(p.match(url) for p in self._match)) or any(p.match(url) for p in self._exclude):
            return None
        if self._plan.command == "crawl" and (depth > self._plan.depth or _bare(host_of(url)) not in self._hosts):
            return None
        moments = [moment for text in (entry.published, entry.updated) if (moment := moment_of(text))]
        dated = max(moments).isoformat() if moments else ""
        return Wanted(url, article_key(url), host_of(url), depth, False, tuple(_said(entry, found)), dated, start)

    def _is_old(self, entry: Entry) -> bool:
        if self._plan.since is None:
            return False
        written = entry.updated or entry.published
        if not written and (m := _URL_DATE.search(entry.url)):
            written = "-".join(part for part in m.groups() if part)
        return bool(written) and is_before(written, self._plan.since)


class Found(NamedTuple):
    """Where something was found: the document's address, and what kind it is."""

    url: str
    kind: str


def _said(entry: Entry, found: Found) -> Iterator[tuple[str, str]]:
    """The facts that a listing gives of an article."""
    yield "foundIn", found.url
    if found.kind == "page":
        return
    for name in ("title", "published", "updated", "id", "language"):
        if value := getattr(entry, name):
            yield f"{found.kind}-{name}", value
    yield from ((f"{found.kind}-author", author) for author in entry.authors)
    yield from ((f"{found.kind}-category", category) for category in entry.categories)


def _bare(host: str) -> str:
    return host.removeprefix("www.")


def _normal(url: str) -> str | None:
    try:
        return normalise_target(url)
    except FetchError as e:
        _log.info("passed over: %s", e)
        return None


def wanted_listing(address: str, depth: int, start: str = "") -> Wanted | None:
    url = _normal(address)
    return Wanted(url, f"listing {url}", host_of(url), depth, listing=True, start=start) if url else None


def starts_of(plan: Plan) -> Iterator[Wanted]:
    """What to look at first. For a site, `sitemap` asks its robots.txt which sitemaps it has."""
    for given in plan.starts:
        start = normalise_target(given)
        if plan.command in ("crawl", "pages"):
            yield Wanted(start, article_key(start), host_of(start), start=given)
        elif plan.command == "sitemap" and start == origin_of(start) + "/":
            address = f"{start}robots.txt"
            yield Wanted(address, f"listing {address}", host_of(start), 0, listing=True, start=given)
        elif wanted := wanted_listing(start, 0, given):
            yield wanted


def usual_sitemap(robots: Wanted) -> Wanted | None:
    """Where a site's sitemap may be when its robots.txt names none."""
    return wanted_listing(robots.url.removesuffix("robots.txt") + "sitemap.xml", robots.depth + 1, robots.start)


def found_in(url: str, listing: Listing) -> Found:
    """What the facts of the entries say of the listing."""
    return Found(url, "sitemap" if listing.kind in ("addresses", "index") else listing.kind)


def is_known(plan: Plan, wanted: Wanted, look: str | None, now: datetime) -> bool:
    """Whether a page was looked at lately, when `look` says, and the listing says nothing newer; or rests."""
    if wanted.listing:
        return False
    if look is None:
        return plan.rests(wanted)
    looked = datetime.fromisoformat(look)
    if plan.begun is not None and looked >= plan.begun:
        return True
    is_newer = bool(wanted.dated) and wanted.dated > looked.isoformat()
    if plan.full or is_newer:
        return False
    return (plan.command in ("feed", "sitemap") and now - looked < plan.recheck) or plan.rests(wanted)


def read_job(
    url: str, body: bytes, media_type: str, charset: str | None, content_encoding: str | None, links: bool
) -> ReadJob:
    return ReadJob(body, media_type, url, charset, content_encoding, links)


def is_main(feed: Entry) -> bool:
    """Whether a feed that a page names is its own, and not one of readers' comments."""
    return "comment" not in (feed.url + feed.title).lower()
