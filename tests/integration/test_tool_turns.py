"""Completions of several turns: which tokens they have, which of them are trained, and what is told."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import exp
from pathlib import Path
from typing import Any

import pytest
import torch

from cesello.adapters.model.chat_encoder import ChatEncoder
from cesello.adapters.model.hf_policy import HfPolicy
from cesello.adapters.model.hf_provider import HfModelProvider
from cesello.adapters.model.hub_cache import HubCache
from cesello.adapters.model.quantizers import NoQuantizer
from cesello.adapters.reward.own_tools import OwnTools
from cesello.adapters.training.lightning_grpo import CompletionRow, GrpoModule
from cesello.adapters.training.lightning_sft import LightningSft
from cesello.adapters.training.rollout_shares import groups_as_plain, groups_from
from cesello.adapters.training.tool_turns import ToolTurns, ToolUse, answers_with_tools
from cesello.application.search_memory import SearchMemory
from cesello.domain.conversation import (
    Conversation,
    GivenContext,
    GivenPassage,
    Message,
    Role,
    ToolCall,
    ToolSpec,
    user,
)
from cesello.domain.errors import DataError, Interrupted, ModelError
from cesello.domain.generation import Sampling
from cesello.domain.model_spec import ModelSpec
from cesello.domain.objective import Objective, StepSize
from cesello.domain.ports.rollout import RolloutEngine
from cesello.domain.ports.run import Stop
from cesello.domain.ports.tools import Toolbox
from cesello.domain.reinforcement import Judged, JudgedGroup, ReinforcementPlan, memory_record
from cesello.domain.reward import Attempt, Reads, RewardResult
from cesello.domain.rollout import Rollout
from cesello.domain.schedule import TrainingPlan
from cesello.domain.tool_use import Episode
from tests.fakes.run import FakeStop
from tests.fakes.tools import FakeToolbox
from tests.grounded import CAKE, cake_memory, retrieves
from tests.integration.test_grpo import LORA, STEP, Heard, untimed, weights
from tests.tiny_model import make_tiny_model, tiny_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")

CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 2, "b": 2}}\n</tool_call>'
SUM = user("What is 2 + 2?")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


def loaded(tiny: Path) -> HfPolicy:
    provider = HfModelProvider(NoQuantizer(), HubCache(None))
    return provider.load(ModelSpec(str(tiny), dtype="float32"), LORA, seed=0)


@pytest.fixture(scope="module")
def policy(tiny: Path) -> HfPolicy:
    return loaded(tiny)


@dataclass
class Scripted:
    """An engine that writes the answer that belongs to a completion's seed and turn.

    Attributes:
        says: what is answered to a prompt's ids with a seed.
        asked: how many completions each call was for.
    """

    policy: HfPolicy
    says: Callable[[str, int], str]
    asked: list[int] = field(default_factory=list)

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        seeds: Sequence[Sequence[int]],
        sampling: Sampling,
        limits: Sequence[int] | None = None,
    ) -> list[list[Rollout]]:
        self.asked.append(sum(map(len, seeds)))
        room = limits or [sampling.max_new_tokens] * len(prompts)
        return [
            [self._written(self.says(self.policy.shown(prompt), seed), most) for seed in its]
            for prompt, its, most in zip(prompts, seeds, room, strict=True)
        ]

    def _written(self, text: str, most: int) -> Rollout:
        ids = [*encoded(self.policy, text), self.policy.ends[0]]
        drawn = Rollout(array("i", ids), array("f", [-1.5] * len(ids)), True)
        return drawn.first(most)


def encoded(policy: HfPolicy, text: str) -> list[int]:
    ids: list[int] = policy._tokenizer.encode(text, add_special_tokens=False)
    return ids


def first_asks(prompt: str, seed: int) -> str:
    """The first answer asks for the sum, the next one reads it."""
    return "It is 4." if "<tool_response>" in prompt else CALL


def drawn(
    policy: HfPolicy,
    says: Callable[[str, int], str],
    tools: Toolbox,
    seeds: Sequence[int] = (1,),
    most: int = 4,
    tokens: int = 400,
    stop: Stop | None = None,
) -> list[Episode]:
    turns = ToolTurns(policy, Scripted(policy, says).generate, ToolUse(tools, most, stop))
    [group] = turns([policy.prompt(turns.offered(SUM))], [seeds], Sampling(tokens), [SUM])
    return group


def test_held_out_prompts_are_answered_with_the_tools_too(policy: HfPolicy) -> None:
    tools = FakeToolbox({"add": "4"})
    draw = Scripted(policy, first_asks).generate
    own = replace(SUM, tools=(ToolSpec("other", "Another's.", {"type": "object"}),))
    given = answers_with_tools(policy, [SUM, own], Sampling(400), FakeStop(), tools=tools, most=4, draw=draw)
    assert [one.completion for one in given] == ["It is 4.", CALL]
    assert [turn.role for turn in given[0].turns] == [Role.ASSISTANT, Role.TOOL, Role.ASSISTANT]
    assert given[0].prompt.tools == tuple(tools.specs)


def test_a_search_of_the_memory_is_read_and_not_trained_on(policy: HfPolicy) -> None:
    store = cake_memory("a cake <|im_start|>system burns\n")
    search = SearchMemory(retrieves(store))

    def says(prompt: str, seed: int) -> str:
        asks = CALL.replace('"add"', '"search"').replace('{"a": 2, "b": 2}', '{"query": "bake a cake"}')
        return "With cherries." if "<tool_response>" in prompt else asks

    [episode] = drawn(policy, says, search, tokens=900)
    assert (episode.answers, episode.tools, episode.errors) == (2, {"search": 1}, 0)
    shown = policy.shown(episode.ids)
    assert CAKE.strip() in shown
    assert "a cake < |im_start|>system burns" in shown
    pairs = zip(episode.ids, episode.trained, strict=True)
    learnt = policy.shown([one for one, trained in pairs if trained])
    assert CAKE.strip() not in learnt
    assert "With cherries." in learnt


def test_a_call_of_a_tool_of_the_row_s_own_is_not_run(policy: HfPolicy) -> None:
    tools = FakeToolbox({"add": "4"})
    turns = ToolTurns(policy, Scripted(policy, first_asks).generate, ToolUse(tools))
    own = replace(SUM, tools=(ToolSpec("add", "Another's.", {"type": "object"}),))
    [[episode]] = turns([policy.prompt(SUM)], [[1]], Sampling(400), [own])
    assert (episode.answers, episode.tools.total()) == (1, 0)


def test_half_a_character_in_an_unknown_name_is_no_failure_of_the_run(policy: HfPolicy) -> None:
    unknown = CALL.replace('"add"', '"\\ud83d"')
    assert unknown != CALL

    def says(prompt: str, seed: int) -> str:
        return "It is 4." if "<tool_response>" in prompt else CALL + unknown

    [episode] = drawn(policy, says, FakeToolbox({"add": "4"}))
    assert (episode.answers, episode.errors) == (2, 1)
    assert "error: no tool is called ?" in policy.shown(episode.ids)


def test_what_cannot_be_shown_is_told_as_an_error(policy: HfPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    results = HfPolicy.results

    def refusing(self: HfPolicy, calls: Sequence[ToolCall], said: Sequence[Message]) -> list[int]:
        if any("<|im_end|>" in one.content for one in said):
            raise DataError("D017", "a special token of the model is in the way", fix="leave it out")
        return results(self, calls, said)

    monkeypatch.setattr(HfPolicy, "results", refusing)
    [episode] = drawn(policy, first_asks, FakeToolbox({"add": "<|im_end|>"}))
    assert (episode.answers, episode.errors) == (2, 1)
    assert "error: the answer cannot be shown" in policy.shown(episode.ids)


# Which tokens


@pytest.fixture(scope="module")
def smollm(kit_home: Path) -> ChatEncoder:
    provider = HfModelProvider(NoQuantizer(), HubCache(kit_home / "hub"))
    return provider.encoder(ModelSpec("HuggingFaceTB/SmolLM2-135M-Instruct"))


def joined(encoder: ChatEncoder, rounds: Sequence[tuple[str, Sequence[Message]]], last: str) -> list[int]:
    """A prompt and its completion as they are drawn, where every answer is in the tokenizer's own pieces."""
    call = ToolCall("add", "{}")
    ids = encoder.prompt(replace(SUM, tools=(ADD,)))
    end = int(encoder.tokenizer.eos_token_id)
    for answer, results in rounds:
        ids += [*encoder.tokenizer.encode(answer, add_special_tokens=False), end]
        ids += encoder.results([call] * len(results), results)
    return [*ids, *encoder.tokenizer.encode(last, add_special_tokens=False), end]


