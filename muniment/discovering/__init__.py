"""From feeds, sitemaps and pages to the articles that they name: found, asked for with manners, and added as all else.

`Discovery.gather` takes the place of `adding.gather`: addresses from the frontier -> captures. plan.py says what is
wanted; preview.py shows it, and stores nothing.

A listing is captured, for it is evidence of what it said, and makes no article. What is held already is asked for
with a condition (`If-None-Match`), and whole once in a while; a server that says 304 costs an attempt and no payload.
"""

from __future__ import annotations

import logging
import math
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from muniment.adding import FETCHES_AHEAD, AddOptions, Item
from muniment.archive.archive import Archive
from muniment.discovering import resuming
from muniment.discovering.held import held_of
from muniment.discovering.hosts import APART, Hosts
from muniment.discovering.plan import Plan, Scope, found_in, is_known, is_main, read_job, starts_of, usual_sitemap
from muniment.frontier import Frontier, Wanted
from muniment.ingest.discover.listing import Entry, Listing, ReadJob
from muniment.ingest.http import Held, parse_response
from muniment.ingest.upload import Target
from muniment.ingest.urls import host_of, page_of
from muniment.model import Attempt, Capture, Declared, Fetched

if TYPE_CHECKING:
    from muniment.adding import Added, Fetches
    from muniment.ingest.clean.workers import Workers
    from muniment.ingest.fetch import Fetcher

_log = logging.getLogger(__name__)

STATE = "discovery.sqlite"
_TRANSIENT = re.compile(r"connect|cut|dns-temporary|timeout|http-(?:408|425|429|5\d\d)")
FLIGHTS = 64  # addresses that are under way at a time, each at another host
MOST_LISTINGS = 10_000  # of a run: each may name 200,000 others, so that a site could hold it for ever
MOST_AHEAD = 200_000  # pages that wait, until nothing more is read that would name others: they fill the disk
_LARGE = 8 << 20  # bytes: where so much is coming, no more are under way than of given addresses, for it is in memory
_LOOK_AGAIN = 0.1


@dataclass(slots=True)
class _Flight:
    """An address that was asked for: what it was, what is held of it, and what came, once it did, after how long. First
    its `rules` may be asked for: its robots.txt. A page that is `known` is read only."""

    wanted: Wanted
    held: Mapping[str, Held]
    begun: float
    rules: bool = False
    known: bool = False
    fetched: Fetched | None = None
    seconds: float = 0.0


