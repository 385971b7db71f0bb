"""Grading a program whose functions are called, by tests in a process of their own."""

from __future__ import annotations

import math
import socket
from typing import Any

from ...domain.code_tests import CodeTests, Grade, Grading
from .children import Child
from .inside.frames import TooLong
from .inside.plain_data import NotPlain, TooMuch, encode
from .verdicts import of_checks, of_end, of_ending, out_of_time
from .warden import Warden, WardenLost

_TESTS_MEMORY = 2**31
_LONGEST_REPORT = 2**20


def grade_called(warden: Warden, grading: Grading, deadline: float) -> Grade:
    """What came of it. The program's process and the tests' speak with each other, and only one with us."""
    limits = grading.limits
    try:
        job = _job(grading.tests, limits.output)
    except (NotPlain, TooMuch) as cause:
        return of_checks(0, 0, "", f"a case is no plain data: {cause}")
    ours, theirs = socket.socketpair()
    cpu = math.ceil(limits.wall) + 1
    try:
        program = Child(warden, "program", [ours], limits.memory, limits.cpu, deadline, limits.output)
    except BaseException:
        theirs.close()
        raise
    with program, Child(warden, "tests", [theirs], _TESTS_MEMORY, cpu, deadline, _LONGEST_REPORT) as tests:
        try:
            program.start({"program": grading.program})
            tests.start(job)
            report = tests.receive()
        except TimeoutError:
            return out_of_time(limits)
        except (EOFError, ConnectionError, TooLong, ValueError):
            return _without_report(program, tests, grading)
        return _grade(report, program, grading)


def _job(tests: CodeTests, longest: int) -> dict[str, Any]:
    cases = [([encode(one) for one in case.arguments], encode(case.expected)) for case in tests.cases]
    return {
        "code": tests.code,
        "setup": tests.setup,
        "entry_point": tests.entry_point,
        "cases": cases,
        "longest": longest,
    }


def _grade(report: dict[str, Any], program: Child, grading: Grading) -> Grade:
    passed, total = report["passed"], report["total"]
    if not report["ended"]:
        return of_checks(passed, total, report["detail"], report["broken"])
    how, text = report["ended"]
    total = max(total, passed + 1)
    if how == "gone":
        return of_ending(program.ending(), grading.limits, passed, total)
    return of_end(how, text, passed, total)


def _without_report(program: Child, tests: Child, grading: Grading) -> Grade:
    """The tests' process ended: killed from outside, or by what it made of the program's answers."""
    ending = tests.ending()
    if ending.is_killed_by_others and not ending.starved and ending.cpu < grading.limits.wall:
        raise WardenLost("something outside has killed the tests' process")
    return of_ending(ending, grading.limits, 0, 1)
