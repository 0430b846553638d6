"""The part of a run that asks hosts: feeds, sitemaps, sites, pages, and what is due to be looked at again."""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muniment import pipeline
from muniment.archive.archive import Archive
from muniment.errors import FetchError, MunimentError, UsageError
from muniment.jobs import revisits
from muniment.jobs.counting import count_item
from muniment.jobs.job import Revisit
from muniment.jobs.pauses import Pauses
from muniment.jobs.places import real
from muniment.jobs.report import Source, iso, moment
from muniment.jobs.revisits import RAREST
from muniment.model import Declared
from muniment.regular import open_regular

if TYPE_CHECKING:
    from muniment.adding import Added
    from muniment.discovering.plan import Command
    from muniment.frontier import Wanted
    from muniment.ingest.fetch import Fetcher
    from muniment.ingest.upload import Target
    from muniment.jobs.running import Run

RECHECK = timedelta(days=1)  # for what a listing still names: beyond that, articles are looked at by their own clock
_LISTING = re.compile(r"(?:/robots\.txt|/sitemap[^/]*|\.xml|\.xml\.gz|\.rss|\.atom)$")  # never had, it is no article
MOST_RARE = timedelta(days=7)  # how rarely an address is asked for that a job names, though it is gone
BREAKER = 5  # failures of a host in a row


