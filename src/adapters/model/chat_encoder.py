"""Conversations to tokens through a tokenizer's own chat template, with the labels of what is trained."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

from tokenizers.decoders import DecodeStream
from transformers import PreTrainedTokenizerBase

from ...domain.chatml import CHATML_TEMPLATE, parse_calls
from ...domain.conversation import Conversation, Message, Role, ToolCall
from ...domain.errors import DataError, ModelError
from ...domain.tokens import TokenRow, token_row
from .answer_spans import AnswerSpans
from .chat_template import ChatTemplate, Span, tools
from .control_tokens import BLOCKS, ControlTokens, Guarded

_VERSION = 2
"""To be raised with every change of this code that gives other tokens or labels than before."""

_AT_ONCE = 64
"""Conversations that a thread tokenises at once."""


@dataclass(frozen=True, slots=True)
class _Text:
    """A conversation as it is tokenised.

    Attributes:
        spans: the characters that are trained, in order.
        marks: characters of the text that stand for others.
        ended: whether the end-of-sequence token is to follow, trained.
    """

    text: str
    spans: Sequence[Span]
    marks: Mapping[str, str]
    ended: bool = False


class ChatEncoder:
    """Renders and tokenises conversations.

    A tokenizer without a chat template gets ChatML. Where its template knows no tools, tool specs and calls
    are written out as text. A token is trained if it begins inside what is trained.

    Args:
        tokenizer: one that runs on the tokenizers library.

    Raises:
        ModelError: M047, M048 for its chat template.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer: Any = tokenizer
        if isinstance(tokenizer.chat_template, dict):
            templates = tokenizer.chat_template
            tokenizer.chat_template = templates.get("default", next(iter(templates.values()), None))
        self.origin = "model" if tokenizer.chat_template else "chatml"
        if not tokenizer.chat_template:
            tokenizer.chat_template = CHATML_TEMPLATE
        source = str(tokenizer.chat_template)
        self._backend: Any = self.tokenizer.backend_tokenizer
        file = _file(tokenizer.name_or_path)
        self._template = ChatTemplate(source, self.tokenizer.special_tokens_map, file)
        self._control = ControlTokens(tokenizer, source)
        self._answers = AnswerSpans(self._template, self._control.special)
        self._identity: str | None = None
        self._spelled = {character: self._as_text(character) for character in self._control.firsts}

    @property
    def identity(self) -> str:
        if self._identity is None:
            self._leave_whole()
            special = sorted(self.tokenizer.special_tokens_map.items())
            parts = (_VERSION, self._template.source, special, self._backend.to_str())
            self._identity = sha256(repr(parts).encode()).hexdigest()
        return self._identity

    @property
    def tokenizer_identity(self) -> str:
        """A sha256 over vocabulary, rules and special tokens."""
        self._leave_whole()
        special = sorted(self.tokenizer.special_tokens_map.items())
        return sha256(repr((special, self._backend.to_str())).encode()).hexdigest()

    @property
    def template_identity(self) -> str:
        """A sha256 over the chat template and the way of encoding."""
        return sha256(repr((_VERSION, self._template.source)).encode()).hexdigest()

    @property
    def identities(self) -> Mapping[str, str]:
        return {"tokenizer": self.tokenizer_identity, "chat template": self.template_identity}

    def encode(self, conversations: Sequence[Conversation]) -> list[TokenRow]:
        self._leave_whole()
        parts = _parts((self._rendered(one) for one in conversations), _AT_ONCE)
        if len(conversations) <= _AT_ONCE:
            rows = [row for part in parts for row in self._rows(part)]
        else:
            # While threads tokenise, which needs no interpreter, this one renders what comes next.
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                rows = [row for part in pool.map(self._rows, parts) for row in part]
        return [
            self._first_row(self._rendered(one, block) for block in BLOCKS) if row is None else row
            for one, row in zip(conversations, rows, strict=True)
        ]

    def prompt(self, conversation: Conversation) -> list[int]:
        """The tokens after which the assistant answers, shape [T]."""
        self._leave_whole()
        return self._first_row(self._asked(conversation, block) for block in BLOCKS).ids.tolist()

    def results(self, calls: Sequence[ToolCall], results: Sequence[Message]) -> list[int]:
        """The tokens between an answer that calls tools and the next answer, shape [T].

        They are what the chat template writes after an answer's end of turn: what the tools said, and the
        header of the next answer. The answer itself was drawn and is not looked at. Another one stands for
        it, with the name of its first call alone, since there are templates that know one call a turn.

        Raises:
            ModelError: M057 when the template has no place for what tools say.
        """
        self._leave_whole()
        [first, *_] = calls
        asks = Message(Role.ASSISTANT, "", (ToolCall(first.name, "{}"),))
        conversation = Conversation((Message(Role.USER, "?"), asks, *results))
        try:
            return self._first_row(self._after_answer(conversation, block) for block in BLOCKS).ids.tolist()
        except DataError as cause:
            if cause.code == "D017":
                raise
            if len(results) > 1:  # there are templates that know no two questions in a row
                text = "\n".join(one.content for one in results)
                return self.results(calls, [replace(results[0], content=text)])
            raise _untold(cause.got or cause.what) from cause

    def told(self, text: str) -> list[int]:
        """The tokens between an answer and the next, where the user says this in between, shape [T].

        Raises:
            ModelError: M057 when the template has no place for it. DataError: D017 when the text is not told
                from the tokens that end a turn.
        """
        self._leave_whole()
        turns = (Message(Role.USER, "?"), Message(Role.ASSISTANT, "-"), Message(Role.USER, text))
        try:
            rows = (self._after_answer(Conversation(turns), block) for block in BLOCKS)
            return self._first_row(rows).ids.tolist()
        except DataError as cause:
            if cause.code == "D017":
                raise
            what = "the chat template has no turn of the user after an answer"
            fix = "let memory.procedures be full or catalog, or take another model"
            raise ModelError("M057", what, got=cause.got or cause.what, fix=fix) from cause

    def check_tools(self) -> None:
        """Makes sure that calls, as the template writes them, are read as such, and that results are told.

        Raises:
            ModelError: M057 when not.
        """
        call, result = ToolCall("probe", '{"key": "value"}'), Message(Role.TOOL, "tells", name="probe")
        asked = Conversation((Message(Role.USER, "?"), Message(Role.ASSISTANT, "", (call,))))
        try:
            written = self._rendered(asked)
        except DataError as cause:
            raise _untold(cause.got or cause.what) from cause
        answer = "".join(written.text[begin:end] for begin, end in written.spans)
        # As drawn tokens are read: without those that are special.
        read = str(self._backend.decode(self._backend.encode(answer, add_special_tokens=False).ids))
        if parse_calls(read) is None:
            raise _untold(read)
        told = "".join(self.pieces(self.results([call], [result])))
        if result.content not in told:
            raise _untold(told)

    def pieces(self, ids: Sequence[int]) -> list[str]:
        stream = DecodeStream(skip_special_tokens=False)
        pieces = [stream.step(self._backend, int(token)) or "" for token in ids]
        if pieces:
            whole = str(self._backend.decode(list(map(int, ids)), skip_special_tokens=False))
            pieces[-1] += whole[sum(map(len, pieces)) :]
        return pieces

    # Conversation to text

    def _rendered(self, conversation: Conversation, block: int = BLOCKS[0]) -> _Text:
        if conversation.is_plain_text:
            turn = {"role": "assistant", "content": conversation.messages[0].content}
            guarded = self._control.guarded([turn], None, block)
            text = str(guarded.turns[0]["content"])
            return _Text(text, [(0, len(text))], guarded.marks, ended=True)
        conversation = self._template.adapted(conversation)
        trained = [turn.is_trained for turn in conversation.messages]
        guarded = self._guarded(conversation, block)
        return _Text(*self._answers.rendered(guarded.turns, guarded.tools, trained), guarded.marks)

    def _asked(self, conversation: Conversation, block: int) -> _Text:
        guarded = self._guarded(self._template.adapted(conversation), block)
        text = self._template.render(guarded.turns, guarded.tools, answer_next=True)
        return _Text(text, (), guarded.marks)

    def _after_answer(self, conversation: Conversation, block: int) -> _Text:
        """What comes after the only answer of a conversation, up to the beginning of the next."""
        conversation = self._template.adapted(conversation)
        answers = [turn.role is Role.ASSISTANT for turn in conversation.messages]
        guarded = self._guarded(conversation, block)
        text, spans = self._answers.rendered(guarded.turns, guarded.tools, answers)
        if not spans:
            raise _untold(text)
        end = spans[-1][1]
        whole = self._template.render(guarded.turns, guarded.tools, answer_next=True)
        if not whole.startswith(text):
            raise _untold("another text where an answer is to follow")
        return _Text(whole[end:], (), guarded.marks)

    def _guarded(self, conversation: Conversation, block: int) -> Guarded:
        return self._control.guarded(self._template.turns(conversation), tools(conversation), block)

    # Text to tokens

    def _leave_whole(self) -> None:
        """Tokenizers come with, or are left with, a length to cut or fill rows to."""
        if self._backend.truncation or self._backend.padding:
            self._backend.no_truncation()
            self._backend.no_padding()

    def _rows(self, texts: Sequence[_Text]) -> list[TokenRow | None]:
        """A row of each text, or None where a mark in it did not get tokens of its own."""
        encodings = self._backend.encode_batch([one.text for one in texts], add_special_tokens=False)
        return [self._row(one, encoding) for one, encoding in zip(texts, encodings, strict=True)]

    def _row(self, text: _Text, encoding: Any) -> TokenRow | None:
        ids: list[int] = encoding.ids
        trained = [False] * len(ids)
        for begin, end in text.spans:
            first = _first_token(encoding, begin, len(text.text))
            behind = _first_token(encoding, end, len(text.text))
            trained[first:behind] = [True] * (behind - first)
        for place in _places(text):
            found = _tokens_of(encoding, place)
            if found is None:
                return None
            spelled = self._spelled[text.marks[text.text[place]]]
            trained[found] = [trained[found.start]] * len(spelled)
            ids[found] = spelled
        if text.ended:
            ids.append(int(self.tokenizer.eos_token_id))
            trained.append(True)
        return token_row(ids, trained)

    def _first_row(self, texts: Iterable[_Text]) -> TokenRow:
        """The row of the first text whose marks all get tokens of their own."""
        for text in texts:
            [row] = self._rows([text])
            if row is not None:
                return row
        raise DataError(
            "D017",
            "the name of a special token cannot be kept as text by this tokenizer",
            fix="leave out conversations that name the model's special tokens",
        )

    def _as_text(self, character: str) -> list[int]:
        """The tokens of a character inside a text, even where it is the name of a special token."""
        known = self._backend.token_to_id(character)
        if known is not None and known not in self._backend.get_added_tokens_decoder():
            return [known]
        before = self._backend.encode_special_tokens
        self._backend.encode_special_tokens = True
        ids: list[int] = self._backend.encode(character, add_special_tokens=False).ids
        self._backend.encode_special_tokens = before
        return ids


