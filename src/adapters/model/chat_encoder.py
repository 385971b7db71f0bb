"""Conversations to tokens through a tokenizer's own chat template, with the labels of what is trained."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from transformers import PreTrainedTokenizerBase
from transformers.utils.chat_template_utils import render_jinja_template

from ...domain.chatml import CHATML_TEMPLATE, tools_as_text
from ...domain.conversation import Conversation, Message, Role
from ...domain.errors import DataError
from ...domain.tokens import TokenRow, token_row

Span = tuple[int, int]
_PRIVATE_USE = range(0xE000, 0xF8FF)


class ChatEncoder:
    """Renders and tokenises conversations.

    A tokenizer without a chat template gets ChatML. Where its template knows no tools, tool specs and calls
    are written out as text. Text of a conversation never becomes a special token: a special token's name
    inside it is broken by a mark before rendering and mended after the template's own tokens were found.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer: Any = tokenizer
        if isinstance(tokenizer.chat_template, dict):
            templates = tokenizer.chat_template
            tokenizer.chat_template = templates.get("default", next(iter(templates.values())))
        self.origin = "model" if tokenizer.chat_template else "chatml"
        if not tokenizer.chat_template:
            tokenizer.chat_template = CHATML_TEMPLATE
        template = str(tokenizer.chat_template)
        self._template = template
        self._knows_tools = "tools" in template
        self._marks_answers = re.search(r"\{%-?\s*generation\s*-?%\}", template) is not None
        names = sorted(self.tokenizer.get_added_vocab(), key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, names))) if names else None

    def encode(self, conversation: Conversation) -> TokenRow:
        """The whole conversation, with a label on every token that is trained."""
        if conversation.is_plain_text:
            return self._encode_text(conversation.messages[0].content)
        conversation, mark = self._guarded(self._lowered(conversation))
        text, spans = self._rendered(conversation)
        ids, starts = self._tokens(text, mark)
        trained = [False] * len(ids)
        for begin, end in spans:
            for index in range(bisect_left(starts, begin), bisect_left(starts, end)):
                trained[index] = True
        return token_row(ids, trained)

    def prompt(self, conversation: Conversation) -> list[int]:
        """The tokens after which the assistant answers, shape [T]."""
        conversation, mark = self._guarded(self._lowered(conversation))
        return self._tokens(self._render(conversation.messages, conversation, answer_next=True), mark)[0]

    def _lowered(self, conversation: Conversation) -> Conversation:
        return conversation if self._knows_tools else tools_as_text(conversation)

    def _encode_text(self, text: str) -> TokenRow:
        """Plain text, as for continued pretraining: all of it trained, ended by the end-of-sequence token."""
        ids = self._plain_ids(text)[0] + [int(self.tokenizer.eos_token_id)]
        return token_row(ids, [True] * len(ids))

    # Rendering

    def _rendered(self, conversation: Conversation) -> tuple[str, list[Span]]:
        """The text of the conversation and the character spans that are trained."""
        turns = conversation.messages
        if self._marks_answers and all(turn.trained is None for turn in turns):
            return self._rendered_by_marks(conversation)
        text = self._render(turns, conversation)
        spans: list[Span] = []
        position = 0
        for index, turn in enumerate(turns):
            begin, end = self._turn_span(text, conversation, index, position)
            position = end
            if turn.is_trained:
                spans.append((begin, end))
        return text, spans

    def _rendered_by_marks(self, conversation: Conversation) -> tuple[str, list[Span]]:
        """The same from a template that marks answers itself, with ``{% generation %}``."""
        rendered: Any = render_jinja_template(
            [[_as_template_turn(turn) for turn in conversation.messages]],
            tools=self._tools(conversation),
            chat_template=self._template,
            return_assistant_tokens_mask=True,
            **self.tokenizer.special_tokens_map,
        )
        ((text,), (spans,)) = rendered
        return text, [self._with_end_of_turn(text, span) for span in spans]

    def _turn_span(self, text: str, conversation: Conversation, index: int, position: int) -> Span:
        """What the turn at ``index`` adds after the header of its role, its end-of-turn token included."""
        turns = conversation.messages
        if index and turns[index].role is Role.ASSISTANT:
            before = self._render(turns[:index], conversation, answer_next=True)
            after = self._render(turns[: index + 1], conversation).rstrip()
            if text.startswith(before) and text.startswith(after) and len(before) < len(after):
                return len(before), len(after)
        # Templates that rewrite earlier turns (dropped reasoning, for example) have no such prefixes.
        begin = text.find(turns[index].content.strip(), position)
        if begin < 0:
            if not turns[index].is_trained:
                return position, position
            raise DataError(
                "D013",
                f"the chat template leaves out what turn {index + 1} says, so it cannot be trained",
                fix="set trained: false for that turn or use another chat template",
            )
        return self._with_end_of_turn(text, (begin, begin + len(turns[index].content.strip())))

    def _with_end_of_turn(self, text: str, span: Span) -> Span:
        begin, end = span
        following = self._special.match(text, end) if self._special else None
        return (begin, following.end()) if following else (begin, begin + len(text[begin:end].rstrip()))

    def _render(
        self,
        turns: Sequence[Message],
        conversation: Conversation,
        *,
        answer_next: bool = False,
    ) -> str:
        return str(
            self.tokenizer.apply_chat_template(
                [_as_template_turn(turn) for turn in turns],
                tools=self._tools(conversation),
                tokenize=False,
                add_generation_prompt=answer_next,
            )
        )

    def _tools(self, conversation: Conversation) -> Any:
        return [tool.as_openai() for tool in conversation.tools] or None

    # Special tokens inside the data

    def _guarded(self, conversation: Conversation) -> tuple[Conversation, str]:
        """The conversation with a mark inside every name of a special token, and the mark, or no mark."""
        special = self._special
        texts = "".join(_texts(conversation))
        if special is None or not special.search(texts):
            return conversation, ""
        mark = next(chr(code) for code in _PRIVATE_USE if chr(code) not in texts)

        def guard(text: str) -> str:
            return special.sub(lambda found: found.group()[0] + mark + found.group()[1:], text)

        return _mapped(conversation, guard), mark

    def _tokens(self, text: str, mark: str) -> tuple[list[int], list[int]]:
        """Token ids and where each begins in ``text``, both of shape [T]."""
        if not mark or self._special is None:
            encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
            return encoded["input_ids"], [begin for begin, _ in encoded["offset_mapping"]]
        ids: list[int] = []
        starts: list[int] = []
        position = 0
        for found in self._special.finditer(text):
            self._extend(ids, starts, text[position : found.start()], position, mark)
            ids.append(int(self.tokenizer.convert_tokens_to_ids(found.group())))
            starts.append(found.start())
            position = found.end()
        self._extend(ids, starts, text[position:], position, mark)
        return ids, starts

    def _extend(self, ids: list[int], starts: list[int], text: str, position: int, mark: str) -> None:
        places = [place for place, character in enumerate(text) if character != mark]
        new_ids, new_starts = self._plain_ids(text.replace(mark, ""))
        ids += new_ids
        starts += [position + places[start] for start in new_starts]

    def _plain_ids(self, text: str) -> tuple[list[int], list[int]]:
        if not text:
            return [], []
        encoded = self.tokenizer(
            text,
            add_special_tokens=False,
            return_offsets_mapping=True,
            split_special_tokens=True,
        )
        return encoded["input_ids"], [begin for begin, _ in encoded["offset_mapping"]]


