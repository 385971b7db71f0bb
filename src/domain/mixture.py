"""Several sources in one order, a pure function of (seed, position).

Which source gives the next row is ``source_order``'s: after any n rows each source is within 1 of its share.
Within a source each pass is a fresh permutation, so no row comes twice before all have come once. The same
digest gives the same order on any machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from itertools import islice, repeat
from math import gcd, lcm
from typing import TypeAlias

from .errors import DataError
from .permutation import permutation
from .source_order import source_counts, source_order

ORDER_VERSION = 2
"""Part of the digest: raised whenever the same inputs begin to give another order."""


_STEPS = 1 << 16
"""A cycle of so many draws fits the memory, and no rounding of a share can be seen."""


ENDED_BY_PASSES = "max_passes of "
"""What ended an order, before the name of the source of which no row may come again."""


class StopRule(StrEnum):
    """When the order ends."""

    MAX_STEPS = "max_steps"
    FIRST_EXHAUSTED = "first_exhausted"
    ALL_SEEN = "all_seen"


@dataclass(frozen=True, slots=True)
class MixtureSpec:
    """How the sources are mixed.

    Attributes:
        temperature: shares proportional to rows ** temperature instead of the weights, when given; a source
            of weight 0 is not drawn from all the same.
        max_passes: how often one row may come at most.
    """

    seed: int = 0
    temperature: float | None = None
    max_passes: int = 4
    stop: StopRule = StopRule.MAX_STEPS


@dataclass(frozen=True, slots=True)
class MixtureSource:
    """What the mixture knows of a source: its name, its weight and how many rows can be drawn."""

    name: str
    weight: float
    rows: int


Draw: TypeAlias = tuple[int, int, int]
"""One row of the order: the source, the row of it, and how often that row came before."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """The order over all rows of all sources.

    Raises:
        DataError: D020 when nothing can be drawn, D021 when a source with a weight has no rows.
    """

    spec: MixtureSpec
    sources: tuple[MixtureSource, ...]
    shares: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shares", integer_shares(self.spec, self.sources))

    def planned(self) -> tuple[float, ...]:
        """The share of every source, in [0, 1]."""
        total = sum(self.shares)
        return tuple(share / total for share in self.shares)

    def order(self, start: int = 0, *, rank: int = 0, ranks: int = 1) -> Iterator[Draw]:
        """The draws from position ``start`` on; ends where ``max_passes`` or the stop rule says.

        Args:
            rank: of ``ranks`` workers, which take the draws in turn: together they see the whole order, and
                no draw twice.
        """
        return islice(self._order(start), rank, None, ranks)

    def _order(self, start: int) -> Iterator[Draw]:
        drawn = source_counts(self.shares, start)
        unseen = [source.rows - count for source, count in zip(self.sources, drawn, strict=True)]
        if self._has_ended(drawn, unseen):
            return
        streams = [self._draws(index, count) for index, count in enumerate(drawn)]
        for source in source_order(self.shares, start):
            draw = next(streams[source], None)
            if draw is None:
                return  # max_passes
            yield draw
            unseen[source] -= 1
            if not unseen[source] and self._rule_ends(unseen):
                return

    def _draws(self, source: int, start: int) -> Iterator[Draw]:
        """The draws of one source from its own position ``start`` on."""
        name, rows = self.sources[source].name, self.sources[source].rows
        if not rows:
            return
        first, offset = divmod(start, rows)
        for pass_index in range(first, self.spec.max_passes):
            order = permutation(rows, f"{self.spec.seed}/{name}/{pass_index}")
            yield from zip(repeat(source), islice(order, offset, None), repeat(pass_index))
            offset = 0

    def ended_by(self, drawn: Sequence[int]) -> str:
        """What ended an order that took so many rows of each: the stop rule, or ``max_passes of NAME``."""
        unseen = [source.rows - count for source, count in zip(self.sources, drawn, strict=True)]
        if not self._rule_ends(unseen):
            for source, count in zip(self.sources, drawn, strict=True):
                if count and count == source.rows * self.spec.max_passes:
                    return ENDED_BY_PASSES + source.name
        return self.spec.stop.value

    def _has_ended(self, drawn: Sequence[int], unseen: Sequence[int]) -> bool:
        """Whether the order is over before the position at which so much is drawn."""
        limit = self.spec.max_passes
        return self._rule_ends(unseen) or any(
            count > source.rows * limit for count, source in zip(drawn, self.sources, strict=True)
        )

    def _rule_ends(self, unseen: Sequence[int]) -> bool:
        left = [count for count, share in zip(unseen, self.shares, strict=True) if share]
        if self.spec.stop is StopRule.FIRST_EXHAUSTED:
            return min(left) <= 0
        return self.spec.stop is StopRule.ALL_SEEN and max(left) <= 0

    def digest(self, fingerprints: Sequence[str]) -> str:
        """A sha256 over all that the order depends on; ``fingerprints`` are of the sources' rows."""
        parts = {
            "version": ORDER_VERSION,
            "seed": self.spec.seed,
            "max_passes": self.spec.max_passes,
            "stop": self.spec.stop,
            "shares": self.shares,
            "sources": [
                (s.name, s.rows, print_) for s, print_ in zip(self.sources, fingerprints, strict=True)
            ],
        }
        return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()


def integer_shares(spec: MixtureSpec, sources: Sequence[MixtureSource]) -> tuple[int, ...]:
    """Weights (or rows ** temperature) as the smallest integers of the same proportions."""
    if spec.temperature is None:
        exact = [Fraction(str(source.weight)) for source in sources]
    else:
        exact = _by_rows(sources, spec.temperature)
    if not any(exact):
        raise DataError(
            "D020",
            "no source can be drawn from",
            got="all weights zero",
            fix="give a source a weight",
        )
    for source, weight in zip(sources, exact, strict=True):
        if weight and not source.rows:
            raise DataError(
                "D021",
                "a source with a weight has no rows to train on",
                where=f'source "{source.name}"',
                fix="lower its holdout, widen its filters, or set its weight to 0",
            )
    scale = lcm(*(weight.denominator for weight in exact))
    counts = [int(weight * scale) for weight in exact]
    divisor = gcd(*counts)
    return tuple(count // divisor for count in counts)


def _by_rows(sources: Sequence[MixtureSource], temperature: float) -> list[Fraction]:
    """rows ** temperature, in steps of 1 / 2**16 of the whole where no smaller integers say it exactly."""
    powers = [
        Fraction(source.rows**temperature).limit_denominator(10**6) if source.weight else Fraction(0)
        for source in sources
    ]
    whole = sum(powers)
    parts = [power / whole if whole else power for power in powers]
    if lcm(*(part.denominator for part in parts)) <= _STEPS:
        return parts
    return [Fraction(max(1, round(part * _STEPS)) if part else 0) for part in parts]
