"""Activations computed again in the backward pass instead of kept (Chen et al., arXiv 1604.06174)."""

from __future__ import annotations

from transformers import PreTrainedModel


def compute_again(base: PreTrainedModel, *, offload: bool = False) -> None:
    """Keeps no more than the input of every layer.

    The non-reentrant kind: it lets inputs without gradients through and keeps torch's hooks working.

    Args:
        offload: these inputs wait in the host's memory; on a CPU that is where they are anyway.
    """
    elsewhere = offload and base.device.type != "cpu"
    base.activation_checkpointing_enable({"use_reentrant": False}, offload=elsewhere)
