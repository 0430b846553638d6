"""Whose turn it is, among few hosts and among very many."""

from __future__ import annotations

import random
import time

import pytest

from muniment.discovering import hosts as module
from muniment.discovering.hosts import Hosts, Turn
from muniment.ingest.fetch import Fetcher
from muniment.ingest.policy import FetchPolicy


class Asked(Fetcher):
    """Counts how often it is asked whether a host may be; nothing is fetched."""

    looks = 0

    def ready_in(self, host: str) -> float:
        self.looks += 1
        return super().ready_in(host)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "APART", 0.0)


def take(hosts: Hosts, *, listings: bool = True) -> Turn:
    turn = hosts.next(listings=listings)
    assert turn is not None
    hosts.leave(turn)
    return turn


def looks(count: int) -> int:
    """How often hosts are looked at in a hundred turns, where so many wait."""
    fetcher = Asked(FetchPolicy(delay=60))
    hosts = Hosts(fetcher)
    names = [f"h{n}.example" for n in range(count)]
    hosts.join([(name, kind) for name in names for kind in (True, False)])
    fetcher.looks = 0
    for _ in range(100):
        turn = take(hosts)
        hosts.begin(turn.host)
        with fetcher.visit(f"http://{turn.host}/"):  # so that its next turn is in a minute
            hosts.join([(turn.host, turn.listing)])  # there is more of it
        hosts.end(turn.host)
    return fetcher.looks


def test_a_turn_costs_no_more_where_very_many_hosts_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fetcher, "_refused", lambda *args, **kwargs: None)
    assert looks(200) == looks(20_000) < 1000


def test_hosts_have_their_turn_one_after_the_other_and_listings_come_first() -> None:
    hosts = Hosts(Fetcher(FetchPolicy()))
    hosts.join([("a", False), ("b", False), ("b", True)])
    assert take(hosts) == ("a", False)
    hosts.begin("a")
    hosts.join([("a", False)])
    hosts.end("a")
    turns = []
    for _ in range(3):
        turns.append(take(hosts))
        hosts.begin(turns[-1].host)
        hosts.end(turns[-1].host)
    assert turns == [("b", True), ("a", False), ("b", False)]
    assert hosts.next(listings=True) is None and hosts.soonest(listings=True)[1] is None


def test_who_was_asked_for_its_rules_comes_before_who_was_not_asked_yet() -> None:
    hosts = Hosts(Fetcher(FetchPolicy()))
    hosts.join([("a", False), ("b", False)])
    take(hosts)
    hosts.begin("a", rules=True)
    hosts.join([("a", False)])
    assert hosts.next(listings=True) == ("b", False)
    hosts.end("a")
    assert take(hosts) == ("a", False)


def test_a_host_is_asked_by_one_at_a_time_and_no_listing_where_none_is_wanted() -> None:
    hosts = Hosts(Fetcher(FetchPolicy()))
    hosts.join([("a", True), ("a", False), ("b", True)])
    assert take(hosts, listings=False) == ("a", False)
    hosts.begin("a")
    hosts.join([("a", False)])
    assert hosts.next(listings=False) is None
    seconds, turn = hosts.soonest(listings=False)
    assert (seconds, turn) == (float("inf"), None), "it has to end before"
    assert take(hosts) == ("b", True)
    hosts.end("a")
    assert take(hosts) == ("a", True)


def test_whoever_waits_has_a_turn_and_nobody_two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN", 0.0)
    rng, hosts = random.Random(11), Hosts(Fetcher(FetchPolicy()))
    wanted = {(f"h{rng.randrange(40)}", rng.random() < 0.3): rng.randrange(1, 5) for _ in range(60)}
    left, under_way = dict(wanted), list[str]()
    hosts.join(list(left))
    begun = time.monotonic()
    while any(left.values()) or under_way:
        assert time.monotonic() - begun < 20
        turn = hosts.next(listings=rng.random() < 0.5) if len(under_way) < 8 else None
        if turn is None:
            if under_way:
                hosts.end(under_way.pop(rng.randrange(len(under_way))))
            continue
        hosts.leave(turn)
        assert turn.host not in under_way
        left[turn] -= 1
        hosts.begin(turn.host, rules=rng.random() < 0.2)
        under_way.append(turn.host)
        if left[turn]:
            hosts.join([turn])
    assert set(left.values()) == {0}