def _untold(got: object) -> ModelError:
    return ModelError(
        "M057",
        "the chat template has no turns of tools that can be written and read",
        got=got,
        expected="answers with calls as <tool_call>{...}</tool_call>, and turns with what tools say",
        fix="leave out grpo.tools, or take a model whose chat template has both, as Qwen2.5's; where a model "
        "brings none, cesello writes both",
    )


def _file(name: str) -> str:
    """Where a tokenizer of this name has its chat template."""
    template, config = (Path(name) / file for file in ("chat_template.jinja", "tokenizer_config.json"))
    found = (file for file in (template, config) if file.is_file())
    return str(next(found, f"the chat template of {name}"))


def _places(text: _Text) -> list[int]:
    """Where the marks of a text stand, the last one first."""
    if not text.marks:
        return []
    return [place for place in reversed(range(len(text.text))) if text.text[place] in text.marks]


def _first_token(encoding: Any, place: int, size: int) -> int:
    """The first token that begins at ``place`` or later in a text of ``size`` characters."""
    token = next(
        (found for at in range(place, size) if (found := encoding.char_to_token(at)) is not None), None
    )
    if token is None:
        return len(encoding)
    while token < len(encoding) and encoding.token_to_chars(token)[0] < place:
        token += 1
    return int(token)


def _tokens_of(encoding: Any, place: int) -> slice | None:
    """The tokens of the character at ``place`` if they are its alone."""
    first = encoding.char_to_token(place)
    if first is None:
        return None
    behind = first
    while behind < len(encoding) and encoding.token_to_chars(behind) == (place, place + 1):
        behind += 1
    alone = behind > first and encoding.char_to_token(place + 1) in (behind, None)
    return slice(first, behind) if alone else None


def _parts(texts: Iterable[_Text], size: int) -> Iterator[list[_Text]]:
    iterator = iter(texts)
    while part := list(islice(iterator, size)):
        yield part
