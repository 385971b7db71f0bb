"""A completion of several answers, with what tools said in between."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from .conversation import Message, Role
from .guided_run import GuidedRun
from .rollout import Rollout


def sound(text: str) -> str:
    """Without halves of characters, which JSON has and no tokenizer takes."""
    return text.encode("utf-8", "replace").decode()


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What a tool said, as the model reads it; where it failed, that begins with ``error:``."""

    text: str
    failed: bool = False


@dataclass(slots=True)
class Episode:
    """A completion while it is drawn, and when it is whole.

    Attributes:
        prompt: token ids.
        seed: of the completion; those of its later answers derive from it.
        ids, log_probs, trained, finished: see ``Rollout``.
        turns: all that came after the prompt; the last one is the answer that is judged.
        answers: how many of the turns the model drew.
        tools: how often each tool was called, by name; ``errors`` calls that failed.
        guided: where the procedure stands that it is led through; None: it follows none step by step.
    """

    prompt: Sequence[int]
    seed: int
    ids: array[int] = field(default_factory=lambda: array("i"))
    log_probs: array[float] = field(default_factory=lambda: array("f"))
    trained: bytearray = field(default_factory=bytearray)
    finished: bool = False
    turns: list[Message] = field(default_factory=list)
    answers: int = 0
    tools: Counter[str] = field(default_factory=Counter)
    errors: int = 0
    guided: GuidedRun | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def completion(self) -> str:
        """The last answer."""
        return self.turns[-1].content

    @property
    def rollout(self) -> Rollout:
        """All of it, to be trained on."""
        return Rollout(self.ids, self.log_probs, self.finished, bytes(self.trained))

    def write(self, rollout: Rollout, text: str) -> None:
        """Adds an answer that the model drew."""
        self.ids += rollout.ids
        self.log_probs += rollout.log_probs
        self.trained += rollout.trained
        self.finished = rollout.finished
        self.turns.append(Message(Role.ASSISTANT, text))
        self.answers += 1

    def read(self, call: Message, results: Sequence[Message], ids: Sequence[int]) -> None:
        """Adds what the last answer, which says ``call``, was told; ``ids`` reach up to the next answer."""
        self.turns[-1:] = [call, *results]
        self.ids.extend(ids)
        self.log_probs.extend([0.0] * len(ids))
        self.trained += bytes(len(ids))
