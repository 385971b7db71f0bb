"""Whether the result of a completion equals the row's, as mathematics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...domain.code_tests import Grade, Limits
from ...domain.math_answer import final_answer, is_left_to_do, lists_several, sides, unreadable
from ...domain.math_copy import is_copied
from ...domain.math_number import number_of, same_number
from ...domain.ports.sandbox import IsolatedFunctions
from ...domain.reward import Attempt, Reads, RewardResult, Verdict, infra_error
from ...domain.task_detection import question_of

_FUNCTION = f"{__package__}.math_check:equal"
_NONE, _UNREADABLE, _WRONG, _RIGHT = -1.0, -0.8, -0.5, 1.0


@dataclass(frozen=True, slots=True)
class _Question:
    reference: str
    sides: tuple[str, ...]


class MathReward:
    r"""Compares the result in a completion (see ``math_answer``) with ``reference["answer"]``.

    The score, from worst to best:

        -1.0   no result                                        no_answer
        -0.8   one that is not mathematics, too long, too deep, or that hangs the comparison
        -0.5   another value, or several where the reference has one    wrong, several_answers
        -0.5   work that remains, as 6*7 for 42                 not_worked_out
        -0.5   a piece of the question                          copied
         1.0   equal: 1/2, 0.5 and \frac{1}{2} are one value; numbers to one part in a million

    Parts, each 0 or 1: ``answered`` (a result that can be read), ``correct``. The reference may be a worked
    solution that ends in ``#### 42`` or a box. Numbers are compared here, formulas in a sandboxed process.
    """

    name = "math"
    parts = ("answered", "correct")
    range = (-1.0, 1.0)
    reads = frozenset({Reads.PROMPT, Reads.COMPLETION, Reads.REFERENCE})

    def __init__(self, functions: IsolatedFunctions, limits: Limits | None = None) -> None:
        self._functions = functions
        self._limits = limits or Limits(wall=6.0, cpu=3)

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        """See the port."""
        read = [self._read(attempt) for attempt in attempts]
        asked = {index: one for index, one in enumerate(read) if isinstance(one, _Question)}
        arguments = [[one.reference, list(one.sides)] for one in asked.values()]
        answers = self._functions.call(_FUNCTION, arguments, self._limits) if arguments else []
        given = dict(zip(asked, answers, strict=True))
        return [
            one if isinstance(one, RewardResult) else self._judged(given[index])
            for index, one in enumerate(read)
        ]

    def _read(self, attempt: Attempt) -> _Question | RewardResult:
        reference = _reference_of(attempt.prompt.reference.get("answer"))
        if reference is None:
            return RewardResult(None, reasons=("no_reference",))
        answer = final_answer(attempt.completion)
        if answer is None:
            return self._result(_NONE, 0, "no_answer")
        if reason := unreadable(answer):
            return self._result(_UNREADABLE, 0, reason)
        if reason := _refused(answer, reference, question_of(attempt.prompt)):
            return self._result(_WRONG, 1, reason)
        return self._claimed(reference, sides(answer, reference))

    def _claimed(self, reference: str, claimed: tuple[str, ...]) -> _Question | RewardResult:
        """What is left to be compared as formulas, once numbers are compared."""
        same = [_same_number(side, reference) for side in claimed]
        if False in same:
            return self._result(_WRONG, 1, "wrong")
        left = tuple(side for side, known in zip(claimed, same, strict=True) if known is None)
        return _Question(reference, left) if left else self._result(_RIGHT, 2)

    def _judged(self, given: Any) -> RewardResult:
        if isinstance(given, Grade):
            if given.verdict is Verdict.INFRA_ERROR:
                return infra_error(given.reason or "sandbox_failed")
            return self._result(_UNREADABLE, 0, given.verdict.value, verdict=given.verdict)
        match given:
            case "equal":
                return self._result(_RIGHT, 2)
            case "different":
                return self._result(_WRONG, 1, "wrong")
            case "unreadable":
                return self._result(_UNREADABLE, 0, "answer_not_mathematics")
        return infra_error("unreadable_reference")

    def _result(
        self, score: float, reached: int, *reasons: str, verdict: Verdict | None = None
    ) -> RewardResult:
        values = {part: float(index < reached) for index, part in enumerate(self.parts)}
        return RewardResult(score, values, reasons, verdict)


def _reference_of(answer: Any) -> str | None:
    if isinstance(answer, bool) or not isinstance(answer, (str, int, float)):
        return None
    text = str(answer).strip()
    marked = "####" in text or "\\boxed{" in text
    return (final_answer(text) if marked else text) or None


def _refused(answer: str, reference: str, question: str) -> str | None:
    """Why a result is none although it may equal the reference, as a reason code."""
    if lists_several(answer, reference):
        return "several_answers"
    claimed = sides(answer, reference)[-1]
    if is_copied(claimed, reference, question):
        return "copied"
    return "not_worked_out" if is_left_to_do(claimed, reference) else None


def _same_number(answer: str, reference: str) -> bool | None:
    given, wanted = number_of(answer), number_of(reference)
    return same_number(given, wanted) if given and wanted else None
