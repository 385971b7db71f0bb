"""GRPO on a tiny random model: that it learns, what it reports, and that it goes on to the bit."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from cesello.adapters.model.hf_policy import HfPolicy
from cesello.adapters.model.hf_provider import HfModelProvider
from cesello.adapters.model.hub_cache import HubCache
from cesello.adapters.model.local_rollout import LocalRollout
from cesello.adapters.model.packed_loss import Scores
from cesello.adapters.model.quantizers import NoQuantizer
from cesello.adapters.model.shared_prefix import PromptGroup, completion_scores
from cesello.adapters.training import rollouts
from cesello.adapters.training.lightning_grpo import GrpoModule
from cesello.adapters.training.lightning_sft import LightningSft
from cesello.adapters.training.no_memory import Halving
from cesello.domain.checkpoint import Checkpoint, CheckpointState
from cesello.domain.conversation import user
from cesello.domain.errors import ModelError, SandboxError
from cesello.domain.generation import Sampling
from cesello.domain.model_spec import LoraSpec, ModelSpec
from cesello.domain.objective import Aggregation, Objective, Ratio, Scale
from cesello.domain.ports.model import Policy
from cesello.domain.ports.rollout import RolloutEngine
from cesello.domain.ports.run import Stop
from cesello.domain.ports.training import TrainingState
from cesello.domain.reinforcement import Curriculum, PromptRow, ReinforcementPlan
from cesello.domain.reward import Attempt, Reads, RewardResult, infra_error
from cesello.domain.rollout import Rollout
from cesello.domain.schedule import StepReport, TrainingPlan
from cesello.domain.tokens import token_row
from tests.fakes.run import FakeStop
from tests.tiny_model import make_tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

LORA = LoraSpec(r=8, alpha=16, dropout=0.0, target_modules="all-linear")
ONE_TOKEN = Objective(max_completion_tokens=1, masks_overlong=False)
SHORT = Objective(max_completion_tokens=6, masks_overlong=False)


class Judge:
    """A reward that a function of the completion's text gives."""

    name = "judge"
    parts = ("judge",)
    range = (-1.0, 1.0)
    reads = frozenset({Reads.COMPLETION})

    def __init__(self, worth: Callable[[str], float | None]) -> None:
        self.worth = worth

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        return [self._judged(self.worth(attempt.completion)) for attempt in attempts]

    def _judged(self, worth: float | None) -> RewardResult:
        return RewardResult(worth, {} if worth is None else {"judge": worth})


class Broken(Judge):
    def _judged(self, worth: float | None) -> RewardResult:
        return infra_error("broken")


class ShortOfMemory(GrpoModule):
    """The first forward pass of every second step fails when it is done."""

    def loss(self, rows: Any) -> Scores:
        scores = super().loss(rows)
        if self.splitter.splits <= self.steps_done // 2 and self.steps_done % 2:
            raise MemoryError
        return scores


def first_arm(text: str) -> float:
    """The two arms of the bandit: the first letter is one of the first half of the alphabet, or not."""
    return float(text[:1].encode() < b"n")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    folder = make_tiny_model(tmp_path_factory.mktemp("model") / "tiny")
    return ModelSpec(str(folder), dtype="float32")


def policy_of(tiny: ModelSpec) -> Policy:
    """With a head that can tell tokens apart: that of the random model gives all of them nearly the same."""
    policy = HfModelProvider(NoQuantizer(), HubCache(None)).load(tiny, LORA, seed=0)
    assert isinstance(policy, HfPolicy)
    with torch.no_grad():
        policy.model.get_output_embeddings().weight.mul_(20)
    return policy


def engine(policy: HfPolicy, stop: Stop) -> RolloutEngine:
    return LocalRollout(policy.model, policy.ends, stop)


def optimizer(reward: Judge, plan: ReinforcementPlan, module: type[GrpoModule] = GrpoModule) -> LightningSft:
    return LightningSft(partial(module, reinforcement=plan, engine=engine, reward=lambda: reward))


