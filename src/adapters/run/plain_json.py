"""Plain data as JSON that comes back exactly as it was, and that is read without leniency."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any, NoReturn

_FLOAT = "$float"
"""JSON has no infinity: {"$float": "inf"} stands for it."""

_STRANGE = ("inf", "-inf", "nan")


def dumps(value: object, *, indent: int | None = None) -> bytes:
    """ASCII with a newline behind it; a float's digits are those that read back as the same float.

    Raises:
        TypeError: for what is no plain data. A key that is no string would come back as one.
    """
    return (json.dumps(_plain(value), indent=indent, allow_nan=False) + "\n").encode("ascii")


def canonical(value: object) -> bytes:
    """The one text of a value: two texts that differ say different things."""
    return json.dumps(_plain(value), sort_keys=True, indent=1, allow_nan=False).encode("ascii")


def loads(content: bytes) -> Any:
    """What ``dumps`` wrote.

    Raises:
        ValueError: for anything that it does not write.
    """
    try:
        return json.loads(content.decode("ascii"), object_pairs_hook=_object, parse_constant=_refuse)
    except RecursionError as cause:
        raise ValueError("nested too deeply") from cause


def finite(value: Any) -> Any:
    """The same for other programs to read, which know no NaN in JSON: null in its place."""
    match value:
        case float() if not isfinite(value):
            return None
        case Mapping():
            return {key: finite(item) for key, item in value.items()}
        case list() | tuple():
            return [finite(item) for item in value]
        case _:
            return value


def _plain(value: object) -> object:
    match value:
        case float() if not isfinite(value):
            return {_FLOAT: str(float(value))}
        case None | bool() | int() | float() | str():
            return value
        case Mapping():
            return {_key(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            raise TypeError(f"{type(value).__name__} is no plain data")


def _key(key: object) -> str:
    if isinstance(key, str) and key != _FLOAT:
        return key
    raise TypeError(f"{key!r} is no key of plain data")


def _object(pairs: list[tuple[str, Any]]) -> object:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key twice")
    if _FLOAT not in values:
        return values
    if len(values) == 1 and values[_FLOAT] in _STRANGE:
        return float(values[_FLOAT])
    raise ValueError(f"{_FLOAT} is none of {', '.join(_STRANGE)}")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
