"""A quantised weight as the numbers it stands for."""

from __future__ import annotations

from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit, int8_vectorwise_dequant
from bitsandbytes.nn.modules import Int8Params, Params4bit


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


def _is_of_torchao(weight: Any) -> bool:
    """By its module's name, so that torchao is not loaded where nobody asked for it."""
    kind = type(getattr(weight, "data", weight))
    return kind.__module__.startswith("torchao.")
