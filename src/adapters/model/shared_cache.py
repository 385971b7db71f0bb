"""Keys and values of completions that share their prompts', and attention over both parts.

A prompt's are kept once for its group. What the completions add lies in a block beside them that grows; rows
of several groups make one batch, since each row's prompt is looked at for itself: nothing is padded.
transformers hands what ``update`` returns on to its attention function. The keys carry where they come from,
and the ``sdpa`` function is replaced by one that knows such keys and leaves all others to the one before.
Shapes: B rows, A heads, N heads of keys and values, g = A / N, P tokens of a prompt, T new tokens, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicCache
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from . import document_attention as _registers_first  # noqa: F401

_STEP = 64
"""Tokens by which the block grows."""


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one group, one after the other in the batch."""

    prompt: Prompt
    rows: int


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model keeps of a prompt.

    Attributes:
        keys: of each layer, shape [N, P, D]; the values' likewise.
        logits_V: of the token after it.
    """

    keys: tuple[torch.Tensor, ...]
    values: tuple[torch.Tensor, ...]
    logits_V: torch.Tensor
    length: int


def prompt_of(cache: DynamicCache, logits_V: torch.Tensor, length: int) -> Prompt:
    """Of a cache that a prompt was put through, alone.

    Raises:
        AttributeError: a layer keeps something else than keys and values.
    """
    layers: Any = cache.layers
    keys, values = tuple(layer.keys[0] for layer in layers), tuple(layer.values[0] for layer in layers)
    return Prompt(keys, values, logits_V, length)


class SharedCache(Cache):
    """Of a batch that writes its first tokens, one a step and row."""

    def __init__(self, parts: Sequence[Part]) -> None:
        super().__init__(layers=[])
        self.parts = [part for part in parts if part.rows]
        self._blocks: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self.added = 0

    def positions(self, device: torch.device) -> torch.Tensor:
        """Of the tokens that come next, shape [B, 1]."""
        rows = [part.prompt.length + self.added for part in self.parts for _ in range(part.rows)]
        return torch.tensor(rows, device=device)[:, None]

    def keep(self, rows: Sequence[int]) -> None:
        """Lets go of all other rows."""
        left, first = [], 0
        for part in self.parts:
            left.append(Part(part.prompt, sum(first <= row < first + part.rows for row in rows)))
            first += part.rows
        self.parts = [part for part in left if part.rows]
        for layer, (keys, values) in self._blocks.items():
            chosen = torch.tensor(rows, device=keys.device)
            self._blocks[layer] = keys.index_select(0, chosen), values.index_select(0, chosen)

    def update(self, key_states: Any, value_states: Any, layer_idx: int, *_: Any, **__: Any) -> Any:
        """Takes in what a step adds, shapes [B, N, 1, D]; what is returned is for ``_attention`` alone."""
        if layer_idx == 0:
            self.added += 1
        keys, values = self._room(layer_idx, key_states, value_states)
        keys[:, :, self.added - 1] = key_states[:, :, 0]
        values[:, :, self.added - 1] = value_states[:, :, 0]
        key_states.shared = (self, layer_idx)
        return key_states, value_states

    def get_seq_length(self, *_: Any, **__: Any) -> int:
        return self.added

    def _room(self, layer: int, key: Any, value: Any) -> tuple[torch.Tensor, torch.Tensor]:
        block = self._blocks.get(layer)
        if block is None or block[0].shape[2] < self.added:
            more = [one.new_empty(*one.shape[:2], _STEP, one.shape[3]) for one in (key, value)]
            block = (more[0], more[1]) if block is None else _longer(block, more)
            self._blocks[layer] = block
        return block

    def attend(self, layer: int, query: torch.Tensor, scaling: float) -> torch.Tensor:
        """What the rows see, shape [B, 1, A, D], of queries of shape [B, A, 1, D]."""
        keys, values = (one[:, :, : self.added].flatten(0, 1) for one in self._blocks[layer])
        rows, heads, _, width = query.shape
        shared = len(keys) // rows
        query = (query * scaling).view(rows * shared, heads // shared, width)
        own = torch.bmm(query, keys.transpose(1, 2))
        sums, weights, first = [], [], 0
        for part in self.parts:
            here = slice(first * shared, (first + part.rows) * shared)
            seen, weight = _over_prompt(part, layer, shared, query[here], own[here])
            sums.append(seen)
            weights.append(weight)
            first += part.rows
        whole = torch.baddbmm(_joined(sums), _joined(weights), values)
        return whole.view(rows, 1, heads, width)


def _over_prompt(
    part: Part, layer: int, shared: int, query: torch.Tensor, own: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """What a group's rows see of the prompt, and the weights of what they wrote themselves.

    Args:
        query: shape [b N, g, D] for b rows; ``own``, what they make of their own tokens, [b N, g, T].
    """
    keys, values = part.prompt.keys[layer], part.prompt.values[layer]
    scores = torch.bmm(_by_head(query, shared), keys.transpose(1, 2))
    weights = torch.cat([scores, _by_head(own, shared)], -1).softmax(-1)
    length = keys.shape[1]
    seen = torch.bmm(weights[..., :length], values)
    return _by_row(seen, part.rows), _by_row(weights[..., length:], part.rows)


def _by_head(rows: torch.Tensor, shared: int) -> torch.Tensor:
    """From [b N, g, X] to [N, b g, X]: all that look at the same keys together."""
    together: torch.Tensor = rows.unflatten(0, (-1, shared)).transpose(0, 1).flatten(1, 2)
    return together


def _by_row(heads: torch.Tensor, rows: int) -> torch.Tensor:
    """Back, from [N, b g, X] to [b N, g, X]."""
    back: torch.Tensor = heads.unflatten(1, (rows, -1)).transpose(0, 1).flatten(0, 1)
    return back


def _longer(block: tuple[torch.Tensor, torch.Tensor], more: Sequence[Any]) -> Any:
    return tuple(torch.cat([old, new], 2) for old, new in zip(block, more, strict=True))


def _joined(parts: list[torch.Tensor]) -> torch.Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _attention(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, *args: Any, **options: Any
) -> Any:
    """transformers' function; ``scaling`` is what queries are multiplied by."""
    shared = getattr(key, "shared", None)
    if shared is None:
        return _before(module, query, key, value, attention_mask, *args, **options)
    if any(options.get(name) is not None for name in ("softcap", "position_bias", "s_aux")):
        raise ValueError("shared prompts know neither soft limits nor biases of positions nor sinks")
    cache, layer = shared
    scaling = options.get("scaling")
    return cache.attend(layer, query, query.shape[-1] ** -0.5 if scaling is None else scaling), None


_before: Any = ALL_ATTENTION_FUNCTIONS["sdpa"]
ALL_ATTENTION_FUNCTIONS.register("sdpa", _attention)