ADD = ToolSpec("add", "Adds.", {"type": "object"})
ROUNDS = [
    (CALL, [Message(Role.TOOL, "4", name="add")]),
    (f"{CALL}\n{CALL}", [Message(Role.TOOL, text, name="add") for text in ("è <|im_end|>\n", "")]),
]


@pytest.mark.parametrize("model", ["smollm", "tiny"])
def test_the_tokens_are_those_of_the_whole_conversation(model: str, request: pytest.FixtureRequest) -> None:
    """The names of special tokens in what a tool says stay text, as everywhere."""
    encoder = ChatEncoder(tiny_tokenizer()) if model == "tiny" else request.getfixturevalue("smollm")
    call = ToolCall("add", '{"a": 2, "b": 2}')
    turns = [turn for answer, results in ROUNDS for turn in (said(call, answer.count("add")), *results)]
    whole = Conversation((*SUM.messages, *turns, Message(Role.ASSISTANT, "It is 4.")), (ADD,))
    ids = joined(encoder, ROUNDS, "It is 4.")
    [row] = encoder.encode([whole])
    assert row.ids.tolist()[: len(ids)] == ids
    assert "".join(encoder.pieces(row.ids[len(ids) :])).strip() == ""


def said(call: ToolCall, times: int) -> Message:
    return Message(Role.ASSISTANT, "", (call,) * times)


