"""Which device and which number format a model is computed in."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from ...domain.errors import ModelError


def chosen_device(wanted: str) -> str:
    """``cuda`` or ``cpu``; auto takes a GPU if there is one.

    Raises:
        ModelError: M005 when a GPU is asked for and none is here.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ModelError(
            "M005",
            "no CUDA device is here",
            got="device cuda",
            fix="set training.device to auto or cpu",
        )
    return wanted if wanted != "auto" else "cuda" if torch.cuda.is_available() else "cpu"


def take_own_gpu(device: str) -> None:
    """Makes ``cuda`` the GPU that torchrun means for this process, where there are several processes."""
    if device == "cuda" and "LOCAL_RANK" in os.environ:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))


def chosen_dtype(wanted: str, device: str) -> str:
    """The named dtype; auto takes what the device computes fast and keeps the weights small with.

    A GPU without units for bfloat16 gets float16. A CPU gets bfloat16 only with units for it, where a step
    takes half the time of one in float32; without them it takes about fifty times as long.
    """
    if wanted != "auto":
        return wanted
    if device != "cuda":
        return "bfloat16" if cpu_has_bfloat16() else "float32"
    return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"


def planned_device(wanted: str) -> str:
    """The device of a plan, which need not be here."""
    return "cuda" if wanted == "cuda" else chosen_device(wanted)


def planned_dtype(wanted: str, device: str) -> str:
    """The number format of a plan; a GPU that is not here is taken for one of today."""
    here = device != "cuda" or torch.cuda.is_available()
    return "bfloat16" if wanted == "auto" and not here else chosen_dtype(wanted, device)


def cpu_has_bfloat16() -> bool:
    """Whether the processor has units for bfloat16, as far as the system tells."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith(("flags", "Features"))), "").split()
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(flags)