@dataclass
class Fetching:
    """The part of a run that asks hosts, all of it with one fetcher, so that each host sees one manner."""

    run: Run
    archive: Archive
    opened: ExitStack
    _made: tuple[Fetcher, Any, Pauses] | None = None

    def discover(self, command: Command, starts: Sequence[str]) -> None:
        """What feeds, sitemaps or links lead to."""
        run = self.run
        sources = {start: run.report.source(command, start) for start in starts}
        # What an earlier run postponed may be of a start that is in the job no more.
        self._follow(command, starts, lambda start: sources.get(start) or run.report.source(command, start))

    def pages(self) -> None:
        """The addresses that are named one by one, and the articles that are due to be looked at again."""
        run, origin = self.run, dict[str, tuple[str, str]]()
        for url in run.job.urls:
            if not self._had_before(url):
                origin.setdefault(url, ("url", url))
        for name in run.job.lists:
            self._take_list(name, origin)
        for key, url in self._due.items():
            if not self._was_looked_at(key):
                origin.setdefault(url, _revisit(url))
        if origin or run.is_resumed:
            # What was found due before the run was cut off may not be due any more.
            self._follow("pages", list(origin), lambda start: run.report.source(*origin.get(start, _revisit(start))))

    def _take_list(self, name: str, origin: dict[str, tuple[str, str]]) -> None:
        """A list that cannot be read keeps no other page from being asked for."""
        source = self.run.report.source("list", name)
        try:
            for target in _read_list(self.run.root, name):
                problem = target.problem or _problem_of(target.url or target.name)
                if problem or target.url is None:
                    source.tried += 1
                    source.count_failure("bad-url", problem or "")
                else:
                    origin.setdefault(target.url, ("list", name))
        except MunimentError as e:
            source.tried += 1
            source.count_failure("no-list", str(e))
            self.run.error(str(e))

    @cached_property
    def _due(self) -> dict[str, str]:
        """The articles that are to be looked at again in this run, on the hosts of this job: key -> address."""
        from muniment.ingest.urls import article_key, host_of

        run, revisit, catalog = self.run, self.run.job.revisit, self.archive.catalog
        if revisit is None:
            return {}
        named = (*run.job.feeds, *run.job.sitemaps, *run.job.crawls)
        hosts = sorted({host_of(url).removeprefix("www.") for url in named} | set(run.state.hosts))
        listings = {article_key(url) for url in named}
        held = (article for host in hosts for article in catalog.looked(host))
        never = (one for host in hosts for one in catalog.never_had(host)
                 if one.key not in listings and not _LISTING.search(one.key))  # fmt: skip
        due = dict[str, str]()
        for wanted in revisits.due(chain(held, never), revisit, run.world.clock()):
            number = catalog.newest(wanted.key)
            snapshot = catalog.snapshot(number) if number is not None else None
            if snapshot is not None and snapshot.withdrawn is not None:
                continue
            url = snapshot.url if snapshot is not None else catalog.asked_by(wanted.key)
            if url and _problem_of(url) is None:
                due[wanted.key] = url
        return due

    def _was_looked_at(self, key: str) -> bool:
        """Whether this run looked at it before: a site's links led to it."""
        seen = self.archive.catalog.looked_at(key)
        return seen is not None and moment(seen.last) >= moment(self.run.report.begun or self.run.report.started)

    def _had_before(self, url: str) -> bool:
        """Whether a feed or a site's links led to this address earlier in the run, or it is gone and rests: it has its
        row in the report all the same."""
        from muniment.ingest.urls import article_key

        run, key = self.run, article_key(url)
        look = self.archive.catalog.look_within(key, range(sys.maxsize))
        if look is None or look.number >= run.state.stage_size:
            return False
        # A feed is looked at too, and is no article.
        was_looked_at = moment(self.archive.leaf(look.number).date) >= moment(run.report.begun or run.report.started)
        if not was_looked_at and not self._is_at_rest("pages", key):
            return False
        source = run.report.source("url", url)
        source.tried += 1
        if look.type == "attempt" and look.reason != "http-304":
            source.count_failure(look.reason or "failed", url)  # as it was found: an alarm of it stands
        else:
            source.unchanged += 1
        return True

    def _rests(self, command: Command, wanted: Wanted) -> bool:
        """Whether a page is left for a later run, though something names it: it is gone, or was never to be had, and
        not due yet; or it is held, and a site's links lead to it, but it is not its turn."""
        return not (command == "crawl" and not wanted.depth) and self._is_at_rest(command, wanted.key)

    def _is_at_rest(self, command: Command, key: str) -> bool:
        seen, revisit = self.archive.catalog.looked_at(key), self.run.job.revisit
        if seen is not None and seen.gone:
            named = command == "pages" and key not in self._due
            return revisits.rests(seen, revisit or Revisit(), self.run.world.clock(), MOST_RARE if named else RAREST)
        return seen is not None and command == "crawl" and revisit is not None and key not in self._due

    def _follow(self, command: Command, starts: Sequence[str], source_of: Callable[[str], Source]) -> None:
        from muniment.discovering.plan import Plan

        run, limits = self.run, self.run.job.limits
        plan = Plan(
            command, tuple(starts), limit=limits.pages, declared=run.declared(), recheck=RECHECK,
            match=run.job.match, exclude=run.job.exclude, hosts=run.job.hosts,
            name=f"job {run.job.name} {command}", begun=moment(run.report.begun or run.report.started),
            own=run.own(),
            rests=lambda wanted: self._rests(command, wanted), over=run.over,
        )  # fmt: skip
        if limits.depth is not None:
            plan = replace(plan, depth=limits.depth)
        elif command == "crawl":
            plan = replace(plan, depth=3)
        fetcher, pages, pauses = self._fetchers()
        left: Counter[tuple[str, str]] = Counter()
        before: list[Added] = []  # what this run did before it was cut off

        def recount() -> None:
            while before:
                added = before.pop(0)
                if added.start is not None:
                    count_item(run, self.archive, added, source_of(added.start))

        results: Generator[Added, None, None] = pipeline.discover(
            self.archive, plan, fetcher, run.options(), pages=pages, left=left, before=before
        )
        try:
            with closing(results):
                for added in results:
                    recount()
                    if added.start is not None:
                        run.take(self.archive, added, source_of(added.start))
                    pauses.keep(run.world.clock())
                    if run.world.stopped():
                        raise KeyboardInterrupt
        finally:
            recount()
        known = fetcher.pauses()
        for (start, host), count in left.items():
            if start:
                until = run.world.clock() + timedelta(seconds=math.ceil(known.get(host, (0.0, 0))[0]))
                source_of(start).count_left(
                    count, f"{host} asked to be left alone, or failed too often: until {iso(until)}"
                )
        pauses.keep(run.world.clock())
        run.give_way()
        if why := run.over():
            run.note(f"{why}: what was found, and not asked for, waits for the next one")

    def _fetchers(self) -> tuple[Fetcher, Any, Pauses]:
        """What gets listings, what gets pages, and which hosts are left alone; made once a run."""
        if self._made is None:
            from muniment.ingest.policy import FetchPolicy, check_settings, mannerly

            job, settings = self.run.job, {"breaker": BREAKER, **self.archive.config.fetch}
            try:
                check_settings(settings)
            except UsageError as e:
                raise UsageError(f"archive.toml, [fetch]: {e}") from e
            policy = FetchPolicy(allow_private=job.allow_private, resolve=job.resolve, **settings)
            fetcher = self.run.world.fetcher(mannerly(policy, job.limits.delay))
            pauses = Pauses(self.run.root, fetcher, self.run.world.clock())
            self.opened.callback(lambda: pauses.end(self.run.world.clock()))
            self._made = fetcher, self._pages(fetcher), pauses
        return self._made

    def _pages(self, fetcher: Fetcher) -> Any:
        if self.run.job.browser:
            from muniment.ingest.browser import BrowserFetcher

            return self.opened.enter_context(closing(BrowserFetcher(fetcher, fetcher.policy)))
        if self.run.job.requisites:
            from muniment.ingest.requisites import RequisiteFetcher

            return RequisiteFetcher(fetcher)
        return fetcher


def _problem_of(address: str) -> str | None:
    """Why an address cannot be asked for."""
    from muniment.ingest.urls import normalise_target

    try:
        normalise_target(address)
    except FetchError as e:
        return str(e)
    return None


def _revisit(start: str) -> tuple[str, str]:
    from muniment.ingest.urls import host_of

    return "revisit", host_of(start).removeprefix("www.")


def _read_list(root: Path, name: str) -> Iterator[Target]:
    from muniment.ingest.upload import read_list

    try:
        with open_regular(real(root / name)) as lines:
            yield from read_list(lines, Declared(), name)
    except OSError as e:
        raise UsageError(f"cannot read the list {name}: {e.strerror or e}") from None