def prompts(*questions: str) -> list[PromptRow]:
    rows = [token_row(range(4), [False] * 4) for _ in questions]
    return [
        PromptRow(row.ids, row.trained, row.truncated, user(question))
        for row, question in zip(rows, questions, strict=True)
    ]


STEP = [prompts("one", "two, which is longer")]


class Heard:
    """Every report, and the state after one step."""

    def __init__(self, folder: Path | None = None, step: int = 0) -> None:
        self.reports: list[StepReport] = []
        self._folder, self._step = folder, step
        self.plain: dict[str, Any] = {}

    def __call__(self, report: StepReport, state: TrainingState) -> bool:
        self.reports.append(report)
        if self._folder and report.step == self._step:
            self._folder.mkdir()
            state.save(self._folder)
            self.plain = json.loads(json.dumps(state.plain))
        return True

    @property
    def checkpoint(self) -> Checkpoint:
        assert self._folder
        return Checkpoint(self._folder, CheckpointState(self._step, None, self.plain, {}))


def run(
    tiny: ModelSpec,
    reward: Judge,
    plan: ReinforcementPlan,
    steps: int,
    heard: Heard | None = None,
    start: Checkpoint | None = None,
    learning_rate: float = 1e-2,
    module: type[GrpoModule] = GrpoModule,
    **training: Any,
) -> tuple[Policy, list[StepReport]]:
    policy, heard = policy_of(tiny), heard or Heard()
    made = TrainingPlan(steps, learning_rate=learning_rate, updates=plan.objective.updates, **training)
    optimizer(reward, plan, module).optimize(
        policy, [STEP] * steps, made, on_step=heard, stop=FakeStop(), start=start
    )
    return policy, heard.reports


def weights(policy: Policy, folder: Path) -> bytes:
    folder.mkdir()
    policy.save(folder)
    return (folder / "adapter_model.safetensors").read_bytes()


def untimed(report: StepReport) -> StepReport:
    return replace(report, seconds=0.0, elapsed=0.0, memory=None, roofline=None, phases={})


@pytest.mark.parametrize(
    "objective",
    [
        ONE_TOKEN,
        replace(ONE_TOKEN, aggregation=Aggregation.GRPO, scale=Scale.NONE),
        replace(ONE_TOKEN, aggregation=Aggregation.DR_GRPO, scale=Scale.BATCH),
        replace(ONE_TOKEN, aggregation=Aggregation.BNPO, ratio=Ratio.SEQUENCE, updates=2),
        replace(ONE_TOKEN, beta=0.01),
    ],
    ids=["dapo", "grpo", "dr_grpo", "gspo", "beta"],
)
def test_a_bandit_of_two_arms_comes_to_its_best(tiny: ModelSpec, objective: Objective) -> None:
    plan = ReinforcementPlan(objective, completions=16)
    _, reports = run(tiny, Judge(first_arm), plan, 30, learning_rate=2e-3)
    rewards = [report.figures["reward"] for report in reports]
    assert 0.1 < rewards[0] < 0.9
    assert min(rewards[-6:]) > 0.95


def test_a_step_tells_what_was_drawn_and_what_it_was_worth(tiny: ModelSpec) -> None:
    _, (report,) = run(tiny, Judge(first_arm), ReinforcementPlan(SHORT, completions=4), 1)
    figures = report.figures
    assert len(report.completions) == 8
    assert figures["reward"] == pytest.approx(sum(one["reward"] for one in report.completions) / 8)
    assert figures["reward/judge"] == pytest.approx(figures["reward"])
    assert figures["completion_tokens"] == sum(one["tokens"] for one in report.completions) / 8
    assert figures["cut_off"] == sum(not one["finished"] for one in report.completions) / 8
    assert figures["entropy"] > 0
    assert (figures["ratio_least"], figures["ratio_most"]) == (1.0, 1.0)
    assert set(report.phases) == {"generate", "score", "log_probs", "update"}
    assert [one["prompt"] for one in report.completions] == [0] * 4 + [1] * 4
    assert {one["question"] for one in report.completions} == {"one", "two, which is longer"}
    for number in (0, 1):
        assert sum(one["advantage"] for one in report.completions if one["prompt"] == number) == (
            pytest.approx(0, abs=1e-6)
        )


