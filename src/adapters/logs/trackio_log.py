"""Trackio, Hugging Face's own tracker, which keeps runs on this machine unless told otherwise."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stdout

import trackio  # pyright: ignore[reportMissingImports]
from trackio.sqlite_storage import SQLiteStorage  # pyright: ignore[reportMissingImports]

from ...domain.ports.logs import LoggedRun
from .known_steps import KnownSteps


class TrackioLog:
    """A run of Trackio; ``TRACKIO_DIR`` says where, ``TRACKIO_SPACE_ID`` that it goes to a Space.

    Trackio knows a run by its name, so it is given the id, and puts up with failures by itself: it warns.

    Args:
        project: its name.
    """

    def __init__(self, project: str = "cesello") -> None:
        self._project = project

    def begin(self, run: LoggedRun, first_step: int) -> None:
        self._known = KnownSteps()
        with redirect_stdout(io.StringIO()):
            self._run = trackio.init(
                project=self._project,
                name=run.id,
                config={"name": run.name, **run.settings},
                resume="allow" if run.resumed else "never",
                private=True,
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )
        if run.resumed:
            for logged in SQLiteStorage.get_logs(self._project, run_id=self._run.id):
                self._known.add(logged["step"], logged.keys() - {"step", "timestamp"})

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        if fresh := self._known.fresh(step, figures):
            self._run.log(fresh, step=step)

    def end(self, status: str) -> None:
        with redirect_stdout(io.StringIO()):
            trackio.finish()
