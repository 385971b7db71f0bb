"""The examples in a docstring as tests, where they are plain: a call, and the value that it gives."""

from __future__ import annotations

import ast
import builtins
import doctest
import sys
from collections.abc import Iterator

from .code_answer import parsed


def tests_of_docstring(docstring: str, name: str) -> str:
    """Assertions that say what the examples say; empty where there are none, or some are not plain.

    Plain is an expression whose result is written as a literal, and a statement that prints nothing. Options,
    printed text, expected exceptions and objects by their ``repr`` are not, nor is what needs other code than
    the function and the standard library.

    Args:
        name: of the function; an import of it alone is left away.
    """
    if ">>>" not in docstring:
        return ""
    try:
        examples = doctest.DocTestParser().get_examples(docstring)
    except ValueError:
        return ""
    lines = [_line(example, name) for example in examples]
    if None in lines:
        return ""
    tests = "\n".join(filter(None, lines))
    tree = parsed(tests)
    return tests if tree and "assert " in tests and _stands_alone(tree, name) else ""


def _line(example: doctest.Example, name: str) -> str | None:
    """An example as a line of a test; None where it is not plain."""
    source = example.source.strip()
    tree = parsed(source)
    if example.options or example.exc_msg or tree is None:
        return None
    if not example.want:
        return "" if _imports_it(tree, name) else source
    try:
        called = ast.unparse(ast.parse(source, mode="eval"))  # without a comment behind it
        wanted = ast.literal_eval(example.want.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return f"assert ({called}) == {wanted!r}"


def _imports_it(tree: ast.Module, name: str) -> bool:
    match tree.body:
        case [ast.ImportFrom(names=[ast.alias(name=imported)])]:
            return imported == name
        case _:
            return False


def _stands_alone(tree: ast.Module, name: str) -> bool:
    """Whether it reads nothing but the function, what it binds itself, and what Python brings."""
    modules = {module.split(".")[0] for module in _modules(tree)}
    read, bound = set[str](), {name, *dir(builtins)}
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=found, ctx=ast.Load()):
                read.add(found)
            case ast.Name(id=found) | ast.arg(arg=found) | ast.FunctionDef(name=found):
                bound.add(found)
            case ast.alias(name=found, asname=known):
                bound.add(known or found.split(".")[0])
            case _:
                pass
    return modules <= sys.stdlib_module_names and read <= bound


def _modules(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
