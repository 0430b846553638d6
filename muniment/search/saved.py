"""A saved search as a text that people may write and change: `searches/NAME.toml` of an archive. No I/O.

    query = "dam (flood OR gates) -otters"
    source = ["Tidewater Courier", "North Valley Monitor"]
    since = "2020"

What is there is what `muniment search` takes: `query` in the language of search/language.py, or with `any = true` a
sentence; the filters, a text or a list of texts each; `versions` and `collapse`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from muniment.errors import UsageError
from muniment.index.value import Value
from muniment.search.results import FILTERS, Filters
from muniment.settings import Wrong, as_toml, check_keys, read_settings, texts, typed

LISTS = (*FILTERS, *(f"not_{name}" for name in FILTERS))
DATES = ("since", "until")
FLAGS = ("any", "versions", "collapse")
KEYS = ("query", "any", *LISTS, *DATES, "versions", "collapse")
_NAME = re.compile(r"\w[\w-]{0,63}")


class Saved(Value):
    """A search under a name; `sentence` is `any` in the file."""

    name: str
    query: str
    filters: Filters = Filters()
    sentence: bool = False
    versions: bool = False
    collapse: bool = False


def check_name(name: str) -> str:
    """The name. Raises UsageError unless it can be a file's."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a search: use up to 64 letters, digits, - and _")
    return name


def parse_saved(name: str, text: str) -> Saved:
    """The search that a file holds. Raises UsageError with the line and the key."""
    return read_settings(f"searches/{name}.toml", text, lambda table: _saved(name, table))


def _saved(name: str, table: Mapping[str, Any]) -> Saved:
    check_keys(table, KEYS)
    saved = Saved(
        name, typed(table, "query", str, ""), _filters(table), *(typed(table, key, bool, False) for key in FLAGS)
    )
    if saved.versions and saved.collapse:
        raise Wrong("collapse", "versions and collapse contradict: set one of them")
    if not saved.query.strip() and saved.filters == Filters():
        raise Wrong("query", "there is nothing to search for: give a query or a filter")
    return saved


def format_saved(saved: Saved) -> str:
    """The file of a search; `parse_saved` gives the search again."""
    values: dict[str, Any] = {"query": saved.query, "any": saved.sentence}
    values |= {key: list(getattr(saved.filters, key)) for key in LISTS}
    values |= {key: getattr(saved.filters, key) for key in DATES}
    values |= {"versions": saved.versions, "collapse": saved.collapse}
    return "".join(f"{key} = {as_toml(value)}\n" for key, value in values.items() if value)


def _filters(table: Mapping[str, Any]) -> Filters:
    values: dict[str, Any] = {key: texts(table, key) for key in LISTS}
    values |= {key: _date(table, key) for key in DATES}
    return Filters(**values)


def _date(table: Mapping[str, Any], key: str) -> str | None:
    value = table.get(key)
    if value is not None and not isinstance(value, str):
        raise Wrong(key, 'write a date in quotes: "2021", "2021-05", "2021-05-30"')
    return value
