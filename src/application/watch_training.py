"""What happens between two steps: logs, the evaluations on the way, checkpoints, and reasons to end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from math import isfinite
from pathlib import Path
from shutil import copyfile
from typing import Any

from ..domain.alarms import Alarm, Course
from ..domain.checkpoint import Checkpoint, CheckpointPlan, CheckpointState
from ..domain.errors import Interrupted, ModelError
from ..domain.evaluation import EvaluationSpec
from ..domain.genai_names import STEP
from ..domain.open_span import span
from ..domain.ports.logs import MetricsLog
from ..domain.ports.run import Observer, RunFolder
from ..domain.ports.training import TrainingState
from ..domain.run import Evaluation
from ..domain.schedule import SKIPS_IN_A_ROW, StepBatch, StepReport, TrainingPlan
from .training_progress import Progress

TENSORS = ("lora.safetensors", "optimizer.safetensors")
"""What a ``TrainingState`` writes."""

EvaluateNow = Callable[[str], Evaluation]
"""Evaluates the policy as it is; it is told what for."""


class SavedState:
    """The state of a training that goes on from a checkpoint, before its first step."""

    def __init__(self, start: Checkpoint) -> None:
        self._start = start

    @property
    def plain(self) -> Mapping[str, Any]:
        return self._start.state.optimizer

    def agreed(self, figure: float) -> float:
        return figure

    def save(self, folder: Path) -> None:
        for name in TENSORS:
            copyfile(self._start.path / name, folder / name)


class WatchTraining:
    """The listener of a training.

    Args:
        batches: of all steps, to keep the rows of one that went wrong.
        identity: what must be the same for the training to go on.
        start: the checkpoint that it goes on from.
        by_score: held-out answers are compared by their score instead of by the loss.

    Attributes:
        interrupted: the signal that came while it was evaluated.
        settled: whether the training ended since the held-out loss fell no more.
    """

    def __init__(
        self,
        run: RunFolder,
        logs: MetricsLog,
        observer: Observer,
        batches: Sequence[StepBatch],
        plan: TrainingPlan,
        spec: EvaluationSpec,
        checkpoints: CheckpointPlan,
        identity: Mapping[str, str],
        progress: Progress,
        evaluate: EvaluateNow,
        start: Checkpoint | None = None,
        *,
        by_score: bool = False,
    ) -> None:
        self._by_score = by_score
        self._run, self._logs, self._observer = run, logs, observer
        self._batches, self._plan, self._spec = batches, plan, spec
        self._checkpoints, self._identity = checkpoints, identity
        self._evaluate = evaluate
        self.progress = progress
        self._state: TrainingState | None = None if start is None else SavedState(start)
        self._since_saved = 0.0
        self._saved_step: int | None = progress.step
        self.interrupted: int | None = None
        self.settled = spec.has_settled(progress.losses)

    def __call__(self, report: StepReport, state: TrainingState) -> bool:
        """After every step; see the port."""
        self._state = state
        self._since_saved += report.elapsed
        self._tell_of_splits(report)
        self.progress.add(report)
        self._log(report)
        self._observer.step(report)
        if report.skipped:
            self._left_out(report)
        self._raise_alarms(self.progress.course.after_step(report.step, report.figures))
        try:
            self.evaluate_if_due()
        except Interrupted as end:
            self.interrupted = end.signal_number
            return False
        if self._is_checkpoint_due(report.step):
            self.save()
        return not self.settled

    def catch_up(self) -> None:
        """After a resume: the evaluation that a signal came before, which the checkpoint lacks."""
        self.evaluate_if_due()
        self.save()

    def evaluate_if_due(self) -> None:
        """Evaluates where the schedule says so and it was not done yet."""
        step = self.progress.step
        if self.progress.is_evaluated() or not self._is_evaluation_due(step):
            return
        evaluation = self._evaluate(f"step-{step:08d}")
        self.write_evaluation(step, "step", evaluation)
        self._logs.log(step, evaluation_figures(evaluation, "eval"))
        loss = self._figure(evaluation)
        self.progress.evaluations.append((step, loss if loss is None else self._agreed(loss)))
        held_out = self.progress.held_out  # which all processes agree on
        self._compare_with_held_out(None if held_out is None else -held_out)
        self._saved_step = None  # what is saved of this step does not tell its loss
        self.settled = self._spec.has_settled(self.progress.losses)
        self._observer.phase("training", self._plan.max_steps, step)

    def write_last(self, evaluation: Evaluation) -> None:
        """That of the weights which the run ends with."""
        self.write_evaluation(self.progress.step, "after", evaluation)
        if not self.progress.is_evaluated():  # else the last step was compared as it was
            self._compare_with_held_out(evaluation.score)

    def write_evaluation(self, step: int, when: str, evaluation: Evaluation) -> None:
        """Adds a line to the log of evaluations."""
        values = asdict(replace(evaluation, samples=(), scores=()))
        kept = {name: values[name] for name in ("losses", "graded")}
        self._run.append("evaluations", {"step": step, "when": when} | kept)

    def save(self) -> None:
        """A checkpoint of the last step, where there is none yet."""
        if self._state is None or self._saved_step == self.progress.step:
            return
        state, progress = self._state, self.progress
        whole = CheckpointState(
            step=progress.step,
            held_out=progress.held_out,
            optimizer=state.plain,
            identity=self._identity,
            logs=self._run.mark_logs(),
            progress=progress.as_plain(),
        )
        with span("save checkpoint", {STEP: progress.step}):
            self._run.checkpoints.save(whole, state.save, self._checkpoints)
        self._since_saved, self._saved_step = 0.0, progress.step

    def _figure(self, evaluation: Evaluation) -> float | None:
        """What is to fall: the held-out loss, or where completions are rewarded, minus the held-out score."""
        if not self._by_score:
            return evaluation.loss
        return None if evaluation.score is None else -evaluation.score

    def _compare_with_held_out(self, now: float | None) -> None:
        progress = self.progress
        before = progress.before.score if progress.before else None
        if self._by_score and before is not None and now is not None:
            self._raise_alarms(progress.course.after_evaluation(progress.step, before, now))

    def _raise_alarms(self, told: tuple[Course, Sequence[Alarm]]) -> None:
        self.progress.course, alarms = told
        for alarm in alarms:
            self._run.append("alarms", asdict(alarm))
            self._observer.note(f"step {alarm.step}: {alarm.text}")

    def _is_evaluation_due(self, step: int) -> bool:
        """The last step has the evaluation after the training, unless it is to be compared with others."""
        if step >= self._plan.max_steps:
            return self._checkpoints.ends_with_best
        return self._spec.is_due(step)

    def _is_checkpoint_due(self, step: int) -> bool:
        # An evaluation can take as long as many steps: what it came to is kept.
        return self._checkpoints.is_due(step, self._since_saved) or self.progress.is_evaluated()

    def _agreed(self, loss: float) -> float:
        return self._state.agreed(loss) if self._state else loss

    def _log(self, report: StepReport) -> None:
        self._run.append("metrics", step_metrics(report))
        self._run.append("timings", step_timings(report))
        for completion in report.completions:
            self._run.append("completions", completion)
        for completion in report.pieces:
            self._run.append("tokens", completion)
        self._logs.log(report.step, step_figures(report))

    def _tell_of_splits(self, report: StepReport) -> None:
        if report.splits > self.progress.splits:
            self._observer.note(
                f"the memory did not suffice at step {report.step}: forward passes are cut into "
                f"{2**report.splits} parts from here on; the rows of a step and its loss stay the same"
            )

    def _left_out(self, report: StepReport) -> None:
        rows = report.learnt or [row for rows in self._batches[report.step - 1] for row in rows]
        kept = self._run.write_batch(
            report.step, [{"ids": list(row.ids), "trained": list(row.trained)} for row in rows]
        )
        if self._plan.skips_nonfinite and self.progress.in_a_row <= SKIPS_IN_A_ROW:
            self._observer.note(
                f"step {report.step} was left out: its loss or gradient is not finite ({kept})"
            )
            return
        raise ModelError(
            "M020",
            "the loss or its gradient is not finite",
            where=f"step {report.step}",
            got=f"loss {report.loss:g}, gradient norm {report.gradient_norm:g}",
            fix=f"look at the rows in {kept}; begin anew with a lower training.learning_rate, "
            "model.dtype float32 or training.on_nonfinite skip, or go on with one of them: "
            "--resume --allow-inexact",
        )


def step_metrics(report: StepReport) -> dict[str, Any]:
    """A line of ``metrics.jsonl``: the same to the byte whenever the same training is run."""
    return {
        "step": report.step,
        "loss": _finite(report.loss),
        "perplexity": _finite(report.perplexity),
        "token_accuracy": report.token_accuracy,
        "learning_rate": report.learning_rate,
        "gradient_norm": _finite(report.gradient_norm),
        "tokens": report.tokens,
        "trained_tokens": report.trained_tokens,
        **{name: _finite(figure) for name, figure in report.figures.items()},
    }


def step_timings(report: StepReport) -> dict[str, Any]:
    """A line of ``timings.jsonl``: what differs from run to run."""
    return {
        "step": report.step,
        "seconds": report.seconds,
        "tokens_per_second": report.tokens_per_second,
        "roofline": report.roofline,
        "memory": report.memory,
        **{f"seconds_{name}": seconds for name, seconds in report.phases.items()},
    }


def step_figures(report: StepReport) -> dict[str, float]:
    """What every logger is told, under the same keys."""
    train = {f"train/{key}": value for key, value in step_metrics(report).items() if key != "step"}
    speed = {f"speed/{key}": value for key, value in step_timings(report).items() if key != "step"}
    return {key: float(value) for key, value in (train | speed).items() if value is not None}


def evaluation_figures(evaluation: Evaluation, when: str) -> dict[str, float]:
    """Likewise of an evaluation.

    Args:
        when: what the keys begin with: eval on the way, final for the weights that are saved.
    """
    figures = {} if evaluation.loss is None else {f"{when}/loss": evaluation.loss}
    for name, one in evaluation.losses.items():
        figures |= {f"{when}/{name}/loss": one.loss, f"{when}/{name}/perplexity": one.perplexity}
    for name, graded in evaluation.graded.items():
        figures |= {f"{when}/{name}/{part}": value for part, value in graded.parts.items()}
        if graded.score is not None:
            figures[f"{when}/{name}/score"] = graded.score
        if graded.infra_errors:
            figures[f"{when}/{name}/infra_errors"] = graded.infra_errors
    return figures


def _finite(figure: float) -> float | None:
    """JSON has no other numbers."""
    return figure if isfinite(figure) else None