@pytest.mark.parametrize("worth", [0.5, None])
def test_groups_that_teach_nothing_leave_the_weights(
    tiny: ModelSpec, worth: float | None, tmp_path: Path
) -> None:
    plan = ReinforcementPlan(SHORT, completions=4)
    policy, (report,) = run(tiny, Judge(lambda _: worth), plan, 1)
    assert weights(policy, tmp_path / "after") == weights(policy_of(tiny), tmp_path / "before")
    assert report.figures["dead_groups"] == 1.0
    assert report.figures["unscored"] == (8.0 if worth is None else 0.0)
    assert report.figures["unscored_groups"] == (1.0 if worth is None else 0.0)
    assert ("reward" in report.figures) == (worth is not None)


class FirstAlone(Judge):
    """Tells completions apart the first time, and then finds all of them alike."""

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        results = super().score(attempts)
        self.worth = lambda _: 0.5
        return results


@pytest.mark.parametrize("skips_dead", [True, False])
@pytest.mark.parametrize("aggregation", list(Aggregation))
def test_a_step_that_teaches_nothing_does_not_go_on_by_itself(
    tiny: ModelSpec, aggregation: Aggregation, skips_dead: bool, tmp_path: Path
) -> None:
    """AdamW would: by what it remembers of the steps before, and by decay."""
    plan = ReinforcementPlan(replace(SHORT, aggregation=aggregation, skips_dead=skips_dead), completions=4)
    one, _ = run(tiny, FirstAlone(first_arm), plan, 1)
    two, (_, dead) = run(tiny, FirstAlone(first_arm), plan, 2)
    assert dead.gradient_norm == 0
    assert weights(two, tmp_path / "two") == weights(one, tmp_path / "one")


def test_what_was_cut_off_is_not_learnt_from(tiny: ModelSpec, tmp_path: Path) -> None:
    plan = ReinforcementPlan(replace(SHORT, masks_overlong=True), completions=4)
    policy, (report,) = run(tiny, Judge(first_arm), plan, 1)
    assert report.figures["cut_off"] == 1.0
    assert weights(policy, tmp_path / "after") == weights(policy_of(tiny), tmp_path / "before")


def test_how_a_step_is_cut_changes_nothing_but_the_last_digits(tiny: ModelSpec) -> None:
    norms = [
        run(tiny, Judge(first_arm), ReinforcementPlan(SHORT, 6, pass_tokens=tokens), 1)[1][0].gradient_norm
        for tokens in (1, 60, 10_000)
    ]
    assert norms[0] > 0
    assert norms == pytest.approx([norms[0]] * 3, rel=1e-4)


@pytest.mark.parametrize("aggregation", list(Aggregation))
def test_passes_that_are_cut_for_want_of_memory_change_nothing_but_the_last_digits(
    tiny: ModelSpec, aggregation: Aggregation
) -> None:
    """All completions are of one length here: so it is with ``bnpo``, which is a mean over passes, too."""
    objective = replace(SHORT, aggregation=aggregation, beta=0.05, updates=2)
    plan = ReinforcementPlan(objective, completions=8, pass_tokens=10_000)
    _, whole = run(tiny, Judge(first_arm), plan, 4)
    _, cut = run(tiny, Judge(first_arm), plan, 4, module=ShortOfMemory)
    assert [one.splits for one in whole] == [0] * 4
    assert [one.splits for one in cut] == [0, 1, 1, 2]
    for one, other in zip(cut, whole, strict=True):
        assert one.figures["cut_off"] == 1.0
        assert one.trained_tokens == other.trained_tokens
        assert one.loss == pytest.approx(other.loss, rel=1e-3, abs=1e-5)
        assert one.gradient_norm == pytest.approx(other.gradient_norm, rel=1e-3)
        assert one.figures == pytest.approx(other.figures, rel=1e-3, abs=1e-6)


