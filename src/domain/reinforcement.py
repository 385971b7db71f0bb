"""What reinforcement is asked, and what it keeps of every completion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .conversation import Conversation
from .objective import Objective
from .tokens import TokenRow

COMPLETIONS_AT_MOST = 4096
"""Tokens of one forward pass, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class PromptRow(TokenRow):
    """A row that is asked instead of learnt by heart.

    Attributes:
        conversation: the row; what comes before its last answer is the prompt.
    """

    conversation: Conversation = field(default_factory=lambda: Conversation(()))


@dataclass(frozen=True, slots=True)
class ReinforcementPlan:
    """How completions are drawn and learnt from.

    Attributes:
        completions: of each prompt; they are a group.
        temperature, top_p: see ``Sampling``; more than 0.
        pass_tokens: of one forward pass at most, prompts counted once a group.
    """

    objective: Objective = field(default_factory=Objective)
    completions: int = 8
    temperature: float = 1.0
    top_p: float = 1.0
    pass_tokens: int = COMPLETIONS_AT_MOST


@dataclass(frozen=True, slots=True)
class Judged:
    """One completion, drawn and judged.

    Attributes:
        ids: its tokens; ``log_probs`` of the engine that drew it.
        reward: None where none applies.
        parts: of the reward, by name.
        reference: log-probabilities by the reference, where one is needed; ``old`` by the policy before the
            first update on it, where there are several.
    """

    ids: Sequence[int]
    log_probs: Sequence[float]
    finished: bool
    text: str
    reward: float | None
    parts: Mapping[str, float] = field(default_factory=dict)
    reasons: Sequence[str] = ()
    verdict: str | None = None
    advantage: float = 0.0
    reference: Sequence[float] | None = None
    old: Sequence[float] | None = None

    def scored(self, name: str, log_probs: Sequence[float]) -> Judged:
        """With the log-probabilities by ``reference`` or ``old``."""
        return replace(self, old=log_probs) if name == "old" else replace(self, reference=log_probs)


@dataclass(frozen=True, slots=True)
class JudgedGroup:
    """The completions of one prompt.

    Attributes:
        prompt: token ids.
        question: the last turn of the prompt, to be read.
        dead: nothing can be learnt from it.
    """

    prompt: Sequence[int]
    question: str
    completions: Sequence[Judged]
    dead: bool = False

    def records(self, step: int, number: int) -> list[dict[str, Any]]:
        """A line of ``completions.jsonl`` for each."""
        return [
            {
                "step": step,
                "prompt": number,
                "question": self.question,
                "completion": one.text,
                "tokens": len(one.ids),
                "finished": one.finished,
                "reward": one.reward,
                "parts": dict(one.parts),
                "reasons": list(one.reasons),
                "verdict": one.verdict,
                "advantage": one.advantage,
                "kl": _divergence(one),
            }
            for one in self.completions
        ]


def _divergence(one: Judged) -> float | None:
    """From the reference, a token on average, as the engine drew it: minus the mean of the log ratio."""
    if one.reference is None or not one.ids:
        return None
    drawn = one.old if one.old is not None else one.log_probs
    return sum(mine - theirs for mine, theirs in zip(drawn, one.reference, strict=True)) / len(one.ids)
