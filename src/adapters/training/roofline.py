"""What a device could do at most, and what it holds."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import torch

_SIDE = {"cpu": 1024, "cuda": 8192}
_ROUNDS = 4


def measured_peak(model: Any) -> float | None:
    """Operations per second in a product of square matrices, in the format that the model computes in.

    A LoRA step takes at least 4 N of them per token: 2 N forward, 2 N for the gradients of activations;
    frozen weights need none of their own.

    Returns:
        None on a device that nobody measured this on.
    """
    return _peak(model.device.type, model.dtype) if model.device.type in _SIDE else None


@cache
def _peak(device: str, dtype: torch.dtype) -> float:
    side = _SIDE[device]
    matrix = torch.randn(side, side, device=device, generator=torch.Generator(device).manual_seed(0)).to(
        dtype
    )
    seconds = min(_seconds_of_product(matrix) for _ in range(_ROUNDS))
    return 2.0 * side**3 / seconds


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
