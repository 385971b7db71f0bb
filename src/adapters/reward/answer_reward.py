"""Whether a completion is the short answer that the row knows."""

from __future__ import annotations

from collections.abc import Sequence

from ...domain.code_lines import claimed_lines, compared_as, is_same_code
from ...domain.reward import Attempt, Reads, RewardResult
from ...domain.short_answer import (
    LONGEST,
    accepted_of,
    claimed,
    is_one_of,
    is_said,
    likeness,
    said_in,
)


class AnswerReward:
    """1 for a completion that is one of ``reference["answers"]`` (see ``short_answer``), else 0.

    Where ``reference["compare"]`` is ``python`` or ``lines`` the answers are lines of code, and case and
    indentation count (see ``code_lines``).

    The reasons: ``no_answer``, ``too_long``, ``not_alone`` (the right answer is in it, and so is more), and
    ``wrong``. The mean of the scores is the share of right answers.

    Parts, each in [0, 1]:

        exact     the score
        f1        of the words, with the right answer that it is most like
        said      1 where a right answer stands in it somewhere

    The last two are to be read and no part of the score: who lists everything gets them.
    """

    name = "answer"
    parts = ("exact", "f1", "said")
    range = (0.0, 1.0)
    reads = frozenset({Reads.COMPLETION, Reads.REFERENCE})

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        """See the port."""
        return [self._score(attempt) for attempt in attempts]

    def _score(self, attempt: Attempt) -> RewardResult:
        accepted = accepted_of(attempt.prompt.reference)
        if not accepted:
            return RewardResult(None, reasons=("no_reference",))
        longest = max(LONGEST, *(2 * len(one) for one in accepted))
        text, compared = attempt.completion[-10 * longest :], compared_as(attempt.prompt.reference)
        answer = claimed_lines(text) if compared else claimed(text)
        is_short = len(attempt.completion) <= longest
        if compared is None and is_short and is_one_of(said_in(text), accepted):
            return self._result(1.0, 1.0, 1.0)
        if answer is None:
            return self._result(0.0, 0.0, 0.0, "no_answer")
        if len(attempt.completion) > 10 * longest or len(answer) > longest:
            return self._result(0.0, 0.0, 0.0, "too_long")
        if is_same_code(answer, accepted, compared) if compared else is_one_of(answer, accepted):
            return self._result(1.0, 1.0, 1.0)
        said = is_said(answer, accepted)
        return self._result(0.0, likeness(answer, accepted), float(said), "not_alone" if said else "wrong")

    def _result(self, exact: float, f1: float, said: float, *reasons: str) -> RewardResult:
        return RewardResult(exact, {"exact": exact, "f1": f1, "said": said}, reasons)
