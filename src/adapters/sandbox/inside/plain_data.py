"""Values as JSON and back, with their types: what a program gives is data, never an object of its making.

Plain are None, bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict, Decimal and
Fraction, nested. An instance of a subclass is sent as the plain value it holds, an iterator as what it
yields. None, bool, str and small integers stand for themselves; all else is a list with a letter before it:
``["t", [1, 2]]`` is ``(1, 2)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from math import isclose, isnan
from typing import Any

_DEEPEST = 100
_MOST_VALUES = 200_000
_MOST_YIELDED = 10_000
_JSON_INTEGER = 2**53
_RELATIVE, _ABSOLUTE = 1e-9, 1e-12


class NotPlain(Exception):
    """A value that is no data."""


class TooMuch(Exception):
    """A value that is too large to be sent."""


def encode(value: Any, hold: Callable[[Any], int | None] = lambda _: None) -> Any:
    """Something that JSON can write.

    Args:
        hold: gives an object that stays on this side a number to speak of it by; None refuses.

    Raises:
        NotPlain: for what is no data.
        TooMuch: for what has too many values, or is nested too deeply.
    """
    return _Encoder(hold).encode(value, 0)


class _Encoder:
    def __init__(self, hold: Callable[[Any], int | None]) -> None:
        self._hold = hold
        self._left = _MOST_VALUES

    def encode(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _DEEPEST:
            raise TooMuch("a value is nested too deeply" if depth > _DEEPEST else "a value is too large")
        if value is None or value is True or value is False:
            return value
        for kind in type(value).__mro__:
            if write := _WRITERS.get(kind):
                return write(self, value, depth + 1)
        if (number := self._hold(value)) is not None:
            return ["h", number]
        if hasattr(type(value), "__next__"):
            return ["g", self._yielded(value, depth + 1)]
        raise NotPlain(type(value).__name__)

    def all(self, values: Any, depth: int) -> list[Any]:
        return [self.encode(one, depth) for one in values]

    def _yielded(self, values: Iterator[Any], depth: int) -> list[Any]:
        taken: list[Any] = []
        for one in values:
            if len(taken) == _MOST_YIELDED:
                raise TooMuch("an iterator goes on and on")
            taken.append(self.encode(one, depth))
        return taken


def _integer(_: _Encoder, value: int, __: int) -> Any:
    exact = int.__pos__(value)
    return exact if -_JSON_INTEGER < exact < _JSON_INTEGER else ["i", hex(exact)]


def _float(_: _Encoder, value: float, __: int) -> Any:
    return ["f", float.hex(value)]


def _pairs(encoder: _Encoder, value: dict[Any, Any], depth: int) -> Any:
    return ["d", [encoder.all(pair, depth) for pair in dict.items(value)]]


_WRITERS: dict[type, Callable[[_Encoder, Any, int], Any]] = {
    int: _integer,
    float: _float,
    str: lambda _, value, __: str.__getitem__(value, slice(None)),
    bytes: lambda _, value, __: ["b", bytes.hex(value)],
    complex: lambda _, value, __: ["c", [float.hex(value.real), float.hex(value.imag)]],
    Decimal: lambda _, value, __: ["D", Decimal.__str__(value)],
    Fraction: lambda _, value, __: ["F", [hex(value.numerator), hex(value.denominator)]],
    list: lambda encoder, value, depth: ["l", encoder.all(list.__iter__(value), depth)],
    tuple: lambda encoder, value, depth: ["t", encoder.all(tuple.__iter__(value), depth)],
    set: lambda encoder, value, depth: ["s", encoder.all(set.__iter__(value), depth)],
    frozenset: lambda encoder, value, depth: ["z", encoder.all(frozenset.__iter__(value), depth)],
    dict: _pairs,
}


def decode(sent: Any, held: Callable[[int], Any] | None = None) -> Any:
    """The value, of plain types and no other.

    Args:
        held: gives what stands here for an object that stayed on the other side.

    Raises:
        NotPlain: what was sent is no value, whatever its form.
    """
    try:
        return _decode(sent, held, 0)
    except (TypeError, ValueError, ArithmeticError, RecursionError) as cause:
        raise NotPlain("no value") from cause


def _decode(sent: Any, held: Callable[[int], Any] | None, depth: int) -> Any:
    if depth > _DEEPEST:
        raise NotPlain("nested too deeply")
    if sent is None or type(sent) in (bool, int, str):
        return sent
    if type(sent) is not list or len(sent) != 2:
        raise NotPlain("no value")
    kind, content = sent
    if kind in _READERS:
        return _READERS[kind](content)
    if kind == "h" and held is not None and type(content) is int:
        return held(content)
    if kind == "d":
        return {_decode(key, held, depth + 1): _decode(value, held, depth + 1) for key, value in content}
    if kind in _BUILDERS and type(content) is list:
        return _BUILDERS[kind]([_decode(one, held, depth + 1) for one in content])
    raise NotPlain("no value")


_READERS: dict[str, Callable[[Any], Any]] = {
    "i": lambda text: int(text, 16),
    "f": float.fromhex,
    "b": bytes.fromhex,
    "c": lambda parts: complex(float.fromhex(parts[0]), float.fromhex(parts[1])),
    "D": lambda text: Decimal(str(text)),
    "F": lambda parts: Fraction(int(parts[0], 16), int(parts[1], 16)),
}
_BUILDERS: dict[str, Callable[[list[Any]], Any]] = {
    "l": list,
    "t": tuple,
    "s": set,
    "z": frozenset,
    "g": iter,
}


def same(value: Any, expected: Any) -> bool:
    """Whether both are of the same type and equal, all the way down.

    Numbers with a point may differ by one part in a thousand million, NaN is the same as NaN, and a tuple
    may stand where a list is expected.
    """
    if type(value) is tuple and type(expected) is list:
        return same(list(value), expected)  # JSON, which cases are written in, has no tuples
    if type(value) is not type(expected):
        return False
    if isinstance(value, float):
        near = isclose(value, expected, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)
        return near or (isnan(value) and isnan(expected))
    if isinstance(value, (list, tuple)):
        return len(value) == len(expected) and all(map(same, value, expected))
    if isinstance(value, dict):
        keys = {(type(key), key) for key in value} == {(type(key), key) for key in expected}
        return keys and all(same(value[key], expected[key]) for key in value)
    if isinstance(value, (set, frozenset)):
        return value == expected and {(type(one), one) for one in value} == {
            (type(one), one) for one in expected
        }
    return bool(value == expected)
