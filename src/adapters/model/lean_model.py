"""All that makes the layers of a model with LoRA weights compute in fewer passes and keep less."""

from __future__ import annotations

from typing import Any

from .lean_lora import make_layers_lean
from .lean_mlp import make_mlps_lean
from .lean_norm import make_norms_lean
from .lean_rotation import make_rotations_lean


def make_lean(model: Any) -> None:
    """Changes a model in place; what it computes stays the same."""
    make_layers_lean(model)
    make_mlps_lean(model)
    make_norms_lean(model)
    make_rotations_lean(model)
