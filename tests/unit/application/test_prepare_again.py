"""Preparing the data of a run anew, without loading a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from cesello.application.drop_copies import DropCopies
from cesello.application.improve_prompt import tasks_digest
from cesello.application.prepare_again import PrepareAgain, VerifyRunRequest
from cesello.application.prepare_data import DataRequest, PrepareData
from cesello.application.prepare_source import PrepareSource
from cesello.application.prepare_sources import PrepareSources
from cesello.application.prepare_tasks import PrepareTasks, TaskLimits
from cesello.domain.mixture import MixtureSpec
from cesello.domain.model_spec import LoraSpec, ModelSpec
from cesello.domain.run import RunStatus, RunSummary
from cesello.domain.run_verification import Check, Part
from cesello.domain.schedule import TrainingPlan
from cesello.domain.source import Replay, SourceSpec
from tests.fakes.data import FakeDatasetSource
from tests.fakes.examples import FakeExampleStore, FakeNearCopies
from tests.fakes.model import FakeModelProvider
from tests.fakes.run import FakeStop, RecordingObserver

DATA = DataRequest(
    model=ModelSpec("fake"),
    sources=(SourceSpec("a", holdout=2), SourceSpec("b", holdout=2)),
    mixture=MixtureSpec(),
    plan=TrainingPlan(max_steps=4, batch_size=3),
    max_steps=4,
)
LIMITS = TaskLimits(4, 2, 2)


def rows(word: str) -> list[Mapping[str, Any]]:
    return [{"instruction": f"{word} {number}", "response": "yes"} for number in range(8)]


@dataclass
class Workshop:
    """The use case with a fake behind every port."""

    datasets: dict[str, FakeDatasetSource] = field(
        default_factory=lambda: {name: FakeDatasetSource(rows(name), name) for name in ("a", "b")}
    )
    provider: FakeModelProvider = field(default_factory=FakeModelProvider)
    store: FakeExampleStore = field(default_factory=FakeExampleStore)

    def _parts(self) -> tuple[PrepareSource, DropCopies, RecordingObserver]:
        observer = RecordingObserver()
        prepare = PrepareSource(self.store, observer, FakeStop())
        return prepare, DropCopies(FakeNearCopies(), observer, FakeStop()), observer

    def data(self) -> PrepareData:
        return PrepareData(self.provider, self.datasets, *self._parts())

    def tasks(self) -> PrepareTasks:
        return PrepareTasks(PrepareSources(self.provider, self.datasets, *self._parts()))

    def again(self) -> PrepareAgain:
        return PrepareAgain(self.provider, self.data(), self.tasks())

    def run(self, data: DataRequest = DATA) -> RunSummary:
        """As a training of that data leaves it."""
        load = lambda: self.provider.load(ModelSpec("fake"), LoraSpec(), seed=0)  # noqa: E731
        mixed = self.data()(data, load).mixed.manifest
        self.provider.loaded.clear()
        identity = {"data": mixed.digest, "tokenizer": "words", "chat template": "fake"}
        manifest = {"data": json.loads(json.dumps(asdict(mixed))), "identity": identity}
        return RunSummary("1", "a", RunStatus.COMPLETED, "now", "fake", 4, 4, "runs/1", manifest)


def check(workshop: Workshop, run: RunSummary, data: DataRequest = DATA, **more: Any) -> Check:
    return workshop.again().data(VerifyRunRequest(run, data, **more), [])


def test_the_same_rows_are_whole_and_no_weights_are_loaded() -> None:
    workshop = Workshop()
    found = check(workshop, workshop.run())
    assert (found.state, found.said) == ("whole", "12 rows of 2 sources as they were")
    assert workshop.provider.loaded == []


def test_another_right_answer_alone_is_another_row() -> None:
    spec = SourceSpec("a", holdout=2, reference={"answer": "right"})
    data = replace(DATA, sources=(spec, SourceSpec("b", holdout=2)))
    then = Workshop()
    then.datasets["a"] = FakeDatasetSource([{**row, "right": "4"} for row in rows("a")], "a")
    now = Workshop()
    now.datasets["a"] = FakeDatasetSource(
        [{**row, "right": "5" if at == 3 else "4"} for at, row in enumerate(rows("a"))], "a"
    )
    run = then.run(data)
    assert check(then, run, data).state == "whole"
    found = check(now, run, data)
    assert 'source "a": its rows are others' in found.changes
    assert now.run(data).manifest["identity"]["data"] != run.manifest["identity"]["data"]  # so of a resume


def test_another_row_names_its_source() -> None:
    run = Workshop().run()
    other = Workshop()
    other.datasets["b"] = FakeDatasetSource([*rows("b")[:-1], {"instruction": "x", "response": "no"}], "b")
    assert check(other, run).changes == ('source "b": its rows are others',)


def test_other_rows_by_another_version_say_nothing() -> None:
    run = Workshop().run()
    older = replace(run, manifest={**run.manifest, "identity": {"library cesello": "0.1"}})
    other = Workshop()
    other.datasets["b"] = FakeDatasetSource([*rows("b")[:-1], {"instruction": "x", "response": "no"}], "b")
    found = check(other, older, now={"library cesello": "0.2"})
    assert (found.state, found.unchecked) == (
        "not checked",
        'source "b": its rows are others, but another version made them (cesello: 0.1 then, 0.2 now)',
    )
    assert check(other, older, now={"library cesello": "0.1"}).state == "changed"
    assert check(Workshop(), older, now={"library cesello": "0.2"}).state == "whole"


def test_another_seed_is_another_order() -> None:
    workshop = Workshop()
    run = workshop.run()
    other = replace(DATA, mixture=replace(DATA.mixture, seed=1))
    assert check(workshop, run, other).changes == ("the same rows come in another order",)


def test_a_source_that_is_elsewhere_says_nothing() -> None:
    run = Workshop().run()
    gone = Workshop()
    gone.datasets["b"] = FakeDatasetSource(None, "b")
    found = check(gone, run)
    assert (found.state, found.unchecked) == ("not checked", 'a source does not exist at source "b"')


def test_a_source_that_can_be_read_no_more_has_changed() -> None:
    run = Workshop().run()
    broken = Workshop()
    broken.datasets["b"] = FakeDatasetSource([*rows("b")[:-1], {"instruction": 7}], "b")
    [told] = check(broken, run).changes
    assert told.startswith("it can be prepared no more: ")
    assert "b:8" in told


def test_rows_that_the_model_answers_are_looked_at_where_its_answers_are_kept() -> None:
    own = SourceSpec("own", holdout=0, replay=Replay(16))
    data = replace(DATA, sources=(own, *DATA.sources))
    workshop = Workshop()
    workshop.datasets["own"] = FakeDatasetSource([{"prompt": f"tell {n}"} for n in range(6)], "own")
    run = workshop.run(data)
    assert check(workshop, run, data).state == "whole"
    assert check(replace(workshop, store=FakeExampleStore()), run, data).state == "not checked"
    assert workshop.provider.loaded == []


def test_the_tasks_of_a_search_are_compared() -> None:
    workshop = Workshop()
    run = workshop.run()
    data = replace(DATA, rules=replace(DATA.rules, asks=True))
    digest = tasks_digest(workshop.tasks()(data, LIMITS))
    searched = replace(run, manifest={"identity": {"data": digest}})
    assert check(workshop, searched, data, limits=LIMITS).said == "8 tasks as they were"
    fewer = TaskLimits(3, 2, 2)
    assert check(workshop, searched, data, limits=fewer).changes == ("the tasks are others",)


def test_rows_that_follow_from_what_has_changed_are_not_looked_at() -> None:
    workshop = Workshop()
    found = workshop.again().data(VerifyRunRequest(workshop.run(), DATA), [Part.LOGS, Part.MEMORY])
    assert found.unchecked == "rows follow from what has changed: memory"


def test_another_tokenizer_is_named() -> None:
    workshop = Workshop()
    run = workshop.run()
    assert not workshop.again().base(VerifyRunRequest(run, DATA)).changes
    other = replace(run, manifest={"identity": {"tokenizer": "syllables", "chat template": "fake"}})
    assert workshop.again().base(VerifyRunRequest(other, DATA)).changes == ("the tokenizer is another",)
