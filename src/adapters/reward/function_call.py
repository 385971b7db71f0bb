"""One call of somebody's own reward function, and what it gives as plain values.

It is called as ``function(prompt, completion, **row)`` with those parts of the row that its signature takes.
"""

from __future__ import annotations

import inspect
import json
import math
import sys
import traceback
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

from ...domain.errors import UsageError
from ...domain.reward import RewardResult

_LOWEST, _HIGHEST = -1.0, 1.0


class FunctionCall:
    """A function whose every outcome is an answer.

    Args:
        arguments: given with every call, by name; they come before what a row calls by the same name.

    Raises:
        UsageError: C070 when it cannot be called with a prompt and a completion.
    """

    def __init__(self, function: object, arguments: Mapping[str, Any]) -> None:
        if not callable(function):
            raise _uncallable(f"it is {type(function).__name__}, not a function")
        self._function: Callable[..., Any] = function
        self._arguments = dict(arguments)
        self._names, self._required, self._takes_all = _keywords(function)
        unknown = [] if self._takes_all else sorted(arguments.keys() - self._names)
        if unknown:
            raise _uncallable(f"it takes no argument {unknown[0]}")
        self._show = Tracebacks()

    def answer_to(self, line: str) -> dict[str, Any]:
        """What the function makes of a completion: a result as JSON, or ``{"failed": reason}``."""
        try:
            request = json.loads(line)
            row = {key: value for key, value in request["row"].items() if self._takes(key)} | self._arguments
            if missing := sorted(self._required - row.keys()):
                return _not_applicable(*(f"missing:{name}" for name in missing))
            return _answer(self._function(request["prompt"], request["completion"], **row))
        except BaseException as cause:
            self._show(cause)
            return {"failed": f"raised:{type(cause).__name__}"}

    def _takes(self, name: str) -> bool:
        return self._takes_all or name in self._names


class Tracebacks:
    """Shows where a function failed, once for each place: a run makes thousands of calls."""

    def __init__(self) -> None:
        self._shown: set[str] = set()

    def __call__(self, cause: BaseException) -> None:
        frames = traceback.extract_tb(cause.__traceback__)
        place = f"{type(cause).__name__} {frames[-1].filename}:{frames[-1].lineno}"
        if place not in self._shown:
            self._shown.add(place)
            own = cause.__traceback__ and cause.__traceback__.tb_next  # without the frame of this file
            traceback.print_exception(type(cause), cause, own or cause.__traceback__, file=sys.stderr)


def told(cause: BaseException) -> str:
    """An exception on one line, with the place in the file where it was raised."""
    frames = [frame for frame in traceback.extract_tb(cause.__traceback__) if frame.filename[:1] != "<"]
    return f"{type(cause).__name__}: {cause} ({frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno})"


def _keywords(function: Callable[..., Any]) -> tuple[set[str], set[str], bool]:
    """The names that go by keyword, those of them without a default, and whether any other goes too."""
    try:
        signature = inspect.signature(function)
        signature.bind_partial(None, None)
    except TypeError as cause:
        raise _uncallable(f"it takes {inspect.signature(function)}") from cause
    except ValueError:  # a function in C that does not say
        return set(), set(), False
    kinds = inspect.Parameter
    named = list(signature.parameters.values())
    first_two = [one for one in named if one.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)][:2]
    others = [
        one
        for one in named
        if one not in first_two and one.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)
    ]
    required = {one.name for one in others if one.default is kinds.empty}
    return {one.name for one in others}, required, any(one.kind is kinds.VAR_KEYWORD for one in named)


def _uncallable(what: str) -> UsageError:
    fix = "write it as `def reward(prompt, completion, **row)`"
    return UsageError("C070", what, expected="a function of a prompt and a completion", fix=fix)


def _answer(value: Any) -> dict[str, Any]:
    if value is None:
        return _not_applicable("none")
    result = value if isinstance(value, RewardResult) else _as_result(value)
    if result is None:
        return {"failed": f"wrong_type:{type(value).__name__}"}
    numbers = [*result.parts.values(), *([] if result.score is None else [result.score])]
    if not all(isinstance(number, Real) for number in numbers):
        return {"failed": "wrong_type:parts"}
    if not all(map(math.isfinite, map(float, numbers))):
        return {"failed": "not_finite"}
    clipped = any(not _LOWEST <= number <= _HIGHEST for number in map(float, numbers))
    return {
        "score": None if result.score is None else _within(result.score),
        "parts": {str(name): _within(part) for name, part in result.parts.items()},
        "reasons": [*map(str, result.reasons), *(["clipped"] if clipped else [])],
        "verdict": result.verdict,
    }


def _as_result(value: Any) -> RewardResult | None:
    return RewardResult(float(value)) if isinstance(value, Real) else None


def _within(number: float) -> float:
    return max(_LOWEST, min(_HIGHEST, float(number)))


def _not_applicable(*reasons: str) -> dict[str, Any]:
    return {"score": None, "parts": {}, "reasons": reasons, "verdict": None}
