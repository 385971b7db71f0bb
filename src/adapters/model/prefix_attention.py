"""Attention of several continuations of one beginning, which is laid out, and computed, once.

The row is [p1, p2, ..., c11, c12, ..., c21, ...]: all beginnings, then the continuations of each. A token
sees what is before it in its own stretch, and a continuation sees its beginning as well. Those are two
products: every stretch with itself, and the continuations of a beginning, all at once, with the beginning.
No completion is compared with another one. How the row is laid out travels to the attention layers in the
place of their mask, as ``document_attention`` says; this one is of int64.

Where no kernel fits (attention dropout, float32 on a GPU), the mask is made after all. Shapes: T tokens, A
heads, D width of a head.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch.nn import functional
from transformers.integrations.sdpa_attention import repeat_kv

from .attention_kernels import AttentionKernel, CpuKernel, Runs, VarlenKernel

Tensor = torch.Tensor

_KERNELS: dict[str, AttentionKernel] = {"cpu": CpuKernel(), "cuda": VarlenKernel()}


@dataclass(frozen=True, slots=True)
class Layout:
    """Lengths of beginnings, and of each one's continuations."""

    beginnings: tuple[int, ...]
    continuations: tuple[tuple[int, ...], ...]

    @property
    def shared(self) -> int:
        """Tokens of all beginnings."""
        return sum(self.beginnings)

    @property
    def itself(self) -> Runs:
        """Every stretch with itself."""
        lengths = (*self.beginnings, *(length for its in self.continuations for length in its))
        return Runs(lengths, lengths, causal=True)

    @property
    def across(self) -> Runs:
        """The continuations of each beginning with it."""
        return Runs(tuple(map(sum, self.continuations)), self.beginnings, causal=False)


def prefix_mask(layout: Layout, device: Any) -> Tensor:
    """Stands in for the mask of a row that is laid out so."""
    counts = [len(its) for its in layout.continuations]
    lengths = [length for its in layout.continuations for length in its]
    numbers = [len(counts), *layout.beginnings, *counts, *lengths]
    mask: Any = torch.tensor(numbers, dtype=torch.int64).to(device)[None, None, None]
    mask.layout_of_row = layout  # so that nobody has to wait for a GPU to know it
    return mask  # type: ignore[no-any-return]


def _layout_of(mask: Tensor) -> Layout:
    known = getattr(mask, "layout_of_row", None)
    if known is not None:
        return known  # type: ignore[no-any-return]
    numbers = iter(mask.flatten().tolist())
    groups = next(numbers)
    beginnings = tuple(next(numbers) for _ in range(groups))
    counts = [next(numbers) for _ in range(groups)]
    return Layout(beginnings, tuple(tuple(next(numbers) for _ in range(count)) for count in counts))


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, dropout: float, scaling: float | None
) -> Tensor:
    """Shapes [1, A, T, D] in and [1, T, A, D] out.

    Args:
        mask: of ``prefix_mask``.
    """
    layout, kernel = _layout_of(mask), _kernel(query, value, dropout)
    if kernel is None:
        return _by_mask(query, key, value, layout, dropout, scaling)
    output: Tensor = _Attended.apply(query, key, value, layout, kernel, scaling)  # type: ignore[no-untyped-call]
    return output


