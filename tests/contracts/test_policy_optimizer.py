"""What every PolicyOptimizer owes, on the fake and on Lightning with a tiny random model."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
from cesello.domain.conversation import Conversation, Message, Role
from cesello.domain.errors import ModelError
from cesello.domain.model_spec import LoraSpec, ModelSpec
from cesello.domain.ports.model import ModelProvider, Policy
from cesello.domain.ports.training import PolicyOptimizer
from cesello.domain.schedule import StepBatch, StepReport, TrainingOutcome, TrainingPlan, cosine_factor
from cesello.domain.tokens import TokenRow
from tests.fakes.model import FACTS, FakeModelProvider, FakePolicy
from tests.fakes.run import FakeStop
from tests.fakes.training import FakePolicyOptimizer
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
            policy, batches, made, on_step=reports.append, stop=stop or FakeStop()
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
    assert outcome.final_loss == losses[-1]


def test_every_step_is_reported(workshop: Workshop) -> None:
    policy = workshop.policy()
    all_rows = rows(policy)
    outcome, reports = workshop.optimize(policy, [[all_rows[:2], all_rows[2:]], [all_rows[:1]]])
    assert [report.step for report in reports] == [1, 2]
    assert [report.tokens for report in reports] == [sum(map(len, all_rows)), len(all_rows[0])]
    assert reports[0].trained_tokens == sum(row.trained_tokens for row in all_rows)
    assert all(report.seconds > 0 and report.gradient_norm > 0 for report in reports)
    assert (outcome.steps, outcome.stopped_by) == (2, None)
    assert outcome.tokens == sum(report.tokens for report in reports)
    assert outcome.seconds >= 0


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
def test_a_stop_is_honoured_after_the_current_step(workshop: Workshop, number: int) -> None:
    policy, stop = workshop.policy(), FakeStop(number)
    seen: list[int] = []

    def ask_at_the_third(report: StepReport) -> None:
        seen.append(report.step)
        if report.step == 3:
            stop.ask()

    batches: list[StepBatch] = [[[rows(policy)[0]]]] * 10
    plan = TrainingPlan(max_steps=10)
    outcome = workshop.optimizer.optimize(policy, batches, plan, on_step=ask_at_the_third, stop=stop)
    assert seen == [1, 2, 3]
    assert (outcome.steps, outcome.stopped_by) == (3, number)


def test_a_stop_in_the_last_step_comes_too_late(workshop: Workshop) -> None:
    policy, stop = workshop.policy(), FakeStop()
    plan = TrainingPlan(max_steps=1)
    outcome = workshop.optimizer.optimize(
        policy, [[[rows(policy)[0]]]], plan, on_step=lambda report: stop.ask(), stop=stop
    )
    assert (outcome.steps, outcome.stopped_by) == (1, None)


def test_a_loss_that_is_not_finite_ends_the_training(workshop: Workshop) -> None:
    policy = workshop.policy()
    with pytest.raises(ModelError) as caught:
        workshop.optimize(policy, [[[rows(policy)[0]]]] * 5, learning_rate=1e30)
    assert (caught.value.code, caught.value.exit_status) == ("M020", 4)
    assert str(caught.value.where).startswith("step ")
    assert caught.value.fix


def test_a_policy_of_another_library_is_refused(workshop: Workshop) -> None:
    class Stranger(FakePolicy):
        pass

    stranger: Any = object() if isinstance(workshop.optimizer, FakePolicyOptimizer) else Stranger(FACTS)
    with pytest.raises(TypeError, match=type(stranger).__name__):
        workshop.optimize(stranger, [])


# What only real weights can show


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


def test_a_model_on_several_devices_is_not_moved_to_one(tiny: Path) -> None:
    policy: Any = real_workshop(tiny).policy()
    alone = SftModule(policy, TrainingPlan(1), lambda _: None)
    policy.model.hf_device_map = {"model.layers.0": 0, "model.layers.1": 1}
    spread = SftModule(policy, TrainingPlan(1), lambda _: None)
    assert list(alone.parameters())
    assert not list(spread.parameters())
    [optimizer], _ = spread.configure_optimizers()
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
    assert (SftModule(policy, TrainingPlan(1), lambda _: None)._scale > 1) is scaled


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
