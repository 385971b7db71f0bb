"""Documented public functions of Python files, asked for and answered. The files are parsed, never run."""

from __future__ import annotations

import ast
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def documented_functions(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line and row of every documented public function and method of a file, by line.

    Signature and documentation ask, the code answers; the docstring is taken out of the code, since it is
    the question. Of a file that is no Python of this interpreter's version there is none: libraries hold
    templates and files that are broken on purpose.
    """
    try:
        with tokenize.open(path) as file:
            text = file.read()
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(text)
        functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
        lines = [line + "\n" for line in text.split("\n")]  # splitlines knows more line ends than Python does
        rows = [(node.lineno, _row(node, lines)) for node in functions if not node.name.startswith("_")]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    yield from sorted(((line, row) for line, row in rows if row), key=lambda found: found[0])


def _row(node: Function, lines: Sequence[str]) -> dict[str, str] | None:
    documentation = ast.get_docstring(node)
    if not documentation or len(node.body) < 2 or node.body[1].lineno <= (node.body[0].end_lineno or 0):
        return None
    summary = " ".join(documentation.split("\n\n")[0].split())
    head = "".join(lines[node.lineno - 1 : node.body[0].lineno - 1])
    body = "".join(lines[node.body[0].end_lineno or 0 : node.end_lineno])
    code = _dedented(head + body)
    signature = f"{node.name}({ast.unparse(node.args)})"
    return {
        "instruction": f"Write the Python function `{signature}`. {summary}",
        "response": f"```python\n{code}\n```",
    }


def _dedented(code: str) -> str:
    lines = code.rstrip().splitlines()
    margin = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[margin:] if not line[:margin].strip() else line for line in lines)
