"""What a device could do at most, and what it holds."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import torch

_SIDES = {"cpu": (256, 1024), "cuda": (8192,)}
"""Of the matrices, the largest last. A format that a processor has no units for, as float16 often, is told by
the small ones: a product of the large ones takes seconds then."""

_LONG = 0.005
"""Seconds of a product that is not followed by a larger one."""

_ROUNDS = 4


def measured_peak(model: Any) -> float | None:
    """Operations per second in a product of square matrices, in the format that the model computes in.

    A LoRA step takes at least 4 N of them per token: 2 N forward, 2 N for the gradients of activations;
    frozen weights need none of their own.

    Returns:
        None on a device that nobody measured this on.
    """
    return _peak(model.device.type, model.dtype) if model.device.type in _SIDES else None


@cache
def _peak(device: str, dtype: torch.dtype) -> float:
    seconds, peak = 0.0, 0.0
    for side in _SIDES[device]:
        if seconds < _LONG:
            generator = torch.Generator(device).manual_seed(0)
            matrix = torch.randn(side, side, device=device, generator=generator).to(dtype)
            seconds = min(_seconds_of_product(matrix) for _ in range(_ROUNDS))
            peak = 2.0 * side**3 / seconds
    return peak


def _seconds_of_product(matrix: torch.Tensor) -> float:
    if matrix.device.type == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    torch.mm(matrix, matrix)
    if matrix.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def device_memory(device: torch.device) -> int | None:
    """Bytes that were held at most: by tensors on a GPU, by the process on a CPU; None where nobody tells."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
