"""Losses by source, graded answers, samples to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from cesello.application.evaluate import Evaluate
from cesello.application.prepare_source import PreparedSource
from cesello.domain.conversation import Conversation, Message, Role, ToolCall, user
from cesello.domain.errors import Interrupted, SandboxError
from cesello.domain.evaluation import EvaluationSpec, GradedSpec
from cesello.domain.example import Example
from cesello.domain.held_prompts import prompt_digest
from cesello.domain.reward import Attempt, InfraErrors, Reads, RewardResult, infra_error
from cesello.domain.run import Evaluation
from cesello.domain.source import SourceSpec
from tests.fakes.examples import FakeExamples
from tests.fakes.model import FACTS, FakeEncoder, FakePolicy
from tests.fakes.rewards import FakeRewards
from tests.fakes.run import FakeStop, RecordingObserver

REFERENCE = {"calls": [{"add": {"a": [1]}}]}


def chat(question: str, reference: Mapping[str, Any] | None = None) -> Conversation:
    calls = (ToolCall("add", '{"a": 1}'),) if reference else ()
    turns = (Message(Role.USER, question), Message(Role.ASSISTANT, "" if calls else "yes", calls))
    return Conversation(turns, reference=reference or {})


def source(name: str, *conversations: Conversation) -> PreparedSource:
    rows = zip(conversations, FakeEncoder().encode(conversations), strict=True)
    examples = FakeExamples([Example(f"{name}:{number}", *row) for number, row in enumerate(rows)])
    return PreparedSource(SourceSpec(name), "memory", examples, len(examples), (), range(len(examples)))


CHAT = source("chat", *(chat(" ".join(["word"] * count)) for count in (5, 1, 3, 2, 4)))
CALLS = source("calls", *(chat(f"add {number}", REFERENCE) for number in range(4)))
TEXT = source("text", Conversation((Message(Role.ASSISTANT, "once upon a time"),)))


def evaluated(
    sources: Sequence[PreparedSource],
    spec: EvaluationSpec,
    *,
    policy: FakePolicy | None = None,
    observer: RecordingObserver | None = None,
    stop: FakeStop | None = None,
    rewards: FakeRewards | None = None,
    errors: InfraErrors | None = None,
) -> Evaluation:
    evaluate = Evaluate(rewards or FakeRewards(), observer or RecordingObserver(), stop or FakeStop())
    return evaluate(policy or FakePolicy(FACTS), sources, spec, "before", errors or InfraErrors())


def test_losses_are_per_trained_token_and_by_source() -> None:
    losses = evaluated([CHAT, CALLS], EvaluationSpec()).losses
    assert set(losses) == {"chat", "calls"}
    assert (losses["chat"].rows, losses["chat"].tokens, losses["chat"].loss) == (5, 10, 2.0)
    assert evaluated([CHAT], EvaluationSpec(rows=2)).losses["chat"].rows == 2


def test_a_source_that_holds_nothing_out_is_left_out() -> None:
    none = evaluated([source("none"), CHAT], EvaluationSpec())
    assert set(none.losses) == {"chat"}


def test_samples_are_in_the_order_of_the_rows_whatever_their_length() -> None:
    samples = evaluated([CHAT], EvaluationSpec(batch_size=2, samples=5)).samples
    assert [len(one.prompt.split()) for one in samples] == [5, 1, 3, 2, 4]
    assert all(one.completion == f"base heard {one.prompt}" for one in samples)
    assert {(one.source, one.expected) for one in samples} == {("chat", "yes")}


def test_a_sample_shows_calls_as_text() -> None:
    [sample] = evaluated([CALLS], EvaluationSpec(samples=1)).samples
    assert sample.expected == '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'


def test_only_graded_rows_count_even_where_more_are_sampled() -> None:
    spec = EvaluationSpec(samples=3, graded=(GradedSpec("calls", "fake", 2),))
    made = evaluated([CALLS, CHAT], spec)
    assert (made.graded["calls"].reward, made.graded["calls"].rows) == ("fake", 2)
    assert made.graded["calls"].parts == {"some_word": 2.0, "two_words": 2.0}
    assert set(made.graded) == {"calls"}
    assert [one.source for one in made.samples] == ["calls"] * 3 + ["chat"] * 3


def test_more_rows_can_be_graded_than_are_kept() -> None:
    made = evaluated([CALLS], EvaluationSpec(samples=1, graded=(GradedSpec("calls", "fake", 4),)))
    assert made.graded["calls"].rows == 4
    assert len(made.samples) == 1


def test_every_graded_row_has_a_score_by_the_digest_of_its_prompt() -> None:
    reward = FailingReward(HALF, NONE, FAILED)
    spec = EvaluationSpec(samples=4, graded=(GradedSpec("calls", "fake", 3),))
    made = evaluated([CALLS, CHAT], spec, rewards=FakeRewards(reward))
    assert [(one.source, one.score, one.parts) for one in made.scores] == [
        ("calls", 0.5, {"half": 0.5}), ("calls", None, {}), ("calls", None, {}),
    ]  # fmt: skip
    assert [one.prompt for one in made.scores] == [prompt_digest(user(f"add {n}")) for n in range(3)]


@pytest.mark.parametrize(("rows", "losses"), [(1, 1), (4, 4), (None, 4)])
def test_rows_of_the_loss_limit_neither_grades_nor_samples(rows: int | None, losses: int) -> None:
    spec = EvaluationSpec(rows=rows, samples=2, graded=(GradedSpec("calls", "fake", 3),))
    observer = RecordingObserver()
    made = evaluated([CALLS], spec, observer=observer)
    assert (made.losses["calls"].rows, made.graded["calls"].rows, len(made.samples)) == (losses, 3, 2)
    assert len(evaluated([CALLS], EvaluationSpec(rows=1, samples=2)).samples) == 2
    assert observer.done == [losses + 3]


def test_a_reward_that_does_not_apply_counts_no_row() -> None:
    made = evaluated([CHAT], EvaluationSpec(graded=(GradedSpec("chat", "fake", 3),)))
    assert (made.graded["chat"].rows, made.graded["chat"].parts) == (0, {})


class FailingReward:
    """Fails to judge some completions, does not apply to others, and gives half a point to the rest.

    Args:
        results: of the completions, in order, again and again.
    """

    name = "fake"
    parts = ("half",)
    range = (0.5, 0.5)
    reads = frozenset({Reads.COMPLETION})

    def __init__(self, *results: RewardResult) -> None:
        self._results = results
        self.asked: list[int] = []

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        self.asked.append(len(attempts))
        return [self._results[index % len(self._results)] for index in range(len(attempts))]


HALF = RewardResult(0.5, {"half": 0.5})
NONE = RewardResult(None)
FAILED = infra_error("sandbox_died")


def test_all_answers_of_a_source_are_judged_in_one_call() -> None:
    reward = FailingReward(HALF)
    spec = EvaluationSpec(
        batch_size=1, graded=(GradedSpec("calls", "fake", 4), GradedSpec("chat", "fake", 2))
    )
    evaluated([CALLS, CHAT], spec, rewards=FakeRewards(reward))
    assert reward.asked == [4, 3]


def test_what_cannot_be_judged_is_counted_apart_and_is_no_zero() -> None:
    reward, errors = FailingReward(HALF, NONE, FAILED, HALF), InfraErrors()
    spec = EvaluationSpec(graded=(GradedSpec("calls", "fake", 4),))
    graded = evaluated([CALLS], spec, rewards=FakeRewards(reward), errors=errors).graded["calls"]
    assert (graded.rows, graded.score, graded.parts) == (2, 0.5, {"half": 1.0})
    assert (graded.not_applicable, graded.infra_errors) == (1, 1)
    assert (errors.graded, errors.failed, errors.reasons) == (4, 1, {"sandbox_died": 1})


def test_a_grader_that_fails_too_often_ends_it() -> None:
    errors, spec = InfraErrors(), EvaluationSpec(graded=(GradedSpec("calls", "fake", 4),))
    rewards = FakeRewards(FailingReward(HALF, HALF, HALF, FAILED))
    evaluated([CALLS], spec, rewards=rewards, errors=errors)
    with pytest.raises(SandboxError, match=r"X010.*2 of 8.*sandbox_died \(2\)"):
        evaluated([CALLS], spec, rewards=rewards, errors=errors)


def test_answers_that_nobody_grades_are_no_gradings() -> None:
    errors = InfraErrors()
    evaluated([CALLS, CHAT], EvaluationSpec(graded=(GradedSpec("calls", "fake", 3),)), errors=errors)
    assert errors.graded == 3


def test_a_trained_policy_answers_better() -> None:
    before = evaluated([CALLS], EvaluationSpec())
    after = evaluated([CALLS], EvaluationSpec(), policy=FakePolicy(FACTS, trained=9))
    assert after.losses["calls"].loss < before.losses["calls"].loss
    assert after.samples[0].completion == after.samples[0].expected != before.samples[0].completion


def test_plain_text_has_a_loss_and_asks_nothing() -> None:
    policy = FakePolicy(FACTS)
    made = evaluated([TEXT], EvaluationSpec(), policy=policy)
    assert made.losses["text"].tokens == 4
    assert (made.samples, policy.asked) == ((), [])


def test_the_model_is_asked_without_the_answer() -> None:
    policy = FakePolicy(FACTS)
    evaluated([CHAT], EvaluationSpec(), policy=policy)
    assert all([turn.role for turn in prompt.messages] == [Role.USER] for prompt, _ in policy.asked)
    assert all(lora for _, lora in policy.asked)


@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_all_that_was_announced_is_done(batch_size: int) -> None:
    observer = RecordingObserver()
    spec = EvaluationSpec(batch_size=batch_size, graded=(GradedSpec("calls", "fake", 4),))
    evaluated([CHAT, CALLS, TEXT], spec, observer=observer)
    assert observer.phases == [("evaluating before", 5 + 4 + 1 + 3 + 4)]
    assert observer.done == [17]


@pytest.mark.parametrize("at", [1, 2])
def test_a_stop_is_heard_before_every_batch(at: int) -> None:
    with pytest.raises(Interrupted):
        evaluated([CHAT], EvaluationSpec(), stop=FakeStop(at_check=at))
