"""Whether the calls of a completion are the right ones, by the rules of the Berkeley leaderboard.

A reference call is {name: {argument: [acceptable value, ...]}}; an empty string among the values means
that the argument may be left out (Patil et al., "The Berkeley Function Calling Leaderboard", ICML 2025).
Calls of one answer may come in any order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .conversation import ToolCall

ReferenceCall = Mapping[str, Mapping[str, Sequence[Any]]]

_IGNORED = re.compile(r"[ ,./\-_*^]")


def same_functions(calls: Sequence[ToolCall], reference: Sequence[ReferenceCall]) -> bool:
    """Whether exactly the functions of the reference are called, in any order."""
    return sorted(call.name for call in calls) == sorted(name for wanted in reference for name in wanted)


def same_calls(calls: Sequence[ToolCall], reference: Sequence[ReferenceCall]) -> bool:
    """Whether every call matches one call of the reference, name and arguments, one to one."""
    if len(calls) != len(reference):
        return False
    accepted = [[index for index, wanted in enumerate(reference) if _matches(call, wanted)] for call in calls]
    partner: dict[int, int] = {}
    return all(_paired(call, accepted, partner, set()) for call in range(len(calls)))


def _paired(
    call: int,
    accepted: Sequence[Sequence[int]],
    partner: dict[int, int],
    tried: set[int],
) -> bool:
    """Gives a call a reference call of its own; an earlier call moves to another where it can."""
    for wanted in accepted[call]:
        if wanted not in tried:
            tried.add(wanted)
            if wanted not in partner or _paired(partner[wanted], accepted, partner, tried):
                partner[wanted] = call
                return True
    return False


def _matches(call: ToolCall, wanted: ReferenceCall) -> bool:
    arguments = wanted.get(call.name)
    return arguments is not None and _object_matches(call.decoded(), arguments)


def _object_matches(given: Mapping[str, Any], wanted: Mapping[str, Sequence[Any]]) -> bool:
    if not set(given) <= set(wanted):
        return False
    return all(
        any(_value_matches(given[key], choice) for choice in choices) if key in given else "" in choices
        for key, choices in wanted.items()
    )


def _value_matches(given: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(given, dict) and _object_matches(given, wanted)
    if isinstance(wanted, list):
        return (
            isinstance(given, list)
            and len(given) == len(wanted)
            and all(_value_matches(one, other) for one, other in zip(given, wanted, strict=True))
        )
    if isinstance(wanted, bool) or isinstance(given, bool):
        return given is wanted
    if isinstance(wanted, str):
        return isinstance(given, str) and _plain(given) == _plain(wanted)
    if isinstance(wanted, (int, float)):
        return isinstance(given, (int, float)) and given == wanted
    return bool(given == wanted)


def _plain(text: str) -> str:
    return _IGNORED.sub("", text).lower().replace("'", '"')


def first_choice(wanted: ReferenceCall) -> ToolCall:
    """A call that the reference accepts: the first value of every argument that may not be left out."""
    ((name, arguments),) = wanted.items()
    return ToolCall(name, json.dumps(_first_object(arguments), ensure_ascii=False))


def _first_object(arguments: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    return {key: _first_value(choices[0]) for key, choices in arguments.items() if "" not in choices}


def _first_value(choice: Any) -> Any:
    if isinstance(choice, dict):
        return _first_object(choice)
    if isinstance(choice, list):
        return [_first_value(one) for one in choice]
    return choice
