"""Supervised fine-tuning with Lightning: the training loop.

Read ``SftModule.training_step``: one optimizer step over all micro-batches of a step, normalised by the
trained tokens of the whole step. Everything else here starts it, watches it, or stops it.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from typing import Any

import lightning
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR, LinearLR, SequentialLR
from torch.utils.data import DataLoader

from ...domain.errors import ModelError
from ...domain.ports.model import Policy
from ...domain.ports.run import Stop
from ...domain.ports.training import StepListener
from ...domain.schedule import (
    StepBatch,
    StepReport,
    TrainingOutcome,
    TrainingPlan,
    cosine_factor,
)
from ..model.hf_policy import HfPolicy
from ..model.packed_loss import summed_loss
from .cpu_allocator import give_back_at_once

_LOSS_SCALE = 2.0**12
"""In float16 numbers end at 6e-8, where gradients of single tokens lie. Loss scaling (Micikevicius et al.,
arXiv 1710.03740) lifts them; a constant power of two changes nothing else and has no state to be resumed."""


class SftModule(lightning.LightningModule):
    """Cross-entropy on the trained tokens; AdamW with linear warmup, then cosine."""

    def __init__(self, policy: HfPolicy, plan: TrainingPlan, on_step: StepListener) -> None:
        super().__init__()
        self.automatic_optimization = False
        if _is_spread(policy.model):
            # Not as a part of this module, which Lightning moves to one device.
            self.__dict__["model"] = policy.model
        else:
            self.model = policy.model
        self._packs = not plan.padded and policy.packs
        self._scale = _LOSS_SCALE if _computes_in_float16(policy.model) else 1.0
        self._plan = plan
        self._on_step = on_step

    def training_step(self, step_batch: StepBatch, index: int) -> None:
        """One optimizer step.

        Args:
            step_batch: micro-batches of rows; one forward and backward pass each.
            index: of the step, from 0.
        """
        began = time.perf_counter()
        optimizer, schedule = self.optimizers(), self.lr_schedulers()
        assert isinstance(optimizer, LightningOptimizer)
        assert isinstance(schedule, SequentialLR | LambdaLR)
        # Dropout depends on (seed, step) alone, so that a step can be run again from its number.
        torch.manual_seed(self._plan.seed * 1_000_003 + index)
        labels = sum(row.trained_tokens for rows in step_batch for row in rows)
        loss = torch.zeros((), device=self.device)
        for rows in step_batch:
            part = summed_loss(self.model, rows, packed=self._packs) / labels
            self.manual_backward(part * self._scale)
            loss += part.detach()
        self._unscale()
        norm = torch.nn.utils.clip_grad_norm_(self._trainable(), self._plan.gradient_clip)
        self._check_finite(loss, norm, index)
        learning_rate = float(schedule.get_last_lr()[0])
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        tokens = sum(len(row) for rows in step_batch for row in rows)
        seconds = time.perf_counter() - began
        self._on_step(
            StepReport(
                index + 1,
                float(loss),
                learning_rate,
                float(norm),
                tokens,
                labels,
                seconds,
            )
        )

    def configure_optimizers(self) -> Any:
        plan = self._plan
        optimizer = AdamW(self._trainable(), lr=plan.learning_rate, weight_decay=plan.weight_decay)
        falling = plan.max_steps - plan.warmup_steps
        cosine = LambdaLR(
            optimizer,
            lambda step: cosine_factor(step, falling, plan.final_learning_rate),
        )
        if not plan.warmup_steps:
            return [optimizer], [cosine]
        # The first step is already a step of the ramp: a learning rate of 0 would waste it.
        warmup = LinearLR(
            optimizer,
            start_factor=1 / (plan.warmup_steps + 1),
            total_iters=plan.warmup_steps,
        )
        return [optimizer], [SequentialLR(optimizer, [warmup, cosine], milestones=[plan.warmup_steps])]

    def transfer_batch_to_device(
        self, batch: StepBatch, device: torch.device, dataloader_idx: int
    ) -> StepBatch:
        """Rows stay plain until they are packed, which puts them where the model is."""
        return batch

    def _unscale(self) -> None:
        if self._scale != 1.0:
            for weight in self._trainable():
                if weight.grad is not None:
                    weight.grad /= self._scale

    def _trainable(self) -> list[torch.nn.Parameter]:
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def _check_finite(self, loss: torch.Tensor, norm: torch.Tensor, index: int) -> None:
        if not bool(torch.isfinite(loss) & torch.isfinite(norm)):
            raise ModelError(
                "M020",
                "the loss or its gradient is not finite",
                where=f"step {index + 1}",
                got=f"loss {float(loss):g}, gradient norm {float(norm):g}",
                fix="lower training.learning_rate, or set model.dtype to float32",
            )


def _computes_in_float16(model: Any) -> bool:
    """Whether any gradient passes through float16: of the model, or of layers that are made whole in it."""
    formats = {getattr(module, "compute_dtype", None) for module in model.modules()}
    return torch.float16 in formats | {weight.dtype for weight in model.parameters()}


def _is_spread(model: Any) -> bool:
    """Whether accelerate has put a model's layers on several devices."""
    return len(set(getattr(model, "hf_device_map", {"": None}).values())) > 1


class _Stopping(lightning.Callback):
    """Ends the training after the step during which a stop was asked for."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        trainer.should_stop = self._stop.requested is not None


class LightningSft:
    """Trains a policy of this library by supervised fine-tuning."""

    def optimize(
        self,
        policy: Policy,
        batches: Sequence[StepBatch],
        plan: TrainingPlan,
        *,
        on_step: StepListener,
        stop: Stop,
    ) -> TrainingOutcome:
        """See the port; ``policy`` must come from the Hugging Face provider."""
        if not isinstance(policy, HfPolicy):
            raise TypeError(f"LightningSft trains an HfPolicy, not a {type(policy).__name__}")
        reports: list[StepReport] = []

        def heard(report: StepReport) -> None:
            reports.append(report)
            on_step(report)

        if plan.tight_memory:
            give_back_at_once()
        # Lightning leaves the mode as it is, and loaded weights come in that of answering, without dropout.
        policy.model.train()
        began = time.perf_counter()
        fit(SftModule(policy, plan, heard), batches, policy.model.device.type, stop)
        return TrainingOutcome(
            steps=len(reports),
            seconds=time.perf_counter() - began,
            tokens=sum(report.tokens for report in reports),
            final_loss=reports[-1].loss if reports else None,
            stopped_by=stop.requested if len(reports) < len(batches) else None,
        )


def fit(
    module: lightning.LightningModule,
    batches: Sequence[StepBatch],
    device: str,
    stop: Stop,
) -> None:
    """Runs a module over the batches: one trainer for every algorithm.

    Progress, metrics and saved weights are cesello's own, so Lightning's are switched off.
    """
    trainer = lightning.Trainer(
        accelerator="gpu" if device == "cuda" else "cpu",
        devices=1,
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[_Stopping(stop)],
    )
    loader = DataLoader(batches, batch_size=None, collate_fn=_as_it_is)  # type: ignore[arg-type,var-annotated]
    with warnings.catch_warnings():
        # Rows are already tokens in memory; worker processes would only copy them.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        try:
            trainer.fit(module, loader)
        except SIGTERMException:
            # Lightning leaves by this exception after the step during which SIGTERM came.
            if stop.requested is None:
                raise


def _as_it_is(step_batch: StepBatch) -> StepBatch:
    return step_batch
