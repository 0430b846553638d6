"""What came of one run of a job: counted as it goes, kept as JSON and as a text for people. No I/O."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal

from muniment.jobs.kept import Time, TimeIfAny, fitted

# Reasons of attempts that say "not for you", rather than that something broke.
BLOCKED = ("robots", "retry-after", "http-401", "http-403", "http-429", "http-451")
PAUSES = ("retry-after", "http-429")  # and of these, those that ask for another time
State = Literal["running", "done", "partial", "failed"]
_SHOWN = 20
_SEVERAL = 3  # pages that are lacking, until that is more than dead links
_LISTS = ("feed", "sitemap", "crawl")  # sources that name pages, rather than being some


@dataclass(slots=True)
class Source:
    """One target of a job in one run. `tried` are the pages and listings that were asked for, `bytes` what crossed the
    wire, or was read of files, `seconds` how long it was asked, waits for its turn included. `reasons` counts why
    something was blocked or failed; `error` is an example of it.

    `listings` are those of them that came; the rest are pages. `withheld` are pages that came once, and not now;
    `refused` those that did not come when they were asked for first: of this run, and, once it is at its end, of all
    since a page came that had not before, or since one in which nothing was lacking."""

    target: str
    kind: str
    tried: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    not_modified: int = 0
    blocked: int = 0
    failed: int = 0
    skipped: int = 0
    bytes: int = 0
    seconds: float = 0.0
    listings: int = 0
    withheld: int = 0
    refused: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    error: str = ""

    @property
    def pages(self) -> int:
        """The pages that were asked for, and listings that did not come."""
        return self.tried - self.listings

    @property
    def lacking(self) -> int:
        return self.failed + self.blocked

    @property
    def is_down(self) -> bool:
        """Whether nothing at all could be had; or listings, and of their pages none, or none that is new. A dead link
        or two are no fault, nor is a host that asks for another time."""
        if self.lacking == self.tried:
            return self.tried > 0
        lost = self.refused
        if self.lacking == self.pages:
            lost += self.withheld
            lost += self._paused if lost else 0
        return self.kind in _LISTS and lost >= _SEVERAL

    @property
    def is_put_off(self) -> bool:
        """Whether no page came, for their hosts asked for another time."""
        return not self.is_down and self.lacking == self.pages and self._paused >= _SEVERAL

    @property
    def _paused(self) -> int:
        return sum(self.reasons.get(reason, 0) for reason in PAUSES)

    @property
    def why(self) -> str:
        """How often each reason came, and an example where one was told."""
        counted = ", ".join(f"{count:,} {reason}" for reason, count in sorted(self.reasons.items()))
        return f"{counted}; such as: {self.error}" if self.error else counted

    @property
    def trouble(self) -> str:
        """What is to be said of one that is down or put off."""
        if self.pages > 1 and self.lacking == self.pages:
            return f"none of {self.pages:,} {'files' if self.kind == 'folder' else 'pages'} could be had: {self.why}"
        if self.lacking < self.tried:
            lost = f"{self.refused:,} new pages in a row could not be had"
            return f"{lost}: {self.why}" if self.reasons else lost
        return self.error or self.why

    def count_failure(self, reason: str, error: str) -> None:
        if reason in BLOCKED:
            self.blocked += 1
        else:
            self.failed += 1
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
        self.error = self.error or error

    def count_left(self, count: int, error: str) -> None:
        """Pages that were not asked for, as their host is to be left alone."""
        self.tried += count
        self.blocked += count
        self.reasons["retry-after"] = self.reasons.get("retry-after", 0) + count
        self.error = self.error or error

    def add(self, other: Source) -> None:
        for name in ("tried", "new", "changed", "unchanged", "not_modified", "blocked", "failed", "skipped", "bytes",
                     "listings", "withheld", "refused"):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.seconds = round(self.seconds + other.seconds, 3)
        for reason, count in other.reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + count
        self.error = self.error or other.error


@dataclass(slots=True)
class Report:
    """One run, for the due time `due`; times are ISO, in UTC. `run` tells it from others of the same second, and
    `begun` is `started` to the microsecond. `missed` due times before it were run by nobody, and it was `resumed` so
    often after it had been cut off, of these `gave_way` times for other jobs' turn, and `stuck` times without having
    got on from what it had `reached`, whereupon it was `given_up`. `done` are the parts that were gone through;
    `undone` those of them that could not be done, and `errors` say why. `checkpoint` is the signed note over `log_size`
    and `root`."""

    job: str
    due: Time
    started: Time
    finished: TimeIfAny = ""
    state: State = "running"
    by_hand: bool = False
    begun: TimeIfAny = ""
    missed: int = 0
    resumed: int = 0
    gave_way: int = 0
    stuck: int = 0
    reached: int = 0
    given_up: bool = False
    seconds: float = 0.0
    sources: dict[str, Source] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    verified: str = ""
    stamped: list[str] = field(default_factory=list)
    searches: dict[str, int] = field(default_factory=dict)
    exported: str = ""
    notes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    log_size: int = 0
    root: str = ""
    checkpoint: str = ""
    run: str = field(default_factory=lambda: secrets.token_hex(4))

    def source(self, kind: str, target: str) -> Source:
        return self.sources.setdefault(f"{kind} {target}", Source(target, kind))

    def total(self, name: str) -> int:
        return int(sum(getattr(source, name) for source in self.sources.values()))

    def resume(self) -> None:
        """It was cut off, and goes on."""
        reached = self.total("tried") + len(self.done)
        self.stuck = self.stuck + 1 if reached == self.reached else 0
        self.resumed, self.reached = self.resumed + 1, reached

    def judge(self) -> State:
        """`failed` where nothing of it could be done, or verify found something; `partial` where a part could not.
        Articles that are looked at again are no source: that they come says nothing of the job's."""
        asked = [source for source in self.sources.values() if source.tried]
        named = [source for source in asked if source.kind != "revisit"]
        if self.given_up or self.findings or (named and all(source.is_down for source in named)):
            return "failed"
        if self.errors:
            return "failed" if not asked and set(self.done) <= set(self.undone) else "partial"
        return "partial" if any(source.failed or source.is_down for source in asked) else "done"


