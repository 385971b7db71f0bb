"""Which source gives draw n: shares that follow the plan at every prefix, not only in expectation.

With k sources of weights w_i, every count x_i has to stay within 1 of n * w_i for all n: the chairman
assignment problem. Tijdeman's rule (R. Tijdeman, "The chairman assignment problem", Discrete Mathematics 32,
1980) does it with the bound 1 - 1/(2k - 2), which is the best there is. All arithmetic is on integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import cycle, islice, repeat

_CYCLE = 1 << 16
"""The longest cycle of shares that is kept in memory instead of being computed again and again."""


def source_order(shares: Sequence[int], start: int = 0) -> Iterator[int]:
    """Indices of sources, endless; after any n of them each count is within 1 of n * share / total.

    The order repeats after sum(shares) draws, where all counts are exact, so it can start anywhere.
    """
    total = sum(shares)
    active = [index for index, share in enumerate(shares) if share]
    if len(active) == 1:
        return repeat(active[0])
    if total <= _CYCLE:
        return islice(cycle(_one_cycle(tuple(shares))), start % total, None)
    return islice(_tijdeman(shares, active), start % total, None)


def source_counts(shares: Sequence[int], position: int) -> list[int]:
    """How often each source has been drawn before ``position``."""
    rounds, rest = divmod(position, sum(shares))
    counts = [rounds * share for share in shares]
    for source in islice(source_order(shares), rest):
        counts[source] += 1
    return counts


@lru_cache(maxsize=8)
def _one_cycle(shares: tuple[int, ...]) -> tuple[int, ...]:
    active = [index for index, share in enumerate(shares) if share]
    return tuple(islice(_tijdeman(shares, active), sum(shares)))


def _tijdeman(shares: Sequence[int], active: Sequence[int]) -> Iterator[int]:
    """Of the sources that may give draw n, the one whose next turn is due first.

    Tijdeman's rule is multiplied through by total * (2k - 2), so that all numbers are integers.
    """
    total = sum(shares)
    bound = 2 * len(active) - 2
    lead = dict.fromkeys(active, 0)  # total * (n * w - x), for every source
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
        yield best
