"""Promote a version of a procedure again and again, and kill the process at every point on the way.

Usage: python -m tests.integration.killed_promotion PLACE

PLACE holds a project, ``made``. Each process has a copy of it, named by its number, and kills itself
right before or after the call of that number to whatever changes a file or the database, until one ends.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cesello.adapters.procedure import folder_procedures, safe_files, version_database
from cesello.adapters.procedure.folder_procedures import FolderProcedures
from cesello.application.promote_procedure import PromoteProcedure
from cesello.entrypoints.settings.procedure_file import ProcedureFiles
from tests.fakes.run import FixedClock

PLACES: tuple[tuple[Any, str], ...] = (
    (Path, "rename"),
    (Path, "mkdir"),
    (shutil, "rmtree"),
    (os, "fsync"),
    (version_database.VersionDatabase, "_note"),
    (version_database.VersionDatabase, "set_status"),
    (version_database.VersionDatabase, "_begun"),
    (folder_procedures, "write_folder"),
    (safe_files, "sync"),
)


def kill_at(number: int) -> None:
    """Two numbers a call: one before and one after it."""
    calls = 0

    def around(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **names: Any) -> Any:
            nonlocal calls
            for work in (None, call):
                result = work(*arguments, **names) if work else None
                calls += 1
                if calls == number:
                    os.kill(os.getpid(), signal.SIGKILL)
            return result

        return counted

    for owner, name in PLACES:
        setattr(owner, name, around(getattr(owner, name)))


def promoted(folder: Path, number: int) -> int:
    """Forks a process that promotes, and is killed: how it ended."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 70
    try:
        store = FolderProcedures(folder, ProcedureFiles(), FixedClock())
        chosen = next(one for one in store.versions("demo") if one.author == "run")
        kill_at(number)
        PromoteProcedure(store)("demo", chosen.sha)
        status = 0
    finally:
        os._exit(status)


if __name__ == "__main__":
    place, ends = Path(sys.argv[1]), [-signal.SIGKILL]
    while ends[-1] == -signal.SIGKILL:
        copy = place / str(len(ends))
        shutil.copytree(place / "made", copy)
        ends.append(promoted(copy, len(ends)))
    sys.stdout.write(json.dumps(ends[1:]))