class Discovery:
    """One run. `gather` gives what was captured; `settle` is told what was committed of it.

    `left` counts, by start and host, the pages whose hosts asked to be left alone; `before` is what came of those that
    were looked at before this run was cut off.
    """

    def __init__(
        self,
        archive: Archive,
        plan: Plan,
        fetcher: Fetcher,
        options: AddOptions,
        *,
        pages: Fetches | None = None,
        restart: bool = False,
        before: list[Added] | None = None,
    ) -> None:
        self._archive, self._plan, self._fetcher, self._options = archive, plan, fetcher, options
        self._pages, self._restart = pages or fetcher, restart
        self._scope = Scope(plan)
        self._most = FLIGHTS if self._pages is fetcher else FETCHES_AHEAD
        self._hosts = Hosts(fetcher)
        self._ruled: set[int] = set()
        self._flying: dict[Future[Any], _Flight] = {}
        self._awaited: dict[str, _Flight] = {}
        self.left: Counter[tuple[str, str]] = Counter()
        self.before: list[Added] = [] if before is None else before
        self._asked = self.known = self.postponed = 0

    @cached_property
    def _frontier(self) -> Frontier:
        """Opened when the first address is wanted: whoever gathers holds the archive's lock."""
        plan = self._plan
        frontier = Frontier(self._archive.root / STATE, plan.key, restart=self._restart, token=plan.token)
        if frontier.goes_on and frontier.resumed:
            self._asked = frontier.settled
            level = logging.INFO if plan.token else logging.WARNING  # of a job, its report says so
            _log.log(level, "an interrupted run goes on; %d addresses were looked at before", frontier.resumed)
        if plan.token and frontier.goes_on:
            self.before += map(resuming.from_text, frontier.settled_before())
            self.postponed = frontier.postponed
            if plan.command == "pages" and not frontier.is_empty:
                return frontier  # all of them were put there in one step: what is due by now is another run's
        starts = list(starts_of(plan))
        frontier.put(starts)
        if plan.command in ("feed", "sitemap") and not plan.token:
            for start in starts:  # of a run that goes on, they may say more by now
                frontier.again(start.key)
        return frontier

    def gather(self, threads: ThreadPoolExecutor, workers: Workers) -> Iterator[Item | None]:
        """What the addresses gave, in the order in which it came; None where the next one has to be waited for."""
        told = False
        while True:
            soonest = self._launch(threads, workers)
            if not self._flying:
                return
            done = [future for future in self._flying if future.done()]
            if not done and not told:
                yield None
                told = True
            elif not done:
                wait(self._flying, soonest if soonest < math.inf else None, FIRST_COMPLETED)
            for future in done:
                for item in self._landed(self._flying.pop(future), future.result(), workers):
                    yield item
                    told = False

    def settle(self, added: Added) -> Added:
        """What is known here of it: where it was found, and what it cost."""
        flight = self._awaited.pop(added.target, None)
        if flight is None:
            return added
        wanted, fetched = flight.wanted, flight.fetched
        assert fetched is not None  # it was stored, so it came
        said = isinstance(fetched.outcome, Attempt) and fetched.outcome.reason == "http-304"
        settled = replace(
            added, start=wanted.start, size=_size(fetched), seconds=flight.seconds, listing=wanted.listing,
            not_modified=said,
        )  # fmt: skip
        came = resuming.as_text(settled) if self._plan.token else ""
        if self._may_answer_later(flight) and self._frontier.failed(wanted, came):
            self.postponed += 1
        else:
            self._frontier.settle(wanted, came)
        return settled

    def finish(self) -> None:
        """The run came to its end; what hosts asked to postpone waits for the next one."""
        left = self._frontier.waiting - self.postponed
        over = self._plan.over() if left > 0 else ""
        if over:
            _log.info("%s; %d pages that were found wait", over, left)
        elif left > 0:
            _log.warning("the limit of %d pages is reached; %d that were found are left", self._plan.limit or 0, left)
        if self.postponed:
            _log.warning(
                "%d pages are left for the next run: their hosts asked to be left alone, or failed", self.postponed
            )
        self._frontier.finish(keep=bool(over))

    def close(self) -> None:
        if "_frontier" in self.__dict__:
            self._frontier.close()

    def _may_answer_later(self, flight: _Flight) -> bool:
        """Whether a page is to be asked for in another run, even where no listing names it any more. Only where runs
        follow one another by themselves: else whoever ran this one sees what failed."""
        outcome = flight.fetched.outcome if flight.fetched else None
        transient = isinstance(outcome, Attempt) and _TRANSIENT.fullmatch(outcome.reason) is not None
        return transient and bool(self._plan.name) and not flight.wanted.listing

    # ---- asking

    def _launch(self, threads: ThreadPoolExecutor, workers: Workers) -> float:
        """Asks the hosts that may be asked now; returns in how many seconds the next one may be."""
        while self._room > 0 and not self._plan.over():
            if len(self._flying) >= self._most:
                return math.inf
            if len(self._flying) >= FETCHES_AHEAD and self._fetcher.receiving > _LARGE:
                return _LOOK_AGAIN
            self._hosts.join(self._frontier.arrived())
            listings = self._may_read
            turn = self._hosts.next(listings=listings)
            if turn is None:
                soonest, turn = self._hosts.soonest(listings=listings)
                if self._flying or turn is None:
                    return soonest
                # Nothing else is there to do, so that the next one may as well wait for its turn.
                time.sleep(min(soonest, APART))
            self._hosts.leave(turn)
            wanted = self._frontier.next(turn.host, listing=turn.listing)
            if wanted is not None:
                self._ask(wanted, threads, workers)
        return math.inf

    def _ask(self, wanted: Wanted, threads: ThreadPoolExecutor, workers: Workers) -> None:
        if self._needs_no_request(wanted, workers):
            self._hosts.had_turn(wanted.host)
            return
        learns = not self._fetcher.has_rules(wanted.url) and wanted.seq not in self._ruled
        self._hosts.begin(wanted.host, rules=learns)
        if learns:
            self._ruled.add(wanted.seq)
            flight = _Flight(wanted, {}, time.monotonic(), rules=True)
            self._flying[threads.submit(self._fetcher.learn_rules, wanted.url)] = flight
            return
        self._ruled.discard(wanted.seq)
        self._asked += not wanted.listing
        held = {} if self._plan.full else held_of(self._archive, wanted.url, self._options.clock())
        fetcher: Fetches = self._fetcher if wanted.listing else self._pages
        self._flying[threads.submit(fetcher.fetch, wanted.url, held)] = _Flight(wanted, held, time.monotonic())

    def _needs_no_request(self, wanted: Wanted, workers: Workers) -> bool:
        """Whether it was looked at before, which is seen to."""
        if (came := self._came_before(wanted)) is not None:
            self.before.append(came)
            self._frontier.settle(wanted, resuming.as_text(came))
            return True
        if not is_known(self._plan, wanted, self._archive.catalog.last_look(wanted.key), self._options.clock()):
            return False
        self.known += 1
        job = self._held_job(wanted) if self._is_read(wanted) and not wanted.read else None
        if job is None:
            self._frontier.settle(wanted)
        else:  # the same run looked at it elsewhere, and did not follow its links
            self._flying[workers.read(job)] = _Flight(wanted, {}, time.monotonic(), known=True)
        return True

    def _came_before(self, wanted: Wanted) -> Added | None:
        """What came of an address for which this run asked before it was cut off, and which needs nothing more."""
        if not (self._plan.token and wanted.asked) or (self._is_read(wanted) and not wanted.read):
            return None
        return resuming.found_again(self._archive, wanted, self._plan.own)

    def _is_read(self, wanted: Wanted) -> bool:
        """Whether it is read for further addresses."""
        return wanted.listing or (self._plan.command == "crawl" and wanted.depth < self._plan.depth)

    @property
    def _room(self) -> float:
        """How many pages may be asked for yet."""
        return math.inf if self._plan.limit is None else self._plan.limit - self._asked

    @property
    def _may_read(self) -> bool:
        """Whether something may be read that names pages. Where there is a limit, nothing that would name more."""
        ahead = self._frontier.pages_ahead
        if self._plan.limit is None:
            return ahead < MOST_AHEAD
        is_reading = any(f.fetched is not None and f.wanted.listing for f in self._flying.values())
        return not is_reading and ahead < min(self._room, MOST_AHEAD)

    # ---- what came

    def _landed(self, flight: _Flight, result: Any, workers: Workers) -> Iterator[Item]:
        """What came of what was under way: of rules nothing, of an address what is kept of it."""
        if flight.fetched is not None:
            yield self._read(flight, result)
            return
        if flight.known:
            self._follow(flight.wanted, flight.wanted.url, result)
            self._frontier.settle(flight.wanted)
            return
        self._hosts.end(flight.wanted.host)
        if flight.rules:
            self._frontier.give_back(flight.wanted)
        else:
            yield from self._took(flight, result, workers)

    def _took(self, flight: _Flight, fetched: Fetched, workers: Workers) -> Iterator[Item]:
        wanted, outcome = flight.wanted, fetched.outcome
        flight.fetched, flight.seconds = fetched, time.monotonic() - flight.begun
        if isinstance(outcome, Attempt) and outcome.reason == "retry-after":
            self.postponed += not wanted.listing
            self.left[wanted.start, host_of(outcome.uri)] += 1
            self._frontier.postpone(wanted)
            return
        job = self._job(flight, outcome)
        if job is not None:
            self._flying[workers.read(job)] = flight
            return
        if wanted.listing and wanted.url.endswith("/robots.txt"):
            self._try_usual(wanted)
        yield self._item(flight)

    def _job(self, flight: _Flight, outcome: Capture | Attempt) -> ReadJob | None:
        """What is to be read for further addresses; of what did not change, as it is held."""
        crawled = self._plan.command == "crawl"
        if not self._is_read(flight.wanted):
            return None
        if isinstance(outcome, Capture):
            page = page_of(outcome.uri)
            return read_job(page, outcome.body, outcome.media_type, outcome.charset, outcome.content_encoding, crawled)
        held = flight.held.get(outcome.uri) if outcome.reason == "http-304" else None
        if held is None:
            return None
        response = parse_response(self._archive.records(held.number)[0].block)
        return read_job(
            outcome.uri, response.body, response.media_type, response.charset, response.content_encoding, crawled
        )

    def _held_job(self, wanted: Wanted) -> ReadJob | None:
        """The links of a page, as it is held; None where it is no page."""
        held = self._archive.catalog.newest_of(wanted.key)
        record = self._archive.records(held.number)[0] if held is not None else None
        if record is None or record.type != "response":
            return None
        response = parse_response(record.block)
        coding = response.charset, response.content_encoding
        return read_job(wanted.url, response.body, response.media_type, *coding, True)

    def _read(self, flight: _Flight, listing: Listing) -> Item:
        """Takes in what a document names, then gives the document itself."""
        wanted, fetched = flight.wanted, flight.fetched
        assert fetched is not None  # it was read, so it came
        more = self._follow(wanted, page_of(fetched.outcome.uri), listing)
        if self._plan.command == "crawl":
            return self._item(flight)
        if listing.kind == "robots" and not more:
            self._try_usual(wanted)
        unreadable = (
            bool(listing.problem) and not listing.entries and not more and "holds no entry" not in str(listing.problem)
        )
        if listing.problem:
            _log.warning("%s: %s", page_of(fetched.outcome.uri), listing.problem)
        return self._item(flight, _summary(listing), unreadable=unreadable)

    def _follow(self, wanted: Wanted, url: str, listing: Listing) -> list[Entry]:
        """Takes in what it names; returns the listings among that."""
        found, depth, start = found_in(url, listing), wanted.depth + 1, wanted.start
        pages = [page for entry in listing.entries if (page := self._scope.page(entry, found, depth, start))]
        crawled = self._plan.command == "crawl"
        more = [] if crawled else [entry for entry in listing.more if listing.kind != "page" or is_main(entry)]
        listings = [one for entry in more if (one := self._scope.listing(entry, depth, start))]
        room = max(0, MOST_LISTINGS - self._frontier.listings)
        if len(listings) > room > 0:  # it is said once
            _log.warning("%s names %d more to read; a run reads %d at most", url, len(listings), MOST_LISTINGS)
        self._frontier.put([*pages, *listings[:room]], of=wanted)
        return more

    def _try_usual(self, robots: Wanted) -> None:
        if (usual := usual_sitemap(robots)) is not None:
            self._frontier.put([usual])

    def _item(self, flight: _Flight, listing: str | None = None, *, unreadable: bool = False) -> Item:
        wanted, fetched = flight.wanted, flight.fetched
        assert fetched is not None
        self._awaited[wanted.url] = flight
        target = Target(wanted.url, url=wanted.url, declared=self._declared(wanted), facts=wanted.said)
        outcome, confirmed = fetched.outcome, None
        if isinstance(outcome, Attempt) and outcome.reason == "http-304" and outcome.uri in flight.held:
            confirmed = flight.held[outcome.uri].number
        if wanted.listing and listing is None:
            listing = "no listing"
        is_start = self._plan.command == "crawl" and not wanted.depth
        since = None if wanted.dated or is_start else self._plan.since
        beside = (*fetched.redirects, *fetched.requisites)
        return Item(target, wanted.url, outcome, beside, None, listing, confirmed, unreadable, since=since)

    def _declared(self, wanted: Wanted) -> Declared:
        return Declared() if wanted.listing else self._plan.declared


def _size(fetched: Fetched) -> int:
    """The bytes that crossed the wire."""
    came = [*fetched.redirects, fetched.outcome, *fetched.requisites]
    captures = [one.capture if isinstance(one, Attempt) else one for one in came]
    return sum(len(capture.block) for capture in captures if capture is not None)


def _summary(listing: Listing) -> str:
    names = []
    if listing.entries or not listing.more:
        names.append(f"{len(listing.entries):,} {'entry' if len(listing.entries) == 1 else 'entries'}")
    if listing.more:
        names.append(f"{len(listing.more):,} more to read")
    return f"{listing.dialect or listing.kind}: {', '.join(names)}" + (
        f"; {listing.problem}" if listing.problem else ""
    )
