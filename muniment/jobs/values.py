"""Lengths of time and sizes, as people write them in settings. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from muniment.jobs.schedule import duration
from muniment.settings import Wrong, typed

_SIZE = re.compile(r"(\d{1,9})\s*([kKMGT]?)B?")
_UNITS = {"": 1, "k": 1 << 10, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def time_in(table: Mapping[str, Any], key: str) -> timedelta | None:
    """None where the table does not say. Raises Wrong."""
    text = typed(table, key, str, "")
    if not text:
        return None
    try:
        return duration(text)
    except ValueError as e:
        raise Wrong(key, str(e)) from None


def size_in(table: Mapping[str, Any], key: str, default: int) -> int:
    """In bytes. Raises Wrong."""
    value = table.get(key, default)
    if type(value) is int and value >= 0:
        return int(value)
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise Wrong(key, 'write a size, such as "500MB"')
    return int(found[1]) * _UNITS[found[2]]
