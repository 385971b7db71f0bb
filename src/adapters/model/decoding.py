"""A batch of completions that a model writes, one token a step: with prompts shared, or each row for itself.

Whether a model can share prompts is tried once on the model itself. What cannot, an architecture that keeps
something else than keys and values, or looks through windows, has the prompt's cache of transformers repeated
for each completion. Shapes: B rows, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import torch
from transformers.cache_utils import DynamicCache

from .document_attention import attends_by_document
from .shared_cache import Part, Prompt, SharedCache, prompt_of

_known: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


class Decoding(Protocol):
    """Rows of a batch, in order."""

    logits_BV: torch.Tensor
    """Of the tokens that come next."""

    def step(self, ids_B: torch.Tensor) -> None:
        """The model reads these tokens."""
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """All other rows have ended."""
        ...


class SharedDecoding:
    """Groups of completions, each group of one prompt."""

    def __init__(self, model: Any, parts: Sequence[Part]) -> None:
        self._model = model
        self._cache = SharedCache(parts)
        self._mask = torch.zeros(1, 1, 1, 1, device=model.device)  # of four dimensions: none is made
        self.logits_BV = torch.cat([part.prompt.logits_V.expand(part.rows, -1) for part in parts])

    def step(self, ids_B: torch.Tensor) -> None:
        self.logits_BV = self._model(
            input_ids=ids_B[:, None],
            position_ids=self._cache.positions(ids_B.device),
            attention_mask=self._mask,
            past_key_values=self._cache,
            use_cache=True,
        ).logits[:, -1]

    def keep(self, rows: Sequence[int]) -> None:
        self._cache.keep(rows)


class RepeatedDecoding:
    """Completions of one prompt."""

    def __init__(self, model: Any, ids: Sequence[int], rows: int) -> None:
        self._model = model
        self._cache, logits_V = _read(model, ids)
        self._cache.batch_repeat_interleave(rows)
        self.logits_BV = logits_V.expand(rows, -1)

    def step(self, ids_B: torch.Tensor) -> None:
        self.logits_BV = self._model(
            input_ids=ids_B[:, None], past_key_values=self._cache, use_cache=True
        ).logits[:, -1]

    def keep(self, rows: Sequence[int]) -> None:
        self._cache.batch_select_indices(torch.tensor(rows, device=self._model.device))


def read_prompt(model: Any, ids: Sequence[int]) -> Prompt:
    """What completions of a prompt share."""
    return prompt_of(*_read(model, ids), len(ids))


def shares_prompts(model: Any, longest: int) -> bool:
    """Whether ``SharedDecoding`` is right for prompts and completions that together have so many tokens."""
    if not attends_by_document(model, longest):
        return False
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    if base not in _known:
        _known[base] = _is_right(model)
    return _known[base]


def bytes_of_token(model: Any) -> int:
    """What is kept of a token, of all layers."""
    config = model.config.get_text_config()
    heads = int(config.num_attention_heads)
    width = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
    kept = int(getattr(config, "num_key_value_heads", None) or heads)
    return 2 * int(config.num_hidden_layers) * kept * width * model.dtype.itemsize  # type: ignore[no-any-return]


def _read(model: Any, ids: Sequence[int]) -> tuple[Any, torch.Tensor]:
    cache = DynamicCache(config=model.config)
    ids_1P = torch.tensor([list(ids)], device=model.device)
    output = model(input_ids=ids_1P, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return cache, output.logits[0, -1]


@torch.inference_mode()
def _is_right(model: Any) -> bool:
    """Whether two groups of rows get the logits that each gets alone."""
    vocabulary = int(model.config.get_text_config().vocab_size)
    prompts = [[(3 * at + n) % vocabulary for at in range(n)] for n in (5, 7)]
    written = torch.arange(3 * 3, device=model.device).view(3, 3).mul(5).remainder(vocabulary)
    try:
        parts = [Part(read_prompt(model, ids), rows) for ids, rows in zip(prompts, (2, 1), strict=True)]
        ours = _steps(SharedDecoding(model, parts), written)
        usual = torch.cat(
            [
                _steps(RepeatedDecoding(model, prompts[0], 2), written[:2]),
                _steps(RepeatedDecoding(model, prompts[1], 1), written[2:]),
            ]
        )
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError):
        return False  # it does something with its cache that this one is not made for
    scale = usual.abs().max().clamp(min=1.0)
    return bool((usual - ours).abs().max() / scale < (1e-5 if model.dtype == torch.float32 else 5e-2))


def _steps(decoding: Decoding, written_BL: torch.Tensor) -> torch.Tensor:
    """The logits after each of some tokens, shape [B, L, V]."""
    seen = []
    for ids_B in written_BL.unbind(1):
        decoding.step(ids_B)
        seen.append(decoding.logits_BV.float())
    return torch.stack(seen, 1)
