"""Which names a recipe can give, what each needs, and the log that is behind it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec

from ...domain.errors import UsageError
from ...domain.ports.logs import MetricsLog
from .several_logs import SeveralLogs

EXTRAS = ("wandb", "mlflow", "trackio")
"""Names whose library comes with the extra of the same name, and is imported under it."""

_QUIET = {
    "WANDB_ERROR_REPORTING": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "DO_NOT_TRACK": "true",
}
"""What switches off that the libraries tell their makers about us."""

_PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "20", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
"""How long MLflow tries, where the person has not said it; on its own it would be minutes."""


def named_logs(names: Sequence[str], say: Callable[[str], None]) -> MetricsLog:
    """The logs of these names, as one; a library is imported when the log begins."""
    return SeveralLogs({name: MAKERS[name] for name in dict.fromkeys(names)}, say)


def check_logs(names: Iterable[str]) -> None:
    """Raises UsageError C064 when the library of a name is not installed; imports nothing."""
    for name in names:
        if name in EXTRAS and find_spec(name) is None:
            raise UsageError(
                "C064",
                f'the logger "{name}" is not installed',
                fix=f'run `pip install "cesello[{name}]"`, or leave the logger out',
            )


def csv_log() -> MetricsLog:
    """metrics.csv."""
    from .csv_log import CsvLog

    return CsvLog()


def tensorboard_log() -> MetricsLog:
    """Event files."""
    from .tensorboard_log import TensorBoardLog

    return TensorBoardLog()


def wandb_log() -> MetricsLog:
    """Weights & Biases."""
    _set_quiet()
    from .wandb_log import WandbLog

    return WandbLog()


def mlflow_log() -> MetricsLog:
    """MLflow."""
    _set_quiet()
    from .mlflow_log import MlflowLog

    return MlflowLog()


def trackio_log() -> MetricsLog:
    """Trackio."""
    _set_quiet()
    from .trackio_log import TrackioLog

    return TrackioLog()


MAKERS: Mapping[str, Callable[[], MetricsLog]] = {
    "csv": csv_log,
    "tensorboard": tensorboard_log,
    "wandb": wandb_log,
    "mlflow": mlflow_log,
    "trackio": trackio_log,
}


def _set_quiet() -> None:
    """Before a library is imported, since some read it then."""
    os.environ.update(_QUIET)
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
