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
    import tomllib

    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise UsageError(f"searches/{name}.toml: {e}") from None
    try:
        for key in table:
            if key not in KEYS:
                raise _Wrong(key, f"there is no such key; there are {', '.join(KEYS)}")
        saved = Saved(
            name,
            _typed(table, "query", str, ""),
            _filters(table),
            *(_typed(table, key, bool, False) for key in FLAGS),
        )
        if saved.versions and saved.collapse:
            raise _Wrong("collapse", "versions and collapse contradict: set one of them")
        if not saved.query.strip() and saved.filters == Filters():
            raise _Wrong("query", "there is nothing to search for: give a query or a filter")
    except _Wrong as e:
        raise UsageError(f"searches/{name}.toml{_line_of(text, e.key)}: {e.key}: {e}") from None
    return saved


def format_saved(saved: Saved) -> str:
    """The file of a search; `parse_saved` gives the search again."""
    values: dict[str, Any] = {"query": saved.query, "any": saved.sentence}
    values |= {key: list(getattr(saved.filters, key)) for key in LISTS}
    values |= {key: getattr(saved.filters, key) for key in DATES}
    values |= {"versions": saved.versions, "collapse": saved.collapse}
    return "".join(f"{key} = {_toml(value)}\n" for key, value in values.items() if value)


class _Wrong(Exception):
    def __init__(self, key: str, message: str):
        super().__init__(message)
        self.key = key


def _filters(table: Mapping[str, Any]) -> Filters:
    values: dict[str, Any] = {key: _texts(table, key) for key in LISTS}
    values |= {key: _date(table, key) for key in DATES}
    return Filters(**values)


def _typed(table: Mapping[str, Any], key: str, kind: type, default: Any) -> Any:
    value = table.get(key, default)
    if type(value) is not kind:
        raise _Wrong(key, f"write {'a text in quotes' if kind is str else 'true or false'}")
    return value


def _texts(table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = table.get(key, [])
    value = [value] if isinstance(value, str) else value
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise _Wrong(key, 'write a text in quotes, or several: ["a", "b"]')
    return tuple(value)


def _date(table: Mapping[str, Any], key: str) -> str | None:
    value = table.get(key)
    if value is not None and not isinstance(value, str):
        raise _Wrong(key, 'write a date in quotes: "2021", "2021-05", "2021-05-30"')
    return value


def _line_of(text: str, key: str) -> str:
    """`, line 3`, where the key stands at the beginning of a line."""
    for number, line in enumerate(text.split("\n"), 1):
        if re.match(rf"""\s*\[*\s*["']?{re.escape(key)}\b""", line):
            return f", line {number}"
    return ""


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return '"' + "".join(_escaped(c) for c in value) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return character if character.isprintable() else f"\\U{ord(character):08x}"
