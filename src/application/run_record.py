"""The manifest of a run while it changes."""

from __future__ import annotations

from dataclasses import replace

from ..domain.errors import CeselloError
from ..domain.ports.run import RunFolder
from ..domain.run import RunManifest, RunStatus


class RunRecord:
    """Every change is on the disk at once."""

    def __init__(self, run: RunFolder, manifest: RunManifest) -> None:
        self._run = run
        self.manifest = manifest

    def update(self, **changes: object) -> None:
        self.manifest = replace(self.manifest, **changes)  # type: ignore[arg-type]
        self._run.write_manifest(self.manifest)

    def finish(self, status: RunStatus, finished: str, error: str | None = None) -> RunManifest:
        files = self._run.seal() if status is RunStatus.COMPLETED else {}
        self.update(status=status, finished=finished, error=error, files=files)
        return self.manifest

    def fail(self, finished: str, reason: str) -> None:
        """Marks the run failed; where not even that can be written, it stays ``running`` without a lock."""
        try:
            self.finish(RunStatus.FAILED, finished, reason)
        except CeselloError:
            return
