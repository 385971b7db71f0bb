"""A tokenizer's chat template: turns in, text out. What it asks of its turns is learnt by trying."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError
from jinja2.exceptions import SecurityError

from ...domain.chatml import tools_as_text
from ...domain.conversation import Conversation, Message, Role
from ...domain.errors import DataError, ModelError, Place
from .template_sandbox import TemplateSandbox

Span = tuple[int, int]
Turn = dict[str, Any]

_TODAY = datetime(2024, 7, 26)
"""What templates that write the date take for today: or a row would have other tokens every day."""

_SPEC = {"type": "function", "function": {"name": "probe_spec", "description": "", "parameters": {}}}
_CALL = {"type": "function", "function": {"name": "probe_name", "arguments": {"key": "probe_value"}}}
SYSTEM: Turn = {"role": "system", "content": "probe_system"}
QUESTION: Turn = {"role": "user", "content": "probe_question"}
ANSWER: Turn = {"role": "assistant", "content": "probe_answer"}
CALL: Turn = {"role": "assistant", "content": "", "tool_calls": [{**_CALL, "id": "call00000"}]}
RESULT: Turn = {
    "role": "tool",
    "content": "probe_result",
    "name": "probe_name",
    "tool_call_id": "call00000",
}
"""Turns to try a template with."""


class ChatTemplate:
    """A compiled Jinja template.

    It is tried at once, so that one of ill will is found out before anything is begun.

    Args:
        source: the template.
        special_tokens: the names templates have for the tokenizer's special tokens, as ``eos_token``.
        file: where the template stands.

    Raises:
        ModelError: M047 when it is not safe to render, now or later, M048 when it is no template.
    """

    def __init__(self, source: str, special_tokens: Mapping[str, Any], file: str) -> None:
        self.source = source
        self._file = file
        self._sandbox = TemplateSandbox()
        self._template = self._compiled()
        self._constants = {**special_tokens, "documents": None, "strftime_now": _TODAY.strftime}
        self._tried([SYSTEM, QUESTION, CALL, RESULT, ANSWER, QUESTION], [_SPEC])

    def _compiled(self) -> Any:
        try:
            return self._sandbox.compiled(self.source)
        except SecurityError as cause:
            raise self._unsafe(cause) from cause
        # Python raises the rest, of a template that is nested too deep to be compiled.
        except (TemplateError, SyntaxError, RecursionError, MemoryError) as cause:
            line = cause.lineno if isinstance(cause, TemplateSyntaxError) else None
            raise ModelError(
                "M048",
                "a chat template cannot be compiled",
                where=Place(self._file, line),
                got=str(cause)[:200],
                expected="a Jinja template",
                fix="mend it, or remove it: without one, cesello writes conversations as ChatML",
            ) from cause

    def render(
        self, turns: Sequence[Turn], tools: Sequence[Turn] | None = None, *, answer_next: bool = False
    ) -> str:
        """The text of the turns, with the header of an answer after them if one is to come.

        Raises:
            DataError: D016 when the template refuses the turns.
        """
        return "".join(self._blocks(turns, tools, answer_next))

    def render_marked(
        self, turns: Sequence[Turn], tools: Sequence[Turn] | None = None
    ) -> tuple[str, list[Span]]:
        """The text and what of it stands inside ``{% generation %}``; raises as ``render``."""
        blocks: list[str] = []
        spans: list[Span] = []
        with self._template.environment.activate_tracker(blocks, spans):
            # The tracker measures what is already in the list.
            for block in self._blocks(turns, tools, False):
                blocks.append(block)  # noqa: PERF402
        return "".join(blocks), spans

    def _blocks(
        self, turns: Sequence[Turn], tools: Sequence[Turn] | None, answer_next: bool
    ) -> Iterator[str]:
        self._sandbox.begin()
        try:
            yield from self._template.generate(
                messages=turns, tools=tools, add_generation_prompt=answer_next, **self._constants
            )
        except (SecurityError, RecursionError, OverflowError, MemoryError) as cause:
            raise self._unsafe(cause) from cause
        except (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as cause:
            raise DataError(
                "D016",
                "the chat template refuses a conversation",
                got=str(cause),
                fix="leave such rows out, or take a model whose chat template accepts them",
            ) from cause

    def _unsafe(self, cause: Exception) -> ModelError:
        return ModelError(
            "M047",
            "a chat template is not safe to render",
            where=self._file,
            got=str(cause)[:200] or type(cause).__name__,
            expected="one that only writes a conversation down, and comes to an end",
            fix="do not use what comes with it; without a template cesello writes conversations as ChatML",
        )

    # What the template can do

    @cached_property
    def knows_tools(self) -> bool:
        """Whether tool specs, calls and results all come to be seen."""
        if "tools" not in self.source:
            return False
        text = self._tried([QUESTION, CALL, RESULT, ANSWER], [_SPEC])
        return all(word in text for word in ("probe_spec", "probe_name", "probe_value", "probe_result"))

    @cached_property
    def takes_any_id(self) -> bool:
        """Whether a tool call may have any id; Mistral's are of nine letters and digits."""
        turn = {**CALL, "tool_calls": [{**_CALL, "id": "call_0"}]}
        return "probe_name" in self._tried([QUESTION, turn])

    @cached_property
    def keeps_system(self) -> bool:
        """Whether a system turn is seen in a conversation that has been answered.

        Gemma's template refuses it, Mistral's writes it into the last turn if that is a question.
        """
        return "probe_system" in self._tried([SYSTEM, QUESTION, ANSWER])

    def _tried(self, turns: Sequence[Turn], tools: Sequence[Turn] | None = None) -> str:
        try:
            return self.render(turns, tools)
        except DataError:
            return ""

    # What the template is given

    def adapted(self, conversation: Conversation) -> Conversation:
        """The conversation with what the template would not show, tools or the system turn, as plain text."""
        if not self.knows_tools:
            conversation = tools_as_text(conversation)
        return conversation if self.keeps_system else _without_system(conversation)

    def turns(self, conversation: Conversation) -> list[Turn]:
        """The conversation's messages in the form templates read; what is absent has no key."""
        turns = [_turn(message) for message in conversation.messages]
        if not self.takes_any_id:
            _renumber(turns)
        return turns


