"""Supervised fine-tuning with Lightning: the training loop.

Read ``SftModule.training_step``: one optimizer step over all micro-batches of a step, normalised by the
trained tokens of the whole step. Everything else here starts it, watches it, or stops it.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from math import isfinite
from typing import Any
from zlib import crc32

import lightning
import torch
from torch.optim.lr_scheduler import LRScheduler

from ...domain.checkpoint import Checkpoint
from ...domain.conversation import Conversation
from ...domain.errors import UsageError
from ...domain.genai_names import STEP
from ...domain.generation import Sampling
from ...domain.open_span import annotate, span
from ...domain.ports.model import Policy
from ...domain.ports.run import Stop
from ...domain.ports.training import StepListener
from ...domain.reward import Attempt
from ...domain.schedule import (
    MicroBatch,
    StepBatch,
    StepReport,
    TrainingOutcome,
    TrainingPlan,
    stream_seed,
)
from ...domain.traced import traced
from ..model.hf_policy import HfPolicy
from ..model.packed_loss import Scores, scores
from . import workers
from .cpu_allocator import give_back_at_once
from .optimizers import make_optimizer, make_schedule
from .own_failures import explained
from .pass_splitter import PassSplitter
from .roofline import device_memory, measured_peak
from .sharding import shard, whole
from .steps_left import StepsLeft
from .trainer import Abandoned, fit
from .trainer_state import LightningState, load_weights, trained

_LIBRARY = __name__.split(".")[0]
Answers = Callable[[HfPolicy, Sequence[Conversation], Sampling, Stop], Sequence[Attempt]]
"""As ``PolicyOptimizer.answers``."""

_LOSS_SCALE = 2.0**12
"""In float16 numbers end at 6e-8, where gradients of single tokens lie. Loss scaling (Micikevicius et al.,
arXiv 1710.03740) lifts them; a constant power of two changes nothing else and has no state to be resumed."""


class SftModule(lightning.LightningModule):
    """Cross-entropy on the trained tokens; AdamW with linear warmup, then cosine.

    Another algorithm derives from this class and overrides ``loss``, or ``training_step``, which then calls
    this one or sets ``report`` itself; steps are still saved, resumed, watched and stopped.

    Args:
        on_step: is told of every step.
        stop: is asked between forward passes.
        start: where to go on from.
        peak: operations per second that the device does at most, where that was measured.
    """

    def __init__(
        self,
        policy: HfPolicy,
        plan: TrainingPlan,
        on_step: StepListener,
        stop: Stop,
        start: Checkpoint | None = None,
        peak: float | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        # Not as a part of this module, which Lightning moves to one device, and in the end to the CPU.
        self.__dict__["model"] = policy.model
        self.model: Any
        self.plan = plan
        self._packs = not plan.padded and policy.packs
        self._scale = _LOSS_SCALE if _computes_in_float16(policy.model) else 1.0
        self._operations = 4 * policy.facts.parameters
        self._on_step, self._stop, self._start, self._peak = on_step, stop, start, peak
        self.splitter = PassSplitter(start)
        self.steps_done = start.state.step if start else 0
        self.meeting: Sequence[int] = ()
        self._step_ended = 0.0
        self._labels = 0
        self.report: StepReport | None = None
        self._signals = False

    @traced("step")
    def training_step(self, step_batch: StepBatch, index: int) -> None:
        """One optimizer step.

        Args:
            step_batch: micro-batches of rows; one forward and backward pass each.
            index: of the step among those of this process, from 0.
        """
        began = time.perf_counter()
        optimizer, schedule = self._optimizer_and_schedule()
        labels = self._labels = sum(row.trained_tokens for rows in step_batch for row in rows)
        annotate({STEP: self.steps_done + 1})
        with span("forward and backward"):
            totals = self.splitter.run(
                lambda: self._accumulate(step_batch, labels),
                step_batch,
                optimizer,
                alone=not self._spread,
            )
        workers.add_up([totals, *self._gradients()])
        norm = whole(torch.nn.utils.clip_grad_norm_(self._trained, self.plan.gradient_clip))
        # The only place in a step where the device is waited for: nothing wrong may reach the weights.
        loss, right, signals, gradient_norm = torch.stack([*totals, norm.to(totals)]).tolist()
        rate = float(schedule.get_last_lr()[0])
        # Of nothing learnt, alone there is no gradient, and beside others one of 0: neither is a step.
        if labels and isfinite(loss) and isfinite(gradient_norm):
            optimizer.step()
        optimizer.zero_grad()
        with warnings.catch_warnings():
            # A first step that was left out looks to torch like a schedule that is advanced too early.
            warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")
            schedule.step()
        self.steps_done += 1
        tokens = sum(len(row) for rows in step_batch for row in rows)
        now = time.perf_counter()
        seconds, elapsed = workers.same_for_all(now - began, now - self._step_ended)
        self._step_ended = now
        self._signals = bool(signals)
        self.report = StepReport(
            self.steps_done, loss, rate, gradient_norm, tokens, labels, seconds, int(right), elapsed,
            self.splitter.splits, device_memory(self.model.device), self._roofline(tokens / seconds),
        )  # fmt: skip

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Callbacks have seen the step by now: what is saved of theirs is as new as what is saved of ours."""
        if self.report is None:
            raise UsageError(
                "C066",
                "the algorithm says nothing of its steps",
                where=f"{type(self).__name__}.training_step",
                expected="a StepReport in self.report",
                fix="call super().training_step, or set self.report and count self.steps_done",
            )
        report, self.report = self.report, None
        goes_on = self._on_step(report, LightningState(self))
        if self._signals:
            self._stop.agree(workers.any_of(self._stop.heard))
        if self._signals or not goes_on:
            self.trainer.should_stop = True

    def loss(self, rows: MicroBatch) -> Scores:
        """What a forward pass of rows comes to: a sum over their labels that can be differentiated."""
        return scores(self.model, rows, packed=self._packs)

    def setup(self, stage: str) -> None:
        if self._spread:
            shard(self.model)

    def own_state(self) -> Mapping[str, Any]:
        """What an algorithm of its own must find again when a training is gone on with; plain data."""
        return {}

    def load_own_state(self, state: Mapping[str, Any]) -> None:
        """Takes back what ``own_state`` gave."""

    def configure_optimizers(self) -> Any:
        optimizer = make_optimizer(self._trained, self.plan)
        return [optimizer], [make_schedule(optimizer, self.plan)]

    def on_train_start(self) -> None:
        workers.check_alike(self.steps_done, self.plan.seed, *self.meeting)
        self._step_ended = time.perf_counter()
        if self._start is not None:
            LightningState(self).load(self._start)

    def transfer_batch_to_device(
        self, batch: StepBatch, device: torch.device, dataloader_idx: int
    ) -> StepBatch:
        """Rows stay plain until they are packed, which puts them where the model is."""
        return batch

    def _accumulate(self, step_batch: StepBatch, labels: int) -> torch.Tensor:
        """Forward and backward pass of every micro-batch that is this process's.

        Returns:
            Mean loss, right tokens, and the signal that asked this process to stop, or 0; shape [3].
        """
        totals = torch.zeros(3, dtype=torch.float64, device=self.model.device)
        passes = self.splitter.passes(step_batch, workers.count())
        for number, rows, weight in workers.share(passes, evenly=self._spread):
            if self._stop.requested is not None:
                raise Abandoned
            # Dropout depends on (seed, step, pass) alone, so that a step can be run again from its number.
            torch.manual_seed(stream_seed(self.plan.seed, self.steps_done, number, "dropout"))
            part = self.loss(rows)
            mean = part.loss / labels * weight
            self.manual_backward(mean * self._scale)
            totals[:2] += torch.stack([mean.detach().double(), part.right.double() * weight])
        # Others wait for this step: where several share the work it is done, and then all of them stop.
        totals[2] = self._stop.heard or 0
        return totals

    def _gradients(self) -> list[torch.Tensor]:
        """Of every trained weight, with the loss's scale taken out: those that are yet to be added up."""
        # Of spread weights torch has taken the mean over the processes, where the sum is wanted.
        scale = self._scale / (workers.count() if self._spread else 1)
        for weight in self._trained:
            if weight.grad is None and workers.count() > 1:
                weight.grad = torch.zeros_like(weight)
            if weight.grad is not None and scale != 1.0:
                weight.grad /= scale
        return [] if self._spread else [one.grad for one in self._trained if one.grad is not None]

    @property
    def _spread(self) -> bool:
        """Whether the weights are spread over the processes."""
        return self.plan.strategy == "fsdp" and workers.count() > 1

    @cached_property
    def _trained(self) -> list[torch.nn.Parameter]:
        """Looked up once, after ``setup``: to walk through a large model takes milliseconds."""
        return list(trained(self.model).values())

    def _optimizer_and_schedule(self) -> tuple[Any, LRScheduler]:
        schedule = self.lr_schedulers()
        assert isinstance(schedule, LRScheduler)
        return self.optimizers(), schedule

    def _roofline(self, tokens_per_second: float) -> float | None:
        """The share of what all devices could do at most."""
        at_most = self._peak * workers.count() if self._peak else None
        return tokens_per_second * self._operations / at_most if at_most else None


