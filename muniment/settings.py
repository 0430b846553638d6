"""Settings in TOML files that people write and change: read with their types, and refused with file, line and key."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from muniment.errors import UsageError

T = TypeVar("T")
_WORDS = {str: "a text in quotes", bool: "true or false", int: "a whole number", dict: "a table"}


class Wrong(Exception):
    """A setting that cannot be; `key` is the last part of its name."""

    def __init__(self, key: str, message: str):
        super().__init__(message)
        self.key = key


def read_settings(file: str, text: str, build: Callable[[Mapping[str, Any]], T]) -> T:
    """What `build` makes of the table in a file's text. Raises UsageError with the line and the key."""
    import tomllib

    try:
        table = tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as e:
        raise UsageError(f"{file}: {e}") from None
    try:
        return build(table)
    except Wrong as e:
        raise UsageError(f"{file}{_line_of(text, e.key)}: {e.key}: {e}") from None


def check_keys(table: Mapping[str, Any], keys: Collection[str]) -> None:
    for key in table:
        if key not in keys:
            raise Wrong(key, f"there is no such key; there are {', '.join(keys)}")


def typed(table: Mapping[str, Any], key: str, kind: type, default: Any) -> Any:
    value = table.get(key, default)
    if key in table and type(value) is not kind:
        raise Wrong(key, f"write {_WORDS[kind]}")
    return value


def texts(table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = table.get(key, [])
    value = [value] if isinstance(value, str) else value
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise Wrong(key, 'write a text in quotes, or several: ["a", "b"]')
    return tuple(value)


def as_toml(value: Any) -> str:
    """A value as it stands behind `key = `."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(as_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    return '"' + "".join(_escaped(c) for c in value) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def _line_of(text: str, key: str) -> str:
    """`, line 3`, where the key stands at the beginning of a line."""
    for number, line in enumerate(text.split("\n"), 1):
        if re.match(rf"""\s*\[*\s*["']?{re.escape(key)}\b""", line):
            return f", line {number}"
    return ""
