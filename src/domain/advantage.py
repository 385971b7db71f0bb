"""How much better a completion is than the others of its prompt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum, isfinite, sqrt

from .objective import Scale

_EQUAL = 1e-8
"""Rewards no further apart than this are the same one, added up in another order."""


@dataclass(frozen=True, slots=True)
class GroupAdvantages:
    """Of the completions of one prompt.

    Attributes:
        values: one a completion; 0 where its reward does not apply.
        mean: of the rewards that apply; None where none does.
        deviation: their standard deviation, with Bessel's correction; None for fewer than two.
        dead: nothing can be learnt from the group: fewer than two rewards apply, or all are equal.
    """

    values: tuple[float, ...]
    mean: float | None
    deviation: float | None
    dead: bool


@dataclass(frozen=True, slots=True)
class Advantages:
    """Of all groups of a step, with what a report says of their rewards.

    Attributes:
        mean: of all rewards that apply; None where none does.
        deviation: their standard deviation, over all groups together; None for fewer than two.
        unscored: completions whose reward does not apply.
    """

    groups: tuple[GroupAdvantages, ...]
    mean: float | None
    deviation: float | None
    unscored: int

    @property
    def dead(self) -> int:
        """Groups from which nothing can be learnt."""
        return sum(group.dead for group in self.groups)

    @property
    def dead_share(self) -> float:
        return self.dead / len(self.groups) if self.groups else 0.0

    @property
    def unscored_share(self) -> float:
        """Of groups in which fewer than two rewards apply; they are dead."""
        return sum(group.deviation is None for group in self.groups) / max(1, len(self.groups))

    @property
    def deviation_in_groups(self) -> float | None:
        """Mean of the groups' standard deviations."""
        return _mean([group.deviation for group in self.groups if group.deviation is not None])


def advantages(
    rewards: Sequence[Sequence[float | None]], scale: Scale = Scale.GROUP, epsilon: float = 1e-4
) -> Advantages:
    """The advantages of groups of completions.

    Args:
        rewards: of each completion of each prompt; None where no reward applies, which is not a 0: such a
            completion has no part in mean and standard deviation, and the advantage 0.
        epsilon: added to the standard deviation.

    Raises:
        ValueError: a reward is not finite.
    """
    known = [_known(group) for group in rewards]
    everything = [reward for group in known for reward in group]
    overall = _deviation(everything)
    groups = tuple(
        _group(group, those, _divisor(scale, _deviation(those), overall, epsilon))
        for group, those in zip(rewards, known, strict=True)
    )
    unscored = sum(map(len, rewards)) - len(everything)
    return Advantages(groups, _mean(everything), overall, unscored)


def _known(group: Iterable[float | None]) -> list[float]:
    known = [reward for reward in group if reward is not None]
    if not all(map(isfinite, known)):
        raise ValueError(f"rewards must be finite numbers, not {known}")
    return known


def _divisor(scale: Scale, of_group: float | None, of_all: float | None, epsilon: float) -> float:
    if scale is Scale.NONE:
        return 1.0
    return ((of_group if scale is Scale.GROUP else of_all) or 0.0) + epsilon


def _group(group: Sequence[float | None], known: Sequence[float], divisor: float) -> GroupAdvantages:
    mean, deviation = _mean(known), _deviation(known)
    if mean is None or deviation is None or max(known) - min(known) <= _EQUAL:
        return GroupAdvantages((0.0,) * len(group), mean, deviation, dead=True)
    values = tuple(0.0 if reward is None else (reward - mean) / divisor for reward in group)
    return GroupAdvantages(values, mean, deviation, dead=False)


def _mean(values: Sequence[float]) -> float | None:
    return fsum(values) / len(values) if values else None


def _deviation(values: Sequence[float]) -> float | None:
    """With Bessel's correction."""
    mean = _mean(values)
    if mean is None or len(values) < 2:
        return None
    return sqrt(fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
