"""The reward that fits the row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...domain.errors import UsageError
from ...domain.ports.reward import RewardModel
from ...domain.reward import Attempt, Reads, RewardResult
from ...domain.task_detection import task_of


class CombinedReward:
    """Gives every row to one of several rewards and says in the first reason which: ``task:coding`` where the
    row declares it (``reference: {task: coding}``), ``detected:coding`` where it was found out.

    Found out by what the reference holds (``calls``: function_calling, ``tests``: coding, ``reasoning_gym``,
    ``answers``: answer, ``answer``: math), and without any of these by the question: one that asks for a
    program is coding, every other chat.

    The one part, ``chosen``, is the score of the reward that was chosen. A row whose task none of the rewards
    is for is not judged.

    Args:
        rewards: by task.
    """

    name = "combined"
    parts = ("chosen",)

    def __init__(self, rewards: Mapping[str, RewardModel]) -> None:
        if not rewards:
            raise UsageError("C087", "the reward combined has nothing to choose from", fix="give it rewards")
        self._rewards = dict(rewards)

    @property
    def range(self) -> tuple[float, float]:
        lowest, highest = zip(*(reward.range for reward in self._rewards.values()), strict=True)
        return min(lowest), max(highest)

    @property
    def reads(self) -> frozenset[Reads]:
        return frozenset({Reads.PROMPT, Reads.METADATA}).union(*(one.reads for one in self._rewards.values()))

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        """See the port."""
        tasks = [task_of(attempt.prompt) for attempt in attempts]
        results: dict[int, RewardResult] = {}
        for task, reward in self._rewards.items():
            chosen = [index for index, (wanted, _) in enumerate(tasks) if wanted == task]
            if chosen:
                judged = reward.score([attempts[index] for index in chosen])
                results.update(zip(chosen, judged, strict=True))
        return [self._told(results.get(index), *task) for index, task in enumerate(tasks)]

    def _told(self, result: RewardResult | None, task: str, declared: bool) -> RewardResult:
        how = f"{'task' if declared else 'detected'}:{task}"
        if result is None:
            return RewardResult(None, reasons=(how, "no_reward_for_task"))
        parts = {} if result.score is None else {"chosen": result.score}
        return replace(result, parts=parts, reasons=(how, *result.reasons))
