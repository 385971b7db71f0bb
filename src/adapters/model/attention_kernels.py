"""Attention that also says how much it has seen: outputs, and the logarithm of the sum of exponentials.

With that logarithm, what a query makes of two sets of keys, each seen alone, becomes what it makes of both.
And FlashAttention's backward pass (arXiv 2307.08691) needs of a query no more than its output and that
logarithm: given those of all its keys, it hands out the right gradients for any part of them. Shapes: T
tokens, A heads, D width of a head.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any, Protocol

import torch
from transformers.integrations.sdpa_attention import repeat_kv
from transformers.utils.import_utils import is_torch_greater_or_equal

Tensor = torch.Tensor

_SHARES = is_torch_greater_or_equal("2.13")
"""Whether a CPU's kernel knows heads of queries that share keys and values (tried with 2.13)."""
_TILE = 192
"""Queries that a CPU takes at a time where they see what is before them. Its kernel computes what it then
throws away in blocks of 512 keys: 512 tokens in tiles take 0.74 of the time, 1500 take 0.97."""


@dataclass(frozen=True, slots=True)
class Runs:
    """Stretches of queries, one after the other, each with the stretch of keys that it sees.

    Attributes:
        causal: a stretch sees itself, every token what is before it; the lengths are then the same.
    """

    queries: tuple[int, ...]
    keys: tuple[int, ...]
    causal: bool

    def pairs(self) -> Iterator[tuple[slice, slice]]:
        """Where each stretch and its keys are; those without queries are left out."""
        for at, seen in zip(_slices(self.queries), _slices(self.keys), strict=True):
            if at.stop > at.start:
                yield at, seen


def _slices(lengths: tuple[int, ...]) -> list[slice]:
    return [slice(start, stop) for start, stop in pairwise(accumulate(lengths, initial=0))]


class AttentionKernel(Protocol):
    """Both directions of attention over runs; every shape is [1, heads, tokens, D] but for ``logs``."""

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, runs: Runs, scale: float | None
    ) -> tuple[Tensor, Tensor]:
        """Outputs, a view of [1, T, A, D], and their logarithms, shape [1, A, T]."""
        ...

    def backward(
        self,
        gradient: Tensor,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        output: Tensor,
        logs: Tensor,
        runs: Runs,
        scale: float | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of query, key and value.

        Args:
            output: of all keys that a query sees, of which those in ``runs`` may be a part; ``logs`` too.
        """
        ...


class CpuKernel:
    """torch's kernel for CPUs, one run after the other, long ones in tiles."""

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, runs: Runs, scale: float | None
    ) -> tuple[Tensor, Tensor]:
        output, logs = _like(query), None
        for at, seen, how in _tiles(runs, query):
            part, part_logs = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
                query[:, :, at],
                *_for_all_heads(query, key[:, :, seen], value[:, :, seen]),
                **how,
                scale=scale,
            )
            logs = part_logs.new_empty(query.shape[:3]) if logs is None else logs
            output[:, :, at], logs[:, :, at] = part, part_logs
        return output, query.new_empty(query.shape[:3]) if logs is None else logs

    def backward(
        self,
        gradient: Tensor,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        output: Tensor,
        logs: Tensor,
        runs: Runs,
        scale: float | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        over_query, over_key, over_value = _like(query), _like(key).zero_(), _like(value).zero_()
        for at, seen, how in _tiles(runs, query):
            of_query, of_key, of_value = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward(
                gradient[:, :, at],
                query[:, :, at],
                *_for_all_heads(query, key[:, :, seen], value[:, :, seen]),
                output[:, :, at],
                logs[:, :, at],
                **how,
                scale=scale,
            )
            over_query[:, :, at] = of_query
            over_key[:, :, seen] += _summed(of_key, key.shape[1])
            over_value[:, :, seen] += _summed(of_value, key.shape[1])
        return over_query, over_key, over_value


def _tiles(runs: Runs, query: Tensor) -> Iterator[tuple[slice, slice, dict[str, Any]]]:
    """Queries, the keys that they see, and what else the kernel is told."""
    for at, seen in runs.pairs():
        if not runs.causal or at.stop - at.start < 2 * _TILE:
            yield at, seen, {"dropout_p": 0.0, "is_causal": runs.causal}
            continue
        for start in range(at.start, at.stop, _TILE):
            stop = min(start + _TILE, at.stop)
            later = query.new_full((stop - start, stop - at.start), float("-inf")).triu(start - at.start + 1)
            how = {"dropout_p": 0.0, "is_causal": False, "attn_mask": later}
            yield slice(start, stop), slice(at.start, stop), how


def _like(tensor: Tensor) -> Tensor:
    """Laid out as [1, tokens, heads, D], as the layers around attention want it."""
    return torch.empty_like(tensor.transpose(1, 2), memory_format=torch.contiguous_format).transpose(1, 2)


def _for_all_heads(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    groups = query.shape[1] // key.shape[1]
    return (key, value) if _SHARES or groups == 1 else (repeat_kv(key, groups), repeat_kv(value, groups))


def _summed(gradient: Tensor, heads: int) -> Tensor:
    """Of keys that several heads of queries share."""
    return gradient if gradient.shape[1] == heads else gradient.unflatten(1, (heads, -1)).sum(2)


class VarlenKernel:
    """torch's FlashAttention for sequences of various lengths on a GPU, all runs at once."""

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, runs: Runs, scale: float | None
    ) -> tuple[Tensor, Tensor]:
        output_TAD, logs_AT, *_ = torch.ops.aten._flash_attention_forward(
            *map(_tokens_first, (query, key, value)),
            *_extents(runs, query.device),
            0.0,
            runs.causal,
            False,
            scale=scale,
        )
        return output_TAD[None].transpose(1, 2), logs_AT[None]

    def backward(
        self,
        gradient: Tensor,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        output: Tensor,
        logs: Tensor,
        runs: Runs,
        scale: float | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        device = query.device
        made = torch.ops.aten._flash_attention_backward(
            *map(_tokens_first, (gradient, query, key, value, output)),
            logs[0].contiguous(),
            *_extents(runs, device),
            0.0,
            runs.causal,
            # The state of a dropout that there is none of.
            torch.zeros(2, dtype=torch.uint64, device=device),
            torch.empty(0, device=device),
            scale=scale,
        )
        over_query, over_key, over_value = (one[None].transpose(1, 2) for one in made)
        return over_query, over_key, over_value


def _tokens_first(whole: Tensor) -> Tensor:
    return whole[0].transpose(0, 1).contiguous()


@lru_cache(maxsize=16)
def _extents(runs: Runs, device: Any) -> tuple[Tensor, Tensor, int, int]:
    """Where runs begin, for queries and for keys, and the longest of each: for all layers of a pass."""
    starts = [
        torch.tensor([*accumulate(lengths, initial=0)], dtype=torch.int32).to(device, non_blocking=True)
        for lengths in (runs.queries, runs.keys)
    ]
    return starts[0], starts[1], max(runs.queries), max(runs.keys)
