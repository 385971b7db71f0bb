"""Runs the ``cesello`` command as a person does: another process, its own folder."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from cesello.entrypoints.cli.main import run

COMMAND = Path(sys.executable).with_name("cesello")


def cesello(
    *arguments: str | Path,
    cwd: Path,
    before: Callable[[], None] | None = None,
    home: Path | None = None,
    command: Path = COMMAND,
) -> subprocess.CompletedProcess[str]:
    """Runs it to its end.

    Args:
        before: called in the child before the command starts, for example to set a limit.
        home: another home folder than the user's, so without the offline kit.
        command: that of the fixture ``warm``, where how it starts is not what is tested.
    """
    return subprocess.run(
        [str(command), *map(str, arguments)],
        cwd=cwd,
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=before,
    )


def cesello_here(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The same within this process, where the libraries are loaded already: seconds become tenths.

    The hub cannot be switched off here once its library is loaded: a test names no model of it.
    """
    out, errors, before = io.StringIO(), io.StringIO(), Path.cwd()
    os.chdir(cwd)
    try:
        with redirect_stdout(out), redirect_stderr(errors):
            status = run([*map(str, arguments)])
    finally:
        os.chdir(before)
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), errors.getvalue())


def environment(home: Path | None = None) -> dict[str, str]:
    """This process's, with the hub switched off: tests reach no network."""
    changes = {"HF_HUB_OFFLINE": "1"} | ({"CESELLO_HOME": str(home)} if home else {})
    return os.environ | changes
