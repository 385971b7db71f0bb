"""Try a reward on golden cases, and on hacks made from them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from ..domain.ports.reward import RewardModel
from ..domain.reward import Attempt, RewardResult
from ..domain.reward_cases import GoldenCase
from ..domain.reward_checks import Check, Finding, Judged, Tally, completions_of, differing, found_in
from ..domain.reward_probes import probes_of


@dataclass(frozen=True, slots=True)
class RewardTrial:
    """What came of it.

    Attributes:
        reward: its name.
        cases, completions: how many were judged; each completion three times.
        tallies: every check and probe, with how often it was made and failed.
        findings: what failed.
        infra_errors, not_applicable: completions without a score, because the grader failed, or for another
            reason.
        median_seconds, p95_seconds: of one completion judged alone.
    """

    reward: str
    cases: int
    completions: int
    tallies: tuple[Tally, ...]
    findings: tuple[Finding, ...]
    infra_errors: int
    not_applicable: int
    median_seconds: float
    p95_seconds: float

    @property
    def is_good(self) -> bool:
        return not self.findings


class TryReward:
    """All completions at once, then backwards, then one by one: no score may depend on its neighbours."""

    def __init__(self, reward: RewardModel, seconds: Callable[[], float] = time.perf_counter) -> None:
        self._reward = reward
        self._seconds = seconds

    def __call__(self, cases: Sequence[GoldenCase]) -> RewardTrial:
        """Judges everything and compares it with what is known.

        Args:
            cases: at least one.

        Raises:
            CeselloError: what the reward raises where it cannot judge at all.
        """
        asked = [(case, *one) for case in cases for one in completions_of(case, probes_of(case, cases))]
        attempts = [Attempt(case.prompt, completion) for case, _, completion in asked]
        results = self._reward.score(attempts)
        judged = [
            Judged(case.name, role, completion, result)
            for (case, role, completion), result in zip(asked, results, strict=True)
        ]
        made: list[tuple[str, Finding | None]] = []
        for case in cases:
            of_case = [one for one, (its, _, _) in zip(judged, asked, strict=True) if its is case]
            made += found_in(of_case, self._reward.range)
        backwards = self._reward.score(attempts[::-1])[::-1]
        alone, seconds = self._one_by_one(attempts)
        for again in (backwards, alone):
            made += ((Check.SAME_AGAIN.value, finding) for finding in differing(judged, again))
        return RewardTrial(
            self._reward.name,
            len(cases),
            len(attempts),
            _tallies(made),
            tuple(finding for _, finding in made if finding),
            sum(result.is_infra_error for result in results),
            sum(result.score is None and not result.is_infra_error for result in results),
            median(seconds),
            sorted(seconds)[max(0, round(0.95 * len(seconds)) - 1)],
        )

    def _one_by_one(self, attempts: Sequence[Attempt]) -> tuple[list[RewardResult], list[float]]:
        results, seconds = [], []
        for attempt in attempts:
            start = self._seconds()
            results += self._reward.score([attempt])
            seconds.append(self._seconds() - start)
        return results, seconds


def _tallies(made: Iterable[tuple[str, Finding | None]]) -> tuple[Tally, ...]:
    counts: dict[str, list[int]] = {}
    for check, finding in made:
        count = counts.setdefault(str(check), [0, 0])
        count[0] += 1
        count[1] += finding is not None
    return tuple(Tally(check, *count) for check, count in counts.items())