def test_what_a_cut_pass_counted_before_it_failed_is_not_counted_again(tiny: ModelSpec) -> None:
    counted: list[float] = []

    class Counting(ShortOfMemory):
        def training_step(self, step_batch: Any, index: int) -> None:
            super().training_step(step_batch, index)
            counted.append(self._sums.figures().tokens)

    plan = ReinforcementPlan(SHORT, completions=8, pass_tokens=10_000)
    _, reports = run(tiny, Judge(first_arm), plan, 2, learning_rate=1e-3, module=Counting)
    assert [report.splits for report in reports] == [0, 1]
    assert counted == [report.trained_tokens for report in reports]


def test_of_a_step_that_goes_wrong_the_completions_are_told(tiny: ModelSpec) -> None:
    class Wrong(GrpoModule):
        def loss(self, rows: Any) -> Scores:
            scores = super().loss(rows)
            return replace(scores, loss=scores.loss * torch.nan)

    _, (report,) = run(tiny, Judge(first_arm), ReinforcementPlan(SHORT, completions=4), 1, module=Wrong)
    moved = [one for one in report.completions if one["advantage"]]
    assert report.skipped
    assert len(report.learnt) == len(moved) > 0
    assert [row.trained_tokens for row in report.learnt] == [one["tokens"] for one in moved]
    assert sum(map(len, report.learnt)) > report.tokens


class Ladder(Judge):
    """Of three completions to the first prompt the second is as good as their mean; all others are alike."""

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        worths = [0.0, 0.5, 1.0] + [1.0] * (len(attempts) - 3)
        return [self._judged(worth) for worth in worths]


@pytest.mark.parametrize("updates", [1, 2])
def test_what_has_no_advantage_counts_in_the_mean_over_a_pass(tiny: ModelSpec, updates: int) -> None:
    """``dapo`` divides by the step's tokens, ``bnpo`` by the pass's: of one pass they are the same."""
    found = []
    for aggregation in (Aggregation.DAPO, Aggregation.BNPO):
        objective = replace(SHORT, aggregation=aggregation, skips_dead=False, updates=updates)
        plan = ReinforcementPlan(objective, completions=3, pass_tokens=10_000)
        found.append(run(tiny, Ladder(first_arm), plan, updates)[1][-1])
    dapo, bnpo = found
    assert bnpo.gradient_norm == pytest.approx(dapo.gradient_norm, rel=1e-4)
    assert bnpo.gradient_norm > 0
    assert bnpo.loss == pytest.approx(dapo.loss, abs=1e-6)


def test_a_forward_pass_has_no_more_tokens_than_are_asked_for(tiny: ModelSpec) -> None:
    """A prompt is computed once in every pass in which completions of its group are."""
    passes: list[int] = []

    class Measured(GrpoModule):
        def loss(self, rows: Any) -> Scores:
            prompts = {row.group: len(row.prompt) for row in rows}
            passes.append(sum(prompts.values()) + sum(len(row.judged.ids) for row in rows))
            assert passes[-1] == sum(map(len, rows))
            return super().loss(rows)

    heard = Heard()
    run(tiny, Judge(first_arm), ReinforcementPlan(SHORT, 16, pass_tokens=80), 1, heard, module=Measured)
    assert len(passes) > 2
    assert max(passes) <= 80
    assert sum(passes) == heard.reports[0].tokens


def test_the_divergence_begins_at_nothing_and_is_told(tiny: ModelSpec) -> None:
    plan = ReinforcementPlan(replace(SHORT, beta=0.1), completions=4)
    _, reports = run(tiny, Judge(first_arm), plan, 4, learning_rate=1e-3)
    assert reports[0].figures["kl"] == pytest.approx(0, abs=1e-6)
    assert reports[-1].figures["kl"] > 1e-4
    told = [one["kl"] for one in reports[0].completions if one["kl"] is not None]
    assert told == pytest.approx([0] * len(told), abs=1e-4)
    assert len(told) >= 4


