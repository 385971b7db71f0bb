"""AdamW in its kinds, and the learning rate's way up and down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LinearLR, LRScheduler, SequentialLR

from ...domain.schedule import TrainingPlan, cosine_factor


def make_optimizer(weights: Sequence[torch.nn.Parameter], plan: TrainingPlan) -> Optimizer:
    """The plan's optimizer for these weights.

    Torch's own is fused: one kernel for all weights, on a GPU and on a CPU.
    """
    rate, decay = plan.learning_rate, plan.weight_decay
    if plan.optimizer == "adamw":
        return AdamW(weights, lr=rate, weight_decay=decay, fused=True)
    from bitsandbytes import optim

    kinds: Any = optim
    names = {
        "adamw_8bit": "AdamW8bit",
        "paged_adamw": "PagedAdamW32bit",
        "paged_adamw_8bit": "PagedAdamW8bit",
    }
    made: Optimizer = getattr(kinds, names[plan.optimizer])(weights, lr=rate, weight_decay=decay)
    return made


def make_schedule(optimizer: Optimizer, plan: TrainingPlan) -> LRScheduler:
    """A linear ramp of ``warmup_steps``, then a cosine to the last step."""
    falling = plan.max_steps - plan.warmup_steps
    cosine = LambdaLR(optimizer, lambda step: cosine_factor(step, falling, plan.final_learning_rate))
    if not plan.warmup_steps:
        return cosine
    # The first step is already a step of the ramp: a learning rate of 0 would waste it.
    warmup = LinearLR(optimizer, start_factor=1 / (plan.warmup_steps + 1), total_iters=plan.warmup_steps)
    return SequentialLR(optimizer, [warmup, cosine], milestones=[plan.warmup_steps])
