"""How to fetch: the settings, what each may be, and nothing that fetches (the command line checks them first)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from muniment import __version__
from muniment.errors import UsageError

USER_AGENT = f"muniment/{__version__} (archives articles; obeys robots.txt)"
MAX_RESPONSE = 64 << 20  # bytes
_DAY = 86_400
_FOUND_DELAY = 1.0


class _Rule(NamedTuple):
    """What a setting may be, as a test and as words."""

    allows: Callable[[Any], bool]
    words: str


def _number(least: float, most: float, *, whole: bool = False) -> Callable[[Any], bool]:
    kinds = (int,) if whole else (int, float)
    return lambda value: type(value) in kinds and least <= value <= most  # a bool is no number, and nan in no range


_TIME = _Rule(_number(0.001, _DAY), f"a number of seconds over 0, at most {_DAY:,}")
_WAIT = _Rule(_number(0, _DAY), f"a number of seconds from 0 to {_DAY:,}")
_COUNT = _Rule(_number(0, 100, whole=True), "a whole number from 0 to 100")
# What `[fetch]` in archive.toml may hold.
_RULES = {
    "user_agent": _Rule(
        lambda value: type(value) is str and re.fullmatch(r"[!-~](?:[ -~]*[!-~])?", value) is not None,
        "a text in printable ASCII",
    ),
    "respect_robots": _Rule(lambda value: type(value) is bool, "true or false"),
    "max_size": _Rule(_number(1, 1 << 40, whole=True), "a whole number of bytes, 1 or more"),
    "connect_timeout": _TIME,
    "first_byte_timeout": _TIME,
    "total_timeout": _TIME,
    "url_timeout": _TIME,
    "max_redirects": _COUNT,
    "retries": _COUNT,
    "backoff": _WAIT,
    "max_wait": _WAIT,
    "delay": _WAIT,
    "browser": _Rule(lambda value: type(value) is str, "the path or name of a Chromium, or an empty text"),
    "max_delay": _WAIT,
    "breaker": _COUNT,
    "adaptive": _Rule(_number(0, 100), "a number from 0 to 100"),
    "per_host": _Rule(_number(1, 100, whole=True), "a whole number from 1 to 100"),
}


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """How to fetch. Times in seconds, sizes in bytes. Raises UsageError that names the setting and what it may be.

    `first_byte_timeout` bounds each silence of a server, `total_timeout` one request with its answer,
    `url_timeout` one URL with its redirects, retries and waits. `max_size` is the response as it crosses the
    wire, head included. Before retry n the wait is `backoff` times 2**n, or what Retry-After asks; where
    that is over `max_wait`, there is none. `resolve` maps hosts to addresses (address.parse_override).
    At most `per_host` connections to one host are open at a time. Between two requests to it are `delay` seconds, or
    what its robots.txt asks for, or `adaptive` times as long as it took to answer; these two up to `max_delay`.
    A host that failed `breaker` times in a row is left alone, for a minute at first (0: it is not).
    `browser` is the Chromium to load pages in where one is asked for; empty: the system's.
    """

    allow_private: bool = False
    resolve: Mapping[str, str] = field(default_factory=dict)
    connect_timeout: float = 10.0
    first_byte_timeout: float = 30.0
    total_timeout: float = 120.0
    url_timeout: float = 300.0
    max_size: int = MAX_RESPONSE
    max_redirects: int = 10
    retries: int = 2
    backoff: float = 1.0
    max_wait: float = 30.0
    respect_robots: bool = True
    user_agent: str = USER_AGENT
    per_host: int = 1
    delay: float = 0.0
    browser: str = ""
    max_delay: float = 60.0
    adaptive: float = 0.0
    breaker: int = 0

    def __post_init__(self) -> None:
        check_settings({name: getattr(self, name) for name in _RULES})


def mannerly(policy: FetchPolicy, delay: float | None = None) -> FetchPolicy:
    """Addresses that were found are asked for slower than those that were given: `delay` seconds apart (1 where nothing
    is said), or as the host can."""
    delay = delay if delay is not None else policy.delay or _FOUND_DELAY
    return replace(policy, delay=delay, adaptive=policy.adaptive or (1.0 if delay else 0.0))


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raises UsageError for the first of these settings that is unknown, of a wrong type or out of its range."""
    for name, value in settings.items():
        rule = _RULES.get(name)
        if rule is None:
            raise UsageError(f"there is no setting {name!r}: known are {', '.join(sorted(_RULES))}")
        if not rule.allows(value):
            raise UsageError(f"{name} cannot be {value!r}: use {rule.words}")
