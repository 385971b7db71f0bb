"""Rotary positions (Su et al., arXiv 2104.09864) with one new tensor for each that is turned, and halves.

Of x = [a, b], its two halves, it makes [a cos - b sin, b cos + a sin]. transformers makes [-b, a] and three
more tensors of that size on the way. They take time, and when they are freed they leave gaps that glibc
cannot fill with others of the same size, since torch asks for aligned ones: of SmolLM2's 1,016 tokens a
process held 170 MB more. Shapes: B rows, A heads, T tokens, D width.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any

import torch
from transformers.models.llama import modeling_llama as llama

from .meta_device import kind_of

_ROTATION, _HALVES = "apply_rotary_pos_emb", "rotate_half"


def make_rotations_lean(model: Any) -> None:
    """Gives every layer that rotates as Llama's do the leaner way; transformers' own stays as it is."""
    leaner: dict[type, type] = {}
    for module in model.modules():
        kind = type(module)
        if "forward" not in vars(module) and _rotates(kind.forward):
            module.__class__ = leaner.setdefault(kind, _leaner(kind))


def _rotates(forward: Any) -> bool:
    known = getattr(forward, "__globals__", {})
    called = _ROTATION in getattr(getattr(forward, "__code__", None), "co_names", ())
    return called and all(_same(known.get(name), getattr(llama, name)) for name in (_ROTATION, _HALVES))


def _same(ours: Any, known: Any) -> bool:
    """Whether they are the same, instruction for instruction."""
    one, other = (getattr(function, "__code__", None) for function in (ours, known))
    if one is None or other is None:
        return False
    return (one.co_code, one.co_names, one.co_varnames) == (other.co_code, other.co_names, other.co_varnames)


def _leaner(kind: type) -> type:
    """The class with the same forward, in which the name of the function means ours."""
    plain: Any = kind.forward  # type: ignore[attr-defined]
    known = {**plain.__globals__, _ROTATION: _in_place_of(plain.__globals__[_ROTATION])}
    forward = FunctionType(plain.__code__, known, plain.__name__, plain.__defaults__, plain.__closure__)
    forward.__kwdefaults__ = plain.__kwdefaults__
    return type(kind.__name__, (kind,), {"forward": forward})


def _in_place_of(plain: Any) -> Any:
    def rotated(
        q: torch.Tensor, k: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, unsqueeze_dim: int = 1
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if kind_of(q.device.type) != "cpu" or not q.dtype == k.dtype == cos.dtype == sin.dtype:
            return plain(q, k, cos, sin, unsqueeze_dim)  # type: ignore[no-any-return]
        turn = cos.unsqueeze(unsqueeze_dim), sin.unsqueeze(unsqueeze_dim)
        return _Rotated.apply(q, *turn), _Rotated.apply(k, *turn)  # type: ignore[no-untyped-call]

    return rotated


class _Rotated(torch.autograd.Function):
    """Its backward pass turns back."""

    @staticmethod
    def forward(ctx: Any, x_BATD: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(cos, sin)
        first, second = sin.chunk(2, -1)
        return _turned(x_BATD, cos, first, second, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        cos, sin = ctx.saved_tensors
        first, second = sin.chunk(2, -1)
        return _turned(gradients[0], cos, second, first, -1), None, None


def _turned(
    x_BATD: torch.Tensor, cos: torch.Tensor, first: torch.Tensor, second: torch.Tensor, way: int
) -> torch.Tensor:
    """Each half of x times its cosine, and the other half times a sine; ``way``: 1, or -1 for back.

    Rounded as transformers rounds, product by product: ``addcmul_`` would not.
    """
    made_BATD: torch.Tensor = x_BATD * cos
    a, b = x_BATD.chunk(2, -1)
    of_a, of_b = made_BATD.chunk(2, -1)
    of_a.sub_(b * first, alpha=way)
    of_b.add_(a * second, alpha=way)
    return made_BATD
