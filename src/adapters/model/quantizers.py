"""How frozen weights are stored: as they are, or by bitsandbytes in 4 or 8 bits."""

from __future__ import annotations

import torch
from transformers import BitsAndBytesConfig


class NoQuantizer:
    """Weights stay in their dtype."""

    name = "none"

    def load_options(self, device: str, compute_dtype: str) -> dict[str, object]:
        """Nothing: see the port."""
        return {}


class Nf4Quantizer:
    """4-bit NormalFloat with optional double quantisation (Dettmers et al., QLoRA, arXiv 2305.14314)."""

    name = "nf4"

    def __init__(self, double_quant: bool = True, compute_dtype: str = "auto") -> None:
        self._double_quant = double_quant
        self._compute_dtype = compute_dtype

    def load_options(self, device: str, compute_dtype: str) -> dict[str, object]:
        """transformers' options; ``compute_dtype`` is used where the recipe says auto."""
        chosen = compute_dtype if self._compute_dtype == "auto" else self._compute_dtype
        config = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=self._double_quant,
            bnb_4bit_compute_dtype=getattr(torch, chosen),
        )
        return {"quantization_config": config, "device_map": {"": device}}


class Int8Quantizer:
    """8-bit rows with outliers kept apart (Dettmers et al., LLM.int8(), arXiv 2208.07339)."""

    name = "int8"

    def load_options(self, device: str, compute_dtype: str) -> dict[str, object]:
        """transformers' options."""
        return {
            "quantization_config": BitsAndBytesConfig(load_in_8bit=True),
            "device_map": {"": device},
        }
