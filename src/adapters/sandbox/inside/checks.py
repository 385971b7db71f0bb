"""The process of the tests: it runs them against stand-ins of the program, and counts.

Every ``assert`` is a check that holds or not; the tests go on after one that does not. A test function
(``test_...``), ``check`` and the cases of ``unittest`` are run as well.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import inspect
import io
import math
import socket
import sys
import unittest
from importlib import import_module
from types import ModuleType
from typing import Any

from .frames import Frames
from .plain_data import decode, same
from .stand_ins import OF_THE_PROGRAM, Ended, Function, Program, stand_in

_LONGEST_DETAIL = 300
_COUNT, _FAILED, _EXCEPTION = "_cesello_count", "_cesello_failed", "_cesello_exception"
# What a test would hand the expected value to: not the program's, whatever it defines.
_NOT_THE_PROGRAMS = {"isclose": math.isclose}


class _Tally:
    """Checks so far, and the first that did not hold."""

    def __init__(self) -> None:
        self.passed = self.total = 0
        self.detail = ""
        self.broken = ""

    def count(self, holds: Any, line: str) -> None:
        self.total += 1
        if holds:
            self.passed += 1
        elif not self.detail:
            self.detail = line

    def failed(self, cause: BaseException, line: str) -> None:
        self.count(False, f"{line}: {_shown(cause)}")


def run_tests(job: socket.socket, asked: socket.socket) -> None:
    """Runs the tests of the job and reports, on the same connection.

    Args:
        job: gives ``code``, ``setup`` and ``entry_point``, or ``cases``; and ``longest``, bytes of
            an answer.
        asked: the program's process.
    """
    frames = Frames(job)
    request = frames.receive()
    program = Program(asked, request["longest"])
    tally = _Tally()
    try:
        _run(request, program, tally)
    except Ended as end:
        program.ended = program.ended or end
    except BaseException as cause:
        tests_own = isinstance(cause, (ImportError, NameError, SystemExit)) and not hasattr(
            cause, OF_THE_PROGRAM
        )
        if tests_own:
            tally.broken = f"the tests cannot run: {_shown(cause)}"
        else:
            tally.failed(cause, "the tests end early")
    ended = program.ended
    frames.send(
        {
            "passed": tally.passed,
            "total": tally.total,
            "detail": tally.detail[:_LONGEST_DETAIL],
            "ended": ended and [ended.how, ended.text[:_LONGEST_DETAIL]],
            "broken": tally.broken[:_LONGEST_DETAIL],
        }
    )


def _is_of_the_tests(cause: BaseException) -> bool:
    """Whether the tests cannot run here at all, whatever the program is."""
    return isinstance(cause, (ImportError, NameError, SystemExit)) and not hasattr(cause, OF_THE_PROGRAM)


def _run(request: dict[str, Any], program: Program, tally: _Tally) -> None:
    if request["cases"]:
        program.load()
        function = Function(program, request["entry_point"])
        for arguments, expected in request["cases"]:
            _case(function, arguments, expected, tally)
        return
    module = ModuleType("tests")
    names = vars(module)
    names |= _NOT_THE_PROGRAMS
    sys.modules["tests"] = module
    tree = ast.parse(request["code"])
    if not any(map(_asserts, ast.walk(tree))):
        tally.broken = "the tests check nothing"
        return
    # The row's own mistakes come to light before the program is asked for anything.
    try:
        exec(compile(request["setup"], "<setup>", "exec", dont_inherit=True), names)  # noqa: S102
    except BaseException as cause:
        tally.broken = f"the setup fails: {_shown(cause)}"
        return
    program.load()
    entry_point = request["entry_point"]
    if entry_point:
        names[entry_point] = stand_in(program, entry_point)
        names.setdefault("candidate", names[entry_point])
    else:
        names |= {name: stand_in(program, name) for name in _called(tree, names)}
    names |= {name: import_module(name) for name in _modules(tree, names)}
    names |= {_COUNT: tally.count, _FAILED: tally.failed, _EXCEPTION: Exception}
    counted = ast.fix_missing_locations(_Counted().visit(tree))
    exec(compile(counted, "<tests>", "exec", dont_inherit=True), names)  # noqa: S102
    _run_functions(names, entry_point, tally)


def _case(function: Function, arguments: list[Any], expected: Any, tally: _Tally) -> None:
    shown = f"case {tally.total + 1}"
    try:
        tally.count(same(function(*map(decode, arguments)), decode(expected)), f"{shown} gives another value")
    except Exception as cause:
        tally.failed(cause, shown)


class _Counted(ast.NodeTransformer):
    """An assert becomes: take its truth and count it; or count what was raised instead."""

    def visit_Assert(self, node: ast.Assert) -> Any:
        return self._counted(node, [], node.test)

    def visit_Try(self, node: ast.Try) -> Any:
        """``try: f(-1); assert False`` checks that something is raised: its ``except``, reached, holds."""
        expects = any(isinstance(one, ast.Assert) and _is_false(one.test) for one in node.body)
        self.generic_visit(node)
        for handler in node.handlers if expects else ():
            line = f"except {ast.unparse(handler.type) if handler.type else ''}".strip()
            handler.body.insert(0, ast.Expr(_call(_COUNT, ast.Constant(True), ast.Constant(line))))
        return node

    def visit_Expr(self, node: ast.Expr) -> Any:
        """``assertEqual`` and its like hold where they raise nothing."""
        return self._counted(node, [node], ast.Constant(True)) if _asserts(node) else node

    def _counted(self, node: ast.stmt, before: list[ast.stmt], holds: ast.expr) -> ast.stmt:
        line = ast.unparse(node)[:_LONGEST_DETAIL]
        counted = ast.Expr(_call(_COUNT, holds, ast.Constant(line)))
        failed = ast.Expr(_call(_FAILED, ast.Name("_cesello_cause", ast.Load()), ast.Constant(line)))
        handler = ast.ExceptHandler(ast.Name(_EXCEPTION, ast.Load()), "_cesello_cause", [failed])
        return ast.copy_location(ast.Try([*before, counted], [handler], [], []), node)


def _is_false(test: ast.expr) -> bool:
    return isinstance(test, ast.Constant) and not test.value


def _asserts(node: ast.AST) -> bool:
    called = node.value.func if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) else None
    return isinstance(node, ast.Assert) or (
        isinstance(called, ast.Attribute) and called.attr.startswith("assert")
    )


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def _defined(tree: ast.AST) -> set[str]:
    """Every name the tests bind somewhere."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
    return found


