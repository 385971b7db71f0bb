"""Open the folder of a run: a new one, or one that is gone on with where it was left."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ..domain.checkpoint import Checkpoint
from ..domain.errors import DataError
from ..domain.ports.run import Clock, Observer, RunFolder, RunStore
from ..domain.run import Resume, RunManifest, RunStatus, RunSummary, of_id
from .same_training import check_same
from .training_progress import Progress, progress_from


@dataclass(frozen=True, slots=True)
class RunChoice:
    """Which run a training is.

    Attributes:
        run: its id; None: a new one of the time and the recipe's name, or with ``resume`` the newest of that
            name that did not end.
        resume: go on with it; with ``run`` given and no such run, begin it.
        overwrite: begin it anew where there is one.
        inexact: go on even where it cannot be exact.
    """

    run: str | None = None
    resume: bool = False
    overwrite: bool = False
    inexact: bool = False


@dataclass
class Opened:
    """A run that is about to train.

    Attributes:
        checkpoint: from which; None: from the first step.
        reopened: whether another process has begun it.
    """

    run: RunFolder
    manifest: RunManifest
    checkpoint: Checkpoint | None = None
    progress: Progress = field(default_factory=Progress)
    reopened: bool = False


class OpenRun:
    """Makes or finds the folder, and locks it."""

    def __init__(self, runs: RunStore, observer: Observer, clock: Clock) -> None:
        self._runs = runs
        self._observer = observer
        self._clock = clock

    def check(self, name: str, choice: RunChoice) -> None:
        """Refuses, before anything is prepared, what can be told by the runs' names alone.

        Raises:
            DataError: D031, D032. UsageError: C060, C061.
        """
        if choice.resume and self._unfinished(name, choice) is not None:
            return
        if choice.run:
            self._runs.check_unused(choice.run, overwrite=choice.overwrite)

    def __call__(self, recipe: str, choice: RunChoice, now: RunManifest) -> Opened:
        """The run with its lock held.

        Args:
            now: the manifest of a new run of this training.

        Raises:
            CeselloError: those of ``check``, of ``check_same`` and of the run's folder.
        """
        found = self._unfinished(now.name, choice) if choice.resume else None
        if found is not None:
            run = self._runs.reopen(found.id)
            try:
                return self._resumed(run, found, recipe, choice, now)
            except BaseException:
                run.close()
                raise
        run = self._runs.create(now.name, recipe, run=choice.run, overwrite=choice.overwrite)
        opened = Opened(run, replace(now, id=run.id))
        run.write_manifest(opened.manifest)
        return opened

    def _unfinished(self, name: str, choice: RunChoice) -> RunSummary | None:
        if choice.run:
            found = of_id(self._runs.list(), choice.run)
            if not found:
                return None
        else:
            alike = [one for one in self._runs.list() if one.name == name]
            found = [one for one in alike if one.status is not RunStatus.COMPLETED] or alike[:1]
        if not found:
            raise DataError(
                "D031",
                f'there is no run of the name "{name}" to go on with',
                fix="leave --resume out to begin one, or name another with --run; see `cesello runs list`",
            )
        if found[0].status is RunStatus.COMPLETED:
            searched = found[0].manifest.get("algorithm") == "apo"
            what_is_there = "use its prompt.yaml" if searched else "take its weights with lora.continue_from"
            raise DataError(
                "D032",
                "the run is completed",
                where=found[0].path,
                got=f"{found[0].steps} rollouts done" if searched else f"all {found[0].steps} steps done",
                fix=f"leave --resume out to begin another, or {what_is_there}",
            )
        return found[0]

    def _resumed(
        self, run: RunFolder, found: RunSummary, recipe: str, choice: RunChoice, now: RunManifest
    ) -> Opened:
        checkpoint, damaged = run.checkpoints.newest()
        for sentence in damaged:
            self._observer.note(sentence)
        if checkpoint is None and damaged:
            raise DataError(
                "D033",
                "no checkpoint of the run is as it was written",
                where=found.path,
                got=damaged[0],
                fix=f"begin the run anew: --run {run.id} --overwrite instead of --resume",
            )
        stored = checkpoint.state.identity if checkpoint else found.manifest.get("identity") or {}
        changed = check_same(stored, now.identity, inexact=choice.inexact)
        run.cut_logs(checkpoint.state.logs if checkpoint else {})
        run.write_recipe(recipe)
        progress = progress_from(checkpoint.state.progress) if checkpoint else Progress()
        # A search has no checkpoints: its ledger knows what was done.
        searches = now.algorithm == "apo"
        done = found.steps if searches else progress.step
        self._observer.note(f"going on with {run.id} after {'rollout' if searches else 'step'} {done}")
        resume = Resume(done, self._clock.now(), changed)
        manifest = replace(
            now,
            id=run.id,
            started=found.started,
            before=progress.before,
            resumes=(*map(_resume_from, found.manifest.get("resumes") or ()), resume),
        )
        run.write_manifest(manifest)
        return Opened(run, manifest, checkpoint, progress, reopened=True)


def _resume_from(values: Any) -> Resume:
    return Resume(values["step"], values["at"], tuple(values["differences"]))
