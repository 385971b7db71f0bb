"""Weights in 8 bits by torchao, as plain tensors that need no kernels of their own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel, TorchAoConfig
from transformers.pytorch_utils import Conv1D

from ...domain.errors import ModelError
from ...domain.quantization import eight_bit_bytes
from .language_modules import linear_modules


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
        assert isinstance(base, PreTrainedModel)
        for name in linear_modules(base):
            layer = base.get_submodule(name)
            if isinstance(layer, Conv1D):
                base.set_submodule(name, _quantised(layer))
            elif isinstance(layer, torch.nn.Linear) and type(layer) is not torch.nn.Linear:
                # Falcon's layers multiply by the weight's transpose, which torchao's weights do not have.
                base.set_submodule(name, _plain(layer, torch.nn.Parameter(layer.weight, requires_grad=False)))

    def stored_bytes(self, shape: Sequence[int], compute_dtype: str) -> int | None:
        return eight_bit_bytes(*shape) if len(shape) == 2 else None


def _quantised(layer: Conv1D) -> torch.nn.Linear:
    """GPT-2's linear layers hold their weight the other way round, and torchao leaves them as they are."""
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    new = _plain(layer, torch.nn.Parameter(layer.weight.T.contiguous(), requires_grad=False))
    quantize_(new, Int8WeightOnlyConfig())
    return new


def _plain(layer: torch.nn.Linear | Conv1D, weight: torch.nn.Parameter) -> torch.nn.Linear:
    """A linear layer like any other, with that weight and the layer's bias."""
    outputs, inputs = weight.shape
    new = torch.nn.Linear(inputs, outputs, device="meta")
    new.weight, new.bias = weight, layer.bias
    return new
