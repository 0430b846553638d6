"""docs/jobs.md tells of every key, every word of health and every alarm; and its files are such as muniment reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from muniment.jobs import alerts, health
from muniment.jobs.alerts import alerts_of
from muniment.jobs.job import KEYS, parse_job

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "jobs.md").read_text(encoding="utf-8")
TABLE = re.findall(r"^\| (.+?) \| ", PAGE, re.M)
NAMED = {name for cell in TABLE for name in re.findall(r"`([^`]+)`", cell)}


def test_every_key_has_a_row() -> None:
    tables = {"limits", "revisit", "export"}
    limits = {f"limits.{name}" for name in ("pages", "time", "depth", "delay", "free")}
    told = {*alerts.WATCHED, *alerts.CHANNELS, "ping"}
    assert (set(KEYS) - tables) | limits | told <= NAMED
    assert all(f"`{name}`" in PAGE for name in ("least", "most", "budget", "path", "format", "query"))


def test_every_word_of_health_has_a_row() -> None:
    assert {*get_args(health.Health), *get_args(health.SourceHealth)} <= NAMED


def test_every_alarm_has_a_row() -> None:
    source = (ROOT / "muniment" / "jobs" / "conditions.py").read_text(encoding="utf-8")
    assert set(re.findall(r'Alarm\("([a-z-]+)"', source)) <= NAMED


def test_the_files_on_the_page_are_read() -> None:
    files = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.M | re.S)
    jobs = [parse_job("page", text) for text in files if "schedule" in text]
    settings = [
        parse_job("page", f'schedule = "every day"\nstamp = true\n{text}') for text in files if "schedule" not in text
    ]
    assert (len(jobs), len(settings)) == (1, 1)
    assert alerts_of({}, settings[0]).email["starttls"] is True
    assert jobs[0].limits.free == 2 << 30
