"""Quantised weights as the numbers they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit, int8_vectorwise_dequant
from bitsandbytes.nn.modules import Int8Params, Params4bit
from bitsandbytes.nn.parametrize import Bnb4bitParametrization
from torch.nn.utils.parametrize import is_parametrized


def is_quantised(weight: Any) -> bool:
    """Whether a weight is stored in fewer bits, by whatever library."""
    return isinstance(weight, Params4bit | Int8Params) or _is_of_torchao(weight)


def dequantised(layer: Any) -> torch.Tensor:
    """The weight of a linear layer as its quantizer computes with it, shape as stored; others as they are."""
    weight = layer.weight
    if isinstance(weight, Params4bit):
        values: torch.Tensor = dequantize_4bit(weight.data, weight.quant_state)
    elif isinstance(weight, Int8Params):
        codes = layer.state.CB if layer.state.CB is not None else weight.CB
        scales = layer.state.SCB if layer.state.SCB is not None else weight.SCB
        values = int8_vectorwise_dequant(codes if codes is not None else weight.data, scales)
    elif _is_of_torchao(weight):
        values = weight.dequantize()
    else:
        values = weight.data
    return values


def quantised_weights(base: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Every quantised weight of a base model by its parameter's name, as the numbers it stands for.

    One is made whole at a time. A linear layer's has shape [outputs, inputs], an expert's parameter its own.
    """
    for name, module in base.named_modules():
        # Its own: LoRA layers show the weight of the layer within them as theirs.
        if is_quantised(module._parameters.get("weight")):
            yield f"{name}.weight", dequantised(module)
        for parameter in quantised_parameters(module):
            yield f"{name}.{parameter}", getattr(module, parameter)


def quantised_parameters(module: Any) -> list[str]:
    """Names of a module's parameters that are stored in 4 bits and made whole when they are read."""
    if not is_parametrized(module):
        return []
    chains = module.parametrizations.items()
    return [name for name, chain in chains if isinstance(chain[0], Bnb4bitParametrization)]


def parameter_count(base: Any) -> int:
    """How many weights a model has, shared ones once and quantised ones as what they stand for."""
    packed = {}
    for module in base.modules():
        for name in quantised_parameters(module):
            chain = module.parametrizations[name]
            packed[id(chain.original)] = chain[0].quant_state.shape.numel()
    return sum(packed.get(id(weight)) or _numel(weight) for weight in base.parameters())


def _numel(weight: Any) -> int:
    state = getattr(weight, "quant_state", None)
    return state.shape.numel() if state is not None else weight.numel()  # type: ignore[no-any-return]


def _is_of_torchao(weight: Any) -> bool:
    """By its module's name, so that torchao is not loaded where nobody asked for it."""
    kind = type(getattr(weight, "data", weight))
    return kind.__module__.startswith("torchao.")
