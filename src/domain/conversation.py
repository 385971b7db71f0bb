"""A conversation: the one shape every row of every source takes before it is trained on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function the assistant asks for.

    Attributes:
        name: the function.
        arguments: a JSON object as text. It stays text, so that a round trip through a table changes nothing.
        id: what the tool's result refers to, when the source gives one.
    """

    name: str
    arguments: str
    id: str | None = None

    def decoded(self) -> dict[str, Any]:
        """The arguments as a Python object; raises ValueError when the text is not a JSON object."""
        value = json.loads(self.arguments)
        if not isinstance(value, dict):
            raise ValueError(f"arguments of {self.name} are {type(value).__name__}, not an object")
        return value


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A function on offer: its name, what it does, and its parameters as a JSON schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]

    def as_openai(self) -> dict[str, Any]:
        """The form chat templates expect."""
        function = {
            "name": self.name,
            "description": self.description,
            "parameters": dict(self.parameters),
        }
        return {"type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class Message:
    """One turn.

    Attributes:
        trained: whether its tokens count in the loss; None means the default, assistant turns only.
    """

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    trained: bool | None = None

    @property
    def is_trained(self) -> bool:
        return self.role is Role.ASSISTANT if self.trained is None else self.trained


@dataclass(frozen=True, slots=True)
class GivenProcedure:
    """The procedure that matched what a conversation asks, and what became of it.

    Attributes:
        sha: of its version.
        mode: catalog, full or guided; off: it was left out, to see what happens without.
        request: what was matched.
        text: what stands behind the system prompt.
    """

    name: str
    sha: str
    mode: str
    request: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class GivenPassage:
    """A passage of the memory that stands in a prompt.

    Attributes:
        lines: the first and the last, from 1.
        score: of its search.
        sha: the beginning of the sha256 of its text.
    """

    path: str
    lines: tuple[int, int]
    score: float
    sha: str


@dataclass(frozen=True, slots=True)
class GivenContext:
    """What the memory knew of a conversation's question, and what became of it.

    Attributes:
        passages: best first, those that there was room for.
        generation: of the memory.
        text: what stands before the last turn of the user; empty where it was left out.
        left_out: why, ``held out`` to see what happens without, or ``no room`` beside the row.
    """

    passages: tuple[GivenPassage, ...]
    generation: int
    text: str = ""
    left_out: str = ""

    def before(self, asked: str) -> str:
        """The turn that asks, with it."""
        return f"{self.text}{_APART}{asked}" if self.text else asked


_APART = "\n\n"


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages in order, the tools on offer, and what a grader needs to judge an answer.

    Attributes:
        reference: facts for a reward, never shown to the model (for example the right calls).
        procedure: None: none matched, or nobody looked for one.
        context: likewise, of the memory.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    reference: Mapping[str, Any] = field(default_factory=dict)
    procedure: GivenProcedure | None = None
    context: GivenContext | None = None

    @property
    def is_plain_text(self) -> bool:
        """A lone answer to nothing is no chat: it is text."""
        if len(self.messages) != 1 or self.tools:
            return False
        turn = self.messages[0]
        return turn.role is Role.ASSISTANT and not turn.tool_calls

    def with_system(self, text: str) -> Conversation:
        """The same conversation under a system prompt, unless it brings its own or is plain text."""
        if not text or self.is_plain_text or (self.messages and self.messages[0].role is Role.SYSTEM):
            return self
        return replace(self, messages=(Message(Role.SYSTEM, text), *self.messages))

    def behind_system(self, text: str) -> Conversation:
        """The same conversation with a text after its system prompt, or as that where it has none."""
        if not text:
            return self
        turns = list(self.messages)
        own = turns.pop(0).content if turns and turns[0].role is Role.SYSTEM else ""
        system = "\n\n".join(part for part in (own, text) if part)
        return replace(self, messages=(Message(Role.SYSTEM, system), *turns))

    def grounded(self, given: GivenContext) -> Conversation:
        """The same conversation with a context before its last turn of the user."""
        turns = list(self.messages)
        at = max((at for at, turn in enumerate(turns) if turn.role is Role.USER), default=None)
        if at is not None:
            turns[at] = replace(turns[at], content=given.before(turns[at].content))
        return replace(self, messages=tuple(turns), context=given)

    def without_context(self) -> Conversation:
        """The same as it was asked; what is known of the context is kept."""
        if self.context is None or not self.context.text:
            return self
        put = self.context.before("")
        turns = (
            replace(turn, content=turn.content.removeprefix(put)) if turn.role is Role.USER else turn
            for turn in self.messages
        )
        return replace(self, messages=tuple(turns))

    def without_system(self, text: str) -> Conversation:
        """The same without what was put into it: context, its procedure's text, and that system prompt."""
        bare = self.without_context()
        if not bare.messages or bare.messages[0].role is not Role.SYSTEM:
            return bare
        own = bare.messages[0].content
        if self.procedure and self.procedure.text:
            own = own.removesuffix(self.procedure.text).removesuffix("\n\n")
        head = () if own in ("", text) else (Message(Role.SYSTEM, own),)
        return replace(bare, messages=(*head, *bare.messages[1:]))

    def prompt(self) -> Conversation:
        """What a model is asked to continue: everything, less an answer of the assistant at the end."""
        return replace(self, messages=self.messages[:-1]) if self.answer() else self

    def answer(self) -> Message | None:
        """The answer of the assistant that it ends with; a chat that ends with a question has none yet."""
        last = self.messages[-1] if self.messages else None
        return last if last is not None and last.role is Role.ASSISTANT else None


def user(text: str) -> Conversation:
    """The shortest conversation: one question."""
    return Conversation((Message(Role.USER, text),))


def tools_named(tools: Iterable[ToolSpec], name: str) -> ToolSpec | None:
    """The tool of that name, or None."""
    return next((tool for tool in tools if tool.name == name), None)
