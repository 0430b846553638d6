"""What channels are given of alarms and news: a text for people, and JSON for programs. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from muniment.jobs.conditions import Alarm

_SHOWN = 50  # of each kind in a message
_CUT = 300


def message(origin: str, job: str, alarms: Sequence[Alarm], news: Sequence[str]) -> dict[str, Any]:
    """What channels are given: `text` for people, the rest for programs; of very many things, the first."""
    raised = [_described(alarm) for alarm in alarms if not alarm.ended]
    cleared = [_described(alarm) for alarm in alarms if alarm.ended]
    lines = []
    for one in raised[:_SHOWN]:
        lines.append(f"ALARM {one['kind']}: {_about(job, one)}: {one['text']}")
    for one in cleared[:_SHOWN]:
        lines.append(f"over  {one['kind']}: {_about(job, one)} (since {one['since']})")
    lines += [_line(text) for text in news[:_SHOWN]]
    more = sum(max(0, len(things) - _SHOWN) for things in (raised, cleared, news))
    if more:
        lines.append(f"and {more:,} more: `muniment jobs status`, `muniment jobs show`")
    return {
        "archive": origin, "job": job or None, "raised": raised[:_SHOWN], "cleared": cleared[:_SHOWN],
        "news": [_line(text) for text in news[:_SHOWN]], "more": more, "text": "\n".join(lines),
    }  # fmt: skip


def _described(alarm: Alarm) -> dict[str, Any]:
    said = {"kind": alarm.kind, "about": _line(alarm.about) or None, "text": _line(alarm.text), "since": alarm.since}
    return {**said, "ended": alarm.ended} if alarm.ended else said


def _about(job: str, one: Mapping[str, Any]) -> str:
    return " ".join(part for part in (job, one["about"]) if part) or "archive"


def _line(text: str) -> str:
    """Text that may be a stranger's, as one line of bounded length."""
    plain = "".join(c if c.isprintable() else " " for c in text).strip()
    return plain if len(plain) <= _CUT else f"{plain[: _CUT - 1]}…"
