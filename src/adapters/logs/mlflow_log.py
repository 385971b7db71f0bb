"""MLflow."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlflow.entities import Metric, Param  # pyright: ignore[reportMissingImports]
from mlflow.tracking import MlflowClient  # pyright: ignore[reportMissingImports]

from ...domain.ports.logs import LoggedRun
from .known_steps import KnownSteps
from .private_files import write_private
from .sender import Sender

RUN_FILE = ".mlflow_run_id"
_STATUSES = {"completed": "FINISHED", "interrupted": "KILLED"}
_REFUSED = re.compile(r"[^\w\-. /:]")
_LONGEST_VALUE = 500
_PARAMS_AT_ONCE = 100


class MlflowLog:
    """A run of MLflow, at ``MLFLOW_TRACKING_URI`` or where MLflow keeps runs without one: ``mlflow.db`` here.

    Args:
        experiment: unless ``MLFLOW_EXPERIMENT_NAME`` says another.
        seconds: how long to wait at the end until all is sent.
    """

    def __init__(self, experiment: str = "cesello", seconds: float = 60.0) -> None:
        self._experiment = experiment
        self._seconds = seconds

    def begin(self, run: LoggedRun, first_step: int) -> None:
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        self._client = MlflowClient()
        self._known = KnownSteps()
        file = run.folder / RUN_FILE
        if run.resumed and file.exists():
            self._go_on(file.read_text().strip())
        else:
            self._start(run, file)
        self._sender = Sender(self._send)

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        named = {_REFUSED.sub("_", name): value for name, value in figures.items()}
        now = int(time.time() * 1000)
        fresh = self._known.fresh(step, named)
        if metrics := [Metric(name, float(value), now, step) for name, value in fresh.items()]:
            self._sender.put(metrics)

    def end(self, status: str) -> None:
        self._sender.close(self._seconds)
        self._client.set_terminated(self._id, status=_STATUSES.get(status, "FAILED"))

    def _send(self, metrics: list[Metric]) -> None:
        self._client.log_batch(self._id, metrics=metrics)

    def _start(self, run: LoggedRun, file: Path) -> None:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", self._experiment)
        found = self._client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else self._client.create_experiment(name)
        tags = {"cesello.run": run.id}
        self._id: str = self._client.create_run(experiment, run_name=run.name, tags=tags).info.run_id
        write_private(file, f"{self._id}\n".encode())
        for params in _params(run.settings):
            self._client.log_batch(self._id, params=params)

    def _go_on(self, run: str) -> None:
        self._id = run
        self._client.update_run(run, status="RUNNING")
        for name in self._client.get_run(run).data.metrics:
            for metric in self._client.get_metric_history(run, name):
                self._known.add(metric.step, [name])


def _params(settings: Mapping[str, object]) -> Iterator[list[Param]]:
    """As many at once as MLflow takes, and as long as every version of it takes."""
    params = [Param(_REFUSED.sub("_", name), str(value)[:_LONGEST_VALUE]) for name, value in settings.items()]
    for first in range(0, len(params), _PARAMS_AT_ONCE):
        yield params[first : first + _PARAMS_AT_ONCE]
