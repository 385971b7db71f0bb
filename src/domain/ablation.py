"""What memory and procedures bring a model: the same tasks with and without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from .prompt_verdict import Comparison, Figure, compared, figure
from .statistics import sign_flip

SOLVED = 1 - 1e-6
"""A score from which a task counts as solved: the top of a reward, but for rounding."""


class Arm(StrEnum):
    """What is put into the prompts."""

    BARE = "bare"
    MEMORY = "memory"
    PROCEDURES = "procedures"
    BOTH = "both"

    @property
    def remembers(self) -> bool:
        return self in (Arm.MEMORY, Arm.BOTH)

    @property
    def follows(self) -> bool:
        return self in (Arm.PROCEDURES, Arm.BOTH)


@dataclass(frozen=True, slots=True)
class ArmScores:
    """One arm as it went, task by task.

    Attributes:
        model: ``run`` or ``base``.
        scores: one a task, as in all that follow; None where the reward could not judge.
        grounded: whether passages stood in the prompt; ``guided`` whether a procedure did.
        read: tokens of the prompt, with what tools said; ``written`` those of the answer; None where the chat
            template refuses the answer.
        seconds: that searching and answering took.
    """

    model: str
    arm: Arm
    scores: Sequence[float | None]
    grounded: Sequence[bool]
    guided: Sequence[bool]
    read: Sequence[int | None]
    written: Sequence[int | None]
    seconds: Sequence[float]


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """One arm in figures.

    Attributes:
        tasks: those that the reward could judge in every arm of the model; all figures are of them.
        solved: the share of tasks at the top of the reward, with Wilson's interval at 95 %.
        score: mean score.
        gain: of the share solved over the bare prompt, with Newcombe's interval of paired proportions; its p
            is that of McNemar's exact test, two-sided: memory may do harm. None for the bare prompt.
        score_gain: the same of the scores, by Newcombe and McNemar where they are right or wrong, else by
            Student and the sign-flip test.
        read, written: tokens of a task on average, of the tasks whose answers could be counted in every arm;
            None where there is none. ``seconds`` likewise, of all tasks.
    """

    model: str
    arm: Arm
    tasks: int
    grounded: int
    guided: int
    solved: Figure
    score: Figure
    gain: Comparison | None
    score_gain: Comparison | None
    read: float | None
    written: float | None
    seconds: float

    @property
    def is_graded(self) -> bool:
        """Whether a score lay between right and wrong, so that the share solved does not tell all."""
        return abs(self.score.mean - self.solved.mean) > 1 - SOLVED


@dataclass(frozen=True, slots=True)
class Ablation:
    """All arms on the same held-out tasks.

    Attributes:
        run: its id; ``source`` and ``reward`` what was asked and what judged.
        planned: tasks that there are; fewer were asked where it was stopped.
        pins: what stands for the memory and the procedures.
        scores: of every arm, task by task.
        tasks: what each task is known by, in the order of the scores: a sha256 of what is asked.
        settings: what else decides the answers: model, versions, memory, longest answer, overrides.
    """

    run: str
    source: str
    reward: str
    planned: int
    pins: dict[str, str]
    arms: tuple[ArmFigures, ...]
    scores: tuple[ArmScores, ...]
    stopped: bool = False
    tasks: tuple[str, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)


def arm_figures(found: Sequence[ArmScores]) -> tuple[ArmFigures, ...]:
    """The arms of one model, in their order; the first is the bare one."""
    tasks = zip(*(one.scores for one in found), strict=True)
    judged = [at for at, scores in enumerate(tasks) if None not in scores]
    counted = [at for at in judged if all(one.read[at] is not None for one in found)]
    columns = [[float(one.scores[at] or 0.0) for at in judged] for one in found]
    return tuple(
        _figures(one, column, columns[0] if one.arm is not Arm.BARE else None, judged, counted)
        for one, column in zip(found, columns, strict=True)
    )


def _figures(
    one: ArmScores,
    scores: Sequence[float],
    bare: Sequence[float] | None,
    judged: Sequence[int],
    counted: Sequence[int],
) -> ArmFigures:
    solved = _solved(scores)
    return ArmFigures(
        one.model, one.arm, len(scores), sum(one.grounded[at] for at in judged),
        sum(one.guided[at] for at in judged),
        figure(one.arm, solved), figure(one.arm, scores),
        _beside(one.arm, _solved(bare), solved) if bare is not None else None,
        _beside(one.arm, bare, scores) if bare is not None else None,
        _mean([one.read[at] for at in counted]), _mean([one.written[at] for at in counted]),
        _mean([one.seconds[at] for at in judged]) or 0.0,
    )  # fmt: skip


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _solved(scores: Sequence[float]) -> list[float]:
    return [float(score >= SOLVED) for score in scores]


def _beside(arm: Arm, bare: Sequence[float], scores: Sequence[float]) -> Comparison:
    its = compared(Arm.BARE, arm, list(zip(bare, scores, strict=True)))
    differences = [new - old for old, new in zip(bare, scores, strict=True)]
    return replace(its, p=sign_flip(differences, two_sided=True))
