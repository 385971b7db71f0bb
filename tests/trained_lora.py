"""LoRA weights that say something, without a training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cesello.domain.model_spec import LoraSpec, ModelSpec

if TYPE_CHECKING:
    from cesello.adapters.model.hf_provider import HfModelProvider

ALL_LINEAR = LoraSpec(dropout=0.0, target_modules="all-linear")


def save_trained(
    provider: HfModelProvider, model: ModelSpec, folder: Path, lora: LoraSpec = ALL_LINEAR
) -> None:
    """Saves fresh LoRA weights after moving everything that is trained by random amounts."""
    import torch

    policy = provider.load(model, lora, seed=0)
    random = torch.Generator().manual_seed(1)
    tuned: Any = policy.model
    with torch.no_grad():
        for name, weight in tuned.named_parameters():
            if weight.requires_grad:
                spread = 0.02 if "lora_magnitude" in name or "modules_to_save" in name else 0.05
                weight += spread * torch.randn(weight.shape, generator=random).to(weight)
    policy.save(folder)
