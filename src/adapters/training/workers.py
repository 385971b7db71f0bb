"""The processes that share a training. Alone, every function here does nothing.

Data parallel: all processes hold the same weights and walk the same order of steps; each computes its share
of a step's forward passes, and the gradients are added up once a step. LoRA weights are few, so that is one
short message, and nothing of it needs to overlap with the computing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import torch
from torch import distributed

from ...domain.errors import RetryableError

_Item = TypeVar("_Item")


def count() -> int:
    """How many there are."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def number() -> int:
    """Which this is, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def share(passes: Sequence[_Item], *, evenly: bool = False) -> Iterator[tuple[int, _Item, float]]:
    """Those of a step's passes that are this process's.

    Args:
        evenly: every process gets as many, since all of them compute together; what fills up counts nothing.

    Yields:
        Its place among all, the pass, and what it counts: 1 or 0.
    """
    for index in range(number(), len(passes), count()):
        yield index, passes[index], 1.0
    if evenly and number() >= len(passes) % count() > 0:
        yield len(passes), passes[0], 0.0


def add_up(tensors: Sequence[torch.Tensor]) -> None:
    """Makes every tensor the sum of those of all processes, in one message per number format."""
    if count() == 1:
        return
    # In an order that all processes have: that of a set of formats differs from one to the next.
    for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
        alike = [tensor for tensor in tensors if tensor.dtype == dtype]
        flat = torch.cat([tensor.flatten() for tensor in alike])
        distributed.all_reduce(flat)
        for tensor, part in zip(alike, flat.split([one.numel() for one in alike]), strict=True):
            tensor.copy_(part.view_as(tensor))


def least(tensor: torch.Tensor) -> torch.Tensor:
    """The least of all processes, number by number."""
    if count() == 1:
        return tensor
    found = tensor.clone()
    distributed.all_reduce(found, distributed.ReduceOp.MIN)
    return found


def told_by_all(text: str) -> list[str]:
    """What every process says, in the order of the processes; ASCII."""
    if count() == 1:
        return [text]
    mine = torch.frombuffer(bytearray(text, "ascii"), dtype=torch.uint8)
    lengths = _gathered(torch.tensor([len(mine)]))
    sent = torch.zeros(int(max(lengths)), dtype=torch.uint8)
    sent[: len(mine)] = mine
    texts = _gathered(sent)
    return [
        bytes(one[: int(length)].tolist()).decode("ascii") for one, length in zip(texts, lengths, strict=True)
    ]


def _gathered(tensor: torch.Tensor) -> list[torch.Tensor]:
    """Of one shape in all processes."""
    mine = tensor.to(_device())
    found = [torch.empty_like(mine) for _ in range(count())]
    distributed.all_gather(found, mine)
    return [one.cpu() for one in found]


def same_for_all(*figures: float) -> list[float]:
    """The first process's figures, so that all of them decide alike."""
    if count() == 1:
        return list(figures)
    told = torch.tensor(figures, dtype=torch.float64, device=_device())
    distributed.broadcast(told, 0)
    return list(told.tolist())


def give(tensor: torch.Tensor) -> torch.Tensor:
    """Makes a tensor that of the first process."""
    if count() > 1:
        distributed.broadcast(tensor, 0)
    return tensor


def any_of(signal_number: int | None) -> int | None:
    """The signal that any process was sent."""
    if count() == 1:
        return signal_number
    found = torch.tensor([signal_number or 0], device=_device())
    distributed.all_reduce(found, distributed.ReduceOp.MAX)
    return int(found.item()) or None


def any_is(here: bool) -> bool:
    """Whether it is so in any process."""
    if count() == 1:
        return here
    found = torch.tensor([int(here)], device=_device())
    distributed.all_reduce(found, distributed.ReduceOp.MAX)
    return bool(found.item())


def check_alike(*numbers: int) -> None:
    """Refuses to begin where processes would not take the same steps.

    Raises:
        RetryableError: T077.
    """
    if count() == 1:
        return
    mine = torch.tensor(numbers, dtype=torch.int64, device=_device())
    least, most = mine.clone(), mine.clone()
    distributed.all_reduce(least, distributed.ReduceOp.MIN)
    distributed.all_reduce(most, distributed.ReduceOp.MAX)
    if not torch.equal(least, most):
        raise RetryableError(
            "T077",
            "the processes do not begin with the same step",
            got=f"{least.tolist()} to {most.tolist()}",
            fix="give all of them the same recipe, and runs, models and data in a folder that they share",
        )


def leave() -> None:
    """Waits for the others and parts from them: torchrun stops those that are left when one has ended."""
    if distributed.is_initialized():
        distributed.barrier()
        distributed.destroy_process_group()


def _device() -> str:
    return "cuda" if distributed.get_backend() == "nccl" else "cpu"
