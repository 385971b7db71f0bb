"""One trainer for every algorithm: Lightning runs a module over the steps.

Progress, metrics, checkpoints and signals are cesello's own, so Lightning's are switched off.
"""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import lightning
from lightning.pytorch.strategies import DDPStrategy
from torch.utils.data import DataLoader, Dataset

from ...domain.schedule import StepBatch

LONGEST_WAIT = timedelta(hours=1)
"""What the processes wait for one of them: its completions may take long, and so may the tools that they
call, where NCCL's own limit of ten minutes would end the training. torchrun notices at once if one has died.
"""


class Abandoned(Exception):
    """A stop was asked for within a step: it is given up, and nothing of it stays."""


class Processes(DDPStrategy):
    """Lightning's data parallel processes, without torch's wrapper.

    Where all hold the whole model ``workers`` adds up the gradients; where weights are spread
    ``sharding`` has them brought together.
    """

    def configure_ddp(self) -> None:
        """Nothing is wrapped."""


class OwnSignals(lightning.Callback):
    """Signals go where they went before: Lightning's handler sends messages between processes."""

    def __init__(self) -> None:
        self._handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        if threading.current_thread() is threading.main_thread() and self._handler is not None:
            signal.signal(signal.SIGTERM, self._handler)


def fit(
    module: lightning.LightningModule,
    steps: Dataset[StepBatch],
    device: str,
    callbacks: Sequence[lightning.Callback] = (),
) -> None:
    """Runs a module over the steps that are left."""
    local, nodes = _launched()
    trainer = lightning.Trainer(
        accelerator="gpu" if device == "cuda" else "cpu",
        devices=local,
        num_nodes=nodes,
        strategy=Processes(timeout=LONGEST_WAIT) if local * nodes > 1 else "auto",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=[OwnSignals(), *callbacks],
    )
    loader = DataLoader(steps, batch_size=None, collate_fn=_as_it_is)
    with warnings.catch_warnings():
        # Rows are already tokens in memory; worker processes would only copy them.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        with suppress(Abandoned):
            trainer.fit(module, loader)


def _launched() -> tuple[int, int]:
    """Processes on this node, and nodes, as torchrun says; alone, one of each."""
    everywhere = int(os.environ.get("WORLD_SIZE", "1"))
    here = int(os.environ.get("LOCAL_WORLD_SIZE", str(everywhere)))
    return here, everywhere // here


def _as_it_is(step_batch: StepBatch) -> StepBatch:
    return step_batch