def _unknown(tree: ast.AST, names: dict[str, Any]) -> set[str]:
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return used - _defined(tree) - set(names) - set(vars(builtins))


def _called(tree: ast.AST, names: dict[str, Any]) -> set[str]:
    """Names that nothing here defines and that are not a module's: the program's."""
    return _unknown(tree, names) - _modules(tree, names)


def _modules(tree: ast.AST, names: dict[str, Any]) -> set[str]:
    """Names that stand for a module of the standard library that the tests forgot to import."""
    bases = {
        node.value.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    return (bases - called) & _unknown(tree, names) & set(sys.stdlib_module_names)


def _run_functions(names: dict[str, Any], entry_point: str | None, tally: _Tally) -> None:
    if callable(names.get("check")) and entry_point and entry_point != "check":
        names["check"](names[entry_point])
        return
    for name, found in list(names.items()):
        if isinstance(found, type) and issubclass(found, unittest.TestCase):
            _run_unittest(found, tally)
        elif name.startswith("test") and callable(found) and hasattr(found, "__code__"):
            _run_function(found, name, tally)


def _run_function(function: Any, name: str, tally: _Tally) -> None:
    if function.__code__.co_argcount == 0:
        try:
            result = function()
            if inspect.iscoroutine(result):
                asyncio.run(result)
        except Exception as cause:
            if _is_of_the_tests(cause):
                raise
            tally.failed(cause, name)


def _run_unittest(case: type[unittest.TestCase], tally: _Tally) -> None:
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
    result = unittest.TextTestRunner(stream=io.StringIO()).run(suite)
    bad = [*result.failures, *result.errors]
    tally.total += result.testsRun
    tally.passed += result.testsRun - len({test.id() for test, _ in bad})
    if bad:
        tally.detail = tally.detail or f"{bad[0][0].id()}: {bad[0][1].strip().splitlines()[-1]}"


def _shown(cause: BaseException) -> str:
    try:
        return f"{type(cause).__name__}: {cause}"
    except BaseException:
        return type(cause).__name__
