"""A model whose weights are spread over the processes: torch's fully sharded data parallel, second edition.

Every process holds a part of each weight; a layer's are brought together when it computes and let go after
(Rajbhandari et al., arXiv 1910.02054, stage 3; torch's ``fully_shard``). Gradients come back as parts too.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from ...domain.errors import ModelError
from ..model.dequantise import is_quantised


def shard(model: Any) -> None:
    """Spreads a model's weights over all processes, layer by layer.

    Raises:
        ModelError: M022 for weights that cannot be spread.
    """
    if any(is_quantised(weight) for weight in model.parameters()):
        raise ModelError(
            "M022",
            "quantised weights cannot be spread over processes",
            where="training.strategy",
            got="fsdp with a quantizer",
            fix="set training.strategy to ddp, or quantizer.name to none",
        )
    mesh = init_device_mesh(model.device.type, (distributed.get_world_size(),))
    for layer in _layers(model):
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """All of a tensor; where it is spread, every process must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def spread_like(tensor: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """This process's part of a tensor, where it is of a spread weight's shape; otherwise all of it."""
    if isinstance(weight, DTensor) and tensor.shape == weight.shape:
        return distribute_tensor(tensor.to(weight.device), weight.device_mesh, weight.placements)
    return tensor


def _layers(model: Any) -> list[Any]:
    """The blocks that transformers calls indivisible."""
    names = set(getattr(model.get_base_model(), "_no_split_modules", None) or ())
    return [module for module in model.modules() if type(module).__name__ in names]
