"""Frozen linear layers in the layout that oneDNN likes, for as long as completions are drawn on a CPU.

A step of decoding reads every weight once for a few rows. Read in the order in which it is needed, a weight
of float32 takes a quarter less time. LoRA weights are added into the copies: with SmolLM2 that takes 0.2 s
after every step of the training, and beside them they would take 0.35 s for 32 tokens. The update has the
copies' memory. The model's own weights are not touched. Shapes: M rows, I inputs, O outputs, r rank.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft.tuners.lora.layer import Linear as LoraLinear

from .lean_linear import LowRank
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
        self._kept: dict[int, Any] = {}

    @contextmanager
    def standing_in(self) -> Iterator[None]:
        """Within this, layers compute with their copies; no weight may change in it."""
        chosen = [layer for layer in self._layers if _is_plain(layer)]
        try:
            for layer in chosen:
                layer.forward = _forward(self._weight(layer), _base(layer).bias)
            yield
        finally:
            for layer in chosen:
                vars(layer).pop("forward", None)

    @torch.no_grad()
    def _weight(self, layer: Any) -> Any:
        """A copy; kept only where no LoRA weights are in it: those will have changed by the next time."""
        weight_OI, added = _base(layer).weight.detach(), _added(layer)
        if added is not None:
            return _packed(torch.addmm(weight_OI, added.b_Or, added.a_rI, alpha=added.scale))
        if id(layer) not in self._kept:
            self._kept[id(layer)] = _packed(weight_OI)
        return self._kept[id(layer)]


def _base(layer: Any) -> Any:
    return layer.base_layer if isinstance(layer, LoraLinear) else layer


def _added(layer: Any) -> LowRank | None:
    return added_to(layer, _base(layer).weight) if isinstance(layer, LoraLinear) else None


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
    return layer is _base(layer) or _added(layer) is not None


def _packs() -> bool:
    """Whether torch has oneDNN and the two functions, which its compiler uses as well (tried with 2.13)."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def _packed(weight_OI: torch.Tensor) -> Any:
    return torch.ops.mkldnn._reorder_linear_weight(weight_OI, _ROWS)


def _forward(weight: Any, bias: torch.Tensor | None) -> Callable[[torch.Tensor], torch.Tensor]:
    """What stands in for the layer's."""
    multiply: Any = torch.ops.mkldnn._linear_pointwise
    return lambda x: multiply(x, weight, bias, "none", [], "")
