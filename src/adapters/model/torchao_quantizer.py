"""Weights in 8 bits by torchao, as plain tensors that need no kernels of their own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import TorchAoConfig

from ...domain.errors import ModelError
from ...domain.quantization import eight_bit_bytes


class TorchaoInt8Quantizer:
    """Each row in 8 bits with one scale, made whole again where it is multiplied.

    torchao's 4-bit weights need kernels that a CPU does not have and PEFT cannot train beside.
    """

    name = "torchao_int8"

    def load_options(self, compute_dtype: str) -> dict[str, object]:
        """transformers' options.

        Raises:
            ModelError: M009 when torchao is not installed.
        """
        try:
            from torchao.quantization import Int8WeightOnlyConfig
        except ImportError as cause:
            raise ModelError(
                "M009",
                "the quantizer torchao_int8 needs the package torchao",
                where="quantizer.name",
                fix='run `pip install "cesello[torchao]"`, or choose int8 or nf4',
            ) from cause
        return {"quantization_config": TorchAoConfig(Int8WeightOnlyConfig())}

    def complete(self, base: object, keep: Sequence[str] = ()) -> None:
        """Nothing: see the port."""

    def stored_bytes(self, rows: int, columns: int, compute_dtype: str) -> int | None:
        scale = torch.empty((), dtype=getattr(torch, compute_dtype)).element_size()
        return eight_bit_bytes(rows, columns, scale_bytes=scale)
