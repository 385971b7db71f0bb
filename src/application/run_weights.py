"""Where the LoRA weights of a run are."""

from __future__ import annotations

from pathlib import Path

from ..domain.errors import ModelError
from ..domain.run import RunSummary


def weights_of(run: RunSummary) -> Path:
    """The folder of a run's LoRA weights.

    Raises:
        ModelError: M007 when the run holds none.
    """
    weights = Path(run.path) / "lora"
    if weights.is_dir():
        return weights
    searched = run.manifest.get("algorithm") == "apo"
    raise ModelError(
        "M007",
        "the run holds no LoRA weights",
        where=run.path,
        got="a prompt search, which changes no model" if searched else f"a run that is {run.status}",
        fix="name the run of a training, and use the search's prompt.yaml with it"
        if searched
        else "name a completed run, see `cesello runs list`",
    )
