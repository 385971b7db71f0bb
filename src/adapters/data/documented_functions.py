"""Documented public functions of Python files, asked for and answered. The files are parsed, never run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence
from importlib.util import decode_source
from pathlib import Path
from typing import TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


NOT_PYTHON = (SyntaxError, ValueError, LookupError, RecursionError, MemoryError)
"""What reading a file raises that is no Python of this interpreter's version."""


def documented_functions(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Line and row of every documented public function and method of a file, by line.

    Signature and documentation ask, the code answers, with its decorators; the docstring is taken out of
    the code, since it is the question. The line is that of the ``def``.

    Raises:
        OSError: when the file cannot be read.
        NOT_PYTHON: one of them, when it is no Python.
    """
    text = decode_source(path.read_bytes())
    with warnings.catch_warnings(action="ignore"):
        tree = ast.parse(text, path.name)
    functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
    lines = [line + "\n" for line in text.split("\n")]  # splitlines knows more line ends than Python does
    rows = [(node.lineno, _row(node, lines)) for node in functions if not node.name.startswith("_")]
    return sorted(((line, row) for line, row in rows if row), key=lambda found: found[0])


def broken_line(cause: BaseException) -> int | None:
    """The line that one of ``NOT_PYTHON`` is about, where it tells."""
    if isinstance(cause, UnicodeDecodeError):
        return cause.object.count(b"\n", 0, cause.start) + 1
    return cause.lineno if isinstance(cause, SyntaxError) else None


def _row(node: Function, lines: Sequence[str]) -> dict[str, str] | None:
    documentation = ast.get_docstring(node)
    if not documentation or len(node.body) < 2 or node.body[1].lineno <= (node.body[0].end_lineno or 0):
        return None
    summary = " ".join(documentation.split("\n\n")[0].split())
    head = "".join(lines[_first_line(node, lines) - 1 : node.body[0].lineno - 1])
    body = "".join(lines[node.body[0].end_lineno or 0 : node.end_lineno])
    code = _dedented(head + body)
    signature = f"{node.name}({ast.unparse(node.args)})"
    return {
        "instruction": f"Write the Python function `{signature}`. {summary}",
        "response": f"```python\n{code}\n```",
    }


def _first_line(node: Function, lines: Sequence[str]) -> int:
    if not node.decorator_list:
        return node.lineno
    line = node.decorator_list[0].lineno
    while not lines[line - 1].lstrip().startswith("@"):
        line -= 1  # an expression in parentheses can begin below its @
    return line


def _dedented(code: str) -> str:
    lines = code.rstrip().split("\n")
    margin = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[margin:] if not line[:margin].strip() else line for line in lines)
