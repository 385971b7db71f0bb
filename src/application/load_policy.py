"""Load the model of a training, as its plan has it."""

from __future__ import annotations

from ..domain.genai_names import REQUEST_MODEL
from ..domain.model_spec import LoraSpec
from ..domain.open_span import span
from ..domain.ports.model import ModelProvider, Policy
from ..domain.ports.run import Observer
from .prepare_data import DataRequest


def load_policy(provider: ModelProvider, observer: Observer, data: DataRequest, lora: LoraSpec) -> Policy:
    """The base model with the LoRA weights that are to be trained.

    Raises:
        ModelError: those of the provider.
    """
    observer.phase(f"loading {data.model.name}")
    with span("load model", {REQUEST_MODEL: data.model.name}):
        return provider.load(
            data.model,
            lora,
            seed=data.plan.seed,
            gradient_checkpointing=data.plan.gradient_checkpointing,
            activation_offload=data.plan.activation_offload,
        )
