"""One rollout: completions drawn, judged and compared with the others of their prompt."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import torch

from ...domain.advantage import Advantages, advantages
from ...domain.generation import Sampling
from ...domain.ports.reward import RewardModel
from ...domain.ports.rollout import RolloutEngine
from ...domain.reinforcement import Judged, JudgedGroup, PromptRow, ReinforcementPlan
from ...domain.reward import Attempt, InfraErrors, RewardResult
from ...domain.rollout import Rollout
from ...domain.schedule import stream_seed
from ..model.evaluating import evaluating
from ..model.hf_policy import HfPolicy
from ..model.label_log_probs import label_log_probs
from ..model.shared_prefix import PromptGroup, completion_scores, cut


@dataclass(frozen=True, slots=True)
class Rollouts:
    """What one or several updates learn from.

    Attributes:
        number: of the rollout, from 0.
        figures: of its rewards and lengths, for the report; ``seconds`` by what they went to.
    """

    number: int
    groups: Sequence[JudgedGroup]
    figures: Mapping[str, float]
    seconds: Mapping[str, float]

    def as_plain(self) -> dict[str, Any]:
        """For a checkpoint between two updates."""
        groups = [asdict(one) for one in self.groups]
        return {"number": self.number, "groups": groups, "figures": dict(self.figures)}


def rollouts_from(values: Mapping[str, Any]) -> Rollouts:
    """From a checkpoint."""
    groups = [
        JudgedGroup(
            one["prompt"], one["question"], [Judged(**judged) for judged in one["completions"]], one["dead"]
        )
        for one in values["groups"]
    ]
    return Rollouts(values["number"], groups, values["figures"], {})


class Roller:
    """Makes rollouts.

    Args:
        reward: what is to be made more of.
        seed: of the training.
    """

    def __init__(
        self,
        policy: HfPolicy,
        engine: RolloutEngine,
        reward: RewardModel,
        plan: ReinforcementPlan,
        seed: int,
    ) -> None:
        self._policy, self._engine, self._reward = policy, engine, reward
        self._plan, self._seed = plan, seed
        self.errors = InfraErrors()

    def __call__(self, prompts: Sequence[PromptRow], number: int) -> Rollouts:
        """Draws and judges completions of these prompts.

        Raises:
            SandboxError: X010 when the reward's grader fails too often.
            Interrupted: a stop was requested.
        """
        began = time.perf_counter()
        asked = [self._policy.prompt(row.conversation.prompt()) for row in prompts]
        drawn = self._engine.generate(asked, self._seeds(len(asked), number), self._sampling())
        generated = time.perf_counter()
        results = self._judged(prompts, drawn)
        judged = time.perf_counter()
        compared = advantages(
            [[one.score for one in group] for group in results],
            self._plan.objective.scale,
            self._plan.objective.epsilon,
        )
        groups = [
            self._group(*parts) for parts in zip(prompts, asked, drawn, results, compared.groups, strict=True)
        ]
        groups = self._scored_before(groups)
        seconds = {
            "generate": generated - began,
            "score": judged - generated,
            "log_probs": time.perf_counter() - judged,
        }
        return Rollouts(number, groups, _figures(groups, compared, self._reward.parts), seconds)

    def _seeds(self, prompts: int, number: int) -> list[list[int]]:
        return [
            [stream_seed(self._seed, number, prompt, k, "rollout") for k in range(self._plan.completions)]
            for prompt in range(prompts)
        ]

    def _sampling(self) -> Sampling:
        plan = self._plan
        return Sampling(plan.objective.max_completion_tokens, plan.temperature, plan.top_p)

    def _judged(
        self, prompts: Sequence[PromptRow], drawn: Sequence[Sequence[Rollout]]
    ) -> list[list[RewardResult]]:
        attempts = [
            Attempt(row.conversation.prompt(), self._policy.text(one.ids))
            for row, group in zip(prompts, drawn, strict=True)
            for one in group
        ]
        results = self._reward.score(attempts)
        self.errors.count(results)
        left = iter(results)
        return [[next(left) for _ in group] for group in drawn]

    def _group(
        self,
        row: PromptRow,
        prompt: Sequence[int],
        drawn: Sequence[Rollout],
        results: Sequence[RewardResult],
        compared: Any,
    ) -> JudgedGroup:
        judged = [
            Judged(
                list(one.ids), list(one.log_probs), one.finished, self._policy.text(one.ids), result.score,
                dict(result.parts), list(result.reasons), result.verdict and result.verdict.value, advantage,
            )
            for one, result, advantage in zip(drawn, results, compared.values, strict=True)
        ]  # fmt: skip
        turns = row.conversation.prompt().messages
        question = turns[-1].content if turns else ""
        return JudgedGroup(list(prompt), question, judged, compared.dead)

    def _scored_before(self, groups: Sequence[JudgedGroup]) -> list[JudgedGroup]:
        """With what the reference, and the policy before any update, make of them, where that is needed."""
        objective = self._plan.objective
        changed = list(groups)
        if objective.needs_old:
            changed = self._with("old", changed)
        if objective.needs_reference:
            with self._policy.reference():
                changed = self._with("reference", changed)
        return changed

    @torch.no_grad()
    def _with(self, name: str, groups: Sequence[JudgedGroup]) -> list[JudgedGroup]:
        plain = [PromptGroup(one.prompt, [each.ids for each in one.completions]) for one in groups]
        model, found = self._policy.model, []
        score = partial(label_log_probs, temperature=self._plan.temperature)
        with evaluating(model):
            for part in cut(plain, self._plan.pass_tokens):
                found += completion_scores(model, part, score).log_probs_L.tolist()
        left = iter(found)
        return [
            replace(
                one,
                completions=[each.scored(name, [next(left) for _ in each.ids]) for each in one.completions],
            )
            for one in groups
        ]


def _figures(groups: Sequence[JudgedGroup], compared: Advantages, parts: Sequence[str]) -> dict[str, float]:
    """What is told of a step, the same to the bit whenever it is run again."""
    everything = [one for group in groups for one in group.completions]
    lengths = [len(one.ids) for one in everything]
    figures = {
        "reward_deviation": compared.deviation_in_groups or 0.0,
        "dead_groups": compared.dead_share,
        "unscored": float(compared.unscored),
        "completion_tokens": sum(lengths) / len(lengths),
        "cut_off": sum(not one.finished for one in everything) / len(everything),
    }
    if compared.mean is not None:
        figures["reward"] = compared.mean
    for part in parts:
        values = [one.parts[part] for one in everything if part in one.parts]
        if values:
            figures[f"reward/{part}"] = sum(values) / len(values)
    return figures
