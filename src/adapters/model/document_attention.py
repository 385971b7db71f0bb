"""Attention of rows laid end to end, row by row: what a mask would throw away is not computed.

Where each row begins travels to the attention layers in the place of their mask, as a tensor of whole numbers
of shape [1, 1, 1, R + 1]: transformers hands a mask of four dimensions on as it is. Its ``sdpa`` function is
replaced by one that knows such a mask and leaves every other to it. On a GPU torch's kernel for sequences of
various lengths takes all rows at once. Shapes: T tokens, R rows, A heads, D width of a head.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from inspect import signature
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch.nn import functional
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.utils.import_utils import is_torch_greater_or_equal

from . import prefix_attention

try:
    from torch.nn.attention import varlen as _varlen_module
except ImportError:  # torch before 2.10
    _varlen_module = None  # type: ignore[assignment]

_varlen: Any = getattr(_varlen_module, "varlen_attn", None)
_OPTIONS = signature(_varlen).parameters if _varlen is not None else {}
"""What the kernel's function can be told changes with torch's versions."""
_SHARES = is_torch_greater_or_equal("2.13")
"""Whether a CPU's kernel knows heads of queries that share keys and values (tried with 2.13)."""
_WINDOWS = ("sliding_window", "attention_chunk_size", "window_size")
_known: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def document_mask(lengths: Sequence[int], device: Any) -> torch.Tensor:
    """Stands in for the mask of rows of these lengths."""
    starts = torch.tensor([0, *lengths], dtype=torch.int32).cumsum(0, dtype=torch.int32)
    mask: Any = starts.to(device)[None, None, None]
    mask.lengths = tuple(lengths)  # so that nobody has to wait for a GPU to know them
    return mask  # type: ignore[no-any-return]


def attends_by_document(model: Any, longest: int) -> bool:
    """Whether the model can be given such a mask for rows up to that length.

    It is tried once on the model itself; one without numbers is believed what transformers says of its class.
    A row that is longer than the window some layers see gets the ordinary mask.
    """
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    config = base.config.get_text_config()
    if config._attn_implementation != "sdpa" or not getattr(base, "_supports_attention_backend", False):
        return False
    if any(longest > window for window in _windows(config)):
        return False
    if base.device.type == "meta":
        return True
    if base not in _known:
        _known[base] = _is_right(model)
    return _known[base]


def _windows(config: Any) -> list[int]:
    return [int(value) for value in (getattr(config, name, None) for name in _WINDOWS) if value]


@torch.no_grad()
def _is_right(model: Any) -> bool:
    """Whether two short rows get the hidden states, as logits, that they get with the ordinary mask."""
    vocabulary = int(model.config.get_text_config().vocab_size)
    lengths, device = (5, 7), model.device
    ids = torch.cat([torch.arange(n) + n for n in lengths]).remainder(vocabulary).to(device)[None]
    positions = torch.cat([torch.arange(n) for n in lengths]).to(device)[None]
    was_training = model.training
    model.eval()
    try:
        usual = model(input_ids=ids, position_ids=positions, use_cache=False).logits.float()
        mask = document_mask(lengths, device)
        ours = model(
            input_ids=ids, position_ids=positions, attention_mask=mask, use_cache=False
        ).logits.float()
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError):
        return False  # it does something with masks that this one is not made for
    finally:
        model.train(was_training)
    scale = usual.abs().max().clamp(min=1.0)
    return bool((usual - ours).abs().max() / scale < (1e-5 if model.dtype == torch.float32 else 5e-2))


def _attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, Any]:
    """transformers' function, with shapes [1, A, T, D] in and [1, T, A, D] out."""
    if attention_mask is None or attention_mask.dtype not in (torch.int32, torch.int64):
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **options
        )
    if options.get("softcap") is not None or options.get("position_bias") is not None:
        raise ValueError("attention by document knows neither soft limits nor biases of positions")
    if attention_mask.dtype == torch.int64:
        return prefix_attention.attend(query, key, value, attention_mask, dropout, scaling), None
    lengths = getattr(attention_mask, "lengths", None) or attention_mask.flatten().diff().tolist()
    if _varlen is not None and _fits_kernel(query, value, dropout):
        return _at_once(query, key, value, attention_mask.flatten(), max(lengths), scaling), None
    return _one_by_one(query, key, value, lengths, dropout, scaling), None


def _fits_kernel(query: torch.Tensor, value: torch.Tensor, dropout: float) -> bool:
    half = query.dtype in (torch.float16, torch.bfloat16)
    return query.device.type == "cuda" and half and not dropout and query.shape[-1] == value.shape[-1] <= 256


def _at_once(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    starts: torch.Tensor,
    longest: int,
    scaling: float | None,
) -> torch.Tensor:
    """By the kernel for sequences of various lengths (FlashAttention 2, arXiv 2307.08691)."""
    groups = query.shape[1] // key.shape[1]
    options: dict[str, Any] = {"window_size": (-1, 0)} if "window_size" in _OPTIONS else {"is_causal": True}
    if groups > 1 and "enable_gqa" in _OPTIONS:
        options["enable_gqa"] = True
    else:
        key, value = repeat_kv(key, groups), repeat_kv(value, groups)
    parts = (whole[0].transpose(0, 1) for whole in (query, key, value))
    output: torch.Tensor = _varlen(*parts, starts, starts, longest, longest, scale=scaling, **options)
    return output[None]


def _one_by_one(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    lengths: Sequence[int],
    dropout: float,
    scaling: float | None,
) -> torch.Tensor:
    """Row after row."""
    groups = query.shape[1] // key.shape[1]
    options: dict[str, Any] = {}
    if groups > 1 and _SHARES and query.device.type != "cuda":
        options["enable_gqa"] = True
    else:
        key, value = repeat_kv(key, groups), repeat_kv(value, groups)
    attend = partial(
        functional.scaled_dot_product_attention, dropout_p=dropout, scale=scaling, is_causal=True, **options
    )
    outputs = [
        attend(*parts)
        for parts in zip(*(whole.split(list(lengths), 2) for whole in (query, key, value)), strict=True)
    ]
    return torch.cat([output.transpose(1, 2) for output in outputs], 1)


ALL_ATTENTION_FUNCTIONS.register("sdpa", _attention)
