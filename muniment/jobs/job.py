"""A job as a text that people may write and change: `jobs/NAME.toml` of an archive. No I/O.

    schedule = "every 6 hours"              # or a cron expression: "15 */6 * * *"
    timezone = "Europe/Paris"               # whose clock the schedule is; UTC where nothing is said
    jitter = "10 minutes"                   # each run is put off by up to so long
    feeds = ["https://courier.example/feed"]
    tags = ["courier"]

    [limits]
    pages = 500

What a job does stands under TARGETS, several of them where wanted, and is done in that order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from muniment.errors import FetchError, QueryError, UsageError
from muniment.jobs.alerts import alerts
from muniment.jobs.schedule import HOW_TO, Schedule
from muniment.jobs.values import size_in, time_in
from muniment.settings import Wrong, as_toml, check_keys, inside, read_settings, texts, typed

FORMATS = ("wacz", "warc", "bagit", "jsonl", "csv")
LISTS = ("folders", "feeds", "sitemaps", "crawls", "urls", "lists", "searches")
TARGETS = (*LISTS, "verify", "stamp", "export")
KEYS = (
    "schedule", "timezone", "jitter", "paused", *TARGETS, "source", "tags", "match", "exclude", "hosts", "browser",
    "requisites", "resolve", "allow_private", "limits", "revisit", "alerts",
)  # fmt: skip
_NAME = re.compile(r"\w[\w-]{0,63}")
_MOST_NAME = 200  # bytes of the 255 that file systems take
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)\s*%")
_PLACE = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one run: `pages` asked for, of each kind of target, `time` that it may take, `depth` of links,
    seconds of `delay` between two requests to a host, bytes of `free` space below which nothing more is added."""

    pages: int | None = None
    time: timedelta | None = None
    depth: int | None = None
    delay: float = 1.0
    free: int = 200 << 20


@dataclass(frozen=True, slots=True)
class Revisit:
    """How articles are looked at again: after `least` at first and after a change, then more and more rarely, up to
    `most`; at most `budget` of them in a run."""

    least: timedelta = timedelta(hours=6)
    most: timedelta = timedelta(days=60)
    budget: int = 200


@dataclass(frozen=True, slots=True)
class Export:
    """What is written where; `{date}` and `{time}` in the path become the run's."""

    path: str
    form: str = "wacz"
    query: str | None = None


_LIMITS, _REVISIT = Limits(), Revisit()


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `verify` is a share of the records (0.01) or a count of leaves; `revisit` None: nothing is looked at
    again. `alerts` are the settings in the job's own file, over those of archive.toml."""

    name: str
    schedule: Schedule
    paused: bool = False
    folders: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()
    sitemaps: tuple[str, ...] = ()
    crawls: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    verify: float | int | None = None
    stamp: bool = False
    export: Export | None = None
    source: str | None = None
    tags: tuple[str, ...] = ()
    match: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    browser: bool = False
    requisites: bool = False
    resolve: Mapping[str, str] = field(default_factory=dict)
    allow_private: bool = False
    limits: Limits = field(default_factory=Limits)
    revisit: Revisit | None = field(default_factory=Revisit)
    alerts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fetches(self) -> bool:
        return bool(self.feeds or self.sitemaps or self.crawls or self.urls or self.lists)


def is_name(name: str) -> bool:
    """Whether it can be a file's, with what stands beside it in those of its state."""
    return _NAME.fullmatch(name) is not None and len(name.encode()) <= _MOST_NAME


def check_name(name: str) -> str:
    """The name. Raises UsageError unless a job can have it."""
    if not is_name(name):
        raise UsageError(f"{name!r} is no name for a job: use up to 64 letters, digits, - and _")
    return name


def parse_job(name: str, text: str) -> Job:
    """The job that a file holds. Raises UsageError with the line and the key."""
    return read_settings(f"jobs/{name}.toml", text, lambda table: _job(name, table))


def format_job(table: Mapping[str, Any]) -> str:
    """The file of a job, of what was given for it: keys of KEYS, tables for `limits` and the like."""
    plain = {key: value for key, value in table.items() if value not in (None, (), [], {}, "")}
    lines = [f"{key} = {as_toml(value)}" for key, value in plain.items() if not isinstance(value, Mapping)]
    for key, value in plain.items():
        if isinstance(value, Mapping):
            lines += ["", f"[{key}]", *(f"{inner} = {as_toml(one)}" for inner, one in value.items())]
    return "\n".join(lines) + "\n"


def _job(name: str, table: Mapping[str, Any]) -> Job:
    check_keys(table, KEYS)
    lists = {key: texts(table, key) for key in LISTS}
    for key in ("feeds", "sitemaps", "crawls", "urls"):
        _check_addresses(key, lists[key])
    for key in ("folders", "lists"):
        for path in lists[key]:
            _check_path(key, path)
    job = Job(
        name,
        _schedule(name, table),
        typed(table, "paused", bool, False),
        **lists,
        verify=_verify(table),
        stamp=typed(table, "stamp", bool, False),
        export=_export(table),
        source=typed(table, "source", str, "") or None,
        **{key: texts(table, key) for key in ("tags", "match", "exclude", "hosts")},
        browser=typed(table, "browser", bool, False),
        requisites=typed(table, "requisites", bool, False),
        resolve=_resolve(table),
        allow_private=typed(table, "allow_private", bool, False),
        limits=_limits(table),
        revisit=_revisit(table),
        alerts=_alerts_of(table),
    )
    if not any((*lists.values(), job.verify, job.stamp, job.export)):
        raise Wrong("schedule", f"the job does nothing: give it one of {', '.join(TARGETS)}")
    if job.browser and job.requisites:
        raise Wrong("requisites", "browser keeps what a page needs: leave requisites out")
    return job


