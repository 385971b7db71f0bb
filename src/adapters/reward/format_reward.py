"""Whether a completion has a form: a regular expression or a JSON schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...domain.errors import UsageError
from ...domain.reward import Attempt, Reads, RewardResult
from .bounded_pattern import BoundedPattern

if TYPE_CHECKING:
    from .bounded_schema import BoundedSchema

_LONGEST = 200_000


class FormatReward:
    """1 for a completion that has the form, -1 for one that has not, -0.5 for JSON that the schema refuses.

    Give one of ``pattern`` and ``json_schema``. Parts, each 0 or 1: ``matches``, and before it ``valid_json``
    where there is a schema.

    Args:
        pattern: the whole completion must match, white space around it left away; ``.`` takes in line breaks.
            A search that takes too long is no match.
        json_schema: of JSON Schema 2020-12, without ``patternProperties`` and references to elsewhere. The
            completion must be JSON and nothing else.
    """

    name = "format"
    range = (-1.0, 1.0)
    reads = frozenset({Reads.COMPLETION})

    def __init__(self, *, pattern: str | None = None, json_schema: Mapping[str, Any] | None = None) -> None:
        if (pattern is None) is (json_schema is None):
            raise UsageError(
                "C083",
                "the reward format takes a pattern or a JSON schema",
                got="both" if pattern is not None else "neither",
                expected="one of pattern and json_schema",
            )
        self._pattern = None if pattern is None else BoundedPattern(pattern)
        self._schema: BoundedSchema | None = None
        if json_schema is not None:
            # Its library takes seconds to load, and a pattern needs none of it.
            from .bounded_schema import BoundedSchema

            self._schema = BoundedSchema(json_schema)
        self.parts: tuple[str, ...] = ("matches",) if self._pattern else ("valid_json", "matches")

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        """See the port."""
        return [self._score(attempt.completion) for attempt in attempts]

    def _score(self, completion: str) -> RewardResult:
        if len(completion) > _LONGEST:
            return self._result(0, "too_long")
        if self._pattern:
            reason = self._pattern.mismatch(completion.strip())
            return self._result(0, reason) if reason else self._result(1)
        assert self._schema is not None
        reason = self._schema.mismatch(completion)
        if reason is None:
            return self._result(2)
        return self._result(int(reason not in self._schema.NO_JSON), reason)

    def _result(self, reached: int, *reasons: str) -> RewardResult:
        values = {part: float(index < reached) for index, part in enumerate(self.parts)}
        score = 1.0 if reached == len(self.parts) else -0.5 if reached else -1.0
        return RewardResult(score, values, reasons)
