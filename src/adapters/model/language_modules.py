"""The parts of a model of transformers that read and write text."""

from __future__ import annotations

import torch
from torch.nn.utils.parametrize import ParametrizationList
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

_TOWERS = ("vision_tower", "vision_model", "visual", "audio_tower", "multi_modal_projector")
"""What transformers calls the parts that do not."""


def linear_modules(base: PreTrainedModel) -> list[str]:
    """Full names of the linear layers, without the projection to the vocabulary."""
    head = base.get_output_embeddings()
    return [
        name
        for name, module in base.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not head and _is_language(name)
    ]


def quantisable_modules(base: PreTrainedModel) -> list[str]:
    """Full names of what quantizers convert: linear layers of any part, derived classes only of these."""
    head, language = base.get_output_embeddings(), set(linear_modules(base))
    plain = (torch.nn.Linear, Conv1D)
    return [
        name
        for name, module in base.named_modules()
        if name in language or (type(module) in plain and module is not head)
    ]


def expert_parameters(base: PreTrainedModel) -> list[str]:
    """Full names of the parameters that hold one matrix per expert."""
    return [name for name, weight in base.named_parameters() if weight.ndim == 3 and ".experts." in name]


def other_modules(base: PreTrainedModel) -> list[str]:
    """Full names of what could be taken for one of those layers by the end of its name.

    These are linear layers of what does not read text, in models that also see, and quantised experts.
    """
    return [
        name
        for name, module in base.named_modules()
        if isinstance(module, ParametrizationList)
        or (isinstance(module, torch.nn.Linear) and not _is_language(name))
    ]


def _is_language(name: str) -> bool:
    return not any(part in _TOWERS for part in name.split("."))
