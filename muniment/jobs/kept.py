"""What muniment wrote between runs, read as it is written and no other way: such a file may be damaged, cut off, or a
stranger's, and must not end more than what it is about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from muniment.regular import read_regular

T = TypeVar("T")
Time = Annotated[str, "ISO 8601 with a zone"]
TimeIfAny = Annotated[str, "ISO 8601 with a zone, or nothing"]
_MOST = {int: 1 << 63, float: 1e12}  # what SQLite and lengths of time hold; floats are seconds


class Damaged(ValueError):
    """The file cannot be read, or holds something else; the message says what is wrong."""


def read_kept(path: Path) -> Any:
    """The JSON in a file. Raises FileNotFoundError, Damaged."""
    try:
        return json.loads(read_regular(path))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as e:
        raise Damaged(str(e)) from None


def fitted(kind: type[T], value: Any) -> T:
    """A value of JSON as a dataclass, or as a type such as `dict[str, list[int]]`. Keys that a dataclass does not know
    are left out. Raises Damaged where it is something else."""
    try:
        return _fitted(kind, value)  # type: ignore[no-any-return]  # as `kind` says
    except (ValueError, TypeError) as e:  # no time, or a key is missing
        raise Damaged(str(e)) from None


def _fitted(kind: Any, value: Any) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if isinstance(kind, type) and is_dataclass(kind):
        return _built(kind, _typed(dict, value))
    if origin is list:
        return [_fitted(inner[0], one) for one in _typed(list, value)]
    if origin is dict:
        return {key: _fitted(inner[1], one) for key, one in _typed(dict, value).items()}
    if origin is Literal and value not in inner:
        raise Damaged(f"{value!r} is none of {', '.join(inner)}")
    if origin is Annotated and (_typed(str, value) or kind == Time):
        at = datetime.fromisoformat(value)
        if at.tzinfo is None or at.year < 1970:  # what is earlier cannot be told in every zone
            raise Damaged(f"{value!r} is no time of a run")
    return value if origin or kind is Any else _typed(kind, value)


def _built(kind: type, given: Mapping[str, Any]) -> Any:
    return kind(**{name: _fitted(hint, given[name]) for name, hint in _hints(kind).items() if name in given})


def _typed(kind: type, value: Any) -> Any:
    found = float if kind is float and type(value) is int else type(value)
    if found is not kind:
        raise Damaged(f"{type(value).__name__} where {kind.__name__} belongs")
    if kind in _MOST and not abs(value) < _MOST[kind]:
        raise Damaged("a number beyond all bounds")
    return value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)
