"""All sources of a recipe, in one order of steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from cesello.application.drop_copies import Copies, CopyRules, DropCopies
from cesello.application.prepare_data import DataRequest, PrepareData, PreparedData
from cesello.application.prepare_source import PrepareSource
from cesello.domain.errors import DataError
from cesello.domain.mixture import MixtureSpec
from cesello.domain.model_spec import LoraSpec, ModelSpec
from cesello.domain.ports.model import Policy
from cesello.domain.schedule import TrainingPlan
from cesello.domain.source import Replay, SourceSpec
from tests.fakes.data import FakeDatasetSource
from tests.fakes.examples import FakeExampleStore, FakeNearCopies
from tests.fakes.model import FakeModelProvider
from tests.fakes.run import FakeStop, RecordingObserver


def rows(word: str, count: int) -> list[Mapping[str, Any]]:
    return [{"instruction": f"{word} {number}", "response": "yes"} for number in range(count)]


REQUEST = DataRequest(
    model=ModelSpec("fake"),
    sources=(SourceSpec("own", holdout=0), SourceSpec("a", holdout=2), SourceSpec("b", holdout=2)),
    mixture=MixtureSpec(),
    plan=TrainingPlan(max_steps=4, batch_size=3),
    max_steps=4,
)


@dataclass
class Workshop:
    """The use case with a fake behind every port."""

    datasets: dict[str, FakeDatasetSource] = field(
        default_factory=lambda: {
            "own": FakeDatasetSource([{"prompt": f"tell {number}"} for number in range(6)], "own"),
            "a": FakeDatasetSource(rows("a", 8), "a"),
            "b": FakeDatasetSource([*rows("b", 8), *rows("a", 3)], "b"),
        }
    )
    provider: FakeModelProvider = field(default_factory=FakeModelProvider)
    store: FakeExampleStore = field(default_factory=FakeExampleStore)
    observer: RecordingObserver = field(default_factory=RecordingObserver)

    def prepare(self, request: DataRequest) -> PreparedData:
        return self.use_case()(request, self.load)

    def use_case(self) -> PrepareData:
        prepare = PrepareSource(self.store, self.observer, FakeStop())
        drop_copies = DropCopies(FakeNearCopies(), self.observer, FakeStop())
        return PrepareData(self.provider, self.datasets, prepare, drop_copies, self.observer)

    def load(self) -> Policy:
        return self.provider.load(ModelSpec("fake"), LoraSpec(), seed=0)


def replayed(request: DataRequest) -> DataRequest:
    own = replace(request.sources[0], replay=Replay(16))
    return replace(request, sources=(own, *request.sources[1:]))


def without_own(request: DataRequest) -> DataRequest:
    return replace(request, sources=request.sources[1:])


def test_no_weights_are_loaded_where_no_source_needs_them() -> None:
    workshop = Workshop()
    data = workshop.prepare(without_own(REQUEST))
    assert [one.spec.name for one in data.sources] == ["a", "b"]
    assert workshop.provider.loaded == []
    assert len(data.mixed.batches) == 4


def test_copies_across_sources_are_left_out_as_the_request_says() -> None:
    kept = Workshop().prepare(without_own(replace(REQUEST, copies=CopyRules(Copies.NONE)))).sources[1]
    left = Workshop().prepare(without_own(REQUEST)).sources[1]
    assert len(kept.train) > len(left.train)
    assert len(left.train) + len(left.held) + sum(left.dropped.values()) == left.read == 11


def test_a_replayed_source_is_answered_last_and_without_the_lora_weights() -> None:
    workshop = Workshop()
    data = workshop.prepare(replayed(REQUEST))
    assert [one.spec.name for one in data.sources] == ["own", "a", "b"]
    phases = [name for name, _ in workshop.observer.phases]
    assert phases.index("tokenising b") < phases.index("answering own")
    [policy] = workshop.provider.loaded
    assert len(policy.asked) == 6
    assert not any(lora for _, lora in policy.asked)


def test_answers_are_kept_for_the_next_time() -> None:
    workshop = Workshop()
    first = workshop.prepare(replayed(REQUEST))
    again = Workshop(store=workshop.store)
    assert again.prepare(replayed(REQUEST)).mixed.manifest == first.mixed.manifest
    assert again.provider.loaded == []


def test_prompts_without_a_replay_have_nothing_to_train_on() -> None:
    with pytest.raises(DataError, match=r"D015.*own:"):
        Workshop().prepare(REQUEST)


def test_a_shorter_order_is_told() -> None:
    workshop = Workshop()
    workshop.prepare(replace(without_own(REQUEST), max_steps=400))
    assert "of 400 steps: the rows end by max_passes of" in workshop.observer.notes[0]
