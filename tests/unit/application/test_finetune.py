"""The whole story of a fine-tuning, through the container, with a fake behind every port."""

from __future__ import annotations

import errno
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from dependency_injector import providers

from cesello.application.finetune import FinetuneRequest
from cesello.application.open_run import RunChoice
from cesello.application.prepare_data import DataRequest
from cesello.application.prepare_source import RowRules
from cesello.domain.checkpoint import CheckpointPlan
from cesello.domain.errors import DataError, Interrupted, ModelError, RetryableError, SandboxError
from cesello.domain.evaluation import EvaluationSpec, GradedSpec
from cesello.domain.mixture import MixtureSpec
from cesello.domain.model_spec import LoraSpec, ModelSpec
from cesello.domain.reward import Attempt, RewardResult, infra_error
from cesello.domain.run import RunManifest, RunStatus
from cesello.domain.schedule import StepReport, TrainingPlan
from cesello.domain.source import Replay, SourceSpec
from cesello.domain.tokens import token_row
from cesello.domain.trace import SpanStatus
from cesello.domain.tracer import Tracer
from cesello.entrypoints.container import make_container
from tests.fakes.data import FakeDatasetSource
from tests.fakes.examples import FakeExampleStore, FakeNearCopies
from tests.fakes.logs import FakeMetricsLog
from tests.fakes.model import MIB, FakeDevices, FakeMemoryPredictor, FakeModelProvider
from tests.fakes.reward import FakeRewardModel
from tests.fakes.rewards import FakeRewards
from tests.fakes.run import FakeRunFolder, FakeRunStore, FakeStop, FixedClock, RecordingObserver
from tests.fakes.trace import FakeSpanSink
from tests.fakes.training import FakePolicyOptimizer, FakeTrainingState
from tests.repository import ROOT

CALLS = [
    {
        "question": [[{"role": "user", "content": f"add {number}"}]],
        "function": [{"name": "add", "parameters": {}}],
        "ground_truth": [{"add": {"a": [number]}}],
    }
    for number in range(12)
]
CHAT = [{"instruction": f"question {number}", "response": "yes"} for number in range(8)]
REQUEST = FinetuneRequest(
    name="demo",
    recipe="algorithm: sft\n",
    data=DataRequest(
        model=ModelSpec("fake"),
        sources=(SourceSpec("calls", 0.75, holdout=4), SourceSpec("chat", 0.25, holdout=2)),
        mixture=MixtureSpec(seed=5),
        plan=TrainingPlan(max_steps=6, batch_size=2, accumulate=2, learning_rate=1e-3, seed=5),
        max_steps=6,
        rules=RowRules(seed=5, system_prompt="Be brief."),
    ),
    lora=LoraSpec(),
    evaluation=EvaluationSpec(samples=1, graded=(GradedSpec("calls", "fake", 3),)),
    versions={"torch": "0"},
    machine="a machine",
)


def changed(**data: Any) -> FinetuneRequest:
    """The request with other data."""
    return replace(REQUEST, data=replace(REQUEST.data, **data))


@dataclass
class Workshop:
    """Every port's fake, and the use case that the container makes of them."""

    sources: Mapping[str, FakeDatasetSource] = field(
        default_factory=lambda: {
            "calls": FakeDatasetSource(CALLS, "calls"),
            "chat": FakeDatasetSource(CHAT, "chat"),
        }
    )
    store: FakeExampleStore = field(default_factory=FakeExampleStore)
    provider: FakeModelProvider = field(default_factory=FakeModelProvider)
    predictor: FakeMemoryPredictor = field(default_factory=FakeMemoryPredictor)
    devices: FakeDevices = field(default_factory=FakeDevices)
    optimizer: FakePolicyOptimizer = field(default_factory=FakePolicyOptimizer)
    rewards: FakeRewards = field(default_factory=FakeRewards)
    runs: FakeRunStore = field(default_factory=FakeRunStore)
    observer: RecordingObserver = field(default_factory=RecordingObserver)
    stop: FakeStop = field(default_factory=FakeStop)
    log: FakeMetricsLog = field(default_factory=FakeMetricsLog)
    sink: FakeSpanSink = field(default_factory=FakeSpanSink)

    def finetune(self, request: FinetuneRequest = REQUEST) -> RunManifest:
        container = make_container()
        fakes: dict[str, Any] = {
            "model_provider": self.provider,
            "memory_predictor": self.predictor,
            "devices": self.devices,
            "sources": self.sources,
            "example_store": self.store,
            "near_copies": FakeNearCopies(),
            "policy_optimizer": self.optimizer,
            "rewards": self.rewards,
            "run_store": self.runs,
            "metrics_log": self.log,
            "observer": self.observer,
            "stop": self.stop,
            "clock": FixedClock(),
            "tracer": Tracer(self.sink),
        }
        for name, fake in fakes.items():
            getattr(container, name).override(providers.Object(fake))
        manifest: RunManifest = container.finetune()(request)
        return manifest

    @property
    def run(self) -> FakeRunFolder:
        [run] = self.runs.runs
        return run

    @property
    def manifest(self) -> RunManifest:
        return self.run.manifests[-1]

    def in_phase(self, name: str, act: Callable[[], object]) -> None:
        """Does something when that phase begins."""

        def on_phase(phase: str) -> None:
            if phase == name:
                act()

        self.observer.on_phase = on_phase

    def after_step(self, step: int, act: Callable[[], object]) -> None:
        """Does something when that step is done and logged, and nothing after it yet."""

        def on_step(report: StepReport) -> None:
            if report.step == step:
                act()

        self.observer.on_step = on_step


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()


