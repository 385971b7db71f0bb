"""How both sides of ``benchmarks/grpo_learning.py`` are judged: by the product, on the same held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from benchmarks.peers.learning_task import ANSWERS, Task
from cesello.adapters.model.evaluating import evaluating
from cesello.adapters.model.label_log_probs import label_log_probs
from cesello.adapters.model.local_rollout import LocalRollout
from cesello.adapters.model.shared_prefix import PromptGroup, completion_scores, cut
from cesello.application.evaluate import Evaluate
from cesello.domain.evaluation import GradedSpec
from cesello.domain.generation import Sampling
from cesello.domain.ports.grading import Rewards
from cesello.domain.reinforcement import COMPLETIONS_AT_MOST
from cesello.domain.reward import Attempt, InfraErrors, RewardResult
from cesello.domain.schedule import stream_seed

TOP = 1 - 1e-6
"""A success is a reward of at least this: 1 is what is right in every part, whatever the reward."""

Tally = tuple[int, int]
"""Successes, and the answers that could be judged."""


def judged(task: Task, policy: Any) -> dict[str, Any]:
    """Successes of greedy and of drawn answers, by source, and how far the policy is from the start.

    ``kl`` is the mean over drawn tokens of their log-probability minus the start's, in nats.
    """
    greedy: dict[str, Tally] = {}
    drawn: dict[str, Tally] = {}
    distances: list[float] = []
    for spec in task.request.evaluation.graded:
        greedy[spec.source] = _greedy(task, policy, spec)
        drawn[spec.source], more = _drawn(task, policy, spec)
        distances += more
    return {"greedy": greedy, "drawn": drawn, "kl": sum(distances) / len(distances)}


def _greedy(task: Task, policy: Any, spec: GradedSpec) -> Tally:
    """The product's own evaluation."""
    its = task.container
    rewards = Heard(its.rewards())
    asked = replace(task.request.evaluation, graded=(spec,), rows=spec.rows)
    evaluate = Evaluate(rewards, its.observer(), its.stop())
    evaluate(policy, [task.source(spec.source)], asked, "", InfraErrors())
    return successes(rewards.results)


def _drawn(task: Task, policy: Any, spec: GradedSpec) -> tuple[Tally, list[float]]:
    """From the same seeds whoever is asked; and of every token its log-probability minus the start's."""
    prompts = [row.conversation.prompt() for row in task.source(spec.source).held_out(spec.rows)]
    ids = [policy.prompt(prompt) for prompt in prompts]
    seeds = [
        [stream_seed(task.job.seed, "held out", spec.source, row, answer) for answer in range(ANSWERS)]
        for row in range(len(prompts))
    ]
    sampling = Sampling(task.request.evaluation.max_new_tokens, temperature=1.0)
    drawn = LocalRollout(policy.model, policy.ends).generate(ids, seeds, sampling)
    pairs = zip(prompts, drawn, strict=True)
    attempts = [Attempt(prompt, policy.text(one.ids)) for prompt, its in pairs for one in its]
    results = task.container.rewards()[spec.reward].score(attempts)
    groups = [PromptGroup(its, [one.ids for one in group]) for its, group in zip(ids, drawn, strict=True)]
    mine = (value for group in drawn for one in group for value in one.log_probs)
    before = log_probs(task.start, groups)
    return successes(results), [now - then for now, then in zip(mine, before, strict=True)]


class Heard:
    """Rewards as the product's evaluation asks for them, whose results are kept."""

    def __init__(self, rewards: Rewards) -> None:
        self.results: list[RewardResult] = []
        self._rewards = rewards
        self.check, self.close = rewards.check, rewards.close

    def __getitem__(self, name: str) -> Any:
        def score(attempts: Sequence[Attempt]) -> list[RewardResult]:
            made = self._rewards[name].score(attempts)
            self.results += made
            return made

        return SimpleNamespace(score=score)


def successes(results: Sequence[RewardResult]) -> Tally:
    """How many of those that could be judged are at the reward's top, and how many could."""
    scores = [result.score for result in results if result.score is not None]
    return sum(score >= TOP for score in scores), len(scores)


def log_probs(policy: Any, groups: Sequence[PromptGroup]) -> list[float]:
    """What a policy makes of the tokens of completions, in order, in nats."""
    with evaluating(policy.model):
        return [
            value
            for part in cut(groups, COMPLETIONS_AT_MOST)
            for value in completion_scores(policy.model, part, label_log_probs).log_probs_L.tolist()
        ]
