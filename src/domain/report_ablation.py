"""What memory and procedures bring on held-out tasks, where ``cesello ablate`` has asked it of a run."""

from __future__ import annotations

from dataclasses import dataclass

from .recorded_run import Line, RecordedRun, figure, part, parts, text, whole
from .statistics import Interval


@dataclass(frozen=True, slots=True)
class AblationArm:
    """One arm, on the same tasks as the others of its model.

    Attributes:
        model: ``run``, or ``base``, which the run began with.
        grounded, guided: tasks with a passage, and with a procedure, in the prompt.
        solved: their share; ``score`` the mean.
        gain: of the share solved over the bare prompt, paired; ``p`` two-sided; None for the bare prompt.
        read, written: tokens of a task on average.
    """

    model: str
    arm: str
    tasks: int
    grounded: int
    guided: int
    solved: float | None
    solved_interval: Interval | None
    gain: float | None
    interval: Interval | None
    p: float | None
    score: float | None
    read: float | None
    written: float | None


@dataclass(frozen=True, slots=True)
class AblationView:
    """All arms.

    Attributes:
        planned: tasks that there are.
    """

    source: str
    reward: str
    planned: int
    arms: tuple[AblationArm, ...]


def ablation_view(run: RecordedRun) -> AblationView | None:
    """None where nobody has asked."""
    found = run.ablation
    arms = tuple(map(_arm, parts(found, "arms")))
    if not arms:
        return None
    return AblationView(text(found, "source"), text(found, "reward"), whole(found, "planned"), arms)


def _arm(one: Line) -> AblationArm:
    solved, gain = part(one, "solved"), part(one, "gain")
    return AblationArm(
        text(one, "model"), text(one, "arm"), whole(one, "tasks"), whole(one, "grounded"),
        whole(one, "guided"), figure(solved, "mean"), _interval(solved), figure(gain, "gain"),
        _interval(gain), figure(gain, "p"), figure(part(one, "score"), "mean"), figure(one, "read"),
        figure(one, "written"),
    )  # fmt: skip


def _interval(one: Line) -> Interval | None:
    its = part(one, "interval")
    low, high = figure(its, "low"), figure(its, "high")
    return None if low is None or high is None else Interval(low, high)
