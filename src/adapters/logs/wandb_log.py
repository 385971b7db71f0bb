"""Weights & Biases."""

from __future__ import annotations

import os
from collections.abc import Mapping

import wandb  # pyright: ignore[reportMissingImports]

from ...domain.errors import UsageError
from ...domain.ports.logs import LoggedRun

_EXIT_CODES = {"completed": 0, "interrupted": 255}
"""255 is what W&B shows as killed."""


class WandbLog:
    """A run of W&B with the id of ours; W&B's own variables (``WANDB_MODE`` and others) say where and how.

    Nothing but the figures and the settings is sent: no code, no git remote, no console, no list of packages,
    no figures of the machine. W&B writes about once in a second, and a step when the next one comes, so that
    with a process that is killed the last figures before its checkpoint may be lost.

    Args:
        project: unless ``WANDB_PROJECT`` says another.
        seconds: how long to wait for the service, to begin and again to end.
    """

    def __init__(self, project: str = "cesello", seconds: float = 60.0) -> None:
        self._project = project
        self._seconds = seconds

    def begin(self, run: LoggedRun, first_step: int) -> None:
        _refuse_without_key()
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", self._project),
            id=run.id,
            name=run.name,
            dir=run.folder,
            config=dict(run.settings),
            # Of steps that W&B has already, it refuses what is logged again.
            resume="allow" if run.resumed else "never",
            settings=self._settings(),
        )

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        self._run.log(dict(figures), step=step)

    def end(self, status: str) -> None:
        self._run.finish(exit_code=_EXIT_CODES.get(status, 1))

    def _settings(self) -> wandb.Settings:
        return wandb.Settings(
            console="off",
            disable_code=True,
            disable_git=True,
            disable_job_creation=True,
            finish_timeout=self._seconds,
            finish_timeout_raises=True,
            init_timeout=self._seconds,
            save_code=False,
            silent=True,
            symlink=False,
            x_disable_machine_info=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_save_requirements=False,
            # On its own 15 seconds, which would be lost with a process that is killed.
            x_transaction_log_flush_interval=1.0,
        )


def _refuse_without_key() -> None:
    """W&B would ask a person for a key, and a training would wait for the answer."""
    settings = wandb.setup(settings=wandb.Settings(silent=True)).settings
    if settings.mode in ("online", "run") and not wandb.login(prompt=False):
        raise UsageError(
            "C065",
            "Weights & Biases has no key of yours",
            fix="run `wandb login`, or set WANDB_API_KEY, or set WANDB_MODE=offline",
        )
