"""Runs the ``cesello`` command as a person does: another process, its own folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

COMMAND = Path(sys.executable).with_name("cesello")


def cesello(
    *arguments: str | Path, cwd: Path, before: Callable[[], None] | None = None, home: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs it to its end.

    Args:
        before: called in the child before the command starts, for example to set a limit.
        home: another home folder than the user's, so without the offline kit.
    """
    return subprocess.run(
        [str(COMMAND), *map(str, arguments)],
        cwd=cwd,
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=before,
    )


def environment(home: Path | None = None) -> dict[str, str]:
    """This process's, with the hub switched off: tests reach no network."""
    changes = {"HF_HUB_OFFLINE": "1"} | ({"CESELLO_HOME": str(home)} if home else {})
    return os.environ | changes