@pytest.mark.parametrize(("updates", "step"), [(1, 1), (1, 3), (2, 1), (2, 2), (2, 3), (3, 2)])
def test_it_goes_on_to_the_bit(tiny: ModelSpec, updates: int, step: int, tmp_path: Path) -> None:
    plan = ReinforcementPlan(replace(SHORT, updates=updates, beta=0.05), completions=4)
    heard = Heard(tmp_path / "checkpoint", step)
    whole, reports = run(tiny, Judge(first_arm), plan, 5, heard)
    again, later = run(tiny, Judge(first_arm), plan, 5, start=heard.checkpoint)
    assert [untimed(one) for one in later] == [untimed(one) for one in reports[step:]]
    assert weights(again, tmp_path / "again") == weights(whole, tmp_path / "whole")


def test_several_updates_learn_from_one_rollout(tiny: ModelSpec) -> None:
    plan = ReinforcementPlan(replace(SHORT, updates=2), completions=4)
    _, reports = run(tiny, Judge(first_arm), plan, 4)
    assert [len(report.completions) for report in reports] == [8, 0, 8, 0]
    assert reports[0].figures["ratio_most"] == pytest.approx(1.0, abs=1e-4)
    assert reports[1].figures["ratio_most"] > 1.001


def test_a_grader_that_fails_ends_the_training(tiny: ModelSpec) -> None:
    with pytest.raises(SandboxError, match="X010"):
        run(tiny, Broken(first_arm), ReinforcementPlan(SHORT, completions=4), 2)


def test_a_stop_is_heard_while_completions_are_drawn(tiny: ModelSpec) -> None:
    plan = ReinforcementPlan(replace(SHORT, max_completion_tokens=64), completions=4)
    policy, stop, heard = policy_of(tiny), FakeStop(), Heard()

    def ask(text: str) -> float:
        stop.ask()
        return 0.0

    outcome = optimizer(Judge(ask), plan).optimize(
        policy, [STEP] * 3, TrainingPlan(3), on_step=heard, stop=stop
    )
    assert (outcome.steps, outcome.stopped_by) == (len(heard.reports), 2)
    assert outcome.steps < 3


@dataclass(frozen=True)
class Letters:
    """A source of many prompts."""

    name = "letters"

    def __len__(self) -> int:
        return 30

    def row(self, index: int) -> PromptRow:
        row = token_row(range(4), [False] * 4)
        return PromptRow(row.ids, row.trained, row.truncated, user(f"prompt {index}"), self, index)


class SomeTeach(Judge):
    """Every third prompt tells completions apart; to all others any answer is right."""

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        def worth(attempt: Attempt) -> float:
            number = int(attempt.prompt.messages[-1].content.split()[-1])
            return 1.0 if number % 3 else float(len(attempt.completion.encode()) % 7) / 6

        return [self._judged(worth(attempt)) for attempt in attempts]


def run_of_letters(
    tiny: ModelSpec, plan: ReinforcementPlan, heard: Heard, start: Checkpoint | None = None, steps: int = 4
) -> Policy:
    policy, pool = policy_of(tiny), Letters()
    made = TrainingPlan(steps, learning_rate=1e-3, updates=plan.objective.updates)
    rows = [[[pool.row(4 * step + at) for at in range(4)]] for step in range(steps)]
    optimizer(SomeTeach(first_arm), plan).optimize(
        policy, rows, made, on_step=heard, stop=FakeStop(), start=start
    )
    return policy


def test_others_are_asked_where_nothing_is_learnt(tiny: ModelSpec) -> None:
    heard, plain = Heard(), Heard()
    run_of_letters(tiny, ReinforcementPlan(SHORT, completions=4, resample=6), heard)
    run_of_letters(tiny, ReinforcementPlan(SHORT, completions=4), plain)
    assert sum(one.trained_tokens for one in heard.reports) > sum(one.trained_tokens for one in plain.reports)
    for report in heard.reports:
        replaced = int(report.figures["resampled"])
        assert 0 < replaced <= 6
        assert len(report.completions) == 4 * (4 + replaced)
        gone = [one for one in report.completions if one["replaced"]]
        assert len(gone) == 4 * replaced
        assert {(one["reward"], one["advantage"]) for one in gone} == {(1.0, 0.0)}
        # The first to be asked were asked in any case; no prompt twice.
        assert len({one["question"] for one in report.completions}) == 4 + replaced


