"""The builders of the procedures' adapters; see ``wiring``."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from ..application.instruct_rows import InstructRows
from ..application.learn_from_training import LearnFromTraining
from ..application.match_procedure import MatchProcedure
from ..domain.errors import DataError
from ..domain.guided_run import Finds, begin_unattended
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

if TYPE_CHECKING:
    from ..adapters.training.guided_turns import Guide

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

    _own(root, ".versions", "versions.sqlite3")
    return FolderProcedures(_own(root), form, clock, procedures_shown(root))


def procedures_shown(root: str) -> str:
    """The place of all procedures as messages name it: from where the person is."""
    return os.path.relpath(Path(root, PLACE))


def _own(root: str, *inner: str) -> Path:
    """The place of procedures, or one in it, which a stranger's project may have made into something else.

    Raises:
        DataError: D046 where a link leads out of the project, or a pipe is there.
    """
    place = Path(root, PLACE, *inner).absolute()
    special = os.path.exists(place) and not (place.is_file() or place.is_dir())
    if special or not Path(os.path.realpath(place)).is_relative_to(os.path.realpath(root)):
        got = "a pipe or a device" if special else os.path.realpath(place)
        what, fix = "what is kept of procedures lies outside the project", "take the link or the pipe away"
        raise DataError("D046", what, where=os.path.relpath(place), got=got, fix=fix)
    return place


_LEARNT = ".learnt"
"""What is learnt of procedures, beside them and in no repository."""


def procedure_log(root: str) -> ProcedureLog:
    """What came of them, in SQLite."""
    from ..adapters.procedure.sqlite_procedure_log import SqliteProcedureLog

    return SqliteProcedureLog(_own(root, _LEARNT, "runs.sqlite3"))


def matching_file(root: str) -> MatchingFile:
    """What matching has learnt."""
    from ..adapters.procedure.matching_file import JsonMatchingFile

    place = _own(root, "matching.json")
    return JsonMatchingFile(place, os.path.relpath(place), _own(root, _LEARNT))


def request_embedder(embedder: Embedder, root: str) -> Embedder:
    """The memory's embedder, whose vectors are kept."""
    from ..adapters.procedure.cached_embedder import CachedEmbedder

    return CachedEmbedder(embedder, _own(root, _LEARNT, "vectors.sqlite3"))


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
    mode: str, hold_out: float, store: Callable[[], ProcedureStore], match: Callable[[], MatchProcedure]
) -> InstructRows | None:
    """Procedures in the prompts of a training; None: there are none, and nothing is made for them."""
    return None if mode == Mode.OFF else InstructRows(store(), match(), Mode(mode), hold_out)


def guide(mode: str, store: Callable[[], ProcedureStore], finds: Callable[[], Finds]) -> Guide | None:
    """What leads a model in training through procedures; None: nobody does."""
    if mode != Mode.GUIDED:
        return None
    from ..adapters.training.guided_turns import Guide

    read = cache(store().read)
    return Guide(lambda given: begin_unattended(read(given.name, given.sha)), finds())


def learn_from_training(mode: str, learn: Callable[[], LearnFromTraining]) -> LearnFromTraining | None:
    """What is told of procedures in the prompts of a training; likewise."""
    return None if mode == Mode.OFF else learn()
