"""How frozen weights are stored: as they are, or by bitsandbytes in 4 or 8 bits."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from transformers import BitsAndBytesConfig, PreTrainedModel

from ...domain.quantization import eight_bit_bytes, four_bit_bytes
from .bitsandbytes_rest import quantise_experts, quantise_linear_rest


class NoQuantizer:
    """Weights stay in their dtype."""

    name = "none"

    def load_options(self, compute_dtype: str) -> dict[str, object]:
        """Nothing: see the port."""
        return {}

    def complete(self, base: object, keep: Sequence[str] = ()) -> None:
        """Nothing: see the port."""

    def stored_bytes(self, shape: Sequence[int], compute_dtype: str) -> int | None:
        """None: see the port."""
        return None


class FourBitQuantizer:
    """4 bits a weight, with optional double quantisation (Dettmers et al., QLoRA, arXiv 2305.14314).

    Args:
        name: ``nf4``, whose 16 values are spaced for normally distributed weights, or ``fp4``.
        double_quant: the scales are quantised too.
        storage: the dtype the packed bytes are kept in; sharding engines want that of the other weights.
    """

    def __init__(
        self,
        name: str = "nf4",
        double_quant: bool = True,
        compute_dtype: str = "auto",
        storage: str = "uint8",
    ) -> None:
        self.name = name
        self._double_quant = double_quant
        self._compute_dtype = compute_dtype
        self._storage = storage

    def load_options(self, compute_dtype: str) -> dict[str, object]:
        """transformers' options; ``compute_dtype`` is used where the recipe says auto."""
        chosen = compute_dtype if self._compute_dtype == "auto" else self._compute_dtype
        config = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=self.name,
            bnb_4bit_use_double_quant=self._double_quant,
            bnb_4bit_compute_dtype=getattr(torch, chosen),
            bnb_4bit_quant_storage=getattr(torch, self._storage),
        )
        return {"quantization_config": config}

    def complete(self, base: object, keep: Sequence[str] = ()) -> None:
        assert isinstance(base, PreTrainedModel)
        config = base.config.quantization_config
        quantise_linear_rest(base, config)
        quantise_experts(base, config, keep)

    def stored_bytes(self, shape: Sequence[int], compute_dtype: str) -> int | None:
        return four_bit_bytes(prod(shape), double_quant=self._double_quant)


class Int8Quantizer:
    """8-bit rows with outliers kept apart (Dettmers et al., LLM.int8(), arXiv 2208.07339)."""

    name = "int8"

    def load_options(self, compute_dtype: str) -> dict[str, object]:
        """transformers' options."""
        return {"quantization_config": BitsAndBytesConfig(load_in_8bit=True)}

    def complete(self, base: object, keep: Sequence[str] = ()) -> None:
        assert isinstance(base, PreTrainedModel)
        quantise_linear_rest(base, base.config.quantization_config)

    def stored_bytes(self, shape: Sequence[int], compute_dtype: str) -> int | None:
        return eight_bit_bytes(*shape) if len(shape) == 2 else None
