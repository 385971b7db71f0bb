"""What is put around a task, as named texts that can be improved, and how it is put there.

A text may hold placeholders, ``{name}``, of declared names; whatever else stands in braces is text.
Rendering replaces them in one pass and never looks at what it has put in, so that nothing that a model or a
row wrote is read as a placeholder, let alone evaluated as ``str.format`` would.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

from .conversation import Conversation, Message, Role

QUESTION = "question"
"""The placeholder for the last turn of the user."""

COMPONENTS = ("system", "procedure", "question")
"""The texts of a program, in the order in which a model reads them."""

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Demo:
    """A solved task, shown before the question."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class PromptProgram:
    """A prompt in parts.

    Attributes:
        system: the system prompt.
        procedure: a standard operating procedure; it follows the system prompt after an empty line.
        question: what the last turn of the user becomes; it holds ``{question}``.
        demos: solved tasks, as turns before that one.
        values: of placeholders other than ``{question}``, by name.
    """

    system: str = ""
    procedure: str = ""
    question: str = "{question}"
    demos: tuple[Demo, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """16 hexadecimal digits that stand for all of it: the same program, the same id."""
        parts = [
            self.system, self.procedure, self.question,
            [[demo.question, demo.answer] for demo in self.demos],
            sorted(self.values.items()),
        ]  # fmt: skip
        return sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()[:16]

    def text(self, component: str) -> str:
        """One of ``COMPONENTS``."""
        return str(getattr(self, component))

    def with_text(self, component: str, text: str) -> PromptProgram:
        """The same program with another text there."""
        if component not in COMPONENTS:
            raise ValueError(f"no component {component!r}")
        return replace(self, **{component: text})  # type: ignore[arg-type]

    def around(self, task: Conversation) -> Conversation:
        """The task as it is asked; a system prompt of its own is kept, and the procedure added to it.

        A procedure that has matched the task, and is not in its prompt yet, comes last; a context that was
        found for it comes before what it asks.
        """
        turns = list(task.messages)
        at = max((at for at, turn in enumerate(turns) if turn.role is Role.USER), default=None)
        if at is not None:
            asked = filled(self.question, {**self.values, QUESTION: turns[at].content})
            found = task.context.before(asked) if task.context else asked
            turns[at] = replace(turns[at], content=found)
        system = filled(self.system, self.values)
        if turns and turns[0].role is Role.SYSTEM:
            system = turns.pop(0).content
        matched = task.procedure.text if task.procedure else ""
        texts = (system, filled(self.procedure, self.values), matched)
        system = "\n\n".join(text for text in texts if text)
        shown = [
            turn
            for demo in self.demos
            for turn in (
                Message(Role.USER, filled(self.question, {**self.values, QUESTION: demo.question})),
                Message(Role.ASSISTANT, demo.answer, trained=False),
            )
        ]
        head = [Message(Role.SYSTEM, system)] if system else []
        return replace(task, messages=(*head, *shown, *turns))


def placeholders(text: str) -> frozenset[str]:
    """Names that stand in braces by themselves."""
    return frozenset(_PLACEHOLDER.findall(text))


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with the value of every placeholder that has one, in one pass."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)
