"""A prompt search from rows to a run's folder, through the container, with a fake behind every port."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from dependency_injector import providers

from cesello.application.improve_prompt import Answering, Improved, ImproveRequest
from cesello.application.open_run import RunChoice
from cesello.application.prepare_data import DataRequest
from cesello.application.prepare_source import RowRules
from cesello.application.prepare_tasks import PrepareTasks, TaskLimits, task_of
from cesello.domain.conversation import Conversation
from cesello.domain.errors import CeselloError, DataError, Interrupted, RetryableError, UsageError
from cesello.domain.generation import Completion, Sampling
from cesello.domain.halving import TaskParts
from cesello.domain.mixture import MixtureSpec
from cesello.domain.model_spec import LoraSpec, ModelSpec
from cesello.domain.prompt_gate import plainly_asked
from cesello.domain.prompt_program import PromptProgram
from cesello.domain.prompt_search import Budget
from cesello.domain.run import RunManifest, RunStatus
from cesello.domain.schedule import TrainingPlan
from cesello.domain.source import SourceSpec
from cesello.domain.tracer import Tracer
from cesello.entrypoints.container import Container, make_container
from tests.fakes.data import FakeDatasetSource
from tests.fakes.examples import FakeExampleStore, FakeNearCopies
from tests.fakes.model import FakeModelProvider
from tests.fakes.prompt import ClauseProposer, ClauseWorld, FakeLedger, RightOrWrong
from tests.fakes.run import FakeRunFolder, FakeRunStore, FakeStop, FixedClock, RecordingObserver
from tests.fakes.trace import FakeSpanSink


def rows(name: str, count: int) -> list[Mapping[str, Any]]:
    return [{"instruction": f"{name} {number}", "response": f"answer {number}"} for number in range(count)]


REQUEST = ImproveRequest(
    name="demo",
    recipe="algorithm: apo\n",
    data=DataRequest(
        model=ModelSpec("fake"),
        sources=(
            SourceSpec("one", holdout=20),
            SourceSpec("two", holdout=20),
            SourceSpec("tested", 0.0, holdout=9),
        ),
        mixture=MixtureSpec(seed=5),
        plan=TrainingPlan(0, seed=5),
        max_steps=None,
        rules=RowRules(seed=5, system_prompt="Answer.", asks=True),
    ),
    lora=LoraSpec(),
    limits=TaskLimits(60, 36, 49),
    seed=PromptProgram("Answer."),
    editable=("system",),
    budget=Budget(400, optimizer_calls=40),
    reward="blend",
    settings={"seed": "5"},
)


class OneReward:
    """The reward under every name.

    Attributes:
        closed: how often its processes were ended.
    """

    def __init__(self) -> None:
        self.closed = 0

    def __getitem__(self, name: str) -> RightOrWrong:
        return RightOrWrong()

    def check(self, names: Any) -> None:
        """It can judge."""

    def close(self) -> None:
        self.closed += 1


@dataclass
class Workshop:
    """Every port's fake, and the use cases that the container makes of them.

    Attributes:
        failure: of the model, after so many prompts.
    """

    world: ClauseWorld = field(default_factory=lambda: ClauseWorld(3, (0.3, 0.2, -0.2, 0.1)))
    ledger: FakeLedger = field(default_factory=FakeLedger)
    runs: FakeRunStore = field(default_factory=FakeRunStore)
    observer: RecordingObserver = field(default_factory=RecordingObserver)
    stop: FakeStop = field(default_factory=FakeStop)
    sink: FakeSpanSink = field(default_factory=FakeSpanSink)
    rewards: OneReward = field(default_factory=OneReward)
    failure: tuple[int, CeselloError] | None = None
    engines: list[str] = field(default_factory=list)

    def generate(self, prompts: Sequence[Conversation], sampling: Sampling) -> list[Completion]:
        if self.failure and len(self.world.calls) >= self.failure[0]:
            raise self.failure[1]
        return self.world.generate(prompts, sampling)

    def container(self) -> Container:
        container = make_container()
        fakes: dict[str, Any] = {
            "model_provider": FakeModelProvider(),
            "sources": {
                name: FakeDatasetSource(rows(name, count), name)
                for name, count in (("one", 90), ("two", 70), ("tested", 12))
            },
            "example_store": FakeExampleStore(),
            "near_copies": FakeNearCopies(),
            "rewards": self.rewards,
            "run_store": self.runs,
            "observer": self.observer,
            "stop": self.stop,
            "clock": FixedClock(),
            "tracer": Tracer(self.sink),
        }
        for name, fake in fakes.items():
            getattr(container, name).override(providers.Object(fake))
        return container

    def improve(self, request: ImproveRequest = REQUEST) -> Improved:
        answering = Answering(self, {"base model": "fake"}, None, [ClauseProposer(4)])

        def ledger(file: Path, engine: str) -> FakeLedger:
            self.engines.append(engine)
            assert file.name == "ledger.sqlite3"
            return self.ledger

        container = self.container()
        container.answering.override(providers.Object(lambda *_: answering))
        container.evaluation_ledger.override(providers.Object(ledger))
        improved: Improved = container.improve_prompt()(request)
        return improved

    @property
    def run(self) -> FakeRunFolder:
        [run] = self.runs.runs
        return run

    @property
    def manifest(self) -> RunManifest:
        return self.run.manifests[-1]


def test_a_search_ends_with_a_report_a_prompt_and_a_manifest() -> None:
    workshop = Workshop()
    improved = workshop.improve()
    assert improved.report.verdict.ships
    assert "Clause 0." in improved.report.winner.system
    report = json.loads(workshop.run.texts["search.json"])
    assert report["winner"]["system"] == improved.report.winner.system
    assert report["tasks"] == {"search": 60, "selection": 36, "test": 49}
    assert improved.report.winner.id in workshop.run.texts["prompt.yaml"]
    manifest = workshop.manifest
    assert (manifest.status, manifest.algorithm) == (RunStatus.COMPLETED, "apo")
    assert manifest.steps == manifest.search["spent"]["rollouts"] == len(workshop.ledger.known) <= 400
    assert manifest.planned_steps == 400
    assert manifest.search["verdict"] == improved.report.verdict.value
    assert manifest.search["gain"] > 0
    assert workshop.ledger.closed
    assert workshop.run.closed
    assert workshop.rewards.closed == 1


def test_where_nothing_helps_the_file_holds_the_first_prompt_and_says_so() -> None:
    workshop = Workshop(world=ClauseWorld(3, (-0.3, -0.3, -0.3, -0.3)))
    improved = workshop.improve()
    assert improved.report.winner == REQUEST.seed
    assert "verdict: keep yours" in workshop.run.texts["prompt.yaml"]
    assert f"version: {REQUEST.seed.id}" in workshop.run.texts["prompt.yaml"]


def test_a_failure_is_written_down_and_the_next_start_repeats_no_call() -> None:
    whole = Workshop()
    expected = whole.improve().report
    workshop = Workshop(failure=(200, RetryableError("T090", "no answer")))
    with pytest.raises(RetryableError):
        workshop.improve()
    assert workshop.manifest.status is RunStatus.FAILED
    assert "no answer" in (workshop.manifest.error or "")
    assert workshop.manifest.steps == len(workshop.ledger.known) > 0
    workshop.failure = None
    improved = workshop.improve(replace(REQUEST, choice=RunChoice(resume=True)))
    assert improved.report.winner == expected.winner
    assert improved.report.test == expected.test
    assert len(workshop.world.calls) == len(whole.world.calls)
    assert len(set(workshop.engines)) == 1


def test_a_signal_keeps_everything_and_says_how_to_go_on() -> None:
    workshop = Workshop(failure=(100, Interrupted(2, "stopped by SIGINT")))
    with pytest.raises(Interrupted) as stopped:
        workshop.improve()
    assert workshop.manifest.status is RunStatus.INTERRUPTED
    assert "--resume --run" in str(stopped.value)
    assert workshop.ledger.closed


def test_what_decides_an_answer_is_part_of_the_engine() -> None:
    workshop = Workshop()
    workshop.improve()
    for change in (
        replace(REQUEST, sampling=Sampling(max_new_tokens=7)),
        replace(REQUEST, grading={"rewards[0].kind": '"length"'}),
        replace(REQUEST, batch=5),
        replace(REQUEST, versions={"torch": "9"}),
    ):
        workshop.ledger = FakeLedger()
        workshop.improve(change)
    workshop.ledger = FakeLedger()
    workshop.improve(replace(REQUEST, budget=Budget(300)))
    assert len(set(workshop.engines)) == 5
    assert workshop.engines[0] == workshop.engines[5]


def test_a_server_is_asked_no_more_at_a_time_than_it_answers_and_the_optimizer_is_known_by_its_identity() -> (
    None
):
    search = REQUEST.search(parts(TaskLimits(9, 9, 9)))
    local = Answering(Workshop(), {}, None, [])
    assert local.search(search).batch == search.batch == 8
    assert replace(local, together=3).search(search).batch == 3
    models = [replace(local, thinking={"proposals of": one}).search(search).model for one in "aba"]
    assert models[0] == models[2] != models[1]


def test_a_budget_that_is_too_small_is_told_before_a_row_is_read() -> None:
    workshop = Workshop()
    with pytest.raises(UsageError) as refused:
        workshop.improve(replace(REQUEST, budget=Budget(30)))
    assert refused.value.code == "C120"
    assert workshop.runs.runs == []
    assert workshop.observer.phases == []


def parts(limits: TaskLimits, **changes: Any) -> TaskParts:
    prepare: PrepareTasks = Workshop().container().prepare_tasks()
    return prepare(replace(REQUEST.data, **changes), limits)


class TestTasks:
    def test_parts_share_no_task_and_test_alone_is_held_out(self) -> None:
        made = parts(TaskLimits(1_000, 1_000, 1_000))
        ids = [{task.id for task in part} for part in (made.search, made.selection, made.test)]
        assert not ids[0] & ids[1]
        assert not (ids[0] | ids[1]) & ids[2]
        asked = [task.conversation.messages[0].content.split()[0] for task in made.test]
        assert {name: asked.count(name) for name in set(asked)} == {"one": 20, "two": 20, "tested": 9}
        assert len(ids[0]) + len(ids[1]) == 70 + 50
        assert all("tested" not in task.conversation.messages[0].content for task in made.search)

    def test_a_question_stands_in_one_part_alone_whatever_its_answers(self) -> None:
        def row(question: str, answer: str) -> Mapping[str, Any]:
            return {"instruction": question, "response": answer}

        twice = [row(f"What is {n}?", "one") for n in range(90)]
        twice += [row(f"what  IS {n}?", "two") for n in range(90)]
        container = Workshop().container()
        container.sources.override(providers.Object({"one": FakeDatasetSource(twice, "one")}))
        prepare: PrepareTasks = container.prepare_tasks()
        data = replace(REQUEST.data, sources=(SourceSpec("one", holdout=40),))
        made = prepare(data, TaskLimits(1_000, 1_000, 5))
        everything = prepare(data, TaskLimits(1_000, 1_000, 1_000))
        held = {plainly_asked(task.conversation) for task in everything.test}
        others = [plainly_asked(task.conversation) for task in (*made.search, *made.selection)]
        assert len(made.test) == 5
        assert len(everything.test) == 40
        assert len(set(others)) == len(others) == 90 - len(held)
        assert not held & set(others)

    def test_five_of_eight_are_searched_on(self) -> None:
        made = parts(TaskLimits(1_000, 1_000, 1_000))
        assert (len(made.search), len(made.selection)) == (75, 45)

    def test_limits_are_kept_to_by_a_part_of_each_source(self) -> None:
        made = parts(TaskLimits(10, 3, 6))
        assert (len(made.search), len(made.selection), len(made.test)) == (10, 3, 6)
        assert {task.conversation.messages[0].content.split()[0] for task in made.search} == {"one", "two"}

    def test_the_same_request_gives_the_same_and_another_seed_others(self) -> None:
        limits = TaskLimits(10, 3, 6)
        assert parts(limits) == parts(limits)
        other = parts(limits, rules=replace(REQUEST.data.rules, seed=6))
        assert {task.id for task in other.test} != {task.id for task in parts(limits).test}

    def test_a_task_is_asked_without_the_recipes_system_prompt_and_knows_its_answer(self) -> None:
        [task, *_] = parts(TaskLimits(1, 1, 1)).search
        assert [turn.content.split()[0] for turn in task.conversation.messages] == ["one"]
        number = task.conversation.messages[0].content.split()[1]
        assert task.answer == f"answer {number}"

    def test_a_row_keeps_a_system_prompt_of_its_own(self) -> None:
        row = Conversation(()).with_system("x")
        row = replace(REQUEST.seed.around(row))
        assert task_of(row, "other").conversation.messages == row.messages

    def test_a_source_without_rows_is_told(self) -> None:
        with pytest.raises(DataError):
            parts(TaskLimits(1, 1, 1), sources=(SourceSpec("one", max_characters=1),))


def test_a_search_tells_what_it_asks_and_what_came_of_it() -> None:
    workshop = Workshop()
    workshop.improve()
    sink = workshop.sink
    [root] = sink.named("search prompt")
    assert {one.run for one in sink.spans} == {workshop.run.id}
    for name in ("prepare data", "load model", "chat", "score", "propose prompts"):
        assert {sink.above(one) and one.parent_id for one in sink.named(name)} == {root.span_id}, name
    told = [event.attributes for one in sink.named("score") for event in one.events]
    assert len(told) == workshop.manifest.steps
    assert {one["gen_ai.evaluation.score.value"] for one in told} <= {0.0, 1.0}
    tokens = sum(int(str(one.attributes["gen_ai.usage.output_tokens"])) for one in sink.named("chat"))
    assert tokens == sum(trial.tokens for trial in workshop.ledger.known.values())
    assert sink.closed == 1