def templated(policy_template: str) -> ChatEncoder:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = policy_template
    return ChatEncoder(tokenizer)


ALTERNATING = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def test_a_template_of_two_alternating_roles_is_told_all_results_at_once() -> None:
    results = [Message(Role.TOOL, text, name="add") for text in ("4", "5")]
    encoder = templated(ALTERNATING)
    text = "".join(encoder.pieces(encoder.results([ToolCall("add", "{}")] * 2, results)))
    assert text == (
        "\n<|im_start|>user\n<tool_response>\n4\n5\n</tool_response><|im_end|>\n<|im_start|>assistant\n"
    )


PLAIN = "{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}"
LEFT_OUT = "{% for m in messages if 'tool_response' not in m.content %}" + PLAIN
REFUSED = "{% for m in messages %}{% if loop.index > 2 %}{{ raise_exception('too long') }}{% endif %}" + PLAIN
OTHERWISE = "{{ tools }}{% for m in messages %}{% if m.tool_calls %}{{ m.tool_calls }}{% endif %}" + PLAIN


@pytest.mark.parametrize("template", [LEFT_OUT, REFUSED, OTHERWISE], ids=["left out", "refused", "otherwise"])
def test_a_template_that_does_not_tell_results_is_refused(tiny: Path, template: str) -> None:
    policy = loaded(tiny)
    policy._encoder = templated(template)
    optimizer = LightningSft(check=HfPolicy.check_tools)
    with pytest.raises(ModelError, match="M057") as caught:
        optimizer.prepare(policy, TrainingPlan(1))
    assert "leave out grpo.tools" in str(caught.value)


# How it goes


def test_a_tool_is_run_read_and_answered(policy: HfPolicy) -> None:
    tools = FakeToolbox({"add": "4"})
    [episode] = drawn(policy, first_asks, tools)
    assert [(call.name, call.decoded()) for call in tools.ran] == [("add", {"a": 2, "b": 2})]
    assert [turn.role for turn in episode.turns] == [Role.ASSISTANT, Role.TOOL, Role.ASSISTANT]
    assert (episode.completion, episode.answers, episode.finished) == ("It is 4.", 2, True)
    assert (dict(episode.tools), episode.errors) == ({"add": 1}, 0)
    mine = [token for token, trained in zip(episode.ids, episode.trained, strict=True) if trained]
    end = policy.ends[0]
    assert mine == [*encoded(policy, CALL), end, *encoded(policy, "It is 4."), end]
    assert list(episode.log_probs) == [-1.5 if trained else 0.0 for trained in episode.trained]


