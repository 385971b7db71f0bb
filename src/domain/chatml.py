"""ChatML, and function calling for models whose chat template knows no tools.

    <|im_start|>role
    content<|im_end|>

Tools are listed inside the system turn and called inside ``<tool_call>`` tags, one JSON object each, the
notation that Hermes and Qwen models made common.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from .conversation import Conversation, Message, Role, ToolCall, ToolSpec

CHATML_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' }}"
    "{% if message['role'] == 'assistant' and eos_token != '<|im_end|>' %}{{ eos_token }}{% endif %}"
    "{{ '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""The Jinja chat template given to a tokenizer that has none.

Where ``<|im_end|>`` is not the tokenizer's end-of-sequence token, that token follows it after an answer:
otherwise nothing would ever end one.
"""

_CALL = re.compile(r"<tool_call>\s*")
_CALL_END = re.compile(r"\s*(?:</tool_call>|\Z)")
_INSTRUCTIONS = (
    "You can call these functions:\n<tools>\n{tools}\n</tools>\n"
    'To call one, answer with <tool_call>\n{{"name": ..., "arguments": {{...}}}}\n</tool_call>'
)


def tools_as_text(conversation: Conversation) -> Conversation:
    """The same conversation in plain turns: tool specs in the system turn, calls and results as text.

    Every turn of the result has one of the roles system, user and assistant, and no tool calls.
    """
    turns = [_plain(turn) for turn in conversation.messages]
    if conversation.tools:
        listing = _INSTRUCTIONS.format(tools="\n".join(_compact(tool) for tool in conversation.tools))
        if turns and turns[0].role is Role.SYSTEM:
            turns[0] = replace(turns[0], content=f"{turns[0].content}\n\n{listing}")
        else:
            turns.insert(0, Message(Role.SYSTEM, listing))
    return replace(conversation, messages=tuple(turns), tools=())


def _plain(turn: Message) -> Message:
    if turn.role is Role.TOOL:
        text = f"<tool_response>\n{turn.content}\n</tool_response>"
        return Message(Role.USER, text, trained=bool(turn.trained))
    if not turn.tool_calls:
        return turn
    calls = "\n".join(call_as_text(call) for call in turn.tool_calls)
    content = f"{turn.content}\n{calls}" if turn.content else calls
    return replace(turn, content=content, tool_calls=())


def call_as_text(call: ToolCall) -> str:
    """One call between its tags; the arguments keep their own text."""
    name = json.dumps(call.name, ensure_ascii=False)
    return f'<tool_call>\n{{"name": {name}, "arguments": {call.arguments}}}\n</tool_call>'


def _compact(tool: ToolSpec) -> str:
    spec = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    }
    return json.dumps(spec, ensure_ascii=False, separators=(",", ":"))


def parse_calls(text: str) -> tuple[ToolCall, ...] | None:
    """The calls a completion makes, in order.

    Returns:
        None when the text makes no call at all or when any of its calls is not well-formed JSON of the
        right form; a completion is judged as a whole.
    """
    answer = parse_answer(text)
    return answer.tool_calls if answer else None


def parse_answer(text: str) -> Message | None:
    """A completion that makes calls as a turn: its calls, and as content its words beside them.

    Returns:
        None as ``parse_calls`` does.
    """
    calls: list[ToolCall] = []
    words: list[str] = []
    position = 0
    while begin := _CALL.search(text, position):
        try:
            # The JSON tells where it ends: a text inside it may hold the tag.
            value, end = json.JSONDecoder().raw_decode(text, begin.end())
            call = _call(value)
        except (ValueError, RecursionError):
            return None
        closing = _CALL_END.match(text, end)
        if call is None or closing is None:
            return None
        calls.append(call)
        words.append(text[position : begin.start()].strip())
        position = closing.end()
    words.append(text[position:].strip())
    return Message(Role.ASSISTANT, "\n".join(filter(None, words)), tuple(calls)) if calls else None


def _call(value: Any) -> ToolCall | None:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    arguments = value.get("arguments")
    if not isinstance(arguments, dict):
        return None
    return ToolCall(value["name"], json.dumps(arguments, ensure_ascii=False))
