"""Who is asked for the next candidates: those more often whose candidates were better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from .statistics import Beta


def shares(names: Sequence[str], record: Mapping[str, Beta], slots: int, random: Random) -> dict[str, int]:
    """Divides the slots of a round by Thompson sampling (Thompson, 1933).

    For each slot a chance of success is drawn from every proposer's posterior and the highest gets it. In the
    first round, where all posteriors are the prior, each gets its turn by the same draw.

    Args:
        record: the posterior of "a candidate of this proposer is at least as good as the incumbent".

    Returns:
        Candidates asked of each, those with at least one, in the order of ``names``.
    """
    drawn = [
        max(names, key=lambda name: random.betavariate(record[name].alpha, record[name].beta))
        for _ in range(slots if names else 0)
    ]
    return {name: drawn.count(name) for name in names if name in drawn}
