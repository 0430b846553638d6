"""CSV (RFC 4180) of texts that strangers wrote."""

from __future__ import annotations


def safe_cell(value: str) -> str:
    """A cell that no spreadsheet takes for a formula: a `'` stands before what would begin one."""
    return "'" + value if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
