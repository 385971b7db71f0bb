"""The quick way of finding what is trained gives what the slow way gives, on templates of every kind.

The slow way renders a conversation up to each answer, with its header and with the answer, and compares
the tokens' places; it asks transformers alone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from cesello.adapters.model.chat_encoder import ChatEncoder
from cesello.domain.conversation import Conversation, Message, Role, ToolCall
from cesello.domain.errors import DataError
from cesello.domain.tokens import TokenRow, token_row

EACH = "{% for m in messages %}"
ANSWER = "{% if add_generation_prompt %}"

CHATML = (
    EACH + "{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}"
    + ANSWER + "{{ '<|im_start|>assistant\\n' }}{% endif %}"
)  # fmt: skip
TEMPLATES = {
    "turns between special tokens": CHATML,
    "contents are trimmed": CHATML.replace("m.content", "m.content | trim"),
    "an end of two parts": CHATML.replace("<|im_end|>", " .<|im_end|>◆"),
    "special tokens of one character": CHATML.replace("<|im_start|>", "◆").replace("<|im_end|>", "■"),
    "no header before an answer": (
        "◆" + EACH + "{% if m.role == 'assistant' %}{{ ' ' + m.content + '■' }}"
        "{% else %}{{ '<|im_start|>' + m.content + '<|im_end|>' }}{% endif %}{% endfor %}"
    ),
    "an end that only some turns share": CHATML.replace(
        "'<|im_end|>\\n'", "('■' if m.role == 'assistant' and 'a' in m.content else '<|im_end|>') + '\\n'"
    ),
    "an end that is no special token": (
        EACH + "{{ '### ' + m.role + ':\\n' + m.content + '\\n### end\\n' }}{% endfor %}"
        + ANSWER + "{{ '### assistant:\\n' }}{% endif %}"
    ),
    "no end at all": (
        EACH + "{{ m.role + ':' + m.content + '\\n' }}{% endfor %}"
        + ANSWER + "{{ 'assistant:' }}{% endif %}"
    ),
}  # fmt: skip
MARKED = (
    EACH + "{{ '<|im_start|>' + m.role + '\\n' }}{% if m.role == 'assistant' %}{% generation %}"
    "{{ m.content + '<|im_end|>' }}{% endgeneration %}{{ '\\n' }}"
    "{% else %}{{ m.content + '<|im_end|>\\n' }}{% endif %}{% endfor %}"
    + ANSWER + "{{ '<|im_start|>assistant\\n' }}{% endif %}"
)  # fmt: skip

SPECIAL = ["<|im_start|>", "<|im_end|>", "◆", "■"]
MERGES = ["Ċ Ċ", "Ċ a", "Ġ a", ": a", "a <", ". Ġ", "Ġ .", "a Ċ", "a a", "e Ċ", "< |", "ð Ł"]


def tokenizer_of(template: str) -> Any:
    """Bytes, and tokens that reach across every border: from a header into an answer and out of it."""
    pairs = [(first, second) for first, _, second in (merge.partition(" ") for merge in MERGES)]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {name: index for index, name in enumerate([*alphabet, *map("".join, pairs)])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in SPECIAL])
    backend.add_tokens([AddedToken(name, normalized=False) for name in ("<think>", "  ")])
    tokenizer: Any = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>")
    tokenizer.chat_template = template
    return tokenizer


ENCODERS = {name: ChatEncoder(tokenizer_of(source)) for name, source in TEMPLATES.items()}


def slowly(tokenizer: Any, conversation: Conversation) -> TokenRow:
    turns = [{"role": turn.role.value, "content": turn.content} for turn in conversation.messages]
    text = tokenizer.apply_chat_template(turns, tokenize=False)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    starts = [begin for begin, _ in encoded["offset_mapping"]]
    trained = [False] * len(starts)
    for index, turn in enumerate(conversation.messages):
        if turn.is_trained:
            before = tokenizer.apply_chat_template(turns[:index], tokenize=False, add_generation_prompt=True)
            after = tokenizer.apply_chat_template(turns[: index + 1], tokenize=False).rstrip()
            assert text.startswith(before)
            assert text.startswith(after)
            for token in range(bisect_left(starts, len(before)), bisect_left(starts, len(after))):
                trained[token] = True
    return token_row(encoded["input_ids"], trained)


def conversations(contents: st.SearchStrategy[str]) -> st.SearchStrategy[Conversation]:
    trained = st.sampled_from([None, None, None, False])
    question = st.builds(Message, st.just(Role.USER), contents)
    answer = st.builds(Message, st.just(Role.ASSISTANT), contents, trained=trained)
    system = st.lists(st.builds(Message, st.just(Role.SYSTEM), contents), max_size=1)
    pairs = st.lists(st.tuples(question, answer), min_size=1, max_size=4)
    return st.builds(
        lambda first, rest: Conversation((*first, *(turn for pair in rest for turn in pair))), system, pairs
    )


WORDS = [
    "a",
    "aa",
    " ",
    "  ",
    "\n",
    "\n\n",
    ":",
    ".",
    "<",
    "|",
    "é",
    "🙂",
    "### ",
    "assistant",
    "end",
    "<think>",
]
PLAIN = st.lists(st.sampled_from(WORDS), min_size=1).map("".join).filter(str.strip)
EVIL = (
    st.lists(st.sampled_from([*WORDS, *SPECIAL, "<|im_", "start|>", "\U0010f000", "\U0010f002"]), min_size=1)
    .map("".join)
    .filter(str.strip)
)


@pytest.mark.parametrize("name", TEMPLATES)
@settings(deadline=None)
@given(conversation=conversations(PLAIN.map(lambda text: f"x{text}")))
def test_the_quick_way_gives_what_the_slow_way_gives(name: str, conversation: Conversation) -> None:
    encoder = ENCODERS[name]
    assert encoder.encode([conversation]) == [slowly(encoder.tokenizer, conversation)]


ALSO_MARKED = {
    "the end": MARKED,
    "the end and a newline": MARKED.replace(
        "'<|im_end|>' }}{% endgen", "'<|im_end|>\\n' }}{% endgen"
    ).replace("{% endgeneration %}{{ '\\n' }}", "{% endgeneration %}"),
    "no end": MARKED.replace(
        "m.content + '<|im_end|>' }}{% endgeneration %}", "m.content }}{% endgeneration %}{{ '<|im_end|>' }}"
    ),
}
MARKED_ENCODERS = {name: ChatEncoder(tokenizer_of(source)) for name, source in ALSO_MARKED.items()}


@pytest.mark.parametrize("what", ALSO_MARKED)
@settings(deadline=None)
@given(conversation=conversations(PLAIN.map(lambda text: f"x{text}x")))
def test_marks_of_the_template_give_the_same_labels(what: str, conversation: Conversation) -> None:
    marked = MARKED_ENCODERS[what]
    assert marked.encode([conversation]) == ENCODERS["turns between special tokens"].encode([conversation])


@pytest.mark.parametrize("name", TEMPLATES)
@settings(deadline=None)
@given(conversation=conversations(EVIL.map(lambda text: f"x{text}x")))
def test_no_text_becomes_a_special_token_and_none_is_changed(name: str, conversation: Conversation) -> None:
    encoder = ENCODERS[name]
    turns = conversation.messages
    harmless = Conversation(tuple(Message(turn.role, "a" if "a" in turn.content else "b") for turn in turns))
    [row], [other] = encoder.encode([conversation]), encoder.encode([harmless])
    assert specials(encoder, row.ids) == specials(encoder, other.ids)
    said = [{"role": turn.role.value, "content": turn.content} for turn in turns]
    text = encoder.tokenizer.apply_chat_template(said, tokenize=False)
    assert "".join(encoder.pieces(row.ids)) == text


def specials(encoder: ChatEncoder, ids: Sequence[int]) -> list[int]:
    special = set(encoder.tokenizer.convert_tokens_to_ids(SPECIAL))
    return [id_ for id_ in ids if id_ in special]


def trained_texts(encoder: ChatEncoder, conversation: Conversation) -> str:
    [row] = encoder.encode([conversation])
    return "".join(encoder.pieces([id_ for id_, label in zip(row.ids, row.trained, strict=True) if label]))


def test_a_token_that_begins_before_an_answer_is_not_trained() -> None:
    """The newline of the header and the answer's first letter are one token here."""
    encoder = ENCODERS["turns between special tokens"]
    talk = Conversation((Message(Role.USER, "q"), Message(Role.ASSISTANT, "ab")))
    assert trained_texts(encoder, talk) == "b<|im_end|>"


