"""What reinforcement is asked, and what it keeps of every completion."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import exp
from typing import Any, Protocol

from .conversation import Conversation, GivenContext, Message
from .conversation_json import to_json
from .objective import Objective
from .tokens import TokenRow

COMPLETIONS_AT_MOST = 4096
"""Tokens of one forward pass, where nothing else is said."""


class PromptPool(Protocol):
    """The prompts of one source that are trained on.

    Attributes:
        name: of the source.
    """

    @property
    def name(self) -> str: ...

    def __len__(self) -> int: ...

    def row(self, index: int) -> PromptRow:
        """The prompt at a place of the source, from 0."""
        ...


@dataclass(frozen=True, slots=True)
class PromptRow(TokenRow):
    """A row that is asked instead of learnt by heart.

    Attributes:
        conversation: the row; what comes before its last answer is the prompt.
        pool: the prompts of its source, of which it is the one at ``index``; None where there are no others.
    """

    conversation: Conversation = field(default_factory=lambda: Conversation(()))
    pool: PromptPool | None = field(default=None, repr=False, compare=False)
    index: int = 0


@dataclass(frozen=True, slots=True)
class Curriculum:
    """How prompts are chosen by their success rate.

    Attributes:
        target: the success rate that is best learnt from.
        candidates: prompts of a source of which the nearest to it is taken, the order's own among them.
    """

    target: float = 0.5
    candidates: int = 4


@dataclass(frozen=True, slots=True)
class ReinforcementPlan:
    """How completions are drawn and learnt from.

    Attributes:
        completions: of each prompt; they are a group.
        temperature, top_p: see ``Sampling``; more than 0.
        pass_tokens: of one forward pass at most, prompts counted once a group.
        curriculum: None asks the prompts in the order of the data.
        resample: prompts that are asked at most in a step besides, in the place of those whose group is dead.
        max_turns: answers of one completion at most, where tools may be called in between.
    """

    objective: Objective = field(default_factory=Objective)
    completions: int = 8
    temperature: float = 1.0
    top_p: float = 1.0
    pass_tokens: int = COMPLETIONS_AT_MOST
    curriculum: Curriculum | None = None
    resample: int = 0
    max_turns: int = 4


@dataclass(frozen=True, slots=True)
class Judged:
    """One completion, drawn and judged.

    Attributes:
        ids: its tokens; ``log_probs`` of the engine that drew it.
        reward: None where none applies.
        parts: of the reward, by name.
        reference: log-probabilities by the reference, where one is needed; ``old`` by the policy before the
            first update on it, where there are several.
        trained: see ``Rollout``; all log-probabilities are 0 where it is 0.
        said: all turns after the prompt, as JSON has them, where there are several; empty: ``text`` is all.
        turns: answers that the model drew; ``tools`` how often each tool was called, ``tool_errors`` how many
            calls failed.
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
    trained: bytes = b""
    turns: int = 1
    tools: Mapping[str, int] = field(default_factory=dict)
    tool_errors: int = 0
    said: Sequence[Mapping[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        object.__setattr__(self, "trained", self.trained or b"\1" * len(self.ids))

    @property
    def trained_tokens(self) -> int:
        return sum(self.trained)

    def scored(self, name: str, log_probs: Iterator[float]) -> Judged:
        """With those by ``reference`` or ``old``, of which one is taken for each trained token."""
        values = [next(log_probs) if trained else 0.0 for trained in self.trained]
        return replace(self, old=values) if name == "old" else replace(self, reference=values)


@dataclass(frozen=True, slots=True)
class JudgedGroup:
    """The completions of one prompt.

    Attributes:
        prompt: token ids.
        question: the last turn of the prompt, to be read.
        dead: nothing can be learnt from it.
        procedure: that matched the prompt, as ``procedure_record`` has it.
        memory: what the memory knew of the prompt, as ``memory_record`` has it.
        asked: the prompt as it was without either, see ``asked_record``.
    """

    prompt: Sequence[int]
    question: str
    completions: Sequence[Judged]
    dead: bool = False
    procedure: Mapping[str, str] | None = None
    memory: Mapping[str, Any] = field(default_factory=lambda: memory_record(None))
    asked: Mapping[str, Any] | None = None

    def learnt_from(self, objective: Objective) -> list[Judged]:
        """The completions that count in the step's loss."""
        if self.dead and objective.skips_dead:
            return []
        return [one for one in self.completions if one.ids and objective.trains_on(finished=one.finished)]

    def records(self, step: int, number: int, *, replaced: bool = False) -> list[dict[str, Any]]:
        """A line of ``completions.jsonl`` for each.

        Args:
            number: the prompt's place in the step.
            replaced: another prompt was asked in its place.

        What was asked, and the text of the passages, stand in the first line of a group alone; in the others
        they are null.
        """
        return [
            {
                "step": step,
                "prompt": number,
                "replaced": replaced,
                "question": self.question,
                "asked": dict(self.asked) if self.asked and not place else None,
                "procedure": self.procedure and dict(self.procedure),
                **self.memory,
                **({"memory_text": None} if place else {}),
                "completion": one.text,
                "said": list(one.said) or None,
                "turns": one.turns,
                "tools": dict(one.tools),
                "tokens": len(one.ids),
                "finished": one.finished,
                "reward": one.reward,
                "parts": dict(one.parts),
                "reasons": list(one.reasons),
                "verdict": one.verdict,
                "advantage": one.advantage,
                "kl": _divergence(one),
            }
            for place, one in enumerate(self.completions)
        ]


def asked_record(prompt: Conversation) -> dict[str, Any]:
    """A prompt's turns and tools as JSON has them, without the text of a procedure and of the memory."""
    bare = prompt.without_system("")
    parts: dict[str, Any] = json.loads(to_json(Conversation(bare.messages, bare.tools)))
    return parts


def said_record(turns: Sequence[Message]) -> list[Mapping[str, Any]]:
    """Turns as JSON has them; none where there is only the answer."""
    said: list[Mapping[str, Any]] = json.loads(to_json(Conversation(tuple(turns)))).get("messages", [])
    return said if len(said) > 1 else []


def procedure_record(prompt: Conversation) -> dict[str, str] | None:
    """What is kept of the procedure that matched a prompt; its text is that of the version."""
    given = prompt.procedure
    if given is None:
        return None
    return {"name": given.name, "sha": given.sha, "mode": given.mode, "request": given.request}


def memory_record(given: GivenContext | None) -> dict[str, Any]:
    """What is kept of the passages in a prompt: which they are and how they are quoted, or why those that
    were found are left out.
    """
    if given is None:
        return {"memory": None, "memory_text": None, "memory_left_out": None}
    passages = [asdict(one) | {"lines": list(one.lines)} for one in given.passages]
    return {
        "memory": passages if given.text else None,
        "memory_text": given.text or None,
        "memory_left_out": given.left_out or None,
    }


def _divergence(one: Judged) -> float | None:
    """From the reference, a token on average, as it was drawn: by k3, as the step's; see ``policy_loss``."""
    if one.reference is None or not one.trained_tokens:
        return None
    drawn = one.old if one.old is not None else one.log_probs
    differences = [theirs - mine for mine, theirs in zip(drawn, one.reference, strict=True)]
    # exp ends with an error beyond 709. What is not trained on differs by 0, and adds nothing.
    return sum(exp(min(each, 700.0)) - each - 1 for each in differences) / one.trained_tokens
