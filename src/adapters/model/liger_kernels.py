"""Liger's kernels for norms and rotary positions, where they are installed and a GPU is (arXiv 2410.10989).

Their loss and feed-forward block are left off: what cesello has keeps less and knows LoRA weights.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from transformers import PreTrainedModel

from ...domain.errors import ModelError


def use_liger(base: PreTrainedModel) -> None:
    """Changes the model in place, before it gets LoRA weights; rotations change for its whole architecture.

    Raises:
        ModelError: M005 when they cannot be used here.
    """
    if find_spec("liger_kernel") is None or base.device.type != "cuda":
        raise ModelError(
            "M005",
            "Liger's kernels cannot be used here",
            got="no liger-kernel" if find_spec("liger_kernel") is None else f"a model on {base.device.type}",
            expected="the package liger-kernel and a CUDA device",
            fix='pip install "cesello[liger]" on a machine with a GPU, or leave them off',
        )
    patches: Any = import_module("liger_kernel.transformers.monkey_patch")
    patches._apply_liger_kernel_to_instance(
        base,
        rope=True,
        rms_norm=True,
        swiglu=False,
        geglu=False,
        cross_entropy=False,
        fused_linear_cross_entropy=False,
    )