class _Attended(torch.autograd.Function):
    """Each product by itself; the outputs are brought together by how much each has seen."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        layout: Layout,
        kernel: AttentionKernel,
        scale: float | None,
    ) -> Tensor:
        output, logs = kernel.forward(query, key, value, layout.itself, scale)
        shared = layout.shared
        if shared < query.shape[2]:
            before = key[:, :, :shared], value[:, :, :shared]
            seen, seen_logs = kernel.forward(query[:, :, shared:], *before, layout.across, scale)
            own, own_logs = output[:, :, shared:], logs[:, :, shared:]
            weight = torch.sigmoid(seen_logs - own_logs).unsqueeze(-1)
            own.copy_(torch.lerp(own.to(weight.dtype), seen.to(weight.dtype), weight))
            own_logs.copy_(torch.logaddexp(own_logs, seen_logs))
        output = output.transpose(1, 2)
        ctx.layout, ctx.kernel, ctx.scale = layout, kernel, scale
        ctx.save_for_backward(query, key, value, output, logs)
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        query, key, value, output, logs = ctx.saved_tensors
        gradient, output = gradients[0].transpose(1, 2), output.transpose(1, 2)
        kernel, layout, scale, shared = ctx.kernel, ctx.layout, ctx.scale, ctx.layout.shared
        over_query, over_key, over_value = kernel.backward(
            gradient, query, key, value, output, logs, layout.itself, scale
        )
        if shared < query.shape[2]:
            of_query, of_key, of_value = kernel.backward(
                gradient[:, :, shared:],
                query[:, :, shared:],
                key[:, :, :shared],
                value[:, :, :shared],
                output[:, :, shared:],
                logs[:, :, shared:],
                layout.across,
                scale,
            )
            over_query[:, :, shared:] += of_query
            over_key[:, :, :shared] += of_key
            over_value[:, :, :shared] += of_value
        return over_query, over_key, over_value, None, None, None


def _by_mask(
    query: Tensor, key: Tensor, value: Tensor, layout: Layout, dropout: float, scaling: float | None
) -> Tensor:
    """With the ordinary mask, shape [T, T]."""
    groups = query.shape[1] // key.shape[1]
    output = functional.scaled_dot_product_attention(
        query,
        repeat_kv(key, groups),
        repeat_kv(value, groups),
        attn_mask=_seen(layout, query.device),
        dropout_p=dropout,
        scale=scaling,
    )
    return output.transpose(1, 2)


def _seen(layout: Layout, device: Any) -> Tensor:
    """Whether a token sees another, shape [T, T]."""
    stretches = torch.arange(len(layout.itself.queries))
    stretch_T = stretches.repeat_interleave(torch.tensor(layout.itself.queries)).to(device)
    counts = torch.tensor([len(its) for its in layout.continuations])
    groups = torch.arange(len(counts))
    group_T = torch.cat([groups, groups.repeat_interleave(counts)]).to(device)[stretch_T]
    begins_T = stretch_T < len(counts)
    same_TT = stretch_T[:, None] == stretch_T
    before_TT = begins_T & (group_T[:, None] == group_T)
    return (same_TT | before_TT).tril()


def _kernel(query: Tensor, value: Tensor, dropout: float) -> AttentionKernel | None:
    """One that fits, or None."""
    device, width = query.device.type, query.shape[-1]
    if dropout or width != value.shape[-1]:
        return None
    if device == "meta":
        return _KERNELS["cpu"]  # its shapes are those of any other
    half = query.dtype in (torch.float16, torch.bfloat16)
    if device not in _KERNELS or (device == "cuda" and not (half and width <= 256 and width % 8 == 0)):
        return None
    return _KERNELS[device] if _is_right(device, query.dtype) else None


@cache
def _is_right(device: str, dtype: torch.dtype) -> bool:
    """Whether the kernel computes what the mask does, backwards too: tried once for each device and format.

    torch's functions for this are not promised to stay as they are.
    """
    generator = torch.Generator().manual_seed(0)
    layout = Layout((5, 3), ((4, 2), (3,)))
    try:
        # Whoever asks first may be in inference mode, in which nothing can be differentiated.
        with torch.inference_mode(False), torch.enable_grad():
            made = [torch.randn(1, heads, 17, 32, generator=generator) for heads in (4, 2, 2)]
            query, key, value = inputs = [one.to(device, dtype).requires_grad_() for one in made]
            ours = _Attended.apply(*inputs, layout, _KERNELS[device], None)  # type: ignore[no-untyped-call]
            theirs = _by_mask(query, key, value, layout, 0.0, None)
            of_ours = torch.autograd.grad(ours.float().square().sum(), inputs)
            of_theirs = torch.autograd.grad(theirs.float().square().sum(), inputs)
    except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return False
    tolerance = 1e-4 if dtype in (torch.float32, torch.float64) else 5e-2
    pairs = zip((ours, *of_ours), (theirs, *of_theirs), strict=True)
    with torch.no_grad():
        return all(bool((a - b).abs().max() < tolerance * b.abs().max()) for a, b in pairs)
