"""Whether the answer to a task of ``reasoning-gym`` is right, by the package's own scorer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from ...domain.code_tests import Grade, Limits
from ...domain.ports.sandbox import IsolatedFunctions
from ...domain.reasoning_answer import answer_of, refused
from ...domain.reward import Attempt, Reads, RewardResult, Verdict, infra_error

_FUNCTION = f"{__package__}.reasoning_gym_check:score"
_RIGHT = 0.99


@dataclass(frozen=True, slots=True)
class _Question:
    task: str
    answer: str
    entry: Any


class ReasoningGymReward:
    """Scores what stands in ``<answer>`` tags, or else the whole completion, by the scorer of the row's task.

    The score, and the one part ``correct``, is 1 for a right answer and 0 for any other.

    Args:
        partial: takes the package's own score instead, in [0, 1]. Of many tasks it gives a little to any
            text that has the right answer somewhere in it, so that a list of all answers beats a wrong one.
    """

    name = "reasoning_gym"
    parts = ("correct",)
    range = (0.0, 1.0)
    reads = frozenset({Reads.COMPLETION, Reads.REFERENCE})

    def __init__(
        self, functions: IsolatedFunctions, limits: Limits | None = None, *, partial: bool = False
    ) -> None:
        self._functions = functions
        self._limits = limits or Limits()
        self._partial = partial

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        """See the port."""
        read = [self._read(attempt) for attempt in attempts]
        asked = {index: one for index, one in enumerate(read) if isinstance(one, _Question)}
        arguments = [[one.task, one.answer, one.entry] for one in asked.values()]
        answers = self._functions.call(_FUNCTION, arguments, self._limits) if arguments else []
        given = dict(zip(asked, answers, strict=True))
        return [
            one if isinstance(one, RewardResult) else self._judged(given[index])
            for index, one in enumerate(read)
        ]

    def _read(self, attempt: Attempt) -> _Question | RewardResult:
        reference = attempt.prompt.reference.get("reasoning_gym")
        if reference is None:
            return RewardResult(None, reasons=("no_reference",))
        match reference:
            case {"task": str(task), "entry": dict(entry)}:
                answer = answer_of(attempt.completion)
                reason = refused(task, answer, entry)
                return _result(0.0, reason) if reason else _Question(task, answer, entry)
        return infra_error("malformed_reference")

    def _judged(self, given: Any) -> RewardResult:
        if isinstance(given, Grade):
            if given.verdict is Verdict.INFRA_ERROR:
                return infra_error(given.reason or "sandbox_failed")
            return _result(0.0, given.verdict.value, verdict=given.verdict)
        match given:
            case {"score": float() | int() as score} if isfinite(score) and 0 <= score <= 1:
                value = float(score) if self._partial else float(score >= _RIGHT)
                return _result(value) if value == 1 else _result(value, "wrong")
            case {"failed": str()}:
                return _result(0.0, "answer_not_of_the_task")
            case {"unknown_task": str()}:
                return infra_error("unknown_task")
        return infra_error("invalid_score")


def _result(score: float, *reasons: str, verdict: Verdict | None = None) -> RewardResult:
    return RewardResult(score, {"correct": score}, reasons, verdict)
