"""Which token comes next: each completion's own random numbers decide, whatever is drawn beside it.

Every token of the vocabulary runs a race: it takes an exponential time of its own divided by its probability,
and the first one is chosen (the Gumbel-max trick, Gumbel 1954, in another form). It is the right
distribution, and of all that share random numbers it is nearly the calmest: where logits differ by d, as sums
of another order do by about 1e-5, another token comes with a probability of about d. Looking one random
number up among summed probabilities, in the order of the vocabulary, would pass every small error on to all
tokens behind it.

Times are in float64: in float32 one in sixteen million is 0 and would win with any probability. Shapes: B
rows, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch


class Times(Protocol):
    """The random numbers of one completion, those of one token after the other."""

    def next(self, count: int) -> torch.Tensor:
        """Exponential times, float64, shape [V]."""
        ...


class CpuTimes:
    """Made by numpy, in a third of the time that torch takes for them on a CPU."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.Generator(np.random.SFC64(seed % 2**64))

    def next(self, count: int) -> torch.Tensor:
        return torch.from_numpy(self._generator.standard_exponential(count))


class DeviceTimes:
    """Made where the logits are."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self._generator = torch.Generator(device).manual_seed(seed % 2**63)

    def next(self, count: int) -> torch.Tensor:
        times = torch.empty(count, dtype=torch.float64, device=self._generator.device)
        return times.exponential_(generator=self._generator)


def times(seed: int, device: torch.device) -> Times:
    """Those of a seed; on another kind of device they are others."""
    return CpuTimes(seed) if device.type == "cpu" else DeviceTimes(seed, device)


def choose(
    logits_BV: torch.Tensor, rows: Sequence[Times], temperature: float, top_p: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens and their log-probabilities, both of shape [B].

    The log-probabilities are those at the temperature, before ``top_p`` takes tokens away, as the training's
    are; at temperature 0, where the likeliest token is taken, those at temperature 1.
    """
    logits_BV = logits_BV.float()
    if temperature not in (0.0, 1.0):
        logits_BV = logits_BV / temperature
    most_B1 = logits_BV.amax(-1, keepdim=True)
    # In proportion to the probabilities; a race is not changed by how fast all of its runners are.
    weights_BV = (logits_BV - most_B1).exp_()
    total_B1 = weights_BV.sum(-1, keepdim=True)
    if temperature == 0:
        chosen_B1 = logits_BV.argmax(-1, keepdim=True)
    else:
        chosen_B1 = _first(_kept(weights_BV, total_B1, top_p), rows)
    log_probs_B1 = logits_BV.gather(-1, chosen_B1) - most_B1 - total_B1.log()
    return chosen_B1[:, 0], log_probs_B1[:, 0]


def _first(weights_BV: torch.Tensor, rows: Sequence[Times]) -> torch.Tensor:
    """The winner of every row's race, shape [B, 1]."""
    times = (row.next(weights_BV.shape[-1]) for row in rows)
    speeds = (torch.div(w_V, time_V, out=time_V) for w_V, time_V in zip(weights_BV, times, strict=True))
    return torch.stack([_greatest(speed_V) for speed_V in speeds])[:, None]


def _greatest(speed_V: torch.Tensor) -> torch.Tensor:
    """Where it is; on a CPU numpy finds it in a tenth of the time that torch takes."""
    return torch.tensor(speed_V.numpy().argmax()) if speed_V.device.type == "cpu" else speed_V.argmax()


def _kept(weights_BV: torch.Tensor, total_B1: torch.Tensor, top_p: float) -> torch.Tensor:
    """0 instead of all but the likeliest tokens that together have ``top_p`` of the total."""
    if top_p >= 1:
        return weights_BV
    sorted_BV, order_BV = torch.sort(weights_BV, dim=-1, descending=True, stable=True)
    before_BV = sorted_BV.cumsum(-1) - sorted_BV
    return torch.zeros_like(weights_BV).scatter_(
        -1, order_BV, sorted_BV.masked_fill_(before_BV >= top_p * total_B1, 0.0)
    )
