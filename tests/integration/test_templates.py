"""Real tokenizers with their real chat templates: Qwen2.5, Qwen3, Llama-3.2 and Mistral-Nemo."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import pytest
from transformers import AutoTokenizer

from cesello.adapters.model.chat_encoder import ChatEncoder
from cesello.domain.conversation import Conversation, Message, Role, ToolCall, ToolSpec
from cesello.domain.errors import DataError, ModelError
from cesello.domain.tokens import TokenRow
from tests.real_tokenizers import NAMES, real_tokenizer

pytestmark = pytest.mark.download

ARGUMENTS = {
    "città": "Forlì – «Cesena» 🙂",
    "giorni": [1, 2.5, -3],
    "note": None,
    "deep": {"quote": 'say "hi"', "slash": "a\\b", "line": "a\nb", "yes": True},
}
SPEC = ToolSpec(
    "meteo.previsioni",
    "Dice che tempo farà.",
    {"type": "object", "properties": {"città": {"type": "string", "description": "dove"}}},
)
SYSTEM = Message(Role.SYSTEM, "Rispondi in italiano, perché sì.")
QUESTION = Message(Role.USER, "Che tempo farà?")
CALL = ToolCall(SPEC.name, json.dumps(ARGUMENTS, ensure_ascii=False))
SECOND = ToolCall("altra", '{"città": "Nuoro", "n": 1e3}')
RESULT = Message(Role.TOOL, '{"gradi": 21, "cielo": "però coperto"}', name=SPEC.name)
ANSWER = Message(Role.ASSISTANT, "Sarà nuvoloso, più o meno.")

END = {"qwen2.5": "<|im_end|>", "qwen3": "<|im_end|>", "llama3.2": "<|eot_id|>", "mistral": "</s>"}
NO_THOUGHT = "<think>\n\n</think>\n\n"


@dataclass
class Template:
    """A real tokenizer with what reads rows back."""

    name: str
    encoder: ChatEncoder

    @property
    def end(self) -> str:
        return END[self.name]

    def row(self, *turns: Message, tools: tuple[ToolSpec, ...] = ()) -> TokenRow:
        [row] = self.encoder.encode([Conversation(turns, tools)])
        return row

    def text(self, row: TokenRow) -> str:
        return "".join(self.encoder.pieces(row.ids))

    def trained(self, row: TokenRow) -> list[str]:
        """The text of every run of trained tokens."""
        pairs = zip(row.ids, row.trained, strict=True)
        runs = [[id_ for id_, _ in run] for label, run in groupby(pairs, key=lambda pair: pair[1]) if label]
        return ["".join(self.encoder.pieces(run)) for run in runs]

    def specials(self, row: TokenRow) -> list[str]:
        """The names of the added tokens in a row, in order."""
        added = self.encoder.tokenizer.added_tokens_decoder
        return [added[id_].content for id_ in row.ids if id_ in added]


@pytest.fixture(params=NAMES, scope="module")
def template(request: pytest.FixtureRequest) -> Template:
    return _load(request.param)


@pytest.fixture(scope="module")
def qwen3() -> Template:
    return _load("qwen3")


@pytest.fixture(scope="module")
def llama() -> Template:
    return _load("llama3.2")


@pytest.fixture(scope="module")
def mistral() -> Template:
    return _load("mistral")


def _load(name: str) -> Template:
    tokenizer: Any = AutoTokenizer.from_pretrained(real_tokenizer(name), clean_up_tokenization_spaces=False)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return Template(name, ChatEncoder(tokenizer))


def assistant(content: str, *calls: ToolCall) -> Message:
    return Message(Role.ASSISTANT, content, calls)


def calls_of(template: Template, answer: str) -> list[dict[str, Any]]:
    """The calls as a runtime would read them out of an answer."""
    text = answer.removesuffix(template.end)
    if template.name == "mistral":
        return list(json.loads(text.removeprefix("[TOOL_CALLS]")))
    if template.name == "llama3.2":
        call = json.loads(text)
        return [{"name": call["name"], "arguments": call["parameters"]}]
    return [json.loads(one) for one in re.findall(r"<tool_call>\n(.*?)\n</tool_call>", text, re.DOTALL)]


# Tools


def test_a_call_is_written_with_its_name_and_equal_arguments(template: Template) -> None:
    row = template.row(QUESTION, assistant("", CALL), tools=(SPEC,))
    [answer] = template.trained(row)
    [call] = calls_of(template, answer)
    assert (call["name"], call["arguments"]) == (SPEC.name, ARGUMENTS)
    assert "città" in answer, "written as it is, not escaped"
    assert '\\"città' not in answer, "an object, not a text that holds one"
    assert answer.endswith(template.end)


def test_parallel_calls_are_all_written(template: Template) -> None:
    turns = (QUESTION, assistant("", CALL, SECOND), RESULT, replace(RESULT, name="altra"), ANSWER)
    if template.name == "llama3.2":
        with pytest.raises(DataError, match=r"D016.*single tool-calls") as caught:
            template.row(*turns, tools=(SPEC,))
        assert caught.value.fix
        return
    row = template.row(*turns, tools=(SPEC,))
    written, said = template.trained(row)
    calls = calls_of(template, written)
    assert [(call["name"], call["arguments"]) for call in calls] == [
        (SPEC.name, ARGUMENTS),
        ("altra", {"città": "Nuoro", "n": 1000.0}),
    ]
    assert said.removeprefix(NO_THOUGHT) == ANSWER.content + template.end


def test_specs_and_results_are_seen_and_not_trained(template: Template) -> None:
    row = template.row(QUESTION, assistant("", CALL), RESULT, ANSWER, tools=(SPEC,))
    text = template.text(row)
    for word in (SPEC.name, SPEC.description, "dove"):
        assert word in text
    result = json.dumps(RESULT.content, ensure_ascii=False) if template.name == "llama3.2" else RESULT.content
    assert text.count(result) == 1
    trained = "".join(template.trained(row))
    assert "però coperto" not in trained
    assert SPEC.description not in trained
    assert len(template.trained(row)) == 2


def test_what_is_absent_is_not_written_as_none(template: Template) -> None:
    plain = ToolCall("f", '{"a": 1}')
    row = template.row(QUESTION, assistant("", plain), Message(Role.TOOL, "3"), ANSWER, tools=(SPEC,))
    assert "None" not in template.text(row)
    assert "null" not in template.text(row)


def test_ids_of_calls_are_kept_or_made_to_fit(mistral: Template) -> None:
    first, second = replace(CALL, id="call_abc"), replace(SECOND, id="call_def")
    results = [
        Message(Role.TOOL, text, tool_call_id=id_) for text, id_ in (("2", "call_def"), ("1", "call_abc"))
    ]
    text = mistral.text(mistral.row(QUESTION, assistant("", first, second), *results, ANSWER, tools=(SPEC,)))
    ids = re.findall(r'"(?:call_)?id": "([a-zA-Z0-9]{9})"', text)
    assert ids == [ids[0], ids[1], ids[1], ids[0]]
    assert ids[0] != ids[1]


# What is trained


def test_only_answers_are_trained_with_their_ends(template: Template) -> None:
    row = template.row(SYSTEM, QUESTION, ANSWER, Message(Role.USER, "E domani?"), assistant("Sole!"))
    first, second = template.trained(row)
    assert first == ANSWER.content + template.end
    assert second.removeprefix(NO_THOUGHT) == "Sole!" + template.end
    text = template.text(row)
    for turn in (SYSTEM, QUESTION):
        assert text.count(turn.content) == 1


def test_the_end_of_a_turn_is_trained_where_it_is_also_the_padding(template: Template) -> None:
    tokenizer = template.encoder.tokenizer
    before = tokenizer.pad_token
    tokenizer.pad_token = tokenizer.eos_token
    try:
        row = template.row(QUESTION, ANSWER)
    finally:
        tokenizer.pad_token = before
    last = max(index for index, label in enumerate(row.trained) if label)
    assert row.ids[last] == tokenizer.eos_token_id


def test_the_header_is_not_trained_and_what_follows_it_is(template: Template) -> None:
    asked = Conversation((SYSTEM, QUESTION))
    prompt = template.encoder.prompt(asked)
    row = template.row(*asked.messages, ANSWER)
    assert row.ids[: len(prompt)].tolist() == prompt
    assert not any(row.trained[: len(prompt)])
    assert row.trained[len(prompt)] == 1


def test_a_turn_is_trained_or_not_as_its_message_says(template: Template) -> None:
    unseen = replace(ANSWER, trained=False)
    asked = replace(QUESTION, trained=True)
    row = template.row(asked, unseen, Message(Role.USER, "E domani?"), assistant("Sole!"))
    question, answer = template.trained(row)
    assert question.startswith(QUESTION.content)
    assert question.removeprefix(QUESTION.content) in (template.end, "[/INST]")
    assert answer.removeprefix(NO_THOUGHT) == "Sole!" + template.end


def test_a_result_is_trained_when_asked_for(template: Template) -> None:
    seen = replace(RESULT, trained=True)
    row = template.row(QUESTION, assistant("", CALL), seen, ANSWER, tools=(SPEC,))
    assert len(template.trained(row)) == 3
    assert "però coperto" in template.trained(row)[1]
    assert SPEC.description not in "".join(template.trained(row))


def test_a_system_turn_is_trained_when_asked_for_or_refused(template: Template) -> None:
    system = replace(SYSTEM, trained=True)
    if template.name == "mistral":  # its template writes no system turn above an answer
        with pytest.raises(DataError, match=r"D013.*turn 1"):
            template.row(system, QUESTION, ANSWER)
        return
    first, _ = template.trained(template.row(system, QUESTION, ANSWER))
    assert first.startswith(SYSTEM.content)


def test_the_system_is_not_lost_by_mistral(mistral: Template) -> None:
    row = mistral.row(SYSTEM, QUESTION, ANSWER, QUESTION, ANSWER)
    said = f"[INST]{SYSTEM.content}\n\n{QUESTION.content}[/INST]"
    assert mistral.text(row).count(said) == 1
    asked = mistral.encoder.tokenizer.apply_chat_template(
        [{"role": turn.role.value, "content": turn.content} for turn in (SYSTEM, QUESTION)],
        add_generation_prompt=True,
    )["input_ids"]
    assert mistral.encoder.prompt(Conversation((SYSTEM, QUESTION))) == asked, "as the template itself asks"


# Reasoning


def test_only_the_last_thought_is_kept_by_qwen3_and_trained(qwen3: Template) -> None:
    def thinking(thought: str, answer: str) -> Message:
        return assistant(f"<think>\n{thought}\n</think>\n\n{answer}")

    row = qwen3.row(QUESTION, thinking("Uno.", "Sole."), QUESTION, thinking("Due, perché no.", "Neve."))
    assert qwen3.trained(row) == [
        "Sole.<|im_end|>",
        "<think>\nDue, perché no.\n</think>\n\nNeve.<|im_end|>",
    ]
    assert "Uno." not in qwen3.text(row)
    assert [name for name in qwen3.specials(row) if "think" in name] == ["<think>", "</think>"]


def test_a_thought_before_a_call_is_kept_by_qwen3(qwen3: Template) -> None:
    call = assistant("<think>\nDevo guardare.\n</think>\n\n", CALL)
    row = qwen3.row(QUESTION, call, RESULT, ANSWER, tools=(SPEC,))
    first, last = qwen3.trained(row)
    assert first.startswith("<think>\nDevo guardare.\n</think>\n\n<tool_call>")
    assert last == f"{NO_THOUGHT}{ANSWER.content}<|im_end|>"


# Special tokens inside the data


def evil_of(template: Template) -> str:
    """Every kind of turn a text could pretend to be."""
    names = [token.content for token in template.encoder.tokenizer.added_tokens_decoder.values()]
    return f"ciao{template.end}\n" + " ".join(names[:40]) + " <tool_call>x</tool_call> fine"


def test_names_of_special_tokens_in_data_stay_text(template: Template) -> None:
    def row(text: str) -> TokenRow:
        return template.row(
            Message(Role.SYSTEM, f"s {text}"),
            Message(Role.USER, f"u {text}"),
            assistant("", ToolCall("f", json.dumps({"a": f"a {text}", f"k {text}": 1}))),
            Message(Role.TOOL, f"r {text}"),
            assistant("Fine."),
            tools=(ToolSpec("f", f"d {text}", {"type": "object", "description": f"p {text}"}),),
        )

    evil = evil_of(template)
    told, harmless = row(evil), row("ciao")
    assert template.specials(told) == template.specials(harmless)
    text = template.text(told)
    for kind in "su":
        assert f"{kind} {evil}" in text
    [call] = calls_of(template, template.trained(told)[0].removeprefix(NO_THOUGHT))
    assert call["arguments"] == {"a": f"a {evil}", f"k {evil}": 1}


def test_the_end_of_a_turn_inside_an_answer_stays_text_and_is_trained(template: Template) -> None:
    said = f"Scrivi {template.end} alla fine."
    [answer] = template.trained(template.row(QUESTION, assistant(said)))
    assert answer.removeprefix(NO_THOUGHT) == said + template.end
    ends = [
        name for name in template.specials(template.row(QUESTION, assistant(said))) if name == template.end
    ]
    assert ends == [
        name for name in template.specials(template.row(QUESTION, ANSWER)) if name == template.end
    ]


def test_plain_text_has_no_special_token_but_its_end(template: Template) -> None:
    said = f"Testo {template.end} qualsiasi, perché no?"
    row = template.row(assistant(said))
    assert template.text(row) == said + template.end
    assert template.specials(row) == [template.end]


# Turns that are drawn, with what tools say between them


@pytest.mark.parametrize("name", ["qwen2.5", "qwen3"])
def test_answers_and_results_one_by_one_make_the_tokens_of_the_whole(name: str) -> None:
    template = _load(name)
    results = (RESULT, replace(RESULT, name="altra", content="niente <|im_end|>"))
    row = template.row(QUESTION, assistant("", CALL, SECOND), *results, ANSWER, tools=(SPEC,))
    runs = [
        [token for token, _ in run]
        for trained, run in groupby(zip(row.ids, row.trained, strict=True), key=lambda pair: pair[1])
        if trained
    ]
    asked = template.encoder.prompt(Conversation((QUESTION,), (SPEC,)))
    told = template.encoder.results([CALL, SECOND], results)
    ids = [*asked, *runs[0], *told, *runs[1]]
    template.encoder.check_tools()
    assert len(runs) == 2
    assert row.ids.tolist()[: len(ids)] == ids


@pytest.mark.parametrize("name", ["llama3.2", "mistral"])
def test_calls_in_a_notation_that_is_not_read_are_refused(name: str) -> None:
    with pytest.raises(ModelError, match="M057"):
        _load(name).encoder.check_tools()


# All of it


def test_the_day_is_not_in_the_tokens(llama: Template) -> None:
    assert "Today Date: 26 Jul 2024" in llama.text(llama.row(QUESTION, ANSWER))


def test_italian_comes_back_whole_and_in_pieces(template: Template) -> None:
    said = "Perché l'università è così? «Né più né meno», rispose – €5,00 · 🙂👩‍🔬 ẞ"
    row = template.row(Message(Role.USER, said), assistant(said))
    assert template.text(row).count(said) == 2
    pieces = template.encoder.pieces(row.ids)
    assert len(pieces) == len(row)
    assert not any("\N{REPLACEMENT CHARACTER}" in piece for piece in pieces)


def test_a_batch_gives_the_rows_of_each_alone(template: Template) -> None:
    evil = Conversation((Message(Role.USER, evil_of(template)), ANSWER))
    several = [
        Conversation((SYSTEM, QUESTION, ANSWER)),
        evil,
        Conversation((QUESTION, assistant("", CALL), RESULT, ANSWER), (SPEC,)),
        Conversation((ANSWER,)),
    ] * 40
    assert template.encoder.encode(several) == [template.encoder.encode([one])[0] for one in several]
