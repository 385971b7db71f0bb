"""How long a completion is."""

from __future__ import annotations

from collections.abc import Sequence

from ...domain.errors import UsageError
from ...domain.reward import Attempt, Reads, RewardResult
from ...domain.text_quality import in_band, words_of

_UNITS = ("words", "characters")


class LengthReward:
    """1 from ``shortest`` to ``longest``, down to -1 for nothing and for twice ``longest``.

    The one part, ``length``, is the same in [0, 1]. Flattery and repetition count like any other words: this
    is for blending with rewards that know what is said.

    Args:
        unit: ``words`` or ``characters``.
    """

    name = "length"
    parts = ("length",)
    range = (-1.0, 1.0)
    reads = frozenset({Reads.COMPLETION})

    def __init__(self, *, shortest: int = 1, longest: int = 400, unit: str = "words") -> None:
        if not 0 < shortest <= longest or unit not in _UNITS:
            raise UsageError(
                "C082",
                "the length a reward wants is not possible",
                got=f"{shortest} to {longest} {unit}",
                expected=f"0 < shortest <= longest, in {' or '.join(_UNITS)}",
            )
        self._shortest = shortest
        self._longest = longest
        self._unit = unit

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        """See the port."""
        return [self._score(attempt.completion) for attempt in attempts]

    def _score(self, completion: str) -> RewardResult:
        length = len(completion) if self._unit == "characters" else len(words_of(completion))
        value = in_band(length, self._shortest, self._longest)
        reasons = ("too_short",) if length < self._shortest else ("too_long",) if value < 1 else ()
        return RewardResult(2 * value - 1, {"length": value}, reasons)