def test_the_curriculum_finds_the_prompts_that_teach(tiny: ModelSpec) -> None:
    heard, plain = Heard(), Heard()
    run_of_letters(
        tiny, ReinforcementPlan(SHORT, completions=4, curriculum=Curriculum(candidates=8)), heard, steps=7
    )
    run_of_letters(tiny, ReinforcementPlan(SHORT, completions=4), plain, steps=7)
    late = [sum(one.figures["dead_groups"] for one in both.reports[3:]) for both in (heard, plain)]
    assert late[0] < late[1] - 1


@pytest.mark.parametrize(("updates", "step"), [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_chosen_prompts_are_the_same_when_it_goes_on(
    tiny: ModelSpec, updates: int, step: int, tmp_path: Path
) -> None:
    objective = replace(SHORT, updates=updates, beta=0.05)
    plan = ReinforcementPlan(objective, completions=4, curriculum=Curriculum(), resample=3)
    heard, later = Heard(tmp_path / "checkpoint", step), Heard()
    whole = run_of_letters(tiny, plan, heard)
    again = run_of_letters(tiny, plan, later, heard.checkpoint)
    assert [untimed(one) for one in later.reports] == [untimed(one) for one in heard.reports[step:]]
    assert weights(again, tmp_path / "again") == weights(whole, tmp_path / "whole")


def test_the_reference_is_not_asked_about_what_is_not_learnt_from(
    tiny: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def counting(model: Any, groups: Sequence[PromptGroup], score: Any) -> Any:
        asked.extend(len(group.completions) for group in groups)
        return completion_scores(model, groups, score)

    monkeypatch.setattr(rollouts, "completion_scores", counting)
    heard = Heard()
    run_of_letters(tiny, ReinforcementPlan(replace(SHORT, beta=0.1), completions=4), heard, steps=2)
    live = [one for report in heard.reports for one in report.completions if one["advantage"]]
    assert asked
    assert sum(asked) < 2 * 4 * 4
    assert {one["prompt"] for one in live}
    for report in heard.reports:
        dead = [one for one in report.completions if one["reward"] == 1.0 and not one["advantage"]]
        assert dead
        assert {one["kl"] for one in dead} == {None}


class Greedy(LocalRollout):
    """Has memory for three completions at a time."""

    calls: ClassVar[list[int]] = []

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        seeds: Sequence[Sequence[int]],
        sampling: Sampling,
        limits: Sequence[int] | None = None,
    ) -> list[list[Rollout]]:
        many = sum(map(len, seeds))
        self.calls.append(many)
        if many > 3:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return super().generate(prompts, seeds, sampling, limits)


def test_completions_are_drawn_in_parts_where_the_memory_does_not_suffice(tiny: ModelSpec) -> None:
    plan = ReinforcementPlan(SHORT, completions=4)
    heard, whole = Heard(), Heard()
    run(tiny, Judge(first_arm), plan, 1, whole)
    LightningSft(
        partial(
            GrpoModule,
            reinforcement=plan,
            engine=lambda policy, stop: Greedy(policy.model, policy.ends, stop),
            reward=lambda: Judge(first_arm),
        )
    ).optimize(
        policy_of(tiny), [STEP] * 2, TrainingPlan(2, learning_rate=1e-2), on_step=heard, stop=FakeStop()
    )
    assert Greedy.calls == [8, 4, 2, 2, 2, 2, 2, 2, 2, 2]
    first, other = heard.reports[0].completions, whole.reports[0].completions
    assert [one["completion"] for one in first] == [one["completion"] for one in other]


def test_a_completion_for_which_there_is_no_memory_ends_it_with_what_to_do(tiny: ModelSpec) -> None:
    halved = Halving("drawing completions", "lower grpo.completions")
    sizes: list[int] = []

    def work(most: int) -> None:
        sizes.append(most)
        raise MemoryError

    with pytest.raises(ModelError, match="M021"):
        halved.run(work, 5)
    assert sizes == [5, 2, 1]
    with pytest.raises(RuntimeError, match="not of memory"):
        Halving("drawing", "?").run(_raises_something_else, 5)


def _raises_something_else(most: int) -> None:
    raise RuntimeError(f"{most} is not of memory")
