"""The builders of the procedures' adapters; see ``wiring``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

from ..application.instruct_rows import InstructRows
from ..application.match_procedure import MatchProcedure
from ..domain.guided_run import Finds
from ..domain.ports.memory import Embedder
from ..domain.ports.procedure import (
    MatchingFile,
    ProcedureFolders,
    ProcedureFormat,
    ProcedureLog,
    ProcedureStore,
    RidgeRegression,
)
from ..domain.ports.run import Clock
from ..domain.procedure_prompt import Mode

PLACE = ".cesello/procedures"
"""Where a project's procedures are, seen from its root."""


def procedure_files() -> ProcedureFormat:
    """SKILL.md, sop.yaml and evals.jsonl."""
    from .settings.procedure_file import ProcedureFiles

    return ProcedureFiles()


def procedure_folders() -> ProcedureFolders:
    """Folders on the disk."""
    from ..adapters.procedure.safe_files import SafeFolders

    return SafeFolders()


def procedure_store(root: str, form: ProcedureFormat, clock: Clock) -> ProcedureStore:
    """Folders to edit, and versions in SQLite beside them."""
    from ..adapters.procedure.folder_procedures import FolderProcedures

    return FolderProcedures(Path(root, PLACE).absolute(), form, clock, procedures_shown(root))


def procedures_shown(root: str) -> str:
    """The place of all procedures as messages name it: from where the person is."""
    return os.path.relpath(Path(root, PLACE))


_LEARNT = ".learnt"
"""What is learnt of procedures, beside them and in no repository."""


def procedure_log(root: str) -> ProcedureLog:
    """What came of them, in SQLite."""
    from ..adapters.procedure.sqlite_procedure_log import SqliteProcedureLog

    return SqliteProcedureLog(Path(root, PLACE, _LEARNT, "runs.sqlite3").absolute())


def matching_file(root: str) -> MatchingFile:
    """What matching has learnt."""
    from ..adapters.procedure.matching_file import JsonMatchingFile

    place = Path(root, PLACE, "matching.json").absolute()
    return JsonMatchingFile(place, os.path.relpath(place))


def request_embedder(embedder: Embedder, root: str) -> Embedder:
    """The memory's embedder, whose vectors are kept."""
    from ..adapters.procedure.cached_embedder import CachedEmbedder

    return CachedEmbedder(embedder, Path(root, PLACE, _LEARNT, "vectors.sqlite3").absolute())


def ridge_regression() -> RidgeRegression:
    """By NumPy."""
    from ..adapters.procedure.numpy_ridge import NumpyRidge

    return NumpyRidge()


def bounded_finds() -> Finds:
    """Looks for a pattern, and gives up in time."""
    from ..adapters.reward.bounded_pattern import BoundedPattern

    return lambda pattern, text: BoundedPattern(pattern).absent(text) is None


def new_run_id() -> str:
    """Of one use of a procedure."""
    return token_hex(6)


def instruct_rows(
    mode: str, store: Callable[[], ProcedureStore], match: Callable[[], MatchProcedure]
) -> InstructRows | None:
    """Procedures in the prompts of a training; None: there are none, and nothing is made for them."""
    return None if mode == Mode.OFF else InstructRows(store(), match(), Mode(mode))
