"""Whether a completion is the program that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...domain.code_answer import (
    asserts_in,
    defined_in,
    is_copied,
    parsed,
    preamble_of,
    program_of,
    unfinished,
)
from ...domain.code_tests import CodeTests, Grade, Grading, Limits, tests_of
from ...domain.ports.sandbox import Sandbox
from ...domain.reward import Attempt, Reads, RewardResult, Verdict, infra_error
from ...domain.task_detection import asked_name, asks_for_code, question_of

_NO_CODE, _BROKEN, _UNDEFINED = -1.0, -0.9, -0.7
_UNFINISHED = {"placeholder": -0.6, "ignores_arguments": -0.4}
_FAILED, _WRONG = -0.5, -0.3
_UNTESTED, _PASSED = 0.5, 1.0
_MOST_PARTIAL = 0.5


@dataclass(frozen=True, slots=True)
class _Read:
    """A program that parses, before anything is run.

    Attributes:
        defines: by the look of it: ``globals()["f"] = ...`` does as well, and only running it shows that.
    """

    program: str
    tests: CodeTests | None
    defines: bool
    flaw: str | None


class CodingReward:
    """Runs a program's tests in the sandbox; without tests, looks whether it is what was asked for.

    The score, from worst to best:

        -1.0   no code                                     no_code
        -1.0   without tests: code of the question         copied
        -0.9   it does not parse                           does_not_parse
        -0.7   it does not define what was asked for, and passes nothing    undefined
        -0.6   it is a placeholder, and passes nothing     placeholder
        -0.5   it crashed, hung, took too much, or broke the protocol of the sandbox
        -0.4   it looks at none of its arguments, and passes nothing    ignores_arguments
        -0.3   a test fails (``partial``: up to 0.5, by the share of tests that hold)
         0.5   it has no tests, and nothing is wrong by the look of it
         1.0   all tests hold

    Parts, each 0 or 1: ``parses``, ``defines`` (what was asked for), ``passes`` (all tests; without tests,
    nothing is wrong by the look of it). A row whose reference has no ``tests`` and whose prompt asks for no
    code is not judged.

    Args:
        partial: whether some tests are worth something. A program that returns one value whatever it is given
            then gains as well, unless it looks at none of its arguments.
    """

    name = "coding"
    parts = ("parses", "defines", "passes")
    range = (-1.0, 1.0)
    reads = frozenset({Reads.PROMPT, Reads.COMPLETION, Reads.REFERENCE, Reads.TESTS})

    def __init__(self, sandbox: Sandbox, limits: Limits | None = None, *, partial: bool = False) -> None:
        self._sandbox = sandbox
        self._limits = limits or Limits()
        self._partial = partial

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        """See the port."""
        read = [self._read(attempt) for attempt in attempts]
        run = {index: one for index, one in enumerate(read) if isinstance(one, _Read) and one.tests}
        gradings = [Grading(one.program, one.tests, self._limits) for one in run.values() if one.tests]
        grades = dict(zip(run, self._sandbox.grade(gradings), strict=True)) if gradings else {}
        return [
            one if isinstance(one, RewardResult) else self._judged(one, grades.get(index))
            for index, one in enumerate(read)
        ]

    def _read(self, attempt: Attempt) -> _Read | RewardResult:
        reference, question = attempt.prompt.reference, question_of(attempt.prompt)
        try:
            tests = tests_of(reference)
        except ValueError:
            return infra_error("malformed_tests")
        if tests is None and not asks_for_code(question):
            return RewardResult(None, reasons=("no_code_asked",))
        asked = tests.entry_point if tests else _named(reference) or asked_name(question)
        given = reference.get("prefix")
        prefix = given if isinstance(given, str) else ""
        program = program_of(attempt.completion, asked, prefix)
        if program is None:
            return self._result(_NO_CODE, 0, "no_code")
        if tests is None and is_copied(program, question):
            return self._result(_NO_CODE, 0, "copied")
        if parsed(program) is None:
            return self._result(_BROKEN, 0, "does_not_parse")
        defined = defined_in(program)
        defines = asked in defined if asked else bool(tests or defined)
        if tests and asked and prefix:
            # Helpers of the row are the row's in its tests too, and not what a program makes of them.
            tests = replace(tests, setup=f"{preamble_of(prefix, asked)}\n{tests.setup}")
        return _Read(program, tests, defines, unfinished(program, asked))

    def _judged(self, read: _Read, grade: Grade | None) -> RewardResult:
        if grade is None:
            return self._looked_at(read)
        if grade.verdict is Verdict.INFRA_ERROR:
            if grade.reason == "broken_tests":
                # The row's own fault, whatever the program: no grader has failed.
                return RewardResult(None, reasons=("broken_tests",), detail=grade.detail)
            return infra_error(grade.reason or "sandbox_failed", grade.detail)
        if grade.verdict is Verdict.PASSED:
            return self._result(_PASSED, 3, verdict=grade.verdict)
        if not read.defines:
            return self._result(_UNDEFINED, 1, "undefined", verdict=grade.verdict)
        reasons = [grade.verdict.value, *([f"{grade.verdict}:{grade.reason}"] if grade.reason else [])]
        score = self._wrong(grade, read) if grade.verdict is Verdict.WRONG else _FAILED
        if read.flaw:
            score = min(score, _UNFINISHED[read.flaw])
            reasons.append(read.flaw)
        return self._result(score, 2, *reasons, verdict=grade.verdict)

    def _looked_at(self, read: _Read) -> RewardResult:
        if not read.defines:
            return self._result(_UNDEFINED, 1, "undefined")
        if read.flaw:
            return self._result(_UNFINISHED[read.flaw], 2, read.flaw)
        return self._result(_UNTESTED, 3, "untested")

    def _wrong(self, grade: Grade, read: _Read) -> float:
        asked = max(grade.total, _checks_in(read.tests)) if read.tests else 0
        if not self._partial or read.flaw or not asked:
            return _WRONG
        return _WRONG + (_MOST_PARTIAL - _WRONG) * min(1.0, max(0.0, grade.passed / asked))

    def _result(
        self, score: float, reached: int, *reasons: str, verdict: Verdict | None = None
    ) -> RewardResult:
        values = {part: float(index < reached) for index, part in enumerate(self.parts)}
        return RewardResult(score, values, reasons, verdict)


def _named(reference: Any) -> str | None:
    entry_point = reference.get("entry_point")
    return entry_point if isinstance(entry_point, str) else None


def _checks_in(tests: CodeTests) -> int:
    return len(tests.exchanges) + len(tests.cases) + asserts_in(tests.code)
