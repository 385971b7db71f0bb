"""From a run and its recipe to what exporting and verifying are asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..application.export_model import ExportRequest
from ..application.run_weights import weights_of
from ..application.verify_export import TrainedModel
from ..domain.errors import InvalidRecipe, ModelError
from ..domain.export import Into
from ..domain.load_commands import LoraLayout
from ..domain.model_spec import ModelSpec
from ..domain.run import RunSummary
from .requests import data_request, library_versions, model_spec
from .settings import LoadedRecipe, load_recipe


def run_recipe(run: RunSummary, overrides: Sequence[str] = ()) -> LoadedRecipe:
    """The recipe kept with a run; where its project is gone, as if the run's folder were the project."""
    path = Path(run.path) / "recipe.yaml"
    try:
        return load_recipe(path, overrides)
    except InvalidRecipe:
        return load_recipe(path, [*overrides, "root=."])


def trained_model(loaded: LoadedRecipe, run: RunSummary) -> TrainedModel:
    """A run's model in the number format that it was trained in, and the data that it was trained on."""
    model = _trained_spec(loaded, run)
    return TrainedModel(run, model, replace(data_request(loaded), model=model))


def export_request(
    loaded: LoadedRecipe,
    run: RunSummary,
    folder: Path,
    *,
    into: str | None,
    dtype: str,
    rows: int,
    overwrite: bool,
    gguf: Path | None,
) -> ExportRequest:
    """What ``ExportModel`` is asked."""
    trained = trained_model(loaded, run)
    return ExportRequest(
        run=run,
        model=trained.model,
        data=trained.data,
        folder=folder,
        into=Into(into) if into else None,
        dtype=dtype,
        rows=rows,
        overwrite=overwrite,
        gguf=gguf,
        system_prompt=loaded.recipe.data.system_prompt or "",
        versions=library_versions(),
    )


def lora_layout(loaded: LoadedRecipe, run: RunSummary) -> LoraLayout:
    """What a run's LoRA weights on the disk are, and how their base was loaded.

    Raises:
        ModelError: M002 when their configuration cannot be read, M007 when there are none.
    """
    weights = weights_of(run)
    config = _adapter_config(weights / "adapter_config.json")
    facts = run.manifest.get("model") or {}
    spec, quantizer = _trained_spec(loaded, run), loaded.recipe.quantizer
    compute = spec.dtype if quantizer.compute_dtype == "auto" else quantizer.compute_dtype
    return LoraLayout(
        folder=str(weights),
        name=run.name,
        base=spec.name,
        revision=spec.revision,
        rank=int(config.get("r", 0)),
        dora=bool(config.get("use_dora")),
        modules_to_save=bool(config.get("modules_to_save")),
        experts=bool(config.get("target_parameters")),
        dtype=spec.dtype,
        quantizer=str(facts.get("quantizer", "none")),
        double_quant=quantizer.double_quant,
        compute=compute,
        own_template=facts.get("chat_template") == "chatml",
        system_prompt=loaded.recipe.data.system_prompt or "",
        architecture=str(facts.get("architecture", "")),
        upcast=spec.upcast,
    )


def _trained_spec(loaded: LoadedRecipe, run: RunSummary) -> ModelSpec:
    facts = run.manifest.get("model") or {}
    spec = replace(model_spec(loaded), name=run.model or loaded.recipe.model.name)
    # Of a model with norms in float32 that is what is recorded, but not what its other weights are in.
    return spec if spec.upcast or "dtype" not in facts else replace(spec, dtype=facts["dtype"])


def _adapter_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise ModelError(
            "M002", "LoRA weights cannot be read", where=str(path), got=cause, fix="name another run"
        ) from cause
    return config if isinstance(config, dict) else {}
