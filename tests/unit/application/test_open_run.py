"""Which run a training is, and what is refused before anything of it is touched."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest

from cesello.application.open_run import Opened, OpenRun, RunChoice
from cesello.application.training_progress import Progress
from cesello.domain.checkpoint import CheckpointPlan, CheckpointState
from cesello.domain.errors import CeselloError, DataError, RetryableError, StorageError, UsageError
from cesello.domain.run import Evaluation, Resume, RunManifest, RunStatus, SourceLoss
from tests.fakes.model import FACTS, FakePolicy
from tests.fakes.run import FakeRunFolder, FakeRunStore, FixedClock, RecordingObserver
from tests.fakes.training import FakeTrainingState

NOW = RunManifest(
    id="",
    name="demo",
    algorithm="sft",
    status=RunStatus.RUNNING,
    started="now",
    recipe_sha256="r",
    seed=0,
    versions={},
    machine="",
    planned_steps=6,
    identity={"recipe lora.r": "4", "data": "d1"},
)
BEFORE = Evaluation({"chat": SourceLoss(4, 8, 2.5)}, {})
RESUME = RunChoice(resume=True)
PLAN = CheckpointPlan(keep_last=5)


class House:
    """A store with what opens its runs."""

    def __init__(self) -> None:
        self.runs = FakeRunStore()
        self.observer = RecordingObserver()
        self.open = OpenRun(self.runs, self.observer, FixedClock())

    def __call__(self, choice: RunChoice, now: RunManifest = NOW, recipe: str = "the recipe") -> Opened:
        return self.open(recipe, choice, now)

    def left(
        self, status: RunStatus = RunStatus.INTERRUPTED, *steps: int, run: str | None = None
    ) -> FakeRunFolder:
        """A run that a process left, with checkpoints of these steps."""
        folder = self.runs.create("demo", "the recipe", run=run)
        manifest = replace(NOW, id=folder.id, started="before", status=status, steps=max(steps, default=0))
        folder.write_manifest(manifest)
        for step in range(1, max(steps, default=0) + 2):
            folder.append("metrics", {"step": step})
            if step in steps:
                self.save(folder, step)
        folder.close()
        return folder

    def save(self, folder: FakeRunFolder, step: int) -> None:
        progress = Progress(BEFORE, step, final_loss=1.0, evaluations=[(2, 3.0)]).as_plain()
        state = CheckpointState(step, None, {}, NOW.identity, folder.mark_logs(), progress)
        folder.checkpoints.save(state, FakeTrainingState(FakePolicy(FACTS, trained=step)).save, PLAN)


@pytest.fixture
def house() -> House:
    return House()


# A new run


def test_a_new_run_is_made_and_says_that_it_runs(house: House) -> None:
    opened = house(RunChoice())
    [run] = house.runs.runs
    assert (opened.manifest.id, run.recipe) == (run.id, "the recipe")
    assert run.manifests == [opened.manifest]
    assert (opened.checkpoint, opened.progress, opened.manifest.resumes) == (None, Progress(), ())
    assert not opened.reopened
    assert not run.closed


def test_a_new_run_can_be_called(house: House) -> None:
    assert house(RunChoice("mine")).manifest.id == "mine"


def test_a_used_folder_wants_a_word(house: House) -> None:
    house.left(run="mine")
    for act in (lambda: house.open.check("demo", RunChoice("mine")), lambda: house(RunChoice("mine"))):
        with pytest.raises(UsageError, match="C060"):
            act()
    house.runs.strange.add("notes")
    with pytest.raises(UsageError, match="C060"):
        house.open.check("demo", RunChoice("notes", overwrite=True))
    house.open.check("demo", RunChoice("mine", overwrite=True))
    opened = house(RunChoice("mine", overwrite=True))
    assert (opened.manifest.started, len(house.runs.runs)) == ("now", 1)
    assert house.runs.runs[0].logs == {}


# Which one is gone on with


def test_without_an_id_it_is_the_newest_of_that_name_that_did_not_end(house: House) -> None:
    house.left(RunStatus.INTERRUPTED, 2)
    wanted = house.left(RunStatus.FAILED, 4)
    house.left(RunStatus.COMPLETED, 6)
    other = house.runs.create("other", "another recipe")
    other.write_manifest(replace(NOW, id=other.id, name="other", status=RunStatus.INTERRUPTED))
    other.close()
    opened = house(RESUME)
    assert (opened.manifest.id, opened.progress.step) == (wanted.id, 4)


def test_a_killed_run_is_gone_on_with_too(house: House) -> None:
    left = house.left(RunStatus.RUNNING, 3)
    assert house(RESUME).manifest.id == left.id


def test_an_id_names_one(house: House) -> None:
    wanted = house.left(RunStatus.INTERRUPTED, 2)
    house.left(RunStatus.INTERRUPTED, 4)
    assert house(RunChoice(wanted.id, resume=True)).progress.step == 2


def test_an_id_without_a_run_begins_it(house: House) -> None:
    choice = RunChoice("mine", resume=True)
    house.open.check("demo", choice)
    assert house(choice).manifest.id == "mine"
    assert house.observer.notes == []


def refused(house: House, choice: RunChoice) -> CeselloError:
    """By the names alone, before anything is prepared, and all the same afterwards."""
    before = deepcopy([(run.logs, run.manifests, run.closed) for run in house.runs.runs])
    with pytest.raises(CeselloError) as early:
        house.open.check("demo", choice)
    with pytest.raises(CeselloError) as late:
        house(choice)
    assert str(early.value) == str(late.value)
    assert [(run.logs, run.manifests, run.closed) for run in house.runs.runs] == before
    return early.value


def test_no_run_of_the_name(house: House) -> None:
    error = refused(house, RESUME)
    assert (type(error), error.code) == (DataError, "D031")
    assert "leave --resume out" in str(error.fix)


@pytest.mark.parametrize("run", [None, "mine"])
def test_a_completed_run(house: House, run: str | None) -> None:
    left = house.left(RunStatus.COMPLETED, 6, run=run)
    error = refused(house, RunChoice(run, resume=True))
    assert (error.code, error.where, error.got) == ("D032", str(left.path), "all 6 steps done")


def test_a_folder_that_is_no_runs_is_not_begun_in(house: House) -> None:
    house.runs.strange.add("mine")
    assert refused(house, RunChoice("mine", resume=True)).code == "C060"
    assert refused(house, RunChoice("latest", resume=True)).code == "C061"


def test_a_run_that_another_process_writes(house: House) -> None:
    house.left(RunStatus.RUNNING, 2).closed = False
    with pytest.raises(RetryableError, match="T074"):
        house(RESUME)


# How it is gone on with


def test_logs_progress_and_checkpoint_are_those_of_the_newest(house: House) -> None:
    run = house.left(RunStatus.INTERRUPTED, 2, 4)
    assert len(run.metrics) == 5
    opened = house(RESUME)
    assert [line["step"] for line in run.metrics] == [1, 2, 3, 4]
    assert opened.progress == Progress(BEFORE, 4, final_loss=1.0, evaluations=[(2, 3.0)])
    assert opened.checkpoint is not None
    assert (opened.checkpoint.path / "lora.safetensors").read_text() == "4"
    assert house.observer.notes == [f"going on with {run.id} after step 4"]
    assert opened.reopened
    assert not run.closed


def test_the_recipe_that_it_goes_on_with_is_kept(house: House) -> None:
    run = house.left(RunStatus.INTERRUPTED, 2)
    house(RESUME, recipe="with another checkpoint.every_steps")
    assert run.recipe == "with another checkpoint.every_steps"


def test_the_manifest_tells_of_every_resume(house: House) -> None:
    run = house.left(RunStatus.INTERRUPTED, 2)
    first = house(RESUME)
    at = FixedClock().now()
    assert (first.manifest.started, first.manifest.before) == ("before", BEFORE)
    assert first.manifest.resumes == (Resume(2, at),)
    assert run.manifests[-1] == first.manifest
    house.save(run, 3)
    run.close()
    assert house(RESUME).manifest.resumes == (Resume(2, at), Resume(3, at))


def test_without_a_checkpoint_it_begins_with_the_first_step(house: House) -> None:
    run = house.left()
    opened = house(RESUME)
    assert (opened.checkpoint, opened.progress, run.logs) == (None, Progress(), {})
    assert opened.reopened
    assert opened.manifest.resumes == (Resume(0, FixedClock().now()),)


def test_a_damaged_checkpoint_is_passed_over_and_told(house: House) -> None:
    run = house.left(RunStatus.INTERRUPTED, 2, 4)
    run.checkpoints.damaged = {4}
    opened = house(RESUME)
    assert opened.progress.step == 2
    assert [line["step"] for line in run.metrics] == [1, 2]
    assert "step-00000004 is damaged" in house.observer.notes[0]


def test_nothing_but_damaged_checkpoints_is_refused(house: House) -> None:
    run = house.left(RunStatus.INTERRUPTED, 2, 4)
    run.checkpoints.damaged = {2, 4}
    before = deepcopy((run.logs, run.manifests))
    with pytest.raises(DataError) as caught:
        house(RESUME)
    assert (caught.value.code, caught.value.where) == ("D033", str(run.path))
    assert "step-00000004" in str(caught.value.got)
    assert str(caught.value.fix).endswith(f"--run {run.id} --overwrite instead of --resume")
    assert (run.logs, run.manifests) == before
    assert run.closed


@pytest.mark.parametrize("steps", [(), (2,)], ids=["without a checkpoint", "with one"])
def test_another_training_is_refused_and_nothing_is_touched(house: House, steps: tuple[int, ...]) -> None:
    run = house.left(RunStatus.INTERRUPTED, *steps)
    before = deepcopy((run.logs, run.manifests, run.recipe))
    changed = replace(NOW, identity={**NOW.identity, "recipe lora.r": "8"})
    with pytest.raises(UsageError, match="C050"):
        house(RESUME, changed, "another recipe")
    assert (run.logs, run.manifests, run.recipe) == before
    assert run.closed
    opened = house(RunChoice(resume=True, inexact=True), changed)
    assert opened.manifest.resumes[0].differences == ("recipe lora.r: 4 -> 8",)
    assert opened.manifest.identity == changed.identity


def test_a_log_that_was_edited_is_refused_and_nothing_is_touched(house: House) -> None:
    run = house.left(RunStatus.INTERRUPTED, 2)
    run.logs["metrics.jsonl"] = run.logs["metrics.jsonl"].replace("1", "7", 1)
    before = deepcopy((run.logs, run.manifests))
    with pytest.raises(StorageError, match="I041"):
        house(RESUME)
    assert (run.logs, run.manifests) == before
    assert run.closed
