"""One rollout: completions drawn, judged and compared with the others of their prompt."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from ...domain.advantage import Advantages, GroupAdvantages, advantages
from ...domain.generation import Sampling
from ...domain.ports.reward import RewardModel
from ...domain.ports.rollout import RolloutEngine
from ...domain.reinforcement import Judged, JudgedGroup, PromptRow, ReinforcementPlan
from ...domain.reward import Attempt, InfraErrors, RewardResult, Verdict
from ...domain.rollout import Rollout
from ...domain.schedule import stream_seed
from ..model.evaluating import evaluating
from ..model.hf_policy import HfPolicy
from ..model.label_log_probs import label_log_probs
from ..model.shared_prefix import PromptGroup, completion_scores, cut
from . import workers
from .rollout_shares import groups_as_plain, groups_from, of_all_processes


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
        return {"number": self.number, "groups": groups_as_plain(self.groups), "figures": dict(self.figures)}


def rollouts_from(values: Mapping[str, Any]) -> Rollouts:
    """From a checkpoint."""
    return Rollouts(values["number"], groups_from(values["groups"]), values["figures"], {})


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
        """Draws and judges completions of these prompts, each process its share of them.

        Raises:
            SandboxError: X010 when the reward's grader fails too often.
            RetryableError: T078 when another process failed.
            Interrupted: a stop was requested.
        """
        seconds: dict[str, float] = {}
        make = partial(self._made, prompts, number, seconds)
        began = time.perf_counter()
        groups = of_all_processes(len(prompts), make)
        if workers.count() > 1:
            seconds["wait"] = time.perf_counter() - began - sum(seconds.values())
        self.errors.count([_result(one) for group in groups for one in group.completions])
        compared = advantages(
            [[one.reward for one in group.completions] for group in groups],
            self._plan.objective.scale,
            self._plan.objective.epsilon,
        )
        groups = [_compared(*both) for both in zip(groups, compared.groups, strict=True)]
        return Rollouts(number, groups, _figures(groups, compared), seconds)

    def errors_as_plain(self) -> dict[str, Any]:
        """How often the grader failed, for a checkpoint."""
        errors = self.errors
        return {"graded": errors.graded, "failed": errors.failed, "reasons": dict(errors.reasons)}

    def load_errors(self, values: Mapping[str, Any]) -> None:
        """From a checkpoint."""
        self.errors.graded, self.errors.failed = int(values["graded"]), int(values["failed"])
        self.errors.reasons = dict(values["reasons"])

    def _made(
        self, prompts: Sequence[PromptRow], number: int, seconds: dict[str, float], places: Sequence[int]
    ) -> list[JudgedGroup]:
        """The groups of the prompts at these places, not compared yet; ``seconds`` are told of it."""
        began = time.perf_counter()
        chosen = [prompts[place] for place in places]
        asked = [self._policy.prompt(row.conversation.prompt()) for row in chosen]
        drawn = self._engine.generate(asked, self._seeds(places, number), self._sampling()) if asked else []
        generated = time.perf_counter()
        results = self._judged(chosen, drawn)
        judged = time.perf_counter()
        groups = [self._group(*parts) for parts in zip(chosen, asked, drawn, results, strict=True)]
        groups = self._scored_before(groups)
        seconds["generate"], seconds["score"] = generated - began, judged - generated
        seconds["log_probs"] = time.perf_counter() - judged
        return groups

    def _seeds(self, places: Sequence[int], number: int) -> list[list[int]]:
        return [
            [stream_seed(self._seed, number, place, k, "rollout") for k in range(self._plan.completions)]
            for place in places
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
        left = iter(self._reward.score(attempts))
        return [[next(left) for _ in group] for group in drawn]

    def _group(
        self,
        row: PromptRow,
        prompt: Sequence[int],
        drawn: Sequence[Rollout],
        results: Sequence[RewardResult],
    ) -> JudgedGroup:
        judged = [
            Judged(
                list(one.ids), list(one.log_probs), one.finished, self._policy.text(one.ids), result.score,
                dict(result.parts), list(result.reasons), result.verdict and result.verdict.value,
            )
            for one, result in zip(drawn, results, strict=True)
        ]  # fmt: skip
        turns = row.conversation.prompt().messages
        question = turns[-1].content if turns else ""
        return JudgedGroup(list(prompt), question, judged)

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


def _result(one: Judged) -> RewardResult:
    return RewardResult(
        one.reward, one.parts, tuple(one.reasons), None if one.verdict is None else Verdict(one.verdict)
    )


def _compared(group: JudgedGroup, its: GroupAdvantages) -> JudgedGroup:
    completions = [
        replace(one, advantage=advantage)
        for one, advantage in zip(group.completions, its.values, strict=True)
    ]
    return replace(group, completions=completions, dead=its.dead)


def _figures(groups: Sequence[JudgedGroup], compared: Advantages) -> dict[str, float]:
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
    for part in dict.fromkeys(name for one in everything for name in one.parts):
        values = [one.parts[part] for one in everything if part in one.parts]
        figures[f"reward/{part}"] = sum(values) / len(values)
    return figures
