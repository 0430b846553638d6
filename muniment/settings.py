"""Settings in TOML files that people write and change: read with their types, and refused with file, line and key."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, TypeVar

from muniment.errors import UsageError

T = TypeVar("T")
_HEADER = re.compile(r"\s*\[{1,2}([^\[\]]+)\]{1,2}\s*(?:#|$)")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_WORDS = {str: "a text in quotes", bool: "true or false", int: "a whole number", dict: "a table"}


class Wrong(Exception):
    """A setting that cannot be: `key`, in the table `table` where it stands in one (`alerts.email`)."""

    def __init__(self, key: str, message: str, table: str = ""):
        super().__init__(message)
        self.key = key
        self.table = table

    @property
    def name(self) -> str:
        """ "limits.pages" """
        return f"{self.table}.{self.key}" if self.table else self.key


@contextmanager
def inside(table: str) -> Iterator[None]:
    """What is wrong in this block is wrong in that table."""
    try:
        yield
    except Wrong as e:
        e.table = f"{table}.{e.table}" if e.table else table
        raise


def read_settings(file: str, text: str, build: Callable[[Mapping[str, Any]], T]) -> T:
    """What `build` makes of the table in a file's text. Raises UsageError with the line and the key."""
    import tomllib

    try:
        table = tomllib.loads(text.removeprefix("\ufeff") + "\n")  # without it, "at end of document" is all it says
        _check_numbers(table)
    except RecursionError:
        raise UsageError(f"{file}: brackets stand in one another too deeply to be read") from None
    except ValueError as e:  # also of a number of thousands of digits
        raise UsageError(f"{file}{_unread(text, str(e))}") from None
    try:
        return build(table)
    except Wrong as e:
        raise UsageError(f"{file}{_line_of(text, e.table, e.key)}: {e.name}: {e}") from None


def _unread(text: str, said: str) -> str:
    """What tomllib said of a text, with the key where its line has one."""
    lines = text.removeprefix("\ufeff").split("\n")
    if (at := _AT_LINE.search(said)) and int(at[1]) <= len(lines) and (found := _KEY.match(lines[int(at[1]) - 1])):
        said = said.replace("Cannot overwrite a value", "it stands there twice")
        return f", line {at[1]}: {found[1]}: {_AT_LINE.sub('', said).strip()}"
    return f": {said}"


def _check_numbers(value: Any) -> None:
    """Raises ValueError: TOML promises 64 bits, and tomllib takes more, which nothing behind it can tell or store."""
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            _check_numbers(inner)
    elif isinstance(value, int) and not -1 << 63 <= value < 1 << 63:
        raise ValueError("a number of more than 64 bits")


def check_keys(table: Mapping[str, Any], keys: Collection[str]) -> None:
    for key in table:
        if key not in keys:
            near = get_close_matches(key.lower(), keys, 1)
            meant = f": did you mean {near[0]}?" if near else f"; there are {', '.join(keys)}"
            raise Wrong(key, f"there is no such key{meant}")


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
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {as_toml(inner)}' for key, inner in value.items())} }}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    return '"' + "".join(_escaped(c) for c in value) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def _line_of(text: str, table: str, key: str) -> str:
    """`, line 3`: where the key stands at the beginning of a line of its table; else where the table does."""
    header, best, depth = "", 0, -1
    wanted = [*filter(None, table.split(".")), key]
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if found := _HEADER.match(line):
            header, stands = found[1], _parts(found[1])
        elif found := _KEY.match(line):
            stands = [*_parts(header), *_parts(found[1])]
        else:
            continue
        if len(stands) > depth and stands == wanted[: len(stands)]:
            best, depth = number, len(stands)
    return f", line {best}" if best else ""


def _parts(name: str) -> list[str]:
    return [part.strip().strip("\"'") for part in name.split(".") if part]