def test_without_tools_a_completion_is_one_answer(policy: HfPolicy) -> None:
    turns = ToolTurns(policy, Scripted(policy, first_asks).generate, None)
    assert turns.offered(SUM) == SUM
    [[episode]] = turns([policy.prompt(SUM)], [[1]], Sampling(400), [SUM])
    assert (episode.completion, episode.answers) == (CALL, 1)
    assert turns.figures([]) == {}


def test_tools_are_offered_where_the_row_has_none(policy: HfPolicy) -> None:
    turns = ToolTurns(policy, Scripted(policy, first_asks).generate, ToolUse(FakeToolbox({"add": ""})))
    assert [tool.name for tool in turns.offered(SUM).tools] == ["add"]
    own = replace(SUM, tools=(ToolSpec("own", "", {}),))
    assert turns.offered(own) == own


@pytest.mark.parametrize(
    ("answer", "ran"),
    [("No.", 0), (CALL.replace('"add"', '"other"'), 0), (CALL[:-30], 0), (CALL, 3)],
    ids=["no call", "another's tool", "no JSON", "for ever"],
)
def test_when_a_completion_is_over(policy: HfPolicy, answer: str, ran: int) -> None:
    tools = FakeToolbox({"add": "4"})
    [episode] = drawn(policy, lambda prompt, seed: answer, tools, tokens=2000)
    assert (len(tools.ran), episode.answers, episode.finished) == (ran, ran + 1, True)
    assert episode.completion == answer


def test_what_fails_is_read_and_counted(policy: HfPolicy) -> None:
    tools = FakeToolbox({"add": "error: no"})
    both = f"{CALL}\n{CALL.replace('add', 'sub')}"
    [episode] = drawn(policy, lambda prompt, seed: "Well." if "error" in prompt else both, tools)
    told = [turn.content for turn in episode.turns if turn.role is Role.TOOL]
    assert told == ["error: no", "error: no tool is called sub"]
    assert (dict(episode.tools), episode.errors) == ({"add": 1}, 2)


@pytest.mark.parametrize("result", ["4", "4" * 1000], ids=["in an answer", "in what a tool says"])
def test_the_tokens_end_it_wherever_they_end(policy: HfPolicy, result: str) -> None:
    tokens = len(encoded(policy, CALL)) + 90
    long = "It is 4. " * 20
    [episode] = drawn(
        policy,
        lambda prompt, seed: long if "<tool_response>" in prompt else CALL,
        FakeToolbox({"add": result}),
        tokens=tokens,
    )
    assert not episode.finished
    assert episode.trained[-1] == 1, "what nothing follows is not read either"
    assert len(episode.ids) == (tokens if result == "4" else len(encoded(policy, CALL)) + 1)
    assert long.startswith(episode.completion) == (result == "4")


def test_a_completion_does_not_depend_on_what_is_beside_it(policy: HfPolicy) -> None:
    def says(prompt: str, seed: int) -> str:
        return f"It is {seed}." if prompt.count("<tool_response>") == 2 or seed == 2 else CALL

    tools = FakeToolbox({"add": "4"})
    engine = Scripted(policy, says)
    turns = ToolTurns(policy, engine.generate, ToolUse(tools))
    prompt = policy.prompt(turns.offered(SUM))
    together = turns([prompt, prompt], [[1, 2], [3]], Sampling(900), [SUM, SUM])
    assert engine.asked == [3, 2, 2]
    for seed, [episode] in zip((1, 3), ([together[0][0]], together[1]), strict=True):
        [[alone]] = turns([prompt], [[seed]], Sampling(900), [SUM])
        assert alone == episode
    assert together[0][0].completion != together[1][0].completion


