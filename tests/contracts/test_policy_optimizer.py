"""What every PolicyOptimizer owes, on the fake and on Lightning with a tiny random model."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from cesello.adapters.model.hf_provider import HfModelProvider
from cesello.adapters.model.hub_cache import HubCache
from cesello.adapters.model.quantizers import FourBitQuantizer, NoQuantizer
from cesello.adapters.training.lightning_sft import LightningSft, SftModule
from cesello.domain.checkpoint import Checkpoint, CheckpointState
from cesello.domain.conversation import Conversation, Message, Role
from cesello.domain.errors import UsageError
from cesello.domain.model_spec import LoraSpec, ModelSpec
from cesello.domain.ports.model import ModelProvider, Policy
from cesello.domain.ports.training import PolicyOptimizer, TrainingState
from cesello.domain.schedule import StepBatch, StepReport, TrainingOutcome, TrainingPlan, cosine_factor
from cesello.domain.tokens import TokenRow
from tests.fakes.model import FACTS, FakeModelProvider, FakePolicy
from tests.fakes.run import FakeStop
from tests.fakes.training import FakePolicyOptimizer, heard, learning_rate
from tests.tiny_model import make_tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

ANSWERS = ["A chisel.", "Of the goldsmith, I think.", "No.", "Yes, and it finishes what the others began."]
LORA = LoraSpec(r=8, alpha=32, dropout=0.0, target_modules="all-linear")


@dataclass
class Workshop:
    """An optimiser and the models that it can train."""

    optimizer: PolicyOptimizer
    provider: ModelProvider
    model: ModelSpec

    def policy(self, lora: LoraSpec = LORA) -> Policy:
        return self.provider.load(self.model, lora, seed=0)

    def optimize(
        self, policy: Policy, batches: list[StepBatch], stop: FakeStop | None = None, **plan: Any
    ) -> tuple[TrainingOutcome, list[StepReport]]:
        reports: list[StepReport] = []
        made = TrainingPlan(**{"max_steps": len(batches), "learning_rate": 1e-2, **plan})
        outcome = self.optimizer.optimize(
            policy, batches, made, on_step=heard(reports), stop=stop or FakeStop()
        )
        return outcome, reports


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


def real_workshop(tiny: Path) -> Workshop:
    return Workshop(
        LightningSft(), HfModelProvider(NoQuantizer(), HubCache(None)), ModelSpec(str(tiny), dtype="float32")
    )


@pytest.fixture(params=["fake", "lightning"])
def workshop(request: pytest.FixtureRequest, tiny: Path) -> Workshop:
    if request.param == "fake":
        return Workshop(FakePolicyOptimizer(), FakeModelProvider(), ModelSpec("fake"))
    return real_workshop(tiny)


def rows(policy: Policy) -> list[TokenRow]:
    return [
        policy.encode(Conversation((Message(Role.USER, "What is it?"), Message(Role.ASSISTANT, answer))))
        for answer in ANSWERS
    ]


def test_the_loss_of_a_repeated_row_falls(workshop: Workshop) -> None:
    policy = workshop.policy()
    row = rows(policy)[0]
    before = policy.score([row]).mean
    outcome, reports = workshop.optimize(policy, [[[row]]] * 20)
    losses = [report.loss for report in reports]
    assert losses[0] == pytest.approx(before, rel=1e-4)
    assert losses[-1] < 0.9 * losses[0]
    assert policy.score([row]).mean < 0.9 * before
    assert outcome.steps == 20


def test_every_step_is_reported(workshop: Workshop) -> None:
    policy = workshop.policy()
    all_rows = rows(policy)
    outcome, reports = workshop.optimize(policy, [[all_rows[:2], all_rows[2:]], [all_rows[:1]]])
    assert [report.step for report in reports] == [1, 2]
    assert [report.tokens for report in reports] == [sum(map(len, all_rows)), len(all_rows[0])]
    assert reports[0].trained_tokens == sum(row.trained_tokens for row in all_rows)
    assert all(report.seconds > 0 and report.gradient_norm > 0 for report in reports)
    assert (outcome.steps, outcome.stopped_by) == (2, None)
    assert all(0 <= (report.right or 0) <= report.trained_tokens for report in reports)


def test_the_learning_rate_rises_to_its_peak_and_falls_to_its_end(workshop: Workshop) -> None:
    policy = workshop.policy()
    batches: list[StepBatch] = [[[rows(policy)[0]]]] * 10
    _, reports = workshop.optimize(
        policy, batches, learning_rate=1e-3, warmup_steps=4, final_learning_rate=0.1
    )
    rates = [report.learning_rate for report in reports]
    assert rates[:5] == pytest.approx([0.2e-3, 0.4e-3, 0.6e-3, 0.8e-3, 1e-3])
    assert rates[5:] == pytest.approx([1e-3 * cosine_factor(step, 6, 0.1) for step in range(1, 6)])
    assert all(later < earlier for earlier, later in pairwise(rates[4:]))


def test_without_warmup_the_first_step_has_the_peak(workshop: Workshop) -> None:
    policy = workshop.policy()
    _, reports = workshop.optimize(policy, [[[rows(policy)[0]]]] * 2, learning_rate=1e-3)
    assert [report.learning_rate for report in reports] == pytest.approx([1e-3, 0.5e-3])


@pytest.mark.parametrize("number", [2, 15])
def test_a_stop_is_honoured_between_two_steps(workshop: Workshop, number: int) -> None:
    policy, stop = workshop.policy(), FakeStop(number)
    seen: list[int] = []

    def ask_at_the_third(report: StepReport, state: TrainingState) -> bool:
        seen.append(report.step)
        if report.step == 3:
            stop.ask()
        return True

    batches: list[StepBatch] = [[[rows(policy)[0]]]] * 10
    plan = TrainingPlan(max_steps=10)
    outcome = workshop.optimizer.optimize(policy, batches, plan, on_step=ask_at_the_third, stop=stop)
    assert seen == [1, 2, 3]
    assert (outcome.steps, outcome.stopped_by) == (3, number)


def test_a_stop_in_the_last_step_comes_too_late(workshop: Workshop) -> None:
    policy, stop = workshop.policy(), FakeStop()

    def ask(report: StepReport, state: TrainingState) -> bool:
        stop.ask()
        return True

    outcome = workshop.optimizer.optimize(
        policy, [[[rows(policy)[0]]]], TrainingPlan(max_steps=1), on_step=ask, stop=stop
    )
    assert (outcome.steps, outcome.stopped_by) == (1, None)


def test_a_listener_ends_the_training(workshop: Workshop) -> None:
    policy = workshop.policy()
    outcome = workshop.optimizer.optimize(
        policy,
        [[[rows(policy)[0]]]] * 5,
        TrainingPlan(max_steps=5),
        on_step=lambda report, state: report.step < 2,
        stop=FakeStop(),
    )
    assert (outcome.steps, outcome.stopped_by) == (2, None)


def test_a_step_that_is_not_finite_leaves_the_weights_and_says_so(workshop: Workshop) -> None:
    policy = workshop.policy()
    row = rows(policy)[0]
    _, reports = workshop.optimize(policy, [[[row]]] * 3, learning_rate=1e30)
    assert not reports[0].skipped
    assert any(report.skipped for report in reports)


class Saving:
    """Saves what it hears of at one step."""

    def __init__(self, folder: Path, step: int) -> None:
        self.folder, self.step = folder, step
        self.reports: list[StepReport] = []
        self.plain: dict[str, Any] = {}

    def __call__(self, report: StepReport, state: TrainingState) -> bool:
        self.reports.append(report)
        if report.step == self.step:
            state.save(self.folder)
            # As a checkpoint has it: written as JSON and read again.
            self.plain = json.loads(json.dumps(state.plain))
        return True

    @property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint(self.folder, CheckpointState(self.step, None, self.plain, {}))


PLANS: dict[str, dict[str, Any]] = {
    "plain": {},
    "warmup": {"warmup_steps": 5},
    "8 bits": {"optimizer": "adamw_8bit"},
}


@pytest.mark.parametrize("step", [1, 3, 5])
@pytest.mark.parametrize("name", PLANS)
def test_a_training_goes_on_to_the_bit(workshop: Workshop, name: str, step: int, tmp_path: Path) -> None:
    lora = LoraSpec(r=4, alpha=8, dropout=0.3, target_modules="all-linear")
    plan = TrainingPlan(max_steps=6, learning_rate=1e-2, seed=3, **PLANS[name])
    policy = workshop.policy(lora)
    all_rows = rows(policy)
    batches: list[StepBatch] = [[[all_rows[n % 4]], all_rows[1:3]] for n in range(6)]
    saving = Saving(tmp_path / "checkpoint", step)
    saving.folder.mkdir()
    workshop.optimizer.optimize(policy, batches, plan, on_step=saving, stop=FakeStop())
    reports: list[StepReport] = []
    again = workshop.policy(lora)
    workshop.optimizer.optimize(
        again, batches, plan, on_step=heard(reports), stop=FakeStop(), start=saving.checkpoint
    )
    whole = [untimed(report) for report in saving.reports]
    assert [untimed(report) for report in reports] == whole[step:]
    assert saved(policy, tmp_path / "a") == saved(again, tmp_path / "b")


@pytest.mark.parametrize(
    "change",
    [{"learning_rate": 5e-3}, {"max_steps": 9}, {"warmup_steps": 4}, {"final_learning_rate": 0.5}],
    ids=lambda change: next(iter(change)),
)
def test_a_schedule_that_was_changed_is_gone_on_with_where_it_would_be(
    workshop: Workshop, change: dict[str, Any], tmp_path: Path
) -> None:
    plan = TrainingPlan(max_steps=6, learning_rate=1e-2, warmup_steps=2)
    other = replace(plan, **change)
    policy = workshop.policy()
    batches: list[StepBatch] = [[[rows(policy)[0]]]] * other.max_steps
    saving = Saving(tmp_path / "checkpoint", 3)
    saving.folder.mkdir()
    workshop.optimizer.optimize(policy, batches[:3], plan, on_step=saving, stop=FakeStop())
    reports: list[StepReport] = []
    workshop.optimizer.optimize(
        workshop.policy(), batches, other, on_step=heard(reports), stop=FakeStop(), start=saving.checkpoint
    )
    assert [report.step for report in reports] == list(range(4, other.max_steps + 1))
    rates = [learning_rate(other, index) for index in range(3, other.max_steps)]
    assert [report.learning_rate for report in reports] == pytest.approx(rates)
    assert rates != [learning_rate(plan, index) for index in range(3, other.max_steps)]


@pytest.mark.parametrize("kinds", [("adamw", "adamw_8bit"), ("adamw_8bit", "adamw")])
def test_another_kind_of_optimizer_begins_with_moments_of_its_own(
    workshop: Workshop, kinds: tuple[str, str], tmp_path: Path
) -> None:
    first, second = (TrainingPlan(max_steps=5, learning_rate=1e-2, optimizer=kind) for kind in kinds)
    policy = workshop.policy()
    batches: list[StepBatch] = [[[rows(policy)[0]]]] * 5
    saving, later = Saving(tmp_path / "first", 3), Saving(tmp_path / "second", 5)
    saving.folder.mkdir()
    later.folder.mkdir()
    workshop.optimizer.optimize(policy, batches[:3], first, on_step=saving, stop=FakeStop())
    again = workshop.policy()
    workshop.optimizer.optimize(
        again, batches, second, on_step=later, stop=FakeStop(), start=saving.checkpoint
    )
    assert [report.step for report in later.reports] == [4, 5]
    assert later.reports[-1].loss < saving.reports[0].loss, "the weights are those of the checkpoint"
    if not isinstance(workshop.optimizer, FakePolicyOptimizer):
        moments = {**load_file(later.folder / "optimizer.safetensors"), **later.plain["numbers"]}
        assert {float(moments[name]) for name in moments if name.endswith("/step")} == {2.0}


def test_the_weights_of_a_checkpoint_are_given_back(workshop: Workshop, tmp_path: Path) -> None:
    policy = workshop.policy()
    row = rows(policy)[0]
    saving = Saving(tmp_path / "checkpoint", 1)
    saving.folder.mkdir()
    workshop.optimizer.optimize(
        policy, [[[row]]] * 4, TrainingPlan(4, learning_rate=1e-2), on_step=saving, stop=FakeStop()
    )
    last = policy.score([row]).mean
    workshop.optimizer.load_weights(policy, saving.checkpoint)
    assert policy.score([row]).mean > last


def untimed(report: StepReport) -> StepReport:
    return replace(report, seconds=0.0, elapsed=0.0, memory=None, roofline=None)


def saved(policy: Policy, folder: Path) -> bytes:
    folder.mkdir()
    policy.save(folder)
    return (folder / "adapter_model.safetensors").read_bytes()


def test_a_policy_of_another_library_is_refused(workshop: Workshop) -> None:
    class Stranger(FakePolicy):
        pass

    stranger: Any = object() if isinstance(workshop.optimizer, FakePolicyOptimizer) else Stranger(FACTS)
    with pytest.raises(TypeError, match=type(stranger).__name__):
        workshop.optimize(stranger, [])


# What only real weights can show


def test_another_weight_decay_is_gone_on_with(tiny: Path, tmp_path: Path) -> None:
    workshop = real_workshop(tiny)
    plan = TrainingPlan(max_steps=2, weight_decay=0.01)
    policy = workshop.policy()
    batches: list[StepBatch] = [[[rows(policy)[0]]]] * 2
    saving, later = Saving(tmp_path / "first", 1), Saving(tmp_path / "second", 2)
    saving.folder.mkdir()
    later.folder.mkdir()
    workshop.optimizer.optimize(policy, batches, plan, on_step=saving, stop=FakeStop())
    other = replace(plan, weight_decay=0.5)
    workshop.optimizer.optimize(
        policy, batches, other, on_step=later, stop=FakeStop(), start=saving.checkpoint
    )
    assert [group["weight_decay"] for group in saving.plain["groups"]] == [0.01]
    assert [group["weight_decay"] for group in later.plain["groups"]] == [0.5]


def test_the_time_from_step_to_step_holds_what_came_between(tiny: Path) -> None:
    workshop = real_workshop(tiny)
    policy = workshop.policy()
    reports: list[StepReport] = []

    def slow(report: StepReport, state: TrainingState) -> bool:
        reports.append(report)
        time.sleep(0.2)
        return True

    batches: list[StepBatch] = [[[rows(policy)[0]]]] * 2
    workshop.optimizer.optimize(policy, batches, TrainingPlan(2), on_step=slow, stop=FakeStop())
    assert reports[1].elapsed >= reports[1].seconds + 0.2
    assert reports[1].seconds < reports[1].elapsed - 0.15


def test_a_plan_that_wants_the_same_bits_has_the_device_set_up_at_once(tiny: Path) -> None:
    workshop = real_workshop(tiny)
    policy = workshop.policy()
    try:
        workshop.optimizer.prepare(policy, TrainingPlan(1))
        assert not torch.are_deterministic_algorithms_enabled()
        workshop.optimizer.prepare(policy, TrainingPlan(1, deterministic=True))
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


class Keeping(SftModule):
    """Keeps what it is told to."""

    def __init__(self, *job: Any, state: dict[Any, Any]) -> None:
        super().__init__(*job)
        self.state = state

    def own_state(self) -> dict[Any, Any]:
        return self.state


@pytest.mark.parametrize(
    ("state", "got"),
    [
        ({"weights": torch.zeros(2)}, "Tensor is not JSON serializable"),
        ({"loss": float("nan")}, "Out of range float values"),
        ({"by step": {1: 2.0}}, "the key 1 is no text"),
        ({"list": [{"deep": {None: 1}}]}, "the key None is no text"),
    ],
)
def test_what_is_no_plain_data_is_not_kept(tiny: Path, state: dict[Any, Any], got: str) -> None:
    workshop = real_workshop(tiny)
    workshop.optimizer = LightningSft(partial(Keeping, state=state))
    policy = workshop.policy()

    def ask(report: StepReport, state: TrainingState) -> bool:
        return bool(state.plain)

    with pytest.raises(UsageError) as caught:
        workshop.optimizer.optimize(
            policy, [[[rows(policy)[0]]]], TrainingPlan(1), on_step=ask, stop=FakeStop()
        )
    assert (caught.value.code, caught.value.exit_status) == ("C058", 2)
    assert got in str(caught.value.got)
    assert "Keeping" in caught.value.what


def weights_after(tiny: Path, folder: Path, batches: Any, **plan: Any) -> dict[str, torch.Tensor]:
    workshop = real_workshop(tiny)
    policy = workshop.policy()
    made = batches(rows(policy))
    if made:
        workshop.optimize(policy, made, **plan)
    folder.mkdir()
    policy.save(folder)
    return load_file(folder / "adapter_model.safetensors")


def largest_difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)


STEPS = 3


@pytest.mark.parametrize("size", [1, 2, 3])
def test_cutting_a_step_into_micro_batches_does_not_change_the_weights(
    size: int, tiny: Path, tmp_path: Path
) -> None:
    whole = weights_after(tiny, tmp_path / "whole", lambda all_: [[all_]] * STEPS, learning_rate=1e-3)
    cut = weights_after(
        tiny,
        tmp_path / "cut",
        lambda all_: [[all_[at : at + size] for at in range(0, len(all_), size)]] * STEPS,
        learning_rate=1e-3,
    )
    fresh = weights_after(tiny, tmp_path / "fresh", lambda all_: [])
    assert largest_difference(whole, fresh) > 1e-3
    assert largest_difference(whole, cut) < 1e-6


def test_the_same_plan_gives_the_same_weights_to_the_bit(tiny: Path, tmp_path: Path) -> None:
    one, other = (
        weights_after(tiny, tmp_path / name, lambda all_: [[all_[:2], all_[2:]]] * STEPS) for name in "ab"
    )
    assert largest_difference(one, other) == 0


def test_dropout_depends_on_the_seed_and_the_step_alone(tiny: Path) -> None:
    def losses(seed: int, disturb: int) -> list[float]:
        workshop = real_workshop(tiny)
        policy = workshop.policy(LoraSpec(r=4, alpha=8, dropout=0.5))
        torch.manual_seed(disturb)
        _, reports = workshop.optimize(policy, [[rows(policy)]] * STEPS, seed=seed)
        return [report.loss for report in reports]

    assert losses(1, 0) == losses(1, 99)
    assert losses(1, 0) != losses(2, 0)


def test_only_lora_weights_change(tiny: Path) -> None:
    workshop = real_workshop(tiny)
    policy: Any = workshop.policy()
    before = {name: weight.clone() for name, weight in policy.model.named_parameters()}
    workshop.optimize(policy, [[rows(policy)]] * STEPS)
    changed = {
        name for name, weight in policy.model.named_parameters() if not torch.equal(weight, before[name])
    }
    assert changed == {name for name in before if "lora_" in name}


def test_a_model_is_left_where_it_is(tiny: Path) -> None:
    """Lightning moves what a module holds to one device, and to the CPU in the end."""
    policy: Any = real_workshop(tiny).policy()
    module = SftModule(policy, TrainingPlan(1), lambda report, state: True, FakeStop())
    assert not list(module.parameters())
    [optimizer], _ = module.configure_optimizers()
    assert len(optimizer.param_groups[0]["params"]) == sum(w.requires_grad for w in policy.model.parameters())


@pytest.mark.parametrize(
    ("dtype", "compute", "scaled"),
    [("float16", "auto", True), ("float32", "float16", True), ("bfloat16", "bfloat16", False)],
)
def test_gradients_that_pass_through_float16_are_scaled(
    tiny: Path, dtype: str, compute: str, scaled: bool
) -> None:
    provider = HfModelProvider(FourBitQuantizer(compute_dtype=compute), HubCache(None))
    policy = provider.load(ModelSpec(str(tiny), dtype=dtype), LORA, seed=0)
    assert (SftModule(policy, TrainingPlan(1), lambda report, state: True, FakeStop())._scale > 1) is scaled


def test_small_gradients_survive_in_float16(tiny: Path) -> None:
    """A head of small weights sends back gradients that are below the smallest number of half precision."""
    norms = {}
    for dtype in ("float32", "float16"):
        workshop = real_workshop(tiny)
        workshop.model = replace(workshop.model, dtype=dtype)
        policy: Any = workshop.policy()
        policy.model.get_output_embeddings().weight.data *= 1e-4
        _, reports = workshop.optimize(policy, [[rows(policy)]], learning_rate=1e-4)
        norms[dtype] = reports[0].gradient_norm
    assert norms["float16"] == pytest.approx(norms["float32"], rel=0.05)
