"""What a person should know of a reinforcement that goes wrong, in plain sentences.

An alarm depends on nothing but the figures of the steps, so that a training that is gone on with raises the
same ones. It is told once, and again only after it had cleared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import isfinite, sqrt
from statistics import fmean, variance
from typing import Any

WINDOW = 5
"""So many steps are looked at together: a single one says little."""

DEAD_GROUPS = 0.6
CUT_OFF = 0.3
DIVERGENCE = 0.5
WEIGHT_OFF = 0.2
"""How far from 1 the mean importance weight is: it comes to 1 whatever differs between two engines, if both
tell the probabilities that they draw with."""
ENTROPY_LEFT = 0.2
"""Of the entropy of the first steps."""

_CLEAR = 0.8
"""A figure must be back at this share of its limit, so that no alarm comes and goes with the noise."""

_LEAST_RISE = 0.05
_FOLLOWS = 0.2
"""The held-out score is flat where it rose by no more than this share of the reward's rise."""

_WATCHED = ("dead_groups", "unscored_groups", "cut_off", "kl", "weight", "entropy", "reward")


@dataclass(frozen=True, slots=True)
class Alarm:
    """One sentence.

    Attributes:
        name: dead_groups, cut_off, kl, weight, entropy or held_out.
    """

    step: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Course:
    """What the figures that alarms depend on have done so far.

    Attributes:
        steps: by figure, how many told it.
        first, last: by figure, of up to ``WINDOW`` steps.
        standing: names of the alarms that were told and have not cleared.
    """

    steps: Mapping[str, int] = field(default_factory=dict)
    first: Mapping[str, Sequence[float]] = field(default_factory=dict)
    last: Mapping[str, Sequence[float]] = field(default_factory=dict)
    standing: tuple[str, ...] = ()

    def after_step(self, step: int, figures: Mapping[str, float]) -> tuple[Course, list[Alarm]]:
        """With the figures of one more step, and what is to be told of it."""
        course = self._with(figures)
        found = {
            "dead_groups": course._dead_groups(),
            "cut_off": course._cut_off(),
            "kl": course._divergence(),
            "weight": course._weight(),
            "entropy": course._entropy(),
        }
        return course._told(step, found)

    def after_evaluation(self, step: int, before: float, now: float) -> tuple[Course, list[Alarm]]:
        """With the held-out score before the training and now."""
        return self._told(step, {"held_out": self._held_out(before, now)})

    def as_plain(self) -> dict[str, Any]:
        """For a checkpoint."""
        return asdict(self)

    def _with(self, figures: Mapping[str, float]) -> Course:
        steps, first, last = dict(self.steps), dict(self.first), dict(self.last)
        for name in _WATCHED:
            value = figures.get(name)
            if value is None or not isfinite(value):
                continue
            steps[name] = steps.get(name, 0) + 1
            if len(first.get(name, ())) < WINDOW:
                first[name] = [*first.get(name, ()), value]
            last[name] = [*last.get(name, ()), value][-WINDOW:]
        return replace(self, steps=steps, first=first, last=last)

    def _told(self, step: int, found: Mapping[str, str | None]) -> tuple[Course, list[Alarm]]:
        """What is new of what was found, and what stands now."""
        new = [
            Alarm(step, name, text)
            for name, text in found.items()
            if text is not None and name not in self.standing
        ]
        still = [name for name in self.standing if found.get(name, "") is not None]
        return replace(self, standing=(*still, *(alarm.name for alarm in new))), new

    def _dead_groups(self) -> str | None:
        share = self._above("dead_groups", DEAD_GROUPS)
        if share is None:
            return None
        if (unscored := fmean(self.last.get("unscored_groups", (0.0,)))) > share / 2:
            return (
                f"fewer than two answers have a reward for {unscored:.0%} of the prompts, and nothing is "
                "learnt from them: completions.jsonl has the reasons"
            )
        rewards = self.last.get("reward")
        mean = f" (mean reward {fmean(rewards):.2f})" if rewards else ""
        return (
            f"all answers score the same for {share:.0%} of the prompts{mean}: the task is too easy or too "
            "hard, and nothing is learnt from them"
        )

    def _cut_off(self) -> str | None:
        share = self._above("cut_off", CUT_OFF)
        if share is None:
            return None
        return (
            f"{share:.0%} of the completions were cut off before they ended: raise "
            "grpo.max_completion_tokens, or ask for shorter answers"
        )

    def _divergence(self) -> str | None:
        nats = self._above("kl", DIVERGENCE)
        if nats is None:
            return None
        return (
            f"the policy has moved {nats:.2f} nats a token away from the reference: raise grpo.beta or lower "
            "training.learning_rate"
        )

    def _weight(self) -> str | None:
        values = self.last.get("weight", ())
        off = WEIGHT_OFF * (_CLEAR if "weight" in self.standing else 1)
        if len(values) < WINDOW or abs(fmean(values) - 1) <= off:
            return None
        return (
            f"the mean importance weight is {fmean(values):.2f}, not 1: the engine tells other probabilities "
            "than it draws with; start vLLM with --logprobs-mode processed_logprobs, and with this base model"
        )

    def _above(self, name: str, limit: float) -> float | None:
        """The mean over the last steps, where it is too high."""
        values = self.last.get(name, ())
        if len(values) < WINDOW:
            return None
        return mean if (mean := fmean(values)) > limit * (_CLEAR if name in self.standing else 1) else None

    def _entropy(self) -> str | None:
        if not self._has_two_windows("entropy"):
            return None
        then, now = fmean(self.first["entropy"]), fmean(self.last["entropy"])
        if now > then * ENTROPY_LEFT / (_CLEAR if "entropy" in self.standing else 1):
            return None
        return (
            f"the entropy of a token fell from {then:.2f} to {now:.2f} nats: the answers become all alike "
            "and little new is tried; lower training.learning_rate or raise grpo.clip_high"
        )

    def _held_out(self, before: float, now: float) -> str | None:
        if not self._has_two_windows("reward"):
            return None
        first, last = self.first["reward"], self.last["reward"]
        then, rise = fmean(first), fmean(last) - fmean(first)
        noise = 2 * sqrt((variance(first) + variance(last)) / WINDOW)
        if rise < max(_LEAST_RISE, noise) or now - before > _FOLLOWS * rise:
            return None
        return (
            f"the reward rose from {then:.2f} to {fmean(last):.2f}, the held-out score went from "
            f"{before:.2f} to {now:.2f}: what is learnt may be the reward's holes; read completions.jsonl"
        )

    def _has_two_windows(self, name: str) -> bool:
        """Whether the first steps and the last ones are others."""
        return self.steps.get(name, 0) >= 2 * WINDOW


def course_from(values: Mapping[str, Any]) -> Course:
    """From a checkpoint."""
    return Course(**{**values, "standing": tuple(values.get("standing", ()))})
