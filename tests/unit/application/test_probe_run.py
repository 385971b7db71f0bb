from __future__ import annotations

from dataclasses import replace

import pytest
from dependency_injector import providers

from cesello.application.finetune import FinetuneRequest
from cesello.application.prepare_data import DataRequest
from cesello.application.probe_run import Probe
from cesello.domain.errors import Interrupted
from cesello.domain.footprint import RowSize
from cesello.domain.mixture import MixtureSpec
from cesello.domain.model_spec import LoraSpec, ModelSpec
from cesello.domain.schedule import TrainingPlan
from cesello.domain.source import SourceSpec
from cesello.entrypoints.container import make_container
from tests.fakes.data import FakeDatasetSource
from tests.fakes.examples import FakeExampleStore, FakeNearCopies
from tests.fakes.model import FakeModelProvider
from tests.fakes.run import FakeStop
from tests.fakes.training import FakePolicyOptimizer

CHAT = [{"instruction": f"question {number}", "response": "yes"} for number in range(20)]
DATA = DataRequest(
    ModelSpec("fake"),
    (SourceSpec("chat", holdout=0),),
    MixtureSpec(),
    TrainingPlan(10, batch_size=2, warmup_steps=3),
    10,
)
REQUEST = FinetuneRequest("demo", "", DATA, LoraSpec())


def probed(
    request: FinetuneRequest = REQUEST,
    steps: int = 4,
    stop: FakeStop | None = None,
    optimizer: FakePolicyOptimizer | None = None,
) -> tuple[Probe, FakePolicyOptimizer]:
    container, optimizer = make_container(), optimizer or FakePolicyOptimizer()
    container.model_provider.override(providers.Object(FakeModelProvider()))
    container.sources.override(providers.Object({"chat": FakeDatasetSource(CHAT, "chat")}))
    container.example_store.override(providers.Object(FakeExampleStore()))
    container.near_copies.override(providers.Object(FakeNearCopies()))
    container.policy_optimizer.override(providers.Object(optimizer))
    container.stop.override(providers.Object(stop or FakeStop()))
    result: Probe = container.probe_run()(request, steps)
    return result, optimizer


def test_a_few_steps_tell_of_all() -> None:
    probe, optimizer = probed()
    [plan] = optimizer.plans
    assert (plan.max_steps, plan.warmup_steps) == (4, 0)
    assert probe.steps == 10
    # All rows are of one length and a step of the fake takes a second.
    assert probe.tokens_per_second == pytest.approx(probe.tokens / 10)
    assert probe.seconds == pytest.approx(10)


def test_of_reinforcement_steps_tell_the_time_and_not_the_tokens_of_its_rows() -> None:
    rows, _ = probed()
    answered, _ = probed(replace(REQUEST, group=RowSize(720, 160), answers=120))
    assert answered.seconds == pytest.approx(10)
    assert (answered.steps, answered.tokens) == (10, rows.tokens)
    dead = FakePolicyOptimizer(has_passes=False)
    probe, _ = probed(replace(REQUEST, group=RowSize(720, 160), answers=120), optimizer=dead)
    assert (probe.tokens, probe.tokens_per_second) == (0, 0)
    assert probe.seconds == pytest.approx(10)


@pytest.mark.parametrize(("steps", "taken"), [(0, 2), (100, 10)])
def test_at_least_two_steps_are_taken_and_no_more_than_there_are(steps: int, taken: int) -> None:
    _, optimizer = probed(steps=steps)
    assert optimizer.plans[0].max_steps == taken


@pytest.mark.parametrize(("updates", "taken"), [(1, 4), (3, 6), (5, 5), (10, 10)])
def test_whole_rollouts_are_timed(updates: int, taken: int) -> None:
    data = replace(DATA, plan=replace(DATA.plan, updates=updates))
    _, optimizer = probed(replace(REQUEST, data=data, group=RowSize(720, 160), answers=120))
    assert optimizer.plans[0].max_steps == taken


def test_one_step_is_enough_where_there_are_no_more() -> None:
    short = replace(DATA, max_steps=1, plan=replace(DATA.plan, max_steps=1, warmup_steps=0))
    probe, _ = probed(replace(REQUEST, data=short))
    assert probe.steps == 1
    assert probe.seconds == pytest.approx(1)


def test_a_stop_is_heard() -> None:
    with pytest.raises(Interrupted):
        probed(stop=FakeStop(requested=2))