def _schedule(name: str, table: Mapping[str, Any]) -> Schedule:
    text, zone = typed(table, "schedule", str, ""), typed(table, "timezone", str, "UTC")
    jitter = time_in(table, "jitter") or timedelta(0)
    if zone == "localtime":
        raise Wrong("timezone", "name the zone itself, such as Europe/Paris: that of a machine may change")
    try:
        known = ZoneInfo(zone)
    except (OSError, ValueError, LookupError):
        raise Wrong("timezone", f"there is no time zone {zone!r}: write such as Europe/Paris") from None
    if not text:
        raise Wrong("schedule", f"the job is never due: {HOW_TO}")
    try:
        return Schedule(text, known, jitter, name)
    except ValueError as e:
        raise Wrong("schedule", str(e)) from None


def _check_addresses(key: str, addresses: tuple[str, ...]) -> None:
    from muniment.ingest.urls import normalise_target

    for address in addresses:
        try:
            normalise_target(address)
        except FetchError as e:
            raise Wrong(key, str(e)) from None


def _check_path(key: str, path: str) -> None:
    if not path:
        raise Wrong(key, "a path is empty")
    if "\0" in path:
        raise Wrong(key, "no path can hold the character of code 0")
    if path == "~" or path.startswith("~/"):
        raise Wrong(key, f"~ is a shell's word: write the whole path in place of {path}")


def _verify(table: Mapping[str, Any]) -> float | int | None:
    value = table.get("verify")
    if value is None or (type(value) is int and value > 0):
        return value
    share = _SHARE.fullmatch(value.strip()) if isinstance(value, str) else None
    if share is None or not 0 < float(share[1]) <= 100:
        raise Wrong("verify", 'write a share of the records, such as "1%", or how many of them: 200')
    return float(share[1]) / 100


def _export(table: Mapping[str, Any]) -> Export | None:
    if "export" not in table:
        return None
    inner = typed(table, "export", dict, {})
    with inside("export"):
        check_keys(inner, ("path", "format", "query"))
        path, form = typed(inner, "path", str, ""), typed(inner, "format", str, "wacz")
        if not path:
            raise Wrong("path", "an export needs a path, such as /srv/exports/{date}.wacz")
        _check_path("path", path)
        if form not in FORMATS:
            raise Wrong("format", f"there is no format {form!r}: there are {', '.join(FORMATS)}")
        if form == "wacz" and not path.endswith(".wacz"):
            raise Wrong("path", "the name of a WACZ file ends in .wacz")
        if wrong := sorted(set(_PLACE.findall(path)) - {"{date}", "{time}"}):
            raise Wrong("path", f"{wrong[0]} stands for nothing: there are {{date}} and {{time}}")
        return Export(path, form, _query(inner))


def _query(table: Mapping[str, Any]) -> str | None:
    query: str | None = typed(table, "query", str, None)
    if query is not None:
        from muniment import finding  # only where there is one: it costs 20 ms

        try:
            finding.check_query(query)
        except QueryError as e:
            raise Wrong("query", str(e)) from None
    return query


def _resolve(table: Mapping[str, Any]) -> dict[str, str]:
    from muniment.ingest.address import parse_override

    try:
        return dict(map(parse_override, texts(table, "resolve")))
    except UsageError as e:
        raise Wrong("resolve", str(e)) from None


def _limits(table: Mapping[str, Any]) -> Limits:
    inner = typed(table, "limits", dict, {})
    with inside("limits"):
        check_keys(inner, ("pages", "time", "depth", "delay", "free"))
        pages, depth, delay = inner.get("pages"), inner.get("depth"), inner.get("delay", 1.0)
        for key, value, least in (("pages", pages, 1), ("depth", depth, 0)):
            if value is not None and (type(value) is not int or value < least):
                raise Wrong(key, f"write a whole number, {least} or more")
        if type(delay) not in (int, float) or not 0 <= delay <= 86_400:
            raise Wrong("delay", "write a number of seconds from 0 to 86,400")
        return Limits(pages, time_in(inner, "time"), depth, float(delay), size_in(inner, "free", _LIMITS.free))


def _revisit(table: Mapping[str, Any]) -> Revisit | None:
    if table.get("revisit") is False:
        return None
    if type(table.get("revisit", {})) not in (dict, bool):
        raise Wrong("revisit", "write false, or a table")
    inner = {} if table.get("revisit") is True else table.get("revisit", {})
    with inside("revisit"):
        check_keys(inner, ("least", "most", "budget"))
        least = time_in(inner, "least") or _REVISIT.least
        most = time_in(inner, "most") or max(_REVISIT.most, least)
        budget = typed(inner, "budget", int, _REVISIT.budget)
        if most < least:
            raise Wrong("most", "this is shorter than least")
        if budget < 0:
            raise Wrong("budget", "write how many articles a run may look at again")
        return Revisit(least, most, budget)


def _alerts_of(table: Mapping[str, Any]) -> Mapping[str, Any]:
    inner: Mapping[str, Any] = typed(table, "alerts", dict, {})
    with inside("alerts"):
        alerts(inner)
    return inner