# The story told whole


def test_the_phases_come_in_order(workshop: Workshop) -> None:
    workshop.finetune()
    assert workshop.observer.phases == [
        ("loading the tokenizer of fake", None),
        ("reading calls", None),
        ("tokenising calls", 12),
        ("reading chat", None),
        ("tokenising chat", 8),
        ("checking the memory", None),
        ("loading fake", None),
        ("evaluating before", 4 + 2 + 3 + 1),
        ("training", 6),
        ("evaluating after", 4 + 2 + 3 + 1),
        ("saving", None),
    ]
    assert workshop.observer.done == [0, 12, 12, 8, 8, 0, 0, 10, 6, 10, 0]


def test_a_completed_run_tells_all_that_went_in_and_came_out(workshop: Workshop) -> None:
    manifest = workshop.finetune()
    assert manifest == workshop.manifest
    assert (manifest.id, manifest.name, manifest.algorithm) == ("0000-demo", "demo", "sft")
    assert (manifest.status, manifest.error) == (RunStatus.COMPLETED, None)
    assert manifest.started == manifest.finished == FixedClock().now()
    assert manifest.recipe_sha256 == sha256(b"algorithm: sft\n").hexdigest()
    assert (manifest.seed, manifest.versions, manifest.machine) == (5, {"torch": "0"}, "a machine")
    assert (manifest.steps, manifest.planned_steps, manifest.seconds) == (6, 6, 6.0)
    assert manifest.model == workshop.provider.loaded[0].facts
    assert manifest.final_loss == workshop.observer.steps[-1].loss


def test_the_manifest_proves_the_shares(workshop: Workshop) -> None:
    data = workshop.finetune().data
    assert data is not None
    calls, chat = data.sources
    assert (calls.read, calls.kept, calls.held_out) == (12, 8, 4)
    assert (calls.drawn, calls.realised, chat.drawn, chat.realised) == (18, 0.75, 6, 0.25)
    assert (data.rows_planned, data.ended_by) == (24, "max_steps")


def test_figures_are_taken_before_and_after_on_the_same_rows(workshop: Workshop) -> None:
    manifest = workshop.finetune()
    before, after = manifest.before, manifest.after
    assert before is not None
    assert after is not None
    for name in ("calls", "chat"):
        assert after.losses[name].loss < before.losses[name].loss
        assert after.losses[name].tokens == before.losses[name].tokens
    assert before.graded["calls"].rows == after.graded["calls"].rows == 3
    policy = workshop.provider.loaded[0]
    half = len(policy.asked) // 2
    assert policy.asked[:half] == policy.asked[half:]


def test_samples_are_kept_beside_the_manifest(workshop: Workshop) -> None:
    manifest = workshop.finetune()
    before, after = workshop.run.samples["before"], workshop.run.samples["after"]
    assert [one.prompt for one in before] == [one.prompt for one in after]
    assert before[0].completion != after[0].completion == after[0].expected
    assert manifest.before is not None
    assert manifest.before.samples == ()


def test_scores_of_all_graded_rows_are_kept_before_and_after_without_their_texts(workshop: Workshop) -> None:
    spec = replace(REQUEST.evaluation, every_steps=2, samples=0)
    manifest = workshop.finetune(replace(REQUEST, evaluation=spec))
    lines = workshop.run.lines("scores")
    assert [(line["when"], line["source"]) for line in lines] == [("before", "calls")] * 3 + [
        ("after", "calls")
    ] * 3
    before, after = ([line for line in lines if line["when"] == when] for when in ("before", "after"))
    assert [line["prompt"] for line in before] == [line["prompt"] for line in after]
    assert all(re.fullmatch("[0-9a-f]{64}", line["prompt"]) for line in lines)
    assert {name for line in lines for name in line} == {"when", "source", "prompt", "score", "parts"}
    assert manifest.after is not None
    assert fmean(line["score"] for line in after) == manifest.after.graded["calls"].score
    assert manifest.after.scores == ()
    assert "scores.jsonl" in manifest.files


