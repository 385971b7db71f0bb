"""Functions of the interpreter's own standard library, asked for and answered: nothing is downloaded."""

from __future__ import annotations

import ast
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...domain.errors import DataError
from ...domain.source import SourceRow

_NOT_TAUGHT = {
    "test",
    "tests",
    "idlelib",
    "lib2to3",
    "site-packages",
    "__pycache__",
    "turtledemo",
    "ensurepip",
}


class StdlibSource:
    """Each documented public function: its signature and documentation ask, its code answers.

    The docstring is taken out of the code, since it is the question.

    Args:
        modules: names such as ``json`` or ``email.utils``; None for the whole library.
    """

    def __init__(self, name: str, modules: Sequence[str] | None = None) -> None:
        self._name = name
        self._modules = None if modules is None else tuple(modules)

    @property
    def name(self) -> str:
        return self._name

    @property
    def origin(self) -> str:
        return f"standard library of Python {sys.version.split()[0]}"

    def rows(self) -> Iterator[SourceRow]:
        """One row a function, by module and then by line; see the port for the errors."""
        root = Path(sysconfig.get_path("stdlib"))
        found = False
        for path in self._files(root):
            for row in _functions(path, path.relative_to(root).as_posix()):
                found = True
                yield row
        if not found:
            raise DataError(
                "D002",
                "a source is empty",
                where=f'source "{self._name}"',
                fix="name modules with documented functions",
            )

    def _files(self, root: Path) -> list[Path]:
        if self._modules is None:
            return sorted(
                file for file in root.rglob("*.py") if not _NOT_TAUGHT & set(file.relative_to(root).parts)
            )
        files = []
        for module in self._modules:
            parts = module.split(".")
            path = root.joinpath(*parts) if all(map(str.isidentifier, parts)) else root / "no module"
            inside = sorted(path.glob("*.py")) if path.is_dir() else []
            found = inside or [file for file in [path.with_suffix(".py")] if file.is_file()]
            if not found:
                raise DataError(
                    "D001",
                    f'the standard library has no source of a module "{module}"',
                    where=f'source "{self._name}"',
                    fix="correct its modules",
                )
            files += found
        return files


def _functions(path: Path, shown: str) -> Iterator[SourceRow]:
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return  # a few files of the library are templates or deliberately broken
    lines = [line + "\n" for line in text.split("\n")]  # splitlines knows more line ends than Python does
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    for node in sorted(functions, key=lambda function: function.lineno):
        row = None if node.name.startswith("_") else _row(node, lines)
        if row:
            yield SourceRow(f"{shown}:{node.lineno}", row)


def _row(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: Sequence[str]) -> dict[str, str] | None:
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
