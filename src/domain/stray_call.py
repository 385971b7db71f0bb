"""Calls that are not written as a model is told to write them.

{"name": "f", "arguments": {}}      JSON, in a fence or among words
[f(x=1)], f()                       Python on a line of its own; f(...) anywhere where f is a tool
<TOOL_CALL>, <function=f>, ...      the marks of other models
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from .code_answer import parsed

_MARK = re.compile(
    r"</?(?:tool|function)_?calls?\b|<function=|<invoke\b|\[tool_calls?\]|<\|(?:python_tag|tool_call)",
    re.IGNORECASE,
)
_ARGUMENTS = frozenset({"arguments", "parameters", "args", "input"})
_LISTS = ("tool_calls", "function_call", "function", "calls")
_MOST = 20
_LONGEST_LINE = 2_000
_CALLED = re.compile(r"\[?[ \t]*[A-Za-z_][\w.]*\(")


def has_stray_call(text: str, tools: Iterable[str] = ()) -> bool:
    """Whether a text makes a call in any notation.

    Args:
        tools: names that are called wherever a bracket follows them.
    """
    if _MARK.search(text) or any(f"{name}(" in text for name in tools if name):
        return True
    return any(map(_is_json_call, _objects(text))) or any(map(_is_python_call, _lines(text)))


def _objects(text: str) -> Iterator[Any]:
    """The JSON objects of a text; of very many the first."""
    end = 0
    for _ in range(_MOST):
        start = text.find("{", end)
        if start < 0:
            return
        try:
            value, end = json.JSONDecoder().raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            yield value


def _is_json_call(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    if isinstance(value.get("name"), str) and _ARGUMENTS & set(value):
        return True
    return any(isinstance(value.get(name), (dict, list)) for name in _LISTS)


def _lines(text: str) -> Iterator[str]:
    called = (line.strip().strip("`") for line in text.splitlines())
    return islice((line for line in called if len(line) <= _LONGEST_LINE and _CALLED.match(line)), _MOST)


def _is_python_call(line: str) -> bool:
    tree = parsed(line)
    if tree is None or len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        return False
    value = tree.body[0].value
    calls = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
    return bool(calls) and all(isinstance(one, ast.Call) and _is_named(one) for one in calls)


def _is_named(call: ast.Call) -> bool:
    """``f(x=1)`` and ``f()``, but not ``sin(x)``, which may be meant as words."""
    return bool(call.keywords) or not call.args
