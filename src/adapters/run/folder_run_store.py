"""Runs as folders: JSON and safetensors that other tools read, written so that nothing half-done looks whole.

runs/<id>/manifest.json  recipe.yaml  metrics.jsonl  samples-before.jsonl  samples-after.jsonl  lora/
checkpoints/  bad-batches/
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from ...domain.errors import DataError, RetryableError, UsageError
from ...domain.run import RunStatus, RunSummary, of_id
from ...domain.secret_text import Redact, redacted
from .checkpoint_places import CheckpointPlaces
from .open_run import LOCK, MANIFEST, RECIPE, OpenRun
from .used_folder import can_go_on, clear, has_only_begun, is_run
from .whole_files import discard, write_whole, writing_run

_PLAIN = re.compile("[A-Za-z0-9_][A-Za-z0-9._-]*")


class FolderRunStore:
    """All runs below one folder.

    Args:
        redact: see ``OpenRun``.
    """

    def __init__(self, folder: Path, redact: Redact = redacted) -> None:
        self._folder = folder
        self._redact = redact

    def create(self, name: str, recipe: str, *, run: str | None = None, overwrite: bool = False) -> OpenRun:
        with writing_run(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            made = self._begun(name) if run is None else self._called(run, overwrite)
            try:
                write_whole(made.path / RECIPE, recipe)
            except BaseException:
                discard(made.path)
                made.close()
                raise
        return made

    def check_unused(self, run: str, *, overwrite: bool = False) -> None:
        path = self._place(run)
        free = is_run if overwrite else has_only_begun
        if path.exists() and not free(path):
            raise _used(path)

    def reopen(self, run: str) -> OpenRun:
        """One that was killed before its first manifest is found as well, by its id and at its path."""
        places = [Path(run), *([self._folder / run] if _PLAIN.fullmatch(run) else [])]
        found = next((path for path in places if can_go_on(path)), None)
        path = found or Path(self.find(run).path)
        with writing_run(path):
            made = OpenRun(path, self._redact)
        try:
            made.checkpoints.tidy()
        except BaseException:
            made.close()
            raise
        return made

    def _begun(self, name: str) -> OpenRun:
        """Called by the time and the name, with a number behind when two runs begin in the same second."""
        wanted = f"{datetime.now(UTC).strftime('%Y%m%d-%H%M%S')}-{name}"
        for number in range(1, 1000):
            path = self._folder / (wanted if number == 1 else f"{wanted}-{number}")
            try:
                path.mkdir(mode=0o700)
            except FileExistsError:
                continue
            return OpenRun(path, self._redact)
        raise RetryableError(
            "T073",
            "too many runs begin in one second",
            where=str(self._folder),
            fix="try again",
        )

    def _called(self, run: str, overwrite: bool) -> OpenRun:
        path = self._place(run)
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            return self._emptied(path, overwrite)
        return OpenRun(path, self._redact)

    def _place(self, run: str) -> Path:
        if not _PLAIN.fullmatch(run) or run == "latest":
            raise UsageError(
                "C061",
                f"{run!r} cannot be a run's name",
                expected='letters, digits, "-", "_" and "."; not "latest"',
                fix="name it otherwise",
            )
        return self._folder / run

    def _emptied(self, path: Path, overwrite: bool) -> OpenRun:
        """Locked before anything of it is removed, and ever after: two that overwrite it do not meet."""
        if not is_run(path):
            raise _used(path)
        run = OpenRun(path, self._redact)
        try:
            if not (overwrite or has_only_begun(path)):
                raise _used(path)
            clear(path)
        except BaseException:
            run.close()
            raise
        return run

    def list(self) -> tuple[RunSummary, ...]:
        if not self._folder.is_dir():
            return ()
        found = [summary for path in self._folder.iterdir() if (summary := _summary(path))]
        return tuple(sorted(found, key=lambda run: (run.started, run.id), reverse=True))

    def find(self, run: str) -> RunSummary:
        at_path = _summary(Path(run))
        known_runs = () if at_path else self.list()
        # An id is one run's own; another, newer one may be called like it.
        runs = (
            [at_path]
            if at_path
            else of_id(known_runs, run) or [r for r in known_runs if run in (r.name, "latest")]
        )
        if runs:
            return runs[0]
        known = ", ".join(r.id for r in self.list()[:5]) or "none yet"
        raise DataError(
            "D030",
            f'there is no run "{run}"',
            where=str(self._folder),
            expected=f"one of: {known}",
            fix="see `cesello runs list`",
        )


def _used(path: Path) -> UsageError:
    got, fix = "files that are no run's", "name another run, or move them away"
    if is_run(path):
        got, fix = "a run", "--resume goes on with it, --overwrite begins it anew"
    return UsageError("C060", "the run's folder is used already", where=str(path), got=got, fix=fix)


_SHOWN = {"algorithm", "finished", "seconds", "seed"}
"""Keys that every manifest of a run has, besides those of its summary."""


_TEXTS = ("id", "name", "started")


def _summary(path: Path) -> RunSummary | None:
    """What a folder tells of its run; None where it holds no readable manifest."""
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        if not manifest.keys() >= _SHOWN or not all(isinstance(manifest[key], str) for key in _TEXTS):
            return None
        return RunSummary(
            id=manifest["id"],
            name=manifest["name"],
            status=_status(path, RunStatus(manifest["status"])),
            started=manifest["started"],
            model=(manifest.get("model") or {}).get("name"),
            steps=max([manifest["steps"], *CheckpointPlaces(path / "checkpoints").steps()]),
            planned_steps=manifest["planned_steps"],
            path=str(path),
            manifest=manifest,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _status(path: Path, written: RunStatus) -> RunStatus:
    """The status as written, but a run that says it is running while nobody holds its lock was killed."""
    if written is not RunStatus.RUNNING:
        return written
    lock = FileLock(path / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return RunStatus.RUNNING
    lock.release()
    return RunStatus.FAILED
