"""Frozen values like those of `@dataclass(frozen=True, slots=True)`, but quick to define, to make and to compare.

A dataclass writes and compiles its methods when it is defined, which takes 0.7 ms each. The twenty classes of index and
search would be a tenth of the time that a search takes from start to end; here they share one set of methods. The
values are held in a tuple, whose hash is the library's own: a search hashes its tree a dozen times. Type checkers treat
the classes as dataclasses.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any, ClassVar, NoReturn, Self, dataclass_transform


@dataclass_transform(frozen_default=True)
class _ValueType(type):
    """Makes the names that a class annotates properties of the places in its tuple, and keeps their defaults apart."""

    def __new__(mcs, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> _ValueType:
        names = tuple(name for name in body.get("__annotations__", ()) if not name.startswith("_"))
        defaults = {name: body.pop(name) for name in names if name in body}
        body |= {"__slots__": (), "__match_args__": names, "_names": names, "_defaults": defaults}
        body |= {name: property(itemgetter(place)) for place, name in enumerate(names)}
        return super().__new__(mcs, name, bases, body)


class Value(tuple[Any, ...], metaclass=_ValueType):
    """Base of frozen values: annotate their fields as in a dataclass, and subclass them no further."""

    _names: ClassVar[tuple[str, ...]]
    _defaults: ClassVar[Mapping[str, Any]]

    def __new__(cls, *values: Any, **named: Any) -> Self:
        if named or len(values) != len(cls._names):
            names = cls._names
            given = {**cls._defaults, **dict(zip(names, values, strict=False)), **named}
            if len(values) > len(names) or given.keys() != set(names):
                raise TypeError(f"{cls.__name__} takes {', '.join(names)}")
            values = tuple([given[name] for name in names])
        return tuple.__new__(cls, values)

    def _replace(self, **named: Any) -> Self:
        """A copy with other values in these fields."""
        return type(self)(**(dict(zip(self._names, self, strict=True)) | named))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__

    def __bool__(self) -> bool:
        return True  # of no fields too

    def __repr__(self) -> str:
        shown = (f"{name}={value!r}" for name, value in zip(self._names, self, strict=True))
        return f"{type(self).__name__}({', '.join(shown)})"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be deleted")