def test_weights_and_card_are_saved_with_the_last_figures(workshop: Workshop) -> None:
    manifest = workshop.finetune()
    weights = workshop.run.weights
    assert weights is not None
    assert manifest.weights == {name: sha256(content).hexdigest() for name, content in weights.items()}
    assert set(weights) == {"README.md", "adapter_config.json", "adapter_model.safetensors", "tokenizer.json"}
    assert b"| calls: loss | 2.0000 | 0.5000 |" in weights["README.md"]


def test_a_line_of_metrics_is_written_for_every_step(workshop: Workshop) -> None:
    workshop.finetune()
    metrics = workshop.run.metrics
    assert [line["step"] for line in metrics] == [1, 2, 3, 4, 5, 6]
    keys = ["step", "loss", "perplexity", "token_accuracy", "learning_rate", "gradient_norm", "tokens"]
    assert all(list(line) == [*keys, "trained_tokens"] for line in metrics)


def test_what_differs_from_run_to_run_is_written_elsewhere(workshop: Workshop) -> None:
    workshop.finetune()
    timings = workshop.run.lines("timings")
    assert [line["step"] for line in timings] == [1, 2, 3, 4, 5, 6]
    keys = {"step", "seconds", "tokens_per_second", "roofline", "memory"}
    assert all(set(line) == keys for line in timings)
    assert timings[0]["tokens_per_second"] == workshop.run.metrics[0]["tokens"]


def test_the_manifest_says_running_until_all_is_done(workshop: Workshop) -> None:
    workshop.finetune()
    statuses = [manifest.status for manifest in workshop.run.manifests]
    assert statuses == [RunStatus.RUNNING] * (len(statuses) - 1) + [RunStatus.COMPLETED]
    assert workshop.run.closed
    assert workshop.run.recipe == REQUEST.recipe


def test_the_same_request_gives_the_same_run() -> None:
    assert Workshop().finetune() == Workshop().finetune()


def test_an_order_that_ends_shortens_the_run(workshop: Workshop) -> None:
    request = changed(mixture=MixtureSpec(max_passes=1), max_steps=None)
    manifest = workshop.finetune(request)
    assert manifest.steps == manifest.planned_steps == 3
    assert manifest.data is not None
    assert manifest.data.ended_by == "max_passes of calls"


