"""A run is followed while it trains, and to whatever end it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest

from cesello.application.follow_run import FollowRun
from cesello.application.read_run import RunView
from cesello.domain.errors import DataError
from cesello.domain.run import RunManifest, RunStatus
from cesello.domain.run_figures import TriedPrompt
from tests.fakes.live_runs import FakeLiveRuns
from tests.fakes.model import FACTS
from tests.fakes.run import FakeRunFolder, FakeRunStore, FixedClock
from tests.run_folders import evaluation, metrics_line, timings_line


@dataclass
class Trained:
    """A run that goes on by one action each time that somebody waits."""

    actions: list[Callable[[], None]] = field(default_factory=list)
    store: FakeRunStore = field(default_factory=FakeRunStore)
    run: FakeRunFolder = field(init=False)

    def __post_init__(self) -> None:
        self.run = self.store.create("demo", "")
        self.live = FakeLiveRuns(self.store, idle=3.0)
        self.write(RunStatus.RUNNING)

    def write(self, status: RunStatus, algorithm: str = "sft", steps: int = 0) -> None:
        made = RunManifest(
            id=self.run.id, name="demo", algorithm=algorithm, status=status, started=FixedClock().now(),
            recipe_sha256="", seed=0, versions={}, machine="", planned_steps=4, model=FACTS, steps=steps,
        )  # fmt: skip
        self.run.write_manifest(replace(made))

    def wait(self) -> None:
        self.actions.pop(0)()

    def follow(self, *, once: bool = False) -> list[RunView]:
        return list(self.views(once=once))

    def views(self, *, once: bool = False) -> Iterator[RunView]:
        return FollowRun(self.store, self.live, self.wait)("latest", once=once)

    def step(self, *numbers: int) -> None:
        for number in numbers:
            self.run.append("metrics", metrics_line(number))
            self.run.append("timings", timings_line(number))


@pytest.fixture
def trained() -> Trained:
    return Trained()


def end(trained: Trained, status: RunStatus = RunStatus.COMPLETED) -> Callable[[], None]:
    return lambda: trained.write(status)


def test_a_run_that_has_ended_is_looked_at_once(trained: Trained) -> None:
    trained.write(RunStatus.COMPLETED)
    [view] = trained.follow()
    assert view.summary.status is RunStatus.COMPLETED


def test_every_look_brings_what_is_new(trained: Trained) -> None:
    trained.run.append("evaluations", {"step": 0, "when": "before", **evaluation()})
    trained.actions = [lambda: trained.step(1), lambda: trained.step(2, 3), end(trained)]
    seen = [
        ([(log, line["step"]) for log, line in view.news], view.steps, view.seconds_left, view.quiet)
        for view in trained.views()
    ]
    assert seen == [
        ([("evaluations", 0)], 0, None, 3.0),
        ([("metrics", 1)], 1, 6.0, 3.0),
        ([("metrics", 2), ("metrics", 3)], 3, 2.0, 3.0),
        ([], 3, 2.0, 3.0),
    ]


def test_what_is_new_comes_by_step(trained: Trained) -> None:
    for number in (1, 2):
        trained.step(number)
    trained.run.append("evaluations", {"step": 1, "when": "step", **evaluation()})
    trained.run.append("alarms", {"step": 1, "name": "kl", "text": "far"})
    [view] = trained.follow(once=True)
    assert [(log, line["step"]) for log, line in view.news] == [
        ("metrics", 1),
        ("evaluations", 1),
        ("alarms", 1),
        ("metrics", 2),
    ]


def test_phases_follow_the_logs(trained: Trained) -> None:
    def evaluated(step: int, when: str) -> Callable[[], None]:
        return lambda: trained.run.append("evaluations", {"step": step, "when": when, **evaluation()})

    trained.actions = [
        evaluated(0, "before"),
        lambda: trained.step(1, 2, 3, 4),
        evaluated(4, "after"),
        end(trained),
    ]
    assert [view.phase for view in trained.views()][:-1] == [
        "evaluating before the training",
        "training",
        "evaluating after the training",
        "saving",
    ]


def test_a_run_that_is_gone_on_with_from_an_earlier_step_is_read_anew(trained: Trained) -> None:
    trained.step(1)
    marks = trained.run.mark_logs()
    trained.step(2)
    trained.step(3)
    trained.actions = [lambda: trained.run.cut_logs(marks), lambda: trained.step(2), end(trained)]
    seen = []
    for view in trained.views():
        curve = view.figures.curve(view.figures.kinds[0])
        seen.append((view.steps, view.anew, curve.count if curve else 0))
    assert seen == [(3, False, 3), (1, True, 1), (2, False, 2), (2, False, 2)]


def test_a_killed_run_is_the_end(trained: Trained) -> None:
    trained.step(1)
    trained.actions = [trained.run.close]
    *_, last = trained.follow()
    assert last.was_killed
    assert last.summary.status is RunStatus.FAILED


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.INTERRUPTED])
def test_a_run_that_says_how_it_ended_was_not_killed(status: RunStatus, trained: Trained) -> None:
    trained.actions = [end(trained, status)]
    assert not trained.follow()[-1].was_killed


def test_one_look_is_enough_where_that_is_asked(trained: Trained) -> None:
    assert len(trained.follow(once=True)) == 1


def test_a_run_that_is_removed_on_the_way_is_told(trained: Trained) -> None:
    trained.actions = [trained.store.runs.clear]
    with pytest.raises(DataError, match="D030"):
        trained.follow()


def test_a_search_is_followed_by_its_best_prompt(trained: Trained) -> None:
    trained.write(RunStatus.RUNNING, "apo", steps=7)
    trained.live.searched[str(trained.run.path)] = [TriedPrompt(8, 0.25), TriedPrompt(8, 0.75)]
    [view] = trained.follow(once=True)
    assert (view.is_search, view.steps, view.phase) == (True, 7, "searching")
    [best] = view.figures.kinds
    curve = view.figures.curve(best)
    assert curve is not None
    assert curve.last == 0.75
