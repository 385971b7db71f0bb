"""Checkpoints in memory."""

from __future__ import annotations

import dataclasses
import errno
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory, mkdtemp
from weakref import finalize

from cesello.domain.checkpoint import Checkpoint, CheckpointPlan, CheckpointState, kept
from cesello.domain.errors import RetryableError, StorageError


@dataclass
class FakeCheckpoints:
    """Keeps the bytes of checkpoints.

    Attributes:
        saved: step -> what it says and the content of its files, by name.
        damaged: steps whose bytes are no longer as they were.
        free: how many bytes the disk has left.
    """

    path: Path = Path("memory") / "checkpoints"
    saved: dict[int, tuple[CheckpointState, dict[str, bytes]]] = field(default_factory=dict)
    damaged: set[int] = field(default_factory=set)
    free: int = 10**12

    def save(self, state: CheckpointState, write: Callable[[Path], None], plan: CheckpointPlan) -> None:
        files = written(write, self.path)
        self.saved[state.step] = (_plain(state), files)
        self.damaged.discard(state.step)
        losses = [(step, _loss(self.saved[step][0])) for step in self.saved.keys() - self.damaged]
        stay = kept([one for one in losses if one[0] <= state.step], plan)
        self.saved = {step: one for step, one in self.saved.items() if step in stay}

    def newest(self) -> tuple[Checkpoint | None, Sequence[str]]:
        newer: list[str] = []
        for step in sorted(self.saved, reverse=True):
            if step not in self.damaged:
                return self._read(step), newer
            newer.append(f"the checkpoint step-{step:08d} is damaged and was passed over")
        return None, newer

    def best(self) -> Checkpoint | None:
        whole = sorted(self.saved.keys() - self.damaged)
        measured = [(loss, step) for step in whole if (loss := _loss(self.saved[step][0])) is not None]
        if measured:
            return self._read(min(measured)[1])
        return self._read(whole[-1]) if whole else None

    def check_room(self, size: int, plan: CheckpointPlan) -> None:
        taken = sum(len(content) for _, files in self.saved.values() for content in files.values())
        if size * (max(plan.keep_last, 1) + plan.keep_best + 1) - taken > self.free:
            raise RetryableError("T076", "the disk has no room for the checkpoints", where=str(self.path))

    def _read(self, step: int) -> Checkpoint:
        """With files on the disk for as long as this fake is there."""
        folder = Path(mkdtemp())
        finalize(self, rmtree, folder, ignore_errors=True)  # a child of fork may have been faster
        state, files = self.saved[step]
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return Checkpoint(folder, state)


def _plain(state: CheckpointState) -> CheckpointState:
    """As it comes back: tuples are lists, and nothing is shared with the one who saved it."""
    values = {name: getattr(state, name) for name in ("optimizer", "identity", "progress")}
    again = json.loads(json.dumps(values))
    return dataclasses.replace(state, **again, logs=dict(state.logs))


def _loss(state: CheckpointState) -> float | None:
    return state.held_out if state.held_out is not None and isfinite(state.held_out) else None


def written(
    save: Callable[[Path], None], where: Path, more: Mapping[str, str] | None = None
) -> dict[str, bytes]:
    """The files that ``save`` puts into a folder, and some more."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        try:
            save(folder)
        except OSError as cause:
            raise explained(cause, where) from cause
        for file, text in (more or {}).items():
            (folder / file).write_text(text, encoding="utf-8")
        return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def explained(cause: OSError, where: Path) -> RetryableError | StorageError:
    if cause.errno == errno.ENOSPC:
        return RetryableError("T075", "the disk is full", where=str(where), fix="free some space")
    return StorageError("I003", "a run cannot be written", where=str(where), fix="set output")