def test_a_token_that_reaches_beyond_an_answer_is_trained() -> None:
    encoder = ENCODERS["an end that is no special token"]
    talk = Conversation((Message(Role.USER, "q"), Message(Role.ASSISTANT, "b")))
    assert trained_texts(encoder, talk) == "b\n### end"
    encoder = ENCODERS["no end at all"]
    talk = Conversation((Message(Role.USER, "q"), Message(Role.ASSISTANT, "ba")))
    assert trained_texts(encoder, talk) == "ba\n"


def test_what_a_template_drops_cannot_be_trained() -> None:
    encoder = ChatEncoder(tokenizer_of(CHATML.replace("m.content", "(m.content if loop.last else '')")))
    question, answer = Message(Role.USER, "q", trained=True), Message(Role.ASSISTANT, "b")
    with pytest.raises(DataError, match=r"D013.*turn 1 ") as caught:
        encoder.encode([Conversation((question, answer))])
    assert caught.value.fix


def test_what_a_template_refuses_is_told() -> None:
    encoder = ChatEncoder(tokenizer_of("{{ raise_exception('no more than ' ~ 3 ~ ' turns') }}"))
    with pytest.raises(DataError, match=r"D016.*no more than 3 turns"):
        encoder.encode([Conversation((Message(Role.USER, "q"), Message(Role.ASSISTANT, "b")))])


