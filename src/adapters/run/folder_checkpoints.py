"""Checkpoints as folders that are there whole or not at all, whenever the process is killed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from math import isfinite
from operator import itemgetter
from pathlib import Path

from ...domain.checkpoint import Checkpoint, CheckpointPlan, CheckpointState, kept
from ...domain.errors import RetryableError, StorageError
from .checkpoint_form import Damaged, read, seal
from .checkpoint_places import CheckpointPlaces
from .whole_files import sync, writing_run


class FolderCheckpoints:
    """Those of one run.

    Args:
        folder: made when the first is saved.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places = CheckpointPlaces(folder)

    def save(self, state: CheckpointState, write: Callable[[Path], None], plan: CheckpointPlan) -> None:
        with writing_run(self._folder):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            sync(self._folder.parent)
            self._places.tidy()
            try:
                partial = self._places.begin(state.step)
                write(partial)
                seal(partial, state)
                self._places.fill(state.step)
            finally:
                self._places.give_up(state.step)
        self._prune(state.step, plan)

    def tidy(self) -> None:
        """Settles what a process that was killed has left in between two names."""
        with writing_run(self._folder):
            self._places.tidy()

    def newest(self) -> tuple[Checkpoint | None, Sequence[str]]:
        damages: list[str] = []
        with _reading(self._folder):
            for step, folder in self._places.readable():
                try:
                    return read(folder, step), damages
                except (Damaged, OSError) as cause:
                    damages.append(f"the checkpoint {folder.name} is damaged and was passed over: {cause}")
        return None, damages

    def best(self) -> Checkpoint | None:
        whole = list(self._whole())
        measured = [(loss, one.state.step, one) for one in whole if (loss := _loss(one.state)) is not None]
        return min(measured, key=itemgetter(0, 1))[2] if measured else next(iter(whole), None)

    def check_room(self, size: int, plan: CheckpointPlan) -> None:
        """For one more than is kept: a new one is whole on the disk before an old one goes."""
        count = max(plan.keep_last, 1) + plan.keep_best + 1
        with writing_run(self._folder):
            taken = sum(file.lstat().st_size for file in self._folder.rglob("*") if file.is_file())
            free = shutil.disk_usage(self._folder.parent).free
        needed = count * size - taken
        if needed > free:
            raise RetryableError(
                "T076",
                "the disk has no room for the checkpoints",
                where=str(self._folder),
                got=f"{_amount(free)} free",
                expected=f"{_amount(needed)} for {count} of {_amount(size)}",
                fix="free some space, or keep fewer of them",
            )

    def _whole(self) -> Iterator[Checkpoint]:
        """Those that are, the newest first."""
        with _reading(self._folder):
            for step, folder in self._places.readable():
                with suppress(Damaged, OSError):
                    yield read(folder, step)

    def _prune(self, newest: int, plan: CheckpointPlan) -> None:
        """Removes what the plan does not keep. The newest is safe by now: a failure here fails nothing.

        Those of later steps go too. They are of a training that was gone back on, and its logs are no more.
        """
        with suppress(OSError):
            steps = self._places.steps()
            whole, unread = self._known(steps)
            stay = unread | kept([one for one in whole if one[0] <= newest], plan)
            for step in steps - stay:
                self._places.remove(step)

    def _known(self, steps: Set[int]) -> tuple[list[tuple[int, float | None]], set[int]]:
        """Step and held-out loss of those that look whole, and the steps of which the disk does not tell."""
        whole, unread = [], set()
        for step in steps:
            try:
                state = read(self._places.of(step), step, tensors=False).state
            except Damaged:
                continue
            except OSError:
                unread.add(step)
            else:
                whole.append((step, _loss(state)))
        return whole, unread


def _loss(state: CheckpointState) -> float | None:
    """The held-out loss, where it is a number."""
    return state.held_out if state.held_out is not None and isfinite(state.held_out) else None


def _amount(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 10**7 else f"{size:,} bytes"


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        raise StorageError(
            "I042",
            "the checkpoints of a run cannot be read",
            where=str(folder),
            got=str(cause),
            fix="see who may read the folder, or begin anew with --overwrite",
        ) from cause
