"""The part of a run that asks hosts: feeds, sitemaps, sites, pages, and what is due to be looked at again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muniment import pipeline
from muniment.archive.archive import Archive
from muniment.errors import FetchError, UsageError
from muniment.jobs import revisits
from muniment.jobs.pauses import Pauses
from muniment.jobs.report import Source, moment
from muniment.model import Declared

if TYPE_CHECKING:
    from muniment.adding import Added
    from muniment.discovering.plan import Command
    from muniment.ingest.fetch import Fetcher
    from muniment.ingest.upload import Target
    from muniment.jobs.running import Run

RECHECK = timedelta(days=1)  # for what a listing still names: beyond that, articles are looked at by their own clock
BREAKER = 5  # failures of a host in a row


@dataclass(slots=True)
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
            origin.setdefault(url, ("url", url))
        for name in run.job.lists:
            source = run.report.source("list", name)
            for target in _read_list(run.root, name):
                problem = target.problem or _problem_of(target.url or target.name)
                if problem or target.url is None:
                    source.tried += 1
                    source.count_failure("bad-url", problem or "")
                else:
                    origin.setdefault(target.url, ("list", name))
        if run.job.revisit is not None:
            for url, host in self._due():
                origin.setdefault(url, ("revisit", host))
        if origin or run.is_resumed:
            # What was found due before the run was cut off may not be due any more.
            self._follow("pages", list(origin), lambda start: run.report.source(*origin.get(start, _revisit(start))))

    def _due(self) -> Iterator[tuple[str, str]]:
        """The articles that are due on the hosts of this job."""
        from muniment.ingest.urls import host_of

        run, revisit = self.run, self.run.job.revisit
        assert revisit is not None  # asked for
        named = (*run.job.feeds, *run.job.sitemaps, *run.job.crawls)
        hosts = {host_of(url).removeprefix("www.") for url in named} | set(run.state.hosts)
        articles = (article for host in sorted(hosts) for article in self.archive.catalog.looked(host))
        for wanted in revisits.due(articles, revisit, run.world.clock()):
            number = self.archive.catalog.newest(wanted.key)
            snapshot = self.archive.catalog.snapshot(number) if number is not None else None
            if snapshot is not None and snapshot.url and snapshot.withdrawn is None:
                yield snapshot.url, host_of(snapshot.url).removeprefix("www.")

    def _follow(self, command: Command, starts: Sequence[str], source_of: Callable[[str], Source]) -> None:
        from muniment.discovering.plan import Plan

        run, limits = self.run, self.run.job.limits
        spent = timedelta(seconds=run.elapsed)
        plan = Plan(
            command, tuple(starts), limit=limits.pages, declared=run.declared(), recheck=RECHECK,
            match=run.job.match, exclude=run.job.exclude, hosts=run.job.hosts,
            name=f"job {run.job.name} {command}", begun=moment(run.report.begun or run.report.started),
            since_leaf=run.state.stage_size,
            lasts=None if limits.time is None else max(limits.time - spent, timedelta(0)),
        )  # fmt: skip
        if limits.depth is not None:
            plan = replace(plan, depth=limits.depth)
        elif command == "crawl":
            plan = replace(plan, depth=3)
        fetcher, pages, pauses = self._fetchers()
        left: Counter[str] = Counter()
        before: list[Added] = []  # what this run did before it was cut off

        def recount() -> None:
            while before:
                added = before.pop(0)
                if added.start is not None:
                    run.count(self.archive, added, source_of(added.start))

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
        for start, count in left.items():
            if start:
                source = source_of(start)
                source.tried += count
                source.blocked += count
                source.reasons["retry-after"] = source.reasons.get("retry-after", 0) + count
        pauses.keep(run.world.clock())

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


def _read_list(root: Path, name: str) -> Iterable[Target]:
    from muniment.ingest.upload import read_list

    try:
        with (root / name).open("rb") as lines:
            return list(read_list(lines, Declared(), name))
    except OSError as e:
        raise UsageError(f"cannot read the list {name}: {e.strerror}") from None
