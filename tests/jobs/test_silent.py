"""Which sources are silent, by what is usual for them, by what was set, and while nothing is known yet."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from muniment.jobs import keeping
from muniment.jobs.health import SourceRow
from muniment.jobs.keeping import Seen
from muniment.jobs.report import iso
from tests.conftest import NOW
from tests.jobs.test_health import FEED, job, row, source


def answered(root: Path, *, hours: float = 0, **values: Any) -> SourceRow:
    """A source that had something new at 06:00, and answers so many hours after 08:00."""
    return source(root, hours=hours, **{"good": iso(NOW + timedelta(hours=hours)), **values})


def test_a_source_is_silent_where_it_is_quiet_for_far_longer_than_is_usual(root: Path) -> None:
    job(root)
    daily = [86_400.0] * 9
    assert not answered(root, gaps=daily, hours=90).is_silent
    assert answered(root, gaps=daily, hours=95).is_silent  # four days
    assert not answered(root, gaps=[3600.0] * 9, hours=69).is_silent  # and three at least
    assert answered(root, gaps=[3600.0] * 9, hours=71).is_silent


def test_where_nothing_is_usual_yet_a_source_is_silent_after_thirty_days(root: Path) -> None:
    job(root)
    month = 30 * 24 - 2  # two hours are over
    assert not answered(root, gaps=[86_400.0] * 4, hours=month - 1).is_silent
    assert answered(root, gaps=[86_400.0] * 4, hours=month + 1).health == "silent"
    assert not answered(root, gaps=[20 * 86_400.0], hours=79 * 24).is_silent  # 20 days are usual already
    assert answered(root, gaps=[20 * 86_400.0], hours=81 * 24).is_silent
    assert not answered(root, new="", good="", hours=999).is_silent  # it never answered
    keeping.write(root, "a", f'schedule = "@monthly"\nfeeds = ["{FEED}"]\n')
    assert not answered(root, hours=90 * 24).is_silent  # it was asked three times at most
    assert answered(root, hours=94 * 24).is_silent
    job(root)
    first = {"new": "", "first": "2026-11-22T06:00:00Z"}
    assert not answered(root, **first, hours=month - 1).is_silent
    assert answered(root, **first, hours=month + 1).is_silent


def test_what_names_no_articles_is_silent_only_where_that_is_usual_or_set(root: Path) -> None:
    keeping.write(root, "a", 'schedule = "every 6 hours"\nfolders = ["/in"]\nurls = ["https://a.example/"]\n')
    old = {"good": iso(NOW + timedelta(hours=999)), "new": "2026-11-22T06:00:00Z", "first": "2026-11-22T06:00:00Z"}

    def silent(settings: dict[str, Any], **values: Any) -> list[bool]:
        seen = {
            f"{kind} {target}": Seen(target, **old, **values)
            for kind, target in (("folder", "/in"), ("url", "https://a.example/"))
        }
        return [one.is_silent for one in row(root, settings, hours=999, sources=seen).sources]

    assert silent({}) == [False, False]
    assert silent({}, gaps=[86_400.0] * 9) == [True, True]
    assert silent({"silent": "2 days"}) == [True, True]


def test_for_how_long_a_source_may_be_silent_can_be_said(root: Path) -> None:
    job(root, '[alerts]\nsilent = "2 days"')
    assert not answered(root, hours=45).is_silent
    assert answered(root, hours=47).health == "silent"
    assert answered(root, hours=47, failures=1).is_silent  # what fails is silent all the same
    assert not source(root, hours=470).is_silent  # nobody asked since
    assert answered(root, new="").is_silent  # nothing in the month since the job was made
    assert not answered(
        root, new="", first="2026-11-22T06:00:00Z"
    ).is_silent  # nor has the source been there for longer