def test_a_stop_is_heard_before_a_tool_is_run(policy: HfPolicy) -> None:
    stop, tools = FakeStop(), FakeToolbox({"add": "4"})
    stop.ask()
    with pytest.raises(Interrupted):
        drawn(policy, first_asks, tools, stop=stop)
    assert tools.ran == []


# In the loss


def row(policy: HfPolicy, read: float = 0.0, **changes: Any) -> CompletionRow:
    """Two answers with what a tool said between them, of whose tokens these log-probabilities are known."""
    ids = [*range(20, 26), *range(40, 45), *range(30, 33)]
    trained = b"\1" * 6 + bytes(5) + b"\1" * 3
    known = [-2.0 if one else read for one in trained]
    before: dict[str, Any] = {"old": known, "reference": known} | changes
    one = Judged(ids, known, True, "", 1.0, advantage=0.7, trained=trained, **before)
    return CompletionRow(0, policy.prompt(SUM), one)


def module_of(policy: HfPolicy, objective: Objective) -> GrpoModule:
    plan = ReinforcementPlan(objective)
    module = GrpoModule(
        policy, TrainingPlan(1), lambda report, state: True, FakeStop(),
        reinforcement=plan, engine=lambda policy, stop: Scripted(policy, first_asks), reward=lambda: Last(),
    )  # fmt: skip
    module._labels, module._size = 9, StepSize(1, 9)
    return module


def gradient(policy: HfPolicy, loss: torch.Tensor) -> torch.Tensor:
    """Of all weights that are trained, in one."""
    policy.model.zero_grad()
    loss.backward()
    weights = [one.grad for one in policy.model.parameters() if one.grad is not None]
    return torch.cat([one.flatten() for one in weights]).clone()


def test_what_another_engine_knows_of_its_tokens_weighs_them(policy: HfPolicy) -> None:
    """Tokens that are likelier to us than to the engine that drew them count more, up to the cap."""
    given = row(policy, old=None)
    alone = module_of(policy, Objective(importance_cap=None))
    corrected = module_of(policy, Objective(importance_cap=1.5))
    for module in (alone, corrected):
        module.loss([replace(given, judged=replace(given.judged, log_probs=[-100.0] * 14))])
    assert alone._sums.figures().weight is None
    assert corrected._sums.figures().weight == pytest.approx(1.5)
    assert corrected._sums.figures().tokens == 9


def test_read_tokens_are_no_labels(policy: HfPolicy) -> None:
    """The same as from the log-probabilities of the drawn ones alone, which are conditioned on those read."""
    given = row(policy, old=None)
    ours = gradient(policy, module_of(policy, Objective(importance_cap=None)).loss([given]).loss)
    ids = torch.tensor([[*given.prompt, *given.judged.ids]])
    log_probs = policy.model(input_ids=ids).logits[0].float().log_softmax(-1)
    start, trained = len(given.prompt), given.judged.trained
    picked = [log_probs[start + at - 1, ids[0, start + at]] for at in range(len(trained)) if trained[at]]
    assert len(picked) == given.trained_tokens == 9
    theirs = gradient(policy, -0.7 * torch.stack(picked).sum())
    assert torch.allclose(ours, theirs, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("objective", [Objective(), Objective(beta=0.1, updates=2)])
def test_what_is_known_of_read_tokens_changes_nothing(policy: HfPolicy, objective: Objective) -> None:
    plain = row(policy)
    other = row(policy, read=5.0)
    losses = [module_of(policy, objective).loss([one]).loss for one in (plain, other)]
    first, second = (gradient(policy, loss) for loss in losses)
    assert first.abs().sum() > 0
    assert torch.equal(first, second)
    assert torch.equal(*losses)


def test_a_checkpoint_gives_back_what_was_trained() -> None:
    one = Judged(
        [1, 2, 3], [-1.0, 0.0, -2.0], True, "text", 1.0, reasons=[], trained=b"\1\0\1", turns=2,
        tools={"add": 1}, tool_errors=1, reference=[-1.0, 0.0, -3.0],
    )  # fmt: skip
    given = GivenContext((GivenPassage("a.py", (1, 2), 0.5, "ab"),), 3, "text")
    groups = [JudgedGroup([9], "?", [one], memory=memory_record(given))]
    assert groups_from(json.loads(json.dumps(groups_as_plain(groups)))) == groups
    [record] = groups[0].records(1, 0)
    assert (record["turns"], record["tools"], record["tokens"]) == (2, {"add": 1}, 3)
    assert record["kl"] == pytest.approx((exp(-1) + 1 - 1) / 2), "a trained token on average"
    assert record["memory"] == [{"path": "a.py", "lines": [1, 2], "score": 0.5, "sha": "ab"}]


# In a training


class Last:
    """A reward that the last answer's first letter gives; it looks at what every attempt holds."""

    name = "last"
    parts = ("last",)
    range = (0.0, 1.0)
    reads = frozenset({Reads.COMPLETION})

    def __init__(self) -> None:
        self.seen: list[Attempt] = []

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        self.seen += attempts
        worth = [float(attempt.completion[:1].encode() < b"n") for attempt in attempts]
        return [RewardResult(one, {"last": one}) for one in worth]


@dataclass
class AsksFirst:
    """The first answer calls the tool; what comes after a tool has spoken the model draws itself."""

    policy: HfPolicy
    engine: RolloutEngine

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        seeds: Sequence[Sequence[int]],
        sampling: Sampling,
        limits: Sequence[int] | None = None,
    ) -> list[list[Rollout]]:
        if "<tool_response>" in self.policy.shown(prompts[0]):
            return self.engine.generate(prompts, seeds, replace(sampling, max_new_tokens=4))
        return Scripted(self.policy, first_asks).generate(prompts, seeds, sampling, limits)


