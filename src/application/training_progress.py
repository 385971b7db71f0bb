"""What a training has come to so far, besides its weights: kept in every checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..domain.alarms import Course, course_from
from ..domain.run import Evaluation, evaluation_from
from ..domain.schedule import StepReport


@dataclass
class Progress:
    """Counted as the steps come.

    Attributes:
        evaluations: (step, held-out loss) of every evaluation on the way; no loss where no source holds
            rows out.
        in_a_row: steps left out, since the last that was not.
        course: what alarms are raised by.
    """

    before: Evaluation | None = None
    step: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    seconds: float = 0.0
    final_loss: float | None = None
    skipped: int = 0
    in_a_row: int = 0
    splits: int = 0
    evaluations: list[tuple[int, float | None]] = field(default_factory=list)
    course: Course = field(default_factory=Course)

    def add(self, report: StepReport) -> None:
        """Takes a step in."""
        self.step = report.step
        self.tokens += report.tokens
        self.trained_tokens += report.trained_tokens
        self.seconds += report.seconds
        self.splits = report.splits
        self.in_a_row = self.in_a_row + 1 if report.skipped else 0
        self.skipped += report.skipped
        if not report.skipped:
            self.final_loss = report.loss

    @property
    def losses(self) -> list[float]:
        """Held out, in order."""
        return [loss for _, loss in self.evaluations if loss is not None]

    @property
    def held_out(self) -> float | None:
        """The held-out loss of the last step, where it was taken."""
        step, loss = self.evaluations[-1] if self.evaluations else (None, None)
        return loss if step == self.step else None

    def is_evaluated(self) -> bool:
        """Whether there was an evaluation after the last step."""
        return bool(self.evaluations) and self.evaluations[-1][0] == self.step

    def as_plain(self) -> dict[str, Any]:
        """For a checkpoint."""
        return asdict(self)


def progress_from(values: Mapping[str, Any]) -> Progress:
    """From a checkpoint."""
    before = values["before"]
    return Progress(
        **dict(values)
        | {
            "before": evaluation_from(before) if before else None,
            "evaluations": [(step, loss) for step, loss in values["evaluations"]],
            "course": course_from(values.get("course", {})),
        }
    )
