"""Frozen linear layers in the layout that oneDNN likes, for as long as completions are drawn on a CPU.

A step of decoding reads every weight once for a few rows. Read in the order in which it is needed, a weight
of float32 takes a quarter less time. LoRA weights are added into the copies: with SmolLM2 that takes 0.2 s
after every step of the training, and beside them they would take 0.35 s for 32 tokens. Layers beside each
other that read the same tensor have one copy, and make one product: the longer a weight, the better it is
read. The update has the copies' memory, the head's too. The model's own weights are not touched. Shapes: M
rows, I inputs, O outputs, r rank.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft.tuners.lora.layer import Linear as LoraLinear

from .lean_linear import LowRank
from .lean_lora import added_to

_ROWS = 32
"""For how many rows the layout is chosen; it is right for any number. Of those tried, 4 to 64, it was the
quickest or as quick as any for 1 to 64 rows: for 8 rows, all weights of SmolLM2 take 55 ms, of 59 with 8."""
_TOGETHER = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
"""Names under which a module has layers that read the same tensor."""

Stack = list[Any]
"""Layers that read the same tensor."""


class PackedLinears:
    """Copies for the layers of a model.

    Args:
        most_bytes: of all copies; where they would take more there are none.
    """

    def __init__(self, model: Any, most_bytes: int) -> None:
        layers = _layers(model) if _packs() else []
        total = sum(4 * _base(layer).weight.numel() for layer in layers)
        self._stacks = _stacks(model, layers) if total <= most_bytes else []
        self._trains = any(isinstance(layer, LoraLinear) for layer in layers)
        self._kept: dict[int, _Product] = {}

    @contextmanager
    def standing_in(self) -> Iterator[None]:
        """Within this, layers compute with their copies; no weight may change in it."""
        chosen = [plain for stack in self._stacks for plain in _plain(stack)]
        try:
            for stack in chosen:
                product = self._product(stack)
                for at, layer in enumerate(stack):
                    layer.forward = product.share(at)
            yield
        finally:
            for layer in (layer for stack in chosen for layer in stack):
                vars(layer).pop("forward", None)

    def _product(self, stack: Stack) -> _Product:
        """Kept where no layer has LoRA weights: where some have, an update comes next."""
        if self._trains:
            return _Product(stack)
        at = id(stack[0])
        if at not in self._kept:
            self._kept[at] = _Product(stack)
        return self._kept[at]


class _Product:
    """What layers that read the same tensor make of it, all at once."""

    def __init__(self, stack: Stack) -> None:
        self._weight = _packed(_joined(stack))
        biases = [_base(layer).bias for layer in stack]
        self._bias = None if biases[0] is None else torch.cat(biases)
        self._widths = [_base(layer).out_features for layer in stack]
        self._read: torch.Tensor | None = None
        self._made: tuple[torch.Tensor, ...] = ()
        self._taken = 0

    def share(self, at: int) -> Callable[[torch.Tensor], torch.Tensor]:
        """The forward of one of the layers: it makes the product, or takes its part of what is made."""
        multiply: Any = torch.ops.mkldnn._linear_pointwise
        if len(self._widths) == 1:
            return lambda x: multiply(x, self._weight, self._bias, "none", [], "")

        def forward(x: torch.Tensor) -> torch.Tensor:
            if self._read is not x:
                self._made = multiply(x, self._weight, self._bias, "none", [], "").split(self._widths, -1)
                self._read, self._taken = x, 0
            part = self._made[at]
            self._taken += 1
            if self._taken == len(self._widths):  # all have it; of a long prompt it is large
                self._read, self._made = None, ()
            return part

        return forward


def _stacks(model: Any, layers: list[Any]) -> list[Stack]:
    """All of the layers, those that are called together in one."""
    left = {id(layer): layer for layer in layers}
    stacks = []
    for module in model.modules():
        for names in _TOGETHER:
            stack = [getattr(module, name, None) for name in names]
            known = all(id(one) in left for one in stack)
            if known and len({(_base(one).bias is None, _base(one).in_features) for one in stack}) == 1:
                stacks.append([left.pop(id(one)) for one in stack])
    return [*stacks, *([layer] for layer in left.values())]


def _plain(stack: Stack) -> list[Stack]:
    """The whole stack, or those alone that compute no more than they seem to."""
    plain = [layer for layer in stack if _is_plain(layer)]
    return [plain] if len(plain) == len(stack) else [[layer] for layer in plain]


@torch.no_grad()
def _joined(stack: Stack) -> torch.Tensor:
    """The weights of a stack with their LoRA weights, one below the other."""
    weights = [_base(layer).weight.detach() for layer in stack]
    if len(stack) == 1 and _added(stack[0]) is None:
        return weights[0]  # type: ignore[no-any-return]
    heights = list(map(len, weights))
    joined_OI = weights[0].new_empty(sum(heights), weights[0].shape[1])
    for layer, weight_OI, part_OI in zip(stack, weights, joined_OI.split(heights), strict=True):
        added = _added(layer)
        if added is None:
            part_OI.copy_(weight_OI)
        else:
            torch.addmm(weight_OI, added.b_Or, added.a_rI, alpha=added.scale, out=part_OI)
    return joined_OI  # type: ignore[no-any-return]


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