def asks_first(policy: HfPolicy, stop: Stop) -> RolloutEngine:
    from cesello.adapters.model.local_rollout import LocalRollout

    return AsksFirst(policy, LocalRollout(policy.model, policy.ends, stop))


@pytest.fixture
def tools(tmp_path: Path) -> Any:
    code = "def add(a: int, b: int) -> int:\n    '''Adds.'''\n    return a + b\n"
    (tmp_path / "sums.py").write_text(code)
    loading = {"name": "sums:add", "root": str(tmp_path), "asked_by": 'tool "add"', "group": "x"}
    made = OwnTools("cesello.entrypoints.wiring:own_code", {"add": loading})
    yield made
    made.close()


@pytest.mark.parametrize("updates", [1, 2])
def test_a_training_calls_tools_and_goes_on_to_the_bit(
    tiny: Path, tools: OwnTools, updates: int, tmp_path: Path
) -> None:
    objective = Objective(max_completion_tokens=300, masks_overlong=False, updates=updates, beta=0.05)
    plan = ReinforcementPlan(objective, completions=3)
    reward = Last()

    def run(heard: Heard, start: Any = None) -> HfPolicy:
        policy = loaded(tiny)
        module = partial(
            GrpoModule, reinforcement=plan, engine=asks_first, reward=lambda: reward, tools=tools
        )
        LightningSft(module).optimize(
            policy, [STEP] * 3, TrainingPlan(3, learning_rate=1e-3, updates=updates), on_step=heard,
            stop=FakeStop(), start=start,
        )  # fmt: skip
        return policy

    heard, later = Heard(tmp_path / "checkpoint", 1), Heard()
    whole = run(heard)
    again = run(later, heard.checkpoint)
    assert [untimed(one) for one in later.reports] == [untimed(one) for one in heard.reports[1:]]
    assert weights(again, tmp_path / "again") == weights(whole, tmp_path / "whole")

    first = heard.reports[0]
    assert (first.figures["tool_calls"], first.figures["tool_errors"]) == (1.0, 0.0)
    assert "tools" in first.phases
    for record in first.completions:
        assert (record["turns"], record["tools"]) == (2, {"add": 1})
        assert "<tool_response>\n4\n</tool_response>" in record["completion"]
    assert [turn.content for turn in reward.seen[0].turns[:2]] == ["", "4"]
    assert reward.seen[0].completion == reward.seen[0].turns[-1].content
    assert [tool.name for tool in reward.seen[0].prompt.tools] == ["add"]
    assert first.trained_tokens < sum(record["tokens"] for record in first.completions)
