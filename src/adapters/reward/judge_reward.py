"""How good a language model finds a completion."""

from __future__ import annotations

from collections.abc import Sequence

from ...domain.errors import ModelError, RetryableError, UsageError
from ...domain.generation import Completion, Sampling
from ...domain.judging import RUBRIC, grade_in, judge_prompt
from ...domain.ports.text import TextGenerator
from ...domain.reward import Attempt, Reads, RewardResult, infra_error


class JudgeReward:
    """Asks a model for a number on a scale; the score is that number on [-1, 1], the part ``grade`` too.

    It applies to every row. An answer that is not one number of the scale is no grade: the grader failed. A
    judge can be talked over, however the completion is fenced: blend it with rewards that run something.

    Args:
        generator: who is asked, always greedily; of one that is not deterministic no reward can be.
        rubric: what makes an answer good; None for a general one.
    """

    name = "judge"
    parts = ("grade",)
    range = (-1.0, 1.0)
    reads = frozenset({Reads.PROMPT, Reads.COMPLETION, Reads.TOOLS})

    def __init__(
        self,
        generator: TextGenerator,
        *,
        rubric: str | None = None,
        lowest: int = 1,
        highest: int = 10,
        max_new_tokens: int = 8,
    ) -> None:
        if not lowest < highest:
            raise UsageError(
                "C086", "the scale of a judge has no two grades", got=f"{lowest} to {highest}", fix="widen it"
            )
        self._generator = generator
        self._rubric = rubric or RUBRIC
        self._lowest, self._highest = lowest, highest
        self._sampling = Sampling(max_new_tokens)

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        """See the port."""
        prompts = [
            judge_prompt(one.prompt, one.completion, self._rubric, self._lowest, self._highest)
            for one in attempts
        ]
        try:
            answers = self._generator.generate(prompts, self._sampling) if prompts else []
        except (ModelError, RetryableError) as cause:
            return [infra_error(f"judge_failed:{cause.code}") for _ in attempts]
        return [self._result(answer) for answer in answers]

    def _result(self, answer: Completion) -> RewardResult:
        grade = grade_in(answer.text, self._lowest, self._highest)
        if grade is None:
            return infra_error("no_grade")
        score = 2 * (grade - self._lowest) / (self._highest - self._lowest) - 1
        return RewardResult(score, {"grade": score})
