"""The process in which a function of somebody's own runs: a JSON text a line in, a JSON text a line out.

The first line says which function of ours loads it, ``{"loader": "module:name", "loading": {...}}``, and
whether it is a tool or a reward. Every other is one call. What the function prints goes to the standard
error.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, TextIO

from ...domain.errors import CeselloError
from .function_call import FunctionCall, told

if TYPE_CHECKING:
    from .tool_function import ToolFunction

_GRACE = 2.0
"""Seconds by which a call outlives the patience of whoever asks, and who is gone if this process still is."""


def main() -> None:
    """Loads the function, then answers until there is nobody left who asks."""
    requests, answers = _own_pipes()
    faulthandler.enable()
    hello = json.loads(requests.readline())
    with _deadline(hello["start_patience"]):
        call = _loaded(hello)
    _write(answers, call if isinstance(call, dict) else {"loaded": True})
    if isinstance(call, dict):
        return
    for line in requests:
        with _deadline(hello["patience"]):
            answer = call.answer_to(line)
        _write(answers, answer)


def _own_pipes() -> tuple[TextIO, TextIO]:
    """Pipes nobody else knows of: who reads the standard input finds nothing, who prints disturbs nobody."""
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return requests, answers


def _write(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Ends this process where a call hangs and nobody is left to kill it; needs no lock of Python's."""
    faulthandler.dump_traceback_later(seconds + _GRACE, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def _tool(function: object) -> ToolFunction:
    from .tool_function import ToolFunction  # with a library that rewards do without

    return ToolFunction(function)


def _loaded(hello: dict[str, Any]) -> FunctionCall | ToolFunction | dict[str, Any]:
    """The function, or what is to be told to a person."""
    module, _, name = hello["loader"].partition(":")
    load = getattr(import_module(module), name)
    try:
        function = load(**hello["loading"])
        return _tool(function) if hello["is_tool"] else FunctionCall(function, hello["arguments"])
    except CeselloError as error:
        parts = {"what": error.what, "got": error.got, "expected": error.expected, "fix": error.fix}
        return {"refused": {part: None if value is None else str(value) for part, value in parts.items()}}
    except BaseException as cause:
        return {"refused": {"what": "its code fails when it is loaded", "got": told(cause)}}


if __name__ == "__main__":
    main()
