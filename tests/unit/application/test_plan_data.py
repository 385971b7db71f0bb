"""What a training would draw, without training."""

from __future__ import annotations

from dataclasses import replace

from cesello.application.drop_copies import DropCopies
from cesello.application.plan_data import DataPlan, PlanData
from cesello.application.prepare_data import DataRequest, PrepareData
from cesello.application.prepare_source import PrepareSource
from cesello.domain.mixture import MixtureSpec
from cesello.domain.model_spec import LoraSpec, ModelSpec
from cesello.domain.schedule import TrainingPlan
from cesello.domain.source import Replay, SourceSpec
from tests.fakes.data import FakeDatasetSource
from tests.fakes.examples import FakeExampleStore, FakeNearCopies
from tests.fakes.model import FakeModelProvider
from tests.fakes.run import FakeStop, RecordingObserver

REQUEST = DataRequest(
    model=ModelSpec("fake"),
    sources=(SourceSpec("a", holdout=2), SourceSpec("own", holdout=0, replay=Replay(16))),
    mixture=MixtureSpec(),
    plan=TrainingPlan(max_steps=4, batch_size=2),
    max_steps=4,
)
DATASETS = {
    "a": FakeDatasetSource([{"prompt": f"a {n}", "completion": "yes"} for n in range(8)], "a"),
    "own": FakeDatasetSource([{"prompt": f"own {n}"} for n in range(6)], "own"),
}


def planned(request: DataRequest, provider: FakeModelProvider, observer: RecordingObserver) -> DataPlan:
    source = PrepareSource(FakeExampleStore(), observer, FakeStop())
    drop_copies = DropCopies(FakeNearCopies(), observer, FakeStop())
    prepare = PrepareData(provider, DATASETS, source, drop_copies, observer)
    return PlanData(provider, prepare, observer)(request, LoraSpec())


def test_the_mixture_is_counted_as_if_every_step_were_done() -> None:
    provider = FakeModelProvider()
    plan = planned(replace(REQUEST, sources=REQUEST.sources[:1]), provider, RecordingObserver())
    [source] = plan.mixture.sources
    assert (plan.plan.max_steps, plan.mixture.rows_planned, plan.mixture.ended_by) == (4, 8, "max_steps")
    assert (source.kept, source.held_out, source.drawn, source.realised) == (6, 2, 8, 1.0)
    assert source.passes == 8 / 6
    assert provider.loaded == []


def test_the_model_is_loaded_once_where_it_answers_and_that_is_said() -> None:
    provider, observer = FakeModelProvider(), RecordingObserver()
    plan = planned(REQUEST, provider, observer)
    assert [source.drawn for source in plan.mixture.sources] == [4, 4]
    assert len(provider.loaded) == 1
    assert observer.notes == ["the model is loaded, because it answers the prompts of own"]