def as_json(report: Report) -> dict[str, Any]:
    values = _values(report)
    values["sources"] = [_values(one) for one in report.sources.values()]
    return values


def _values(one: Report | Source) -> dict[str, Any]:
    """The fields as they are: `asdict` copies each of them deeply, and a run of 500 sources is written every second."""
    return {field.name: getattr(one, field.name) for field in fields(one)}


def from_json(values: Any) -> Report:
    """Raises Damaged where this is no report."""
    sources = fitted(list[Source], fitted(dict[str, Any], values).get("sources"))
    report = fitted(Report, {**values, "sources": {}})
    report.sources = {f"{one.kind} {one.target}": one for one in sources}
    return report


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def summary(report: Report) -> list[str]:
    """The lines of the readable report."""
    took = f", {report.seconds:,.0f} s" if report.finished else ""
    when = f"run by hand at {report.started}" if report.by_hand else f"for {report.due}, begun {report.started}"
    lines = [f"{report.job}: {report.state}, {when}{took}"]
    if report.missed:
        lines.append(f"  {times(report.missed, 'due time')} before it missed; this run stands for all of them")
    if cut_off := report.resumed - report.gave_way:
        lines.append(f"  it was cut off and went on {times(cut_off, 'time')}")
    if report.gave_way:
        lines.append(f"  it gave way to other jobs {times(report.gave_way, 'time')}")
    for source in report.sources.values():
        lines.append(f"  {source.kind} {source.target}: {counts(source)}")
        if source.reasons:
            lines.append(f"    {source.why}")
    for name, told in report.searches.items():
        lines.append(f"  search {name}: {told:,} new")
    for words in (report.verified, report.exported, *report.stamped):
        if words:
            lines.append(f"  {words}")
    for kind, texts in (("finding", report.findings), ("error", report.errors), ("note", report.notes)):
        lines += [f"  {kind}: {text}" for text in texts[:_SHOWN]]
        if len(texts) > _SHOWN:
            lines.append(f"  and {len(texts) - _SHOWN:,} more of this kind (in the JSON)")
    if report.root:
        lines.append(f"  the log has {report.log_size:,} leaves; root {report.root}")
    return lines


def times(count: int, what: str) -> str:
    """ "1 due time", "12 due times"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def counts(source: Source) -> str:
    """ "12 tried: 3 new, 1 changed, 8 not modified; 1.2 MB, 14 s" """
    named = [(source.new, "new"), (source.changed, "changed"), (source.unchanged, "unchanged"),
             (source.not_modified, "not modified"), (source.blocked, "blocked"), (source.failed, "failed"),
             (source.skipped, "passed over")]  # fmt: skip
    said = ", ".join(f"{count:,} {name}" for count, name in named if count) or "nothing new"
    return f"{source.tried:,} tried: {said}; {source.bytes / 1e6:,.1f} MB, {source.seconds:,.0f} s"
