from __future__ import annotations

from dataclasses import replace

import pytest

from cesello.application.check_memory import CheckMemory
from cesello.application.finetune import FinetuneRequest
from cesello.application.plan_run import PlanRun, RunPlan
from cesello.application.prepare_data import DataRequest
from cesello.application.prepare_source import RowRules
from cesello.domain.errors import ModelError
from cesello.domain.evaluation import EvaluationSpec
from cesello.domain.footprint import DeviceMemory, RowSize
from cesello.domain.mixture import MixtureSpec
from cesello.domain.model_spec import LoraSpec, ModelSpec
from cesello.domain.schedule import TrainingPlan
from tests.fakes.model import MIB, FakeDevices, FakeMemoryPredictor
from tests.fakes.run import RecordingObserver

PLAN = TrainingPlan(max_steps=10, batch_size=2, accumulate=4)
DATA = DataRequest(ModelSpec("fake"), (), MixtureSpec(), PLAN, 10, RowRules(max_tokens=100))
REQUEST = FinetuneRequest("demo", "", DATA, LoraSpec(r=4), EvaluationSpec(samples=1, max_new_tokens=28))


def planned(request: FinetuneRequest, memory: DeviceMemory | None = None) -> RunPlan:
    predictor = FakeMemoryPredictor()
    check = CheckMemory(predictor, FakeDevices())
    return PlanRun(predictor, check, RecordingObserver())(request, memory)


def test_rows_are_taken_to_be_as_long_as_they_may_be() -> None:
    plan = planned(REQUEST)
    assert [(row.tokens, row.trained) for row in plan.work.rows] == [(100, 99)] * 2
    assert plan.work.accumulates
    assert (plan.steps, plan.rows_per_step, plan.tokens) == (10, 8, 10 * 8 * 100)


def test_of_reinforcement_the_answers_count() -> None:
    plan = planned(replace(REQUEST, group=RowSize(720, 160), answers=4 * 30))
    assert [(row.tokens, row.trained) for row in plan.work.rows] == [(720, 160)]
    assert (plan.longest, plan.answers, plan.tokens) == (100, 120, 10 * 8 * (100 + 120))


def test_both_ways_of_the_activations_are_told() -> None:
    plan = planned(REQUEST)
    assert plan.memory.footprint.activations == 200 * MIB
    assert plan.other.activations == 20 * MIB
    checkpointing = replace(DATA, plan=replace(PLAN, gradient_checkpointing=True))
    plan = planned(replace(REQUEST, data=checkpointing))
    assert (plan.memory.footprint.activations, plan.other.activations) == (20 * MIB, 200 * MIB)


def test_every_preset_is_told_with_the_rank_of_the_recipe() -> None:
    assert planned(REQUEST).presets == {
        "attention": 4 * 4 * 20,
        "mlp": 4 * 3 * 20,
        "all-linear": 4 * 7 * 20,
    }


def test_weights_to_go_on_from_have_ranks_of_their_own() -> None:
    assert planned(replace(REQUEST, lora=LoraSpec(continue_from="lora"))).presets == {}


def test_answers_are_as_many_and_as_long_as_the_evaluation_has_them() -> None:
    assert planned(REQUEST).memory.footprint.cache == 8 * 128 * MIB
    silent = replace(REQUEST, evaluation=EvaluationSpec(samples=0))
    assert planned(silent).memory.footprint.cache == 0


def test_without_steps_there_are_as_many_tokens_as_rows_give() -> None:
    assert planned(replace(REQUEST, data=replace(DATA, max_steps=None))).tokens is None


def test_it_is_planned_for_the_device_that_is_named() -> None:
    memory = DeviceMemory("cuda", "a GPU", MIB, MIB)
    plan = planned(REQUEST, memory)
    assert plan.memory.memory is memory
    assert not plan.memory.fits


def test_a_model_that_is_not_here_is_told() -> None:
    with pytest.raises(ModelError, match="M001"):
        planned(replace(REQUEST, data=replace(DATA, model=ModelSpec("missing"))))
