"""One rollout: completions drawn, judged and compared with the others of their prompt."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

import torch

from ...domain.advantage import Advantages, GroupAdvantages, advantages
from ...domain.conversation import Conversation
from ...domain.curriculum import PromptChoice
from ...domain.genai_names import INPUT_TOKENS, OUTPUT_TOKENS
from ...domain.genai_spans import chat, tell_rewards
from ...domain.generation import Sampling
from ...domain.open_span import span
from ...domain.ports.reward import RewardModel
from ...domain.ports.rollout import RolloutEngine
from ...domain.reinforcement import (
    Judged,
    JudgedGroup,
    PromptRow,
    ReinforcementPlan,
    asked_record,
    memory_record,
    procedure_record,
    said_record,
)
from ...domain.reward import Attempt, InfraErrors, RewardResult, Verdict
from ...domain.rollout import Rollout
from ...domain.schedule import stream_seed
from ...domain.tool_use import Episode
from ...domain.traced import traced
from ..model.evaluating import evaluating
from ..model.hf_policy import HfPolicy
from ..model.label_log_probs import label_log_probs
from ..model.shared_prefix import PromptGroup, completion_scores, cut
from . import workers
from .no_memory import Halving
from .rollout_shares import groups_as_plain, groups_from, of_all_processes
from .tool_turns import ToolTurns, ToolUse


@dataclass(frozen=True, slots=True)
class Rollouts:
    """What one or several updates learn from.

    Attributes:
        number: of the rollout, from 0.
        figures: of its rewards and lengths, for the report; ``seconds`` by what they went to.
        replaced: groups, by their place, that were dead and had another prompt asked for them.
    """

    number: int
    groups: Sequence[JudgedGroup]
    figures: Mapping[str, float]
    seconds: Mapping[str, float]
    replaced: Sequence[tuple[int, JudgedGroup]] = ()

    def records(self, step: int) -> list[dict[str, Any]]:
        """A line of ``completions.jsonl`` for every completion that was drawn."""
        kept = [line for place, group in enumerate(self.groups) for line in group.records(step, place)]
        return [
            *kept,
            *(line for place, group in self.replaced for line in group.records(step, place, replaced=True)),
        ]

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
        tools: ToolUse | None = None,
    ) -> None:
        self._policy, self._engine, self._reward = policy, engine, reward
        self._plan, self._seed = plan, seed
        self._choice = PromptChoice(plan.curriculum, seed)
        self._halved = (
            Halving("drawing completions", "lower grpo.completions or grpo.max_completion_tokens"),
            Halving("the log-probabilities of completions", "lower grpo.pass_tokens"),
        )
        self._turns = ToolTurns(policy, self._drawn, tools)
        self.errors = InfraErrors()

    def __call__(self, prompts: Sequence[PromptRow], number: int) -> Rollouts:
        """Draws and judges completions of these prompts, each process its share of them.

        Raises:
            SandboxError: X010 when the reward's grader fails too often.
            RetryableError: T078 when another process failed.
            Interrupted: a stop was requested.
        """
        seconds: dict[str, float] = {}
        began = time.perf_counter()
        asked = dict(enumerate(self._choice.first(prompts, number)))
        found = self._of_all(asked, (number,), seconds)
        replaced: list[tuple[int, JudgedGroup]] = []
        everything = list(asked.values())
        while left := self._plan.resample - len(replaced):
            dead = [place for place, group in found.items() if group.dead]
            turn = (number, len(everything))
            places = {place: prompts[place] for place in dead}
            asked = self._choice.again(places, everything, left, turn)
            if not asked:
                break
            everything += asked.values()
            replaced += [(place, found[place]) for place in asked]
            found |= self._of_all(asked, turn, seconds)
        if workers.count() > 1:
            seconds["wait"] = time.perf_counter() - began - sum(seconds.values())
        groups = list(found.values())
        compared = self._advantages(groups)
        drawn = [*groups, *(group for _, group in replaced)]
        figures = _figures(drawn, self._advantages(drawn) if replaced else compared)
        figures |= self._turns.figures(drawn)
        if self._plan.resample:
            figures["resampled"] = float(len(replaced))
        groups = [_compared(*both) for both in zip(groups, compared.groups, strict=True)]
        return Rollouts(number, groups, figures, seconds, replaced)

    def as_plain(self) -> dict[str, Any]:
        """Failures of graders, what prompts came to, and how far parts were halved; for a checkpoint."""
        errors = self.errors
        graded = {"graded": errors.graded, "failed": errors.failed, "reasons": dict(errors.reasons)}
        return graded | self._choice.as_plain() | {"most": [one.most for one in self._halved]}

    def load(self, values: Mapping[str, Any]) -> None:
        """From a checkpoint."""
        self.errors.graded, self.errors.failed = int(values["graded"]), int(values["failed"])
        self.errors.reasons = dict(values["reasons"])
        self._choice.load(values)
        for one, most in zip(self._halved, values["most"], strict=True):
            one.most = int(most)

    def _of_all(
        self, asked: Mapping[int, PromptRow], turn: tuple[int, ...], seconds: dict[str, float]
    ) -> dict[int, JudgedGroup]:
        """The groups of prompts, by their places, from all processes."""
        places, rows = list(asked), list(asked.values())
        make = partial(self._made, places, rows, turn, seconds)
        groups = of_all_processes(len(rows), make)
        self._halve_alike()
        for row, group in zip(rows, groups, strict=True):
            self._choice.learn(row, [one.reward for one in group.completions])
        self.errors.count([_result(one) for group in groups for one in group.completions])
        return dict(zip(places, groups, strict=True))

    def _halve_alike(self) -> None:
        """The checkpoint holds one size for all processes."""
        if workers.count() > 1:
            unlimited = 2**31 - 1
            mine = torch.tensor(
                [one.most or unlimited for one in self._halved], device=self._policy.model.device
            )
            for one, most in zip(self._halved, workers.least(mine).tolist(), strict=True):
                one.most = most % unlimited

    def _advantages(self, groups: Sequence[JudgedGroup]) -> Advantages:
        rewards = [[one.reward for one in group.completions] for group in groups]
        return advantages(rewards, self._plan.objective.scale, self._plan.objective.epsilon)

    def _made(
        self,
        places: Sequence[int],
        rows: Sequence[PromptRow],
        turn: tuple[int, ...],
        seconds: dict[str, float],
        mine: Sequence[int],
    ) -> list[JudgedGroup]:
        """The groups of this process's share of the prompts; ``seconds`` are told of it."""
        began, tools_before = time.perf_counter(), self._turns.seconds
        chosen = [rows[at] for at in mine]
        bare = [row.conversation.prompt() for row in chosen]
        prompts = [self._turns.offered(one) for one in bare]
        asked = [self._policy.prompt(one) for one in prompts]
        seeds = [self._seeds(turn, places[at]) for at in mine]
        drawn = self._turns(asked, seeds, self._sampling(), bare)
        generated = time.perf_counter()
        results = self._judged(prompts, drawn)
        judged = time.perf_counter()
        groups = [self._group(*parts) for parts in zip(prompts, drawn, results, strict=True)]
        groups = self._scored_before(groups)
        ended = time.perf_counter()
        spent = {"generate": generated - began, "score": judged - generated, "log_probs": ended - judged}
        if tools := self._turns.seconds - tools_before:
            spent |= {"generate": spent["generate"] - tools, "tools": tools}
        for name, more in spent.items():
            seconds[name] = seconds.get(name, 0.0) + more
        return groups

    def _drawn(
        self,
        prompts: Sequence[Sequence[int]],
        seeds: Sequence[Sequence[int]],
        sampling: Sampling,
        limits: Sequence[int] | None = None,
    ) -> list[list[Rollout]]:
        """All at once, which an engine cuts as it likes; in parts where there is no memory for that."""
        everything = [(at, seed) for at, its in enumerate(seeds) for seed in its]

        def draw(most: int) -> list[Rollout]:
            drawn: list[Rollout] = []
            for begin in range(0, len(everything), most):
                part = groupby(everything[begin : begin + most], key=itemgetter(0))
                asked = {at: [seed for _, seed in same] for at, same in part}
                room = [limits[at] for at in asked] if limits else None
                chosen = [prompts[at] for at in asked]
                found = self._engine.generate(chosen, list(asked.values()), sampling, room)
                drawn += [one for group in found for one in group]
            return drawn

        with chat(sampling, len(prompts), self._policy.facts.name, len(seeds[0])) as its:
            drawn = self._halved[0].run(draw, max(1, len(everything)))
            its.set(INPUT_TOKENS, sum(len(prompts[at]) for at, _ in everything))
            its.set(OUTPUT_TOKENS, sum(len(one.ids) for one in drawn))
        left = iter(drawn)
        return [[next(left) for _ in its] for its in seeds]

    def _seeds(self, turn: tuple[int, ...], place: int) -> list[int]:
        return [stream_seed(self._seed, *turn, place, k, "rollout") for k in range(self._plan.completions)]

    def _sampling(self) -> Sampling:
        plan = self._plan
        return Sampling(plan.objective.max_completion_tokens, plan.temperature, plan.top_p)

    def _judged(
        self, prompts: Sequence[Conversation], drawn: Sequence[Sequence[Episode]]
    ) -> list[list[RewardResult]]:
        attempts = [
            Attempt(prompt.without_context(), one.completion, tuple(one.turns))
            for prompt, group in zip(prompts, drawn, strict=True)
            for one in group
        ]
        with span("score") as its:
            results = self._reward.score(attempts)
            tell_rewards(its, results, self._plan.completions)
        left = iter(results)
        return [[next(left) for _ in group] for group in drawn]

    def _group(
        self, prompt: Conversation, drawn: Sequence[Episode], results: Sequence[RewardResult]
    ) -> JudgedGroup:
        judged = [
            Judged(
                list(one.ids), list(one.log_probs), one.finished, self._text(one), result.score,
                dict(result.parts), list(result.reasons), result.verdict and result.verdict.value,
                trained=bytes(one.trained), turns=one.answers, tools=dict(one.tools), tool_errors=one.errors,
                said=said_record(one.turns),
            )
            for one, result in zip(drawn, results, strict=True)
        ]  # fmt: skip
        turns = prompt.without_context().messages
        return JudgedGroup(
            list(drawn[0].prompt),
            turns[-1].content if turns else "",
            judged,
            _nothing_to_learn(judged),
            procedure_record(prompt),
            memory_record(prompt.context),
            asked_record(prompt),
        )

    def _text(self, one: Episode) -> str:
        """To be read by a person: several turns with all that stands between them."""
        return one.completion if one.answers == 1 else self._policy.shown(one.ids)

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

    @traced("log-probabilities")
    @torch.no_grad()
    def _with(self, name: str, groups: Sequence[JudgedGroup]) -> list[JudgedGroup]:
        """Of what is learnt from: the others' would have no part in anything."""
        learnt = [group.learnt_from(self._plan.objective) for group in groups]
        plain = [
            PromptGroup(group.prompt, [one.ids for one in its], [one.trained for one in its])
            for group, its in zip(groups, learnt, strict=True)
            if its
        ]
        model = self._policy.model
        score = partial(label_log_probs, temperature=self._plan.temperature)

        def scored(most: int) -> list[float]:
            return [
                value
                for part in cut(plain, most)
                for value in completion_scores(model, part, score).log_probs_L.tolist()
            ]

        with evaluating(model):
            left = iter(self._halved[1].run(scored, self._plan.pass_tokens))
        known = {id(one): one.scored(name, left) for its in learnt for one in its}
        return [
            replace(group, completions=[known.get(id(one), one) for one in group.completions])
            for group in groups
        ]


def _nothing_to_learn(judged: Sequence[Judged]) -> bool:
    """By its rewards alone, which needs no other group."""
    return advantages([[one.reward for one in judged]]).groups[0].dead


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
        "unscored_groups": compared.unscored_share,
        "completion_tokens": sum(lengths) / len(lengths),
        "cut_off": sum(not one.finished for one in everything) / len(everything),
    }
    if compared.mean is not None:
        figures["reward"] = compared.mean
    for part in dict.fromkeys(name for one in everything for name in one.parts):
        values = [one.parts[part] for one in everything if part in one.parts]
        figures[f"reward/{part}"] = sum(values) / len(values)
    return figures
