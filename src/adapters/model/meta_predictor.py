"""Parameters and bytes of a training from a model's configuration alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from ...domain.footprint import Evaluating, Footprint, ForwardPass, ModelShape
from ...domain.model_spec import LoraSpec, ModelSpec
from ...domain.ports.hub import ModelFiles
from ...domain.ports.model import Quantizer
from .devices import planned_device, planned_dtype
from .known_models import known_config
from .language_modules import expert_parameters, linear_modules
from .meta_device import standing_for
from .meta_model import base_on_meta, config_of, with_lora
from .meta_step import cache_bytes, evaluation_memory, step_memory
from .model_files import find_files
from .peft_lora import trained_weights

PADDED = frozenset(("bloom", "falcon", "mpt", "opt"))
"""Architectures that cannot keep packed rows apart, so that a training pads them."""


class MetaPredictor:
    """Runs a step on torch's meta device, where tensors have shapes and no numbers.

    Args:
        quantizers: by name.
        files: where a name's files are.
    """

    def __init__(self, quantizers: Mapping[str, Quantizer], files: ModelFiles) -> None:
        self._quantizers = quantizers
        self._files = files

    def shape(self, model: ModelSpec) -> ModelShape:
        base = self._base(model)
        return ModelShape(
            name=model.name,
            architecture=str(base.config.model_type),
            dtype=str(base.dtype).removeprefix("torch."),
            parameters=sum(weight.numel() for weight in base.parameters()),
            layers=int(base.config.get_text_config().num_hidden_layers),
            linear={name: _outputs_inputs(base.get_submodule(name)) for name in linear_modules(base)},
            experts={name: _three(base.get_parameter(name).shape) for name in expert_parameters(base)},
            cache_bytes=cache_bytes(base),
            positions=_positions(base),
        )

    def footprint(
        self, model: ModelSpec, quantizer: str, lora: LoraSpec, work: ForwardPass, evaluating: Evaluating
    ) -> Footprint:
        base = self._base(model)
        work = replace(work, padded=work.padded or base.config.model_type in PADDED)
        parameters = sum(weight.numel() for weight in base.parameters())
        plain = sum(weight.nbytes for weight in base.parameters())
        cache = cache_bytes(base) * evaluating.answers * evaluating.tokens
        device = planned_device(model.device)
        dtype = planned_dtype(model.dtype, device)
        made = with_lora(
            base, model, lora, self._quantizers[quantizer], dtype, checkpointing=work.checkpointing
        )
        trained = [weight for weight in made.model.parameters() if weight.requires_grad]
        gradients = sum(weight.nbytes for weight in trained)
        with standing_for(device):
            step = step_memory(made.model, work)
            evaluation = evaluation_memory(made.model, evaluating)
        away = _offloaded(base, work) if work.offloads and device == "cuda" else 0
        return Footprint(
            parameters=parameters,
            trainable=sum(weight.numel() for weight in trained),
            quantised_parameters=made.quantised_parameters,
            weights=made.weights,
            quantised=made.quantised,
            lora=_added(made.model, lora),
            gradients=gradients,
            optimizer=2 * gradients,
            activations=step.kept - away,
            logits=step.logits,
            step=step.peak - away,
            evaluation=evaluation,
            cache=cache,
            # LoftQ compares with the plain weights, which wait in the host's memory.
            beginning=plain if lora.init == "loftq" and device == "cpu" else 0,
        )

    def _base(self, model: ModelSpec) -> PreTrainedModel:
        """The model without weights; known shapes need no file where none is here."""
        place = self._files.arguments(model.name)
        known = None if place or model.revision else known_config(model.name)
        found = {} if known else find_files(model, self._files)
        device = planned_device(model.device)
        # FlashAttention holds what sdpa without a mask holds.
        attention = model.attention if model.attention in ("sdpa", "eager") else None
        return base_on_meta(
            config_of(model.name, found, known), planned_dtype(model.dtype, device), attention
        )


def _positions(base: PreTrainedModel) -> int | None:
    most = getattr(base.config.get_text_config(), "max_position_embeddings", None)
    return most if isinstance(most, int) else None


def _offloaded(base: PreTrainedModel, work: ForwardPass) -> int:
    """The input of every layer."""
    config = base.config.get_text_config()
    return int(config.num_hidden_layers * work.tokens * config.hidden_size * base.dtype.itemsize)


def _outputs_inputs(layer: Any) -> tuple[int, int]:
    rows, columns = layer.weight.shape
    return (columns, rows) if isinstance(layer, Conv1D) else (rows, columns)


def _three(shape: Sequence[int]) -> tuple[int, int, int]:
    experts, rows, columns = shape
    return experts, rows, columns


def _added(tuned: Any, lora: LoraSpec) -> int:
    """Bytes beside the base weights, with a frozen copy where there is one."""
    once = sum(weight.nbytes for weight in trained_weights(tuned).values())
    return once * (2 if lora.continue_from is not None or lora.init == "pissa" else 1)
