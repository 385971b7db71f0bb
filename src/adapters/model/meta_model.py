"""A model as it will be trained, but on torch's meta device: every shape and dtype, and not one weight.

It is the real class of the architecture with the real LoRA layers. Only what quantises is stood in for, by
layers that hold as many bytes and make as many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, get_peft_model
from torch import nn
from torch.nn.utils.parametrize import register_parametrization
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from ...domain.model_spec import LoraSpec, ModelSpec
from ...domain.ports.model import Quantizer
from ...domain.target_modules import Targets
from .checkpointing import compute_again
from .language_modules import expert_parameters, quantisable_modules
from .lean_model import make_lean
from .load_errors import explained
from .lora_files import start_of, targets_of
from .peft_lora import chosen_targets, fresh, in_float32


@dataclass(frozen=True, slots=True)
class MetaModel:
    """The model with its LoRA weights.

    Attributes:
        weights: bytes of the base model as it is stored.
        quantised: of these, what is stored in fewer bits; ``quantised_parameters`` how many weights that are.
    """

    model: Any
    weights: int
    quantised: int
    quantised_parameters: int


def base_on_meta(config: Any, dtype: str, attention: str | None) -> PreTrainedModel:
    """The base model of a configuration."""
    config._attn_implementation = attention
    config._experts_implementation = None
    with torch.device("meta"), explained(str(config.name_or_path or config.model_type)):
        return AutoModelForCausalLM.from_config(  # type: ignore[no-any-return]
            config, dtype=getattr(torch, dtype), attn_implementation=attention
        )


def config_of(name: str, place: Mapping[str, Any], known: Mapping[str, Any] | None) -> Any:
    """The configuration of a model: a known shape, or what its folder or the hub says."""
    if known is not None:
        return AutoConfig.for_model(**known)
    with explained(name):
        return AutoConfig.from_pretrained(name, **place, trust_remote_code=False)


def with_lora(
    base: PreTrainedModel,
    model: ModelSpec,
    lora: LoraSpec,
    quantizer: Quantizer,
    dtype: str,
    *,
    checkpointing: bool,
) -> MetaModel:
    """The base quantised and with the weights that are trained."""
    if checkpointing:
        compute_again(base)
    start = start_of(model, lora)
    chosen = chosen_targets(base, lora) if start is None else targets_of(start)
    stored = _quantise(base, quantizer, dtype, chosen.parameters)
    if model.upcast and stored:
        _upcast(base, stored)
    base.requires_grad_(False)
    sizes = {id(weight): weight.nbytes for weight in (*base.parameters(), *base.buffers())} | stored
    counts = [weight.numel() for weight in base.parameters() if id(weight) in stored]
    with torch.device("meta"):
        tuned = _tuned(base, lora, chosen, start)
    return MetaModel(tuned, sum(sizes.values()), sum(stored.values()), sum(counts))


def _tuned(base: PreTrainedModel, lora: LoraSpec, chosen: Targets, start: Path | None) -> Any:
    if start is None:
        # How weights begin is no matter of their size.
        return fresh(base, replace(lora, init="default"), chosen, seed=0, original=_no_weights).model
    config = PeftConfig.from_pretrained(str(start))
    config.inference_mode = False
    tuned = get_peft_model(base, config)
    in_float32(tuned)
    make_lean(tuned)
    return tuned


def _no_weights() -> Any:
    raise AssertionError("weights on the meta device begin with nothing")


def _quantise(base: PreTrainedModel, quantizer: Quantizer, dtype: str, keep: Sequence[str]) -> dict[int, int]:
    """Puts stand-ins in place; the bytes that are stored of each weight, by its id."""
    stored: dict[int, int] = {}
    for name in quantisable_modules(base):
        layer: Any = base.get_submodule(name)
        shape = tuple(layer.weight.shape)
        size = quantizer.stored_bytes(shape[::-1] if isinstance(layer, Conv1D) else shape, dtype)
        if size is not None:
            new = _StoredLinear(layer, dtype)
            stored[id(new.weight)] = size
            base.set_submodule(name, new)
    for name in expert_parameters(base):
        weight = base.get_parameter(name)
        size = quantizer.stored_bytes(tuple(weight.shape), dtype)
        if size is not None and not any(name.endswith(f".{one}") for one in keep):
            stored[id(weight)] = size
            path, _, last = name.rpartition(".")
            register_parametrization(base.get_submodule(path), last, _MadeWhole())
    return stored


def _upcast(base: PreTrainedModel, stored: Mapping[int, int]) -> None:
    """As PEFT's preparation does: all that has 16 bits and is not quantised gets 32."""
    for weight in base.parameters():
        if weight.dtype in (torch.float16, torch.bfloat16) and id(weight) not in stored:
            weight.data = weight.data.float()


class _StoredLinear(nn.Linear):
    """A linear layer whose weight is stored in fewer bits and made whole to be computed with.

    The weight keeps its shape, for what asks for it; its bytes are counted elsewhere.
    """

    def __init__(self, layer: Any, dtype: str) -> None:
        nn.Module.__init__(self)
        turned = isinstance(layer, Conv1D)
        self.weight = nn.Parameter(layer.weight.T) if turned else layer.weight
        self.bias = layer.bias
        self.out_features, self.in_features = self.weight.shape
        self.compute_dtype = getattr(torch, dtype)

    def made_whole(self) -> torch.Tensor:
        """For a moment, with the shape of the weight."""
        return torch.empty(self.weight.shape, dtype=self.compute_dtype, device="meta")

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        y = _MadeWholeLinear.apply(input.to(self.compute_dtype), self.out_features)  # type: ignore[no-untyped-call]
        # PEFT's layers beside quantised ones work on a copy.
        return y.to(input.dtype).clone()  # type: ignore[no-any-return]


class _MadeWholeLinear(torch.autograd.Function):
    """x W, with W made whole in the forward and again in the backward pass, and kept in neither."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, outputs: int) -> torch.Tensor:
        ctx.shape = (outputs, x.shape[-1])
        return nn.functional.linear(x, torch.empty(ctx.shape, dtype=x.dtype, device=x.device))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        (gradient,) = gradients
        return gradient @ torch.empty(ctx.shape, dtype=gradient.dtype, device=gradient.device), None


class _MadeWhole(nn.Module):
    """Experts as they are computed with."""

    def forward(self, stored: torch.Tensor) -> torch.Tensor:
        return torch.empty_like(stored)
