"""Pages saved in one HTML file say in a comment where from and when: SingleFile, and browsers' own "saved from url"."""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

HEAD = 16_384  # characters in which the comment stands
_SINGLE_FILE = re.compile(
    r"<!--\s*Page saved with SingleFile\s+url:[ \t]*(\S{1,8192})\s+saved date:[ \t]*([^\n>]{10,120}?)\s*(?:\n|-->)",
    re.I,
)
_SAVED_FROM = re.compile(r"<!--\s*saved from url=\(\d{1,5}\)(https?://\S{1,8192})\s*-->", re.I)
_MOMENT = re.compile(r"\w{3} (\w{3}) (\d{1,2}) (\d{4}) (\d\d:\d\d:\d\d) GMT([+-]\d{4})")


class Saved(NamedTuple):
    """What saved the page, its address as the file has it, and when, as an ISO time with its zone ("" where unsaid)."""

    by: str
    url: str
    at: str


def saved_page(source: str) -> Saved | None:
    """What a saved page says of its saving; None for any other page."""
    head = source[:HEAD]
    if "<!--" not in head:
        return None
    if m := _SINGLE_FILE.search(head):
        return Saved("SingleFile", _web(m[1]), _moment(m[2]))
    if m := _SAVED_FROM.search(head):
        return Saved("browser", m[1], "")
    return None


def _web(url: str) -> str:
    return url if url.startswith(("http://", "https://")) else ""


def _moment(stated: str) -> str:
    if not (m := _MOMENT.match(stated)):
        return ""
    try:
        return datetime.strptime(" ".join(m.groups()), "%b %d %Y %H:%M:%S %z").isoformat()
    except ValueError:
        return ""
