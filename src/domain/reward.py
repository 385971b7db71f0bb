"""The result of judging one completion, and how several rewards become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from .conversation import Conversation, Message
from .errors import SandboxError


class Verdict(StrEnum):
    """What became of a program, or of any other completion that had to be run to be judged."""

    PASSED = "passed"
    WRONG = "wrong"
    TIMEOUT = "timeout"
    LIMIT = "limit"
    CRASH = "crash"
    INVALID_OUTPUT = "invalid_output"
    INFRA_ERROR = "infra_error"
    """The grader failed, not the completion: no score can be given."""


class Reads(StrEnum):
    """What a reward looks at; one that reads tests or a reference does not apply to a row without them."""

    PROMPT = "prompt"
    COMPLETION = "completion"
    REFERENCE = "reference"
    TOOLS = "tools"
    TESTS = "tests"
    METADATA = "metadata"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One completion of one prompt.

    Attributes:
        prompt: what was asked; its ``reference`` holds what the grader may know.
        completion: the answer to be judged; where tools were called in between, the last one.
        turns: all that came after the prompt, where tools may be called: answers that call them, what they
            said, and ``completion`` as the last turn. Empty: it is the only turn.
    """

    prompt: Conversation
    completion: str
    turns: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class RewardResult:
    """How good a completion is.

    Attributes:
        score: in [-1, 1], or None where the reward does not apply to the prompt: that is not a zero.
        parts: named components, each in [-1, 1].
        reasons: short codes that say why, for people and for prompt search.
        verdict: what running it came to, where it was run.
        detail: for a person, what a grader that failed has to say.
    """

    score: float | None
    parts: Mapping[str, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    verdict: Verdict | None = None
    detail: str = ""

    @property
    def is_infra_error(self) -> bool:
        return self.verdict is Verdict.INFRA_ERROR


def infra_error(reason: str, detail: str = "") -> RewardResult:
    """The grader failed: not applicable, and counted."""
    return RewardResult(None, reasons=(reason,), verdict=Verdict.INFRA_ERROR, detail=detail)


def part_totals(results: Sequence[RewardResult]) -> dict[str, float]:
    """The sum of every part over the results that have it."""
    totals: dict[str, float] = {}
    for result in results:
        for name, value in result.parts.items():
            totals[name] = totals.get(name, 0.0) + value
    return totals


class Blend(StrEnum):
    """How the scores of the rewards that apply become one, each times its weight w.

    ``mean`` is sum(w r) / sum(|w|); ``sum`` is sum(w r), kept within [-1, 1].
    """

    MEAN = "mean"
    SUM = "sum"


def blended(results: Mapping[str, RewardResult], weights: Mapping[str, float], blend: Blend) -> RewardResult:
    """One result of several, its parts the scores by name.

    A reward that does not apply to the row is left out. One whose grader failed makes the whole not
    applicable: without it this completion would be compared with others by another measure than theirs.
    """
    failed = {name: result for name, result in results.items() if result.is_infra_error}
    reasons = tuple(f"{name}:{why}" for name, result in (failed or results).items() for why in result.reasons)
    if failed:
        detail = next((result.detail for result in failed.values() if result.detail), "")
        return RewardResult(None, reasons=reasons, verdict=Verdict.INFRA_ERROR, detail=detail)
    scores = {name: result.score for name, result in results.items() if result.score is not None}
    total = sum(weights[name] * score for name, score in scores.items())
    if blend is Blend.MEAN:
        weight = sum(abs(weights[name]) for name in scores)
        total = total / weight if weight else 0.0
    score = max(-1.0, min(1.0, total)) if scores else None
    verdicts = [result.verdict for result in results.values() if result.verdict]
    return RewardResult(score, scores, reasons, verdicts[0] if len(verdicts) == 1 else None)


@dataclass(slots=True)
class InfraErrors:
    """Counts the gradings of a run, and stops it when the grader fails too often to be believed."""

    tolerated: float = 0.02
    graded: int = 0
    failed: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    detail: str = ""

    def count(self, results: Sequence[RewardResult]) -> None:
        """Adds these.

        Raises:
            SandboxError: X010 when more than ``tolerated`` of all so far have failed, and more than one.
        """
        self.graded += len(results)
        for result in results:
            if result.is_infra_error:
                self.failed += 1
                self.detail = self.detail or result.detail
                for reason in result.reasons:
                    self.reasons[reason] = self.reasons.get(reason, 0) + 1
        if self.failed > max(1, self.tolerated * self.graded):
            why = ", ".join(f"{reason} ({count})" for reason, count in sorted(self.reasons.items()))
            raise SandboxError(
                "X010",
                f"the grader fails: {self.failed} of {self.graded} completions could not be judged",
                got=f"{why}: {self.detail}" if self.detail else why,
                expected=f"at most {self.tolerated:.0%}",
                fix="see `cesello doctor`; the run can be resumed when the grader works",
            )
