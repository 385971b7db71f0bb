"""Frozen linear layers in the layout that oneDNN likes, for as long as completions are drawn on a CPU.

A step of decoding reads every weight once for a few rows. Read in the order in which it is needed, a weight
of float32 takes a quarter less time. LoRA weights, which change, are added as they are: merging them in would
cost more at every step of the training than it saves. Copies are made once and kept; the model's own weights
are not touched. Shapes: M rows, I inputs, O outputs, r rank.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft.tuners.lora.layer import Linear as LoraLinear

from .lean_lora import added_to

_ROWS = 8
"""For how many rows the layout is chosen; it is right for any number."""


class PackedLinears:
    """Copies for the layers of a model.

    Args:
        most_bytes: of all copies; where they would take more there are none.
    """

    def __init__(self, model: Any, most_bytes: int) -> None:
        layers = _layers(model) if _packs() else []
        total = sum(4 * _base(layer).weight.numel() for layer in layers)
        self._layers = layers if total <= most_bytes else []
        self._copies: list[Any] = []

    @contextmanager
    def standing_in(self) -> Iterator[None]:
        """Within this, layers compute with their copies."""
        if not self._copies:
            self._copies = [_packed(_base(layer).weight.detach()) for layer in self._layers]
        chosen = [pair for pair in zip(self._layers, self._copies, strict=True) if _is_plain(pair[0])]
        try:
            for layer, copy in chosen:
                layer.forward = _forward(layer, copy)
            yield
        finally:
            for layer, _ in chosen:
                vars(layer).pop("forward", None)


def _base(layer: Any) -> Any:
    return layer.base_layer if isinstance(layer, LoraLinear) else layer


def _layers(model: Any) -> list[Any]:
    """Frozen ones in float32 on a CPU: with LoRA weights, and without and not part of another."""
    tuned = [module for module in model.modules() if isinstance(module, LoraLinear)]
    inside = {id(part) for layer in tuned for part in layer.modules()}
    others = [module for module in model.modules() if id(module) not in inside]
    return [layer for layer in [*tuned, *others] if _is_frozen(_base(layer))]


def _is_frozen(layer: Any) -> bool:
    if type(layer) is not torch.nn.Linear or layer.weight.requires_grad:
        return False
    return bool(layer.weight.device.type == "cpu" and layer.weight.dtype == torch.float32)


def _is_plain(layer: Any) -> bool:
    """Whether it would now compute no more than the weight, a bias and LoRA weights say."""
    if "forward" in vars(layer) or "forward" in vars(_base(layer)):
        return False
    return layer is _base(layer) or added_to(layer, layer.base_layer.weight) is not None


def _packs() -> bool:
    """Whether torch has oneDNN and the two functions, which its compiler uses as well (tried with 2.13)."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def _packed(weight_OI: torch.Tensor) -> Any:
    return torch.ops.mkldnn._reorder_linear_weight(weight_OI, _ROWS)


def _forward(layer: Any, copy: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """What stands in for the layer's."""
    multiply: Any = torch.ops.mkldnn._linear_pointwise
    base = _base(layer)
    added = added_to(layer, base.weight) if layer is not base else None
    bias = base.bias
    if added is None:
        return lambda x: multiply(x, copy, bias, "none", [], "")
    a_Ir, b_rO, scale = added.a_rI.T, added.b_Or.T, added.scale

    def forward(x: torch.Tensor) -> torch.Tensor:
        y = multiply(x, copy, bias, "none", [], "")
        low_Mr = x.reshape(-1, x.shape[-1]) @ a_Ir
        y.view(-1, y.shape[-1]).addmm_(low_Mr, b_rO, alpha=scale)
        return y  # type: ignore[no-any-return]

    return forward
