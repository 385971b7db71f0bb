"""Short names for weights: other weights, another name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

_SAMPLED = 64
"""Values of a tensor that are looked at. Training or quantising a model changes nearly all of its values, so
a few of every tensor tell; to read all of a large model's would take minutes on a GPU."""


def weights_print(model: Any) -> str:
    """Of the frozen weights: names, shapes, formats, and values taken evenly from every tensor."""
    digest = hashlib.sha256()
    samples: list[torch.Tensor] = []
    for name, weight in _frozen(model):
        digest.update(f"{name} {tuple(weight.shape)} {weight.dtype}\n".encode())
        samples += map(_sample, _parts(weight))
    for device in sorted({str(sample.device) for sample in samples}):
        there = [sample for sample in samples if str(sample.device) == device]
        digest.update(torch.cat(there).cpu().numpy().tobytes())
    return digest.hexdigest()


def trained_print(model: Any) -> str:
    """Of the weights that are trained: names and shapes, their values being what a training changes."""
    digest = hashlib.sha256()
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            digest.update(f"{name} {tuple(weight.shape)} {weight.dtype}\n".encode())
    return digest.hexdigest()


def _frozen(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    return ((name, weight) for name, weight in model.named_parameters() if not weight.requires_grad)


def _parts(weight: torch.Tensor) -> Iterator[torch.Tensor]:
    """What a weight is stored in; nothing of one that waits elsewhere, as on a disk."""
    if is_traceable_wrapper_subclass(weight):  # torchao's
        names, _ = weight.__tensor_flatten__()
        for name in names:
            yield from _parts(getattr(weight, name))
    elif weight.device.type != "meta":
        yield weight


def _sample(weight: torch.Tensor) -> torch.Tensor:
    """Bytes of some values, at even distances."""
    flat = weight.detach().reshape(-1)
    step = max(flat.numel() // _SAMPLED, 1)
    return flat[::step].contiguous().view(torch.uint8)
