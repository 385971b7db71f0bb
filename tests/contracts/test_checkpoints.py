"""What every Checkpoints owes, on the fake and on the folder."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cesello.adapters.run.folder_checkpoints import FolderCheckpoints
from cesello.domain.checkpoint import CheckpointPlan, CheckpointState, LogMark
from cesello.domain.errors import Interrupted, RetryableError, StorageError
from cesello.domain.ports.run import Checkpoints
from tests.fakes.checkpoints import FakeCheckpoints

INF = float("inf")
PLAN = CheckpointPlan(keep_last=2, keep_best=1)


@pytest.fixture(params=["fake", "folder"])
def checkpoints(request: pytest.FixtureRequest, tmp_path: Path) -> Checkpoints:
    path = tmp_path / "checkpoints"
    return FakeCheckpoints(path) if request.param == "fake" else FolderCheckpoints(path)


def state(step: int, held_out: float | None = None) -> CheckpointState:
    return CheckpointState(step, held_out, optimizer={}, identity={})


def writes(text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "lora.safetensors").write_text(text)

    return write


def save(
    checkpoints: Checkpoints, step: int, held_out: float | None = None, plan: CheckpointPlan = PLAN
) -> None:
    checkpoints.save(state(step, held_out), writes(f"at {step}"), plan)


def newest(checkpoints: Checkpoints) -> int | None:
    found, damages = checkpoints.newest()
    assert not damages
    if found is not None:
        assert (found.path / "lora.safetensors").read_text() == f"at {found.state.step}"
    return found.state.step if found else None


def best(checkpoints: Checkpoints) -> int | None:
    found = checkpoints.best()
    return found.state.step if found else None


def test_at_first_there_are_none(checkpoints: Checkpoints) -> None:
    assert newest(checkpoints) is best(checkpoints) is None


def test_all_comes_back_as_it_was(checkpoints: Checkpoints) -> None:
    whole = CheckpointState(
        step=120,
        held_out=0.1 + 0.2,
        optimizer={
            "groups": [{"lr": 1e-300, "betas": [0.9, 0.999]}],
            "step": 2**70,
            "none": None,
            "yes": True,
        },
        identity={"data": "abc", "nome": "perché"},
        logs={"metrics.jsonl": LogMark(10, "0" * 64)},
        progress={"perplexity": [INF, -INF, -0.0], "lone": "\ud800"},
    )
    checkpoints.save(whole, writes("x"), PLAN)
    found, damages = checkpoints.newest()
    assert found is not None
    assert (found.state, damages) == (whole, [])
    assert (found.path / "lora.safetensors").read_text() == "x"


def test_no_number_comes_back(checkpoints: Checkpoints) -> None:
    checkpoints.save(state(1, float("nan")), writes("at 1"), PLAN)
    found, _ = checkpoints.newest()
    assert found is not None
    assert str(found.state.held_out) == "nan"


def test_tuples_come_back_as_lists(checkpoints: Checkpoints) -> None:
    checkpoints.save(replace(state(1), optimizer={"betas": (0.9, 0.999)}), writes("at 1"), PLAN)
    found, _ = checkpoints.newest()
    assert found is not None
    assert found.state.optimizer == {"betas": [0.9, 0.999]}


def test_what_was_saved_last_is_the_newest(checkpoints: Checkpoints) -> None:
    for step in (1, 9, 10, 100):
        save(checkpoints, step)
        assert newest(checkpoints) == step


def test_one_of_the_same_step_is_replaced(checkpoints: Checkpoints) -> None:
    save(checkpoints, 1)
    checkpoints.save(state(1, 0.5), writes("again"), PLAN)
    found, _ = checkpoints.newest()
    assert found is not None
    assert (found.state.held_out, (found.path / "lora.safetensors").read_text()) == (0.5, "again")


def test_the_best_has_the_lowest_loss_and_is_kept(checkpoints: Checkpoints) -> None:
    for step, held_out in enumerate((3.0, 1.0, 2.0, None, 1.5, 1.0, 4.0), 1):
        save(checkpoints, step, held_out)
    assert (best(checkpoints), newest(checkpoints)) == (2, 7)


@pytest.mark.parametrize("held_out", [None, float("nan"), INF])
def test_where_none_was_measured_the_newest_is_the_best(
    checkpoints: Checkpoints, held_out: float | None
) -> None:
    for step in (1, 2, 3):
        save(checkpoints, step, held_out)
    assert best(checkpoints) == 3


def test_no_number_is_no_best(checkpoints: Checkpoints) -> None:
    for step, held_out in enumerate((float("nan"), 2.0, float("nan"), float("nan")), 1):
        save(checkpoints, step, held_out)
    assert best(checkpoints) == 2


def test_what_the_plan_does_not_keep_is_no_best(checkpoints: Checkpoints) -> None:
    for step in (1, 2, 3):
        save(checkpoints, step, float(step), CheckpointPlan(keep_last=1, keep_best=0))
    assert best(checkpoints) == 3


def test_a_training_that_was_gone_back_on_leaves_no_later_ones(checkpoints: Checkpoints) -> None:
    for step in (1, 2, 3, 2):
        save(checkpoints, step, 1 / step)
    assert (newest(checkpoints), best(checkpoints)) == (2, 2)


@pytest.mark.parametrize(
    ("failure", "error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), RetryableError, "T075"),
        (OSError(errno.EACCES, "Permission denied"), StorageError, "I003"),
        (Interrupted(2, "stopped"), Interrupted, "T130"),
    ],
    ids=["full", "forbidden", "stopped"],
)
def test_a_save_that_fails_changes_nothing(
    checkpoints: Checkpoints, failure: Exception, error: type[Exception], code: str
) -> None:
    def fail(folder: Path) -> None:
        (folder / "lora.safetensors").write_text("half")
        raise failure

    save(checkpoints, 1)
    for step in (1, 2):
        with pytest.raises(error, match=code):
            checkpoints.save(state(step), fail, PLAN)
        assert newest(checkpoints) == 1
    save(checkpoints, 2)
    assert newest(checkpoints) == 2


def test_room_is_looked_for(checkpoints: Checkpoints) -> None:
    checkpoints.check_room(1, PLAN)
    save(checkpoints, 1)
    checkpoints.check_room(1, PLAN)
    with pytest.raises(RetryableError) as caught:
        checkpoints.check_room(10**18, PLAN)
    assert (caught.value.code, caught.value.exit_status) == ("T076", 75)
