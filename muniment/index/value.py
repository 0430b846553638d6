"""Frozen values like those of `@dataclass(frozen=True, slots=True)`, but quick to define.

A dataclass writes and compiles its methods when it is defined, which takes 0.7 ms each. The twenty classes of index and
search would be a tenth of the time that a search takes from start to end; here they share one set of methods. Type
checkers treat them as dataclasses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NoReturn, Self, dataclass_transform


@dataclass_transform(frozen_default=True)
class _ValueType(type):
    """Makes slots of the names that a class annotates, and keeps their defaults apart."""

    def __new__(mcs, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> _ValueType:
        names = tuple(name for name in body.get("__annotations__", ()) if not name.startswith("_"))
        defaults = {name: body.pop(name) for name in names if name in body}
        body |= {"__slots__": names, "__match_args__": names, "_names": names, "_defaults": defaults}
        made = super().__new__(mcs, name, bases, body)
        type.__setattr__(made, "_setters", tuple([getattr(made, name).__set__ for name in names]))
        return made


class Value(metaclass=_ValueType):
    """Base of frozen values: annotate their fields as in a dataclass, and subclass them no further."""

    _names: ClassVar[tuple[str, ...]]
    _defaults: ClassVar[Mapping[str, Any]]
    _setters: ClassVar[tuple[Callable[[Any, Any], None], ...]]

    def __init__(self, *values: Any, **named: Any) -> None:
        names = self._names
        if named or len(values) != len(names):
            given = {**self._defaults, **dict(zip(names, values, strict=False)), **named}
            if len(values) > len(names) or given.keys() != set(names):
                raise TypeError(f"{type(self).__name__} takes {', '.join(names)}")
            values = tuple([given[name] for name in names])
        for put, value in zip(self._setters, values, strict=True):
            put(self, value)

    def _values(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self._names])

    def _replace(self, **named: Any) -> Self:
        """A copy with other values in these fields."""
        return type(self)(**(dict(zip(self._names, self._values(), strict=True)) | named))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and type(other) is type(self) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), *self._values()))

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self._names)
        return f"{type(self).__name__}({', '.join(shown)})"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be deleted")
