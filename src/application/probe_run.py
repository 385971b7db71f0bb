"""Take a few steps of a training and say how long all of it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from ..domain.ports.model import ModelProvider
from ..domain.ports.run import Observer, Stop
from ..domain.ports.training import PolicyOptimizer, TrainingState
from ..domain.schedule import StepReport
from .finetune import FinetuneRequest
from .load_policy import load_policy
from .mix_sources import realised
from .prepare_data import PrepareData

_WARM = 1
"""First steps that are not counted: libraries set themselves up in them."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a few steps told.

    Attributes:
        steps, tokens: of the whole training, as its data has them.
            Of reinforcement, as the steps taken had them.
        tokens_per_second: of the steps taken.
        seconds: of all steps; evaluations come on top.
    """

    steps: int
    tokens: int
    tokens_per_second: float
    seconds: float


class ProbeRun:
    """Prepares the data, loads the model and trains a little; nothing is kept but the prepared rows."""

    def __init__(
        self,
        provider: ModelProvider,
        prepare: PrepareData,
        optimizer: PolicyOptimizer,
        observer: Observer,
        stop: Stop,
    ) -> None:
        self._provider = provider
        self._prepare = prepare
        self._optimizer = optimizer
        self._observer = observer
        self._stop = stop

    def __call__(self, request: FinetuneRequest, steps: int = 4) -> Probe:
        """Takes ``steps`` steps, at least two.

        Raises:
            DataError, ModelError: those of the data and the model. Interrupted: a stop was asked for.
        """
        load = cache(lambda: load_policy(self._provider, self._observer, request.data, request.lora))
        mixed = self._prepare(request.data, load).mixed
        policy = load()
        whole = mixed.plan.updates  # steps on one rollout, of which the first takes longest
        count = min(-(-max(steps, _WARM + 1) // whole) * whole, len(mixed.batches))
        self._observer.phase("probing", count)
        reports: list[StepReport] = []

        def on_step(report: StepReport, state: TrainingState) -> bool:
            reports.append(report)
            self._observer.step(report)
            return True

        plan = replace(mixed.plan, max_steps=count, warmup_steps=0)
        self._optimizer.optimize(policy, mixed.batches[:count], plan, on_step=on_step, stop=self._stop)
        self._stop.check()
        if request.group is not None:
            return _by_steps(reports, len(mixed.batches))
        rate = _rate(reports[_WARM:] or reports)
        drawn = realised(mixed, len(mixed.batches)).sources
        tokens = sum(source.drawn_tokens or 0 for source in drawn)
        return Probe(len(mixed.batches), tokens, rate, tokens / rate)


def _by_steps(reports: Sequence[StepReport], steps: int) -> Probe:
    """Where answers are drawn: rows do not tell the tokens, and as not every step draws, all taken count."""
    share = steps / len(reports)
    tokens, seconds = sum(one.tokens for one in reports), sum(one.seconds for one in reports)
    return Probe(steps, round(tokens * share), _rate(reports), seconds * share)


def _rate(reports: Sequence[StepReport]) -> float:
    return sum(one.tokens for one in reports) / sum(one.seconds for one in reports)