def _computes_in_float16(model: Any) -> bool:
    """Whether any gradient passes through float16: of the model, or of layers that are made whole in it."""
    formats = {getattr(module, "compute_dtype", None) for module in model.modules()}
    return torch.float16 in formats | {weight.dtype for weight in model.parameters()}


def plain_answers(
    policy: HfPolicy, prompts: Sequence[Conversation], sampling: Sampling, stop: Stop
) -> Sequence[Attempt]:
    """One answer each, which is all."""
    completions = policy.generate(prompts, sampling)
    return [Attempt(*pair) for pair in zip(prompts, (one.text for one in completions), strict=True)]


class LightningSft:
    """Trains a policy of this library by supervised fine-tuning.

    Args:
        module: makes the algorithm, with what ``SftModule`` is made with.
        callbacks: of Lightning, that watch the training.
        check: raises what is in the way of training a policy so, before anything else is done with it.
        answers: how a policy that is trained so answers prompts.
    """

    def __init__(
        self,
        module: Callable[..., SftModule] = SftModule,
        callbacks: Sequence[lightning.Callback] = (),
        check: Callable[[HfPolicy], None] | None = None,
        answers: Answers = plain_answers,
    ) -> None:
        self._module = module
        self._callbacks = callbacks
        self._check = check
        self._answers = answers

    def prepare(self, policy: Policy, plan: TrainingPlan) -> None:
        if self._check is not None:
            self._check(_model_of(policy))
        if plan.tight_memory:
            give_back_at_once()
        if plan.deterministic:
            torch.use_deterministic_algorithms(True)
        if _model_of(policy).model.dtype != torch.float32:
            # LoRA weights are float32; beside 16 bits their products need no more than TF32's precision.
            torch.set_float32_matmul_precision("high")

    def optimize(
        self,
        policy: Policy,
        batches: Sequence[StepBatch],
        plan: TrainingPlan,
        *,
        on_step: StepListener,
        stop: Stop,
        start: Checkpoint | None = None,
    ) -> TrainingOutcome:
        """See the port; ``policy`` must come from the Hugging Face provider."""
        model = _model_of(policy)
        self.prepare(policy, plan)
        # Lightning leaves the mode as it is, and loaded weights come in that of answering, without dropout.
        model.model.train()
        peak = measured_peak(model.model)
        with explained(self._own_classes()):
            module = self._module(model, plan, on_step, stop, start, peak)
            left = StepsLeft(batches, module.steps_done)
            module.meeting = (len(batches), crc32(repr(plan).encode()), left.fingerprint())
            fit(module, left, model.model.device.type, self._callbacks)
        ended = module.steps_done >= len(batches)
        return TrainingOutcome(module.steps_done, None if ended else stop.requested)

    def answers(
        self, policy: Policy, prompts: Sequence[Conversation], sampling: Sampling, stop: Stop
    ) -> Sequence[Attempt]:
        return self._answers(_model_of(policy), prompts, sampling, stop)

    def load_weights(self, policy: Policy, checkpoint: Checkpoint) -> None:
        load_weights(_model_of(policy).model, checkpoint.path)

    def _own_classes(self) -> list[type]:
        """Those of the recipe rather than of this library."""
        made = getattr(self._module, "func", self._module)
        own = [made] if isinstance(made, type) and made.__module__.split(".")[0] != _LIBRARY else []
        return [*own, *map(type, self._callbacks)]


def _model_of(policy: Policy) -> HfPolicy:
    if not isinstance(policy, HfPolicy):
        raise TypeError(f"LightningSft trains an HfPolicy, not a {type(policy).__name__}")
    return policy