def tools(conversation: Conversation) -> list[Turn] | None:
    """The tools on offer in the form templates read."""
    return [_plain(tool.as_openai()) for tool in conversation.tools] or None


def mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Plain data with every text in it changed, keys included."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {mapped(key, change): mapped(item, change) for key, item in value.items()}
    return [mapped(item, change) for item in value] if isinstance(value, list) else value


def _turn(message: Message) -> Turn:
    """Arguments are decoded, since templates encode them themselves."""
    turn: Turn = {"role": message.role.value, "content": message.content}
    if message.tool_calls:
        turn["tool_calls"] = [
            {
                "type": "function",
                **({} if call.id is None else {"id": call.id}),
                "function": {"name": call.name, "arguments": call.decoded()},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        turn["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        turn["name"] = message.name
    return turn


def _plain(value: Any) -> Any:
    """The same out of plain dicts and lists, which have no methods that the sandbox must know."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _without_system(conversation: Conversation) -> Conversation:
    """The system's text above the last question, where Mistral's template has it when an answer is asked."""
    turns = conversation.messages
    if not turns or turns[0].role is not Role.SYSTEM or turns[0].trained:
        return conversation
    system, *rest = turns
    for index in reversed(range(len(rest))):
        if rest[index].role is Role.USER:
            rest[index] = replace(rest[index], content=f"{system.content}\n\n{rest[index].content}")
            return replace(conversation, messages=tuple(rest))
    return conversation


def _renumber(turns: Sequence[Turn]) -> None:
    """New ids, of nine letters and digits; results that name no call answer the calls in order."""
    known: dict[str, str] = {}
    waiting: list[str] = []
    number = 0
    for turn in turns:
        for call in turn.get("tool_calls", ()):
            new = f"call{number:05d}"
            number += 1
            known[call.get("id", new)] = new
            call["id"] = new
            waiting.append(new)
        if turn["role"] == "tool":
            old = turn.get("tool_call_id")
            first = waiting[0] if waiting else "call00000"
            turn["tool_call_id"] = first if old is None else known.get(old, first)
            if turn["tool_call_id"] in waiting:
                waiting.remove(turn["tool_call_id"])