def test_no_heavy_library_is_loaded() -> None:
    heavy = {"torch", "transformers", "peft", "lightning", "datasets", "chromadb", "numpy", "pyarrow"}
    story = (
        "import sys; from tests.unit.application.test_finetune import Workshop; Workshop().finetune(); "
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", story], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_was_prepared_is_not_prepared_again(workshop: Workshop) -> None:
    first = workshop.finetune()
    again = Workshop(store=workshop.store, runs=FakeRunStore())
    assert again.finetune().data == first.data
    assert [name for name, _ in again.observer.phases][:3] == [
        "loading the tokenizer of fake",
        "checking the memory",
        "loading fake",
    ]


# Nothing is created before model and data are known to be good


@pytest.mark.parametrize("phase", ["reading calls", "tokenising calls", "reading chat", "loading fake"])
def test_a_stop_in_the_preparation_leaves_nothing(workshop: Workshop, phase: str) -> None:
    workshop.in_phase(phase, workshop.stop.ask)
    with pytest.raises(Interrupted):
        workshop.finetune()
    assert workshop.runs.runs == []


def test_a_source_that_fails_leaves_nothing(workshop: Workshop) -> None:
    workshop.sources = {**workshop.sources, "chat": FakeDatasetSource([], "chat")}
    with pytest.raises(DataError, match="D002"):
        workshop.finetune()
    assert workshop.runs.runs == []


def test_a_model_that_fails_leaves_nothing_and_reads_nothing(workshop: Workshop) -> None:
    with pytest.raises(ModelError, match="M001"):
        workshop.finetune(changed(model=ModelSpec("missing")))
    assert workshop.observer.phases == [("loading the tokenizer of missing", None)]
    assert workshop.runs.runs == []


def test_a_mixture_without_rows_leaves_nothing(workshop: Workshop) -> None:
    greedy = changed(sources=(SourceSpec("calls", holdout=50), SourceSpec("chat", holdout=2)))
    with pytest.raises(DataError, match="D021"):
        workshop.finetune(greedy)
    assert workshop.runs.runs == []


# Whatever ends a run, its manifest says so


SIGNALS = [(2, 130), (15, 143)]


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_a_stop_in_the_first_evaluation_marks_the_run(workshop: Workshop, number: int, status: int) -> None:
    workshop.stop.signal_number = number
    workshop.in_phase("evaluating before", workshop.stop.ask)
    with pytest.raises(Interrupted) as caught:
        workshop.finetune()
    assert caught.value.status == status
    assert workshop.manifest.status is RunStatus.INTERRUPTED
    assert workshop.manifest.error == caught.value.what
    assert workshop.manifest.finished
    assert workshop.run.weights is None
    assert workshop.run.closed


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_a_stop_in_the_training_keeps_the_weights_of_the_steps_done(
    workshop: Workshop, number: int, status: int
) -> None:
    workshop.stop.signal_number = number
    workshop.after_step(1, workshop.stop.ask)
    with pytest.raises(Interrupted) as caught:
        workshop.finetune()
    manifest, weights = workshop.manifest, workshop.run.weights
    assert (caught.value.status, manifest.status) == (status, RunStatus.INTERRUPTED)
    assert (manifest.steps, manifest.planned_steps, len(workshop.run.metrics)) == (1, 6, 1)
    assert weights is not None
    assert weights["adapter_model.safetensors"] == b"5/1"
    assert set(manifest.weights) == set(weights)
    assert "stopped after step 1 of 6" in caught.value.what
    assert str(workshop.run.path) in caught.value.what
    assert caught.value.fix == "`cesello train RECIPE --resume --run 0000-demo` goes on from there"
    assert list(workshop.run.checkpoints.saved) == [1]
    assert manifest.data is not None
    assert sum(one.drawn or 0 for one in manifest.data.sources) == 4
    assert manifest.data.ended_by == {2: "SIGINT", 15: "SIGTERM"}[number]
    assert manifest.after is None


def test_a_stop_before_the_first_step_is_done_leaves_nothing_to_lose(workshop: Workshop) -> None:
    workshop.in_phase("training", workshop.stop.ask)
    with pytest.raises(Interrupted, match="stopped after step 0 of 6"):
        workshop.finetune()
    assert (workshop.manifest.steps, workshop.run.metrics, workshop.run.checkpoints.saved) == (0, [], {})


def test_a_stop_in_the_last_evaluation_keeps_the_weights_of_all_steps(workshop: Workshop) -> None:
    workshop.in_phase("evaluating after", workshop.stop.ask)
    with pytest.raises(Interrupted, match="stopped after step 6 of 6; weights: "):
        workshop.finetune()
    assert workshop.manifest.status is RunStatus.INTERRUPTED
    assert workshop.run.weights is not None
    assert set(workshop.manifest.weights) == set(workshop.run.weights)
    assert workshop.manifest.before is not None
    assert workshop.manifest.after is None


def test_a_failure_in_the_last_evaluation_keeps_the_weights_too(workshop: Workshop) -> None:
    def fail() -> None:
        raise MemoryError("too little")

    workshop.in_phase("evaluating after", fail)
    with pytest.raises(MemoryError):
        workshop.finetune()
    assert (workshop.manifest.status, workshop.manifest.error) == (
        RunStatus.FAILED,
        "MemoryError: too little",
    )
    assert workshop.run.weights is not None


def test_a_loss_that_is_not_finite_fails_the_run(workshop: Workshop) -> None:
    workshop.optimizer.bad_steps = {3}
    with pytest.raises(ModelError) as caught:
        workshop.finetune()
    assert (caught.value.code, caught.value.where) == ("M020", "step 3")
    assert caught.value.got == "loss nan, gradient norm 1"
    assert "bad-batches/step-00000003.jsonl" in str(caught.value.fix)
    assert workshop.manifest.status is RunStatus.FAILED
    assert str(workshop.manifest.error).startswith("error[M020]")
    assert [line["loss"] for line in workshop.run.metrics] == [2.0, 4 / 3, None]
    assert list(workshop.run.batches) == [3]
    assert [set(row) for row in workshop.run.batches[3]] == [{"ids", "trained"}] * 4
    assert workshop.run.weights is None


def test_of_a_step_that_learnt_from_other_rows_than_its_batch_those_are_kept(workshop: Workshop) -> None:
    workshop.optimizer.bad_steps, workshop.optimizer.learnt = {3}, [token_row([5, 6], [False, True])]
    with pytest.raises(ModelError, match="M020"):
        workshop.finetune()
    assert list(workshop.run.batches[3]) == [{"ids": [5, 6], "trained": [0, 1]}]


SKIPPING = changed(plan=replace(REQUEST.data.plan, skips_nonfinite=True))


def test_a_step_that_is_not_finite_can_be_left_out(workshop: Workshop) -> None:
    workshop.optimizer.bad_steps = {2, 3, 4}
    manifest = workshop.finetune(SKIPPING)
    assert (manifest.status, manifest.steps, manifest.skipped) == (RunStatus.COMPLETED, 6, 3)
    losses = [line["loss"] for line in workshop.run.metrics]
    assert losses == [2.0, None, None, None, 4 / 3, 1.0]
    assert [line["perplexity"] for line in workshop.run.metrics][1] is None
    assert (manifest.final_loss, workshop.provider.loaded[0].trained) == (1.0, 3)
    assert sorted(workshop.run.batches) == [2, 3, 4]
    assert [note for note in workshop.observer.notes if "was left out" in note] == [
        f"step {step} was left out: its loss or gradient is not finite "
        f"(memory/0000-demo/bad-batches/step-0000000{step}.jsonl)"
        for step in (2, 3, 4)
    ]
    assert "train/loss" not in dict(workshop.log.rows)[2]


def test_a_fourth_in_a_row_ends_the_training(workshop: Workshop) -> None:
    workshop.optimizer.bad_steps = {2, 3, 4, 5}
    with pytest.raises(ModelError, match="M020"):
        workshop.finetune(SKIPPING)
    assert len(workshop.run.metrics) == 5


def test_left_out_steps_are_counted_anew_after_a_good_one(workshop: Workshop) -> None:
    workshop.optimizer.bad_steps = {1, 2, 3, 5, 6}
    assert workshop.finetune(SKIPPING).skipped == 5


def test_every_logger_is_told_the_same_figures_under_the_same_keys(workshop: Workshop) -> None:
    workshop.finetune(replace(REQUEST, settings={"training.learning_rate": "0.001"}))
    [(logged, first)] = workshop.log.begun
    assert (logged.id, logged.name, logged.folder, logged.resumed, first) == (
        "0000-demo",
        "demo",
        workshop.run.path,
        False,
        0,
    )
    assert logged.settings == {"training.learning_rate": 0.001}
    assert workshop.log.statuses == ["completed"]
    steps = [figures for _, figures in workshop.log.rows if "train/loss" in figures]
    names = [
        "loss",
        "perplexity",
        "token_accuracy",
        "learning_rate",
        "gradient_norm",
        "tokens",
        "trained_tokens",
    ]
    for figures in steps:
        assert list(figures) == [
            *(f"train/{name}" for name in names),
            "speed/seconds",
            "speed/tokens_per_second",
        ]
    assert [step for step, _ in workshop.log.rows] == [0, 1, 2, 3, 4, 5, 6, 6]
    before, after = workshop.log.rows[0][1], workshop.log.rows[-1][1]
    assert (before["eval/loss"], after["final/loss"]) == (2.0, 0.5)
    parts = {"loss", "calls/loss", "calls/perplexity", "chat/loss", "chat/perplexity", "calls/two_words"}
    assert {f"eval/{part}" for part in parts} <= before.keys()
    assert {key.replace("eval/", "final/") for key in before} == after.keys()


def test_evaluations_on_the_way_are_told_like_the_first(workshop: Workshop) -> None:
    workshop.finetune(replace(REQUEST, evaluation=replace(REQUEST.evaluation, every_steps=2)))
    told = [(step, figures) for step, figures in workshop.log.rows if "train/loss" not in figures]
    assert [(step, "eval/loss" in figures, "final/loss" in figures) for step, figures in told] == [
        (0, True, False),
        (2, True, False),
        (4, True, False),
        (6, False, True),
    ]


def test_the_last_figures_are_told_when_all_else_is_done(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is killed while its weights are saved is evaluated again, and would tell them twice."""
    log, statuses = FakeMetricsLog.log, list[RunStatus]()

    def noticing(self: FakeMetricsLog, step: int, figures: Mapping[str, float]) -> None:
        log(self, step, figures)
        if "final/loss" in figures:
            assert workshop.run.weights is not None
            assert workshop.manifest.weights
            statuses.append(workshop.manifest.status)

    monkeypatch.setattr(FakeMetricsLog, "log", noticing)
    assert workshop.finetune().status is RunStatus.COMPLETED
    assert statuses == [RunStatus.RUNNING]


def test_logs_are_told_that_a_run_without_a_checkpoint_goes_on_from_before_its_beginning(
    workshop: Workshop,
) -> None:
    """What was told of step 0 is told again, and must not be there twice."""

    def fail() -> None:
        raise ZeroDivisionError("a bug")

    workshop.in_phase("training", fail)
    with pytest.raises(ZeroDivisionError):
        workshop.finetune()
    assert [step for step, _ in workshop.log.rows] == [0]
    again = Workshop(runs=workshop.runs, log=workshop.log)
    again.finetune(replace(REQUEST, choice=RunChoice(resume=True)))
    assert [(logged.resumed, first) for logged, first in again.log.begun] == [(False, 0), (True, -1)]
    assert [step for step, _ in again.log.rows] == [0, 1, 2, 3, 4, 5, 6, 6]


def test_logs_are_told_from_which_checkpoint_a_run_goes_on(workshop: Workshop) -> None:
    workshop.after_step(2, workshop.stop.ask)
    with pytest.raises(Interrupted):
        workshop.finetune()
    again = Workshop(runs=workshop.runs, log=workshop.log)
    again.finetune(replace(REQUEST, choice=RunChoice(resume=True)))
    assert [(logged.resumed, first) for logged, first in again.log.begun] == [(False, 0), (True, 2)]
    assert [step for step, _ in again.log.rows] == [0, 1, 2, 3, 4, 5, 6, 6]


def test_the_device_is_set_up_before_anything_is_computed(workshop: Workshop) -> None:
    prepared: list[int] = []
    workshop.in_phase("evaluating before", lambda: prepared.append(len(workshop.optimizer.prepared)))
    workshop.finetune()
    assert (prepared, workshop.optimizer.prepared) == ([1], workshop.optimizer.plans)


def test_a_training_that_a_callback_ends_says_so(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """An optimizer that does fewer steps than it was given, while nobody asked it to stop."""
    optimize = FakePolicyOptimizer.optimize

    def fewer(self: FakePolicyOptimizer, policy: Any, batches: Any, plan: Any, **options: Any) -> Any:
        return optimize(self, policy, batches[:4], plan, **options)

    with monkeypatch.context() as patch:
        patch.setattr(FakePolicyOptimizer, "optimize", fewer)
        manifest = workshop.finetune()
    assert (manifest.status, manifest.steps, manifest.planned_steps) == (RunStatus.COMPLETED, 4, 6)
    assert manifest.ended_by == "a callback"
    assert manifest.after is not None
    assert manifest.data is not None
    assert sum(one.drawn or 0 for one in manifest.data.sources) == 4 * 4
    assert Workshop().finetune().ended_by is None


def test_logs_are_told_how_a_run_ended(workshop: Workshop) -> None:
    workshop.after_step(1, workshop.stop.ask)
    with pytest.raises(Interrupted):
        workshop.finetune()
    assert workshop.log.statuses == ["interrupted"]
    failing = Workshop()
    failing.optimizer.bad_steps = {1}
    with pytest.raises(ModelError):
        failing.finetune()
    assert failing.log.statuses == ["failed"]


def test_evaluations_are_written_with_their_step(workshop: Workshop) -> None:
    manifest = workshop.finetune(replace(REQUEST, evaluation=replace(REQUEST.evaluation, every_steps=2)))
    lines = workshop.run.lines("evaluations")
    assert [line["step"] for line in lines] == [0, 2, 4, 6]
    assert [line["losses"]["chat"]["loss"] for line in lines] == [2.0, 1.0, 4 / 6, 0.5]
    assert manifest.after is not None
    assert lines[-1]["losses"]["calls"]["loss"] == manifest.after.losses["calls"].loss
    assert [line["when"] for line in lines] == ["before", "step", "step", "after"]
    assert all(list(line) == ["step", "when", "losses", "graded"] for line in lines)
    assert list(workshop.run.samples) == ["before", "step-00000002", "step-00000004", "after"]
    assert ("training", 6) in workshop.observer.phases[-4:]


def test_a_full_disk_fails_the_run_and_can_be_tried_again(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    workshop.in_phase("saving", lambda: monkeypatch.setattr(workshop.provider.loaded[0], "save", no_room))
    with pytest.raises(RetryableError) as caught:
        workshop.finetune()
    assert caught.value.exit_status == 75
    assert (workshop.manifest.status, workshop.manifest.weights) == (RunStatus.FAILED, {})
    assert workshop.run.weights is None
    assert workshop.run.closed


def test_no_room_for_checkpoints_is_told_before_anything_is_evaluated(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = workshop.runs.create

    def without_room(*arguments: Any, **options: Any) -> FakeRunFolder:
        made = create(*arguments, **options)
        made.checkpoints.free = 0
        return made

    monkeypatch.setattr(workshop.runs, "create", without_room)
    with pytest.raises(RetryableError) as caught:
        workshop.finetune()
    assert (caught.value.code, caught.value.exit_status) == ("T076", 75)
    assert workshop.observer.phases[-1] == ("loading fake", None)
    assert (workshop.manifest.status, workshop.run.closed) == (RunStatus.FAILED, True)


def test_a_full_disk_at_a_checkpoint_keeps_the_old_one(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(state: FakeTrainingState, folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    workshop.after_step(4, lambda: monkeypatch.setattr(FakeTrainingState, "save", no_room))
    with pytest.raises(RetryableError) as caught:
        workshop.finetune(replace(REQUEST, checkpoints=CheckpointPlan(every_steps=2)))
    assert (caught.value.code, caught.value.exit_status) == ("T075", 75)
    assert list(workshop.run.checkpoints.saved) == [2]
    assert workshop.manifest.status is RunStatus.FAILED
    monkeypatch.undo()
    again = Workshop(runs=workshop.runs)
    assert again.finetune(replace(REQUEST, choice=RunChoice(resume=True))).status is RunStatus.COMPLETED
    assert again.optimizer.starts == [2]


def test_a_bug_fails_the_run_and_is_not_hidden(workshop: Workshop) -> None:
    def fail() -> None:
        raise ZeroDivisionError("a bug")

    workshop.in_phase("training", fail)
    with pytest.raises(ZeroDivisionError):
        workshop.finetune()
    assert workshop.manifest.error == "ZeroDivisionError: a bug"
    assert workshop.run.closed


def test_where_not_even_the_manifest_can_be_written_the_first_failure_is_told(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(manifest: RunManifest) -> None:
        raise RetryableError("T075", "the disk is full")

    def fail() -> None:
        monkeypatch.setattr(workshop.run, "write_manifest", full)
        raise ModelError("M020", "not finite")

    workshop.in_phase("training", fail)
    with pytest.raises(ModelError, match="M020"):
        workshop.finetune()
    assert workshop.manifest.status is RunStatus.RUNNING
    assert workshop.run.closed


# Memory


def test_what_does_not_fit_is_refused_before_it_is_loaded(workshop: Workshop) -> None:
    workshop.devices = FakeDevices(free=100 * MIB)
    with pytest.raises(ModelError) as caught:
        workshop.finetune()
    assert (caught.value.code, caught.value.exit_status) == ("M006", 4)
    assert not workshop.provider.loaded
    assert not workshop.runs.runs


def test_the_check_can_be_left_out(workshop: Workshop) -> None:
    workshop.devices = FakeDevices(free=100 * MIB)
    manifest = workshop.finetune(replace(REQUEST, checks_memory=False))
    assert manifest.status is RunStatus.COMPLETED
    assert manifest.footprint is None
    assert not workshop.predictor.asked


def test_the_memory_is_that_of_the_largest_forward_pass_drawn(workshop: Workshop) -> None:
    manifest = workshop.finetune()
    assert len(set(workshop.predictor.asked)) == 1
    work = workshop.predictor.asked[0]
    assert len(work.rows) == 2
    assert work.accumulates
    assert not work.padded
    assert work.tokens < 2 * RowRules().max_tokens, "rows as they are, not as long as they might be"
    assert manifest.footprint is not None
    assert manifest.footprint.activations == work.tokens * MIB


def test_labels_count_as_much_as_they_take(workshop: Workshop) -> None:
    """A short row of which all is trained can take more than a long one with a short answer."""
    workshop.predictor.per_label = 50 * MIB
    long = [{"instruction": f"{number} " + "word " * 40, "response": "yes"} for number in range(8)]
    short = [{"instruction": f"{number}", "response": "word " * 20} for number in range(8)]
    workshop.sources = {"calls": FakeDatasetSource(long, "calls"), "chat": FakeDatasetSource(short, "chat")}
    single = replace(REQUEST.data.plan, batch_size=1, accumulate=1, max_steps=12)
    request = replace(changed(plan=single, max_steps=12), evaluation=EvaluationSpec(samples=0))
    manifest = workshop.finetune(request)
    longest, heaviest = dict.fromkeys(workshop.predictor.asked)
    assert longest.tokens > heaviest.tokens
    assert longest.labels < heaviest.labels
    assert manifest.footprint is not None
    assert manifest.footprint.logits == heaviest.labels * 50 * MIB


def test_a_model_that_has_answered_prompts_is_checked_again_with_what_came_of_it(workshop: Workshop) -> None:
    prompts = FakeDatasetSource([{"prompt": f"question {n}"} for n in range(8)], "chat")
    workshop.sources = {"chat": prompts}
    replayed = SourceSpec("chat", holdout=0, replay=Replay(max_new_tokens=64, temperature=0.0))
    request = replace(changed(sources=(replayed,)), evaluation=EvaluationSpec(samples=0))
    manifest = workshop.finetune(request)
    first, *others = workshop.predictor.asked
    assert first.tokens == 2
    assert max(work.tokens for work in others) > 2
    assert manifest.footprint is not None
    assert manifest.footprint.activations > 2 * MIB


def test_a_model_that_answers_prompts_is_checked_before_that(workshop: Workshop) -> None:
    workshop.sources = {"chat": FakeDatasetSource([{"prompt": f"question {n}"} for n in range(8)], "chat")}
    workshop.devices = FakeDevices(free=100 * MIB)
    replayed = SourceSpec("chat", replay=Replay(max_new_tokens=4, temperature=0.0))
    with pytest.raises(ModelError, match="M006"):
        workshop.finetune(replace(changed(sources=(replayed,)), evaluation=EvaluationSpec(samples=0)))
    assert not workshop.provider.loaded


@pytest.mark.parametrize(("free", "tight"), [(600 * MIB, True), (4000 * MIB, False), (None, False)])
def test_where_memory_is_tight_the_plan_says_so(workshop: Workshop, free: int | None, tight: bool) -> None:
    workshop.devices = FakeDevices(free)
    workshop.finetune(replace(REQUEST, evaluation=EvaluationSpec(samples=0)))
    assert [plan.tight_memory for plan in workshop.optimizer.plans] == [tight]


# What judges answers


def test_what_judges_is_checked_before_anything_is_read_and_closed_in_the_end(workshop: Workshop) -> None:
    workshop.finetune()
    assert workshop.rewards.checked == ["fake"]
    assert workshop.rewards.closed == 1


def test_a_reward_that_cannot_judge_here_ends_it_before_anything_is_read(workshop: Workshop) -> None:
    workshop.rewards = FakeRewards(refusing=SandboxError("X001", "nothing holds programs here"))
    with pytest.raises(SandboxError, match="X001"):
        workshop.finetune()
    assert not workshop.provider.loaded
    assert not workshop.observer.phases
    assert not workshop.runs.runs
    assert workshop.rewards.closed == 1


def test_a_run_that_grades_nothing_asks_no_reward(workshop: Workshop) -> None:
    workshop.finetune(replace(REQUEST, evaluation=EvaluationSpec(samples=0)))
    assert workshop.rewards.checked == []


class NeverJudges(FakeRewardModel):
    """Its grader is dead."""

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        return [infra_error("sandbox_died") for _ in attempts]


def test_a_grader_that_fails_ends_the_run_as_failed(workshop: Workshop) -> None:
    workshop.rewards = FakeRewards(NeverJudges())
    with pytest.raises(SandboxError, match="X010"):
        workshop.finetune()
    assert workshop.manifest.status is RunStatus.FAILED
    assert "sandbox_died (3)" in str(workshop.manifest.error)
    assert workshop.rewards.closed == 1


class JudgesOnce(FakeRewardModel):
    """One answer of every call cannot be judged."""

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        return [infra_error("hung"), *super().score(attempts)[1:]]


def test_failures_are_counted_over_the_whole_run(workshop: Workshop) -> None:
    """One before and one after are two of six, though one alone is let pass."""
    workshop.rewards = FakeRewards(JudgesOnce())
    with pytest.raises(SandboxError, match=r"X010.*2 of 6"):
        workshop.finetune()
    assert workshop.manifest.before is not None
    assert workshop.manifest.before.graded["calls"].infra_errors == 1
    assert workshop.manifest.weights, "what was trained is kept"


# What is traced


def test_a_run_tells_what_it_does_also_before_it_has_an_id(workshop: Workshop) -> None:
    workshop.finetune()
    sink = workshop.sink
    assert {one.run for one in sink.spans} == {workshop.run.id}
    [root] = sink.named("train")
    assert root.attributes == {"gen_ai.request.model": "fake"}
    above = {one.name: sink.above(one) for one in sink.spans}
    for name in ("prepare data", "load model", "evaluate", "take steps", "save weights"):
        assert above[name] == root, name
    assert [one.attributes["cesello.when"] for one in sink.named("evaluate")] == ["before", "after"]
    assert [one.attributes["cesello.step"] for one in sink.named("save checkpoint")] == [6]
    assert sink.closed == 1
    assert not sink.forgotten


def test_a_run_that_fails_before_it_has_a_folder_is_not_traced(workshop: Workshop) -> None:
    workshop.rewards = FakeRewards(refusing=SandboxError("X001", "nothing holds programs here"))
    with pytest.raises(SandboxError):
        workshop.finetune()
    assert not workshop.sink.spans
    assert workshop.sink.closed == 1


def test_a_run_that_fails_says_where(workshop: Workshop) -> None:
    workshop.rewards = FakeRewards(NeverJudges())
    with pytest.raises(SandboxError, match="X010"):
        workshop.finetune()
    failed = [one for one in workshop.sink.spans if one.status is SpanStatus.ERROR]
    assert [one.name for one in failed] == ["evaluate", "train"]
    assert failed[0].message.startswith("SandboxError: error[X010]")


def test_a_run_that_is_begun_anew_is_traced_anew(workshop: Workshop) -> None:
    workshop.finetune(replace(REQUEST, choice=RunChoice(run="mine", overwrite=True)))
    assert workshop.sink.forgotten == ["mine"]