def test_a_template_that_names_tools_and_writes_no_calls_gets_them_as_text() -> None:
    encoder = ChatEncoder(tokenizer_of("{{ tools and '' }}" + CHATML))
    calls = Message(Role.ASSISTANT, "", (ToolCall("add", '{"a": 1}'),))
    talk = Conversation((Message(Role.USER, "1 + 2?"), calls, Message(Role.TOOL, "3")))
    expected = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call><|im_end|>'
    assert trained_texts(encoder, talk) == expected


def test_a_length_left_on_the_tokenizer_cuts_and_fills_nothing() -> None:
    tokenizer = tokenizer_of(CHATML)
    encoder = ChatEncoder(tokenizer)
    talk = Conversation((Message(Role.USER, "q"), Message(Role.ASSISTANT, "b")))
    before, name = encoder.encode([talk]), encoder.identity
    tokenizer.backend_tokenizer.enable_truncation(3)
    tokenizer.backend_tokenizer.enable_padding(length=90)
    assert encoder.encode([talk]) == before
    assert ChatEncoder(tokenizer).identity == name


def test_a_mark_that_the_tokenizer_loses_is_replaced_by_another() -> None:
    evil = Conversation((Message(Role.USER, "q<|im_end|>"), Message(Role.ASSISTANT, "b ◆")))
    tokenizer = tokenizer_of(CHATML)
    expected = ChatEncoder(tokenizer).encode([evil])
    prompt = ChatEncoder(tokenizer).prompt(evil.prompt())
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace(Regex("[\U0010f000-\U0010ffff]"), "")
    assert ChatEncoder(tokenizer).encode([evil]) == expected
    assert ChatEncoder(tokenizer).prompt(evil.prompt()) == prompt
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace(Regex("[^\\x00-\\x7f]"), "")
    with pytest.raises(DataError, match="D017") as caught:
        ChatEncoder(tokenizer).encode([evil])
    assert caught.value.fix


def test_the_identity_is_of_the_template_too() -> None:
    assert len({encoder.identity for encoder in ENCODERS.values()}) == len(ENCODERS)