def _as_template_turn(turn: Message) -> dict[str, Any]:
    """The form chat templates read; arguments are decoded, since templates encode them themselves."""
    result: dict[str, Any] = {"role": turn.role.value, "content": turn.content}
    if turn.tool_calls:
        result["tool_calls"] = [
            {
                "type": "function",
                "id": call.id,
                "function": {"name": call.name, "arguments": call.decoded()},
            }
            for call in turn.tool_calls
        ]
    if turn.tool_call_id is not None:
        result["tool_call_id"] = turn.tool_call_id
    if turn.name is not None:
        result["name"] = turn.name
    return result


def _texts(conversation: Conversation) -> Iterator[str]:
    for turn in conversation.messages:
        yield turn.content
        for call in turn.tool_calls:
            yield call.name
            yield call.arguments
    for tool in conversation.tools:
        yield from _strings(tool.as_openai())


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _strings(key)
            yield from _strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)


def _mapped(conversation: Conversation, change: Any) -> Conversation:
    """The conversation with every text of it changed."""

    def walk(value: Any) -> Any:
        if isinstance(value, str):
            return change(value)
        if isinstance(value, Mapping):
            return {walk(key): walk(item) for key, item in value.items()}
        return [walk(item) for item in value] if isinstance(value, (list, tuple)) else value

    turns = tuple(
        replace(
            turn,
            content=change(turn.content),
            tool_calls=tuple(
                replace(call, name=change(call.name), arguments=change(call.arguments))
                for call in turn.tool_calls
            ),
        )
        for turn in conversation.messages
    )
    tools = tuple(
        replace(
            tool,
            name=change(tool.name),
            description=change(tool.description),
            parameters=walk(tool.parameters),
        )
        for tool in conversation.tools
    )
    return replace(conversation, messages=turns, tools=tools)
