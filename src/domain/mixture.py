"""Several sources in one order: shares that follow the plan at every prefix, not only in expectation.

Which source gives draw n is the chairman assignment problem: with k sources of weights w_i, keep every
count x_i within 1 of n * w_i for all n. Tijdeman's rule (R. Tijdeman, "The chairman assignment problem",
Discrete Mathematics 32, 1980) does it with the bound 1 - 1/(2k - 2), which is the best there is.
Within a source each pass is a fresh permutation, so no row comes twice before all have come once.

Everything here is integer arithmetic and a pure function of (seed, position): the same digest gives the
same order on any machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from math import gcd, lcm

from .errors import DataError

ORDER_VERSION = 1
_MASK = (1 << 64) - 1


class StopRule(StrEnum):
    """When the order ends."""

    MAX_STEPS = "max_steps"
    FIRST_EXHAUSTED = "first_exhausted"
    ALL_SEEN = "all_seen"


@dataclass(frozen=True, slots=True)
class MixtureSpec:
    """How the sources are mixed.

    Attributes:
        temperature: shares proportional to rows ** temperature instead of the weights, when given.
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


@dataclass(frozen=True, slots=True)
class Draw:
    """One row of the order."""

    source: int
    row: int
    pass_index: int


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

    def order(self, start: int = 0) -> Iterator[Draw]:
        """The draws from position ``start`` on; ends where ``max_passes`` or the stop rule says."""
        drawn = source_counts(self.shares, start)
        if any(
            count > source.rows * self.spec.max_passes
            for count, source in zip(drawn, self.sources, strict=True)
        ):
            return  # it ended before ``start``
        permutations: dict[int, tuple[int, Sequence[int]]] = {}
        for source in source_order(self.shares, start):
            if self._ends(drawn, source):
                return
            rows = self.sources[source].rows
            pass_index, offset = divmod(drawn[source], rows)
            if permutations.get(source, (-1,))[0] != pass_index:
                key = f"{self.spec.seed}/{self.sources[source].name}/{pass_index}"
                permutations[source] = (pass_index, permutation(rows, key))
            drawn[source] += 1
            yield Draw(source, permutations[source][1][offset], pass_index)

    def _ends(self, drawn: Sequence[int], source: int) -> bool:
        """Whether the order is over before ``source`` gives its next row."""
        if drawn[source] >= self.sources[source].rows * self.spec.max_passes:
            return True
        left = [s.rows - d for s, d, share in zip(self.sources, drawn, self.shares, strict=True) if share]
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
        exact = [Fraction(source.rows**spec.temperature).limit_denominator(10**6) for source in sources]
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


def source_order(shares: Sequence[int], start: int = 0) -> Iterator[int]:
    """Indices of sources, endless; after any n of them each count is within 1 of n * share / total.

    The order repeats after sum(shares) draws, where all counts are exact, so it can start anywhere.
    """
    total = sum(shares)
    active = [index for index, share in enumerate(shares) if share]
    if len(active) == 1:
        while True:
            yield active[0]
    # Tijdeman's rule, multiplied through by total * (2k - 2) so that all numbers are integers.
    bound = 2 * len(active) - 2
    lead = dict.fromkeys(active, 0)  # total * (n * w - x), for every source
    position, skip = 0, start % total
    while True:
        best, best_slack = -1, 0
        for index in active:
            lead[index] += shares[index]
            slack = total * (bound - 1) - bound * lead[index]
            if bound * lead[index] >= total and (
                best < 0 or slack * shares[best] < best_slack * shares[index]
            ):
                best, best_slack = index, slack
        lead[best] -= total
        position += 1
        if position > skip:
            yield best


def source_counts(shares: Sequence[int], position: int) -> list[int]:
    """How often each source has been drawn before ``position``."""
    total = sum(shares)
    rounds, rest = divmod(position, total)
    counts = [rounds * share for share in shares]
    for _, source in zip(range(rest), source_order(shares), strict=False):
        counts[source] += 1
    return counts


def permutation(rows: int, key: str) -> Sequence[int]:
    """A permutation of range(rows) that depends on ``key`` alone, the same in every version of Python.

    Rows are sorted by a 64-bit mix of (key, row): Steele, Lea and Flood, "Fast splittable pseudorandom
    number generators" (2014), the finaliser of SplitMix64.
    """
    seed = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
    return sorted(range(rows), key=lambda row: (_mix(seed + row * 0x9E3779B97F4A7C15), row))


def _mix(value: int) -> int:
    value &= _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


@dataclass(frozen=True, slots=True)
class SourceManifest:
    """What one source brings to a run.

    Attributes:
        read: rows the source gave; ``kept`` of them are trained on, ``held_out`` evaluated on.
        dropped: why the others are not used, and how many.
        tokens: of the kept rows; ``trained_tokens`` of them count in the loss.
        planned, realised: shares of the rows drawn, in [0, 1]; realised is None before training.
        passes: how often its rows have come, on average.
    """

    name: str
    origin: str
    fingerprint: str
    read: int
    kept: int
    held_out: int
    dropped: Mapping[str, int]
    truncated: int
    tokens: int
    trained_tokens: int
    planned: float
    realised: float | None = None
    drawn: int | None = None
    passes: float | None = None


@dataclass(frozen=True, slots=True)
class MixtureManifest:
    """The plan of a mixture before training, and what came of it after.

    Attributes:
        digest: the same digest, the same order.
        ended_by: what ended the order: ``max_steps``, the stop rule, ``max_passes of NAME``, or a signal.
    """

    digest: str
    seed: int
    rows_planned: int
    sources: tuple[SourceManifest, ...]
    ended_by: str | None = None
