"""A function of somebody's own as a tool: what a model is told of it, and what it answers to a call."""

from __future__ import annotations

import inspect
import json
import re
import typing
from collections.abc import Callable, Mapping
from itertools import dropwhile, takewhile
from textwrap import dedent
from typing import Any

from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError

from ...domain.errors import UsageError
from .function_call import Tracebacks

_PARAMETERS = re.compile(r"^(?:Args|Arguments|Parameters):\s*$")
_SECTION = re.compile(r"^(?:Args|Arguments|Parameters|Returns|Yields|Raises|Examples?|Notes?):\s*$")
_ENTRY = re.compile(r"^\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)$")


class ToolFunction:
    """A function whose every outcome is an answer.

    What a model is told of it is its docstring, without its sections, and a JSON schema of its parameters: of
    their annotations, with what the docstring's section ``Args:`` says of them.

    Raises:
        UsageError: C075 when it cannot be called with arguments by name, or its annotations are no schema.
    """

    def __init__(self, function: object) -> None:
        if not callable(function) or isinstance(function, type):
            raise _unusable(f"it is {type(function).__name__}, not a function")
        if inspect.iscoroutinefunction(function):
            raise _unusable("it is a coroutine, which nobody awaits")
        self._function: Callable[..., Any] = function
        self._described = described(function)
        self._show = Tracebacks()

    def answer_to(self, line: str) -> dict[str, Any]:
        """What it answers to ``{"arguments": text}``, or else what it is: description and parameters."""
        try:
            request = json.loads(line)
            if "arguments" not in request:
                return self._described
            value = self._function(**json.loads(request["arguments"]))
            return {"text": value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}
        except BaseException as cause:
            self._show(cause)
            return {"failed": f"{type(cause).__name__}: {cause}"}


def described(function: Callable[..., Any]) -> dict[str, Any]:
    """Its description and the JSON schema of its parameters."""
    said, of_parameters = _documentation(function)
    try:
        hints = typing.get_type_hints(function, include_extras=True)
        named = inspect.signature(function).parameters.values()
        by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)
        if any(one.kind in by_place for one in named):
            raise _unusable("it takes arguments by their place")
        taken = [one for one in named if one.kind is not inspect.Parameter.VAR_KEYWORD]
        properties = {one.name: _schema(hints, one.name, of_parameters) for one in taken}
    except (NameError, TypeError, ValueError, PydanticUserError) as cause:
        raise _unusable(f"what it takes cannot be told: {str(cause).partition(chr(10))[0]}") from cause
    required = [one.name for one in taken if one.default is inspect.Parameter.empty]
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"description": said, "parameters": parameters}


def _schema(hints: Mapping[str, Any], name: str, said: Mapping[str, str]) -> dict[str, Any]:
    schema = TypeAdapter(hints[name]).json_schema() if name in hints else {}
    return schema | ({"description": said[name]} if name in said else {})


def _documentation(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """The docstring above its first section, and what its section ``Args:`` says of each parameter."""
    lines = (inspect.getdoc(function) or "").splitlines()
    said = "\n".join(takewhile(lambda line: not _SECTION.match(line), lines)).strip()
    listed = [*dropwhile(lambda line: not _PARAMETERS.match(line), lines)][1:]
    entries = dedent("\n".join(takewhile(lambda line: not line or line[0].isspace(), listed)))
    of_parameters: dict[str, str] = {}
    name = ""
    for line in entries.splitlines():
        found = _ENTRY.match(line)
        name = found[1] if found else name
        if name:
            more = found[2] if found else line.strip()
            of_parameters[name] = f"{of_parameters.get(name, '')} {more}".strip()
    return said, of_parameters


def _unusable(what: str) -> UsageError:
    fix = "write it as `def search(query: str, most: int = 5) -> str` with a docstring"
    return UsageError("C075", what, expected="a function that takes its arguments by name", fix=fix)
